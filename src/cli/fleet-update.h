#pragma once
/* What the files of `update` share: its targets, and waiting for one of them. */
#include "cli/fleet.h"

/* One step: a unit, or a global unit on one machine. */
typedef struct UpdateTarget {
        char *unit;
        char *machine; /* of a global unit; NULL otherwise */
        char *from;    /* hash to go back to */
        bool waits;    /* it is to run: its health is waited for */
        bool begun;    /* its new text is in the store */
} UpdateTarget;

typedef struct Update {
        FleetGroup *group;
        UnitFile file;
        char *body_options; /* JSON of the file's options */
        char hash[UNIT_HASH_HEX_SIZE];
        bool oneshot; /* it is well when it has ended */
        uint64_t at_once;
        Usec healthy_for; /* USEC_INFINITY: as fits, see update_wait() */
        Usec timeout;
        UpdateTarget *targets;
        size_t length, capacity;
} Update;

/* "web@1.service" or "metrics.service on 12345678...". */
void update_target_name(const UpdateTarget *target, Buffer *to);

typedef enum UpdateOutcome {
        UPDATE_HEALTHY,
        UPDATE_FAILED, /* `why` says how */
        UPDATE_INTERRUPTED, /* by somebody, or the daemon that is asked is away */
} UpdateOutcome;

/* Waits until the target runs the text `hash`, and is well: its HealthCheck= passes, or it is active for healthy_for (3 s without
 * a check, otherwise at once). */
UpdateOutcome update_wait(Update *update, const UpdateTarget *target, const char *hash, Buffer *why);

/* Whether somebody has asked to end. */
bool update_is_interrupted(void);

/* Catches SIGINT and SIGTERM from now on: a change under way is finished, and the next is not begun. */
void update_catch_signals(void);
