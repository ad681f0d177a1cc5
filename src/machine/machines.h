#pragma once
/* The daemon of local machines: everything it owns, on one loop. machines-main.c makes it and runs the loop. */
#include <uv.h>

#include "machine/forward.h"
#include "machine/machine.h"
#include "net/http-server.h"

#define MACHINES_DIRECTORY_DEFAULT "/var/lib/faering/local"

typedef struct Machines Machines;

typedef struct MachinesOptions {
        const char *directory;
        const char *programs; /* NULL: gathers them from where the running program lies */
} MachinesOptions;

/* Clears what an earlier daemon left, and begins. `options` is borrowed; *ret is the caller's also when this fails. */
int machines_new(uv_loop_t *loop, const MachinesOptions *options, Machines **ret, Error *error);

/* Ends all machines and removes everything, but for the disks with `keep_disks`: machines are then asked to end. Then
 * the loop comes to its end. */
void machines_down(Machines *machines, bool keep_disks);

/* After the loop has ended. */
Machines *machines_free(Machines *machines);

/* For `faering down` when no daemon runs: removes what one that was killed left. 1: there was something. */
int machines_clear(const char *directory, bool keep_disks, Error *error);

/* ---- for machines-api.c ---- */

/* NULL: there is none. */
Machine *machines_find(Machines *machines, unsigned number);

/* Makes the machine unless it is there. `user_data` with data NULL: stays as it is. */
int machines_create(Machines *machines, unsigned number, Slice user_data, Machine **ret, Error *error);

int machines_power_on(Machines *machines, Machine *machine, Error *error);

/* Only when off. */
int machines_remove(Machines *machines, Machine *machine, Error *error);

int machines_add_forward(Machines *machines, const PlanForward *plan, Error *error);
/* -ENOENT */
int machines_remove_forward(Machines *machines, uint16_t host_port, Error *error);

/* Calls `each` in the order of numbers. */
void machines_each(Machines *machines, void (*each)(void *userdata, Machine *machine), void *userdata);
const Forward *const *machines_forwards(const Machines *machines, size_t *ret_count);
int machines_network(const Machines *machines);
const char *machines_directory(const Machines *machines);
const StringList *machines_missing_programs(const Machines *machines);

/* HttpServerOps.handle; userdata is the Machines. */
void machines_api_handle(void *userdata, HttpRequest *request);

/* Answers the requests that wait for something that has happened. */
void machines_api_changed(Machines *machines);

/* Requests that wait, of machines-api.c. */
List *machines_waits(Machines *machines);
