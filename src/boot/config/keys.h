#pragma once
/*
 * The keys a cloud-config may have, as tables: one table for each section, in that section's file. The tables serve the
 * report (unknown keys, types, values), the reading of values, and the drop-ins whose variables they name.
 */
#include "boot/config/node.h"

typedef enum KeyType {
        KEY_STRING,
        KEY_INT,
        KEY_FLOAT,
        KEY_BOOL,
        KEY_STRINGS,  /* a sequence of strings */
        KEY_SECTION,  /* a mapping with `keys` */
        KEY_SECTIONS, /* a sequence of such mappings */
} KeyType;

typedef struct ConfigKey ConfigKey;
struct ConfigKey {
        const char *name; /* NULL ends a table */
        KeyType type;
        const char *variable;   /* environment variable it becomes, or NULL */
        const char *deprecated; /* why it is, or NULL */
        const char *pattern;    /* POSIX extended: what the value must match unless it is empty */
        const ConfigKey *keys;  /* of KEY_SECTION and KEY_SECTIONS */
        bool shipped_here;      /* coreos-cloudinit calls it deprecated, but here it is part of the system */
};

extern const ConfigKey cloud_config_keys[]; /* the top */
extern const ConfigKey etcd_keys[];
extern const ConfigKey etcd2_keys[];
extern const ConfigKey fleet_keys[];
extern const ConfigKey flannel_keys[];
extern const ConfigKey locksmith_keys[];
extern const ConfigKey oem_keys[];
extern const ConfigKey update_keys[];
extern const ConfigKey unit_keys[];
extern const ConfigKey user_keys[];
extern const ConfigKey write_files_keys[];

/* The row of `name`, or NULL. */
const ConfigKey *config_key_find(const ConfigKey *keys, const char *name);

/* What a person calls the type: "string", "[]struct" and so on, in coreos-cloudinit's words. */
const char *config_key_type_name(KeyType type);

/* Whether coreos-cloudinit takes `node` for a value of that type. A string may be written as a number or a bool. */
bool config_key_fits(KeyType type, const ConfigNode *node);

/* Whether `value` matches the key's pattern; true without one, and for an empty value. */
bool config_key_matches(const ConfigKey *key, Slice value);

/*
 * Values under `name`; what is absent or has the wrong type gives the empty value, as coreos-cloudinit drops it (the
 * report has said so).
 */
Slice config_string(const ConfigNode *map, const char *name);
bool config_bool(const ConfigNode *map, const char *name);

/* The strings of a sequence, added to `list`. -ENOMEM. */
int config_strings(const ConfigNode *map, const char *name, StringList *list);

/* "VARIABLE=value" for each key of the section that has a value which is not empty, 0 or false. -ENOMEM. */
int config_variables(const ConfigKey *keys, const ConfigNode *section, StringList *list);
