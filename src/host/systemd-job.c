#include "host/systemd-job.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "host/systemd-internal.h"

#define ANSWER_TIMEOUT USEC_PER_SEC

/* The path of the unit's job; NULL: it has none. */
static char *job_of(sd_bus *bus, const char *unit) {
        _cleanup_free_ char *path = NULL;
        sd_bus_message *reply = NULL;
        const char *job = NULL;
        uint32_t id = 0;
        char *found = NULL;

        if (libsystemd.sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path) < 0 ||
            libsystemd.sd_bus_get_property(bus, SYSTEMD_DESTINATION, path, SYSTEMD_DESTINATION ".Unit", "Job", NULL, &reply,
                                "(uo)") < 0)
                return NULL;
        if (libsystemd.sd_bus_message_read(reply, "(uo)", &id, &job) > 0 && id > 0)
                found = strdup(job);
        libsystemd.sd_bus_message_unref(reply);
        return found;
}

bool systemd_job_is_restart(void) {
        _cleanup_free_ char *unit = NULL, *job = NULL, *type = NULL;
        sd_bus *bus = NULL;

        if (!systemd_is_running() || libsystemd_load(NULL) < 0 || libsystemd.sd_pid_get_unit(0, &unit) < 0 || libsystemd.sd_bus_open_system(&bus) < 0)
                return false;
        (void)libsystemd.sd_bus_set_method_call_timeout(bus, ANSWER_TIMEOUT);
        job = job_of(bus, unit);
        if (job)
                (void)libsystemd.sd_bus_get_property_string(bus, SYSTEMD_DESTINATION, job, SYSTEMD_DESTINATION ".Job", "JobType",
                                                 NULL, &type);
        libsystemd.sd_bus_flush_close_unref(bus);
        return type && str_equals(type, "restart");
}
