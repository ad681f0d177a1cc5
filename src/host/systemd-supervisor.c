#include "host/systemd-supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "host/file.h"
#include "host/systemd-internal.h"
#include "host/unit-store.h"
#include "unitfile/name.h"
#include "unitfile/unitfile.h"

bool systemd_is_running(void) {
        return access("/run/systemd/system/", F_OK) == 0;
}

static Systemd *systemd_of(Supervisor *supervisor) {
        return container_of(supervisor, Systemd, base);
}

static void on_hurry(uv_idle_t *idle) {
        (void)idle;
}

void systemd_wake(Systemd *s) {
        if (uv_is_closing((uv_handle_t *)&s->later))
                return;
        (void)uv_check_start(&s->later, systemd_on_later); /* cannot fail */
        (void)uv_idle_start(&s->hurry, on_hurry);
}

/* ---- units ---- */

static void unit_free(SystemdUnit *unit) {
        list_unlink(&unit->link);
        list_unlink(&unit->changed_link);
        list_unlink(&unit->unseen_link);
        free(unit->name);
        free(unit->path);
        kept_state_deinit(&unit->state);
        kept_state_deinit(&unit->told);
        free(unit);
}

/* Units are never forgotten: signals may still come for them. */
SystemdUnit *systemd_unit(Systemd *s, const char *name) {
        SystemdUnit *unit = map_get(&s->by_name, slice_from(name));

        if (unit)
                return unit;
        unit = calloc(1, sizeof(*unit));
        if (!unit)
                return NULL;
        unit->owner = s;
        list_init(&unit->link);
        list_init(&unit->changed_link);
        list_init(&unit->unseen_link);
        unit->name = strdup(name);
        if (!unit->name || libsystemd.sd_bus_path_encode(SYSTEMD_PATH "/unit", name, &unit->path) < 0 ||
            map_put(&s->by_name, slice_from(unit->name), unit, NULL) < 0) {
                unit_free(unit);
                return NULL;
        }
        if (map_put(&s->by_path, slice_from(unit->path), unit, NULL) < 0) {
                (void)map_remove(&s->by_name, slice_from(name));
                unit_free(unit);
                return NULL;
        }
        unit->state.load = "loaded";
        unit->state.active = "inactive";
        unit->state.sub = "dead";
        unit->state.result = "success";
        list_append(&s->units, &unit->link);
        return unit;
}

static SystemdUnit *loaded_unit(Systemd *s, const char *name) {
        SystemdUnit *unit = map_get(&s->by_name, slice_from(name));

        return unit && unit->loaded ? unit : NULL;
}

/* ---- calls ---- */

static void call_free(Call *call) {
        list_unlink(&call->link);
        list_unlink(&call->batch_link);
        free(call->unit);
        free(call->job);
        free(call);
}

static Call *call_new(Systemd *s, CallKind kind, const char *unit, SupervisorDone done, void *userdata) {
        Call *call = calloc(1, sizeof(*call));

        if (!call || (unit && !(call->unit = strdup(unit)))) {
                free(call);
                done(userdata, -ENOMEM, &(Error){.text = "out of memory"});
                return NULL;
        }
        call->owner = s;
        call->kind = kind;
        call->done = done;
        call->userdata = userdata;
        list_init(&call->link);
        list_init(&call->batch_link);
        list_append(&s->calls, &call->link);
        return call;
}

/* The error's text, if there is to be one, is set before. */
static void call_end(Call *call, int r) {
        call->request = systemd_request_cancel(call->request);
        if (call->job)
                (void)map_remove(&call->owner->by_job, slice_from(call->job));
        list_unlink(&call->batch_link);
        call->r = r;
        list_unlink(&call->link);
        list_append(&call->owner->finished, &call->link);
        systemd_wake(call->owner);
}

static void call_fail(Call *call, int r, const char *what) {
        call_end(call, error_set_errno(&call->error, r, "cannot %s %s", what, call->unit ? call->unit : "units"));
}

static void call_lost(Call *call) {
        call_end(call, error_set_errno(&call->error, -ENOTCONN, "%s: no connection to systemd",
                                       call->unit ? call->unit : "units"));
}

static void call_step(Call *call);

/* Errors of systemd that mean success: there is nothing to stop, to disable or to reset. */
static bool is_absence(const Call *call, const sd_bus_error *error) {
        return (call->kind == CALL_UNLOAD || call->kind == CALL_STOP || call->kind == CALL_KILL) &&
               (libsystemd.sd_bus_error_has_name(error, SYSTEMD_DESTINATION ".NoSuchUnit") ||
                libsystemd.sd_bus_error_has_name(error, SYSTEMD_DESTINATION ".NoSuchProcess") ||
                libsystemd.sd_bus_error_has_name(error, "org.freedesktop.DBus.Error.FileNotFound"));
}

static void call_end_by(Call *call, const sd_bus_error *error) {
        SystemdUnit *unit = call->kind == CALL_START ? map_get(&call->owner->by_name, slice_from(call->unit)) : NULL;
        int r = -libsystemd.sd_bus_error_get_errno(error);

        if (unit) /* a fault in its file shows only now */
                (void)systemd_state_fetch(call->owner, unit);
        if (libsystemd.sd_bus_error_has_name(error, SYSTEMD_DESTINATION ".JobTypeNotApplicable"))
                r = -EOPNOTSUPP;
        call_end(call, error_set(&call->error, r < 0 ? r : -EIO, "%s: systemd says: %s", call->unit ? call->unit : "units",
                                 error->message ? error->message : error->name));
}

/* JobRemoved goes on from here. */
static void wait_for_job(Call *call, const char *job) {
        call->job = strdup(job);
        if (call->job && map_put(&call->owner->by_job, slice_from(call->job), call, NULL) >= 0)
                return;
        free(take_ptr(call->job));
        call_fail(call, -ENOMEM, "wait for");
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Call *call = userdata;
        const sd_bus_error *error = libsystemd.sd_bus_message_get_error(m);
        const char *job;

        (void)ret_error;
        call->request = NULL;
        if (error && !is_absence(call, error)) {
                call_end_by(call, error);
                return 0;
        }
        if (!error && libsystemd.sd_bus_message_has_signature(m, "o") && libsystemd.sd_bus_message_read(m, "o", &job) >= 0) {
                wait_for_job(call, job);
                return 0;
        }
        call->step++;
        call_step(call);
        return 0;
}

static int call_method(Call *call, const char *method, const char *signature, ...) {
        sd_bus_message *m = NULL;
        va_list args;
        int r;

        r = libsystemd.sd_bus_message_new_method_call(call->owner->bus, &m, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           method);
        if (r >= 0) {
                va_start(args, signature);
                r = libsystemd.sd_bus_message_appendv(m, signature, args);
                va_end(args);
        }
        if (r >= 0)
                r = systemd_request(call->owner, m, on_reply, call, &call->request);
        libsystemd.sd_bus_message_unref(m);
        return r;
}

static void forget(SystemdUnit *unit) {
        unit->loaded = unit->start_asked = unit->has_install = false;
        unit->state.load = "not-found";
        unit->state.active = "inactive";
        unit->state.sub = "dead";
        systemd_state_changed(unit->owner, unit);
}

static void step_unload(Call *call) {
        Systemd *s = call->owner;
        SystemdUnit *unit = map_get(&s->by_name, slice_from(call->unit));
        int r;

        switch (call->step) {
        case 0:
                r = call_method(call, "StopUnit", "ss", call->unit, "replace");
                break;
        case 1:
                call->has_install = unit && unit->has_install;
                if (call->has_install) {
                        systemd_files_add(s, call);
                        return;
                }
                call->step++;
                step_unload(call);
                return;
        case 2:
                if (unit && !str_equals(unit->state.active, "failed")) {
                        call->step++;
                        step_unload(call);
                        return;
                }
                r = call_method(call, "ResetFailedUnit", "s", call->unit);
                break;
        default:
                r = unit_store_unlink(s->folder, s->links, call->unit, &call->error);
                if (r >= 0)
                        r = unit_store_remove(s->folder, call->unit, &call->error);
                if (r >= 0 && unit)
                        forget(unit);
                call_end(call, r);
                return;
        }
        if (r < 0)
                call_fail(call, r, "unload");
}

static int check_text(const char *name, Slice text, bool *ret_has_install, Error *error) {
        UnitName parts = unit_name_split(slice_from(name));
        _cleanup_unitfile_ UnitFile file = {0};
        int r;

        if (!unit_name_is_valid(slice_from(name)))
                return error_set(error, -EINVAL, "\"%s\" is no name of a unit", name);
        if (parts.kind == UNIT_NAME_TEMPLATE)
                return error_set(error, -EINVAL, "%s is a template: only instances of it can run", name);
        r = unitfile_parse(&file, text, NULL, error);
        if (r < 0)
                return error_prefix(error, r, "%s", name);
        *ret_has_install = unitfile_find_section(&file, slice_from("Install")) != SIZE_MAX;
        return 0;
}

static void step_list(Call *call) {
        Systemd *s = call->owner;

        /* GetAll of each was sent before this one: its answer comes after theirs */
        if (call->step == 0) {
                int r = call_method(call, "GetDefaultTarget", "");

                if (r < 0)
                        call_fail(call, r, "list");
                return;
        }
        list_foreach(&s->units, node) {
                SystemdUnit *unit = container_of(node, SystemdUnit, link);
                _cleanup_free_ char *text = NULL, *tag = NULL;
                SupervisorUnit told = {.name = unit->name};

                if (!unit->loaded || unit_store_read(s->folder, unit->name, &text, &tag, NULL) < 0)
                        continue;
                unit->has_install = check_text(unit->name, slice_from(text), &unit->has_install, NULL) >= 0 && unit->has_install;
                kept_state_fill(&unit->state, &told.state);
                told.tag = tag;
                told.text = slice_from(text);
                told.start_asked = unit->start_asked;
                told.start_known = unit->start_known;
                call->each(call->userdata, &told);
        }
        call_end(call, 0);
}

static void step_simple(Call *call) {
        static const struct {
                CallKind kind;
                const char *method, *what;
        } methods[] = {
                {CALL_START, "StartUnit", "start"},
                {CALL_STOP, "StopUnit", "stop"},
                {CALL_RELOAD, "ReloadUnit", "reload"},
        };

        if (call->step > 0) {
                call_end(call, 0);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
                if (methods[i].kind == call->kind) {
                        int r = call_method(call, methods[i].method, "ss", call->unit, "replace");

                        if (r < 0)
                                call_fail(call, r, methods[i].what);
                        return;
                }
}

static void call_step(Call *call) {
        switch (call->kind) {
        case CALL_UNLOAD:
                step_unload(call);
                break;
        case CALL_LIST:
                step_list(call);
                break;
        case CALL_LOAD:
        case CALL_REREAD:
                systemd_files_add(call->owner, call);
                break;
        default:
                step_simple(call);
        }
}

void systemd_call_linked(Call *call) {
        SystemdUnit *unit = call->kind == CALL_LOAD ? map_get(&call->owner->by_name, slice_from(call->unit)) : NULL;

        if (call->kind == CALL_UNLOAD) {
                call->step++;
                call_step(call);
                return;
        }
        if (unit) {
                unit->loaded = true;
                unit->has_install |= call->has_install;
                unit->state.load = "loaded";
                systemd_state_changed(call->owner, unit);
                if (unit->was_known)
                        (void)systemd_state_fetch(call->owner, unit);
                else
                        systemd_state_fetch_later(call->owner, unit);
                unit->was_known = false;
        }
        call_end(call, 0);
}

void systemd_call_failed(Call *call, int r) {
        call_end(call, r);
}

void systemd_call_refused(Call *call, int r, const sd_bus_error *error) {
        static const char *const verbs[] = {[CALL_LOAD] = "load", [CALL_UNLOAD] = "unload", [CALL_REREAD] = "reread"};

        if (error && is_absence(call, error))
                systemd_call_linked(call);
        else if (error)
                call_end_by(call, error);
        else
                call_fail(call, r, verbs[call->kind]);
}

/* A job of ours is over. */
static void job_removed(Call *call, const char *result) {
        SystemdUnit *unit = map_get(&call->owner->by_name, slice_from(call->unit));

        (void)map_remove(&call->owner->by_job, slice_from(call->job));
        free(take_ptr(call->job));
        if (call->kind == CALL_UNLOAD) { /* even if the stop has failed: the file goes */
                call->step++;
                call_step(call);
        } else if (str_equals(result, "done") || (str_equals(result, "skipped") && call->kind != CALL_RELOAD)) {
                call_end(call, 0);
        } else if (str_equals(result, "canceled")) {
                call_end(call, error_set(&call->error, -ECANCELED, "%s: cut short by another operation", call->unit));
        } else {
                call_end(call,
                         error_set(&call->error, -EREMOTEIO, "%s failed (%s)%s%s; its log says more", call->unit,
                                   result, unit && *unit->state.result ? ": " : "", unit ? unit->state.result : ""));
        }
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Systemd *s = userdata;
        const char *path, *unit, *result;
        Call *call;
        uint32_t id;

        (void)error;
        if (libsystemd.sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
                return 0;
        call = map_get(&s->by_job, slice_from(path));
        if (call)
                job_removed(call, result);
        return 0;
}

/* ---- operations ---- */

/* A failure found before anything was sent: told later, like all. */
static void fail_later(Call *call, int r) {
        call->kind = CALL_FAILED;
        call_end(call, r);
}

static Call *begin(Supervisor *supervisor, CallKind kind, const char *name, SupervisorDone done, void *userdata) {
        Systemd *s = systemd_of(supervisor);
        Call *call = call_new(s, kind, name, done, userdata);

        if (call && (s->lost || !s->bus)) {
                call_lost(call);
                return NULL;
        }
        return call;
}

static void systemd_load(Supervisor *supervisor, const char *name, Slice text, const char *tag, SupervisorDone done,
                         void *userdata) {
        Call *call = begin(supervisor, CALL_LOAD, name, done, userdata);
        int r;

        if (!call)
                return;
        r = check_text(name, text, &call->has_install, &call->error);
        if (r >= 0 && (strlen(tag) > SUPERVISOR_TAG_MAX || strpbrk(tag, "\r\n\\")))
                r = error_set(&call->error, -EINVAL, "%s: the tag is too long or holds line ends", name);
        if (r >= 0)
                r = unit_store_write(call->owner->folder, name, text, tag, &call->error);
        if (r < 0)
                fail_later(call, r);
        else
                call_step(call);
}

static void systemd_unload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Call *call = begin(supervisor, CALL_UNLOAD, name, done, userdata);
        SystemdUnit *unit;

        if (!call)
                return;
        unit = loaded_unit(call->owner, name);
        if (!unit) {
                fail_later(call, 0);
                return;
        }
        unit->start_asked = false;
        call_step(call);
}

static void systemd_reread(Supervisor *supervisor, SupervisorDone done, void *userdata) {
        Call *call = begin(supervisor, CALL_REREAD, NULL, done, userdata);

        if (call)
                call_step(call);
}

static void simple(Supervisor *supervisor, CallKind kind, const char *name, SupervisorDone done, void *userdata) {
        Call *call = begin(supervisor, kind, name, done, userdata);
        SystemdUnit *unit;

        if (!call)
                return;
        unit = loaded_unit(call->owner, name);
        if (!unit) {
                fail_later(call, error_set(&call->error, -ENOENT, "%s is not loaded", name));
                return;
        }
        if (kind == CALL_START || kind == CALL_STOP) {
                unit->start_asked = kind == CALL_START;
                unit->start_known = true;
        }
        call_step(call);
}

static void systemd_start(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        simple(supervisor, CALL_START, name, done, userdata);
}

static void systemd_stop(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        simple(supervisor, CALL_STOP, name, done, userdata);
}

static void systemd_reload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        simple(supervisor, CALL_RELOAD, name, done, userdata);
}

static void systemd_kill(Supervisor *supervisor, const char *name, int signal, SupervisorDone done, void *userdata) {
        Call *call = begin(supervisor, CALL_KILL, name, done, userdata);
        int r;

        if (!call)
                return;
        if (!loaded_unit(call->owner, name)) {
                fail_later(call, error_set(&call->error, -ENOENT, "%s is not loaded", name));
                return;
        }
        r = call_method(call, "KillUnit", "ssi", name, "all", (int32_t)signal);
        if (r < 0)
                call_fail(call, r, "kill");
}

static void systemd_list(Supervisor *supervisor, void (*each)(void *userdata, const SupervisorUnit *unit),
                         SupervisorDone done, void *userdata) {
        Call *call = begin(supervisor, CALL_LIST, NULL, done, userdata);
        _cleanup_string_list_ StringList names = {0};
        int r;

        if (!call)
                return;
        call->each = each;
        r = unit_store_list(call->owner->folder, &names, &call->error);
        for (size_t i = 0; r >= 0 && i < names.length; i++) {
                SystemdUnit *unit = systemd_unit(call->owner, names.items[i]);

                r = unit ? systemd_state_fetch(call->owner, unit) : -ENOMEM;
                if (r >= 0)
                        unit->loaded = true;
                else
                        (void)error_set_errno(&call->error, r, "cannot ask for the state of %s", names.items[i]);
        }
        if (r < 0)
                fail_later(call, r);
        else
                call_step(call);
}

static int systemd_state(Supervisor *supervisor, const char *name, SupervisorState *ret) {
        SystemdUnit *unit = loaded_unit(systemd_of(supervisor), name);

        if (!unit)
                return -ENOENT;
        kept_state_fill(unit->was_told ? &unit->told : &unit->state, ret);
        return 0;
}

/* ---- the next turn, and the end ---- */

static void tell_finished(Systemd *s) {
        size_t n = 0;

        list_foreach(&s->finished, node)
                n++;
        while (n-- > 0 && !list_is_empty(&s->finished)) {
                Call *call = container_of(s->finished.next, Call, link);

                list_unlink(&call->link);
                call->done(call->userdata, call->r, &call->error);
                call_free(call);
        }
        if (!list_is_empty(&s->finished))
                systemd_wake(s);
}

static void tell_lost(Systemd *s) {
        Error error;

        while (!list_is_empty(&s->calls))
                call_lost(container_of(s->calls.next, Call, link));
        if (!s->lost_r)
                return;
        systemd_bus_retry(s);
        (void)error_set_errno(&error, s->lost_r, "the connection to systemd is lost; it is tried again until it is back");
        if (s->base.events->lost)
                s->base.events->lost(s->base.userdata, s->lost_r, &error);
        s->lost_r = 0;
}

static void close_handles(Systemd *s) {
        systemd_bus_close(s);
        uv_close((uv_handle_t *)&s->timer, systemd_handle_closed);
        uv_close((uv_handle_t *)&s->look, systemd_handle_closed);
        uv_close((uv_handle_t *)&s->later, systemd_handle_closed);
        uv_close((uv_handle_t *)&s->hurry, systemd_handle_closed);
}

void systemd_on_later(uv_check_t *check) {
        Systemd *s = check->data;

        (void)uv_check_stop(&s->later);
        (void)uv_idle_stop(&s->hurry);
        if (s->closing) {
                tell_finished(s);
                systemd_logs_turn(s);
                if (list_is_empty(&s->finished))
                        close_handles(s);
                return;
        }
        systemd_state_tell(s);
        tell_finished(s);
        systemd_logs_turn(s);
        systemd_files_turn(s);
        systemd_requests_send(s);
        systemd_bus_pump(s); /* what was queued meanwhile goes out */
        if (s->lost)
                tell_lost(s);
}

static void systemd_free(Systemd *s) {
        while (!list_is_empty(&s->units))
                unit_free(container_of(s->units.next, SystemdUnit, link));
        map_deinit(&s->by_name);
        map_deinit(&s->by_path);
        map_deinit(&s->by_job);
        words_deinit(&s->words);
        free(s->folder);
        free(s->links);
        free(s);
}

void systemd_handle_gone(Systemd *s) {
        void (*closed)(void *userdata) = s->closed;
        void *userdata = s->closed_data;

        if (--s->open > 0)
                return;
        systemd_free(s);
        if (closed)
                closed(userdata);
}

static void systemd_close(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata) {
        Systemd *s = systemd_of(supervisor);

        s->closing = true;
        s->closed = closed;
        s->closed_data = userdata;
        systemd_requests_send_rest(s);
        while (!list_is_empty(&s->calls)) {
                Call *call = container_of(s->calls.next, Call, link);

                call_end(call, error_set(&call->error, -ECANCELED, "%s: the supervisor is let go of",
                                         call->unit ? call->unit : "units"));
        }
        systemd_wake(s);
}

static const SupervisorOps systemd_ops = {
        .name = "systemd",
        .load = systemd_load,
        .unload = systemd_unload,
        .reread = systemd_reread,
        .start = systemd_start,
        .stop = systemd_stop,
        .reload = systemd_reload,
        .kill = systemd_kill,
        .list = systemd_list,
        .state = systemd_state,
        .log_open = systemd_log_open,
        .log_close = systemd_log_close,
        .leave = systemd_close, /* systemd's units go on in any case */
        .close = systemd_close,
};

int systemd_connect(Systemd *s, Error *error) {
        int r;

        r = systemd_bus_open(s, error);
        if (r >= 0)
                r = systemd_state_watch(s, error);
        if (r >= 0) {
                r = libsystemd.sd_bus_match_signal_async(s->bus, NULL, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                              "JobRemoved", on_job_removed, NULL, s);
                if (r < 0)
                        (void)error_set_errno(error, r, "cannot subscribe to systemd's jobs");
        }
        return r;
}

int systemd_supervisor_new(uv_loop_t *loop, const SystemdOptions *options, const SupervisorEvents *events,
                           void *userdata, Supervisor **ret, Error *error) {
        Systemd *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return error_set_errno(error, -ENOMEM, "cannot make the supervisor");
        s->base = (Supervisor){&systemd_ops, events, userdata};
        s->loop = loop;
        s->user = options->user;
        list_init(&s->units);
        list_init(&s->changed);
        list_init(&s->unseen);
        list_init(&s->outbox);
        list_init(&s->sent);
        systemd_files_init(s);
        list_init(&s->calls);
        list_init(&s->finished);
        list_init(&s->logs);
        s->folder = strdup(options->units_directory ? options->units_directory : "/run/fleet/units");
        s->links = systemd_files_links(s->user);
        (void)uv_timer_init(loop, &s->timer); /* cannot fail, as the next three */
        (void)uv_timer_init(loop, &s->look);
        (void)uv_check_init(loop, &s->later);
        (void)uv_idle_init(loop, &s->hurry);
        s->timer.data = s->look.data = s->later.data = s->hurry.data = s;
        s->open = 4;
        r = s->folder && s->links ? libsystemd_load(error) : -ENOMEM;
        if (r >= 0)
                r = file_make_folder(s->folder, 0755, error);
        if (r >= 0)
                r = file_make_folder(s->links, 0755, error);
        if (r >= 0)
                r = systemd_connect(s, error);
        if (r < 0) {
                s->closing = true;
                close_handles(s); /* the loop frees it */
                return r;
        }
        systemd_bus_pump(s);
        *ret = &s->base;
        return 0;
}
