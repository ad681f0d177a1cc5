/* faering: finds the group of verbs, by its own name or by the first argument. */
#include <libgen.h>
#include <signal.h>

#include "cli/boot.h"
#include "cli/containers.h"
#include "cli/fleet.h"
#include "cli/machine.h"
#include "cli/store.h"

typedef struct Group {
        const char *name;        /* faering NAME … */
        const char *program;     /* what the group calls itself then */
        const char *personality; /* name of the old program that it speaks as, or NULL */
        const char *summary;
        int (*main)(const char *program, int argc, char **argv);
} Group;

static const Group groups[] = {
        {"store", "faering store", "etcdctl", "keys and members of the replicated store", store_group_main},
        {"fleet", "faering fleet", "fleetctl", "units on all machines", fleet_group_main},
        {"containers", "faering containers", "docker", "containers and images of this machine", containers_group_main},
        {"boot", "faering boot", "coreos-cloudinit", "a machine's cloud-config", boot_group_main},
};

static int print_help(void) {
        printf("Usage: faering GROUP VERB [ARGUMENTS]\n\nA cluster of machines as CoreOS made them: a replicated store, units on all "
               "machines, containers.\n\nGroups:\n");
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
                printf("  %-12s %s (also under the name %s)\n", groups[i].name, groups[i].summary, groups[i].personality);
        printf("\nMachines made of namespaces on this host:\n");
        for (const Verb *verb = machine_verbs; verb->name; verb++)
                printf("  %-12s %s\n", verb->name, verb->summary);
        printf("\n\"faering GROUP --help\" lists the verbs of a group, \"faering VERB --help\" says more of a verb.\n");
        return CLI_OK;
}

static int run(int argc, char **argv) {
        const char *name = argc > 0 ? basename(argv[0]) : "faering";
        const Verb *verb;

        for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
                if (groups[i].personality && str_equals(name, groups[i].personality))
                        return groups[i].main(groups[i].personality, argc, argv);
        if (argc < 2 || str_equals(argv[1], "--help") || str_equals(argv[1], "-h") || str_equals(argv[1], "help"))
                return print_help();
        if (str_equals(argv[1], "--version") || str_equals(argv[1], "version")) {
                printf("faering %s\n", FAERING_VERSION);
                return CLI_OK;
        }
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
                if (str_equals(argv[1], groups[i].name))
                        return groups[i].main(groups[i].program, argc - 1, argv + 1);
        verb = machine_verb_find(argv[1]);
        if (verb)
                return machine_verb_main(verb, argc - 1, argv + 1);
        cli_complain("faering", "unknown group or verb \"%s\"; see \"faering --help\"", argv[1]);
        return CLI_USAGE;
}

int main(int argc, char **argv) {
        (void)signal(SIGPIPE, SIG_IGN);
        return cli_end(run(argc, argv));
}
