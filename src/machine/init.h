#pragma once
/*
 * The init of a local machine: loads the machine's own units, starts those that are wanted, serves the init API, and
 * stops all in reverse order at the end. main.c of faering-init makes it and runs the loop.
 */
#include <uv.h>

#include "host/supervisor.h"
#include "machine/system-units.h"
#include "net/http-server.h"
#include "unitfile/name.h"

#define INIT_SOCKET "/run/faering/init.sock"
#define INIT_STATE_DIRECTORY "/run/faering/init"
#define INIT_PASS_ENVIRONMENT "container FLEET_SUPERVISOR"

typedef struct Init Init;

typedef struct InitEvents {
        /* Something a person may want to read on the console. */
        void (*note)(void *userdata, const char *text);
        /* All wanted units have been started, or have failed: `failed` of them, `why` of the first. */
        void (*booted)(void *userdata, size_t failed, const char *why);
} InitEvents;

typedef struct InitOptions {
        UnitFolders folders;
        const char *state_directory;
        const char *socket; /* of the API */
} InitOptions;

/* `options` and `events` are borrowed. Begins at once. *ret is the caller's also when this fails. */
int init_new(uv_loop_t *loop, const InitOptions *options, const InitEvents *events, void *userdata, Init **ret,
             Error *error);

/* Stops all units in reverse order, within a limit of time; then the loop comes to its end. Once is enough. */
void init_stop(Init *init);

/* After the loop has ended. */
Init *init_free(Init *init);

/* ---- for init-api.c ---- */

Supervisor *init_supervisor(Init *init);

/* NULL: no such unit, `error` says why. An instance of a template is made on the way. */
SystemUnit *init_find(Init *init, const char *name, Error *error);
const SystemUnits *init_units(const Init *init);

/* Reads the unit files anew. */
int init_reload(Init *init, Error *error);

/* Starts a unit as supervisor_start() does, unless its conditions do not hold: that ends it with 0. */
void init_start_unit(Init *init, SystemUnit *unit, SupervisorDone done, void *userdata);

/* The state of a unit, also of one that could not be loaded. */
void init_unit_state(Init *init, const SystemUnit *unit, SupervisorState *ret);

/* HttpServerOps.handle; userdata is the Init. */
void init_api_handle(void *userdata, HttpRequest *request);
