#pragma once
/*
 * The tree of a YAML text: each node knows the line and column it came from. Keys of mappings carry the name that
 * cloud-configs mean, with '_' for '-'. Scalars know what type YAML 1.1 gives them; their text stays as written,
 * because a string field takes `off` or 0644 as text.
 *
 * A ConfigTree owns all nodes and texts. Nodes may stand in several places (aliases, merges), never below themselves,
 * and the tree counts a node each time it can be reached: whoever walks it needs at most CONFIG_NODES_MAX steps, and a
 * depth of CONFIG_DEPTH_MAX.
 */
#include "base/error.h"
#include "base/str.h"

#define CONFIG_TEXT_MAX ((size_t)2 * 1024 * 1024)
#define CONFIG_NODES_MAX ((size_t)200000)
#define CONFIG_DEPTH_MAX 32
#define CONFIG_KEYS_MAX ((size_t)512) /* of one mapping */

typedef enum ConfigKind {
        CONFIG_SCALAR,
        CONFIG_SEQUENCE,
        CONFIG_MAP,
} ConfigKind;

typedef enum ScalarType {
        SCALAR_STRING,
        SCALAR_NULL,
        SCALAR_BOOL,
        SCALAR_INT,
        SCALAR_FLOAT,
} ScalarType;

typedef struct ConfigNode ConfigNode;

typedef struct ConfigEntry {
        const char *name;      /* of a mapping: the key, normalised; of a sequence: NULL */
        unsigned line, column; /* of the key, or of the sequence's element */
        bool merged;           /* came by a merge key: gives way to a key of the mapping itself */
        bool hidden;           /* an entry of the same name behind it counts instead */
        ConfigNode *value;
} ConfigEntry;

struct ConfigNode {
        ConfigKind kind;
        ScalarType type; /* of a scalar */
        unsigned line, column;
        Slice text; /* of a scalar, NUL-terminated; a !!binary one is decoded */
        ConfigEntry *entries;
        size_t length, capacity;
        size_t weight; /* nodes that can be reached from here, itself included */
        size_t height; /* of the tree below; 1 for a scalar */
        bool complete; /* while reading: its end has been seen */
};

typedef struct ConfigTree {
        ConfigNode *root; /* NULL: an empty text */
        ConfigNode **nodes;
        size_t length, capacity;
        void **memory; /* names and texts */
        size_t n_memory, memory_capacity;
} ConfigTree;

/* Where and why a text is no YAML. */
typedef struct YamlProblem {
        const char *text; /* static */
        size_t line;      /* from 0; libyaml's place of the problem */
        size_t column;    /* from 0 */
} YamlProblem;

/*
 * Reads one document into a zeroed tree. -EINVAL: no YAML, ret_problem (may be NULL) has the facts. -EMSGSIZE: above a
 * limit. -ENOMEM. On failure the tree stays empty.
 */
int config_tree_parse(Slice text, ConfigTree *tree, YamlProblem *ret_problem, Error *error);
void config_tree_deinit(ConfigTree *tree);
#define _cleanup_config_tree_ _cleanup_(config_tree_deinit)

/* The entry that counts under `name`, or NULL; NULL also when `map` is NULL or no mapping. */
const ConfigEntry *config_entry(const ConfigNode *map, const char *name);
const ConfigNode *config_child(const ConfigNode *map, const char *name);

/* The type that YAML 1.1, as Go's yaml package reads it, gives a plain scalar. */
ScalarType scalar_type_of(Slice text);

/* Value of a scalar of type SCALAR_BOOL. */
bool scalar_is_true(Slice text);

/* Value of a scalar of type SCALAR_INT: decimal, 0x, 0b, or octal with a leading 0; '_' may stand between digits.
 * -ERANGE. */
int scalar_parse_int(Slice text, int64_t *ret);
int scalar_parse_float(Slice text, double *ret);
