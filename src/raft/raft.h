#pragma once
/*
 * The consensus core: one member of a Raft group as a pure state machine. The owner feeds it ticks, messages, proposals
 * and completions of its own I/O, and carries out what each ready asks for. The core knows no clock, disk or network.
 *
 * The owner's loop, with storage in step (async_storage_writes off), one ready at a time:
 *
 *     raft_ready(raft, &ready)
 *       1. persist ready.hard_state, ready.snapshot, ready.entries (must_sync: and wait for the disk)
 *       2. send ready.messages                        (never before 1 is done)
 *       3. apply ready.committed_entries; for each configuration change call raft_apply_conf_change()
 *          (a ready.snapshot is installed before); serve ready.read_states whose index is applied
 *     raft_advance(raft)
 *
 * Meanwhile messages may be stepped and entries proposed: they show in the next ready. The storage given to raft_new()
 * must hold what 1 persisted before raft_advance() is called.
 *
 * With async_storage_writes the work travels as messages: RAFT_MESSAGE_STORAGE_APPEND to RAFT_ID_APPEND_THREAD (persist
 * its term/vote/commit if any is set, snapshot and entries) and RAFT_MESSAGE_STORAGE_APPLY to RAFT_ID_APPLY_THREAD.
 * When one is done, its `responses` are delivered: those to this member by raft_step(), others over the network. Each
 * of the two is done in order; entries to apply that a snapshot has overtaken meanwhile are skipped. All other messages
 * may be sent at once: the leader writes its disk in parallel with sending (the paper, section 10.2.1). raft_advance()
 * is then not called.
 *
 * Results below zero from any call but the refusals named with it (-EINVAL, -EBADMSG, and -ENOMEM of a proposal that
 * was not taken) mean that the core has failed in the middle of a change: out of memory, a storage that failed
 * (its errno), or a log that contradicts the cluster's (-EPROTO). From then on every call gives that same error, and
 * nothing more leaves the core: the owner stops the server and starts it again from its disk, as after a crash.
 */
#include "base/error.h"
#include "base/random.h"
#include "raft/confchange.h"
#include "raft/storage.h"
#include "raft/types.h"

/* "Unlimited" of the sizes in RaftConfig. */
#define RAFT_NO_LIMIT UINT64_MAX

/* Reads of other members and of this one that wait for a confirmation or for the first commit of the term. Further ones
 * are dropped; their askers ask again. */
#define RAFT_READS_MAX 65536

/* Expected outcomes of raft_step() and of the proposals. */
typedef enum RaftOutcome {
        RAFT_PROPOSAL_DROPPED = 1, /* no leader, leadership is moving, too much uncommitted, …: try again later */
        RAFT_PEER_UNKNOWN = 2,     /* an answer from someone who is in no configuration here */
        RAFT_MESSAGE_LOCAL = 3,    /* came from the network but is of a kind that only moves within a member */
        RAFT_CHANGE_REFUSED = 4,   /* the committed change makes no sense in this configuration: nothing changed */
} RaftOutcome;

typedef enum RaftState {
        RAFT_FOLLOWER,
        RAFT_CANDIDATE,
        RAFT_LEADER,
        RAFT_PRE_CANDIDATE,
} RaftState;

typedef enum RaftReadOnly {
        RAFT_READ_ONLY_SAFE,  /* each read costs one round to a majority */
        RAFT_READ_ONLY_LEASE, /* none, but clocks must keep pace; needs check_quorum */
} RaftReadOnly;

typedef struct RaftConfig {
        uint64_t id;
        unsigned election_ticks;  /* a follower waits between this and twice this, less one */
        unsigned heartbeat_ticks; /* fewer than election_ticks */
        RaftStorage storage;      /* borrowed */
        uint64_t applied;         /* last index that the owner has applied; 0: what the storage's first index says */
        Random random;            /* copied: draws the election timeouts */

        uint64_t max_message_size;       /* bytes of entries in one append; 0: one entry each */
        uint64_t max_committed_size;     /* bytes of entries that are out to be applied; 0: max_message_size */
        uint64_t max_uncommitted_size;   /* bytes of data in the leader's uncommitted tail; 0: no limit */
        size_t max_inflight_messages;    /* appends per follower on the way; > 0 */
        uint64_t max_inflight_bytes;     /* their data; 0: no limit, else at least max_message_size */

        bool async_storage_writes;
        bool check_quorum; /* the leader steps down when it has not heard from a majority for election_ticks */
        bool pre_vote;     /* ask whether an election could be won before raising the term */
        RaftReadOnly read_only;
        bool disable_proposal_forwarding;    /* followers drop proposals */
        bool disable_conf_change_validation; /* only for tests */

        /* A denied vote tells what the member knows to be committed (commit, log_term), and a candidate that has that
         * entry takes it over. Always sound: a committed entry stays one, whoever says so. Needed because a change
         * takes force when it is applied: who has not heard that it is committed may need the vote of a member that the
         * change removed, and that one may have to deny it for ever. Set this in earnest; etcd's raft has no such
         * thing, so that recorded transcripts run without. */
        bool votes_tell_commit;

        /* Requests for votes wait until the candidate's term is on its disk. Always sound, and needed with asynchronous
         * storage: with the others' votes alone a candidate may lead before it is, and after a crash it would forget the
         * term and lead it once more, with other entries. Set this in earnest; recorded transcripts run without. */
        bool campaign_after_append;

        /* A leader that a change has removed or demoted follows at once. Else it goes on leading, takes no proposals,
         * and brings the others the news that the change is committed, until its owner stops it. */
        bool step_down_on_removal;
} RaftConfig;

typedef struct Raft Raft;

/* A member with what `config->storage` says was persisted. The first configuration of a group must lie where later
 * members find it: in a snapshot that all founders begin with (index and term at least 1), or as changes in the log.
 * -EINVAL with `error`: the configuration or the storage's contents make no sense; -ENOMEM; what the storage gives. */
int raft_new(const RaftConfig *config, Raft **ret_raft, Error *error);
Raft *raft_free(Raft *raft);
CLEANUP_DEFINE(Raft, raft_free)
#define _cleanup_raft_ _cleanup_(raft_freep)

/* ---- input ---- */

int raft_tick(Raft *raft);

/* Borrows the message; entries and snapshot are shared by reference. Outcomes RAFT_PROPOSAL_DROPPED, RAFT_PEER_UNKNOWN,
 * RAFT_MESSAGE_LOCAL. -EBADMSG: raft_message_validate() refuses it; nothing changed. */
int raft_step(Raft *raft, const RaftMessage *message);

/* Borrows the payload(s). A batch is taken whole or not at all, and travels in one append. Outcome
 * RAFT_PROPOSAL_DROPPED. Success does not mean that it will be committed: that shows when it comes back. On the leader
 * the entries are the last of the log: see raft_last_index(). -EINVAL: none, or above RAFT_ENTRY_DATA_MAX. */
int raft_propose(Raft *raft, RaftPayload *payload);
int raft_propose_batch(Raft *raft, RaftPayload *const *payloads, size_t length);

/* While another change is unapplied, or if it does not suit a joint configuration, an empty entry is committed in its
 * place. `single`: as an entry of the older kind (one change). Outcome RAFT_PROPOSAL_DROPPED. -EINVAL: see
 * raft_conf_change_encode(). */
int raft_propose_conf_change(Raft *raft, const RaftConfChange *change, bool single);

/* To be called for each committed entry that is a configuration change, when it is applied and before the ready (or the
 * storage message) it came with is reported done. `ret_state` (may be NULL) gets the new configuration, to be kept with
 * the owner's applied state. Outcome RAFT_CHANGE_REFUSED, the same on every member; `error` (may be NULL) says why. */
int raft_apply_conf_change(Raft *raft, const RaftConfChange *change, RaftConfState *ret_state, Error *error);

/* Asks for an index that a linearizable read may be served at, once applied. It arrives as a read state with `context`
 * in a later ready, or never (no leader, a lost message): ask again after a while. */
int raft_read_index(Raft *raft, uint64_t context);

/* Asks for leadership to move to `id`; on a follower the wish is forwarded. */
int raft_transfer_leader(Raft *raft, uint64_t id);

/* The last message to `id` did not arrive. */
int raft_report_unreachable(Raft *raft, uint64_t id);

/* The snapshot for `id` was handed over (or not). Without this the leader sends `id` nothing more. */
int raft_report_snapshot(Raft *raft, uint64_t id, bool success);

int raft_campaign(Raft *raft);

/* A follower that knows by other means that its leader is dead may vote at once. */
int raft_forget_leader(Raft *raft);

/* ---- output ---- */

typedef struct RaftSoftState {
        uint64_t leader;
        RaftState state;
} RaftSoftState;

typedef struct RaftReadState {
        uint64_t index;
        uint64_t context;
} RaftReadState;

typedef struct RaftReadStates {
        RaftReadState *items;
        size_t length;
        size_t capacity;
} RaftReadStates;

/* Owns all it shows. Zeroed is empty; one that is used again and again keeps its memory. */
typedef struct RaftReady {
        bool must_sync; /* term, vote or entries to persist: the disk must have them before the messages leave */
        bool soft_state_changed;
        RaftSoftState soft_state;     /* only if changed */
        RaftHardState hard_state;     /* empty: unchanged */
        RaftReadStates read_states;
        RaftEntries entries;          /* to persist, in place of all that is there from their first index on */
        RaftSnapshot *snapshot;       /* to persist in place of the whole log, and to install; or NULL */
        RaftEntries committed_entries; /* to apply */
        RaftMessages messages;        /* to send, in order per member; in asynchronous mode also the storage's work */
} RaftReady;

void raft_ready_deinit(RaftReady *ready);
#define _cleanup_raft_ready_ _cleanup_(raft_ready_deinit)

bool raft_has_ready(const Raft *raft);

/* Replaces the contents of `ready`. Legal when there is nothing: it is then empty. -EBUSY: storage in step, and the
 * last ready was not advanced. */
int raft_ready(Raft *raft, RaftReady *ready);

/* All that the last ready asked for is done. Not in asynchronous mode: -EINVAL. */
int raft_advance(Raft *raft);

/* ---- looking in ---- */

typedef struct RaftBasicStatus {
        uint64_t id;
        RaftHardState hard_state;
        RaftSoftState soft_state;
        uint64_t applied;
        uint64_t last_index;
        uint64_t transferee; /* who is to lead next, or RAFT_ID_NONE */
        bool change_pending; /* this leader's log may hold a configuration change that is not applied yet: no other now */
        bool voter;          /* in either half of its own configuration */
        bool learner;
} RaftBasicStatus;

typedef struct RaftPeerStatus {
        uint64_t id;
        RaftProgressState state;
        uint64_t match;
        uint64_t next;
        uint64_t pending_snapshot;
        size_t inflight;
        bool inflight_full;
        bool learner;
        bool paused;
        bool active; /* heard from lately */
} RaftPeerStatus;

typedef struct RaftStatus {
        RaftBasicStatus basic;
        RaftConfState configuration;
        size_t length; /* of peers: 0 unless leader */
        RaftPeerStatus peers[RAFT_MEMBERS_MAX];
} RaftStatus;

RaftBasicStatus raft_basic_status(const Raft *raft);
void raft_status(const Raft *raft, RaftStatus *ret_status);
uint64_t raft_last_index(const Raft *raft);

/* The configuration in force; valid until the next call that changes anything. */
const RaftConfState *raft_configuration(const Raft *raft);

/* 0, or the error that the core stopped with. */
int raft_failure(const Raft *raft);

const char *raft_state_name(RaftState state); /* "follower", … */
