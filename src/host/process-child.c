#include "host/process-child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

enum { FIRST_PASSED_FD = 3 };

static int write_all(int fd, const char *text, size_t length) {
        ssize_t n;

        do
                n = write(fd, text, length);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

static int reset_signals(bool ignore_sigpipe) {
        struct sigaction action = {.sa_handler = SIG_DFL};

        /* those that cannot be set are at their default already */
        for (int i = 1; i < NSIG; i++)
                (void)sigaction(i, &action, NULL);
        if (ignore_sigpipe) {
                action.sa_handler = SIG_IGN;
                if (sigaction(SIGPIPE, &action, NULL) < 0)
                        return -errno;
        }
        return 0;
}

static int enter_cgroups(const ProcessOptions *options) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < options->n_cgroup_fds; i++)
                r = write_all(options->cgroup_fds[i], "0", 1);
        return r;
}

/* Marks all files from `first` on to be closed by exec. */
static void close_others(unsigned first) {
        struct rlimit limit;

        if (syscall(SYS_close_range, first, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0)
                return;
        /* kernels before 5.11 */
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 1 << 20)
                limit.rlim_cur = 1 << 20;
        for (unsigned fd = first; fd < limit.rlim_cur; fd++)
                (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

/* First all files go above the numbers that will be given out, so that none is overwritten before it has its place. */
static int place_files(const ProcessOptions *options, int *report, int null) {
        int lifted[FIRST_PASSED_FD + PROCESS_FDS_MAX];
        size_t n = FIRST_PASSED_FD + options->n_passed_fds;
        int above = (int)n, moved;

        if (report) {
                moved = fcntl(*report, F_DUPFD_CLOEXEC, above);
                if (moved < 0)
                        return -errno;
                *report = moved;
        }
        for (size_t i = 0; i < n; i++) {
                int fd = i < FIRST_PASSED_FD ? options->fds[i] : options->passed_fds[i - FIRST_PASSED_FD];

                lifted[i] = fcntl(fd >= 0 ? fd : null, F_DUPFD_CLOEXEC, above);
                if (lifted[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < n; i++)
                if (dup2(lifted[i], (int)i) < 0)
                        return -errno;
        close_others((unsigned)n);
        return 0;
}

static int set_oom_score(int score) {
        char text[8], *at = text + sizeof(text);
        unsigned value = (unsigned)(score < 0 ? -score : score);
        int fd, r;

        do
                *--at = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        if (score < 0)
                *--at = '-';
        fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = write_all(fd, at, (size_t)(text + sizeof(text) - at));
        (void)close(fd);
        return r;
}

static rlim_t lesser(rlim_t a, rlim_t b) {
        return a < b ? a : b; /* RLIM_INFINITY is the greatest value */
}

/* Raising a hard limit needs CAP_SYS_RESOURCE, which root in a container often has not: then what is possible. */
static int set_limits(const ProcessLimit *limits) {
        for (unsigned i = 0; i < PROCESS_LIMITS; i++) {
                struct rlimit wanted = {limits[i].soft, limits[i].hard}, now;

                if (!limits[i].set || setrlimit(i, &wanted) == 0)
                        continue;
                if (errno != EPERM || getrlimit(i, &now) < 0)
                        return -errno;
                wanted.rlim_max = lesser(wanted.rlim_max, now.rlim_max);
                wanted.rlim_cur = lesser(wanted.rlim_cur, wanted.rlim_max);
                if (setrlimit(i, &wanted) < 0)
                        return -errno;
        }
        return 0;
}

/* glibc's wrappers would try to change all threads of the parent's list: the bare calls. */
static int set_groups(const ProcessOptions *options) {
        if (syscall(SYS_setgroups, options->n_groups, options->groups) < 0) {
                /* without privileges it is enough that nothing has to change */
                if (errno != EPERM || getuid() != options->uid || options->n_groups > 0)
                        return -errno;
        }
        if (syscall(SYS_setresgid, options->gid, options->gid, options->gid) < 0)
                return -errno;
        return 0;
}

static int set_user(const ProcessOptions *options) {
        return syscall(SYS_setresuid, options->uid, options->uid, options->uid) < 0 ? -errno : 0;
}

static int change_root(const char *root) {
        return chroot(root) < 0 || chdir("/") < 0 ? -errno : 0;
}

static int change_directory(const ProcessOptions *options) {
        if (chdir(options->directory ? options->directory : "/") == 0)
                return 0;
        if (!options->directory_optional)
                return -errno;
        return chdir("/") < 0 ? -errno : 0;
}

static int session(const ProcessOptions *options) {
        if (options->new_session && setsid() < 0)
                return -errno;
        return 0;
}

/* In this child's own copy of the memory. */
static void write_number(char *room, unsigned long pid) {
        char digits[24];
        size_t n = 0;

        do
                digits[n++] = (char)('0' + pid % 10);
        while ((pid /= 10) > 0);
        for (size_t i = 0; i < n; i++)
                room[i] = digits[n - 1 - i];
        room[n] = '\0';
}

static int execute(const ProcessOptions *options) {
        static const char *const nothing[] = {NULL};
        const char *const *environment = options->environment ? options->environment : nothing;
        sigset_t none;

        /* a change of user clears it, so not before */
        if (options->parent_death_signal && prctl(PR_SET_PDEATHSIG, options->parent_death_signal, 0, 0, 0) < 0)
                return -errno;
        if (options->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        for (size_t i = 0; i < options->n_pid_rooms; i++)
                write_number(options->pid_rooms[i], (unsigned long)syscall(SYS_getpid));
        (void)sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                return -errno;
        /* the prototype lacks const for historical reasons; nothing is written */
        (void)execve(options->path, (char *const *)(uintptr_t)options->argv, (char *const *)(uintptr_t)environment);
        return -errno;
}

/* One step; the order is that of systemd: what needs privileges first, the user's own directory as the user. */
static int take_step(const ProcessOptions *options, ProcessStep step, int *report, int null) {
        switch (step) {
        case PROCESS_STEP_NONE:
                return 0;
        case PROCESS_STEP_SIGNALS:
                return reset_signals(options->ignore_sigpipe);
        case PROCESS_STEP_SESSION:
                return session(options);
        case PROCESS_STEP_CGROUP:
                return enter_cgroups(options);
        case PROCESS_STEP_STREAMS:
                if (options->set_umask)
                        (void)umask(options->umask);
                return place_files(options, report, null);
        case PROCESS_STEP_PRIORITY:
                return options->set_nice && syscall(SYS_setpriority, 0 /* PRIO_PROCESS */, 0, options->nice) < 0
                               ? -errno
                               : 0;
        case PROCESS_STEP_OOM_SCORE:
                return options->set_oom_score ? set_oom_score(options->oom_score) : 0;
        case PROCESS_STEP_LIMITS:
                return options->limits ? set_limits(options->limits) : 0;
        case PROCESS_STEP_ROOT:
                return options->root ? change_root(options->root) : 0;
        case PROCESS_STEP_GROUP:
                return options->set_user ? set_groups(options) : 0;
        case PROCESS_STEP_USER:
                return options->set_user ? set_user(options) : 0;
        case PROCESS_STEP_DIRECTORY:
                return change_directory(options);
        case PROCESS_STEP_EXEC:
                return execute(options);
        }
        return -EINVAL;
}

ChildReport child_run(const ProcessOptions *options, int *report, int null) {
        for (int step = PROCESS_STEP_SIGNALS; step <= PROCESS_STEP_EXEC; step++) {
                int r = take_step(options, (ProcessStep)step, report, null);

                if (r < 0)
                        return (ChildReport){-r, step};
        }
        return (ChildReport){0};
}

_Noreturn void child_main(const ProcessOptions *options, int report, int null) {
        ChildReport failure = child_run(options, &report, null);

        (void)write_all(report, (const char *)&failure, sizeof(failure));
        _exit(process_step_exit_status((ProcessStep)failure.step));
}
