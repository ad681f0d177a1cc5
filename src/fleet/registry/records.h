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
        MetadataPair *metadata;
        size_t n_metadata;
} MachineRecord;

/* A unit as an agent sees it on its machine. */
typedef struct StateRecord {
        char *load, *active, *sub;
        char *hash;     /* hexadecimal */
        char *text;     /* why it failed, or what it says of itself; may be "" */
        bool launched;  /* fleet has started it there */
} StateRecord;

/* Where a unit is placed, and why there. */
typedef struct PlacementRecord {
        char *reason;
} PlacementRecord;

void machine_record_deinit(MachineRecord *record);
void state_record_deinit(StateRecord *record);

int machine_record_write(const MachineRecord *record, Buffer *to);
int state_record_write(const StateRecord *record, Buffer *to);
int placement_write(const char *reason, Buffer *to);
int unit_text_write(const char *text, Buffer *to);

/* -EBADMSG, -ENOMEM. */
int machine_record_read(const char *json, MachineRecord *ret);
int state_record_read(const char *json, StateRecord *ret);

/* A heap string each. */
int placement_read(const char *json, char **ret_reason);
int unit_text_read(const char *json, char **ret_text);
