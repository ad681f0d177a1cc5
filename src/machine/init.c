#include "machine/init.h"

#include <errno.h>

#include "host/embedded-supervisor.h"

enum {
        STOP_MSEC = 20000,
        LOG_BYTES = 1 << 20, /* the logs lie in memory */
        SOCKET_MODE = 0600,
};

struct Init {
        uv_loop_t *loop;
        InitOptions options;
        const InitEvents *events;
        void *userdata;
        Supervisor *supervisor;
        SystemUnits units;
        HttpServer *http;
        uv_timer_t stop_timer;
        size_t starting, failed; /* wanted units at boot */
        Error first_failure;
        size_t stop_pending;
        bool booting, stopping, closing, timer_open;
};

/* An operation of ours under way. */
typedef struct Work {
        Init *init;
        char name[UNIT_NAME_MAX];
} Work;

static Work *work_new(Init *init, const char *name) {
        Work *work = calloc(1, sizeof(*work));

        if (work) {
                work->init = init;
                memcpy(work->name, name, min_of(strlen(name), sizeof(work->name) - 1));
        }
        return work;
}

static void note(Init *init, const char *format, ...) _printf_(2, 3);

static void note(Init *init, const char *format, ...) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        va_list args;

        va_start(args, format);
        (void)buffer_vprintf(&text, format, args);
        va_end(args);
        init->events->note(init->userdata, buffer_string(&text) ?: format);
}

Supervisor *init_supervisor(Init *init) {
        return init->supervisor;
}

const SystemUnits *init_units(const Init *init) {
        return &init->units;
}

/* ---- loading ---- */

static void on_loaded(void *userdata, int r, const Error *error) {
        Work *work = userdata;
        SystemUnit *unit = system_units_find(&work->init->units, work->name);

        if (r < 0 && unit && !unit->problem) {
                unit->problem = strdup(error->text);
                note(work->init, "%s", error->text);
        }
        free(work);
}

static int load_unit(Init *init, const SystemUnit *unit) {
        Work *work;

        if (!unit->text)
                return 0;
        work = work_new(init, unit->name);
        if (!work)
                return -ENOMEM;
        supervisor_load(init->supervisor, unit->name, slice_from(unit->text), "", on_loaded, work);
        return 0;
}

static bool is_at_rest(Init *init, const char *name) {
        SupervisorState state;

        return supervisor_state(init->supervisor, name, &state) < 0 || str_equals(state.active, "inactive") ||
               str_equals(state.active, "failed");
}

/* Those whose files are gone; one that runs stays until it is stopped. */
static void unload_vanished(Init *init, const SystemUnits *now) {
        for (size_t i = 0; i < init->units.length; i++) {
                const char *name = init->units.items[i]->name;

                if (!system_units_find(now, name) && is_at_rest(init, name))
                        supervisor_unload(init->supervisor, name, NULL, NULL);
        }
}

/* Instances are known only to who asked for them. */
static void keep_instances(Init *init, SystemUnits *now) {
        for (size_t i = 0; i < init->units.length; i++) {
                const char *name = init->units.items[i]->name;
                SystemUnit *unit;

                if (unit_name_split(slice_from(name)).kind == UNIT_NAME_INSTANCE && !system_units_find(now, name))
                        (void)system_units_add_instance(now, init->options.folders, INIT_PASS_ENVIRONMENT, name, &unit,
                                                        NULL);
        }
}

static bool is_same(const SystemUnits *old, const SystemUnit *unit) {
        const SystemUnit *before = system_units_find(old, unit->name);

        return before && before->text && unit->text && !before->problem && str_equals(before->text, unit->text);
}

int init_reload(Init *init, Error *error) {
        _cleanup_system_units_ SystemUnits now = {0};
        SystemUnits old;
        int r;

        r = system_units_read(init->options.folders, INIT_PASS_ENVIRONMENT, &now, error);
        if (r < 0)
                return r;
        keep_instances(init, &now);
        unload_vanished(init, &now);
        old = init->units;
        init->units = now;
        now = old; /* freed at the end */
        for (size_t i = 0; r >= 0 && i < init->units.length; i++) {
                const SystemUnit *unit = init->units.items[i];

                if (unit->problem && !unit->masked)
                        note(init, "%s", unit->problem);
                if (!is_same(&old, unit))
                        r = load_unit(init, unit);
        }
        return r < 0 ? error_set_errno(error, r, "cannot load the units") : 0;
}

SystemUnit *init_find(Init *init, const char *name, Error *error) {
        SystemUnit *unit = system_units_find(&init->units, name);
        int r;

        if (unit)
                return unit;
        r = system_units_add_instance(&init->units, init->options.folders, INIT_PASS_ENVIRONMENT, name, &unit, error);
        if (r >= 0)
                r = load_unit(init, unit);
        return r < 0 ? NULL : unit;
}

void init_unit_state(Init *init, const SystemUnit *unit, SupervisorState *ret) {
        if (supervisor_state(init->supervisor, unit->name, ret) >= 0)
                return;
        *ret = (SupervisorState){.load = "not-found", .active = "inactive", .sub = "dead", .result = "success"};
        if (unit->masked)
                supervisor_set_word(ret->load, sizeof(ret->load), "masked");
        else if (unit->problem)
                supervisor_set_word(ret->load, sizeof(ret->load), "bad-setting");
        supervisor_set_word(ret->text, sizeof(ret->text), unit->problem ?: "");
}

/* ---- starting ---- */

void init_start_unit(Init *init, SystemUnit *unit, SupervisorDone done, void *userdata) {
        _cleanup_buffer_ Buffer why = BUFFER_INIT;
        _cleanup_string_list_ StringList unknown = {0};
        Error error;

        if (unit->problem) {
                done(userdata, error_set(&error, -ENOENT, "%s", unit->problem), &error);
                return;
        }
        if (!system_unit_conditions_hold(unit, &why, &unknown)) {
                note(init, "%s is passed over: %s", unit->name, buffer_string(&why) ?: "a condition does not hold");
                done(userdata, 0, &(Error){.text = ""});
                return;
        }
        for (size_t i = 0; i < unknown.length; i++)
                note(init, "%s: %s= is not looked at here, and counts as holding", unit->name, unknown.items[i]);
        supervisor_start(init->supervisor, unit->name, done, userdata);
}

static void boot_step(Init *init) {
        if (!init->booting || init->starting > 0)
                return;
        init->booting = false;
        init->events->booted(init->userdata, init->failed, init->first_failure.text);
}

static void on_boot_started(void *userdata, int r, const Error *error) {
        Work *work = userdata;
        Init *init = work->init;

        init->starting--;
        if (r < 0 && init->failed++ == 0)
                init->first_failure = *error;
        if (r < 0)
                note(init, "%s", error->text);
        free(work);
        boot_step(init);
}

/* The supervisor keeps the order of what is started together. */
static void boot(Init *init) {
        init->booting = true;
        init->starting = 1; /* not before all are asked for */
        for (size_t i = 0; i < init->units.length; i++) {
                SystemUnit *unit = init->units.items[i];
                Work *work = unit->wanted ? work_new(init, unit->name) : NULL;

                if (!work)
                        continue;
                init->starting++;
                init_start_unit(init, unit, on_boot_started, work);
        }
        init->starting--;
        boot_step(init);
}

/* ---- the end ---- */

static void close_all(Init *init) {
        if (init->closing)
                return;
        init->closing = true;
        if (init->timer_open)
                uv_close((uv_handle_t *)&init->stop_timer, NULL);
        if (init->http)
                http_server_close(init->http, NULL, NULL);
        if (init->supervisor)
                init->supervisor->ops->close(init->supervisor, NULL, NULL);
        init->http = NULL;
}

static void stop_step(Init *init);

static void on_unit_stopped(void *userdata, int r, const Error *error) {
        Init *init = userdata;

        if (r < 0 && r != -ECANCELED)
                note(init, "%s", error->text);
        init->stop_pending--;
        if (init->stop_pending == 0 && !init->closing)
                stop_step(init);
}

/* Stops all that nothing which still runs is ordered after; what depends on those comes in the next step. */
static void stop_step(Init *init) {
        bool *running = calloc(init->units.length + 1, sizeof(*running));
        size_t left = 0;

        if (!running) {
                close_all(init);
                return;
        }
        for (size_t i = 0; i < init->units.length; i++) {
                running[i] = !is_at_rest(init, init->units.items[i]->name);
                left += running[i];
        }
        init->stop_pending = 1;
        for (int round = 0; left > 0 && init->stop_pending == 1 && round < 2; round++)
                for (size_t i = 0; i < init->units.length; i++)
                        /* in the second round: a ring, in which any may go first */
                        if (running[i] && (round > 0 || !system_units_is_needed(&init->units, running, i))) {
                                init->stop_pending++;
                                supervisor_stop(init->supervisor, init->units.items[i]->name, on_unit_stopped, init);
                        }
        free(running);
        init->stop_pending--;
        if (left == 0)
                close_all(init);
}

static void on_stop_timeout(uv_timer_t *timer) {
        Init *init = timer->data;

        note(init, "some units have not ended within %d s: they are killed", STOP_MSEC / 1000);
        close_all(init);
}

void init_stop(Init *init) {
        if (init->stopping)
                return;
        init->stopping = true;
        note(init, "powering off: stopping all units");
        embedded_supervisor_let_fall(init->supervisor);
        (void)uv_timer_start(&init->stop_timer, on_stop_timeout, STOP_MSEC, 0);
        stop_step(init);
}

/* ---- birth ---- */

static void on_changed(void *userdata, const char *name, const SupervisorState *state) {
        Init *init = userdata;

        if (str_equals(state->active, "failed"))
                note(init, "%s has failed (%s)%s%s", name, state->result, state->text[0] ? ": " : "", state->text);
        else if (str_equals(state->active, "active"))
                note(init, "%s is active (%s)", name, state->sub);
        else if (str_equals(state->sub, "auto-restart"))
                note(init, "%s will be started again (%s)%s%s", name, state->result, state->text[0] ? ": " : "",
                     state->text);
}

static const SupervisorEvents supervisor_events = {.changed = on_changed};
static const HttpServerOps http_ops = {.handle = init_api_handle};

static int listen_api(Init *init, Error *error) {
        Url url = {.scheme = URL_UNIX};

        if (strlen(init->options.socket) >= sizeof(url.host))
                return error_set(error, -ENAMETOOLONG, "the socket's path is too long: %s", init->options.socket);
        memcpy(url.host, init->options.socket, strlen(init->options.socket) + 1);
        init->http = http_server_new(init->loop, &http_ops, init, NULL);
        if (!init->http)
                return error_set_errno(error, -ENOMEM, "cannot serve the API");
        return http_server_listen(init->http, &url, SOCKET_MODE, NULL, NULL, error);
}

int init_new(uv_loop_t *loop, const InitOptions *options, const InitEvents *events, void *userdata, Init **ret,
             Error *error) {
        const EmbeddedOptions embedded = {
                .state_directory = options->state_directory,
                .cgroup_at_top = true,
                .log_size = LOG_BYTES,
        };
        Init *init = calloc(1, sizeof(*init));
        int r;

        if (!init)
                return error_set_errno(error, -ENOMEM, "cannot begin");
        *init = (Init){.loop = loop, .options = *options, .events = events, .userdata = userdata};
        *ret = init;
        r = embedded_supervisor_new(loop, &embedded, &supervisor_events, init, &init->supervisor, NULL, error);
        if (r < 0)
                return r;
        (void)uv_timer_init(loop, &init->stop_timer); /* cannot fail */
        init->stop_timer.data = init;
        init->timer_open = true;
        r = listen_api(init, error);
        if (r >= 0)
                r = init_reload(init, error);
        if (r >= 0)
                boot(init);
        return r;
}

Init *init_free(Init *init) {
        if (!init)
                return NULL;
        close_all(init);
        (void)uv_run(init->loop, UV_RUN_DEFAULT);
        system_units_deinit(&init->units);
        free(init);
        return NULL;
}
