#include "fleet/agent/failures.h"

#include "fleet/agent/agent.h"

void failures_deinit(Failures *failures) {
        free(failures->at);
        *failures = (Failures){0};
}

bool failures_are_more(const SupervisorState *before, const SupervisorState *after) {
        if (str_equals(after->active, "failed"))
                return !str_equals(before->active, "failed");
        if (str_equals(after->result, "success") || after->result[0] == '\0')
                return false;
        /* told in between or not: what waits for its restart has failed, and so has what was restarted meanwhile */
        if (str_equals(after->sub, "auto-restart"))
                return !str_equals(before->sub, "auto-restart") || after->restarts > before->restarts;
        return after->restarts > before->restarts && !str_equals(before->sub, "auto-restart");
}

bool failures_forget(Failures *failures, Usec now) {
        size_t old = 0;

        while (old < failures->length && now - failures->at[old] > failures->within)
                old++;
        if (old == 0)
                return false;
        failures->length -= old;
        memmove(failures->at, failures->at + old, failures->length * sizeof(*failures->at));
        return true;
}

void failures_add(Failures *failures, Usec now, Usec within) {
        if (!failures->at)
                failures->at = calloc(AGENT_FAILURES_MAX, sizeof(*failures->at));
        if (!failures->at)
                return;
        failures->within = within;
        (void)failures_forget(failures, now);
        if (failures->length == AGENT_FAILURES_MAX) {
                failures->length--;
                memmove(failures->at, failures->at + 1, failures->length * sizeof(*failures->at));
        }
        failures->at[failures->length++] = now;
}
