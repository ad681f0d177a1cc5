/*
 * Adoption: a supervisor that begins takes over the units that an earlier one on the same folder has left running. Each unit's record
 * says what it was at; its shims say how its processes ended meanwhile, and hand over the pipes of its log and its sockets.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "host/embedded-internal.h"
#include "host/file.h"
#include "host/unit-store.h"

/* A unit while it is being adopted. */
typedef struct Adoption {
        Unit *unit;
        UnitRecord record;
        HolderFound found[UNIT_RECORD_SHIMS_MAX];
        size_t n_found;
        UnitShimEnd ends[UNIT_RECORD_SHIMS_MAX * UNIT_SHIM_ENDS_MAX];
        size_t n_ends;
} Adoption;

static void adoption_free(Adoption *a) {
        for (size_t i = 0; i < a->n_found; i++) {
                HolderFound *found = &a->found[i];

                for (size_t k = 0; k < found->n_fds; k++)
                        if (found->fds[k] >= 0)
                                (void)close(found->fds[k]);
                for (size_t k = 0; k < ARRAY_SIZE(found->parts); k++)
                        buffer_deinit(&found->parts[k]);
        }
        free(a);
}

/* ---- what is on disk ---- */

static int read_record(const Embedded *e, const char *name, UnitRecord *ret, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", e->units_directory, name);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = path ? file_read(path, UNIT_RECORD_TEXT_MAX, &text, error) : -ENOMEM;

        if (r < 0)
                return r;
        r = unit_record_read((Slice){buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)}, ret, error);
        return r < 0 ? error_prefix(error, r, "%s", path) : 0;
}

static int read_definition(Embedded *e, const char *folder, const char *name, Definition *ret, Error *error) {
        _cleanup_free_ char *text = NULL, *tag = NULL;
        int r = unit_store_read(folder, name, &text, &tag, error);

        return r < 0 ? r : definition_read(e, name, slice_from(text), tag, ret, error);
}

static int make_unit(Embedded *e, const char *name, Unit **ret, Error *error) {
        Definition definition = {0};
        Unit *unit;
        int r = read_definition(e, e->texts_directory, name, &definition, error);

        if (r >= 0) {
                r = embedded_add_unit(e, name, &unit, error);
                if (r < 0)
                        definition_deinit(&definition);
        }
        if (r < 0)
                return r;
        unit_take_definition(unit, &definition);
        unit->stored = unit->definition.serial;
        if (read_definition(e, e->next_directory, name, &definition, NULL) >= 0) {
                r = unit_set_next(unit, &definition);
                if (r < 0) {
                        definition_deinit(&definition);
                        return error_set_errno(error, r, "cannot take over %s", name);
                }
                unit->stored_next = unit->next->serial;
        }
        *ret = unit;
        return 0;
}

/* ---- shims ---- */

static void find_shims(Adoption *a) {
        for (size_t i = 0; i < a->record.n_shims; i++) {
                uint64_t number = a->record.shims[i];

                if (holder_connect(a->unit->owner, a->unit, number, &a->found[a->n_found]) >= 0)
                        a->n_found++;
                /* after its first words: of an end that is not in the file by then it tells */
                a->n_ends += holder_read_ends(a->unit->owner, number, a->ends + a->n_ends);
        }
}

static const UnitShimEnd *end_of(const Adoption *a, pid_t pid) {
        for (size_t i = 0; i < a->n_ends; i++)
                if (a->ends[i].pid == pid)
                        return &a->ends[i];
        return NULL;
}

/* ---- processes ---- */

static const ExecCommand *command_at(const ExecCommandList *list, size_t index) {
        return list && index < list->length ? &list->items[index] : NULL;
}

static void adopt_process(Adoption *a, UnitProcessRole role, pid_t pid, const ExecCommand *command, UnitProcess **ret) {
        if (pid <= 0 || end_of(a, pid) || a->n_found == 0)
                return;
        (void)unit_adopt_process(a->unit, role, command, pid, ret);
}

/* The streams of a shim go to its child if that one is known, else to a stand-in. */
static UnitProcess *process_of(Unit *unit, pid_t child) {
        UnitProcess *process;

        if (unit->main && unit->main->pid == child)
                return unit->main;
        if (unit->control && unit->control->pid == child)
                return unit->control;
        process = unit_process_new(unit, UNIT_PROCESS_ABANDONED, NULL);
        if (process) {
                process->pid = child;
                process->process.closing = true; /* there is none */
        }
        return process;
}

static void adopt_streams(Unit *unit, HolderFound *found) {
        UnitProcess *process = found->holder->sockets ? NULL : process_of(unit, found->child);
        bool stands_in = process && process->role == UNIT_PROCESS_ABANDONED;

        for (size_t i = 0; process && i < found->n_fds; i++) {
                SupervisorStream stream =
                        found->held[i] == UNIT_SHIM_ERRORS ? SUPERVISOR_STREAM_ERROR : SUPERVISOR_STREAM_OUTPUT;
                Buffer *part = &found->parts[stream == SUPERVISOR_STREAM_ERROR];

                if (found->held[i] == UNIT_SHIM_SOCKET || process->pipes[stream] ||
                    unit_attach_log(process, stream, take_fd(found->fds[i]), NULL) < 0)
                        continue;
                unit_continue_line(process, stream, part);
        }
        if (stands_in)
                unit_process_close_handle(process); /* the one of its making */
}

/* ---- state ---- */

static const ExecCommandList *control_list(const Unit *unit, UnitRecordList list) {
        const ServiceOptions *o = &unit->definition.options;
        const ExecCommandList *const lists[UNIT_RECORD_LISTS] = {
                [UNIT_RECORD_START_PRE] = &o->start_pre,
                [UNIT_RECORD_START] = &o->start,
                [UNIT_RECORD_START_POST] = &o->start_post,
                [UNIT_RECORD_RELOAD] = &o->reload,
                [UNIT_RECORD_STOP] = &o->stop,
                [UNIT_RECORD_STOP_POST] = &o->stop_post,
        };

        return lists[list];
}

static void restore_service(Unit *unit, const UnitRecord *record) {
        ServiceMachine *m = &unit->machine;
        const ExecCommandList *list = control_list(unit, record->control_list);

        *m = record->service;
        m->options = &unit->definition.options;
        m->control_list = list;
        m->watchdog_deadline = USEC_INFINITY;
        if (m->control_alive && !command_at(list, m->control_index)) /* the record is not of this text */
                m->control_alive = false;
        m->main_index = min_of(m->main_index, unit->definition.options.start.length);
        unit->last_state = m->state;
        service_notified_alive(m, clock_monotonic()); /* what it has said meanwhile nobody has heard */
}

/* The constant of that word; "": none has it. */
static const char *active_word(const char *word) {
        for (int i = 0; i < SERVICE_STATES; i++)
                if (str_equals(service_state_to_active((ServiceState)i), word))
                        return service_state_to_active((ServiceState)i);
        return "";
}

static void restore(Unit *unit, const UnitRecord *record) {
        unit->start_asked = record->start_asked;
        unit->active_at = record->active_at;
        unit->inactive_at = record->inactive_at;
        unit->listener = *record->listener ? strdup(record->listener) : NULL;
        unit_set_text(unit, "%s", record->text);
        if (unit_kind(unit) == UNIT_TRIGGER) {
                unit->trigger = record->trigger;
                unit->trigger.options = &unit->definition.trigger;
        } else {
                restore_service(unit, record);
        }
        unit->last_active = active_word(record->active);
        unit->since = record->since;
}

static int open_group(Adoption *a, Error *error) {
        Unit *unit = a->unit;
        int r = 0;

        if (*a->record.run) {
                r = unit_group_open(&unit->group, &unit->owner->cgroups, unit->name, a->record.run, error);
                unit->group_open = r >= 0;
        }
        for (size_t i = 0; r >= 0 && i < a->record.n_sessions; i++)
                r = unit_group_add_session(&unit->group, a->record.sessions[i]);
        return r;
}

/* ---- going on ---- */

/* A process that is neither there nor has its end written down: its shim was killed, and it with the log's pipe. */
static const UnitShimEnd *known_end(const Adoption *a, pid_t pid) {
        static const UnitShimEnd killed = {.code = CLD_KILLED, .status = SIGKILL};
        const UnitShimEnd *end = end_of(a, pid);

        if (end)
                return end;
        (void)unit_group_kill(&a->unit->group, SIGKILL, a->unit->main ? a->unit->main->pid : 0, 0);
        return &killed;
}

static void tell_end(const Adoption *a, UnitProcessRole role, pid_t pid, const ExecCommand *command) {
        const UnitShimEnd *end = known_end(a, pid);
        const UnitProcess process = {.pid = pid, .command = command};

        unit_process_ended(a->unit, &process, role, end->code, end->status);
}

static void go_on_with_service(const Adoption *a) {
        const UnitRecord *record = &a->record;
        Unit *unit = a->unit;
        ServiceMachine *m = &unit->machine;

        if (m->main_alive && !unit->main)
                tell_end(a, UNIT_PROCESS_MAIN, record->main_pid,
                         command_at(&unit->definition.options.start, m->main_index));
        if (m->control_alive && !unit->control)
                tell_end(a, UNIT_PROCESS_CONTROL, record->control_pid, command_at(m->control_list, m->control_index));
        if (m->waits_for_pid_file)
                unit_find_main(unit);
        unit_check_empty(unit);
        unit_drive(unit);
}

static int adopt_sockets(Adoption *a) {
        for (size_t i = 0; i < a->n_found; i++)
                if (a->found[i].holder->sockets && a->found[i].n_fds == a->unit->definition.trigger.n_listens)
                        return ports_adopt(a->unit, a->found[i].fds, a->found[i].n_fds);
        return -ENOENT;
}

static void go_on_with_trigger(Adoption *a) {
        Unit *unit = a->unit;
        TriggerFacts facts;
        int r = 0;

        if (!trigger_at_rest(&unit->trigger)) {
                if (unit->definition.trigger.kind == TRIGGER_SOCKET)
                        r = adopt_sockets(a);
                else if (unit->definition.trigger.kind == TRIGGER_PATH)
                        r = watches_open(unit, NULL);
        }
        if (r < 0) {
                unit_set_text(unit, "what it had open was lost in a restart of the supervisor: %s", strerror(-r));
                unit_note(unit, "%s", unit_text(unit));
                trigger_fail(&unit->trigger);
        } else if (watches_check(unit)) {
                facts = trigger_facts(unit);
                trigger_fired(&unit->trigger, &facts);
        }
        trigger_drive(unit);
}

static void go_on(Adoption *a) {
        if (unit_kind(a->unit) == UNIT_TRIGGER)
                go_on_with_trigger(a);
        else
                go_on_with_service(a);
        if (a->record.queued)
                unit_queue_start(a->unit, 0);
}

static void adopt_processes(Adoption *a) {
        Unit *unit = a->unit;
        const ServiceMachine *m = &unit->machine;

        adopt_process(a, UNIT_PROCESS_MAIN, a->record.main_pid,
                      command_at(&unit->definition.options.start, m->main_index), &unit->main);
        adopt_process(a, UNIT_PROCESS_CONTROL, a->record.control_pid, command_at(m->control_list, m->control_index),
                      &unit->control);
        for (size_t i = 0; i < a->n_found; i++)
                adopt_streams(unit, &a->found[i]);
}

/* ---- all of them ---- */

static int begin_one(Embedded *e, const char *name, Adoption *a, Error *error) {
        KeptState now;
        int r = read_record(e, name, &a->record, error);

        if (r >= 0 && !str_equals(a->record.boot, e->boot_id))
                r = -ESTALE;
        if (r >= 0)
                r = make_unit(e, name, &a->unit, error);
        if (r < 0)
                return r;
        restore(a->unit, &a->record);
        r = open_group(a, error);
        find_shims(a);
        a->unit->has_strangers = a->unit->group_open && (a->n_found == 0 || a->n_found < a->record.n_shims);
        adopt_processes(a);
        unit_forget_states(a->unit);
        now = unit_state(a->unit); /* to those who ask at once; what it becomes from here on is told */
        (void)kept_state_copy(&now, &a->unit->told);
        a->unit->was_told = true;
        return r;
}

/* What cannot be adopted does not run on unseen. */
static int give_up(Embedded *e, const char *name, const Adoption *a, size_t *leftovers, const Error *why) {
        int r = 0;

        if (str_equals(a->record.boot, e->boot_id) && *a->record.run)
                r = leftovers_kill_run(e, name, a->record.run, leftovers, NULL);
        if (*why->text)
                leftovers_note(e, name, why->text);
        record_remove(e, name);
        return r;
}

static int adopt_all(Embedded *e, const StringList *names, Adoption **list, size_t *ret_n, size_t *leftovers) {
        size_t n = 0;

        for (size_t i = 0; i < names->length; i++) {
                Adoption *a = calloc(1, sizeof(*a));
                Error error = ERROR_NONE;

                if (!a)
                        return -ENOMEM;
                if (begin_one(e, names->items[i], a, &error) >= 0) {
                        list[n++] = a;
                        continue;
                }
                (void)give_up(e, names->items[i], a, leftovers, &error);
                adoption_free(a);
        }
        *ret_n = n;
        return 0;
}

/* The records of two units are not written at once: one of a trigger may say that it has started its service, whose own record knows
 * nothing of that, or that the service runs, which has ended by then. */
static void go_on_together(Unit *unit) {
        Unit *service;

        if (unit_kind(unit) != UNIT_TRIGGER || unit->trigger.state != TRIGGER_RUNNING)
                return;
        service = embedded_find_named(unit->owner, unit->definition.trigger.unit);
        if (!service || unit_kind(service) == UNIT_TEMPLATE || !unit_at_rest(service) || service->start_queued)
                return;
        if (service->active_at < unit->trigger.last) {
                unit_queue_start(service, 0);
                return;
        }
        service->tell_triggers = true;
        unit_mark_dirty(service);
}

/* The adoptions under way. */
typedef struct Adoptions {
        Adoption **list;
        size_t n;
} Adoptions;

/* Whose main or control process it was when the earlier supervisor ended, or whose run it is of. */
static Unit *find_by_record(void *userdata, const KeptNotice *notice, UnitProcessRole *ret_role) {
        const Adoptions *all = userdata;

        for (size_t i = 0; i < all->n; i++) {
                const UnitRecord *record = &all->list[i]->record;

                if (notice->pid == record->main_pid)
                        *ret_role = UNIT_PROCESS_MAIN;
                else if (notice->pid == record->control_pid)
                        *ret_role = UNIT_PROCESS_CONTROL;
                else if (!*notice->run || !str_equals(notice->run, record->run))
                        continue;
                return all->list[i]->unit;
        }
        return NULL;
}

/* First all units are as they were, then they go on: what one does may concern another. */
int embedded_adopt(Embedded *e, size_t *ret_leftovers, Error *error) {
        _cleanup_string_list_ StringList names = {0};
        _cleanup_free_ Adoption **list = NULL;
        size_t n = 0;
        int r = unit_store_list(e->units_directory, &names, error);

        if (r < 0)
                return r;
        list = calloc(names.length + 1, sizeof(Adoption *));
        r = list ? adopt_all(e, &names, list, &n, ret_leftovers) : -ENOMEM;
        notify_take_kept(e, find_by_record, &(Adoptions){list, n});
        for (size_t i = 0; i < n; i++)
                go_on(list[i]);
        for (size_t i = 0; i < n; i++)
                go_on_together(list[i]->unit);
        for (size_t i = 0; i < n; i++)
                adoption_free(list[i]);
        holders_remove_strays(e);
        return r < 0 ? error_set_errno(error, r, "cannot take over the units in %s", e->units_directory) : 0;
}
