#pragma once
/*
 * Carries out a plan, step by step. The first step that cannot be done ends it; what was done before stays. Units are
 * asked for one after the other, and only when all is done it is waited for what became of them: a unit that waits for
 * the end of the boot does not hold it up.
 */
#include "boot/config/plan.h"
#include "boot/ops.h"

typedef struct ApplyEvents {
        /* A step is over, or asked for. `r`: 0, or the outcome of its operation above 0 (boot/ops.h); `result` is "" or
         * says more. */
        void (*done)(void *userdata, const Step *step, int r, const char *result);
        /* May be NULL. Every step is done, every command asked for. */
        void (*ready)(void *userdata);
        /* May be NULL: nobody waits for units then. A command has ended, or still goes on (UNIT_COMMAND_PENDING);
         * `result` then says why that is not known, if it is not. */
        void (*ended)(void *userdata, const Step *step, int r, const char *result);
} ApplyEvents;

typedef struct ApplyCount {
        size_t done;    /* steps that were done, also on failure */
        size_t changed; /* of them, those that changed what lasts: commands and reloads do not count */
        size_t remade;  /* of them, those that changed what is gone with the boot: below /run */
} ApplyCount;

/*
 * Finds all owners first, so that a name which nobody has changes nothing; one that the plan itself makes is found when
 * it is there. Units are waited for at most `wait`, all together. `count` may be NULL; `error` names the step.
 */
int boot_apply(const BootPlan *plan, const BootMachine *machine, Usec wait, const ApplyEvents *events, void *userdata,
               ApplyCount *count, Error *error);
