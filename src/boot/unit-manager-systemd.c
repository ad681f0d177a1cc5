/* Unit operations on systemd: blocking D-Bus calls. A command leaves a job, whose end systemd tells by a signal. */
#include <errno.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "boot/unit-manager.h"

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

#define JOBS_MAX ((size_t)20000)

enum { STATE_MAX = 32, RESTART_LOOK_USEC = 100000 };

typedef struct Job {
        char *unit, *path;
        char *result; /* what it ended with; NULL: it goes on */
} Job;

typedef struct SystemdUnitManager {
        UnitManager base;
        sd_bus *bus;
        Job *jobs;
        size_t length, capacity;
} SystemdUnitManager;

typedef struct Method {
        const char *action, *name;
} Method;

static const Method methods[] = {
        {"start", "StartUnit"},
        {"stop", "StopUnit"},
        {"restart", "RestartUnit"},
        {"reload", "ReloadUnit"},
        {"try-restart", "TryRestartUnit"},
        {"reload-or-restart", "ReloadOrRestartUnit"},
        {"reload-or-try-restart", "ReloadOrTryRestartUnit"},
};

static int bus_failed(int r, sd_bus_error *bus_error, Error *error) {
        if (sd_bus_error_has_name(bus_error, "org.freedesktop.systemd1.NoSuchUnit"))
                r = -ENOENT;
        if (bus_error->message)
                (void)error_set(error, r, "%s", bus_error->message);
        else
                (void)error_set_errno(error, r, "systemd did not answer");
        sd_bus_error_free(bus_error);
        return r;
}

/* A signal that comes while a method call waits for its answer is queued by sd-bus, and delivered by sd_bus_process():
 * when all jobs' paths are known. */
static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *bus_error) {
        SystemdUnitManager *manager = userdata;
        const char *path, *unit, *result;
        uint32_t id;

        (void)bus_error;
        if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
                return 0;
        for (size_t i = 0; i < manager->length; i++)
                if (str_equals(path, manager->jobs[i].path) && !manager->jobs[i].result)
                        manager->jobs[i].result = strdup(result);
        return 0;
}

static int systemd_enable(UnitManager *base, const char *unit, bool runtime, Error *error) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);
        sd_bus_error bus_error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        int r = sd_bus_call_method(manager->bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "EnableUnitFiles",
                                   &bus_error, &reply, "asbb", 1, unit, (int)runtime, 1);

        if (r < 0)
                return bus_failed(r, &bus_error, error);
        r = sd_bus_message_skip(reply, "b"); /* then the list of what it changed */
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(sss)");
        if (r >= 0)
                r = sd_bus_message_at_end(reply, false);
        sd_bus_message_unref(reply);
        return r > 0 ? BOOT_SAME : r;
}

static int systemd_reload(UnitManager *base, Error *error) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);
        sd_bus_error bus_error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(manager->bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "Reload", &bus_error,
                                   NULL, NULL);

        return r < 0 ? bus_failed(r, &bus_error, error) : 0;
}

static int add_job(SystemdUnitManager *manager, const char *unit, const char *path) {
        Job job = {.unit = strdup(unit), .path = strdup(path)};

        if (manager->length == manager->capacity && manager->length < JOBS_MAX) {
                size_t wanted = manager->capacity ? manager->capacity * 2 : 8;
                Job *more = reallocarray(manager->jobs, wanted, sizeof(*more));

                manager->jobs = more ?: manager->jobs;
                manager->capacity = more ? wanted : manager->capacity;
        }
        if (!job.unit || !job.path || manager->length == manager->capacity) {
                free(job.unit);
                free(job.path);
                return -ENOMEM;
        }
        manager->jobs[manager->length++] = job;
        return 0;
}

static int systemd_command(UnitManager *base, const char *unit, const char *action, Buffer *result, Error *error) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);
        sd_bus_error bus_error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *method = NULL, *path;
        int r;

        (void)result;
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
                if (str_equals(methods[i].action, action))
                        method = methods[i].name;
        if (!method)
                return error_set(error, -EINVAL, "systemd has no command \"%s\"", action);
        r = sd_bus_call_method(manager->bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, method, &bus_error, &reply,
                               "ss", unit, "replace");
        if (r < 0)
                return bus_failed(r, &bus_error, error);
        r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0)
                r = add_job(manager, unit, path);
        sd_bus_message_unref(reply);
        return r;
}

/* The last one of the unit. */
static const Job *find_job(const SystemdUnitManager *manager, const char *unit) {
        for (size_t i = manager->length; i-- > 0;)
                if (str_equals(manager->jobs[i].unit, unit))
                        return &manager->jobs[i];
        return NULL;
}

/* "active", "activating" and so on; "" when systemd does not say. */
static void get_active_state(SystemdUnitManager *manager, const char *unit, char state[static STATE_MAX]) {
        sd_bus_message *reply = NULL;
        const char *path;
        char *value = NULL;

        state[0] = '\0';
        if (sd_bus_call_method(manager->bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "LoadUnit", NULL, &reply,
                               "s", unit) >= 0 &&
            sd_bus_message_read(reply, "o", &path) >= 0 &&
            sd_bus_get_property_string(manager->bus, DESTINATION, path, "org.freedesktop.systemd1.Unit", "ActiveState",
                                       NULL, &value) >= 0)
                (void)snprintf(state, STATE_MAX, "%s", value);
        sd_bus_message_unref(reply);
        free(value);
}

/* A unit that Restart= starts again, until it is up or has given up: the job that has failed was only its first try. */
static int follow_restarts(SystemdUnitManager *manager, const char *unit, Usec *left, Buffer *result) {
        Usec begin = clock_monotonic(), spent = 0;
        char state[STATE_MAX];

        for (;;) {
                get_active_state(manager, unit, state);
                if (!str_equals(state, "activating") || spent >= *left)
                        break;
                (void)usleep(RESTART_LOOK_USEC);
                spent = clock_monotonic() - begin;
        }
        *left -= min_of(*left, spent);
        if (str_equals(state, "activating"))
                return UNIT_COMMAND_PENDING;
        if (!str_equals(state, "active"))
                return UNIT_COMMAND_FAILED;
        (void)buffer_append_string(result, "done, after it was started again");
        return 0;
}

static int systemd_await(UnitManager *base, const char *unit, Usec *left, Buffer *result, Error *error) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);
        const Job *job = find_job(manager, unit);
        Usec begin = clock_monotonic(), spent = 0;
        int r;

        while (job && !job->result && spent < *left) {
                r = sd_bus_process(manager->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(manager->bus, *left - spent);
                if (r < 0 && r != -EINTR)
                        return error_set_errno(error, r, "the connection to systemd broke off");
                spent = clock_monotonic() - begin;
        }
        *left -= min_of(*left, spent);
        if (!job || !job->result)
                return UNIT_COMMAND_PENDING;
        if (str_equals(job->result, "done")) {
                (void)buffer_append_string(result, job->result);
                return 0;
        }
        r = follow_restarts(manager, unit, left, result);
        if (r == UNIT_COMMAND_FAILED)
                (void)buffer_append_string(result, job->result);
        return r;
}

static void systemd_free(UnitManager *base) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);

        for (size_t i = 0; i < manager->length; i++) {
                free(manager->jobs[i].unit);
                free(manager->jobs[i].path);
                free(manager->jobs[i].result);
        }
        free(manager->jobs);
        (void)sd_bus_flush_close_unref(manager->bus);
        free(manager);
}

static const UnitManagerOps systemd_ops = {
        .name = "systemd",
        .enable = systemd_enable,
        .reload = systemd_reload,
        .command = systemd_command,
        .await = systemd_await,
        .free = systemd_free,
};

static int subscribe(SystemdUnitManager *manager) {
        int r = sd_bus_match_signal(manager->bus, NULL, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "JobRemoved",
                                    on_job_removed, manager);

        if (r >= 0)
                r = sd_bus_call_method(manager->bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "Subscribe", NULL,
                                       NULL, NULL);
        return r;
}

int systemd_unit_manager_new(UnitManager **ret, Error *error) {
        SystemdUnitManager *manager = calloc(1, sizeof(*manager));
        int r;

        if (!manager)
                return -ENOMEM;
        manager->base.ops = &systemd_ops;
        r = sd_bus_open_system(&manager->bus);
        if (r >= 0)
                r = subscribe(manager);
        if (r < 0) {
                systemd_free(&manager->base);
                return error_set_errno(error, r, "cannot reach systemd on the system D-Bus; is dbus running?");
        }
        *ret = &manager->base;
        return 0;
}
