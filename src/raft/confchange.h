#pragma once
/*
 * Changes of the configuration: what they say, how they lie in an entry, and what they do. Simple changes alter at most
 * one voter (the paper, section 4.1); everything else passes through a joint configuration (section 4.3).
 */
#include "base/error.h"
#include "base/str.h"
#include "raft/tracker.h"

/* Changes in one entry. */
#define RAFT_CONF_CHANGES_MAX RAFT_MEMBERS_MAX

/* Bytes of the context that travels with a change. */
#define RAFT_CONF_CONTEXT_MAX ((size_t)64 << 10)

/* The values are those in entries. */
typedef enum RaftConfOperation {
        RAFT_CONF_ADD_VOTER = 0,
        RAFT_CONF_REMOVE = 1,
        RAFT_CONF_UPDATE = 2, /* nothing for the core; the context says what of the member is new */
        RAFT_CONF_ADD_LEARNER = 3,
} RaftConfOperation;

typedef enum RaftConfTransition {
        RAFT_CONF_AUTO = 0,           /* simple if that is enough, else joint and left automatically */
        RAFT_CONF_JOINT_IMPLICIT = 1, /* joint, left automatically */
        RAFT_CONF_JOINT_EXPLICIT = 2, /* joint until an empty change says to leave */
} RaftConfTransition;

typedef struct RaftConfSingle {
        RaftConfOperation operation;
        uint64_t id; /* 0: no change */
} RaftConfSingle;

/* No changes and RAFT_CONF_AUTO: leave the joint configuration. */
typedef struct RaftConfChange {
        RaftConfTransition transition;
        size_t length;
        RaftConfSingle changes[RAFT_CONF_CHANGES_MAX];
        Slice context; /* borrowed; the owner's words about the change (the member's addresses) */
} RaftConfChange;

bool raft_conf_change_is_leave(const RaftConfChange *change);

/* Whether applying it enters a joint configuration, and whether that one is left automatically. */
bool raft_conf_change_is_joint(const RaftConfChange *change, bool *ret_auto_leave);

/* The payload of an entry of type RAFT_ENTRY_CONF_CHANGE (`single`: exactly one change, no transition, else -EINVAL) or
 * RAFT_ENTRY_CONF_CHANGE_V2. -ENOMEM. */
int raft_conf_change_encode(const RaftConfChange *change, bool single, RaftPayload **ret_payload);

/* Of an entry of either type; `context` points into its data. -EBADMSG: no such change; -E2BIG: too many. */
int raft_conf_change_decode(const RaftEntry *entry, RaftConfChange *ret_change);

/* The changes below work on a tracker (configuration and progress). They do all or nothing. -EINVAL with `error`: not
 * allowed in this configuration; -E2BIG; -ENOMEM. `last_index` is that of the leader's log: new members start there.
 *
 * The paper, section 4.1: with one voter more or less, any majority of the old shares a member with any of the new. */
int raft_conf_apply_simple(RaftTracker *tracker, const RaftConfSingle *changes, size_t length, uint64_t last_index,
                           Error *error);

/* The paper, section 4.3: from here on, majorities of both sets of voters are needed. */
int raft_conf_enter_joint(RaftTracker *tracker, bool auto_leave, const RaftConfSingle *changes, size_t length,
                          uint64_t last_index, Error *error);
int raft_conf_leave_joint(RaftTracker *tracker, Error *error);

/* Whichever of the three `change` asks for. */
int raft_conf_apply(RaftTracker *tracker, const RaftConfChange *change, uint64_t last_index, Error *error);

/* Replaces everything by `state`, with fresh progress. -EINVAL, -E2BIG as raft_conf_state_validate(). */
int raft_conf_restore(RaftTracker *tracker, const RaftConfState *state, uint64_t last_index);
