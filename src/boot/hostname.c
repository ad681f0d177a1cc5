/* The name of the running machine: through systemd-hostnamed where that is, so that who listens to it hears of the change. */
#include <errno.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "boot/root-files.h"

#define DESTINATION "org.freedesktop.hostname1"
#define OBJECT_PATH "/org/freedesktop/hostname1"

static int call(sd_bus *bus, const char *method, const char *name) {
        return sd_bus_call_method(bus, DESTINATION, OBJECT_PATH, DESTINATION, method, NULL, NULL, "sb", name, 0);
}

static int set_by_hostnamed(const char *name) {
        sd_bus *bus = NULL;
        int r = sd_booted() > 0 ? sd_bus_open_system(&bus) : -ENODATA;

        if (r >= 0)
                r = call(bus, "SetStaticHostname", name);
        if (r >= 0)
                r = call(bus, "SetHostname", name);
        (void)sd_bus_flush_close_unref(bus);
        return r;
}

int hostname_set(const char *name, Error *error) {
        if (set_by_hostnamed(name) >= 0)
                return 0;
        return sethostname(name, strlen(name)) < 0 ? error_set_errno(error, -errno, "cannot set the host name") : 0;
}
