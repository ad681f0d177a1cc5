#pragma once
/*
 * An update under way: roll/NAME (docs/decisions/fleet-update.md). It keeps the text that the unit had, so that the update can be
 * taken back by whoever comes, and says of a global unit on which machines the new text runs already.
 */
#include "fleet/registry/registry.h"

typedef struct RollRecord {
        char *from, *to;     /* hashes, hexadecimal */
        StringList machines; /* of a global unit; empty for others */
} RollRecord;

typedef struct RegistryRoll {
        char *unit;
        RollRecord record;
} RegistryRoll;

void roll_record_deinit(RollRecord *record);
#define _cleanup_roll_record_ _cleanup_(roll_record_deinit)

int roll_write(const RollRecord *record, Buffer *to);

/* -EBADMSG, -ENOMEM. */
int roll_read(const char *json, RollRecord *ret);

const Map *registry_rolls(const Registry *registry); /* name → RegistryRoll */
const RegistryRoll *registry_roll(const Registry *registry, const char *unit);

/* Whether the unit's text is one of the roll's: otherwise somebody has put a third in its place, and the roll says nothing. */
bool registry_roll_holds(const RegistryRoll *roll, const RegistryUnit *unit);

int registry_put_roll(Registry *registry, const char *unit, const RollRecord *record, RegistryDone done,
                      void *userdata);
int registry_drop_roll(Registry *registry, const char *unit, RegistryDone done, void *userdata);

/* Removes those of units that are gone; at most `most`. Returns how many. */
size_t registry_sweep_rolls(Registry *registry, size_t most);
