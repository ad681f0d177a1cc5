#pragma once
/* The command line as etcdctl reads it, and its help texts. */
#include "cli/store.h"

/* Runs the program under its old name; `argv[0]` is the program. Returns the exit code. */
int store_old_main(StoreGroup *group, int argc, char **argv);

/*
 * The order in which a verb's words are read: its flags come to the front, each with the word behind it unless that is a flag, too
 * (also a switch takes one along: "get KEY -q OTHER" reads OTHER), then a "--", then all else. What only looks like a flag stays where it
 * is: "set KEY -5" sets -5. `keep_separator`: a "--" behind a plain word stays there, for a command behind it, and a switch takes
 * nothing along. Written to `ret` (room for `count`), borrowed.
 */
void store_old_order(const StoreFlag *flags, char *const *words, size_t count, bool keep_separator, char **ret);
