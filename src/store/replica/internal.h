#pragma once
/* What the files of the replica share. replica.c has the life cycle and the order of work, persist.c the disk's side,
 * apply.c the tree's, members.c what a change
 * makes of the members and change.c their way there, request.c proposals and reads, compact.c snapshots made here, transfer.c those sent and received. */
#include "base/list.h"
#include "base/map.h"
#include "raft/memory-storage.h"
#include "store/replica/frame.h"
#include "store/replica/replica.h"
#include "store/tree/snapshot.h"

enum {
        REPLICA_TRANSFERS_MAX = RAFT_MEMBERS_MAX,
        REPLICA_PIECE = 512 << 10,          /* bytes of a snapshot in one frame */
        REPLICA_SNAPSHOTS_KEPT = 2,
        REPLICA_COMPACT_STEP = 1000,        /* entries let go of in one turn */
        REPLICA_SNAPSHOT_STEP = 1000,       /* nodes looked at in one turn */
        REPLICA_SNAPSHOT_QUEUE = 4 << 20,   /* bytes that wait for the disk; then the walk pauses */
        REPLICA_INSTALL_STEP = 256 << 10,   /* bytes fed to the tree in one turn */
};

/* Housekeeping that failed (a full disk) is tried again after that long: at once it would be tried without pause. */
#define REPLICA_HOUSEKEEPING_RETRY USEC_PER_SEC

/* Work that the core gave the disk: what must be safe before `responses` go out. */
typedef struct PersistWork {
        RaftEntries entries;
        RaftSnapshot *snapshot;
        RaftMessages responses;
        uint64_t commit; /* that is written along; 0: none */
} PersistWork;

typedef struct PersistWorks {
        PersistWork *items;
        size_t length, capacity;
} PersistWorks;

typedef enum RequestKind {
        REQUEST_PROPOSAL,
        REQUEST_READ,
        REQUEST_CHANGE, /* of the members */
} RequestKind;

struct ReplicaRequest {
        RequestKind kind;
        ListNode link; /* in the replica's list of its kind, oldest first */
        Replica *replica;
        uint64_t id;
        Usec deadline;
        size_t bytes;
        ReplicaDone done; /* NULL: cancelled */
        void *userdata;
        RaftPayload *payload; /* a proposal that has not been proposed yet */
        bool removes_self;    /* of a change: this member */
        uint64_t round;       /* of a read: the one that serves it; 0: none yet */
};

/* Bringing a received snapshot into the tree, in steps. */
typedef struct Install {
        DiskJob job;
        RaftSnapshot *snapshot; /* NULL: none under way */
        SnapshotFile *file;     /* the job's while it runs */
        Disk *disk;
        SnapshotReader *reader;
        Buffer payload;         /* read, not fed yet */
        bool running, end;
        Error error;
} Install;

/* The time from an append to its answer, one sample at a time. */
typedef struct Following {
        ReplicaFollower figures;
        double sum_of_squares;
        uint64_t index; /* the sample is over when this is acknowledged; 0: none under way */
        Usec sent;
} Following;

/* A learner's round: it has caught up when it reaches `target` soon enough. */
typedef struct Catching {
        uint64_t id; /* 0: free */
        uint64_t target;
        Usec begun;
} Catching;

/* What travels with a change of the members. */
typedef struct ChangeContext {
        uint64_t member, request; /* whose request it is; 0: nobody's */
        Slice attributes;
} ChangeContext;

enum { CHANGE_CONTEXT_VERSION = 1 };

/* A snapshot on its way to a member. */
typedef struct Sending {
        uint64_t to; /* 0: free */
        RaftMessage message;
        SnapshotRead read;
        bool reading;
        bool last;         /* the piece on its way ends the file */
        uint64_t offset;   /* of the piece on its way */
        Usec retry;        /* when it is sent again */
        unsigned attempts;
        Replica *replica;
        bool lost;         /* given up while a job still runs */
} Sending;

/* A snapshot that comes in. */
typedef struct Receiving {
        SnapshotWriter *writer; /* NULL: none */
        uint64_t from, index, term;
        uint64_t next;          /* offset that is wanted */
        Usec seen;              /* when a piece came last */
        DiskJob *job;
        bool busy, last;
        bool abandoned;         /* free it when the job is done */
} Receiving;

struct Replica {
        ReplicaConfig config;
        Disk *disk;
        const ReplicaOps *ops;
        void *userdata;
        Raft *raft;
        RaftMemoryStorage storage;
        RaftConfState configuration; /* as of the applied index; the core's own is ahead while a snapshot is installed */
        Log *log;
        Tree tree;
        RaftReady ready;
        Random random;
        Usec now, last_tick;
        bool ticked, stood_alone;
        RateWindow appends_sent, appends_received;
        WallUsec wall;
        int failure;
        Error error;
        ReplicaRecovery recovery;
        ReplicaCounts counts;
        Following followings[RAFT_MEMBERS_MAX];

        /* persist.c */
        PersistWorks gathering; /* the next batch */
        PersistWorks writing;   /* the batch on its way */
        DiskJob *write_job;
        DiskJob *maintenance_job;
        Usec maintenance_retry; /* not before */
        uint64_t change_index;   /* of the last change of the members in the log; a commit index that passes it is written */
        uint64_t durable_commit;
        RaftMessages local;     /* responses of the disk and the tree to the core, to be stepped */

        /* request.c */
        uint64_t next_request;
        List proposals; /* by deadline */
        Map proposals_by_id;
        size_t proposal_count, proposal_bytes;
        List unproposed; /* the next batch */
        List reads;
        size_t read_count;
        uint64_t next_round, round; /* the round under way; 0: none */
        uint64_t round_index;       /* what must be applied to serve it; 0: not known yet */
        Usec round_retry;
        uint64_t round_leader;  /* who was asked */
        bool sync_proposed;
        Usec next_sync;

        /* change.c */
        List changes; /* requests */
        size_t change_count;
        List held; /* proposals that nobody can take now */
        size_t held_count, held_bytes;
        Catching catching[RAFT_MEMBERS_MAX];
        uint64_t last_removal; /* log index of the last one applied in this life; 0: none */
        bool removed;          /* this member */
        Usec removed_since;
        RaftIds removed_by;    /* who has said so */

        /* compact.c */
        bool snapshot_wanted; /* a member needs one that knows it */
        TreeSnapshot *snapshot;
        SnapshotWriter *snapshot_writer;
        SnapshotMeta snapshot_meta;
        DiskJob *snapshot_job;
        bool snapshot_walked, snapshot_last;
        Usec snapshot_retry; /* not before */
        uint64_t previous_snapshot_index;
        uint64_t bytes_since_snapshot;
        uint64_t compact_up_to; /* entries in memory go up to here */
        SnapshotPurge purge;
        bool purging;

        /* transfer.c */
        Install install;
        Sending sendings[REPLICA_TRANSFERS_MAX];
        Receiving receiving;
        uint64_t received_index, received_term; /* the last that came whole */
};

/* Stops for good. The first call's reason stays. */
void replica_fail(Replica *replica, int r, const char *format, ...) _printf_(3, 4);

void replica_send_message(Replica *replica, const RaftMessage *message);
void replica_send_frame(Replica *replica, uint64_t to, bool bulk, Slice frame);

/* follow.c */
void follow_sent(Replica *replica, const RaftMessage *message);
void follow_answered(Replica *replica, const RaftMessage *message);
void follow_failed(Replica *replica, uint64_t id);

/* persist.c */
int persist_add(Replica *replica, RaftMessage *message);
bool persist_run(Replica *replica);
bool persist_job_done(Replica *replica, DiskJob *job, int r);
void persist_deinit(Replica *replica, bool crash);

/* Delivers responses: to this member later in the same run, to others at once. Takes them. */
void replica_deliver(Replica *replica, RaftMessages *responses);

/* apply.c */
int apply_message(Replica *replica, RaftMessage *message);

/* members.c */
int members_apply(Replica *replica, const RaftEntry *entry);
int members_find_removed(const Replica *replica, uint64_t id); /* 1: it was removed */
int change_encode_context(uint64_t member, uint64_t request, Slice attributes, Buffer *buffer);
ChangeContext change_decode_context(Slice bytes);

/* change.c */
void changes_init(Replica *replica);
void changes_deinit(Replica *replica);
void changes_run(Replica *replica);
void changes_tick(Replica *replica);
int changes_step_proposal(Replica *replica, RaftMessage *message); /* one that came from another member; may move it */
ReplicaRequest *changes_find(Replica *replica, uint64_t id);
void removal_noticed(Replica *replica);

/* request.c */
ReplicaRequest *request_new(Replica *replica, RequestKind kind, ReplicaDone done, void *userdata);
void requests_init(Replica *replica);
void requests_deinit(Replica *replica);
void requests_propose(Replica *replica);
void requests_expire(Replica *replica);
void requests_read_state(Replica *replica, const RaftReadState *state);
void requests_serve_reads(Replica *replica);
void requests_sync(Replica *replica);
void requests_read(Replica *replica);
ReplicaRequest *requests_find(Replica *replica, uint64_t id);
void request_finish(ReplicaRequest *request, const ReplicaResult *result);

/* compact.c */
void compact_consider(Replica *replica);
bool compact_run(Replica *replica); /* true: there is more to do at once */
bool compact_job_done(Replica *replica, DiskJob *job, int r);
void compact_abandon(Replica *replica);
void compact_purge(Replica *replica); /* old snapshots may be in the way: one was made, received or sent */

/* transfer.c */
void transfer_send(Replica *replica, RaftMessage *message);
void transfer_tick(Replica *replica);
void transfer_receive_piece(Replica *replica, uint64_t from, const SnapshotPiece *piece);
void transfer_receive_answer(Replica *replica, uint64_t from, const SnapshotPiece *piece);
int transfer_receive_message(Replica *replica, RaftMessage *message);
bool transfer_job_done(Replica *replica, DiskJob *job, int r);
bool transfer_is_sending(const Replica *replica);
int install_begin(Replica *replica, RaftSnapshot *snapshot);
bool install_run(Replica *replica);
void transfer_deinit(Replica *replica);

/* force.c: a replica to which nobody speaks, with all that its disk holds applied. */
enum { REPLICA_ALONE_JOBS_MAX = 16 };

typedef struct ReplicaAlone {
        Replica *replica;
        DiskJob *jobs[REPLICA_ALONE_JOBS_MAX];
        size_t count;
        bool overflow;
} ReplicaAlone;

/* Blocks. `alone` must stay where it is until replica_alone_deinit(), which is due after a failure, too. */
int replica_alone_open(const ReplicaConfig *config, Disk *disk, ReplicaAlone *alone, Error *error);
void replica_alone_deinit(ReplicaAlone *alone);
