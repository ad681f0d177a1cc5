#pragma once
/* Carries out a plan, step by step. The first step that cannot be done ends it; what was done before stays. */
#include "boot/config/plan.h"
#include "boot/ops.h"

typedef struct ApplyEvents {
        /* A step is over. `r`: 0, or the outcome of its operation above 0 (boot/ops.h); `result` is "" or says more. */
        void (*done)(void *userdata, const Step *step, int r, const char *result);
} ApplyEvents;

/* Finds all owners first, so that a name which nobody has changes nothing. *ret_done (may be NULL) is the number of
 * steps that were done, also on failure; `error` names the step. */
int boot_apply(const BootPlan *plan, BootFiles *files, UnitManager *units, const ApplyEvents *events, void *userdata,
               size_t *ret_done, Error *error);
