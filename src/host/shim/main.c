/* faering-unit-shim: makes the processes of the embedded supervisor's units. Each has one of this program as its parent. */
#include <stdio.h>

#include "base/str.h"
#include "host/shim/spawner.h"

enum { ARGUMENTS = 3, EXIT_USAGE = 2 };

int main(int argc, char **argv) {
        if (argc != ARGUMENTS || !str_equals(argv[1], UNIT_SHIM_SPAWNER_WORD)) {
                (void)fputs("faering-unit-shim is started by faering-fleet, not by hand: see docs/formats/unit-shim.md\n", stderr);
                return EXIT_USAGE;
        }
        return spawner_run(UNIT_SHIM_SPAWNER_FD, (ProcessTitle){argv[0], (size_t)(argv[2] + strlen(argv[2]) - argv[0])});
}
