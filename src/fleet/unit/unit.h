#pragma once
/*
 * A unit as fleet knows it: its hash, and what its [X-Fleet] section asks of the machine it runs on. The rules are those
 * of fleet 1.0.
 */
#include "base/clock.h"
#include "unitfile/name.h"
#include "unitfile/unitfile.h"

#define UNIT_HASH_SIZE 20
#define UNIT_HASH_HEX_SIZE (2 * UNIT_HASH_SIZE + 1)
#define MACHINE_ID_SHORT 8 /* a MachineID= of this length names the machines whose IDs begin so */

/* SHA-1 of the normal form of a unit file. */
typedef struct UnitHash {
        uint8_t bytes[UNIT_HASH_SIZE];
} UnitHash;

/* -ENOMEM, -EIO when the crypto library fails. */
int unit_hash(const UnitFile *file, UnitHash *ret);
void unit_hash_to_hex(const UnitHash *hash, char ret[UNIT_HASH_HEX_SIZE]);

/* 40 hexadecimal digits. -EINVAL. */
int unit_hash_from_hex(Slice text, UnitHash *ret);

static inline bool unit_hash_equals(const UnitHash *a, const UnitHash *b) {
        return memcmp(a->bytes, b->bytes, UNIT_HASH_SIZE) == 0;
}

/* What is wanted of a unit, and what has been reached. */
typedef enum UnitState {
        UNIT_INACTIVE, /* known to the cluster only */
        UNIT_LOADED,   /* on a machine, not started by fleet */
        UNIT_LAUNCHED, /* on a machine and started */
} UnitState;

const char *unit_state_to_string(UnitState state);

/* -EINVAL with fleet's text. */
int unit_state_from_string(const char *text, UnitState *ret, Error *error);

/* One key of MachineMetadata=: any of the values will do. */
typedef struct MetadataRule {
        char *key;
        StringList values;
} MetadataRule;

/* What a unit takes of a machine; 0: nothing is said. */
typedef struct UnitResources {
        uint64_t memory;         /* bytes */
        uint64_t memory_percent; /* of the machine's, in hundredths of a percent; instead of `memory` */
        uint64_t cpu;            /* thousandths of a CPU */
} UnitResources;

/* The [X-Fleet] section, and what [Service] says of resources. Owns its strings. */
typedef struct UnitRequirements {
        bool global;
        char *machine_id;     /* full or of MACHINE_ID_SHORT characters; NULL: any machine */
        StringList peers;     /* MachineOf=: exact names, all must be on the machine */
        StringList conflicts; /* globs */
        StringList replaces;  /* globs */
        MetadataRule *metadata; /* all rules must hold */
        size_t n_metadata;

        /* keys of our own (docs/fleet.md) */
        StringList avoids;       /* Avoids=: globs; as conflicts, but only a wish */
        char *spread;            /* Spread=: a metadata key whose values share the group; NULL */
        char *spread_group;      /* its second word, or the template, or the unit's name; NULL without spread */
        UnitResources resources; /* Memory=, CPU=; of [Service] MemoryMax=, CPUQuota= */
        uint64_t move_after;     /* MoveAfterFailures=; 0: never */
        Usec failures_within;    /* FailuresWithin= */
        bool stop_on_partition;  /* OnPartition=stop */
        bool no_overlap;         /* Overlap=no: it never runs on two machines, also not while it moves */
        char *health_check;      /* HealthCheck=; see fleet/unit/health-check.h; NULL: none */
        Usec health_interval, health_timeout;
} UnitRequirements;

#define UNIT_HEALTH_INTERVAL_DEFAULT (5 * USEC_PER_SEC)
#define UNIT_HEALTH_TIMEOUT_DEFAULT (2 * USEC_PER_SEC)
#define UNIT_HEALTH_TIME_MIN (100 * USEC_PER_MSEC)

#define UNIT_FAILURES_WITHIN_DEFAULT (600 * USEC_PER_SEC)

void unit_requirements_deinit(UnitRequirements *requirements);
#define _cleanup_unit_requirements_ _cleanup_(unit_requirements_deinit)

/* Reads the section; keys it does not know are passed over. With a `name`, %n %N %p %i are replaced; NULL: they stay.
 * -ENOMEM. */
int unit_requirements_read(const UnitFile *file, const char *name, UnitRequirements *ret);

/* Those of a unit without an [X-Fleet] section. */
extern const UnitRequirements unit_requirements_plain;

/* Whether they ask for nothing, but perhaps for resources. */
bool unit_requirements_are_plain(const UnitRequirements *requirements);

/* A copy of its own. -ENOMEM. */
int unit_requirements_copy(const UnitRequirements *requirements, UnitRequirements *ret);

/* What the unit takes of a machine with so much memory. */
uint64_t unit_resources_memory(const UnitResources *resources, uint64_t machine_memory);

/* Whether a key of [X-Fleet] is one of fleet's, or one of our own. */
bool unit_requirement_is_known(const char *key);

/* The key that may have been meant, or NULL. */
const char *unit_requirement_near(const char *key);

/* Whether a MachineID= names the machine: equal, or equal to its first eight characters. */
bool machine_id_matches(const char *machine_id, const char *wanted);

/* What fleetctl makes of an argument: the last part of a path; ".service" is added unless it ends in a type that fleet
 * recognizes. A heap string. -EINVAL: nothing is left of it. -ENOMEM. */
int unit_name_mangle(const char *argument, char **ret, Error *error);

/* The first Description= of [Unit] or "". */
const char *unit_description(const UnitFile *file);
