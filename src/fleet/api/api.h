#pragma once
/*
 * fleet's API v1 (also under /v1-alpha), as fleet 1.0 answers it, and what is new under /faering/v1. Reads come from the
 * registry's mirror, writes go to the store and are answered when it has taken them.
 */
#include "base/list.h"
#include "fleet/registry/registry.h"
#include "fleet/schedule/schedule.h"
#include "host/supervisor.h"
#include "net/http-client.h"
#include "net/http-server.h"

/* Entries of one page, as fleet's token_limit. */
#define FLEET_PAGE_LIMIT 100
/* of those that ask for longer pages */
#define FLEET_PAGE_LIMIT_MAX 10000

/* Bytes of a unit file's text. */
#define FLEET_UNIT_MAX ((size_t)1 << 20)

typedef struct FleetApi {
        Registry *registry;
        const char *machine;        /* this one's ID */
        const char *state_dir;      /* for files of a moment */
        Supervisor *supervisor;     /* whose logs are read; may be NULL until it is there */
        HttpClient *http;           /* to other machines' daemons */
        Picture *(*picture)(void *userdata); /* for explanations; NULL without memory */
        bool (*registered)(void *userdata);  /* this machine is in the registry */
        void *userdata;
        uint64_t changes;           /* counts them, from 1: see fleet_api_changed() */
        List waiters;               /* clients that wait for the next; list_init() it */
        size_t n_waiters;
        uint64_t stopping[64];      /* units that an old client has stopped, and not looked at since: see old-clients.c */
        size_t next_stopping;
} FleetApi;

/* The `listener_data` of an address where other machines' daemons ask: only what reads this machine's logs, states and usage is
 * served there, by TLS also what its systemd says of a unit file, and nothing is passed on. */
extern const char fleet_api_reading_only[];

/* Something is different in the registry: tells those that wait for it. */
void fleet_api_changed(FleetApi *api);

/* HttpServerOps.handle; `userdata` is the FleetApi. */
void fleet_api_handle(void *userdata, HttpRequest *request);
