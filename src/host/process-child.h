#pragma once
/* What a new child does between clone and exec. System calls only: no allocation, no lock, no library state. */
#include "host/process.h"

/* Written to the report pipe, in one piece, when a step fails. */
typedef struct ChildReport {
        int error; /* errno */
        int step;
} ChildReport;

/* All signals are blocked on entry. `report` is the writing end of the pipe; `null` is open on /dev/null. */
_Noreturn void child_main(const ProcessOptions *options, int report, int null);

/* The same for a parent of the child: makes it, writes its id (or -errno) to `tell`, and becomes its own program. */
_Noreturn void parent_main(const ProcessOptions *options, int report, int null, int tell);
