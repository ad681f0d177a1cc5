#pragma once
/*
 * What the service manager that started the server hears of it (sd_notify(3)): that it reads on at its beginning, that it serves, what
 * it is at, that its loop turns, and that it ends. Does nothing without one. The only file of the store that speaks to it.
 */
#include "base/clock.h"
#include "base/util.h"

typedef struct ServiceManager {
        Usec watchdog;      /* longest silence that it bears; 0: it does not listen for silence */
        Usec spoken;        /* when it heard of the turning loop last, or, before it is ready, that it goes on */
        bool ready;
        char status[128];   /* as told last */
} ServiceManager;

void service_manager_init(ServiceManager *manager);

/* It serves now; told once. */
void service_manager_ready(ServiceManager *manager);

/* One line for `systemctl status`; told when it is another than before. */
void service_manager_status(ServiceManager *manager, const char *format, ...) _printf_(2, 3);

/* It begins, and that takes a while: called at each step that shows that it goes on. */
void service_manager_begins(ServiceManager *manager, Usec now);

/* Called by the loop, and by nothing else: a loop that is stuck must not be vouched for. */
void service_manager_alive(ServiceManager *manager, Usec now);

void service_manager_stopping(void);
