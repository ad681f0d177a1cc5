#pragma once
/*
 * One server's consensus core, log, snapshots and tree put together. Pure: it knows neither clock nor network nor threads,
 * but is told the time, fed frames from other members, and hands out work through ReplicaOps. The simulation runs whole
 * clusters of these.
 *
 * The owner feeds inputs (tick, receive, propose, read, job_done) and then calls replica_run(), which carries everything
 * out in the one order that is safe. Requests are answered from replica_run(), replica_tick() and replica_free() alone;
 * `send` and `run_job` may be called from any input.
 *
 * When the disk or the core fails the replica stops for good: replica_failure(). The owner ends the server; a restart
 * recovers from what is safe.
 */
#include "base/error.h"
#include "base/histogram.h"
#include "base/random.h"
#include "base/rate.h"
#include "raft/raft.h"
#include "store/log/log.h"
#include "store/log/snapshot-file.h"
#include "store/tree/tree.h"

/* Proposals of this member that are not applied yet; further ones are refused. */
#define REPLICA_PROPOSALS_MAX ((size_t)65536)
#define REPLICA_PROPOSAL_BYTES_MAX ((size_t)256 << 20)

/* Quorum reads that wait. */
#define REPLICA_READS_MAX ((size_t)65536)

/* A member that was removed goes on for at most so long: until then others that have not heard of it may need its word. */
#define REPLICA_REMOVED_LINGER (10 * USEC_PER_SEC)

/* Bytes of one frame between members. */
#define REPLICA_FRAME_MAX ((size_t)256 << 20)

typedef struct Replica Replica;

typedef struct ReplicaConfig {
        uint64_t id;              /* replica_open() with 0: id and cluster are what the log says */
        uint64_t cluster;
        Usec tick;                /* length of a tick: the heartbeat interval */
        unsigned election_ticks;
        Usec request_timeout;     /* of proposals and reads */
        uint64_t snapshot_entries; /* a snapshot is made after so many; 0: 10,000 */
        uint64_t snapshot_bytes;   /* … or when so much log has gathered; 0: 64 MiB */
        uint64_t keep_entries;     /* kept behind a snapshot for members that lag; 0: 5,000 */
        uint64_t segment_size;     /* of the log; 0: its default */
        uint64_t message_size;     /* bytes of entries in one append, though always one entry; 0: 1 MiB */
        bool all_is_committed;     /* what the log holds counts as committed: for replica_force_new_cluster() alone */
        Random random;             /* copied */
        TreeOptions tree;
} ReplicaConfig;

typedef struct ReplicaOps {
        /* Runs the job on a worker thread and later, never within this call, calls replica_job_done(). Jobs are
         * independent: any number may run side by side. */
        void (*run_job)(void *userdata, DiskJob *job);

        /* Sends a frame (borrowed) to a member; it may be lost or come late, but must not come twice: a forwarded proposal
         * would be carried out twice. `bulk`: pieces of snapshots, which must not hold up the others. */
        void (*send)(void *userdata, uint64_t to, bool bulk, Slice frame);

        /* The configuration or a member's addresses have changed: see the tree below TREE_SYSTEM. May be NULL. */
        void (*members_changed)(void *userdata);
} ReplicaOps;

/* A member of a cluster that begins. */
typedef struct ReplicaMember {
        uint64_t id;
        const char *attributes; /* its entry in the tree, JSON: {"peerURLs":[…]} */
} ReplicaMember;

/* Writes the log of a new cluster's member: the same on all of them. Blocks. -EEXIST: there is a log already. */
int replica_bootstrap(Disk *disk, const ReplicaConfig *config, const ReplicaMember *members, size_t count, Error *error);

/* Writes the log of a member that joins a running cluster, which has added it under `config->id`: an identity and nothing
 * else. Blocks. -EEXIST: there is a log already. */
int replica_join(Disk *disk, const ReplicaConfig *config, Error *error);

/* Makes the member on the disk the only one of its cluster, with all that its log holds: for the survivor of a majority
 * that is lost for good. Blocks. To be followed by replica_open(). */
int replica_force_new_cluster(const ReplicaConfig *config, Disk *disk, Error *error);

/* What a backup came to, for people. */
typedef struct ReplicaBackup {
        uint64_t index;  /* the tree's */
        size_t keys;     /* files and directories of clients */
        uint64_t cut_bytes; /* of an unfinished write at the log's end, which is left out; 0: none */
} ReplicaBackup;

/*
 * Writes what the member on the disk `from` holds to the empty disk `to`, as the data of another member, the only one of another
 * cluster: `config->id` of `config->cluster`. Keys, their indexes, times to live and the history are the same; the members are left
 * behind. All that the log holds is taken for committed, as replica_force_new_cluster() does. Blocks. `from` may be a disk that is
 * only read (disk_directory_read()). -ENOENT: no log; -EEXIST: `to` is not empty; -EBADMSG: damaged, or, when a server
 * writes to `from`, changed meanwhile. After a failure nothing is left on `to`.
 */
int replica_backup(const ReplicaConfig *config, Disk *from, Disk *to, ReplicaBackup *ret, Error *error);

/* Recovers from the disk (borrowed). Blocks. `ops` is borrowed. -ENOENT: no log. */
int replica_open(const ReplicaConfig *config, Disk *disk, const ReplicaOps *ops, void *userdata, Replica **ret_replica,
                 Error *error);

/* Requests that wait are answered -ECANCELED. Jobs under way must have been reported, or, if `crash`, will never be. */
Replica *replica_free(Replica *replica, bool crash);

/* ---- input ---- */

/* The clocks; call it about once per tick interval. Counts the ticks that have passed itself. */
void replica_tick(Replica *replica, Usec now, WallUsec wall);

/* The time of what comes in until the next tick: what is measured is measured by it. */
void replica_note_time(Replica *replica, Usec now);

/* A frame from member `from`; takes a reference to it. Malformed ones are counted and dropped: -EBADMSG. -EPERM: that member
 * was removed, and is not listened to. */
int replica_receive(Replica *replica, uint64_t from, RaftPayload *frame);

/* No frame reaches `to` at present. */
void replica_report_unreachable(Replica *replica, uint64_t to);

void replica_job_done(Replica *replica, DiskJob *job, int r);

typedef struct ReplicaResult {
        int r;                  /* 0; -ETIMEDOUT: not known whether it will yet be done; -ECANCELED: this server stops */
        int code;               /* r == 0: 0, or the TreeCode or ReplicaChangeCode that refused it */
        Event *event;           /* of a command that was done; borrowed */
        const TreeError *error; /* of one that was refused; borrowed */
        uint64_t raft_index, raft_term;
} ReplicaResult;

typedef void (*ReplicaDone)(void *userdata, const ReplicaResult *result);

typedef struct ReplicaRequest ReplicaRequest;

/* Proposes a command (copied). `done` is called once it is applied here, or has failed. -EBUSY: too many wait already;
 * -ENOMEM; -ESHUTDOWN: the replica has failed. */
int replica_propose(Replica *replica, const Command *command, ReplicaDone done, void *userdata, ReplicaRequest **ret_request);

/* `done` is called when the tree is at least as new as it was anywhere at the time of this call, or with -ETIMEDOUT after
 * `timeout` (0: the request timeout). Same errors. */
int replica_read(Replica *replica, Usec timeout, ReplicaDone done, void *userdata, ReplicaRequest **ret_request);

/* ---- members ---- */

typedef enum ReplicaChangeKind {
        REPLICA_CHANGE_ADD,    /* a stand-by at first; the leader makes it a voter once it has caught up */
        REPLICA_CHANGE_UPDATE, /* of its attributes */
        REPLICA_CHANGE_REMOVE,
} ReplicaChangeKind;

/* Borrowed for the call. */
typedef struct ReplicaChange {
        ReplicaChangeKind kind;
        uint64_t id;
        const char *attributes; /* ADD, UPDATE: as in ReplicaMember */
} ReplicaChange;

/* Why a committed change changed nothing; the same on every member. */
typedef enum ReplicaChangeCode {
        REPLICA_MEMBER_EXISTS = 1,
        REPLICA_MEMBER_URL_EXISTS, /* one of the peer URLs is another member's */
        REPLICA_MEMBER_UNKNOWN,
        REPLICA_MEMBER_GONE,    /* was removed: its id can never return */
        REPLICA_CHANGE_REFUSED, /* the last voter cannot be removed; too many members */
} ReplicaChangeCode;

/* Proposes a change of the members. Changes are carried out one at a time: this one may wait for others. `done` is called as
 * for a command, with a ReplicaChangeCode. -EBUSY, -ENOMEM, -ESHUTDOWN; -EINVAL: no id that a member can have. */
int replica_change_members(Replica *replica, const ReplicaChange *change, ReplicaDone done, void *userdata);

/* Whether that member was removed, and this member will know it after any crash: frames of such a one are refused. */
bool replica_is_removed(const Replica *replica, uint64_t id);

/* Member `by` says that it has removed this one. */
void replica_hear_removed(Replica *replica, uint64_t by);

/* This member was removed, and nobody needs it any more: a majority of the others has said so, or it has waited for
 * REPLICA_REMOVED_LINGER. (Never for a single other one that has not said it: that one might not know, and need this vote.)
 * The owner ends the server for good. */
bool replica_may_leave(const Replica *replica);

/* `done` will not be called; a command may be carried out all the same. */
void replica_request_cancel(ReplicaRequest *request);

/* Whether nothing that came to this member waits for the cluster any more. */
bool replica_is_quiet(const Replica *replica);

/* Asks for leadership to move to the member that is nearest to it, before a stop. False when there is none. */
bool replica_hand_over(Replica *replica);

/* ---- work ---- */

/* Carries out all that can be done now. True: there is more to do without any further input; call again soon. */
bool replica_run(Replica *replica);

/* < 0 once the replica has stopped for good; `error` (may be NULL) then says why. */
int replica_failure(const Replica *replica, Error *error);

/* ---- looking in ---- */

Tree *replica_tree(Replica *replica);
const Raft *replica_raft(const Replica *replica);
const RaftConfState *replica_configuration(const Replica *replica); /* of what is applied */
uint64_t replica_id(const Replica *replica);
uint64_t replica_cluster(const Replica *replica);

/* What recovery found, for the log of the program. */
typedef struct ReplicaRecovery {
        uint64_t snapshot_index;
        size_t entries;
        uint64_t commit; /* known to be committed; 0: nothing is */
        uint64_t cut_bytes;
        char cut_segment[64];
        uint64_t cut_offset;
} ReplicaRecovery;

const ReplicaRecovery *replica_recovery(const Replica *replica);

typedef struct ReplicaCounts {
        uint64_t proposals, proposals_failed, reads, reads_failed, applied, batches, batch_bytes, snapshots_made,
                snapshots_sent, snapshots_received, frames_sent, frames_received, frames_bad, appends_sent, appends_received;
        uint64_t applied_index, applied_term;
} ReplicaCounts;

ReplicaCounts replica_counts(const Replica *replica);

/* Appends that leave and come, by the last few; false: none of late. */
bool replica_append_rates(Replica *replica, bool sent, Rate *ret_rate);

/* How many requests of this member wait to be applied. */
size_t replica_pending(const Replica *replica);

/* How a follower answers this leader's appends; milliseconds. */
typedef struct ReplicaFollower {
        uint64_t id;
        double latency, average, deviation, minimum, maximum;
        uint64_t answers, failures;
        Histogram round_trips;
} ReplicaFollower;

/* Zeroed when nothing has been measured. */
ReplicaFollower replica_follower(const Replica *replica, uint64_t id);
