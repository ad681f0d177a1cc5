#include "host/fake-supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/list.h"
#include "base/map.h"
#include "unitfile/name.h"
#include "unitfile/unitfile.h"

/* What is told later. */
typedef struct Pending {
        ListNode link; /* by due time, then by age */
        Usec due;
        FakeOperation operation;
        char *unit;
        bool cancelled;
        int r;
        int signal;
        Error error;
        SupervisorDone done;
        void (*each)(void *userdata, const SupervisorUnit *unit);
        void *userdata;
} Pending;

typedef struct FakeUnit {
        FakeSupervisor *fake;
        ListNode changed; /* in FakeSupervisor.changed: its state has yet to be told */
        char *name;
        char *text, tag[SUPERVISOR_TAG_MAX + 1];
        size_t text_length;
        bool loaded, start_asked;
        FakeOutcome outcome;
        Usec start_delay;
        SupervisorState state;
        StringList log;
        pid_t last_pid;
} FakeUnit;

struct SupervisorLog {
        ListNode link;
        char *unit;
        size_t lines, next; /* next: index of the next line to tell */
        bool follow, started, closed, ended;
        const SupervisorLogEvents *events;
        void *userdata;
};

struct FakeSupervisor {
        Supervisor base;
        Map units; /* FakeUnit; also of units that are only scripted */
        List changed; /* FakeUnit */
        List pending;
        List logs;
        Usec now;
        Usec delays[FAKE_OPERATIONS];
        int failures[FAKE_OPERATIONS];
        unsigned failure_counts[FAKE_OPERATIONS];
        uint64_t counts[FAKE_OPERATIONS];
        pid_t next_pid;
        bool forgetful;
        bool closing, leaving;
        void (*closed)(void *userdata);
        void *closed_data;
};

static FakeSupervisor *fake_of(Supervisor *supervisor) {
        return container_of(supervisor, FakeSupervisor, base);
}

Supervisor *fake_supervisor_base(FakeSupervisor *fake) {
        return &fake->base;
}

static void set_state(FakeUnit *unit, const char *active, const char *sub, const char *result) {
        supervisor_set_word(unit->state.load, SUPERVISOR_WORD_MAX, unit->loaded ? "loaded" : "not-found");
        supervisor_set_word(unit->state.active, SUPERVISOR_WORD_MAX, active);
        supervisor_set_word(unit->state.sub, SUPERVISOR_WORD_MAX, sub);
        supervisor_set_word(unit->state.result, SUPERVISOR_WORD_MAX, result);
        if (!list_is_linked(&unit->changed))
                list_append(&unit->fake->changed, &unit->changed);
}

/* The unit, made if it was never heard of; NULL without memory. */
static FakeUnit *get_unit(FakeSupervisor *fake, const char *name) {
        FakeUnit *unit = map_get(&fake->units, slice_from(name));

        if (unit)
                return unit;
        unit = calloc(1, sizeof(*unit));
        if (!unit || !(unit->name = strdup(name)) || map_put(&fake->units, slice_from(unit->name), unit, NULL) < 0) {
                if (unit)
                        free(unit->name);
                free(unit);
                return NULL;
        }
        unit->fake = fake;
        list_init(&unit->changed);
        set_state(unit, "inactive", "dead", "success");
        list_unlink(&unit->changed);
        return unit;
}

static FakeUnit *loaded_unit(FakeSupervisor *fake, const char *name) {
        FakeUnit *unit = map_get(&fake->units, slice_from(name));

        return unit && unit->loaded ? unit : NULL;
}

static bool is(const FakeUnit *unit, const char *active) {
        return str_equals(unit->state.active, active);
}

/* ---- the queue ---- */

static void enqueue(FakeSupervisor *fake, Pending *pending, Usec delay) {
        ListNode *at = fake->pending.previous;

        pending->due = fake->now + delay;
        while (at != &fake->pending && container_of(at, Pending, link)->due > pending->due)
                at = at->previous;
        list_init(&pending->link);
        pending->link.next = at->next;
        pending->link.previous = at;
        at->next->previous = &pending->link;
        at->next = &pending->link;
}

static Pending *begin(FakeSupervisor *fake, FakeOperation operation, const char *unit, SupervisorDone done,
                      void *userdata) {
        Pending *pending = calloc(1, sizeof(*pending));

        fake->counts[operation]++;
        if (!pending || (unit && !(pending->unit = strdup(unit)))) {
                free(pending);
                done(userdata, -ENOMEM, &(Error){.text = "out of memory"});
                return NULL;
        }
        pending->operation = operation;
        pending->done = done;
        pending->userdata = userdata;
        if (fake->failure_counts[operation] > 0) {
                fake->failure_counts[operation]--;
                pending->r = error_set(&pending->error, fake->failures[operation], "%s: scripted failure",
                                       unit ? unit : "all");
        }
        return pending;
}

static void cancel(FakeSupervisor *fake, FakeOperation operation, const char *unit) {
        list_foreach(&fake->pending, node) {
                Pending *pending = container_of(node, Pending, link);

                if (pending->operation != operation || !pending->unit || !str_equals(pending->unit, unit) ||
                    pending->r < 0)
                        continue;
                pending->r = error_set(&pending->error, -ECANCELED, "%s: cut short by another operation", unit);
                list_unlink(&pending->link);
                enqueue(fake, pending, 0);
        }
}

static int check_loaded(FakeSupervisor *fake, Pending *pending) {
        if (pending->r < 0)
                return pending->r;
        if (!loaded_unit(fake, pending->unit))
                pending->r = error_set(&pending->error, -ENOENT, "%s is not loaded", pending->unit);
        return pending->r;
}

/* ---- operations ---- */

static void fake_load(Supervisor *supervisor, const char *name, Slice text, const char *tag, SupervisorDone done,
                      void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);
        Pending *pending = begin(fake, FAKE_LOAD, name, done, userdata);
        _cleanup_unitfile_ UnitFile file = {0};
        FakeUnit *unit;

        if (!pending)
                return;
        if (pending->r >= 0 && !unit_name_is_valid(slice_from(name)))
                pending->r = error_set(&pending->error, -EINVAL, "\"%s\" is no name of a unit", name);
        if (pending->r >= 0 && unitfile_parse(&file, text, NULL, &pending->error) < 0)
                pending->r = error_prefix(&pending->error, -EINVAL, "%s", name);
        if (pending->r >= 0) {
                char *copy = slice_dup(text);

                unit = get_unit(fake, name);
                if (unit && copy) {
                        free(unit->text);
                        unit->text = copy;
                        unit->text_length = text.length;
                        supervisor_set_word(unit->tag, sizeof(unit->tag), tag);
                        unit->loaded = true;
                        set_state(unit, unit->state.active, unit->state.sub, unit->state.result);
                } else {
                        free(copy);
                        pending->r = error_set_errno(&pending->error, -ENOMEM, "cannot load %s", name);
                }
        }
        enqueue(fake, pending, fake->delays[FAKE_LOAD]);
}

static void begin_stop(FakeSupervisor *fake, FakeUnit *unit) {
        cancel(fake, FAKE_START, unit->name);
        unit->start_asked = false;
        if (is(unit, "active") || is(unit, "activating"))
                set_state(unit, "deactivating", "stop-sigterm", unit->state.result);
}

static void fake_unload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);
        Pending *pending = begin(fake, FAKE_UNLOAD, name, done, userdata);
        FakeUnit *unit = loaded_unit(fake, name);

        if (!pending)
                return;
        if (unit && pending->r >= 0)
                begin_stop(fake, unit);
        enqueue(fake, pending, fake->delays[FAKE_UNLOAD]);
}

static void fake_reread(Supervisor *supervisor, SupervisorDone done, void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);
        Pending *pending = begin(fake, FAKE_REREAD, NULL, done, userdata);

        if (pending)
                enqueue(fake, pending, fake->delays[FAKE_REREAD]);
}

static void fake_start(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);
        Pending *pending = begin(fake, FAKE_START, name, done, userdata);
        FakeUnit *unit;

        if (!pending)
                return;
        if (check_loaded(fake, pending) < 0) {
                enqueue(fake, pending, 0);
                return;
        }
        unit = loaded_unit(fake, name);
        unit->start_asked = true;
        cancel(fake, FAKE_STOP, name);
        if (!is(unit, "active"))
                set_state(unit, "activating", "start", "success");
        enqueue(fake, pending, unit->outcome == FAKE_HANGS ? USEC_INFINITY - fake->now : unit->start_delay);
}

static void fake_stop(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);
        Pending *pending = begin(fake, FAKE_STOP, name, done, userdata);

        if (!pending)
                return;
        if (check_loaded(fake, pending) >= 0)
                begin_stop(fake, loaded_unit(fake, name));
        enqueue(fake, pending, fake->delays[FAKE_STOP]);
}

static void fake_reload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);
        Pending *pending = begin(fake, FAKE_RELOAD, name, done, userdata);

        if (!pending)
                return;
        if (check_loaded(fake, pending) >= 0) {
                const FakeUnit *unit = loaded_unit(fake, name);

                if (!is(unit, "active"))
                        pending->r = error_set(&pending->error, -EOPNOTSUPP, "%s cannot be reloaded: it does not run", name);
                else if (!memmem(unit->text, unit->text_length, "ExecReload=", strlen("ExecReload=")))
                        pending->r = error_set(&pending->error, -EOPNOTSUPP, "%s cannot be reloaded: it has no ExecReload=", name);
        }
        enqueue(fake, pending, fake->delays[FAKE_RELOAD]);
}

static void fake_kill(Supervisor *supervisor, const char *name, int signal, SupervisorDone done, void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);
        Pending *pending = begin(fake, FAKE_KILL, name, done, userdata);

        if (!pending)
                return;
        (void)check_loaded(fake, pending);
        pending->signal = signal;
        enqueue(fake, pending, fake->delays[FAKE_KILL]);
}

static void fake_list(Supervisor *supervisor, void (*each)(void *userdata, const SupervisorUnit *unit),
                      SupervisorDone done, void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);
        Pending *pending = begin(fake, FAKE_LIST, NULL, done, userdata);

        if (!pending)
                return;
        pending->each = each;
        enqueue(fake, pending, fake->delays[FAKE_LIST]);
}

static int fake_state(Supervisor *supervisor, const char *name, SupervisorState *ret) {
        FakeUnit *unit = loaded_unit(fake_of(supervisor), name);

        if (!unit)
                return -ENOENT;
        *ret = unit->state;
        return 0;
}

/* ---- ends of operations ---- */

static void unit_ended(FakeUnit *unit, int code, int status, const char *result) {
        unit->state.main_pid = 0;
        unit->state.exit_code = code;
        unit->state.exit_status = status;
        if (str_equals(result, "success"))
                set_state(unit, "inactive", "dead", result);
        else
                set_state(unit, "failed", "failed", result);
}

static void finish_start(FakeSupervisor *fake, FakeUnit *unit, Pending *pending) {
        if (is(unit, "active"))
                return;
        switch (unit->outcome) {
        case FAKE_RUNS:
                unit->state.main_pid = unit->last_pid = ++fake->next_pid;
                set_state(unit, "active", "running", "success");
                break;
        case FAKE_COMPLETES:
                unit_ended(unit, CLD_EXITED, 0, "success");
                break;
        case FAKE_FAILS:
                unit_ended(unit, CLD_EXITED, 1, "exit-code");
                pending->r = error_set(&pending->error, -EREMOTEIO, "%s failed (exit-code)", unit->name);
                break;
        case FAKE_HANGS:
                break;
        }
}

static void finish_stop(FakeUnit *unit) {
        if (is(unit, "deactivating")) {
                unit->state.main_pid = 0;
                set_state(unit, "inactive", "dead", "success");
        }
}

static void finish_unload(FakeUnit *unit) {
        finish_stop(unit);
        unit->loaded = false;
        set_state(unit, "inactive", "dead", "success");
}

static void finish_list(FakeSupervisor *fake, const Pending *pending) {
        map_foreach(&fake->units, entry) {
                FakeUnit *unit = entry->value;
                SupervisorUnit told = {
                        .name = unit->name,
                        .tag = unit->tag,
                        .text = {unit->text, unit->text_length},
                        .start_asked = unit->start_asked && !fake->forgetful,
                        .start_known = !fake->forgetful,
                        .state = unit->state,
                };

                if (unit->loaded)
                        pending->each(pending->userdata, &told);
        }
}

static void finish(FakeSupervisor *fake, Pending *pending) {
        FakeUnit *unit = pending->unit ? map_get(&fake->units, slice_from(pending->unit)) : NULL;

        if (pending->r < 0)
                return;
        switch (pending->operation) {
        case FAKE_START:
                finish_start(fake, unit, pending);
                break;
        case FAKE_STOP:
                if (unit)
                        finish_stop(unit);
                break;
        case FAKE_UNLOAD:
                if (unit)
                        finish_unload(unit);
                break;
        case FAKE_KILL:
                if (is(unit, "active"))
                        unit_ended(unit, CLD_KILLED, pending->signal,
                                   pending->signal == SIGTERM ? "success" : "signal");
                break;
        case FAKE_LIST:
                finish_list(fake, pending);
                break;
        default:
                break;
        }
}

static void pending_free(Pending *pending) {
        free(pending->unit);
        free(pending);
}

/* Told to the end before the operation that led to it. */
static void tell_changes(FakeSupervisor *fake) {
        while (!list_is_empty(&fake->changed)) {
                FakeUnit *unit = container_of(fake->changed.next, FakeUnit, changed);
                SupervisorState state = unit->state;

                list_unlink(&unit->changed);
                if (fake->base.events->changed)
                        fake->base.events->changed(fake->base.userdata, unit->name, &state);
        }
}

/* ---- logs ---- */

static void tell_log(FakeSupervisor *fake, SupervisorLog *log) {
        FakeUnit *unit = map_get(&fake->units, slice_from(log->unit));
        size_t have = unit ? unit->log.length : 0;

        if (!log->started) {
                log->started = true;
                log->next = have - min_of(have, log->lines);
        }
        while (!log->closed && log->next < have) {
                SupervisorLogLine line = {(WallUsec)fake->now, unit->last_pid, SUPERVISOR_STREAM_OUTPUT,
                                          slice_from(unit->log.items[log->next++])};

                log->events->line(log->userdata, &line);
        }
        if (!log->closed && !log->follow && !log->ended) {
                log->ended = true;
                log->events->end(log->userdata, 0, &ERROR_NONE);
        }
}

static bool log_has_news(const FakeSupervisor *fake, const SupervisorLog *log) {
        const FakeUnit *unit = map_get(&fake->units, slice_from(log->unit));

        return log->closed || !log->started || (unit && log->next < unit->log.length);
}

static bool run_logs(FakeSupervisor *fake) {
        bool any = false;

        list_foreach(&fake->logs, node) {
                SupervisorLog *log = container_of(node, SupervisorLog, link);

                any |= log_has_news(fake, log);
                if (!log->closed)
                        tell_log(fake, log);
                if (log->closed) {
                        list_unlink(&log->link);
                        free(log->unit);
                        free(log);
                }
        }
        return any;
}

static int fake_log_open(Supervisor *supervisor, const char *name, size_t lines, bool follow,
                         const SupervisorLogEvents *events, void *userdata, SupervisorLog **ret, Error *error) {
        FakeSupervisor *fake = fake_of(supervisor);
        SupervisorLog *log = calloc(1, sizeof(*log));

        if (!log || !(log->unit = strdup(name))) {
                free(log);
                return error_set_errno(error, -ENOMEM, "cannot open the log of %s", name);
        }
        log->lines = lines;
        log->follow = follow;
        log->events = events;
        log->userdata = userdata;
        list_append(&fake->logs, &log->link);
        *ret = log;
        return 0;
}

static void fake_log_close(Supervisor *supervisor, SupervisorLog *log) {
        (void)supervisor;
        log->closed = true;
}

/* ---- time ---- */

static void fake_free(FakeSupervisor *fake) {
        void (*closed)(void *userdata) = fake->closed;
        void *userdata = fake->closed_data;

        (void)run_logs(fake);
        map_foreach(&fake->units, entry) {
                FakeUnit *unit = entry->value;

                free(unit->name);
                free(unit->text);
                string_list_deinit(&unit->log);
                free(unit);
        }
        map_deinit(&fake->units);
        free(fake);
        if (closed)
                closed(userdata);
}

bool fake_supervisor_is_closing(const FakeSupervisor *fake) {
        return fake->closing;
}

static void tell_left(FakeSupervisor *fake) {
        void (*closed)(void *userdata) = fake->closed;

        fake->closing = fake->leaving = false;
        fake->closed = NULL;
        if (closed)
                closed(fake->closed_data);
}

Supervisor *fake_supervisor_return(FakeSupervisor *fake, const SupervisorEvents *events, void *userdata) {
        fake->base.events = events;
        fake->base.userdata = userdata;
        return &fake->base;
}

void fake_supervisor_forget_starts(FakeSupervisor *fake) {
        fake->forgetful = true;
}

bool fake_supervisor_run(FakeSupervisor *fake, Usec now) {
        bool any = false;

        fake->now = max_of(fake->now, now);
        if (!fake->closing)
                tell_changes(fake);
        while (!fake->closing && !list_is_empty(&fake->pending)) {
                Pending *pending = container_of(fake->pending.next, Pending, link);

                if (pending->due > fake->now)
                        break;
                list_unlink(&pending->link);
                finish(fake, pending);
                tell_changes(fake);
                if (pending->done)
                        pending->done(pending->userdata, pending->r, &pending->error);
                pending_free(pending);
                any = true;
        }
        while (fake->closing && !list_is_empty(&fake->pending)) {
                Pending *pending = container_of(fake->pending.next, Pending, link);
                Error error;

                list_unlink(&pending->link);
                if (pending->done)
                        pending->done(pending->userdata, error_set(&error, -ECANCELED, "the supervisor ends"), &error);
                pending_free(pending);
        }
        if (fake->leaving) {
                tell_left(fake);
                return true;
        }
        if (fake->closing) {
                fake_free(fake);
                return true;
        }
        tell_changes(fake);
        return run_logs(fake) || any;
}

Usec fake_supervisor_next(const FakeSupervisor *fake) {
        if (fake->closing)
                return fake->now;
        list_foreach(&fake->logs, node)
                if (log_has_news(fake, container_of(node, SupervisorLog, link)))
                        return fake->now;
        return list_is_empty(&fake->pending) ? USEC_INFINITY : container_of(fake->pending.next, Pending, link)->due;
}

static void fake_close(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata) {
        FakeSupervisor *fake = fake_of(supervisor);

        fake->closing = true;
        fake->closed = closed;
        fake->closed_data = userdata;
}

static void fake_leave(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata) {
        fake_close(supervisor, closed, userdata);
        fake_of(supervisor)->leaving = true;
}

static const SupervisorOps fake_ops = {
        .name = "fake",
        .load = fake_load,
        .unload = fake_unload,
        .reread = fake_reread,
        .start = fake_start,
        .stop = fake_stop,
        .reload = fake_reload,
        .kill = fake_kill,
        .list = fake_list,
        .state = fake_state,
        .log_open = fake_log_open,
        .log_close = fake_log_close,
        .leave = fake_leave,
        .close = fake_close,
};

FakeSupervisor *fake_supervisor_new(const SupervisorEvents *events, void *userdata) {
        FakeSupervisor *fake = calloc(1, sizeof(*fake));

        if (!fake)
                return NULL;
        fake->base = (Supervisor){&fake_ops, events, userdata};
        fake->next_pid = 1000;
        list_init(&fake->changed);
        list_init(&fake->pending);
        list_init(&fake->logs);
        return fake;
}

/* ---- scripting ---- */

int fake_supervisor_script(FakeSupervisor *fake, const char *name, FakeOutcome outcome, Usec delay) {
        FakeUnit *unit = get_unit(fake, name);

        if (!unit)
                return -ENOMEM;
        unit->outcome = outcome;
        unit->start_delay = delay;
        return 0;
}

int fake_supervisor_script_delay(FakeSupervisor *fake, const char *name, Usec delay) {
        FakeUnit *unit = get_unit(fake, name);

        if (!unit)
                return -ENOMEM;
        unit->start_delay = delay;
        return 0;
}

void fake_supervisor_orphan(FakeSupervisor *fake) {
        list_foreach(&fake->pending, node) {
                Pending *pending = container_of(node, Pending, link);

                pending->done = NULL;
                if (pending->operation == FAKE_UNLOAD)
                        pending->operation = FAKE_STOP;
                if (pending->operation != FAKE_LIST)
                        continue;
                list_unlink(&pending->link);
                pending_free(pending);
        }
}

void fake_supervisor_set_delay(FakeSupervisor *fake, FakeOperation operation, Usec delay) {
        fake->delays[operation] = delay;
}

void fake_supervisor_fail(FakeSupervisor *fake, FakeOperation operation, int r, unsigned count) {
        fake->failures[operation] = r;
        fake->failure_counts[operation] = count;
}

void fake_supervisor_unit_exits(FakeSupervisor *fake, const char *name, int status) {
        FakeUnit *unit = loaded_unit(fake, name);

        if (unit && is(unit, "active"))
                unit_ended(unit, CLD_EXITED, status, status == 0 ? "success" : "exit-code");
}

int fake_supervisor_print(FakeSupervisor *fake, const char *name, const char *text) {
        FakeUnit *unit = get_unit(fake, name);

        return unit ? string_list_add(&unit->log, text) : -ENOMEM;
}

uint64_t fake_supervisor_count(const FakeSupervisor *fake, FakeOperation operation) {
        return fake->counts[operation];
}
