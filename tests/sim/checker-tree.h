#pragma once
/*
 * What all servers must agree on: the committed log, the changes of the tree, the leaders. The ledger holds what was
 * seen first; every server is held to it at each step of its way, over all crashes.
 */
#include "base/map.h"
#include "store/tree/tree.h"

typedef struct World World;
typedef struct Server Server;

typedef struct LedgerEntry {
        uint64_t term;       /* 0: not seen yet */
        uint64_t digest;     /* of type and data */
        uint64_t tree_index; /* once it was applied; UINT64_MAX: not seen yet */
        uint64_t tree_hash;  /* then; 0: not computed yet */
        uint64_t configuration; /* then, as a digest; 0: not seen yet */
} LedgerEntry;

/* A write that was acknowledged, until it is compared with the ledger. */
typedef struct LedgerAnswer {
        uint64_t raft_index, raft_term, tree_index;
} LedgerAnswer;

typedef struct Ledger {
        LedgerEntry *entries; /* by log index */
        size_t entries_length;
        Event **events; /* by tree index; NULL: not seen */
        size_t events_length;
        struct {
                uint64_t id;
                unsigned life;
        } * leaders; /* by term; id 0: none seen */
        size_t leaders_length;
        uint64_t top_term;       /* highest that had a leader */
        uint64_t answered_index; /* highest log index of an acknowledged write */
        uint64_t answered_tree;  /* highest tree index that any client has been told of */
        WallUsec wall_top;       /* latest time that any server's clock has shown */
        LedgerAnswer *answers;
        size_t answers_length, answers_capacity;
        uint64_t *values; /* written in the tree, sorted once the run is over */
        size_t values_length, values_capacity;
        bool values_sorted;
} Ledger;

/* How far one server's life was compared. */
typedef struct ServerView {
        uint64_t log_index;  /* entries */
        uint64_t tree_index; /* events */
        bool leading;
        uint64_t leading_term;
        uint64_t applied; /* never goes back within a life */
        uint64_t hash_at; /* log index at which the tree was last hashed */
        Usec hash_next;
        uint64_t configuration, led_term, commit; /* members.c */
} ServerView;

void ledger_deinit(Ledger *ledger);

/* To be called whenever the server has worked. */
void ledger_observe(World *world, Server *server);

/* A client was told that its write is done. */
void ledger_answer(World *world, LedgerAnswer answer);

/* The value of "v<number>", or 0. */
uint64_t ledger_parse_value(Slice value);

/* Whether every change was seen on some server: a whole history may pass by in one step. */
bool ledger_is_complete(const Ledger *ledger);

bool ledger_has_value(Ledger *ledger, uint64_t value);

/* The change at `index`, or NULL. Borrowed. */
const Event *ledger_event(const Ledger *ledger, uint64_t index);
