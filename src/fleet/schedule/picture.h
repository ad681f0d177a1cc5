#pragma once
/*
 * The cluster as the scheduler sees it: machines, units, and who is where. Kept up to date by small changes, so that
 * nothing is ever read or computed anew for the whole cluster.
 *
 * Who conflicts with whom is counted, not searched: every distinct glob of Conflicts= and Replaces= is a Pattern, which
 * counts for each machine how many units there match it and how many declare it. A unit's arrival or departure changes
 * the counters of its few patterns; a question about a machine reads them. A wildcard is matched against a name once,
 * when the unit or the pattern first appears.
 *
 * A unit occupies a machine when it is wanted (desired state not inactive) and placed there. Global units are not
 * placed: a wanted one runs on every present machine that its MachineID= and MachineMetadata= admit, unless a placed
 * unit there or a global of an earlier name conflicts with it. The picture works that out itself.
 *
 * A Picture owns all it holds; the structs are for reading only.
 */
#include "base/map.h"
#include "fleet/unit/unit.h"

#define PICTURE_MACHINES_MAX 16384
#define PICTURE_UNITS_MAX 2000000

typedef struct PictureMachine PictureMachine;
typedef struct PictureUnit PictureUnit;
typedef struct PicturePattern PicturePattern;
typedef struct PictureName PictureName;
typedef struct PictureGroup PictureGroup;
typedef struct PictureClass PictureClass;

/* Growing lists of borrowed pointers. */
typedef struct PictureUnits {
        PictureUnit **items;
        size_t length, capacity;
} PictureUnits;

typedef struct PicturePatterns {
        PicturePattern **items;
        size_t length, capacity;
} PicturePatterns;

typedef struct MetadataPair {
        char *key, *value;
} MetadataPair;

/* What people have said of a machine. */
typedef enum PictureCordon {
        CORDON_NONE,
        CORDON_CLOSED,   /* nothing new is placed there */
        CORDON_DRAINING, /* and what is there moves away */
} PictureCordon;

struct PictureMachine {
        uint64_t globals_changed; /* counts up when other global units run here than before */
        char *id;
        char *address;
        MetadataPair *metadata;
        size_t n_metadata;
        PictureCordon cordon;
        uint64_t memory, cpu;           /* for units: bytes, thousandths of a CPU; 0: not told */
        uint64_t memory_used, cpu_used; /* what its occupants take */
        bool present; /* false: units are placed there, but the machine is gone */
        size_t slot;  /* its index in the patterns' counters */
        size_t rank;  /* its place by ID, of the index */
        bool touched; /* it is in picture->touched_machines */
        size_t placed; /* units with it as target, wanted or not */
        PictureUnits occupants; /* wanted units that are placed or, if global, run here; their number is the load */
};

/* A machine where the unit has failed, and where it is not placed for a while. */
typedef struct PictureBan {
        char *machine_id, *reason;
} PictureBan;

struct PictureUnit {
        PictureName *name;
        const UnitRequirements *requirements; /* but for resources; those of the many that ask for nothing else are shared */
        UnitResources resources;
        UnitState desired;
        PictureMachine *target; /* NULL: not placed */
        PictureMachine *source; /* while it moves: where it still runs until it does at the target; else NULL */
        uint64_t order;         /* placed in this order, the oldest first */
        PictureBan *bans;
        size_t n_bans;
        PictureGroup *group;    /* of Spread=; NULL without */
        PictureClass *class;    /* of MachineID= and MachineMetadata= */
        size_t position;        /* in picture->units */
        bool touched;           /* it is in picture->touched */
        PicturePatterns conflicts, replaces, avoids; /* the unit's own */
        PicturePatterns matched;             /* those that match its name */
        bool counted;                        /* it is an occupant of its target, and of its source if it has one */
        bool *runs_on;                       /* global units: by slot, whether it is an occupant */
        size_t planned;                      /* marks of the planner */
};

/* A name of a unit, known or only mentioned in a MachineOf=. */
struct PictureName {
        PictureUnit *unit;      /* NULL: only mentioned */
        PictureUnits followers; /* units that name it in MachineOf= */
        char text[];            /* a new pattern is held against all of them: one step less to each */
};

/* Units that share out the values of one metadata key. */
struct PictureGroup {
        char *text; /* "KEY GROUP" */
        PictureUnits members;
};

/* Counters of a pattern on one machine. */
typedef struct PatternCount {
        uint32_t matching;    /* occupants whose name matches */
        uint32_t conflicting; /* occupants that declare it in Conflicts= */
        uint32_t replacing;   /* occupants that declare it in Replaces= */
} PatternCount;

struct PicturePattern {
        char *text;
        bool literal;
        size_t users;         /* units that declare it */
        size_t index;         /* in picture->patterns */
        PictureUnits matches; /* all units whose name matches, occupants or not */
        PatternCount *counts; /* by slot */
};

/* Units that the same machines admit: as a set of bits by rank, for the index that it was last worked out for. */
struct PictureClass {
        char *text;
        size_t users;
        uint64_t *bits;
        size_t count; /* of bits that are set */
        uint64_t generation;
};

/*
 * Machines that take units, by load and ID: for each load a set of bits by rank. With a class's bits it gives the next
 * machine to try without looking at the others. Made when it is first asked for, made anew when a machine changes, and
 * kept up when a unit comes or goes.
 */
typedef struct PictureIndex {
        bool valid;
        uint64_t generation;
        PictureMachine **by_rank;
        size_t n, words;
        uint64_t **buckets; /* by load */
        size_t *in_bucket;  /* how many machines have that load */
        size_t n_buckets;
} PictureIndex;

typedef struct Picture {
        Map machines;            /* ID → PictureMachine */
        PictureMachine **slots;  /* NULL: free */
        size_t n_slots, capacity_slots;
        Map names;               /* → PictureName */
        PictureUnits units;      /* all, in no order */
        size_t moving;           /* of these, that have a source */
        PictureUnits globals;    /* by name */
        Map groups;              /* → PictureGroup */
        Map pattern_by_text;
        PicturePatterns patterns; /* in no order */
        Map classes;              /* → PictureClass */
        PictureIndex index;
        /* What has changed since the scheduler's last pass, and who waited then: a pass looks at no others. */
        PictureUnits touched;
        PictureMachine **touched_machines;
        size_t n_touched_machines, capacity_touched_machines;
        bool touched_all; /* there was no memory to note a change */
} Picture;

void picture_deinit(Picture *picture);
#define _cleanup_picture_ _cleanup_(picture_deinit)

static inline const char *picture_unit_name(const PictureUnit *unit) {
        return unit->name->text;
}

static inline size_t picture_machine_load(const PictureMachine *machine) {
        return machine->occupants.length;
}

/* NULL when absent. */
PictureMachine *picture_machine(const Picture *picture, const char *id);
PictureUnit *picture_unit(const Picture *picture, const char *name);

/* NULL when the machine has no such key. */
const char *picture_machine_metadata(const PictureMachine *machine, const char *key);

/* Whether a wanted unit is on the machine: placed, or global and running there. */
bool picture_occupies(const PictureUnit *unit, const PictureMachine *machine);

/* Whether a machine's MachineID= and MachineMetadata= admit the unit. */
bool picture_admits(const PictureMachine *machine, const UnitRequirements *requirements);

/*
 * Changes. Each returns 0, -ENOMEM or -EMSGSIZE (above a limit); after a failure the picture is consistent but may lack
 * the change in part: the caller should build it anew.
 */

/* Adds a machine or takes over its new address and metadata; it is present from now on. Copies all. */
int picture_put_machine(Picture *picture, const char *id, const char *address, const MetadataPair *metadata,
                        size_t n_metadata);

/* What the machine has for units (0: not told), and what people said of it. -ENOENT: no such machine. */
int picture_set_capacity(Picture *picture, const char *id, uint64_t memory, uint64_t cpu);
int picture_set_cordon(Picture *picture, const char *id, PictureCordon cordon);

/* The machine is gone. Units stay placed on it until the scheduler moves them. */
int picture_remove_machine(Picture *picture, const char *id);

/* Adds a unit or replaces its requirements, desired state and order; its placement stays. Takes over the contents of
 * `requirements` in any case, leaving it empty. */
int picture_put_unit(Picture *picture, const char *name, UnitRequirements *requirements, UnitState desired,
                     uint64_t order);
void picture_remove_unit(Picture *picture, const char *name);

/* What picture_put_unit() was given, as a copy of its own. -ENOMEM. */
int picture_unit_requirements(const PictureUnit *unit, UnitRequirements *ret);

/* -ENOENT: no such unit. */
int picture_set_desired(Picture *picture, const char *name, UnitState desired);

/* Where the unit is placed; machine_id may be one that was never seen, or NULL for nowhere. -ENOENT: no such unit. */
int picture_set_target(Picture *picture, const char *name, const char *machine_id);

/* The same for a unit that moves: it is placed on the machine, and still runs on `source_id` (NULL: it does not move). */
int picture_set_placement(Picture *picture, const char *name, const char *machine_id, const char *source_id);

/* Machines where the unit is not placed, in place of those before. Copies all. -ENOENT: no such unit. */
int picture_set_bans(Picture *picture, const char *name, const PictureBan *bans, size_t count);

/* One more. */
int picture_add_ban(Picture *picture, const char *name, const char *machine_id, const char *reason);

/* NULL: the unit is not banned from the machine. */
const PictureBan *picture_ban(const PictureUnit *unit, const PictureMachine *machine);

/* A picture of its own with the same content, for questions of what would be. */
int picture_copy(const Picture *picture, Picture *ret);
