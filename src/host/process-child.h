#pragma once
/* What a new child does between clone and exec. System calls only: no allocation, no lock, no library state. */
#include "host/process-options.h"

/* Which step failed. On a report pipe it is written in one piece. */
typedef struct ChildReport {
        int error; /* errno */
        int step;
} ChildReport;

/* Takes all steps, and comes back only if one fails. All signals are blocked on entry; `null` is open on /dev/null. *report (may be
 * NULL) is a file that is to stay open until the program runs: it gets another number. */
ChildReport child_run(const ProcessOptions *options, int *report, int null);

/* The same, to the end. `report` is the writing end of the pipe. */
_Noreturn void child_main(const ProcessOptions *options, int report, int null);
