#include "host/embedded-supervisor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "host/embedded-internal.h"
#include "host/file.h"
#include "unitfile/name.h"

/* list() under way. */
typedef struct Listing {
        ListNode link;
        void (*unit)(void *userdata, const SupervisorUnit *unit);
        SupervisorDone done;
        void *userdata;
} Listing;

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

void unit_mark_dirty(Unit *unit) {
        if (!unit->dirty) {
                unit->dirty = true;
                list_append(&unit->owner->dirty, &unit->dirty_link);
        }
        embedded_wake(unit->owner);
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
                unit->awaits_uphold = unit->awaits_uphold && now < unit_uphold_due(unit);
                if (unit_kind(unit) == UNIT_TRIGGER) {
                        trigger_time(unit);
                } else {
                        service_deadline(&unit->machine, now);
                        unit_drive(unit);
                }
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

static Usec kind_due(const Unit *unit) {
        TriggerFacts facts;

        if (unit_kind(unit) != UNIT_TRIGGER)
                return service_due(&unit->machine);
        facts = trigger_facts(unit);
        return trigger_due(&unit->trigger, &facts);
}

static Usec due_of(const Unit *unit) {
        return min_of(kind_due(unit), unit_uphold_due(unit));
}

void embedded_set_deadline(Unit *unit) {
        Embedded *e = unit->owner;
        Usec due = due_of(unit);

        if (e->closing || (unit->deadline.position != HEAP_UNLINKED && unit->deadline.key == due))
                return;
        heap_remove(&e->deadlines, &unit->deadline);
        if (due != USEC_INFINITY) {
                unit->deadline.key = due;
                if (heap_insert(&e->deadlines, &unit->deadline) < 0)
                        unit_note(unit, "no memory for a time limit: it will not be kept");
        }
        arm_timer(e);
}

/* ---- the next turn ---- */

static void tell_listings(Embedded *e) {
        List listings;

        list_take_all(&e->listings, &listings);
        while (!list_is_empty(&listings)) {
                Listing *listing = container_of(listings.next, Listing, link);

                list_unlink(&listing->link);
                list_foreach(&e->units, node) {
                        Unit *unit = container_of(node, Unit, link);
                        const Definition *d = unit->next ? unit->next : &unit->definition;
                        SupervisorUnit told = {
                                .name = unit->name,
                                .tag = d->tag,
                                .text = {d->text, d->text_length},
                                .start_asked = unit->start_asked,
                                .start_known = true,
                        };
                        KeptState now;

                        now = unit_state(unit);
                        kept_state_fill(&now, &told.state);
                        listing->unit(listing->userdata, &told);
                }
                listing->done(listing->userdata, 0, &ERROR_NONE);
                free(listing);
        }
}

static void on_later(uv_check_t *check) {
        Embedded *e = container_of(check, Embedded, later);
        List dirty;

        (void)uv_check_stop(&e->later);
        (void)uv_idle_stop(&e->hurry);
        if (!e->closing)
                embedded_start_queued(e);
        list_take_all(&e->dirty, &dirty);
        while (!list_is_empty(&dirty)) {
                Unit *unit = container_of(dirty.next, Unit, dirty_link);

                list_unlink(&unit->dirty_link);
                unit->dirty = false;
                if (!e->closing)
                        unit_settle(unit);
        }
        embedded_tell_finished(e);
        tell_listings(e);
        embedded_turn_logs(e);
        if (e->closing)
                embedded_close_step(e);
}

/* ---- operations ---- */

int embedded_add_unit(Embedded *e, const char *name, Unit **ret, Error *error) {
        Unit *unit;

        if (e->n_units >= EMBEDDED_UNITS_MAX)
                return error_set(error, -ENOBUFS, "%s: there are %d units already", name, EMBEDDED_UNITS_MAX);
        unit = unit_new(e, name, error);
        if (!unit)
                return -ENOMEM;
        if (map_put(&e->by_name, slice_from(unit->name), unit, NULL) < 0) {
                unit_free(unit);
                return error_set_errno(error, -ENOMEM, "cannot load %s", name);
        }
        list_append(&e->units, &unit->link);
        e->n_units++;
        *ret = unit;
        return 0;
}

static void note_all(Unit *unit, const UnitNoteList *notes) {
        for (size_t i = 0; i < notes->length; i++)
                unit_note(unit, "line %u: %s", notes->items[i].at.line, notes->items[i].text);
}

Unit *embedded_load_unit(Embedded *e, const char *name, Slice text, const char *tag, int *ret_r, Error *error) {
        Unit *unit = embedded_find(e, name);
        Definition definition = {0};
        int r;

        r = definition_read(e, name, text, tag, &definition, error);
        if (r >= 0 && !unit)
                r = embedded_add_unit(e, name, &unit, error);
        if (r < 0) {
                definition_deinit(&definition);
                *ret_r = r;
                return NULL;
        }
        note_all(unit, &definition.options.notes);
        note_all(unit, &definition.trigger.notes);
        if (unit_at_rest(unit) && !unit_has_processes(unit)) {
                (void)unit_set_next(unit, NULL);
                unit_take_definition(unit, &definition);
        } else {
                r = unit_set_next(unit, &definition);
        }
        unit_mark_dirty(unit);
        if (r < 0) {
                definition_deinit(&definition);
                *ret_r = error_set_errno(error, r, "cannot load %s", name);
                return NULL;
        }
        return unit;
}

static void embedded_load(Supervisor *supervisor, const char *name, Slice text, const char *tag, SupervisorDone done,
                          void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Error error = ERROR_NONE;
        int r = 0;

        (void)embedded_load_unit(e, name, text, tag, &r, &error);
        embedded_finish_now(e, done, userdata, r, &error);
}

/* NULL: the operation has ended with -ENOENT. */
static Unit *find_or_end(Embedded *e, const char *name, SupervisorDone done, void *userdata) {
        Unit *unit = embedded_find(e, name);
        Error error;

        if (!unit)
                embedded_finish_now(e, done, userdata, error_set(&error, -ENOENT, "%s is not loaded", name), &error);
        return unit;
}

static void embedded_unload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Unit *unit = embedded_find(e, name);

        if (!unit) {
                embedded_finish_now(e, done, userdata, 0, NULL);
                return;
        }
        unit->start_asked = false;
        unit_stop(unit, "it is being unloaded");
        unit_add_job(unit, JOB_UNLOAD, done, userdata);
}

static void embedded_reread(Supervisor *supervisor, SupervisorDone done, void *userdata) {
        embedded_finish_now(embedded_of(supervisor), done, userdata, 0, NULL);
}

static void embedded_start(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Unit *unit = find_or_end(e, name, done, userdata);
        Error error;

        if (!unit)
                return;
        if (unit_wants_unload(unit)) {
                embedded_finish_now(e, done, userdata, error_set(&error, -ECANCELED, "%s is being unloaded", name), &error);
                return;
        }
        if (unit_kind(unit) == UNIT_TEMPLATE) {
                embedded_finish_now(e, done, userdata,
                                    error_set(&error, -EINVAL, "%s is a template: only instances of it can run", name), &error);
                return;
        }
        unit->start_asked = true;
        unit_cancel_jobs(unit, JOB_STOP, "it is started again");
        unit_queue_start(unit, 0);
        unit_add_job(unit, JOB_START, done, userdata);
}

static void embedded_stop(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Unit *unit = find_or_end(embedded_of(supervisor), name, done, userdata);

        if (!unit)
                return;
        unit->start_asked = false;
        unit_stop(unit, "it was stopped meanwhile");
        unit_add_job(unit, JOB_STOP, done, userdata);
}

static void embedded_reload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Unit *unit = find_or_end(e, name, done, userdata);
        Error error;

        if (!unit)
                return;
        if (unit_kind(unit) != UNIT_SERVICE || !service_reload(&unit->machine, clock_monotonic())) {
                embedded_finish_now(e, done, userdata,
                           error_set(&error, -EOPNOTSUPP, "%s cannot be reloaded: it %s", name,
                                     unit->definition.options.reload.length ? "does not run" : "has no ExecReload="),
                           &error);
                return;
        }
        unit_drive(unit);
        unit_add_job(unit, JOB_RELOAD, done, userdata);
}

static void embedded_kill(Supervisor *supervisor, const char *name, int signal, SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Unit *unit = find_or_end(e, name, done, userdata);

        if (!unit)
                return;
        unit_kill_all(unit, signal);
        embedded_finish_now(e, done, userdata, 0, NULL);
}

static void embedded_list(Supervisor *supervisor, void (*each)(void *userdata, const SupervisorUnit *unit),
                          SupervisorDone done, void *userdata) {
        Embedded *e = embedded_of(supervisor);
        Listing *listing = calloc(1, sizeof(*listing));
        Error error;

        if (!listing) {
                embedded_finish_now(e, done, userdata, error_set_errno(&error, -ENOMEM, "cannot list units"), &error);
                return;
        }
        *listing = (Listing){.unit = each, .done = done, .userdata = userdata};
        list_append(&e->listings, &listing->link);
        embedded_wake(e);
}

static int embedded_state(Supervisor *supervisor, const char *name, SupervisorState *ret) {
        const Unit *unit = embedded_find(embedded_of(supervisor), name);
        KeptState now;

        if (!unit)
                return -ENOENT;
        now = unit->was_told ? unit->told : unit_state(unit);
        kept_state_fill(&now, ret);
        return 0;
}

/* ---- processes ---- */

static void on_reaper_closed(void *userdata) {
        embedded_handle_closed(userdata);
}

void unit_settle_lingering(Unit *unit) {
        const ServiceMachine *m = &unit->machine;
        bool lingers = unit->group_open && !m->main_alive && !m->control_alive && !m->group_empty;

        if (lingers == unit->lingers)
                return;
        unit->lingers = lingers;
        if (lingers)
                list_append(&unit->owner->lingering, &unit->linger_link);
        else
                list_unlink(&unit->linger_link);
}

static void on_settled(void *userdata) {
        Embedded *e = userdata;

        if (e->closing) {
                embedded_wake(e);
                return;
        }
        list_foreach(&e->lingering, node)
                unit_check_empty(container_of(node, Unit, linger_link));
        list_foreach(&e->dirty, node)
                unit_check_empty(container_of(node, Unit, dirty_link));
}

static bool is_teller(void *userdata, const Process *process, pid_t parent) {
        UnitProcess *of_unit = unit_process_of(process);

        (void)userdata;
        if (!of_unit)
                return false;
        return parent > 0 ? holders_tell_of(of_unit->unit, parent) : holders_ask(of_unit);
}

static const ProcessReaperEvents reaper_events = {.is_teller = is_teller, .settled = on_settled, .closed = on_reaper_closed};

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
        .leave = embedded_leave,
        .close = embedded_close,
};

/* ---- birth ---- */

static char *read_word(const char *path) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (file_read(path, 256, &text, NULL) < 0 || buffer_length(&text) == 0)
                return strdup("");
        return slice_dup(slice_trim((Slice){buffer_data(&text), buffer_length(&text)}));
}

static uint64_t random_word(void) {
        uint64_t word;

        random_secret(&word, sizeof(word));
        return word;
}

static int fill_facts(Embedded *e, const EmbeddedOptions *options, Error *error) {
        const char *run = options->run_directory ? options->run_directory : options->state_directory;
        struct utsname system;

        if (uname(&system) == 0) {
                (void)snprintf(e->host_name, sizeof(e->host_name), "%s", system.nodename);
                (void)snprintf(e->kernel, sizeof(e->kernel), "%s", system.release);
        }
        e->state_directory = strdup(options->state_directory);
        e->run_directory = strdup(run);
        e->units_directory = str_printf("%s/units", run);
        e->logs_directory = str_printf("%s/logs", options->state_directory);
        e->stamps_directory = str_printf("%s/timers", options->state_directory);
        e->runtime_root = strdup(options->runtime_root ? options->runtime_root : "/run");
        e->notify_path = str_printf("%s/notify", run);
        e->machine_id = options->machine_id ? strdup(options->machine_id) : read_word("/etc/machine-id");
        e->boot_id = read_word("/proc/sys/kernel/random/boot_id");
        if (options->shim) {
                e->shim = strdup(options->shim);
                e->shims_directory = str_printf("%s/shims", run);
                e->texts_directory = str_printf("%s/texts", run);
                e->next_directory = str_printf("%s/next", run);
                if (!e->shim || !e->shims_directory || !e->texts_directory || !e->next_directory)
                        return error_set_errno(error, -ENOMEM, "cannot make the supervisor");
        }
        e->log_size = options->log_size;
        e->enables = options->enables;
        e->startup = clock_monotonic();
        random_seed(&e->random, options->seed ? options->seed : random_word());
        if (!e->state_directory || !e->run_directory || !e->units_directory || !e->logs_directory || !e->stamps_directory || !e->runtime_root || !e->notify_path ||
            !e->machine_id || !e->boot_id)
                return error_set_errno(error, -ENOMEM, "cannot make the supervisor");
        return 0;
}

static int prepare_shims(Embedded *e, Error *error) {
        const char *const folders[] = {e->shims_directory, e->texts_directory, e->next_directory};
        int r = 0;

        if (access(e->shim, X_OK) < 0)
                return error_set_errno(error, -errno, "cannot execute %s, through which units outlive this program", e->shim);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(folders); i++)
                r = file_make_folder(folders[i], 0700, error);
        return r;
}

static int prepare(Embedded *e, const EmbeddedOptions *options, size_t *ret_leftovers, Error *error) {
        int r;

        r = fill_facts(e, options, error);
        if (r >= 0)
                r = file_make_folder(e->state_directory, 0711, error);
        if (r >= 0)
                r = file_make_folder(e->run_directory, 0711, error); /* services reach the socket in it */
        if (r >= 0)
                r = file_make_folder(e->units_directory, 0700, error);
        if (r >= 0)
                r = file_make_folder(e->logs_directory, 0750, error);
        if (r >= 0 && !options->without_cgroups)
                r = cgroup_root_open(&e->cgroups, options->cgroup_name ? options->cgroup_name : "faering-units",
                                     options->cgroup_at_top, error);
        if (r >= 0)
                r = options->shim ? prepare_shims(e, error) : leftovers_kill(e, ret_leftovers, error);
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
        list_init(&e->queued);
        list_init(&e->lingering);
        list_init(&e->finished);
        list_init(&e->listings);
        list_init(&e->dirty);
        list_init(&e->logs);
        list_init(&e->holders);
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
                embedded_close_handles(e);
                return r;
        }
        if (e->shim) {
                r = embedded_adopt(e, &leftovers, error);
                if (r < 0) {
                        embedded_leave(&e->base, NULL, NULL);
                        return r;
                }
        }
        *ret = &e->base;
        if (ret_leftovers)
                *ret_leftovers = leftovers;
        return 0;
}
