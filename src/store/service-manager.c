#include "store/service-manager.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define BEGINS_EVERY USEC_PER_SEC
#define BEGINS_MORE (60 * USEC_PER_SEC) /* of a slow disk, for one read and what is made of it */

void service_manager_init(ServiceManager *manager) {
        uint64_t usec = 0;

        *manager = (ServiceManager){0};
        if (sd_watchdog_enabled(false, &usec) > 0)
                manager->watchdog = usec;
}

void service_manager_ready(ServiceManager *manager) {
        if (manager->ready)
                return;
        manager->ready = true;
        (void)sd_notify(false, "READY=1");
}

void service_manager_status(ServiceManager *manager, const char *format, ...) {
        char status[sizeof(manager->status)];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(status, sizeof(status), format, args);
        va_end(args);
        if (strcmp(status, manager->status) == 0)
                return;
        memcpy(manager->status, status, sizeof(status));
        (void)sd_notifyf(false, "STATUS=%s", status);
}

/* Not for each of a thousand reads; the first time at once, as nobody knows how long the next one takes. */
void service_manager_begins(ServiceManager *manager, Usec now) {
        if (manager->spoken > 0 && now - manager->spoken < BEGINS_EVERY)
                return;
        manager->spoken = now;
        (void)sd_notifyf(false, "EXTEND_TIMEOUT_USEC=%" PRIu64, (uint64_t)BEGINS_MORE);
}

/* Twice as often as must be, as sd_watchdog_enabled(3) has it. */
void service_manager_alive(ServiceManager *manager, Usec now) {
        if (manager->watchdog == 0 || now - manager->spoken < manager->watchdog / 2)
                return;
        manager->spoken = now;
        (void)sd_notify(false, "WATCHDOG=1");
}

void service_manager_stopping(void) {
        (void)sd_notify(false, "STOPPING=1");
}
