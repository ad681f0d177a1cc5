#pragma once
/* The core's state, and what its files call of each other. Not for other folders. */
#include "raft/log.h"
#include "raft/raft.h"
#include "raft/readonly.h"
#include "raft/tracker.h"

typedef enum CampaignKind {
        CAMPAIGN_PRE_ELECTION,
        CAMPAIGN_ELECTION,
        CAMPAIGN_TRANSFER, /* the leader asked for it */
} CampaignKind;

/* What raft_advance() has to acknowledge: storage in step. */
typedef struct RaftOutstanding {
        bool active;            /* a ready is out */
        RaftMessages to_self;   /* this member's own votes and acknowledgements */
        uint64_t term;          /* the core's when the ready was made */
        uint64_t stable_index;  /* 0: no entries */
        uint64_t stable_term;
        RaftSnapshot *snapshot; /* or NULL */
        uint64_t applied_index; /* 0: nothing to apply */
        uint64_t applied_size;
        uint64_t applied_payload_size;
} RaftOutstanding;

struct Raft {
        RaftConfig config;
        uint64_t term;
        uint64_t vote;
        RaftState state;
        uint64_t leader;
        RaftLog log;
        RaftTracker tracker;

        unsigned election_elapsed;  /* ticks since the last word of a leader; leaders: since the last quorum check */
        unsigned heartbeat_elapsed;
        unsigned election_timeout;  /* drawn anew at each reset */

        /* leaders */
        uint64_t transferee;
        uint64_t pending_conf_index; /* no further configuration change until this is applied */
        uint64_t uncommitted_size;
        uint64_t read_round;        /* rises for the life of the core */
        bool read_round_unsent;     /* the heartbeats of read_round are still here: further reads may join it */
        RaftReads reads;            /* wait for their round */
        RaftReads early_reads;      /* wait for the first commit of the term */

        /* output */
        RaftReadStates read_states;
        RaftMessages messages;
        RaftMessages messages_after_append; /* may leave only when term, vote and entries are persisted */
        RaftSoftState previous_soft_state;
        RaftHardState previous_hard_state;
        RaftOutstanding outstanding;

        int failure; /* < 0: nothing goes any more */
};

/* Every call that changes anything ends here: a failure stops the core. Returns r. */
int raft_settle(Raft *raft, int r);

/* Takes the message's contents; fills in from and (unless its kind has none or the caller sets it) term. */
int raft_send(Raft *raft, RaftMessage *message);

/* step.c: without the checks for messages from outside. */
int raft_process(Raft *raft, const RaftMessage *message);

/* election.c */
void raft_become_follower(Raft *raft, uint64_t term, uint64_t leader);
int raft_hup(Raft *raft, CampaignKind kind);
int raft_handle_vote(Raft *raft, const RaftMessage *message);
int raft_handle_vote_response(Raft *raft, const RaftMessage *message);
bool raft_is_promotable(const Raft *raft);
void raft_check_quorum(Raft *raft);

/* The randomised election timeout until the next reset: for scripted tests. */
void raft_set_election_timeout(Raft *raft, unsigned ticks);

/* replicate.c: the leader */
int raft_append_own(Raft *raft, RaftEntry entry); /* gets the next index and the own term */
int raft_acknowledge_own(Raft *raft);
int raft_send_append(Raft *raft, RaftProgress *progress);

/* 1 if something was sent. Without `even_empty` only if there are entries, or a snapshot, to send. */
int raft_maybe_send_append(Raft *raft, RaftProgress *progress, bool even_empty);
int raft_broadcast_append(Raft *raft);
int raft_broadcast_heartbeat(Raft *raft, uint64_t read_round);
int raft_maybe_commit(Raft *raft); /* 1 if the commit index moved */
int raft_send_timeout_now(Raft *raft, uint64_t to);
int raft_handle_append_response(Raft *raft, RaftProgress *progress, const RaftMessage *message);
int raft_handle_heartbeat_response(Raft *raft, RaftProgress *progress, const RaftMessage *message);
int raft_handle_transfer(Raft *raft, RaftProgress *progress, uint64_t transferee);

/* follow.c: the follower */
int raft_handle_append(Raft *raft, const RaftMessage *message);
int raft_handle_heartbeat(Raft *raft, const RaftMessage *message);
int raft_handle_snapshot(Raft *raft, const RaftMessage *message);

/* propose.c */
int raft_lead_proposal(Raft *raft, const RaftMessage *message);

/* membership.c */
int raft_switch_config(Raft *raft);

/* read.c */
uint64_t raft_pending_read_round(const Raft *raft); /* the last that reads wait for; 0: none */
int raft_lead_read(Raft *raft, uint64_t from, uint64_t context);
int raft_release_early_reads(Raft *raft); /* the first entry of the term was committed */
int raft_confirm_reads(Raft *raft);       /* a member has confirmed a round */
int raft_add_read_state(Raft *raft, uint64_t index, uint64_t context);

/* ready.c: the storage has done its work */
int raft_storage_appended(Raft *raft, uint64_t term, uint64_t log_term, uint64_t index, const RaftSnapshot *snapshot);
int raft_storage_applied(Raft *raft, uint64_t index, uint64_t size, uint64_t payload_size);
RaftSoftState raft_soft_state(const Raft *raft);
RaftHardState raft_hard_state(const Raft *raft);
