/* faering-unit-shim: started by the embedded supervisor for each process of a unit, and for the sockets of a unit. */
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "host/file.h"
#include "host/shim/shim.h"

enum { ARGUMENTS = 7, EXIT_USAGE = 2 };

/* What is short of memory can do without a unit, but not without knowing how it ended. */
static void protect(void) {
        (void)file_write("/proc/self/oom_score_adj", "-900");
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int main(int argc, char **argv) {
        static UnitShim shim;
        UnitShimOptions options;
        uint64_t pid, size;

        if (argc != ARGUMENTS || str_parse_u64(slice_from(argv[1]), INT32_MAX, &pid) < 0 || strlen(argv[2]) > UNIT_SHIM_FDS_MAX ||
            str_parse_u64(slice_from(argv[6]), UINT64_MAX, &size) < 0) {
                (void)fputs("faering-unit-shim is started by faering-fleet, not by hand: see docs/formats/unit-shim.md\n", stderr);
                return EXIT_USAGE;
        }
        options = (UnitShimOptions){
                .child = (pid_t)pid,
                .held = str_equals(argv[2], "-") ? "" : argv[2],
                .ends_path = argv[3],
                .logs = argv[4],
                .unit = argv[5],
                .log_size = size,
        };
        protect();
        unit_shim_run(&shim, &options);
        return 0;
}
