/* From making to the end: the runtime's calls, and what follows from each. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "containers/shim/runtime-call.h"
#include "containers/shim/shim.h"

#define RUNTIME_LOG "runtime.log"
#define PID_FILE "pid"

enum { RUNTIME_ARGS_MAX = 20, PATH_TEXT_MAX = 1024 };

static void stage_clear(Shim *shim);

/* ---- small files ---- */

static ssize_t read_small(int directory, const char *name, char *text, size_t size) {
        _cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

        text[n > 0 ? n : 0] = '\0';
        return n;
}

static int read_pid(Shim *shim, pid_t *ret) {
        char text[32];
        uint64_t pid;

        if (read_small(shim->directory, PID_FILE, text, sizeof(text)) <= 0 ||
            str_parse_u64(slice_trim(slice_from(text)), INT32_MAX, &pid) < 0)
                return -EBADMSG;
        *ret = (pid_t)pid;
        return 0;
}

/* Number of kills for memory in the container's group: "oom_kill N" in version 2's memory.events and version 1's
 * memory.oom_control. */
static bool read_oom(const Shim *shim) {
        static const char *const names[] = {"memory.events", "memory.oom_control"};
        char text[1024], path[512];
        const char *found;

        if (!shim->options->memory_group)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", shim->options->memory_group, names[i]);
                if (read_small(AT_FDCWD, path, text, sizeof(text)) <= 0)
                        continue;
                found = strstr(text, "oom_kill ");
                return found && found[9] != '0';
        }
        return false;
}

/* The last call: whoever reads the file finds all of it or nothing. */
static void write_exit(Shim *shim) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        _cleanup_close_ int fd =
                openat(shim->directory, SHIM_EXIT ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || shim_exit_format(&shim->exit, &text) < 0)
                return;
        if (write(fd, buffer_data(&text), buffer_length(&text)) == (ssize_t)buffer_length(&text) && fsync(fd) == 0)
                (void)renameat(shim->directory, SHIM_EXIT ".new", shim->directory, SHIM_EXIT);
}

/* ---- calls ---- */

/* The runtime changes its directory before it opens some of what it is told of: paths are whole. */
static const char *whole_path(const Shim *shim, const char *name, char text[static PATH_TEXT_MAX]) {
        (void)snprintf(text, PATH_TEXT_MAX, "%s/%s", shim->options->directory, name);
        return text;
}

static int call_runtime(Shim *shim, const int fds[3], const char *const *words) {
        const ShimOptions *options = shim->options;
        char log[PATH_TEXT_MAX];
        const char *argv[RUNTIME_ARGS_MAX] = {
                options->runtime, "--root", options->runtime_root, "--log", whole_path(shim, RUNTIME_LOG, log),
                "--log-format",   "json"};
        RuntimeCall call = {
                .hide = options->hide, .argv = (char *const *)(uintptr_t)argv, .fds = {fds[0], fds[1], fds[2]}};
        size_t n = 7;

        while (*words && n + 1 < ARRAY_SIZE(argv))
                argv[n++] = *words++;
        argv[n] = NULL;
        (void)unlink(RUNTIME_LOG);
        return runtime_call_start(&call, &shim->runtime, NULL);
}

static const int no_fds[3] = {-1, -1, -1};

/* The terminal's socket by a path that is short, wherever our directory is. */
static void console_path(const Shim *shim, char *path, size_t size) {
        (void)snprintf(path, size, "/proc/%d/fd/%d/console.sock", (int)getpid(), shim->directory);
}

static int stage_fail(Shim *shim) {
        shim->failed = true;
        (void)read_small(shim->directory, RUNTIME_LOG, shim->reason, sizeof(shim->reason));
        if (!shim->reason[0])
                (void)snprintf(shim->reason, sizeof(shim->reason), "the runtime %s could not be run",
                               shim->options->runtime);
        stage_clear(shim);
        return -ECANCELED;
}

int shim_make(Shim *shim) {
        char console[64], bundle[PATH_TEXT_MAX], pid[PATH_TEXT_MAX];
        const char *const words[] = {"create",
                                     "--bundle",
                                     whole_path(shim, "bundle", bundle),
                                     "--pid-file",
                                     whole_path(shim, PID_FILE, pid),
                                     shim->options->tty ? "--console-socket" : shim->options->id,
                                     shim->options->tty ? console : NULL,
                                     shim->options->id,
                                     NULL};
        int r = shim_open_streams(shim);

        console_path(shim, console, sizeof(console));
        shim->stage = SHIM_STAGE_MAKING;
        if (r >= 0 && shim->options->exec) {
                shim->stage = SHIM_STAGE_MADE;
                return 0;
        }
        if (r >= 0)
                r = call_runtime(shim, shim->theirs, words);
        shim_close_theirs(shim);
        return r < 0 ? stage_fail(shim) : 0;
}

int shim_start(Shim *shim) {
        char console[64], pid[PATH_TEXT_MAX], process[PATH_TEXT_MAX];
        const char *const start[] = {"start", shim->options->id, NULL};
        const char *const exec[] = {"exec",
                                    "--detach",
                                    "--process",
                                    shim->options->exec ? whole_path(shim, shim->options->exec, process) : NULL,
                                    "--pid-file",
                                    whole_path(shim, PID_FILE, pid),
                                    shim->options->tty ? "--console-socket" : shim->options->id,
                                    shim->options->tty ? console : NULL,
                                    shim->options->id,
                                    NULL};
        int r;

        console_path(shim, console, sizeof(console));
        shim->stage = SHIM_STAGE_STARTING;
        r = shim->options->exec ? call_runtime(shim, shim->theirs, exec) : call_runtime(shim, no_fds, start);
        if (shim->options->exec)
                shim_close_theirs(shim);
        return r < 0 ? stage_fail(shim) : 0;
}

static void stage_finish(Shim *shim) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        shim->stage = SHIM_STAGE_DONE;
        if (shim->failed) {
                /* not before all is cleared up: whoever hears it may remove the directory at once */
                shim_tell_engine(shim, SHIM_FAILED, shim->reason, strlen(shim->reason));
                return;
        }
        write_exit(shim);
        if (shim_exit_format(&shim->exit, &text) < 0)
                return;
        shim_tell_engine(shim, SHIM_EXITED, buffer_data(&text), buffer_length(&text));
}

/* Removes what the runtime keeps of it; an exec leaves nothing. */
static void stage_clear(Shim *shim) {
        const char *const words[] = {"delete", "--force", shim->options->id, NULL};

        shim->stage = SHIM_STAGE_CLEARING;
        if (shim->options->exec || call_runtime(shim, no_fds, words) < 0)
                stage_finish(shim);
}

void shim_undo(Shim *shim) {
        if (shim->stage != SHIM_STAGE_MADE) {
                shim->undo = true; /* once the call under way is done */
                return;
        }
        shim->failed = true;
        stage_clear(shim);
}

/* ---- ends of processes ---- */

static int exit_status(int status) {
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* All that it has written is in the pipes by now: nothing of its pid namespace lives. */
static void drain_output(Shim *shim) {
        for (unsigned i = 0; i < 2; i++)
                while (shim->output[i] >= 0) {
                        struct pollfd ready = {.fd = shim->output[i], .events = POLLIN};

                        if (poll(&ready, 1, 0) <= 0)
                                break;
                        shim_read_output(shim, i);
                }
}

static void process_ended(Shim *shim, int status) {
        shim->process_ended = true;
        shim->exit = (ShimExit){.status = exit_status(status), .at = clock_wall()};
        drain_output(shim);
        if (shim->has_log)
                (void)log_file_finish(&shim->log, clock_wall());
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++)
                if (shim->clients[i].fd >= 0 && shim->clients[i].streams)
                        shim_tell(&shim->clients[i], SHIM_EXITED, NULL, 0);
        shim->exit.oom = read_oom(shim);
        stage_clear(shim);
}

static void process_known(Shim *shim) {
        for (size_t i = 0; i < shim->n_early; i++)
                if (shim->early[i].pid == shim->process) {
                        process_ended(shim, shim->early[i].status);
                        return;
                }
}

static void runtime_ended(Shim *shim, int status) {
        bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

        shim->runtime = 0;
        switch (shim->stage) {
        case SHIM_STAGE_MAKING:
                if (!ok || read_pid(shim, &shim->process) < 0) {
                        (void)stage_fail(shim);
                        return;
                }
                shim->stage = SHIM_STAGE_MADE;
                shim_tell_u32(shim, SHIM_MADE, (uint32_t)shim->process);
                if (shim->undo)
                        shim_undo(shim);
                else
                        process_known(shim);
                return;
        case SHIM_STAGE_STARTING:
                if (!ok || (shim->options->exec && read_pid(shim, &shim->process) < 0)) {
                        (void)stage_fail(shim);
                        return;
                }
                shim->stage = SHIM_STAGE_RUNNING;
                if (shim->console >= 0)
                        (void)shim_console_accept(shim);
                shim_tell_u32(shim, SHIM_STARTED, (uint32_t)shim->process);
                shim_write_input(shim);
                if (shim->undo)
                        (void)kill(shim->process, SIGKILL);
                process_known(shim);
                return;
        case SHIM_STAGE_CLEARING:
                stage_finish(shim);
                return;
        default:
                return;
        }
}

void shim_reap(Shim *shim) {
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                if (pid == shim->runtime)
                        runtime_ended(shim, status);
                else if (pid == shim->process && shim->stage == SHIM_STAGE_RUNNING)
                        process_ended(shim, status);
                else if (shim->stage < SHIM_STAGE_RUNNING && shim->n_early < SHIM_EARLY_MAX) {
                        shim->early[shim->n_early].pid = pid;
                        shim->early[shim->n_early++].status = status;
                }
        }
}
