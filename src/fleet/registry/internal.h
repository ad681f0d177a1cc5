#pragma once
/* What the registry's files share. */
#include "base/list.h"
#include "fleet/registry/backlog.h"
#include "fleet/registry/registry.h"

struct Registry {
        StoreClient *client;
        char *prefix; /* with '/' at both ends */
        const RegistryTimer *timer;
        void *timer_data;
        const RegistryEvents *events;
        void *userdata;
        Map machines;
        Map units;
        Map bans;  /* "NAME/ID" → RegistryBan */
        Map moves; /* name → RegistryMove */
        Map rolls; /* name → RegistryRoll */
        Map texts; /* hash → RegistryText */
        List lacking; /* RegistryUnit: they have a hash whose text is not here */
        char *leader;
        size_t split;        /* units with more than one placement */
        StoreCall *stream;   /* of events; NULL: none stands */
        StoreCall *reading;  /* of everything; NULL: it is not read */
        uint64_t begun;      /* the store's index when the stream began that stands while all is read */
        Backlog backlog;     /* what has come since then */
        uint64_t next_index; /* of the next event */
        unsigned past;       /* events in a row that were asked for one by one */
        bool told;           /* the stream that stands has had an event */
        unsigned failures;
        List reaches;        /* RegistryReach: waiting for next_index to pass theirs */
        bool loaded, readable, unreachable;
};

/* The text of a unit file by its hash. */
struct RegistryText {
        char *hash;
        char *text;
        uint64_t index;    /* of its last write */
        Usec unused_since; /* 0: a unit has it, or nobody has looked */
        bool used;         /* of the sweep under way */
        size_t users;      /* units that have it; and the registry, until it is gone from there */
};

/* registry.c: calls back those who wait for what the mirror has now, up to `index`. */
void registry_settle_reaches(Registry *registry, uint64_t index, int r);

/* follow.c: nothing is under way any more. */
void registry_let_go(Registry *registry);

/* registry-write.c: removes what is wanted of a unit, unless it was written since `index`, and its folder if that is empty then. */
int registry_remove_desired(Registry *registry, const char *name, uint64_t index);

/* mirror.c: carries a node of the store, or its going, over into the mirror. `quiet`: no events. -ENOMEM. */
int mirror_node(Registry *registry, const char *key, const char *value, uint64_t created, bool quiet);
void mirror_gone(Registry *registry, const char *key, bool quiet);
void mirror_clear(Registry *registry);

/* Tells of a change. */
void mirror_tell(Registry *registry, bool quiet, RegistryChange change, const char *subject);

/* mirror-text.c: texts of unit files, and which of them a unit has. */
int mirror_text(Registry *registry, const char *hash, const char *value, uint64_t index, bool quiet);
void mirror_text_gone(Registry *registry, const char *hash);
void mirror_clear_texts(Registry *registry);
/* By the unit's hash. */
void mirror_unit_fill_text(Registry *registry, RegistryUnit *unit);
void mirror_unit_drop_text(RegistryUnit *unit);

/* mirror-orders.c: what people and the engine have said beside placements. */
int mirror_ban(Registry *registry, const char *unit, const char *machine, const char *value);
int mirror_move(Registry *registry, const char *unit, const char *value);
/* `machine` NULL: all of the unit's. */
void mirror_ban_gone(Registry *registry, const char *unit, const char *machine);
void mirror_move_gone(Registry *registry, const char *unit);
void mirror_clear_orders(Registry *registry);

/* roll.c: updates under way. */
int mirror_roll(Registry *registry, const char *unit, const char *value);
void mirror_roll_gone(Registry *registry, const char *unit);
void mirror_clear_rolls(Registry *registry);

/* mirror-placement.c: a unit's placements. */
int mirror_add_placement(Registry *registry, RegistryUnit *unit, const char *machine, const char *value, uint64_t created);
void mirror_remove_placement(Registry *registry, RegistryUnit *unit, const char *machine);
void mirror_clear_placements(RegistryUnit *unit);
