#pragma once
/*
 * The nouns of consensus: entries, snapshots, configurations, messages. Entries and messages own references to their
 * payloads and never copy the bytes. References are counted without locks: one core and all that holds parts of it live
 * in one thread (another may read the bytes while this one keeps a reference).
 *
 * "The paper" in this folder is D. Ongaro, "Consensus: Bridging Theory and Practice" (the Raft dissertation, 2014).
 */
#include "base/cleanup.h"
#include "base/util.h"

/* Members that one configuration may have: voters of both halves and learners together. */
#define RAFT_MEMBERS_MAX 64

/* Indexes and terms above this are refused from outside, so that sums inside never overflow. */
#define RAFT_INDEX_MAX (UINT64_MAX >> 2)

/* Bytes of one entry. */
#define RAFT_ENTRY_DATA_MAX ((uint32_t)64 << 20)

/* No member: ids start at 1. */
#define RAFT_ID_NONE ((uint64_t)0)

/* Addresses of the local storage in asynchronous mode; never ids of members. */
#define RAFT_ID_APPEND_THREAD UINT64_MAX
#define RAFT_ID_APPLY_THREAD (UINT64_MAX - 1)

static inline bool raft_id_is_local(uint64_t id) {
        return id == RAFT_ID_APPEND_THREAD || id == RAFT_ID_APPLY_THREAD;
}

/* ---- bytes ---- */

typedef struct RaftPayloadBlock RaftPayloadBlock;

typedef struct RaftPayload {
        size_t references;
        size_t length;
        RaftPayloadBlock *block; /* whose memory it is in; NULL: its own */
        char data[];
} RaftPayload;

/* `bytes` may be NULL: the data is then the caller's to fill before anyone else sees it. Starts with one reference. All
 * references are of one thread. */
int raft_payload_new(const void *bytes, size_t length, RaftPayload **ret_payload);
RaftPayload *raft_payload_ref(RaftPayload *payload);   /* NULL gives NULL */
RaftPayload *raft_payload_unref(RaftPayload *payload); /* returns NULL */
CLEANUP_DEFINE(RaftPayload, raft_payload_unref)
#define _cleanup_raft_payload_ _cleanup_(raft_payload_unrefp)

/* ---- entries ---- */

typedef enum RaftEntryType {
        RAFT_ENTRY_NORMAL = 0,
        RAFT_ENTRY_CONF_CHANGE = 1,    /* one change, see raft/confchange.h */
        RAFT_ENTRY_CONF_CHANGE_V2 = 2, /* a set of changes; without a payload: leave the joint configuration */
} RaftEntryType;

/* The data lies within `payload`, which many entries may share (a received frame). No payload: the leader's empty
 * entry, a refused configuration change, or the automatic leave. */
typedef struct RaftEntry {
        uint64_t term;
        uint64_t index;
        RaftPayload *payload;
        const char *data;
        uint32_t length;
        uint8_t type; /* RaftEntryType */
} RaftEntry;

static inline bool raft_entry_is_conf_change(const RaftEntry *entry) {
        return entry->type != RAFT_ENTRY_NORMAL;
}

/* A copy that holds a reference of its own. */
RaftEntry raft_entry_ref(const RaftEntry *entry);
void raft_entry_deinit(RaftEntry *entry);

/* What the entry counts against the limits in bytes: a tag byte and a base-128 number for each of type, term, index and
 * (if there is a payload) length, and the data. */
uint64_t raft_entry_size(const RaftEntry *entry);

/* A run of owned entries: appended at the end, dropped from either end, all amortised O(1). Zeroed is empty. */
typedef struct RaftEntries {
        RaftEntry *items; /* the first; moves forward when entries are dropped at the front */
        size_t length;
        RaftEntry *memory;
        size_t capacity; /* of `memory` */
} RaftEntries;

void raft_entries_deinit(RaftEntries *entries);
#define _cleanup_raft_entries_ _cleanup_(raft_entries_deinit)
void raft_entries_clear(RaftEntries *entries); /* keeps the memory */

/* Makes room so that `count` more raft_entries_append() cannot fail. -ENOMEM. */
int raft_entries_reserve(RaftEntries *entries, size_t count);
int raft_entries_append(RaftEntries *entries, const RaftEntry *entry); /* takes a reference; -ENOMEM */
int raft_entries_append_all(RaftEntries *entries, const RaftEntry *items, size_t count); /* all or none; -ENOMEM */
void raft_entries_drop_front(RaftEntries *entries, size_t count);
void raft_entries_truncate(RaftEntries *entries, size_t length);

uint64_t raft_entries_size(const RaftEntries *entries);         /* sum of raft_entry_size() */
uint64_t raft_entries_payload_size(const RaftEntries *entries); /* sum of the data's bytes */

/* How many of the first of `count` entries fit into `max` bytes: at least one if there is any. */
size_t raft_entries_limit(const RaftEntry *items, size_t count, uint64_t max);

/* ---- configurations ---- */

/* A sorted set of ids. */
typedef struct RaftIds {
        size_t length;
        uint64_t items[RAFT_MEMBERS_MAX];
} RaftIds;

bool raft_ids_contain(const RaftIds *ids, uint64_t id);
int raft_ids_add(RaftIds *ids, uint64_t id); /* 0 also when it was there; -E2BIG */
void raft_ids_remove(RaftIds *ids, uint64_t id);
bool raft_ids_equal(const RaftIds *a, const RaftIds *b);

/* Who takes part. Joint while voters_outgoing is not empty: then elections and commits need a majority of both halves
 * (the paper, section 4.3). */
typedef struct RaftConfState {
        RaftIds voters;
        RaftIds voters_outgoing; /* of a joint configuration */
        RaftIds learners;
        RaftIds learners_next; /* outgoing voters that become learners when the joint configuration is left */
        bool auto_leave;       /* the leader leaves the joint configuration as soon as it is applied */
} RaftConfState;

static inline bool raft_conf_state_is_joint(const RaftConfState *state) {
        return state->voters_outgoing.length > 0;
}

bool raft_conf_state_equals(const RaftConfState *a, const RaftConfState *b);

/* -EINVAL: no voter though there are other members, a learner that votes, a learner to be that is no outgoing voter, id
 * 0 or one of the local addresses; -E2BIG: more than RAFT_MEMBERS_MAX members. */
int raft_conf_state_validate(const RaftConfState *state);

/* ---- persistent state ---- */

/* The paper, Figure 3.1 "persistent state": to be on disk before a message that speaks of it leaves. */
typedef struct RaftHardState {
        uint64_t term;
        uint64_t vote;
        uint64_t commit;
} RaftHardState;

static inline bool raft_hard_state_is_empty(const RaftHardState *state) {
        return state->term == 0 && state->vote == 0 && state->commit == 0;
}

static inline bool raft_hard_state_equals(const RaftHardState *a, const RaftHardState *b) {
        return a->term == b->term && a->vote == b->vote && a->commit == b->commit;
}

/* The state up to `index` in place of the entries. Shared and never changed once it was handed on. The payload is
 * opaque: whatever the owner needs to find the bytes, or the bytes. */
typedef struct RaftSnapshot {
        size_t references;
        uint64_t index;
        uint64_t term;
        RaftConfState conf_state;
        RaftPayload *payload; /* may be NULL */
} RaftSnapshot;

/* Takes a reference to `payload` (may be NULL). `conf_state` NULL: empty. Starts with one reference. */
int raft_snapshot_new(uint64_t index, uint64_t term, const RaftConfState *conf_state, RaftPayload *payload,
                      RaftSnapshot **ret_snapshot);
RaftSnapshot *raft_snapshot_ref(RaftSnapshot *snapshot);   /* NULL gives NULL */
RaftSnapshot *raft_snapshot_unref(RaftSnapshot *snapshot); /* returns NULL */
CLEANUP_DEFINE(RaftSnapshot, raft_snapshot_unref)
#define _cleanup_raft_snapshot_ _cleanup_(raft_snapshot_unrefp)

/* ---- messages ---- */

/* The values are those on the wire (docs/formats/raft-messages.md). */
typedef enum RaftMessageType {
        RAFT_MESSAGE_PROPOSE = 1,
        RAFT_MESSAGE_APPEND = 2,
        RAFT_MESSAGE_APPEND_RESPONSE = 3,
        RAFT_MESSAGE_VOTE = 4,
        RAFT_MESSAGE_VOTE_RESPONSE = 5,
        RAFT_MESSAGE_PRE_VOTE = 6,
        RAFT_MESSAGE_PRE_VOTE_RESPONSE = 7,
        RAFT_MESSAGE_SNAPSHOT = 8,
        RAFT_MESSAGE_HEARTBEAT = 9,
        RAFT_MESSAGE_HEARTBEAT_RESPONSE = 10,
        RAFT_MESSAGE_TRANSFER_LEADER = 11, /* `from` is who is to lead */
        RAFT_MESSAGE_TIMEOUT_NOW = 12,
        RAFT_MESSAGE_READ_INDEX = 13,
        RAFT_MESSAGE_READ_INDEX_RESPONSE = 14,
        /* the work of asynchronous storage: never on the wire */
        RAFT_MESSAGE_STORAGE_APPEND = 32, /* to RAFT_ID_APPEND_THREAD */
        RAFT_MESSAGE_STORAGE_APPEND_RESPONSE = 33,
        RAFT_MESSAGE_STORAGE_APPLY = 34, /* to RAFT_ID_APPLY_THREAD */
        RAFT_MESSAGE_STORAGE_APPLY_RESPONSE = 35,
} RaftMessageType;

typedef struct RaftMessage RaftMessage;

typedef struct RaftMessages {
        RaftMessage *items;
        size_t length;
        size_t capacity;
} RaftMessages;

struct RaftMessage {
        RaftMessageType type;
        bool reject;
        bool transfer;       /* votes: an election that the leader asked for, which no lease holds up */
        uint64_t from;
        uint64_t to;
        uint64_t term;       /* 0: local, or of no term (proposals, reads) */
        uint64_t log_term;   /* with `index`: the entry before `entries`, or the candidate's last */
        uint64_t index;
        uint64_t commit;
        uint64_t vote;       /* storage messages */
        uint64_t reject_hint;
        uint64_t context;    /* reads: whose answer this is; 0: none */
        RaftEntries entries;
        RaftSnapshot *snapshot;
        RaftMessages responses; /* storage messages: to be delivered when the work is done */
};

/* Releases what the message owns and leaves it zeroed. */
void raft_message_deinit(RaftMessage *message);
#define _cleanup_raft_message_ _cleanup_(raft_message_deinit)

/* A copy with references of its own, responses included. -ENOMEM. */
int raft_message_copy(const RaftMessage *message, RaftMessage *ret_copy);

void raft_messages_deinit(RaftMessages *messages);
#define _cleanup_raft_messages_ _cleanup_(raft_messages_deinit)
void raft_messages_clear(RaftMessages *messages);
int raft_messages_take(RaftMessages *messages, RaftMessage *message); /* moves it in; on -ENOMEM releases it */

bool raft_message_type_is_local(RaftMessageType type);
bool raft_message_type_is_response(RaftMessageType type);

/* What no sound sender sends: indexes or terms beyond RAFT_INDEX_MAX, a proposal without entries, an append whose
 * entries do not follow each other or come from a later term. -EBADMSG. */
int raft_message_validate(const RaftMessage *message);
