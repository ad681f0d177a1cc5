/* What the API asks of the server. */
#include <errno.h>

#include "store/log/disk-directory.h"
#include "store/membership.h"
#include "store/server-internal.h"

/* A request of the API that waits for the replica. */
typedef struct Waiting {
        Server *server;
        StoreDone done;
        void *data;
} Waiting;

static Tree *backend_tree(void *userdata) {
        return replica_tree(((Server *)userdata)->replica);
}

static WallUsec backend_now(void *userdata) {
        (void)userdata;
        return clock_wall();
}

static const char *reason_text(int r) {
        switch (r) {
        case -ETIMEDOUT:
                return "etcdserver: request timed out";
        case -ECANCELED:
        case -ESHUTDOWN:
                return "etcdserver: server stopped";
        case -EBUSY:
                return "etcdserver: too many requests";
        case -ENOMEM:
                return "etcdserver: out of memory";
        default:
                return "etcdserver: request failed";
        }
}

static void on_replica_done(void *userdata, const ReplicaResult *result) {
        Waiting waiting = *(Waiting *)userdata;
        StoreOutcome outcome = {
                .r = result->r < 0 ? result->r : result->code,
                .event = result->event,
                .error = result->error,
                .reason = result->r < 0 ? reason_text(result->r) : NULL,
        };

        free(userdata);
        waiting.done(waiting.data, &outcome);
}

static void refuse(StoreDone done, void *data, int r) {
        done(data, &(StoreOutcome){.r = r, .reason = reason_text(r)});
}

static Waiting *waiting_new(Server *server, StoreDone done, void *data) {
        Waiting *waiting = malloc(sizeof(*waiting));

        if (waiting)
                *waiting = (Waiting){server, done, data};
        return waiting;
}

static void backend_propose(void *userdata, const Command *command, StoreDone done, void *data) {
        Server *server = userdata;
        Waiting *waiting = waiting_new(server, done, data);
        int r = server->stopping ? -ESHUTDOWN
                : waiting        ? replica_propose(server->replica, command, on_replica_done, waiting, NULL)
                                 : -ENOMEM;

        if (r >= 0)
                return;
        free(waiting);
        refuse(done, data, r);
}

static void backend_read_index(void *userdata, Usec timeout, StoreDone done, void *data) {
        Server *server = userdata;
        Waiting *waiting = waiting_new(server, done, data);
        int r = waiting ? replica_read(server->replica, timeout, on_replica_done, waiting, NULL) : -ENOMEM;

        if (r >= 0)
                return;
        free(waiting);
        refuse(done, data, r);
}

static void backend_change_member(void *userdata, const StoreMemberChange *change, StoreDone done, void *data) {
        Server *server = userdata;
        const Membership membership = {
                .replica = server->replica,
                .members = &server->members,
                .peers = server->peers,
                .strict = server->settings->strict_reconfig_check,
        };

        if (server->stopping)
                refuse(done, data, -ESHUTDOWN);
        else
                membership_change(&membership, change, reason_text, done, data);
}

static void backend_status(void *userdata, StoreStatus *ret_status) {
        Server *server = userdata;
        ReplicaCounts counts = replica_counts(server->replica);

        *ret_status = (StoreStatus){
                .cluster_id = replica_cluster(server->replica),
                .member_id = replica_id(server->replica),
                .leader_id = server->leader,
                .raft_index = counts.applied_index,
                .raft_term = raft_basic_status(replica_raft(server->replica)).hard_state.term,
                .name = server->settings->name,
                .version = ETCD_VERSION,
                .cluster_version = ETCD_CLUSTER_VERSION,
                .started = server->started,
                .leader_since = server->leader_since,
                .received_appends = counts.appends_received,
                .sent_appends = counts.appends_sent,
        };
}

static const StoreMember *backend_members(void *userdata, size_t *ret_count) {
        Server *server = userdata;

        *ret_count = server->members.length;
        return server->members.items;
}

static bool backend_followers(void *userdata, const StoreFollower **ret_followers, size_t *ret_count) {
        static StoreFollower followers[RAFT_MEMBERS_MAX];
        Server *server = userdata;
        size_t count = 0;

        if (server->leader != replica_id(server->replica))
                return false;
        for (size_t i = 0; i < server->members.length && count < RAFT_MEMBERS_MAX; i++) {
                uint64_t id = server->members.items[i].id;
                ReplicaFollower follower;

                if (id == replica_id(server->replica))
                        continue;
                follower = replica_follower(server->replica, id);
                followers[count++] = (StoreFollower){
                        .id = id,
                        .latency = follower.latency,
                        .latency_average = follower.average,
                        .latency_deviation = follower.deviation,
                        .latency_minimum = follower.minimum,
                        .latency_maximum = follower.maximum,
                        .success = follower.answers,
                        .fail = follower.failures,
                };
        }
        *ret_followers = followers;
        *ret_count = count;
        return true;
}

ServerPeer *server_peer(Server *server, uint64_t id) {
        for (size_t i = 0; i < ARRAY_SIZE(server->peer_counts); i++) {
                ServerPeer *peer = &server->peer_counts[i];

                if (peer->id == 0)
                        peer->id = id;
                if (peer->id == id)
                        return peer;
        }
        return NULL;
}

static size_t peer_metrics(Server *server, StorePeerMetrics *peers, size_t room) {
        size_t count = 0;

        for (size_t i = 0; i < server->members.length && count < room; i++) {
                uint64_t id = server->members.items[i].id;
                const ServerPeer *peer;

                if (id == replica_id(server->replica))
                        continue;
                peer = server_peer(server, id);
                peers[count++] = (StorePeerMetrics){
                        .id = id,
                        .connected = peers_connected(server->peers, id),
                        .sent_bytes = peer ? peer->sent_bytes : 0,
                        .received_bytes = peer ? peer->received_bytes : 0,
                        .sent_failures = peer ? peer->failures : 0,
                        .round_trips = replica_follower(server->replica, id).round_trips,
                };
        }
        return count;
}

static void backend_metrics(void *userdata, StoreMetrics *ret_metrics) {
        static StorePeerMetrics peers[RAFT_MEMBERS_MAX];
        Server *server = userdata;
        ReplicaCounts counts = replica_counts(server->replica);
        RaftBasicStatus raft = raft_basic_status(replica_raft(server->replica));

        *ret_metrics = (StoreMetrics){
                .stands_by = raft.learner,
                .leader_changes = server->leader_changes,
                .committed = raft.hard_state.commit,
                .applied = counts.applied_index,
                .pending = replica_pending(server->replica),
                .failed = counts.proposals_failed,
                .reads = counts.reads,
                .reads_failed = counts.reads_failed,
                .snapshots_made = counts.snapshots_made,
                .snapshots_sent = counts.snapshots_sent,
                .snapshots_received = counts.snapshots_received,
                .log_bytes = counts.batch_bytes,
                .log_syncs = disk_directory_log_syncs(server->disk),
                .snapshot_syncs = disk_directory_snapshot_syncs(server->disk),
                .turns = &server->turns.lengths,
                .peers = peers,
                .peer_count = peer_metrics(server, peers, ARRAY_SIZE(peers)),
        };
        ret_metrics->has_sent_rate = replica_append_rates(server->replica, true, &ret_metrics->sent_rate);
        ret_metrics->has_received_rate = replica_append_rates(server->replica, false, &ret_metrics->received_rate);
        for (size_t i = 0; i < ret_metrics->peer_count; i++)
                ret_metrics->heartbeats_failed += peers[i].sent_failures;
}

const StoreBackend server_backend = {
        .tree = backend_tree,
        .now = backend_now,
        .propose = backend_propose,
        .read_index = backend_read_index,
        .change_member = backend_change_member,
        .status = backend_status,
        .members = backend_members,
        .followers = backend_followers,
        .metrics = backend_metrics,
};
