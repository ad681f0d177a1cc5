#pragma once
/* The program faering-boot, which is also coreos-cloudinit: flags, exit codes and order of that program. */

/* 0: done; 1: something failed; 2: wrong usage. `program` is the name in texts. */
int boot_main(const char *program, int argc, char **argv);
