#pragma once
/*
 * What fleet keeps in the store, as JSON: docs/formats/fleet-registry.md. Reading takes what other versions may have
 * added, and refuses what it cannot understand.
 */
#include "base/buffer.h"
#include "fleet/schedule/picture.h"

typedef struct MachineRecord {
        char *id;
        char *address;
        char *version;
        char *instance; /* of the daemon's state directory: tells a restart from a second machine with the same ID */
        char *logs;     /* URL where other daemons read its units' logs and states ("LogsURL"); "" or NULL: nowhere */
        uint64_t memory, cpu; /* for units: bytes, thousandths of a CPU; 0: not told */
        MetadataPair *metadata;
        size_t n_metadata;
} MachineRecord;

/* A unit as an agent sees it on its machine. */
typedef struct StateRecord {
        const char *load, *active, *sub;
        const char *hash;     /* hexadecimal */
        const char *text;     /* why it failed, or what it says of itself; may be "" */
        bool launched;  /* fleet has started it there */
        const char *health;   /* what its HealthCheck= came to: "pending", "passing", "failing"; "" or NULL: it has none, or is not active */
        const char *health_text; /* why it is failing; may be "" */
        uint64_t failures; /* within the unit's FailuresWithin=; told only of units with MoveAfterFailures= */
        char *room; /* what was read, and the strings lie in; NULL: they are somebody else's */
} StateRecord;

/* Where a unit is placed, and why there. */
typedef struct PlacementRecord {
        char *reason;
        char *from; /* it is handed over from that machine; NULL: it is not */
} PlacementRecord;

/* A machine where a unit with this text has failed. */
typedef struct BanRecord {
        char *reason;
        char *hash;
} BanRecord;

#define LEASE_VERSION 1 /* of fleet 1.0's engine: a higher one takes the lease away from it */

/* A move that people asked for. */
typedef struct MoveRecord {
        char *from, *to, *reason;
} MoveRecord;

void machine_record_deinit(MachineRecord *record);
void state_record_deinit(StateRecord *record);

int machine_record_write(const MachineRecord *record, Buffer *to);
int state_record_write(const StateRecord *record, Buffer *to);
int placement_write(const PlacementRecord *record, Buffer *to);
int ban_write(const BanRecord *record, Buffer *to);
int move_write(const MoveRecord *record, Buffer *to);
int cordon_write(PictureCordon cordon, Buffer *to);
int unit_text_write(const char *text, Buffer *to);
int lease_write(const char *machine, Buffer *to);

/* -EBADMSG, -ENOMEM. */
int machine_record_read(const char *json, MachineRecord *ret);
int state_record_read(const char *json, StateRecord *ret);

int placement_read(const char *json, PlacementRecord *ret);
int ban_read(const char *json, BanRecord *ret);
int move_read(const char *json, MoveRecord *ret);
int cordon_read(const char *json, PictureCordon *ret);
void placement_record_deinit(PlacementRecord *record);
void ban_record_deinit(BanRecord *record);
void move_record_deinit(MoveRecord *record);

/* "active", "cordoned", "draining". */
const char *cordon_to_string(PictureCordon cordon);
int cordon_from_string(const char *text, PictureCordon *ret);

/* Heap strings. What is no JSON object is read as a bare machine ID: so earlier versions wrote the lease. */
int unit_text_read(const char *json, char **ret_text);
int lease_read(const char *text, char **ret_machine);
