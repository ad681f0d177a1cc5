#pragma once
/* `faering boot`: a machine's cloud-config, seen and applied by hand. As coreos-cloudinit it is faering-boot itself. */
#include "boot/session.h"
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

/* ---- what the verbs share ---- */

typedef struct BootArguments {
        char *root, *output;
        bool strict;
        StringList files;
} BootArguments;

void boot_arguments_deinit(BootArguments *arguments);
#define _cleanup_boot_arguments_ _cleanup_(boot_arguments_deinit)

#define BOOT_OPTION_ROOT(arguments)                                                                                    \
        {                                                                                                              \
                "root", 0, OPTION_STRING, "DIR", NULL, "the machine whose files lie below DIR (default: /)",           \
                        &(arguments)->root, NULL                                                                       \
        }
#define BOOT_OPTION_OUTPUT(arguments)                                                                                  \
        { "output", 'o', OPTION_STRING, "FORMAT", NULL, "text or json (default: text)", &(arguments)->output, NULL }
#define BOOT_OPTION_STRICT(arguments)                                                                                  \
        {                                                                                                              \
                "strict", 0, OPTION_SWITCH, NULL, NULL, "refuse what is only a warning otherwise",                     \
                        &(arguments)->strict, NULL                                                                     \
        }

/* Says why on stderr; CLI_FAILED. */
int boot_complain(const BootGroup *group, const Error *error);

/* `wanted` files. 0, or -1 with the exit code. */
int boot_arguments_parse(const BootGroup *group, const char *name, const Option *options, size_t wanted, int argc,
                         char **argv, BootArguments *arguments, int *ret_exit);

/* Whether the output is to be JSON: 1, 0, or -1 after a complaint about another format. */
int boot_arguments_want_json(const BootGroup *group, const BootArguments *arguments);

int boot_arguments_open(const BootArguments *arguments, BootSession *session, Error *error);

/* Opens the session, and makes its plan; strictly if that is asked for. */
int boot_arguments_plan(const BootArguments *arguments, BootSession *session, Error *error);

void boot_print_warnings(const BootGroup *group, const BootPlan *plan);
