#include "host/embedded-supervisor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "host/embedded-internal.h"
#include "host/file.h"
#include "unitfile/name.h"

enum {
        CLOSE_WAIT_MSEC = 5000,
        ORDER_DEPTH_MAX = 64,
};

/* list() under way. */
typedef struct Listing {
        ListNode link;
        void (*unit)(void *userdata, const SupervisorUnit *unit);
        SupervisorDone done;
        void *userdata;
} Listing;

static Embedded *embedded_of(Supervisor *supervisor) {
        return container_of(supervisor, Embedded, base);
}

Unit *embedded_find(Embedded *e, const char *name) {
        return map_get(&e->by_name, slice_from(name));
}

static void on_later(uv_check_t *check);

static void on_hurry(uv_idle_t *idle) {
        (void)idle;
}

void embedded_wake(Embedded *e) {
        if (uv_is_closing((uv_handle_t *)&e->later))
                return;
        (void)uv_check_start(&e->later, on_later); /* cannot fail */
        (void)uv_idle_start(&e->hurry, on_hurry);
}

/* Moves all nodes, so that what is added meanwhile waits for the next turn. */
static void list_move(List *from, List *to) {
        list_init(to);
        while (!list_is_empty(from)) {
                ListNode *node = from->next;

                list_unlink(node);
                list_append(to, node);
        }
}

static void mark_dirty(Unit *unit) {
        if (!unit->dirty) {
                unit->dirty = true;
                list_append(&unit->owner->dirty, &unit->dirty_link);
        }
        embedded_wake(unit->owner);
}

/* ---- jobs ---- */

/* NULL without memory: the operation has then been ended at once. */
static Job *job_new(JobKind kind, SupervisorDone done, void *userdata) {
        Job *job = calloc(1, sizeof(*job));

        if (!job) {
                done(userdata, -ENOMEM, &(Error){.text = "out of memory"});
                return NULL;
        }
        job->kind = kind;
        job->done = done;
        job->userdata = userdata;
        list_init(&job->link);
        return job;
}

void embedded_finish_job(Embedded *e, Job *job, int r, const Error *error) {
        job->r = r;
        job->error = error ? *error : ERROR_NONE;
        list_unlink(&job->link);
        list_append(&e->finished, &job->link);
        embedded_wake(e);
}

static void finish_now(Embedded *e, SupervisorDone done, void *userdata, int r, const Error *error) {
        Job *job = job_new(JOB_STOP, done, userdata);

        if (job)
                embedded_finish_job(e, job, r, error);
}

static void cancel_jobs(Unit *unit, JobKind kind, const char *why) {
        list_foreach(&unit->jobs, node) {
                Job *job = container_of(node, Job, link);
                Error error;

                if (job->kind == kind)
                        embedded_finish_job(unit->owner, job,
                                            error_set(&error, -ECANCELED, "%s: %s", unit->name, why), &error);
        }
}

static void tell_finished(Embedded *e) {
        List finished;

        list_move(&e->finished, &finished);
        while (!list_is_empty(&finished)) {
                Job *job = container_of(finished.next, Job, link);

                list_unlink(&job->link);
                if (job->done)
                        job->done(job->userdata, job->r, &job->error);
                free(job);
        }
}

/* ---- deadlines ---- */

static void arm_timer(Embedded *e);

static void on_deadline(uv_timer_t *timer) {
        Embedded *e = container_of(timer, Embedded, timer);
        Usec now = clock_monotonic();
        HeapNode *first;

        while ((first = heap_first(&e->deadlines)) && first->key <= now) {
                Unit *unit = container_of(first, Unit, deadline);

                heap_remove(&e->deadlines, first);
                service_deadline(&unit->machine, now);
                unit_drive(unit);
        }
        arm_timer(e);
}

static void arm_timer(Embedded *e) {
        HeapNode *first = heap_first(&e->deadlines);
        Usec now = clock_monotonic();

        if (e->closing)
                return;
        if (!first) {
                (void)uv_timer_stop(&e->timer);
                return;
        }
        uv_update_time(e->loop);
        (void)uv_timer_start(&e->timer, on_deadline, first->key > now ? (first->key - now + 999) / 1000 : 0, 0);
}

void embedded_set_deadline(Unit *unit) {
        Embedded *e = unit->owner;

        if (e->closing || (unit->deadline.position != HEAP_UNLINKED && unit->deadline.key == service_due(&unit->machine)))
                return;
        heap_remove(&e->deadlines, &unit->deadline);
        if (service_due(&unit->machine) != USEC_INFINITY) {
                unit->deadline.key = service_due(&unit->machine);
                if (heap_insert(&e->deadlines, &unit->deadline) < 0)
                        unit_note(unit, "no memory for a time limit: it will not be kept");
        }
        arm_timer(e);
}

/* ---- order of starts ---- */

static bool is_coming_up(const Unit *unit) {
        return unit->start_queued || unit->machine.state == SERVICE_START_PRE || unit->machine.state == SERVICE_START ||
               unit->machine.state == SERVICE_START_POST;
}

/* Whether `unit` waits, over units that wait for others, for `target`: a ring. */
static bool waits_for(Embedded *e, const Unit *unit, const Unit *target, unsigned depth) {
        const StringList *after = &unit->definition.options.after;

        if (!unit->start_queued || depth > ORDER_DEPTH_MAX)
                return depth > ORDER_DEPTH_MAX;
        for (size_t i = 0; i < after->length; i++) {
                const Unit *other = embedded_find(e, after->items[i]);

                if (other && (other == target || (other != unit && waits_for(e, other, target, depth + 1))))
                        return true;
        }
        return false;
}

/* After= of this unit and Before= of others, as far as they are loaded here. */
static bool must_wait(Embedded *e, const Unit *unit) {
        const StringList *after = &unit->definition.options.after;

        for (size_t i = 0; i < after->length; i++) {
                const Unit *other = embedded_find(e, after->items[i]);

                if (other && other != unit && is_coming_up(other) && !waits_for(e, other, unit, 0))
                        return true;
        }
        list_foreach(&e->units, node) {
                const Unit *other = container_of(node, Unit, link);

                if (other != unit && is_coming_up(other) &&
                    string_list_contains(&other->definition.options.before, unit->name) &&
                    !string_list_contains(&unit->definition.options.before, other->name))
                        return true;
        }
        return false;
}

/* A required unit that it is ordered after and that has failed; NULL: none. */
static const Unit *failed_requirement(Embedded *e, const Unit *unit) {
        const ServiceOptions *o = &unit->definition.options;
        const StringList *lists[] = {&o->requires, &o->requisite, &o->binds_to};

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < lists[i]->length; k++) {
                        const Unit *other = embedded_find(e, lists[i]->items[k]);

                        if (other && other != unit && string_list_contains(&o->after, other->name) &&
                            service_at_rest(&other->machine) && other->machine.result != SERVICE_RESULT_SUCCESS)
                                return other;
                }
        return NULL;
}

static void start_queued(Embedded *e) {
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);
                const Unit *failed;

                if (!unit->start_queued || must_wait(e, unit))
                        continue;
                unit->start_queued = false;
                failed = failed_requirement(e, unit);
                if (failed) {
                        list_foreach(&unit->jobs, job_node) {
                                Job *job = container_of(job_node, Job, link);
                                Error error;

                                if (job->kind == JOB_START)
                                        embedded_finish_job(
                                                e, job,
                                                error_set(&error, -EREMOTEIO,
                                                          "%s was not started: it requires %s, which has failed",
                                                          unit->name, failed->name),
                                                &error);
                        }
                        continue;
                }
                if (unit->next.text && (service_at_rest(&unit->machine) || unit->machine.state == SERVICE_AUTO_RESTART))
                        unit_take_definition(unit, &unit->next);
                service_start(&unit->machine, clock_monotonic());
                unit_drive(unit);
        }
}

/* What a start pulls in: Requires=, BindsTo= and Wants=, as far as loaded here and at rest. */
static void queue_start(Embedded *e, Unit *unit, unsigned depth) {
        const ServiceOptions *o = &unit->definition.options;
        const StringList *lists[] = {&o->requires, &o->binds_to, &o->wants};

        if (unit->start_queued || depth > ORDER_DEPTH_MAX)
                return;
        unit->start_queued = true;
        mark_dirty(unit);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; k < lists[i]->length; k++) {
                        Unit *other = embedded_find(e, lists[i]->items[k]);

                        if (other && service_at_rest(&other->machine))
                                queue_start(e, other, depth + 1);
                }
}

static void stop_unit(Unit *unit, const char *why);

/* Those that may not go on without `unit`. `asked`: it was stopped by hand, which Requires= and PartOf= follow, too. */
static void stop_dependents(Embedded *e, const Unit *unit, bool asked) {
        list_foreach(&e->units, node) {
                Unit *other = container_of(node, Unit, link);
                const ServiceOptions *o = &other->definition.options;

                if (other == unit || (service_at_rest(&other->machine) && !other->start_queued))
                        continue;
                if (string_list_contains(&o->binds_to, unit->name) ||
                    (asked && (string_list_contains(&o->requires, unit->name) ||
                               string_list_contains(&o->part_of, unit->name)))) {
                        if (!other->machine.forbid_restart || other->start_queued) {
                                unit_note(other, "stops with %s", unit->name);
                                stop_unit(other, "stopped with a unit that it depends on");
                        }
                }
        }
}

static void stop_unit(Unit *unit, const char *why) {
        unit->start_queued = false;
        cancel_jobs(unit, JOB_START, why);
        service_stop(&unit->machine, clock_monotonic());
        unit_drive(unit);
        stop_dependents(unit->owner, unit, true);
}

/* ---- settling a unit: events and ends of jobs ---- */

static void settle_start(Unit *unit, Job *job) {
        const ServiceMachine *m = &unit->machine;
        Error error = ERROR_NONE;

        if (unit->start_queued)
                return;
        if (m->state == SERVICE_RUNNING || m->state == SERVICE_EXITED || m->state == SERVICE_RELOAD ||
            (m->state == SERVICE_DEAD && m->result == SERVICE_RESULT_SUCCESS)) {
                embedded_finish_job(unit->owner, job, 0, NULL);
                return;
        }
        if (!service_at_rest(m) && m->state != SERVICE_AUTO_RESTART)
                return;
        (void)error_set(&error, -EREMOTEIO, "%s failed (%s)%s%s%s", unit->name, service_result_to_string(m->result),
                        *unit->text ? ": " : "", unit->text,
                        m->state == SERVICE_AUTO_RESTART ? "; it will be started again" : "");
        embedded_finish_job(unit->owner, job, -EREMOTEIO, &error);
}

static void settle_reload(Unit *unit, Job *job) {
        Error error = ERROR_NONE;

        if (unit->machine.state == SERVICE_RELOAD)
                return;
        if (unit->machine.reload_failed) {
                (void)error_set(&error, -EREMOTEIO, "%s could not be reloaded: %s", unit->name,
                                *unit->text ? unit->text : "its command failed");
                embedded_finish_job(unit->owner, job, -EREMOTEIO, &error);
                return;
        }
        embedded_finish_job(unit->owner, job, 0, NULL);
}

static void settle_jobs(Unit *unit) {
        list_foreach(&unit->jobs, node) {
                Job *job = container_of(node, Job, link);

                if (job->kind == JOB_START)
                        settle_start(unit, job);
                else if (job->kind == JOB_RELOAD)
                        settle_reload(unit, job);
                else if (job->kind == JOB_STOP && service_at_rest(&unit->machine))
                        embedded_finish_job(unit->owner, job, 0, NULL);
        }
}

static bool wants_unload(const Unit *unit) {
        list_foreach(&unit->jobs, node)
                if (container_of(node, Job, link)->kind == JOB_UNLOAD)
                        return true;
        return false;
}

static bool state_differs(const SupervisorState *a, const SupervisorState *b) {
        return !str_equals(a->load, b->load) || !str_equals(a->active, b->active) || !str_equals(a->sub, b->sub) ||
               !str_equals(a->result, b->result) || a->main_pid != b->main_pid || a->exit_code != b->exit_code ||
               a->exit_status != b->exit_status || a->restarts != b->restarts || !str_equals(a->text, b->text);
}

static void tell_states(Unit *unit) {
        Embedded *e = unit->owner;

        unit_note_state(unit);
        while (!list_is_empty(&unit->states)) {
                StateNote *note = container_of(unit->states.next, StateNote, link);
                bool news = !unit->was_told || state_differs(&note->state, &unit->told);

                list_unlink(&note->link);
                unit->n_states--;
                if (news) {
                        unit->told = note->state;
                        unit->was_told = true;
                        if (e->base.events->changed)
                                e->base.events->changed(e->base.userdata, unit->name, &note->state);
                }
                free(note);
        }
}

static void release_processes(Unit *unit) {
        list_foreach(&unit->processes, node) {
                UnitProcess *process = container_of(node, UnitProcess, link);

                unit_close_pipes(process);
                process_close(&process->process);
        }
}

static void remove_unit(Unit *unit) {
        Embedded *e = unit->owner;
        SupervisorState gone = {0};
        _cleanup_free_ char *name = take_ptr(unit->name);

        (void)map_remove(&e->by_name, slice_from(name));
        e->n_units--;
        while (!list_is_empty(&unit->jobs))
                embedded_finish_job(e, container_of(unit->jobs.next, Job, link), 0, NULL);
        unit_free(unit);
        supervisor_set_word(gone.load, sizeof(gone.load), "not-found");
        supervisor_set_word(gone.active, sizeof(gone.active), "inactive");
        supervisor_set_word(gone.sub, sizeof(gone.sub), "dead");
        supervisor_set_word(gone.result, sizeof(gone.result), "success");
        if (e->base.events->changed && name)
                e->base.events->changed(e->base.userdata, name, &gone);
}

static void settle(Unit *unit) {
        if (unit->machine.state != unit->last_state) {
                ServiceState before = unit->last_state;

                unit->last_state = unit->machine.state;
                if (service_at_rest(&unit->machine) && before != SERVICE_DEAD)
                        stop_dependents(unit->owner, unit, false);
        }
        tell_states(unit);
        settle_jobs(unit);
        if (wants_unload(unit) && service_at_rest(&unit->machine)) {
                if (unit_has_processes(unit))
                        release_processes(unit); /* the last one to close brings us here again */
                else
                        remove_unit(unit);
        }
}

/* ---- logs ---- */

void embedded_follow(Embedded *e, const char *unit, const SupervisorLogLine *line) {
        list_foreach(&e->logs, node) {
                SupervisorLog *log = container_of(node, SupervisorLog, link);

                if (log->follow && log->started && !log->closed && str_equals(log->unit, unit))
                        log->events->line(log->userdata, line);
        }
}

static bool give_line(void *userdata, const SupervisorLogLine *line) {
        SupervisorLog *log = userdata;

        log->events->line(log->userdata, line);
        return !log->closed;
}

static void start_log(Embedded *e, SupervisorLog *log) {
        UnitLog file = {.fd = -1,
                        .limit =
                                e->log_size ? max_of(e->log_size, (uint64_t)UNIT_LOG_SIZE_MIN) : UNIT_LOG_SIZE_DEFAULT};
        Error error = ERROR_NONE;
        int r = 0;

        log->started = true;
        if (log->lines > 0) {
                file.path = str_printf("%s/%s.log", e->logs_directory, log->unit);
                file.old_path = str_printf("%s/%s.log.1", e->logs_directory, log->unit);
                r = file.path && file.old_path ? unit_log_read(&file, log->lines, give_line, log) : -ENOMEM;
                if (r < 0)
                        (void)error_set_errno(&error, r, "cannot read the log of %s", log->unit);
                unit_log_close(&file);
        }
        if (!log->closed && (r < 0 || !log->follow)) {
                log->follow = false;
                log->events->end(log->userdata, r, &error);
        }
}

static void log_free(SupervisorLog *log) {
        list_unlink(&log->link);
        free(log->unit);
        free(log);
}

static void turn_logs(Embedded *e) {
        list_foreach(&e->logs, node) {
                SupervisorLog *log = container_of(node, SupervisorLog, link);

                if (!log->closed && !log->started)
                        start_log(e, log);
                if (log->closed)
                        log_free(log);
        }
}

static int embedded_log_open(Supervisor *supervisor, const char *name, size_t lines, bool follow,
                             const SupervisorLogEvents *events, void *userdata, SupervisorLog **ret, Error *error) {
        Embedded *e = embedded_of(supervisor);
        SupervisorLog *log;

        if (!unit_name_is_valid(slice_from(name)))
                return error_set(error, -EINVAL, "\"%s\" is no name of a unit", name);
        log = calloc(1, sizeof(*log));
        if (!log || !(log->unit = strdup(name))) {
                free(log);
                return error_set_errno(error, -ENOMEM, "cannot open the log of %s", name);
        }
        log->owner = e;
        log->lines = min_of(lines, (size_t)SUPERVISOR_LOG_LINES_MAX);
        log->follow = follow;
        log->events = events;
        log->userdata = userdata;
        list_append(&e->logs, &log->link);
        embedded_wake(e);
        *ret = log;
        return 0;
}

static void embedded_log_close(Supervisor *supervisor, SupervisorLog *log) {
        log->closed = true;
        embedded_wake(embedded_of(supervisor));
}

/* ---- the next turn ---- */

static void tell_listings(Embedded *e) {
        List listings;

        list_move(&e->listings, &listings);
        while (!list_is_empty(&listings)) {
                Listing *listing = container_of(listings.next, Listing, link);

                list_unlink(&listing->link);
                list_foreach(&e->units, node) {
                        Unit *unit = container_of(node, Unit, link);
                        const Definition *d = unit->next.text ? &unit->next : &unit->definition;
                        SupervisorUnit told = {
                                .name = unit->name,
                                .tag = d->tag,
                                .text = {d->text, d->text_length},
                                .start_asked = unit->start_asked,
                        };

                        unit_fill_state(unit, &told.state);
                        listing->unit(listing->userdata, &told);
                }
                listing->done(listing->userdata, 0, &ERROR_NONE);
                free(listing);
        }
}

static void close_step(Embedded *e);

static void on_later(uv_check_t *check) {
        Embedded *e = container_of(check, Embedded, later);
        List dirty;

        (void)uv_check_stop(&e->later);
        (void)uv_idle_stop(&e->hurry);
        if (!e->closing)
                start_queued(e);
        list_move(&e->dirty, &dirty);
        while (!list_is_empty(&dirty)) {
                Unit *unit = container_of(dirty.next, Unit, dirty_link);

                list_unlink(&unit->dirty_link);
                unit->dirty = false;
                if (!e->closing)
                        settle(unit);
        }
        tell_finished(e);
        tell_listings(e);
        turn_logs(e);
        if (e->closing)
                close_step(e);
}

/* ---- operations ---- */

static int read_definition(Embedded *e, const char *name, Slice text, const char *tag, Definition *ret, Error *error) {
        UnitName parts = unit_name_split(slice_from(name));
        _cleanup_unitfile_ UnitFile file = {0};
        char uid[16];
        SpecifierFacts facts = {
                .unit = name,
                .machine_id = e->machine_id,
                .boot_id = e->boot_id,
                .host_name = e->host_name,
                .kernel_release = e->kernel,
                .user = geteuid() == 0 ? "root" : getenv("USER"),
                .uid = uid,
                .home = getenv("HOME") ? getenv("HOME") : "/root",
                .shell = "/bin/sh",
                .runtime_root = e->runtime_root,
                .state_root = "/var/lib",
                .cache_root = "/var/cache",
                .logs_root = "/var/log",
                .config_root = "/etc",
                .temporary = "/tmp",
                .large_temporary = "/var/tmp",
        };
        SpecifierSource source = specifier_source(&facts);
        Definition definition = {0};
        int r;

        (void)snprintf(uid, sizeof(uid), "%u", geteuid());
        if (!unit_name_is_valid(slice_from(name)))
                return error_set(error, -EINVAL, "\"%s\" is no name of a unit", name);
        if (parts.kind == UNIT_NAME_TEMPLATE)
                return error_set(error, -EINVAL, "%s is a template: only instances of it can run", name);
        if (!slice_equals(parts.type, slice_from("service")))
                return error_set(error, -EOPNOTSUPP,
                                 "%s: without systemd only services can run, no unit of type \"%.*s\"", name,
                                 (int)parts.type.length, parts.type.data);
        if (strlen(tag) > SUPERVISOR_TAG_MAX)
                return error_set(error, -EINVAL, "%s: the tag is longer than %d characters", name, SUPERVISOR_TAG_MAX);
        r = unitfile_parse(&file, text, NULL, error);
        if (r >= 0)
                r = service_options_read(&file, &source, &definition.options, error);
        if (r < 0)
                return error_prefix(error, r, "%s", name);
        definition.text = slice_dup(text);
        definition.text_length = text.length;
        definition.tag = strdup(tag);
        if (!definition.text || !definition.tag) {
                definition_deinit(&definition);
                return error_set_errno(error, -ENOMEM, "cannot load %s", name);
        }
        *ret = definition;
        return 0;
}

static int load(Embedded *e, const char *name, Slice text, const char *tag, Error *error) {
        Unit *unit = embedded_find(e, name);
        Definition definition = {0};
        int r;

        r = read_definition(e, name, text, tag, &definition, error);
        if (r < 0)
                return r;
        if (!unit) {
                if (e->n_units >= EMBEDDED_UNITS_MAX)
                        r = error_set(error, -ENOBUFS, "%s: there are %d units already", name, EMBEDDED_UNITS_MAX);
                else
                        unit = unit_new(e, name, error);
                if (unit && map_put(&e->by_name, slice_from(unit->name), unit, NULL) < 0) {
                        unit_free(unit);
                        unit = NULL;
                        (void)error_set_errno(error, -ENOMEM, "cannot load %s", name);
                }
                if (!unit) {
                        definition_deinit(&definition);
                        return r < 0 ? r : -ENOMEM;
                }
                list_append(&e->units, &unit->link);
                e->n_units++;
        }
        for (size_t i = 0; i < definition.options.notes.length; i++)
                unit_note(unit, "line %u: %s", definition.options.notes.items[i].at.line,
                          definition.options.notes.items[i].text);
        definition_deinit(&unit->next);
        if (service_at_rest(&unit->machine) && !unit_has_processes(unit))
                unit_take_definition(unit, &definition);
        else
                unit->next = definition;
        mark_dirty(unit);
        return 0;
}

static void embedded_load(Supervisor *supervisor, const char *name, Slice text, const char *tag, SupervisorDone done,
                          void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Error error = ERROR_NONE;
        int r = load(e, name, text, tag, &error);

        finish_now(e, done, userdata, r, &error);
}

/* NULL: the operation has ended with -ENOENT. */
static Unit *find_or_end(Embedded *e, const char *name, SupervisorDone done, void *userdata) {
        Unit *unit = embedded_find(e, name);
        Error error;

        if (!unit)
                finish_now(e, done, userdata, error_set(&error, -ENOENT, "%s is not loaded", name), &error);
        return unit;
}

static void add_job(Unit *unit, JobKind kind, SupervisorDone done, void *userdata) {
        Job *job = job_new(kind, done, userdata);

        if (job)
                list_append(&unit->jobs, &job->link);
        mark_dirty(unit);
}

static void embedded_unload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Unit *unit = embedded_find(e, name);

        if (!unit) {
                finish_now(e, done, userdata, 0, NULL);
                return;
        }
        unit->start_asked = false;
        stop_unit(unit, "it is being unloaded");
        add_job(unit, JOB_UNLOAD, done, userdata);
}

static void embedded_reread(Supervisor *supervisor, SupervisorDone done, void *userdata) {
        finish_now(embedded_of(supervisor), done, userdata, 0, NULL);
}

static void embedded_start(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Unit *unit = find_or_end(e, name, done, userdata);
        Error error;

        if (!unit)
                return;
        if (wants_unload(unit)) {
                finish_now(e, done, userdata, error_set(&error, -ECANCELED, "%s is being unloaded", name), &error);
                return;
        }
        unit->start_asked = true;
        cancel_jobs(unit, JOB_STOP, "it is started again");
        queue_start(e, unit, 0);
        add_job(unit, JOB_START, done, userdata);
}

static void embedded_stop(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Unit *unit = find_or_end(embedded_of(supervisor), name, done, userdata);

        if (!unit)
                return;
        unit->start_asked = false;
        stop_unit(unit, "it was stopped meanwhile");
        add_job(unit, JOB_STOP, done, userdata);
}

static void embedded_reload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Unit *unit = find_or_end(e, name, done, userdata);
        Error error;

        if (!unit)
                return;
        if (!service_reload(&unit->machine, clock_monotonic())) {
                finish_now(e, done, userdata,
                           error_set(&error, -EOPNOTSUPP, "%s cannot be reloaded: it %s", name,
                                     unit->definition.options.reload.length ? "does not run" : "has no ExecReload="),
                           &error);
                return;
        }
        unit_drive(unit);
        add_job(unit, JOB_RELOAD, done, userdata);
}

static void embedded_kill(Supervisor *supervisor, const char *name, int signal, SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Unit *unit = find_or_end(e, name, done, userdata);

        if (!unit)
                return;
        unit_kill_all(unit, signal);
        finish_now(e, done, userdata, 0, NULL);
}

static void embedded_list(Supervisor *supervisor, void (*each)(void *userdata, const SupervisorUnit *unit),
                          SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Listing *listing = calloc(1, sizeof(*listing));
        Error error;

        if (!listing) {
                finish_now(e, done, userdata, error_set_errno(&error, -ENOMEM, "cannot list units"), &error);
                return;
        }
        *listing = (Listing){.unit = each, .done = done, .userdata = userdata};
        list_append(&e->listings, &listing->link);
        embedded_wake(e);
}

static int embedded_state(Supervisor *supervisor, const char *name, SupervisorState *ret) {
        Unit *unit = embedded_find(embedded_of(supervisor), name);

        if (!unit)
                return -ENOENT;
        if (unit->was_told)
                *ret = unit->told;
        else
                unit_fill_state(unit, ret);
        return 0;
}

/* ---- birth and end ---- */

static void embedded_free(Embedded *e) {
        cgroup_root_close(&e->cgroups);
        map_deinit(&e->by_name);
        heap_deinit(&e->deadlines);
        free(e->state_directory);
        free(e->units_directory);
        free(e->logs_directory);
        free(e->runtime_root);
        free(e->notify_path);
        free(e->machine_id);
        free(e->boot_id);
        free(e);
}

void embedded_handle_closed(Embedded *e) {
        void (*closed)(void *userdata) = e->closed;
        void *userdata = e->closed_data;

        if (--e->open > 0)
                return;
        embedded_free(e);
        if (closed)
                closed(userdata);
}

static void on_handle_closed(uv_handle_t *handle) {
        embedded_handle_closed(handle->data);
}

static void on_reaper_closed(void *userdata) {
        embedded_handle_closed(userdata);
}

static void on_settled(void *userdata) {
        Embedded *e = userdata;

        if (e->closing) {
                embedded_wake(e);
                return;
        }
        list_foreach(&e->units, node)
                unit_check_empty(container_of(node, Unit, link));
}

static const ProcessReaperEvents reaper_events = {.settled = on_settled, .closed = on_reaper_closed};

static void close_handles(Embedded *e) {
        process_reaper_close(&e->reaper);
        if (e->notify_fd >= 0)
                notify_close(e);
        uv_close((uv_handle_t *)&e->timer, on_handle_closed);
        uv_close((uv_handle_t *)&e->later, on_handle_closed);
        uv_close((uv_handle_t *)&e->hurry, on_handle_closed);
}

/* While closing: lets units go that have no process left, and in the end everything. */
static void close_step(Embedded *e) {
        if (uv_is_closing((uv_handle_t *)&e->later))
                return;
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);

                if (unit_has_processes(unit))
                        continue;
                if (unit->group_open && !unit_group_is_empty(&unit->group) && uv_is_active((uv_handle_t *)&e->timer)) {
                        (void)unit_group_kill(&unit->group, SIGKILL, 0, 0);
                        continue;
                }
                unit_remove_directories(unit);
                leftovers_forget(unit);
                unit_free(unit);
        }
        if (list_is_empty(&e->units))
                close_handles(e);
}

static void on_close_timeout(uv_timer_t *timer) {
        embedded_wake(container_of(timer, Embedded, timer));
}

static void embedded_close(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata) {
        Embedded *e = embedded_of(supervisor);

        e->closing = true;
        e->closed = closed;
        e->closed_data = userdata;
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);

                for (JobKind kind = JOB_START; kind <= JOB_UNLOAD; kind++)
                        cancel_jobs(unit, kind, "the supervisor ends");
                heap_remove(&e->deadlines, &unit->deadline);
                unit_kill_all(unit, SIGKILL);
                unit_stop_pid_watch(unit);
                unit->main = unit->control = NULL;
                release_processes(unit);
        }
        (void)uv_timer_start(&e->timer, on_close_timeout, CLOSE_WAIT_MSEC, 0);
        embedded_wake(e);
}

static const SupervisorOps embedded_ops = {
        .name = "embedded",
        .load = embedded_load,
        .unload = embedded_unload,
        .reread = embedded_reread,
        .start = embedded_start,
        .stop = embedded_stop,
        .reload = embedded_reload,
        .kill = embedded_kill,
        .list = embedded_list,
        .state = embedded_state,
        .log_open = embedded_log_open,
        .log_close = embedded_log_close,
        .close = embedded_close,
};

static char *read_word(const char *path) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (file_read(path, 256, &text, NULL) < 0 || buffer_length(&text) == 0)
                return strdup("");
        return slice_dup(slice_trim((Slice){buffer_data(&text), buffer_length(&text)}));
}

static int fill_facts(Embedded *e, const EmbeddedOptions *options, Error *error) {
        struct utsname system;

        if (uname(&system) == 0) {
                (void)snprintf(e->host_name, sizeof(e->host_name), "%s", system.nodename);
                (void)snprintf(e->kernel, sizeof(e->kernel), "%s", system.release);
        }
        e->state_directory = strdup(options->state_directory);
        e->units_directory = str_printf("%s/units", options->state_directory);
        e->logs_directory = str_printf("%s/logs", options->state_directory);
        e->runtime_root = strdup(options->runtime_root ? options->runtime_root : "/run");
        e->notify_path = str_printf("%s/notify", options->state_directory);
        e->machine_id = options->machine_id ? strdup(options->machine_id) : read_word("/etc/machine-id");
        e->boot_id = read_word("/proc/sys/kernel/random/boot_id");
        e->log_size = options->log_size;
        if (!e->state_directory || !e->units_directory || !e->logs_directory || !e->runtime_root || !e->notify_path ||
            !e->machine_id || !e->boot_id)
                return error_set_errno(error, -ENOMEM, "cannot make the supervisor");
        return 0;
}

static int prepare(Embedded *e, const EmbeddedOptions *options, size_t *ret_leftovers, Error *error) {
        int r;

        r = fill_facts(e, options, error);
        if (r >= 0)
                r = file_make_folder(e->state_directory, 0711, error); /* services reach the socket in it */
        if (r >= 0)
                r = file_make_folder(e->units_directory, 0700, error);
        if (r >= 0)
                r = file_make_folder(e->logs_directory, 0750, error);
        if (r >= 0 && !options->without_cgroups)
                r = cgroup_root_open(&e->cgroups, options->cgroup_name ? options->cgroup_name : "faering-units",
                                     options->cgroup_at_top, error);
        if (r >= 0)
                r = leftovers_kill(e, ret_leftovers, error);
        return r;
}

int embedded_supervisor_new(uv_loop_t *loop, const EmbeddedOptions *options, const SupervisorEvents *events,
                            void *userdata, Supervisor **ret, size_t *ret_leftovers, Error *error) {
        Embedded *e = calloc(1, sizeof(*e));
        size_t leftovers = 0;
        int r;

        if (!e)
                return error_set_errno(error, -ENOMEM, "cannot make the supervisor");
        e->base = (Supervisor){&embedded_ops, events, userdata};
        e->loop = loop;
        e->notify_fd = -1;
        list_init(&e->units);
        list_init(&e->finished);
        list_init(&e->listings);
        list_init(&e->dirty);
        list_init(&e->logs);
        r = prepare(e, options, &leftovers, error);
        if (r < 0) {
                embedded_free(e);
                return r;
        }
        r = process_reaper_init(&e->reaper, loop, &reaper_events, e);
        if (r < 0) {
                embedded_free(e);
                return error_set_errno(error, r, "cannot wait for processes");
        }
        (void)uv_timer_init(loop, &e->timer); /* cannot fail */
        (void)uv_check_init(loop, &e->later);
        (void)uv_idle_init(loop, &e->hurry);
        e->timer.data = e->later.data = e->hurry.data = e;
        e->open = 4;
        r = notify_open(e, error);
        if (r < 0) {
                close_handles(e);
                return r;
        }
        *ret = &e->base;
        if (ret_leftovers)
                *ret_leftovers = leftovers;
        return 0;
}
