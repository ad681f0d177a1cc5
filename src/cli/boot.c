#include "cli/boot.h"

#include "boot/boot.h"

const Verb boot_verbs[] = {
        {"validate", "FILE", "what is wrong with a cloud-config, line by line", boot_verb_validate},
        {"plan", "FILE", "what applying it would change here, files as diffs", boot_verb_plan},
        {"apply", "FILE", "apply it", boot_verb_apply},
        {"status", "", "what was applied last, and how it went", boot_verb_status},
        {0},
};

int boot_group_main(const char *program, int argc, char **argv) {
        BootGroup group = {.program = program};
        const Verb *verb;

        if (str_equals(program, "coreos-cloudinit"))
                return boot_main(program, argc, argv);
        if (argc < 2 || str_equals(argv[1], "--help") || str_equals(argv[1], "-h") || str_equals(argv[1], "help")) {
                verb_print_group_help(boot_verbs, program,
                                      "A machine's cloud-config. faering-boot applies it when the machine starts.",
                                      NULL);
                return CLI_OK;
        }
        verb = verb_find(boot_verbs, argv[1], true);
        if (!verb) {
                verb_complain(boot_verbs, program, argv[1]);
                return CLI_USAGE;
        }
        return verb->run(&group, argc - 1, argv + 1);
}
