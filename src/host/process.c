#include "host/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host/process-child.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

typedef struct ProcessHandles {
        uv_poll_t pidfd, report;
        Process *process; /* NULL: the spawn failed */
        unsigned open;
} ProcessHandles;

static void on_handle_closed(uv_handle_t *handle) {
        ProcessHandles *handles = handle->data;
        Process *process = handles->process;

        if (--handles->open > 0)
                return;
        free(handles);
        if (!process)
                return;
        process->handles = NULL;
        process->events->closed(process);
}

static void handle_close(uv_poll_t *poll) {
        if (!uv_is_closing((uv_handle_t *)poll))
                uv_close((uv_handle_t *)poll, on_handle_closed);
}

/* Both handles stay open until the end, so that their memory has one life; what is over only stops. */
static void process_finish(Process *process) {
        if (!process->handles) {
                process->events->closed(process);
                return;
        }
        handle_close(&process->handles->pidfd);
        (void)close(take_fd(process->pidfd));
        if (process->adopted)
                return;
        handle_close(&process->handles->report);
        (void)close(take_fd(process->report));
}

/* Reads what the child has reported: nothing but the end when its program runs. */
static void process_read_report(Process *process) {
        ChildReport report = {0};
        ssize_t length;

        if (process->executed_told)
                return;
        do
                length = read(process->report, &report, sizeof(report));
        while (length < 0 && errno == EINTR);
        if (length < 0 && errno == EAGAIN)
                return;
        process->executed_told = true;
        (void)uv_poll_stop(&process->handles->report);
        if (process->closing || !process->events->executed)
                return;
        if (length == (ssize_t)sizeof(report))
                process->events->executed(process, -report.error, (ProcessStep)report.step);
        else
                process->events->executed(process, 0, PROCESS_STEP_NONE);
}

static void process_ended(Process *process, int code, int status) {
        if (process->handles) {
                process_read_report(process);
                (void)uv_poll_stop(&process->handles->pidfd);
        }
        process->pid = 0;
        list_unlink(&process->link);
        if (process->closing)
                process_finish(process);
        else
                process->events->exited(process, code, status);
}

/* From /proc/PID/stat: "PID (name) state parent …"; 0: it is not there. */
static pid_t parent_of(pid_t pid) {
        char path[64], text[512];
        _cleanup_close_ int fd = -1;
        const char *after;
        int parent = 0;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
        after = strrchr(text, ')');
        return after && sscanf(after + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* It has ended, and its parent keeps it until it has told us how. Should that end before, it becomes ours. */
static bool will_be_told(const Process *process) {
        const ProcessReaper *reaper = process->reaper;

        return reaper && reaper->events->is_teller && reaper->events->is_teller(reaper->userdata, process, parent_of(process->pid));
}

static void process_reap(Process *process) {
        idtype_t type = process->pidfd < 0 ? P_PID : (idtype_t)P_PIDFD;
        siginfo_t info = {0};
        int r;

        do
                r = waitid(type, (id_t)(process->pidfd < 0 ? process->pid : process->pidfd), &info, WEXITED | WNOHANG);
        while (r < 0 && errno == EINTR);
        if (r < 0 && errno == ECHILD && will_be_told(process))
                (void)uv_poll_stop(&process->handles->pidfd);
        else if (r < 0 && errno != EAGAIN)
                /* someone else reaps it: how it ended is not known */
                process_ended(process, CLD_EXITED, process->adopted ? 0 : EXIT_FAILURE);
        else if (r == 0 && info.si_pid != 0)
                process_ended(process, info.si_code, info.si_status);
}

static void on_pidfd(uv_poll_t *poll, int status, int events) {
        ProcessHandles *handles = poll->data;

        (void)status;
        (void)events;
        if (handles->process && handles->process->pid > 0)
                process_reap(handles->process);
}

static void on_report(uv_poll_t *poll, int status, int events) {
        ProcessHandles *handles = poll->data;

        (void)status;
        (void)events;
        if (handles->process)
                process_read_report(handles->process);
}

/* Takes the handles in any case. */
static int handles_open(ProcessHandles *handles, uv_loop_t *loop, int pidfd, int report) {
        int r;

        r = uv_poll_init(loop, &handles->pidfd, pidfd);
        if (r < 0) {
                free(handles);
                return r;
        }
        handles->pidfd.data = handles;
        handles->open = 1;
        r = uv_poll_init(loop, &handles->report, report);
        if (r >= 0) {
                handles->report.data = handles;
                handles->open = 2;
                r = uv_poll_start(&handles->pidfd, UV_READABLE, on_pidfd);
        }
        if (r >= 0)
                r = uv_poll_start(&handles->report, UV_READABLE, on_report);
        if (r < 0) {
                if (handles->open == 2)
                        uv_close((uv_handle_t *)&handles->report, on_handle_closed);
                uv_close((uv_handle_t *)&handles->pidfd, on_handle_closed);
        }
        return r;
}

/* A new process of our own image, with a pidfd. The signals stay blocked in the child: no handler of ours may run
 * there. */
static int clone_child(const ProcessOptions *options, int report, int null, pid_t *ret_pid, int *ret_pidfd) {
        unsigned long flags = (unsigned long)(unsigned)options->namespaces | CLONE_PIDFD | SIGCHLD;
        sigset_t all, before;
        int pidfd = -1, r = 0;
        long pid;

        (void)sigfillset(&all);
        if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
                return -EINVAL;
        pid = syscall(SYS_clone, flags, NULL, &pidfd, NULL, NULL);
        if (pid == 0)
                child_main(options, report, null);
        if (pid < 0)
                r = -errno;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r < 0)
                return r;
        *ret_pid = (pid_t)pid;
        *ret_pidfd = pidfd;
        return 0;
}

static void kill_and_reap(int pidfd) {
        siginfo_t info;

        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
                ;
}

static int check_options(const ProcessOptions *options, Error *error) {
        if (!options->path || options->path[0] != '/')
                return error_set(error, -EINVAL, "\"%s\" is not the full path of a program",
                                 options->path ? options->path : "");
        if (options->n_groups > PROCESS_GROUPS_MAX)
                return error_set(error, -EINVAL, "more than %d supplementary groups", PROCESS_GROUPS_MAX);
        if (options->n_passed_fds > PROCESS_FDS_MAX)
                return error_set(error, -EINVAL, "more than %d files to pass on", PROCESS_FDS_MAX);
        return 0;
}

int process_spawn(Process *process, uv_loop_t *loop, ProcessReaper *reaper, const ProcessOptions *options,
                  const ProcessEvents *events, void *owner, Error *error) {
        _cleanup_close_ int pidfd = -1, null = -1, report = -1, child_report = -1;
        ProcessHandles *handles;
        pid_t pid = 0;
        int pair[2], r;

        r = check_options(options, error);
        if (r < 0)
                return r;
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0)
                return error_set_errno(error, -errno, "cannot open /dev/null");
        if (pipe2(pair, O_CLOEXEC) < 0)
                return error_set_errno(error, -errno, "cannot make a pipe to a child process");
        report = pair[0];
        child_report = pair[1];
        if (fcntl(report, F_SETFL, O_NONBLOCK) < 0)
                return error_set_errno(error, -errno, "cannot set up a pipe to a child process");
        handles = calloc(1, sizeof(*handles));
        if (!handles)
                return error_set_errno(error, -ENOMEM, "cannot start a process");

        r = clone_child(options, child_report, null, &pid, &pidfd);
        if (r < 0) {
                free(handles);
                return error_set_errno(error, r, "cannot make a process");
        }
        r = handles_open(handles, loop, pidfd, report);
        if (r < 0) {
                kill_and_reap(pidfd);
                return error_set_errno(error, r, "cannot wait for a process");
        }
        handles->process = process;
        *process = (Process){
                .events = events,
                .owner = owner,
                .pid = pid,
                .pidfd = take_fd(pidfd),
                .report = take_fd(report),
                .reaper = reaper,
                .handles = handles,
        };
        list_init(&process->link);
        if (reaper)
                list_append(&reaper->processes, &process->link);
        return 0;
}

int process_adopt(Process *process, uv_loop_t *loop, ProcessReaper *reaper, pid_t pid, const ProcessEvents *events,
                  void *owner) {
        _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        _cleanup_free_ ProcessHandles *handles = NULL;
        int r;

        if (pidfd < 0)
                return -errno;
        handles = calloc(1, sizeof(*handles));
        if (!handles)
                return -ENOMEM;
        r = uv_poll_init(loop, &handles->pidfd, pidfd);
        if (r < 0)
                return r;
        handles->pidfd.data = handles;
        handles->open = 1;
        r = uv_poll_start(&handles->pidfd, UV_READABLE, on_pidfd);
        if (r < 0) {
                uv_close((uv_handle_t *)&handles->pidfd, on_handle_closed);
                handles = NULL;
                return r;
        }
        handles->process = process;
        *process = (Process){
                .events = events,
                .owner = owner,
                .pid = pid,
                .pidfd = take_fd(pidfd),
                .report = -1,
                .reaper = reaper,
                .handles = take_ptr(handles),
                .adopted = true,
                .executed_told = true,
        };
        list_init(&process->link);
        if (reaper)
                list_append(&reaper->processes, &process->link);
        return 0;
}

void process_begin_told(Process *process, ProcessReaper *reaper, pid_t pid, const ProcessEvents *events, void *owner) {
        *process = (Process){.events = events, .owner = owner, .pid = pid, .pidfd = -1, .report = -1, .reaper = reaper};
        list_init(&process->link);
        list_append(&reaper->processes, &process->link);
}

void process_tell_executed(Process *process, int r, ProcessStep step) {
        if (process->executed_told)
                return;
        process->executed_told = true;
        if (!process->closing && process->events->executed)
                process->events->executed(process, r, step);
}

void process_tell_end(Process *process, int code, int status) {
        if (process->pid > 0)
                process_ended(process, code, status);
}

int process_kill(const Process *process, int signal) {
        if (process->pid <= 0)
                return -ESRCH;
        if (process->pidfd < 0)
                return kill(process->pid, signal) < 0 ? -errno : 0;
        if (syscall(SYS_pidfd_send_signal, process->pidfd, signal, NULL, 0) < 0)
                return -errno;
        return 0;
}

void process_leave(Process *process) {
        if (process->closing)
                return;
        process->closing = true;
        process->pid = 0;
        list_unlink(&process->link);
        process_finish(process);
}

void process_close(Process *process) {
        if (process->closing)
                return;
        process->closing = true;
        if (process->pid > 0)
                (void)process_kill(process, SIGKILL); /* its end, through the pidfd, goes on from here */
        else
                process_finish(process);
}

static Process *reaper_find(ProcessReaper *reaper, pid_t pid) {
        list_foreach(&reaper->processes, node) {
                Process *process = container_of(node, Process, link);

                if (process->pid == pid)
                        return process;
        }
        return NULL;
}

void process_reaper_teller_gone(ProcessReaper *reaper) {
        list_foreach(&reaper->processes, node) {
                Process *process = container_of(node, Process, link);

                if (process->handles)
                        (void)uv_poll_start(&process->handles->pidfd, UV_READABLE, on_pidfd);
        }
}

static void reap_all(ProcessReaper *reaper) {
        for (;;) {
                siginfo_t info = {0};
                Process *process;

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
                        if (errno == EINTR)
                                continue;
                        break;
                }
                if (info.si_pid == 0)
                        break;
                process = reaper_find(reaper, info.si_pid);
                if (process)
                        process_reap(process);
                else
                        (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
        }
}

static void on_sigchld(uv_signal_t *signal, int number) {
        ProcessReaper *reaper = container_of(signal, ProcessReaper, signal);

        (void)number;
        reap_all(reaper);
        if (reaper->events->settled)
                reaper->events->settled(reaper->userdata);
}

/* A program can have one only: it is the program that is the subreaper. */
static ProcessReaper *program_reaper;

ProcessReaper *process_reaper_of_program(void) {
        return program_reaper;
}

int process_reaper_init(ProcessReaper *reaper, uv_loop_t *loop, const ProcessReaperEvents *events, void *userdata) {
        int before = 0, r;

        (void)prctl(PR_GET_CHILD_SUBREAPER, &before, 0, 0, 0);
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return -errno;
        r = uv_signal_init(loop, &reaper->signal);
        if (r < 0)
                return r;
        reaper->events = events;
        reaper->userdata = userdata;
        reaper->was_subreaper = before != 0;
        list_init(&reaper->processes);
        r = uv_signal_start(&reaper->signal, on_sigchld, SIGCHLD);
        assert(r == 0); /* fails only for numbers that are no signals, and without memory for its pipe: made by init */
        program_reaper = reaper;
        return 0;
}

static void on_reaper_closed(uv_handle_t *handle) {
        ProcessReaper *reaper = container_of((uv_signal_t *)handle, ProcessReaper, signal);

        reaper->events->closed(reaper->userdata);
}

void process_reaper_close(ProcessReaper *reaper) {
        assert(list_is_empty(&reaper->processes));
        reap_all(reaper); /* what has ended since the last signal was handled */
        program_reaper = NULL;
        if (!reaper->was_subreaper)
                (void)prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
        uv_close((uv_handle_t *)&reaper->signal, on_reaper_closed);
}
