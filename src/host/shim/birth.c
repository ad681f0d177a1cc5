/*
 * How a shim and its child come to be. The child shares the shim's memory until it executes its program, and the shim stands still
 * meanwhile (CLONE_VFORK): no page is copied for a process that is about to become another.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "host/file.h"
#include "host/process-child.h"
#include "host/shim/shim.h"
#include "host/shim/spawner.h"

enum { CHILD_STACK = 64 * 1024, BORN_ROOM = 64, PAGE = 4096 };

/* Lies in memory that shim and child share. */
typedef struct Birth {
        const SpawnRequest *request;
        ProcessTitle title;
        pid_t shim;
        ChildReport failure; /* step NONE: its program runs */
} Birth;

static char child_stack[CHILD_STACK] __attribute__((__aligned__(PAGE)));

/* "faering-unit-shim CHILD UNIT ENDS", a NUL behind each as in any command line, as far as there is room. */
static void compose_title(pid_t child, const SpawnRequest *request, char *title, size_t size) {
        char number[16];
        const char *const words[] = {"faering-unit-shim", number, request->unit, request->ends_path};
        size_t at = 0;

        (void)snprintf(number, sizeof(number), "%d", child);
        memset(title, 0, size);
        for (size_t i = 0; i < ARRAY_SIZE(words) && at < size; i++) {
                size_t length = min_of(strlen(words[i]), size - 1 - at);

                memcpy(title + at, words[i], length);
                at += length + 1;
        }
}

/* The first letter comes last: whoever reads it meanwhile sees another title or none, but not half of this one. */
static void set_title(ProcessTitle title, pid_t child, const SpawnRequest *request) {
        char aside[2 * UNIT_SHIM_TITLE_MAX];
        size_t length = min_of(title.length, sizeof(aside));

        compose_title(child, request, aside, length);
        *title.start = '\0';
        atomic_thread_fence(memory_order_seq_cst);
        memcpy(title.start + 1, aside + 1, length - 1);
        atomic_thread_fence(memory_order_seq_cst);
        *title.start = *aside;
}

/* Whoever asked knows of the child before it begins, or it does not begin. */
static bool tell_born(const SpawnRequest *request, pid_t shim, pid_t child) {
        char text[BORN_ROOM];
        int n = snprintf(text, sizeof(text), "born %d %d", shim, child);

        return send(request->control, text, (size_t)n, MSG_NOSIGNAL) == n;
}

static int be_child(void *userdata) {
        Birth *birth = userdata;

        set_title(birth->title, getpid(), birth->request); /* the shim's: whoever has heard of it finds it by that */
        if (tell_born(birth->request, birth->shim, getpid()))
                birth->failure = child_run(&birth->request->process, NULL, STDIN_FILENO);
        _exit(process_step_exit_status((ProcessStep)birth->failure.step));
}

/* 0: none could be made, which is told. One that nobody has heard of has ended, as any other may have by then. */
static pid_t make_child(const SpawnRequest *request, ProcessTitle title) {
        Birth birth = {.request = request, .title = title, .shim = getpid()};
        pid_t child = clone(be_child, child_stack + sizeof(child_stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &birth);

        if (child < 0) {
                unit_shim_tell(request->control, &(UnitShimMessage){.kind = UNIT_SHIM_REFUSED, .failure = errno}, NULL, 0);
                return 0;
        }
        if (birth.failure.step == PROCESS_STEP_NONE)
                unit_shim_tell(request->control, &(UnitShimMessage){.kind = UNIT_SHIM_EXECUTED}, NULL, 0);
        else
                unit_shim_tell(request->control,
                               &(UnitShimMessage){.kind = UNIT_SHIM_FAILED, .failure = birth.failure.error, .step = birth.failure.step},
                               NULL, 0);
        return child;
}

static void close_all(const int *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void)close(fds[i]);
}

/* What only the child has a use for. */
static void close_files_of_child(const ProcessOptions *process) {
        for (size_t i = 0; i < ARRAY_SIZE(process->fds); i++)
                if (process->fds[i] >= 0)
                        (void)close(process->fds[i]);
        close_all(process->cgroup_fds, process->n_cgroup_fds);
        close_all(process->passed_fds, process->n_passed_fds);
}

_Noreturn void birth_of_shim(const SpawnRequest *request, ProcessTitle title) {
        static UnitShim shim;
        struct sigaction standard = {.sa_handler = SIG_DFL};
        bool has_child = request->process.path;
        UnitShimOptions options = {
                .control = request->control,
                .listener = request->listener,
                .held = request->held,
                .held_fds = request->held_fds,
                .ends_path = request->ends_path,
                .logs = request->logs,
                .unit = request->unit,
                .log_size = request->log_size,
        };

        (void)sigaction(SIGCHLD, &standard, NULL); /* its children are not reaped before they are looked at */
        (void)setsid();
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* before there is a child: what that one leaves behind comes here, too */
        if (!has_child)
                set_title(title, 0, request);
        if (has_child ? (options.child = make_child(request, title)) == 0 : !tell_born(request, getpid(), 0))
                _exit(EXIT_FAILURE);
        if (has_child) {
                close_files_of_child(&request->process);
                (void)madvise(child_stack, sizeof(child_stack), MADV_DONTNEED); /* there are as many shims as units */
        }
        /* what is short of memory can do without a unit, but not without knowing how it ended; not its child's: only from here on */
        (void)file_write("/proc/self/oom_score_adj", "-900");
        unit_shim_run(&shim, &options);
        _exit(EXIT_SUCCESS);
}
