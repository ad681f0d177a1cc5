/* A unit of the embedded supervisor: carries out what its state machine asks for, and tells it what happens. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/encode.h"
#include "base/random.h"
#include "host/embedded-internal.h"
#include "host/file.h"

enum { STRANGERS_TRIED_MAX = 64 };

Unit *unit_new(Embedded *e, const char *name, Error *error) {
        Unit *unit = calloc(1, sizeof(*unit));

        if (!unit || !(unit->name = strdup(name))) {
                free(unit);
                (void)error_set_errno(error, -ENOMEM, "cannot load %s", name);
                return NULL;
        }
        unit->owner = e;
        unit->last_active = "";
        unit_log_init(&unit->log, e->logs_directory, unit->name, e->log_size);
        unit->connection = -1;
        service_machine_init(&unit->machine, &unit->definition.options);
        trigger_machine_init(&unit->trigger, &unit->definition.trigger);
        unit->deadline = HEAP_NODE_INIT;
        list_init(&unit->link);
        list_init(&unit->dirty_link);
        list_init(&unit->queue_link);
        list_init(&unit->waiting);
        list_init(&unit->linger_link);
        list_init(&unit->processes);
        list_init(&unit->holders);
        list_init(&unit->jobs);
        list_init(&unit->states);
        unit_note_state(unit);
        return unit;
}

void unit_forget_states(Unit *unit) {
        while (!list_is_empty(&unit->states)) {
                StateNote *note = container_of(unit->states.next, StateNote, link);

                list_unlink(&note->link);
                kept_state_deinit(&note->state);
                free(note);
        }
        unit->n_states = 0;
}

void unit_free(Unit *unit) {
        list_unlink(&unit->link);
        list_unlink(&unit->dirty_link);
        unit_forget_order(unit);
        heap_remove(&unit->owner->deadlines, &unit->deadline);
        unit_forget_states(unit);
        trigger_end(unit);
        holders_unit_gone(unit);
        connection_close(unit);
        free(unit->listener);
        if (unit->owner->leaving)
                unit_group_leave(&unit->group);
        else
                unit_group_close(&unit->group);
        unit_log_close(&unit->log);
        definition_deinit(&unit->definition);
        (void)unit_set_next(unit, NULL);
        kept_state_deinit(&unit->told);
        free(unit->text);
        free(unit->name);
        free(unit);
}

void unit_note(Unit *unit, const char *format, ...) {
        char text[SUPERVISOR_TEXT_MAX];
        SupervisorLogLine line = {clock_wall(), 0, SUPERVISOR_STREAM_NOTE, {0}};
        va_list args;

        va_start(args, format);
        (void)vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        line.text = slice_from(text);
        (void)unit_log_write(&unit->log, &line);
        if (unit_at_rest(unit) && !unit_has_processes(unit))
                unit_log_close(&unit->log); /* of a unit that does not run no file stays open */
        embedded_follow(unit->owner, unit->name, &line);
}

static void unit_fail_text(Unit *unit, const char *text) {
        unit_set_text(unit, "%s", text);
        unit_note(unit, "%s", text);
}

bool unit_has_processes(const Unit *unit) {
        return !list_is_empty(&unit->processes);
}

/* ---- a run ---- */

static void apply_limits(Unit *unit) {
        const ServiceOptions *o = &unit->definition.options;
        const struct {
                CgroupLimit limit;
                uint64_t value, none;
        } limits[] = {
                {CGROUP_LIMIT_MEMORY, o->memory_max, UINT64_MAX},
                {CGROUP_LIMIT_MEMORY_HIGH, o->memory_high, UINT64_MAX},
                {CGROUP_LIMIT_PIDS, o->tasks_max, UINT64_MAX},
                {CGROUP_LIMIT_CPU_WEIGHT, o->cpu_weight, 0},
                {CGROUP_LIMIT_CPU_QUOTA, o->cpu_quota_permille, 0},
        };

        _cleanup_cgroup_ Cgroup cgroup = {0};

        if (unit_group_in_cgroup(&unit->group) && unit_group_cgroup(&unit->group, &cgroup) < 0)
                unit_note(unit, "no memory for setting its limits");
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                Error error = ERROR_NONE;

                if (limits[i].value != limits[i].none &&
                    cgroup_set_limit(&cgroup, limits[i].limit, limits[i].value, &error) < 0)
                        unit_note(unit, "%s", error.text);
        }
}

/* A group of its own and a new id; noted on disk before the first process. */
static int begin_run(Unit *unit, Error *error) {
        _cleanup_buffer_ Buffer id = BUFFER_INIT;
        uint8_t bytes[(UNIT_GROUP_ID_MAX - 1) / 2];
        int r;

        if (unit->group_open)
                return 0;
        random_secret(bytes, sizeof(bytes));
        if (encode_hex(&id, bytes, sizeof(bytes)) < 0 || !buffer_string(&id))
                return -ENOMEM;
        r = unit_group_open(&unit->group, &unit->owner->cgroups, unit->name, buffer_string(&id), error);
        if (r < 0)
                return r;
        unit->group_open = true;
        unit_set_text(unit, "%s", "");
        apply_limits(unit);
        return leftovers_record(unit, error);
}

static void abandon(UnitProcess **process) {
        if (*process)
                (*process)->role = UNIT_PROCESS_ABANDONED;
        *process = NULL;
}

static void clean_up(Unit *unit) {
        abandon(&unit->main);
        abandon(&unit->control);
        unit->stranger = NULL;
        unit->has_strangers = false;
        unit_stop_pid_watch(unit);
        if (unit->group_open) {
                if (unit_group_is_empty(&unit->group))
                        leftovers_forget(unit);
                else
                        unit_note(unit,
                                  "processes of this unit go on running: KillMode= or a process that cannot be killed");
                unit_group_close(&unit->group);
                unit->group_open = false;
        }
        unit->machine.group_empty = true;
        unit_log_close(&unit->log);
        unit_remove_directories(unit);
}

/* ---- processes ---- */

static void describe_end(const UnitProcess *process, int code, int status, char *text, size_t size) {
        const char *what = process->command ? process->command->path : "the main process";
        const char *name = code == CLD_EXITED ? process_exit_status_name(status) : sigabbrev_np(status);

        if (code == CLD_EXITED)
                (void)snprintf(text, size, "%s (process %d) exited with status %d%s%s", what, process->pid, status,
                               name ? "/" : "", name ? name : "");
        else
                (void)snprintf(text, size, "%s (process %d) was killed by SIG%s%s", what, process->pid,
                               name ? name : "?", code == CLD_DUMPED ? ", and dumped core" : "");
}

static void on_executed(Process *child, int r, ProcessStep step) {
        UnitProcess *process = child->owner;
        Unit *unit = process->unit;
        char text[SUPERVISOR_TEXT_MAX];

        if (r < 0) {
                (void)snprintf(text, sizeof(text), "%s failed for %s: %s", process_step_text(step),
                               process->command->path, strerror(-r));
                unit_fail_text(unit, text);
                return;
        }
        if (process->role == UNIT_PROCESS_MAIN)
                service_main_executed(&unit->machine, clock_monotonic());
        unit_drive(unit);
}

static void watch_stranger(Unit *unit);

static void refresh_empty(Unit *unit) {
        if (!unit->group_open || unit->machine.group_empty)
                return;
        watch_stranger(unit);
        if (unit_group_is_empty(&unit->group))
                service_group_emptied(&unit->machine, clock_monotonic());
}

static void note_end(Unit *unit, const UnitProcess *process, int code, int status) {
        char text[SUPERVISOR_TEXT_MAX];

        describe_end(process, code, status, text, sizeof(text));
        unit_note(unit, "%s", text);
        /* the reason why the program could not be executed says more; a stop's own signals say nothing */
        if (!(code == CLD_EXITED && process_exit_status_name(status) && *unit_text(unit)) && !unit->machine.forbid_restart &&
            unit->machine.result != SERVICE_RESULT_WATCHDOG)
                unit_set_text(unit, "%s", text);
}

void unit_process_ended(Unit *unit, const UnitProcess *process, UnitProcessRole role, int code, int status) {
        if ((code != CLD_EXITED || status != 0) && role != UNIT_PROCESS_ABANDONED)
                note_end(unit, process, code, status);
        refresh_empty(unit);
        if (role == UNIT_PROCESS_MAIN) {
                unit->main = NULL;
                service_main_exited(&unit->machine, code, status, clock_monotonic());
        } else if (role == UNIT_PROCESS_CONTROL) {
                unit->control = NULL;
                service_control_exited(&unit->machine, code, status, clock_monotonic());
        }
        unit_drive(unit);
}

static void on_exited(Process *child, int code, int status) {
        UnitProcess *process = child->owner;

        unit_drain_pipes(process);
        if (process->unit->stranger == process)
                process->unit->stranger = NULL;
        unit_process_ended(process->unit, process, process->role, code, status);
        process_close(child); /* last: it may take the memory along */
}

static void on_process_closed(Process *child) {
        unit_process_close_handle(child->owner);
}

static const ProcessEvents process_events = {
        .executed = on_executed, .exited = on_exited, .closed = on_process_closed};

UnitProcess *unit_process_of(const Process *process) {
        return process->events == &process_events ? process->owner : NULL;
}

UnitProcess *unit_find_process(const Unit *unit, pid_t pid) {
        list_foreach(&unit->processes, node) {
                UnitProcess *process = container_of(node, UnitProcess, link);

                if (process->process.pid == pid)
                        return process;
        }
        return NULL;
}

UnitProcess *unit_process_new(Unit *unit, UnitProcessRole role, const ExecCommand *command) {
        UnitProcess *process = calloc(1, sizeof(*process));

        if (!process)
                return NULL;
        process->unit = unit;
        process->role = role;
        process->command = command;
        process->open = 1; /* while it is being made */
        list_append(&unit->processes, &process->link);
        return process;
}

/* With a reaper it waits for its parent's word, if that is a shim. */
static int adopt(Unit *unit, UnitProcessRole role, const ExecCommand *command, ProcessReaper *reaper, pid_t pid,
                 UnitProcess **ret) {
        UnitProcess *process = unit_process_new(unit, role, command);
        int r = process ? process_adopt(&process->process, unit->owner->loop, reaper, pid, &process_events, process) : -ENOMEM;

        if (r < 0) {
                if (process)
                        unit_process_close_handle(process);
                return r;
        }
        process->pid = pid; /* the handle counted while it was being made is the Process's own now */
        *ret = process;
        return 0;
}

int unit_adopt_process(Unit *unit, UnitProcessRole role, const ExecCommand *command, pid_t pid, UnitProcess **ret) {
        return adopt(unit, role, command, &unit->owner->reaper, pid, ret);
}

/* One after the other is enough to hear when the last has ended. One may end before it can be watched. */
static void watch_stranger(Unit *unit) {
        for (int i = 0; unit->has_strangers && !unit->stranger && i < STRANGERS_TRIED_MAX; i++) {
                pid_t pid = unit_group_find(&unit->group, unit->main ? unit->main->pid : 0, unit->control ? unit->control->pid : 0);

                if (pid == 0)
                        return;
                (void)adopt(unit, UNIT_PROCESS_ABANDONED, NULL, NULL, pid, &unit->stranger);
        }
}

static void spawn(Unit *unit, const ServiceAction *action) {
        bool main = action->kind == SERVICE_ACTION_SPAWN_MAIN;
        const ExecCommand *command = &action->list->items[action->index];
        UnitProcess *process = NULL;
        Error error = ERROR_NONE;
        int r;

        r = begin_run(unit, &error);
        if (r >= 0) {
                process = unit_process_new(unit, main ? UNIT_PROCESS_MAIN : UNIT_PROCESS_CONTROL, command);
                r = process ? 0 : -ENOMEM;
        }
        if (r >= 0)
                r = unit_spawn(unit, command, process->role, &process_events, process, &error);
        if (r >= 0) {
                *(main ? &unit->main : &unit->control) = process;
                service_group_populated(&unit->machine);
                unit_process_close_handle(process);
                return;
        }
        if (!*error.text)
                (void)error_set_errno(&error, r, "cannot start %s", command->path);
        unit_fail_text(unit, error.text);
        if (process) {
                unit_close_pipes(process);
                unit_process_close_handle(process);
        }
        service_spawn_failed(&unit->machine, !main, clock_monotonic());
}

/* ---- the main process of Type=forking ---- */

static void on_watch_closed(uv_handle_t *handle) {
        free(handle);
}

void unit_stop_pid_watch(Unit *unit) {
        if (unit->pid_watch)
                uv_close((uv_handle_t *)unit->pid_watch, on_watch_closed);
        unit->pid_watch = NULL;
}

void unit_set_main_pid(Unit *unit, pid_t pid) {
        UnitProcess *process;

        if (unit->main && unit->main->pid == pid)
                return;
        if (unit_adopt_process(unit, UNIT_PROCESS_MAIN, NULL, pid, &process) < 0) {
                unit_note(unit, "process %d cannot be watched as the main process", pid);
                return;
        }
        holders_watch(unit, pid);
        abandon(&unit->main);
        unit->main = process;
        unit_stop_pid_watch(unit);
        service_main_found(&unit->machine, true, clock_monotonic());
}

/* The PID in the file, when it is one of the unit's own processes; else 0. */
static pid_t read_pid_file(const Unit *unit) {
        const char *file = unit->definition.options.pid_file;
        _cleanup_free_ char *path =
                file[0] == '/' ? strdup(file) : str_printf("%s/%s", unit->owner->runtime_root, file);
        _cleanup_pid_list_ PidList pids = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        uint64_t pid;

        if (!path || file_read(path, 64, &text, NULL) < 0 ||
            str_parse_u64(slice_trim((Slice){buffer_data(&text), buffer_length(&text)}), INT32_MAX, &pid) < 0)
                return 0;
        if (unit_group_list(&unit->group, &pids) < 0 || !pid_list_contains(&pids, (pid_t)pid))
                return 0;
        return (pid_t)pid;
}

static void on_pid_folder(uv_fs_event_t *watch, const char *file, int events, int status) {
        Unit *unit = watch->data;
        pid_t pid;

        (void)file;
        (void)events;
        (void)status;
        if (unit->pid_watch != watch)
                return;
        pid = read_pid_file(unit);
        if (pid > 0) {
                unit_set_main_pid(unit, pid);
                unit_drive(unit);
        }
}

static void watch_pid_file(Unit *unit) {
        const char *file = unit->definition.options.pid_file;
        _cleanup_free_ char *folder =
                file[0] == '/' ? strdup(file) : str_printf("%s/%s", unit->owner->runtime_root, file);
        uv_fs_event_t *watch;
        int r;

        unit_stop_pid_watch(unit);
        watch = calloc(1, sizeof(*watch));
        if (!folder || !watch || uv_fs_event_init(unit->owner->loop, watch) < 0) {
                free(watch);
                return; /* the start's time limit remains */
        }
        *strrchr(folder, '/') = '\0';
        watch->data = unit;
        unit->pid_watch = watch;
        r = uv_fs_event_start(watch, on_pid_folder, *folder ? folder : "/", 0);
        if (r < 0)
                unit_note(unit, "cannot watch %s for the PID file: %s", folder, uv_strerror(r));
}

void unit_find_main(Unit *unit) {
        const ServiceOptions *o = &unit->definition.options;
        pid_t pid = 0;

        if (o->pid_file) {
                watch_pid_file(unit); /* before reading, so that nothing is missed in between */
                pid = read_pid_file(unit);
        } else if (o->guess_main_pid) {
                pid = unit_group_guess_main(&unit->group);
        }
        if (pid > 0)
                unit_set_main_pid(unit, pid);
        refresh_empty(unit);
        if (pid == 0)
                service_main_found(&unit->machine, false, clock_monotonic());
}

/* ---- signals ---- */

static bool signal_one(const UnitProcess *process, int signal) {
        return process && process_kill(&process->process, signal) >= 0;
}

static bool signal_others(const Unit *unit, int signal) {
        return unit_group_kill(&unit->group, signal, unit->main ? unit->main->pid : 0,
                               unit->control ? unit->control->pid : 0) > 0;
}

/* The main and the control process by themselves: a new one may not have entered the group yet. */
void unit_kill_all(const Unit *unit, int signal) {
        if (!unit->group_open)
                return;
        (void)signal_one(unit->main, signal);
        (void)signal_one(unit->control, signal);
        (void)signal_others(unit, signal);
}

/* KillMode=: whether anything was there to get it. */
static bool send_to_unit(const Unit *unit, int signal, bool hard) {
        ServiceKillMode mode = unit->definition.options.kill_mode;
        bool any;

        if (mode == SERVICE_KILL_NONE || !unit->group_open)
                return false;
        any = signal_one(unit->main, signal);
        any |= signal_one(unit->control, signal);
        if (mode == SERVICE_KILL_CONTROL_GROUP || (mode == SERVICE_KILL_MIXED && hard))
                any |= signal_others(unit, signal);
        return any;
}

static void send_signal(Unit *unit, const ServiceAction *action) {
        const ServiceOptions *o = &unit->definition.options;
        bool waits = send_to_unit(unit, action->signal, action->hard);

        /* stopped processes get it, too; systemd does the same */
        if (waits && action->signal != SIGKILL && action->signal != SIGCONT)
                (void)send_to_unit(unit, SIGCONT, action->hard);
        if (waits && !action->hard && o->send_sighup)
                (void)send_to_unit(unit, SIGHUP, false);
        if (unit->group_open && unit_group_is_empty(&unit->group))
                unit->machine.group_empty = true;
        service_signalled(&unit->machine, waits, clock_monotonic());
}

void unit_drive(Unit *unit) {
        ServiceAction action;

        while (service_next_action(&unit->machine, &action))
                switch (action.kind) {
                case SERVICE_ACTION_SPAWN_MAIN:
                case SERVICE_ACTION_SPAWN_CONTROL:
                        spawn(unit, &action);
                        break;
                case SERVICE_ACTION_SIGNAL:
                        if (unit->machine.state == SERVICE_STOP_WATCHDOG)
                                unit_fail_text(unit, "it gave no sign of life within WatchdogSec=, or said that it is not well");
                        send_signal(unit, &action);
                        break;
                case SERVICE_ACTION_KILL_CONTROL:
                        if (unit->control)
                                (void)process_kill(&unit->control->process, SIGKILL);
                        abandon(&unit->control);
                        break;
                case SERVICE_ACTION_FIND_MAIN:
                        unit_find_main(unit);
                        break;
                case SERVICE_ACTION_CLEAN_UP:
                        clean_up(unit);
                        break;
                }
        if (unit_at_rest(unit))
                connection_close(unit);
        unit_note_state(unit);
        embedded_set_deadline(unit);
        unit_mark_dirty(unit);
}

void unit_check_empty(Unit *unit) {
        const ServiceMachine *m = &unit->machine;

        if (!unit->group_open || m->main_alive || m->control_alive || m->group_empty)
                return;
        refresh_empty(unit);
        if (m->group_empty)
                unit_drive(unit);
}

void unit_set_text(Unit *unit, const char *format, ...) {
        char text[SUPERVISOR_TEXT_MAX];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        free(unit->text);
        unit->text = *text ? strdup(text) : NULL;
}

/* ---- states ---- */

static void take_trigger_state(const Unit *unit, KeptState *ret) {
        const TriggerMachine *m = &unit->trigger;
        TriggerKind kind = unit->definition.trigger.kind;

        ret->active = trigger_state_to_active(m->state);
        ret->sub = trigger_state_to_string(kind, m->state);
        ret->result = trigger_result_to_string(kind, m->result);
}

static void take_service_state(const Unit *unit, KeptState *ret) {
        const ServiceMachine *m = &unit->machine;

        ret->main_pid = unit->main ? unit->main->pid : 0;
        ret->exit_code = m->main_ended ? m->main_code : 0;
        ret->exit_status = m->main_ended ? m->main_status : 0;
        ret->restarts = m->restarts;
        ret->active = service_state_to_active(m->state);
        ret->sub = service_state_to_string(m->state);
        ret->result = service_result_to_string(m->result);
}

KeptState unit_state(const Unit *unit) {
        KeptState state = {.load = "loaded", .since = unit->since, .text = unit->text};

        if (unit_kind(unit) == UNIT_TRIGGER)
                take_trigger_state(unit, &state);
        else
                take_service_state(unit, &state);
        return state;
}

/* Those that start it want to know when it left rest, and when it came to rest. */
static void note_rest(Unit *unit, const char *active) {
        bool rested = !*unit->last_active || str_equals(unit->last_active, "inactive") || str_equals(unit->last_active, "failed");
        bool rests = str_equals(active, "inactive") || str_equals(active, "failed");

        if (rested && !rests)
                unit->active_at = clock_monotonic();
        else if (!rested && rests)
                unit->inactive_at = clock_monotonic();
        else
                return;
        unit->tell_triggers = true;
}

void unit_note_state(Unit *unit) {
        KeptState now = unit_state(unit);
        StateNote *note = NULL;

        if (!str_equals(now.active, unit->last_active)) {
                note_rest(unit, now.active);
                unit->last_active = now.active;
                unit->since = now.since = clock_wall();
        }
        if (unit->n_states >= UNIT_STATES_MAX) { /* nobody can follow that fast: the last one counts */
                note = container_of(unit->states.previous, StateNote, link);
        } else {
                note = calloc(1, sizeof(*note));
                if (!note)
                        return;
                list_append(&unit->states, &note->link);
                unit->n_states++;
        }
        (void)kept_state_copy(&now, &note->state);
}
