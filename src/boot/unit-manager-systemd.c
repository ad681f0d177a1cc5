/* Unit operations on systemd: blocking D-Bus calls, and for a command the wait for its job's end. */
#include <errno.h>
#include <systemd/sd-bus.h>

#include "boot/unit-manager.h"

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

typedef struct SystemdUnitManager {
        UnitManager base;
        sd_bus *bus;
        char *job;    /* the job that is waited for; NULL: none */
        char *result; /* what it ended with */
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
 * when the job's path is known. */
static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *bus_error) {
        SystemdUnitManager *manager = userdata;
        const char *path, *unit, *result;
        uint32_t id;

        (void)bus_error;
        if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
                return 0;
        if (manager->job && str_equals(path, manager->job) && !manager->result)
                manager->result = strdup(result);
        return 0;
}

static int systemd_enable(UnitManager *base, const char *unit, bool runtime, Error *error) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);
        sd_bus_error bus_error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(manager->bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "EnableUnitFiles",
                                   &bus_error, NULL, "asbb", 1, unit, (int)runtime, 1);

        return r < 0 ? bus_failed(r, &bus_error, error) : 0;
}

static int systemd_reload(UnitManager *base, Error *error) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);
        sd_bus_error bus_error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(manager->bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, "Reload", &bus_error,
                                   NULL, NULL);

        return r < 0 ? bus_failed(r, &bus_error, error) : 0;
}

/* Until the job's end has been told. How long that may take is the unit's matter. */
static int await_job(SystemdUnitManager *manager, Error *error) {
        while (!manager->result) {
                int r = sd_bus_process(manager->bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(manager->bus, UINT64_MAX);
                if (r < 0)
                        return error_set_errno(error, r, "the connection to systemd broke off");
        }
        return 0;
}

static int ask_for_job(SystemdUnitManager *manager, const char *method, const char *unit, Error *error) {
        sd_bus_error bus_error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *path;
        int r = sd_bus_call_method(manager->bus, DESTINATION, MANAGER_PATH, MANAGER_INTERFACE, method, &bus_error,
                                   &reply, "ss", unit, "replace");

        if (r < 0)
                return bus_failed(r, &bus_error, error);
        r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0) {
                manager->job = strdup(path);
                r = manager->job ? 0 : -ENOMEM;
        }
        sd_bus_message_unref(reply);
        return r;
}

static void forget_job(SystemdUnitManager *manager) {
        free(manager->job);
        free(manager->result);
        manager->job = manager->result = NULL;
}

static int systemd_command(UnitManager *base, const char *unit, const char *action, bool wait, Buffer *result,
                           Error *error) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);
        const char *method = NULL;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
                if (str_equals(methods[i].action, action))
                        method = methods[i].name;
        if (!method)
                return error_set(error, -EINVAL, "systemd has no command \"%s\"", action);
        r = ask_for_job(manager, method, unit, error);
        if (r >= 0 && wait)
                r = await_job(manager, error);
        if (r >= 0) {
                (void)buffer_append_string(result, manager->result ?: "asked for");
                r = !manager->result || str_equals(manager->result, "done") ? 0 : UNIT_COMMAND_FAILED;
        }
        forget_job(manager);
        return r;
}

static void systemd_free(UnitManager *base) {
        SystemdUnitManager *manager = container_of(base, SystemdUnitManager, base);

        forget_job(manager);
        (void)sd_bus_flush_close_unref(manager->bus);
        free(manager);
}

static const UnitManagerOps systemd_ops = {
        .name = "systemd",
        .enable = systemd_enable,
        .reload = systemd_reload,
        .command = systemd_command,
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
