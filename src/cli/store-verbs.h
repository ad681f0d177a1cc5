#pragma once
/*
 * The verbs of `faering store` and of etcdctl: one row each, in the file of the verb; store-verbs.c lists them in etcdctl's order.
 * A row has the verb's words in both voices.
 */
#include "cli/store-flags.h"

typedef struct StoreGroup StoreGroup;

/* What the flags of all verbs fill, and the words that are none. */
typedef struct StoreArguments {
        StringList words;
        uint64_t ttl, previous_index, after_index;
        uint64_t size; /* of a cluster that is to be founded */
        char *previous_value;
        bool sorted, quorum, recursive, slash, forever, in_order, dir;
        StringList roles;
        char *path;
        bool read, write, readwrite;
        char *data_dir, *wal_dir, *backup_dir, *backup_wal_dir;
        bool with_v3;
        bool help;
} StoreArguments;

#define STORE_ARGUMENTS_INIT ((StoreArguments){.size = 3})

void store_arguments_deinit(StoreArguments *arguments);

#define STORE_AT(member) offsetof(StoreArguments, member)

typedef struct StoreCommand {
        const char *group; /* "member"; NULL: the verb stands alone */
        const char *name;
        const char *alias;     /* in our own voice; NULL: none */
        const char *arguments; /* "KEY [VALUE]"; "" for none */
        const char *summary;   /* one line */
        const char *old_arguments, *old_summary,
                *old_description; /* as etcdctl's help has them; description: or NULL */
        const StoreFlag *flags;   /* or NULL */
        /* Returns the exit code, having said on stderr what went wrong. */
        int (*run)(StoreGroup *group, const StoreArguments *arguments);
        bool takes_command; /* a command stands behind "--" */
} StoreCommand;

typedef struct StoreCommandGroup {
        const char *name, *summary;
        const char *old_summary; /* NULL: etcdctl has it not */
} StoreCommandGroup;

/* NULL ends each. */
extern const StoreCommand *const store_verbs[];
extern const StoreCommandGroup store_verb_groups[];

/* `group` NULL: a verb that stands alone. NULL when there is none. */
const StoreCommand *store_verb_find(const char *group, const char *name, bool with_alias);
const StoreCommandGroup *store_verb_group_find(const char *name);

/* "did you mean" for a word that is no verb; NULL when nothing is near. */
const char *store_verb_suggest(const char *group, const char *name);
