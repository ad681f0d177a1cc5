#pragma once
/*
 * A request that writes to the store: its client may go while the store is asked, and is answered once a reading would show what was
 * written.
 */
#include "fleet/api/handlers.h"

typedef struct FleetWrite FleetWrite;
struct FleetWrite {
        FleetApi *api;
        HttpRequest *request; /* NULL: the client is gone */
        char *name;           /* of the unit */
        unsigned status;      /* of the answer when all is well */
        uint64_t index;       /* of the newest write */
        void (*release)(FleetWrite *write); /* frees the struct that this one is part of */
};

/* Fills `write`, which is zeroed but for `release`, and has the request from now on. -ENOMEM: it has not. */
int fleet_write_begin(FleetWrite *write, FleetApi *api, HttpRequest *request, const char *name, unsigned status);

/* Remembers how far the mirror must have come. */
void fleet_write_note(FleetWrite *write, const StoreReply *reply);

/* The end: answers, if somebody is there to hear it, and releases. `failure`: what the store did not take; NULL: all is well. */
void fleet_write_end(FleetWrite *write, const StoreReply *failure);

/* The same with a refusal of our own. */
void fleet_write_refuse(FleetWrite *write, unsigned status, const char *message);

/* What a resource of units does by method; `path` is the unit's name. */
typedef struct FleetMethods {
        void (*list)(FleetApi *api, HttpRequest *request);
        void (*get)(FleetApi *api, HttpRequest *request, const char *name);
        void (*put)(FleetApi *api, HttpRequest *request, const char *name);
        void (*remove)(FleetApi *api, HttpRequest *request, const char *name);
} FleetMethods;

void fleet_by_method(const FleetMethods *methods, FleetApi *api, HttpRequest *request, const char *path);
