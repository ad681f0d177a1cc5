#pragma once
/*
 * What the API needs of the server behind it. The server fills this table; tests have a fake that applies at once.
 * All on one loop: nothing here is called from another thread.
 */
#include "base/histogram.h"
#include "base/rate.h"
#include "store/tree/tree.h"

typedef struct StoreMember {
        uint64_t id;
        const char *name; /* "": has not started yet */
        StringList peer_urls;
        StringList client_urls;
} StoreMember;

typedef enum StoreMemberChangeKind {
        STORE_MEMBER_ADD,
        STORE_MEMBER_UPDATE,
        STORE_MEMBER_REMOVE,
} StoreMemberChangeKind;

typedef struct StoreMemberChange {
        StoreMemberChangeKind kind;
        uint64_t id;                 /* ADD: the backend chooses one */
        const StringList *peer_urls; /* ADD, UPDATE: valid and sorted */
} StoreMemberChange;

/* Expected outcomes of a change of the members. */
typedef enum StoreMemberCode {
        STORE_MEMBER_EXISTS = 1,
        STORE_MEMBER_URL_EXISTS,
        STORE_MEMBER_UNKNOWN,
        STORE_MEMBER_GONE, /* was removed, and can never come back */
} StoreMemberCode;

/* How a write or a quorum read ended. Everything is borrowed for the time of the call. */
typedef struct StoreOutcome {
        int r;                     /* 0, TreeCode, StoreMemberCode; negative errno: the cluster could not do it */
        Event *event;              /* r == 0, writes */
        const StoreMember *member; /* r == 0, STORE_MEMBER_ADD */
        const TreeError *error;    /* r > 0, writes */
        const char *reason;        /* r < 0: for the client, such as "etcdserver: request timed out" */
} StoreOutcome;

typedef void (*StoreDone)(void *data, const StoreOutcome *outcome);

typedef struct StoreStatus {
        uint64_t cluster_id, member_id, leader_id; /* leader_id 0: none known */
        uint64_t raft_index, raft_term;            /* the last entry applied */
        const char *name;
        const char *version;         /* of the server, as /version shows it */
        const char *cluster_version; /* that all members support; "not_decided" before that is known */
        WallUsec started, leader_since;
        uint64_t received_appends, sent_appends;
} StoreStatus;

/* How a follower does, for /v2/stats/leader. Latencies in milliseconds. */
typedef struct StoreFollower {
        uint64_t id;
        double latency, latency_average, latency_deviation, latency_minimum, latency_maximum;
        uint64_t success, fail;
} StoreFollower;

/* The link with another member, for /metrics. */
typedef struct StorePeerMetrics {
        uint64_t id;
        bool connected;
        uint64_t sent_bytes, received_bytes, sent_failures;
        Histogram round_trips;
} StorePeerMetrics;

/* What only the server knows, for /metrics and /v2/stats. */
typedef struct StoreMetrics {
        bool stands_by; /* does not vote yet */
        uint64_t leader_changes;
        uint64_t committed, applied, pending, failed; /* proposals */
        uint64_t reads, reads_failed, heartbeats_failed;
        uint64_t snapshots_made, snapshots_sent, snapshots_received;
        uint64_t log_bytes;
        const Histogram *log_syncs, *snapshot_syncs; /* NULL: there is no disk */
        const Histogram *turns; /* of the loop; NULL: not known */
        bool has_sent_rate, has_received_rate; /* of appends, of late */
        Rate sent_rate, received_rate;
        const StorePeerMetrics *peers;
        size_t peer_count;
} StoreMetrics;

typedef struct StoreBackend {
        /* The tree: for local reads and watches. The backend calls hub_dispatch() after it has applied something. */
        Tree *(*tree)(void *userdata);

        WallUsec (*now)(void *userdata);

        /* Proposes a command (borrowed for the call). Calls `done` exactly once, now or later; by then the command is
         * applied here, or has failed. */
        void (*propose)(void *userdata, const Command *command, StoreDone done, void *data);

        /* Calls `done` exactly once, when the tree here has all that was committed before this call, or with -ETIMEDOUT
         * after `timeout` (0: the one that writes have). */
        void (*read_index)(void *userdata, Usec timeout, StoreDone done, void *data);

        /* Changes the members (`change` is borrowed for the call). Calls `done` exactly once, with a StoreMemberCode
         * when r > 0. NULL: the members of this server cannot be changed. */
        void (*change_member)(void *userdata, const StoreMemberChange *change, StoreDone done, void *data);

        /* Filled anew at each call; strings are borrowed for the time of the handler. */
        void (*status)(void *userdata, StoreStatus *ret_status);

        /* The members, borrowed until the loop goes on. */
        const StoreMember *(*members)(void *userdata, size_t *ret_count);

        /* The followers, borrowed as above; false when this member does not lead. */
        bool (*followers)(void *userdata, const StoreFollower **ret_followers, size_t *ret_count);

        /* Filled anew at each call; borrowed as above. */
        void (*metrics)(void *userdata, StoreMetrics *ret_metrics);
} StoreBackend;
