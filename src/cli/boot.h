#pragma once
/* `faering boot`: a machine's cloud-config, seen and applied by hand. As coreos-cloudinit it is faering-boot itself. */
#include "cli/verb.h"

typedef struct BootGroup {
        const char *program;
} BootGroup;

extern const Verb boot_verbs[];

int boot_group_main(const char *program, int argc, char **argv);

int boot_verb_apply(void *group, int argc, char **argv);
int boot_verb_plan(void *group, int argc, char **argv);
int boot_verb_status(void *group, int argc, char **argv);
int boot_verb_validate(void *group, int argc, char **argv);
