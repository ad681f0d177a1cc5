#include "machine/machine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

#include "host/process.h"
#include "machine/console.h"
#include "machine/hierarchy.h"
#include "machine/switch.h"

enum {
        GRACE_MSEC = 30000, /* init takes 20 s at most */
        GROUPS_RETRY_MSEC = 10,
        GROUPS_RETRIES_MAX = 1000,
        READ_SIZE = 4096,
        STATUS_LINE_MAX = 1024,
};

/* One life of a machine, from power on until the last of it is gone. */
struct MachineRun {
        Machine *machine;
        Process process;
        Console console;
        uv_pipe_t console_pipe, status_pipe;
        uv_timer_t timer; /* grace, then removal of the groups */
        int go;           /* writing end; -1 */
        StringList groups;
        Buffer status;
        char room[READ_SIZE];
        unsigned open; /* handles, the process among them */
        unsigned retries;
        bool ended, pulled;
};

static const char *const power_names[] = {
        [MACHINE_OFF] = "off", [MACHINE_STARTING] = "starting", [MACHINE_ON] = "on", [MACHINE_STOPPING] = "stopping"};

const char *machine_power_name(MachinePower power) {
        return power_names[power];
}

/* Allowed moves: row from, column to. */
static const bool moves[4][4] = {
        [MACHINE_OFF] = {[MACHINE_STARTING] = true},
        [MACHINE_STARTING] = {[MACHINE_ON] = true, [MACHINE_STOPPING] = true, [MACHINE_OFF] = true},
        [MACHINE_ON] = {[MACHINE_STOPPING] = true, [MACHINE_OFF] = true},
        [MACHINE_STOPPING] = {[MACHINE_OFF] = true},
};

static void set_power(Machine *machine, MachinePower power) {
        assert(moves[machine->power][power]);
        machine->power = power;
        machine->host->changed(machine->host->userdata, machine);
}

Machine *machine_new(const MachineHost *host, unsigned number) {
        Machine *machine = calloc(1, sizeof(*machine));

        if (!machine)
                return NULL;
        list_init(&machine->link);
        machine->host = host;
        machine->number = number;
        plan_name(number, machine->name);
        plan_address(number, machine->address);
        return machine;
}

Machine *machine_free(Machine *machine) {
        if (machine) {
                assert(!machine->run);
                list_unlink(&machine->link);
                free(machine);
        }
        return NULL;
}

pid_t machine_pid(const Machine *machine) {
        return machine->run ? machine->run->process.pid : 0;
}

const StringList *machine_groups(const Machine *machine) {
        static const StringList none;

        return machine->run ? &machine->run->groups : &none;
}

/* ---- the end of a life ---- */

static void run_free(MachineRun *run) {
        if (run->go >= 0)
                (void)close(run->go);
        console_close(&run->console);
        string_list_deinit(&run->groups);
        buffer_deinit(&run->status);
        free(run);
}

/* All handles are closed: the machine is off. */
static void run_step(MachineRun *run) {
        Machine *machine = run->machine;

        if (run->open > 0)
                return;
        machine->run = NULL;
        run_free(run);
        set_power(machine, MACHINE_OFF);
}

static void on_handle_closed(uv_handle_t *handle) {
        MachineRun *run = handle->data;

        run->open--;
        run_step(run);
}

static void close_handle(uv_handle_t *handle) {
        if (!uv_is_closing(handle))
                uv_close(handle, on_handle_closed);
}

static void release_groups(MachineRun *run);

static void on_groups_timer(uv_timer_t *timer) {
        release_groups(timer->data);
}

/* The first process is reaped after all others of its namespace, but the kernel empties a control group a little
 * later, and version 1 tells nobody when. */
static void release_groups(MachineRun *run) {
        int r = groups_remove(&run->groups);

        if (r == -EBUSY && run->retries++ < GROUPS_RETRIES_MAX) {
                (void)uv_timer_start(&run->timer, on_groups_timer, GROUPS_RETRY_MSEC, 0);
                return;
        }
        if (r < 0 && !run->machine->why.text[0])
                (void)error_set_errno(&run->machine->why, r, "its control groups cannot be removed");
        close_handle((uv_handle_t *)&run->timer);
}

static void on_exited(Process *process, int code, int status) {
        MachineRun *run = process->owner;
        Machine *machine = run->machine;

        run->ended = true;
        if (run->pulled)
                (void)error_set(&machine->why, 0, "the plug was pulled");
        else if (code == CLD_EXITED && status == 0)
                (void)error_set(&machine->why, 0, "powered off");
        else if (!machine->why.text[0])
                (void)error_set(&machine->why, 0, "its first process %s %d; see %s/%s/console.log",
                                code == CLD_EXITED ? "ended with status" : "was killed by signal", status,
                                machine->host->directory, machine->name);
        if (machine->power != MACHINE_STOPPING)
                set_power(machine, MACHINE_STOPPING);
        (void)uv_timer_stop(&run->timer);
        process_close(process);
        release_groups(run);
}

static void on_process_closed(Process *process) {
        MachineRun *run = process->owner;

        run->open--;
        run_step(run);
}

static void pull_plug(MachineRun *run) {
        run->pulled = true;
        if (process_is_running(&run->process))
                (void)process_kill(&run->process, SIGKILL);
}

static void on_grace_over(uv_timer_t *timer) {
        pull_plug(timer->data);
}

void machine_power_off(Machine *machine, bool plug) {
        MachineRun *run = machine->run;

        if (!run || run->ended)
                return;
        if (plug || machine->power == MACHINE_STARTING) {
                pull_plug(run);
        } else {
                (void)process_kill(&run->process, SIGTERM);
                (void)uv_timer_start(&run->timer, on_grace_over, GRACE_MSEC, 0);
        }
        if (machine->power != MACHINE_STOPPING)
                set_power(machine, MACHINE_STOPPING);
}

/* ---- what it says ---- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
        MachineRun *run = handle->data;

        (void)suggested;
        *ret = uv_buf_init(run->room, sizeof(run->room));
}

static void on_console(uv_stream_t *stream, ssize_t n, const uv_buf_t *piece) {
        MachineRun *run = stream->data;

        if (n > 0)
                console_write(&run->console, (Slice){piece->base, (size_t)n});
        else if (n < 0)
                close_handle((uv_handle_t *)stream);
}

/* "booted", or "failed WHY" */
static void take_status(MachineRun *run, Slice line) {
        static const char failed[] = "failed ";
        Machine *machine = run->machine;

        if (line.length > sizeof(failed) - 1 && memcmp(line.data, failed, sizeof(failed) - 1) == 0)
                (void)error_set(&machine->why, 0, "%.*s", (int)(line.length - sizeof(failed) + 1),
                                line.data + sizeof(failed) - 1);
        if (machine->power == MACHINE_STARTING)
                set_power(machine, MACHINE_ON);
}

static void on_status(uv_stream_t *stream, ssize_t n, const uv_buf_t *piece) {
        MachineRun *run = stream->data;
        const char *end;

        if (n > 0)
                (void)buffer_append(&run->status, piece->base, (size_t)n);
        end = buffer_length(&run->status) ? memchr(buffer_data(&run->status), '\n', buffer_length(&run->status)) : NULL;
        if (end) {
                take_status(run, (Slice){buffer_data(&run->status), (size_t)(end - buffer_data(&run->status))});
                buffer_clear(&run->status);
        }
        if (n < 0)
                close_handle((uv_handle_t *)stream);
}

/* ---- the beginning of a life ---- */

static void on_executed(Process *process, int r, ProcessStep step) {
        MachineRun *run = process->owner;
        Machine *machine = run->machine;

        if (r < 0) {
                (void)error_set_errno(&machine->why, r, "its first process: %s", process_step_text(step));
                return;
        }
        r = switch_plug_in(machine->host->network, machine->name, machine->number, process->pid, &machine->why);
        if (r >= 0 && write(run->go, "g", 1) != 1)
                r = error_set_errno(&machine->why, -errno, "cannot tell the first process to go on");
        (void)close(run->go);
        run->go = -1;
        if (r < 0)
                (void)process_kill(process, SIGKILL);
}

static const ProcessEvents process_events = {.executed = on_executed, .exited = on_exited, .closed = on_process_closed};

typedef struct Pipes {
        int console[2], status[2], go[2];
} Pipes;

static void close_fd(int *fd) {
        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
}

static void pipes_close(Pipes *pipes) {
        for (int i = 0; i < 2; i++) {
                close_fd(&pipes->console[i]);
                close_fd(&pipes->status[i]);
                close_fd(&pipes->go[i]);
        }
}

static int pipes_open(Pipes *pipes, Error *error) {
        if (pipe2(pipes->console, O_CLOEXEC) < 0 || pipe2(pipes->status, O_CLOEXEC) < 0 ||
            pipe2(pipes->go, O_CLOEXEC) < 0)
                return error_set_errno(error, -errno, "cannot make pipes");
        return 0;
}

/* The program is our own, told to become the machine (main.c). */
static int spawn(MachineRun *run, const Pipes *pipes, Error *error) {
        Machine *machine = run->machine;
        const char *const argv[] = {"faering-machines",       "--become", machine->name, "--dir",
                                    machine->host->directory, NULL};
        const int passed[] = {pipes->go[0], pipes->status[1]}; /* 3 and 4 there */
        int fds[HIERARCHIES_MAX];
        ProcessOptions options = {
                .path = "/proc/self/exe",
                .argv = argv,
                .fds = {-1, pipes->console[1], pipes->console[1]},
                .passed_fds = passed,
                .n_passed_fds = ARRAY_SIZE(passed),
                .new_session = true,
                .parent_death_signal = SIGKILL,
                .cgroup_fds = fds,
                .namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC,
        };
        int r;

        r = groups_open_procs(&run->groups, fds, &options.n_cgroup_fds, error);
        if (r < 0)
                return r;
        r = process_spawn(&run->process, machine->host->loop, NULL, &options, &process_events, run, error);
        while (options.n_cgroup_fds > 0)
                (void)close(fds[--options.n_cgroup_fds]);
        return r;
}

/* From here on everything ends by events. The reading ends go to the handles. */
static void watch(MachineRun *run, Pipes *pipes) {
        uv_loop_t *loop = run->machine->host->loop;

        (void)uv_timer_init(loop, &run->timer); /* cannot fail, nor can the others with good descriptors */
        (void)uv_pipe_init(loop, &run->console_pipe, 0);
        (void)uv_pipe_init(loop, &run->status_pipe, 0);
        run->timer.data = run->console_pipe.data = run->status_pipe.data = run;
        (void)uv_pipe_open(&run->console_pipe, pipes->console[0]);
        (void)uv_pipe_open(&run->status_pipe, pipes->status[0]);
        pipes->console[0] = pipes->status[0] = -1;
        run->go = pipes->go[1];
        pipes->go[1] = -1;
        (void)uv_read_start((uv_stream_t *)&run->console_pipe, on_room, on_console);
        (void)uv_read_start((uv_stream_t *)&run->status_pipe, on_room, on_status);
        run->open = 4;
}

static int begin(MachineRun *run, Pipes *pipes, Error *error) {
        Machine *machine = run->machine;
        _cleanup_free_ char *folder = str_printf("%s/%s", machine->host->directory, machine->name);
        int r;

        r = folder ? console_open(&run->console, folder, error) : -ENOMEM;
        if (r >= 0)
                r = groups_make(machine->host->groups, machine->name, &run->groups, error);
        if (r >= 0)
                r = pipes_open(pipes, error);
        return r < 0 ? r : spawn(run, pipes, error);
}

int machine_power_on(Machine *machine, Error *error) {
        Pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
        MachineRun *run;
        int r;

        assert(machine->power == MACHINE_OFF);
        run = calloc(1, sizeof(*run));
        if (!run)
                return error_set_errno(error, -ENOMEM, "cannot power %s on", machine->name);
        run->machine = machine;
        run->go = run->console.fd = -1;
        run->status = BUFFER_INIT_LIMIT(STATUS_LINE_MAX);
        machine->why = ERROR_NONE;
        r = begin(run, &pipes, &machine->why);
        if (r >= 0) {
                watch(run, &pipes);
                machine->run = run;
                machine->since = clock_wall();
                pipes_close(&pipes);
                set_power(machine, MACHINE_STARTING);
                return 0;
        }
        pipes_close(&pipes);
        (void)groups_remove(&run->groups);
        run_free(run);
        return error_set(error, r, "%s cannot be powered on: %s", machine->name, machine->why.text);
}
