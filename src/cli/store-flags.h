#pragma once
/*
 * The flags of the store's verbs: one table serves both voices. Under its own name the program reads them as all of its
 * verbs do (base/options.h); under the name etcdctl as that program's library does (Go's flag package): one dash or two, the
 * first word that is no flag ends them, "-name=value" or "-name value", switches only as "-name" or "-name=false".
 */
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"

typedef enum StoreFlagType {
        STORE_FLAG_SWITCH, /* bool */
        STORE_FLAG_NUMBER, /* uint64_t; a negative one, which etcdctl takes, as two's complement */
        STORE_FLAG_TEXT,   /* char *, heap */
        STORE_FLAG_TIME,   /* Usec */
        STORE_FLAG_TEXTS,  /* StringList: each use adds what stands between the commas */
} StoreFlagType;

typedef struct StoreFlag {
        const char *name;  /* NULL ends the table */
        const char *alias; /* a second name: one letter or a word; NULL: none */
        StoreFlagType type;
        size_t offset;            /* of the value in the struct that the flags fill */
        const char *argument;     /* ours: what --help calls the value */
        const char *summary;      /* ours; NULL hides the flag */
        const char *old_usage;    /* etcdctl's line in its help; NULL hides the flag there */
        const char *old_argument; /* NULL: "value" */
        const char *old_default;  /* what it prints as the default; NULL: nothing */
} StoreFlag;

enum { STORE_FLAGS_MAX = 32 };

/* Appends the flags as options that fill `values`, an alias of one letter as the short form. False when there is no room. */
bool store_flags_to_options(const StoreFlag *flags, void *values, Option *options, size_t room, size_t *count);

/* Reads flags off the front of `words` in the old voice. -EINVAL with Go's text in `error`; *ret_used: words that were flags, a "--"
 * that ended them among them. A flag that `flags` does not have is an error, also "help". */
int store_flags_parse_old(const StoreFlag *flags, void *values, char *const *words, size_t count, size_t *ret_used,
                          Error *error);

/* As Go's %q has it, with quotes. */
int store_quote(Buffer *buffer, Slice text);
