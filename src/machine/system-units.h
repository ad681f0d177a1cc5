#pragma once
/*
 * The units of a machine's own init: for each service its file and drop-ins merged to one text, under one name whatever
 * its aliases, with what it is ordered after. Owns everything in it.
 */
#include "machine/unit-search.h"
#include "unitfile/unitfile.h"

#define SYSTEM_UNITS_MAX 1024

typedef struct SystemUnit {
        char *name;
        StringList aliases;
        UnitFile file; /* merged; empty when there is a problem */
        char *text;    /* the same as text; NULL when there is a problem */
        char *problem; /* why it cannot be run; NULL: nothing */
        bool masked;
        bool wanted;      /* by multi-user.target */
        StringList after; /* by After= and others' Before=, without aliases */
} SystemUnit;

typedef struct SystemUnits {
        SystemUnit **items; /* by name */
        size_t length, capacity;
} SystemUnits;

void system_units_deinit(SystemUnits *units);
#define _cleanup_system_units_ _cleanup_(system_units_deinit)

/* Reads all services in the folders. A unit that cannot be read is there, with its problem; r < 0 only for what
 * concerns all. `pass`: PassEnvironment= for every unit. */
int system_units_read(UnitFolders folders, const char *pass, SystemUnits *ret, Error *error);

/* Under its name or an alias; NULL. */
SystemUnit *system_units_find(const SystemUnits *units, const char *name);

/* Adds the instance of a template. -ENOENT: there is no such template. */
int system_units_add_instance(SystemUnits *units, UnitFolders folders, const char *pass, const char *name,
                              SystemUnit **ret, Error *error);

/* Whether one of `running` (indices are those of units->items) is ordered after `unit`: it must stop before it. Self
 * and rings apart, of which any may go first. */
bool system_units_is_needed(const SystemUnits *units, const bool *running, size_t unit);

/* ConditionPathExists= and ConditionFileNotEmpty=, with ! and |, looked at now. False: *why says which does not hold.
 * Other conditions count as holding; `unknown` (may be NULL) gets their names. */
bool system_unit_conditions_hold(const SystemUnit *unit, Buffer *why, StringList *unknown);
