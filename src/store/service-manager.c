#include "store/service-manager.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

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
