/* Children: told, written down, reaped. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "host/file.h"
#include "host/shim/shim.h"

static UnitShimChild *find(UnitShim *shim, pid_t pid) {
        for (size_t i = 0; i < shim->n_children; i++)
                if (shim->children[i].end.pid == pid)
                        return &shim->children[i];
        return NULL;
}

/* Whoever reads the file finds an end that is told, whatever happens to us or the supervisor after. */
static void write_ends(const UnitShim *shim) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice whole;

        for (size_t i = 0; i < shim->n_children; i++)
                if (shim->children[i].end.code != 0)
                        (void)unit_shim_end_write(&shim->children[i].end, &text);
        whole = (Slice){buffer_data(&text), buffer_length(&text)};
        if (whole.length == 0)
                return;
        if (shim->n_children < UNIT_SHIM_ENDS_MAX) /* it only grows */
                (void)file_overwrite(shim->options->ends_path, 0600, whole, NULL);
        else
                (void)file_replace(shim->options->ends_path, 0600, whole, false, NULL);
}

static void tell_end(UnitShim *shim, const UnitShimEnd *end) {
        unit_shim_tell(shim->control, &(UnitShimMessage){.kind = UNIT_SHIM_ENDED, .end = *end}, NULL, 0);
}

static bool look_at(pid_t pid, int options, siginfo_t *ret) {
        *ret = (siginfo_t){0};
        while (waitid(pid > 0 ? P_PID : P_ALL, (id_t)pid, ret, WEXITED | WNOHANG | options) < 0)
                if (errno != EINTR)
                        return false;
        return true;
}

static void child_ended(UnitShim *shim, UnitShimChild *child, const siginfo_t *info) {
        child->end.code = info->si_code;
        child->end.status = info->si_status;
        write_ends(shim);
        if (shim->control >= 0)
                tell_end(shim, &child->end);
}

static void note_orphan(UnitShim *shim, const siginfo_t *info) {
        shim->orphans[shim->n_orphans++ % UNIT_SHIM_ORPHANS_MAX] =
                (UnitShimEnd){.pid = info->si_pid, .code = info->si_code, .status = info->si_status};
}

/* A watched child stays until the supervisor has heard of its end, so that its number is nobody else's meanwhile. */
static bool reap_one(UnitShim *shim) {
        UnitShimChild *child;
        siginfo_t info;

        if (!look_at(0, WNOWAIT, &info)) {
                shim->empty = errno == ECHILD;
                return false;
        }
        if (info.si_pid == 0)
                return false;
        child = find(shim, info.si_pid);
        if (child && child->end.code == 0)
                child_ended(shim, child, &info);
        if (child && shim->control >= 0)
                return false;
        if (!child)
                note_orphan(shim, &info);
        else
                child->reaped = true;
        return look_at(info.si_pid, 0, &info);
}

void unit_shim_reap(UnitShim *shim) {
        siginfo_t info;

        for (size_t i = 0; i < shim->n_children; i++) {
                UnitShimChild *child = &shim->children[i];

                if (child->end.code == 0 && look_at(child->end.pid, WNOWAIT, &info) && info.si_pid != 0)
                        child_ended(shim, child, &info);
        }
        while (reap_one(shim))
                ;
        if (shim->empty && !shim->empty_told && shim->control >= 0 && shim->options->child > 0) {
                unit_shim_tell(shim->control, &(UnitShimMessage){.kind = UNIT_SHIM_EMPTY}, NULL, 0);
                shim->empty_told = true;
        }
}

/* The oldest that has gone makes room. */
static UnitShimChild *room_for_child(UnitShim *shim) {
        if (shim->n_children < UNIT_SHIM_ENDS_MAX)
                return &shim->children[shim->n_children++];
        for (size_t i = 1; i < shim->n_children; i++)
                if (shim->children[i].reaped)
                        return &shim->children[i];
        return NULL;
}

static const UnitShimEnd *find_orphan(const UnitShim *shim, pid_t pid) {
        for (size_t i = 0; i < min_of(shim->n_orphans, (size_t)UNIT_SHIM_ORPHANS_MAX); i++)
                if (shim->orphans[i].pid == pid)
                        return &shim->orphans[i];
        return NULL;
}

/* It may not be a child yet: it becomes one when those between it and us have ended. */
static bool is_or_may_become_child(pid_t pid) {
        siginfo_t info;

        return look_at(pid, WNOWAIT, &info) || kill(pid, 0) == 0 || errno != ESRCH;
}

static void watch(UnitShim *shim, pid_t pid) {
        const UnitShimEnd *orphan = find_orphan(shim, pid);
        UnitShimChild *child = room_for_child(shim);

        if (!child)
                return;
        *child = orphan ? (UnitShimChild){*orphan, true} : (UnitShimChild){.end = {.pid = pid}};
        if (orphan)
                write_ends(shim);
}

/* Also a question: how it ended, if it has. */
void unit_shim_watch(UnitShim *shim, pid_t pid) {
        const UnitShimChild *child;

        if (!find(shim, pid) && (find_orphan(shim, pid) || is_or_may_become_child(pid)))
                watch(shim, pid);
        unit_shim_reap(shim);
        child = find(shim, pid);
        if (child && child->end.code != 0)
                tell_end(shim, &child->end);
        else if (!is_or_may_become_child(pid))
                unit_shim_tell(shim->control, &(UnitShimMessage){.kind = UNIT_SHIM_UNKNOWN, .end.pid = pid}, NULL, 0);
}

void unit_shim_let_go(UnitShim *shim, pid_t pid) {
        UnitShimChild *child = find(shim, pid);
        siginfo_t info;

        if (!child || child->end.code == 0 || child->reaped)
                return;
        child->reaped = true;
        (void)look_at(pid, 0, &info);
        unit_shim_reap(shim);
}
