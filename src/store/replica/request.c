/* Proposals and quorum reads of this member's clients. */
#include <assert.h>
#include <errno.h>

#include "base/wire.h"
#include "store/replica/internal.h"

enum {
        PROPOSE_BATCH = 1024,            /* entries that go to the core at once */
        SYNC_EXPIRED_MAX = 1000,         /* keys that one SYNC expires: bounds the time that applying it takes */
};

/* Keys go at most this long after their time, as in etcd. Not at once: a client that sets ttl=0 still reads its key. */
#define SYNC_INTERVAL (500 * USEC_PER_MSEC)

#define PROPOSE_BATCH_BYTES ((size_t)16 << 20)

void requests_init(Replica *replica) {
        list_init(&replica->proposals);
        list_init(&replica->unproposed);
        list_init(&replica->reads);
        /* entries of an earlier life of this member may still come: their ids must not be ours */
        replica->next_request = random_u64(&replica->random);
        replica->next_round = random_u64(&replica->random) | 1;
}

static Slice request_key(const ReplicaRequest *request) {
        return (Slice){(const char *)&request->id, sizeof(request->id)};
}

static void request_free(ReplicaRequest *request) {
        Replica *replica = request->replica;

        list_unlink(&request->link);
        switch (request->kind) {
        case REQUEST_READ:
                replica->read_count--;
                break;
        case REQUEST_CHANGE:
                replica->change_count--;
                break;
        case REQUEST_PROPOSAL:
                replica->proposal_count--;
                replica->proposal_bytes -= request->bytes;
                (void)map_remove(&replica->proposals_by_id, request_key(request));
                break;
        }
        raft_payload_unref(request->payload);
        free(request);
}

void request_finish(ReplicaRequest *request, const ReplicaResult *result) {
        ReplicaDone done = request->done;
        void *userdata = request->userdata;
        Replica *replica = request->replica;

        if (result->r < 0) {
                if (request->kind == REQUEST_READ)
                        replica->counts.reads_failed++;
                else
                        replica->counts.proposals_failed++;
        }
        request_free(request);
        if (done)
                done(userdata, result);
}

static void list_finish_all(List *list, int r) {
        while (!list_is_empty(list))
                request_finish(container_of(list->next, ReplicaRequest, link), &(ReplicaResult){.r = r});
}

void requests_deinit(Replica *replica) {
        list_finish_all(&replica->unproposed, -ECANCELED);
        list_finish_all(&replica->proposals, -ECANCELED);
        list_finish_all(&replica->reads, -ECANCELED);
        map_deinit(&replica->proposals_by_id);
}

ReplicaRequest *request_new(Replica *replica, RequestKind kind, ReplicaDone done, void *userdata) {
        ReplicaRequest *request = calloc(1, sizeof(*request));

        if (!request)
                return NULL;
        list_init(&request->link);
        request->kind = kind;
        request->replica = replica;
        request->id = replica->next_request++;
        request->deadline = replica->now + replica->config.request_timeout;
        request->done = done;
        request->userdata = userdata;
        return request;
}

/* ---- proposals ---- */

/* u64 member and u64 request, by which the proposer knows its own, then the command (docs/formats/store-commands.md). */
static int request_encode(Replica *replica, const ReplicaRequest *request, const Command *command, RaftPayload **ret_payload) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        int r;

        wire_put_u64(&bytes, replica->config.id);
        wire_put_u64(&bytes, request->id);
        r = command_encode(command, &bytes);
        if (r < 0)
                return r;
        return raft_payload_new(buffer_data(&bytes), buffer_length(&bytes), ret_payload);
}

int replica_propose(Replica *replica, const Command *command, ReplicaDone done, void *userdata, ReplicaRequest **ret_request) {
        ReplicaRequest *request;
        int r;

        if (replica->failure)
                return -ESHUTDOWN;
        if (replica->proposal_count >= REPLICA_PROPOSALS_MAX || replica->proposal_bytes >= REPLICA_PROPOSAL_BYTES_MAX)
                return -EBUSY;
        request = request_new(replica, REQUEST_PROPOSAL, done, userdata);
        if (!request)
                return -ENOMEM;
        r = request_encode(replica, request, command, &request->payload);
        if (r >= 0)
                r = map_put(&replica->proposals_by_id, request_key(request), request, NULL);
        if (r < 0) {
                raft_payload_unref(request->payload);
                free(request);
                return r;
        }
        request->bytes = request->payload->length;
        replica->proposal_count++;
        replica->proposal_bytes += request->bytes;
        replica->counts.proposals++;
        list_append(&replica->unproposed, &request->link);
        if (ret_request)
                *ret_request = request;
        return 0;
}

ReplicaRequest *requests_find(Replica *replica, uint64_t id) {
        return map_get(&replica->proposals_by_id, (Slice){(const char *)&id, sizeof(id)});
}

/* The front of the list, as much as travels well in one piece. */
static size_t unproposed_batch(Replica *replica, RaftPayload **payloads) {
        size_t count = 0, bytes = 0;

        list_foreach(&replica->unproposed, node) {
                ReplicaRequest *request = container_of(node, ReplicaRequest, link);

                if (count == PROPOSE_BATCH || (count > 0 && bytes + request->bytes > PROPOSE_BATCH_BYTES))
                        break;
                payloads[count++] = request->payload;
                bytes += request->bytes;
        }
        return count;
}

/* Without a leader proposals wait for one, until their time is up. */
void requests_propose(Replica *replica) {
        RaftPayload *payloads[PROPOSE_BATCH];

        while (!list_is_empty(&replica->unproposed) && !replica->failure) {
                size_t count = unproposed_batch(replica, payloads);
                int r;

                if (raft_basic_status(replica->raft).soft_state.leader == RAFT_ID_NONE)
                        return;
                r = raft_propose_batch(replica->raft, payloads, count);
                if (r == RAFT_PROPOSAL_DROPPED)
                        return;
                if (r < 0) {
                        replica_fail(replica, r, "the consensus core failed at a proposal");
                        return;
                }
                for (size_t i = 0; i < count; i++) {
                        ReplicaRequest *request = container_of(replica->unproposed.next, ReplicaRequest, link);

                        request->payload = raft_payload_unref(request->payload);
                        list_unlink(&request->link);
                        list_append(&replica->proposals, &request->link);
                }
        }
}

static void list_expire(List *list, Usec now) {
        while (!list_is_empty(list)) {
                ReplicaRequest *request = container_of(list->next, ReplicaRequest, link);

                if (request->deadline > now)
                        return;
                request_finish(request, &(ReplicaResult){.r = -ETIMEDOUT});
        }
}

void requests_expire(Replica *replica) {
        list_expire(&replica->unproposed, replica->now);
        list_expire(&replica->proposals, replica->now);
        /* these have deadlines of their own: not in order */
        list_foreach(&replica->reads, node) {
                ReplicaRequest *request = container_of(node, ReplicaRequest, link);

                if (request->deadline <= replica->now)
                        request_finish(request, &(ReplicaResult){.r = -ETIMEDOUT});
        }
}

void replica_request_cancel(ReplicaRequest *request) {
        request->done = NULL;
}

/* ---- expiry ---- */

static void on_sync_done(void *userdata, const ReplicaResult *result) {
        Replica *replica = userdata;

        (void)result; /* what is still due will be proposed again */
        replica->sync_proposed = false;
}

/* Time enters the tree through the log alone: the leader says that it has passed. */
void requests_sync(Replica *replica) {
        Command command = {.kind = COMMAND_SYNC, .time = replica->wall, .max_expired = SYNC_EXPIRED_MAX};
        WallUsec due;

        if (replica->now < replica->next_sync)
                return;
        replica->next_sync = replica->now + SYNC_INTERVAL;
        if (replica->sync_proposed || raft_basic_status(replica->raft).soft_state.state != RAFT_LEADER ||
            !tree_next_expiry(&replica->tree, &due) || due > replica->wall)
                return;
        if (replica_propose(replica, &command, on_sync_done, replica, NULL) >= 0)
                replica->sync_proposed = true;
}

/* ---- reads ---- */

int replica_read(Replica *replica, Usec timeout, ReplicaDone done, void *userdata, ReplicaRequest **ret_request) {
        ReplicaRequest *request;

        if (replica->failure)
                return -ESHUTDOWN;
        if (replica->read_count >= REPLICA_READS_MAX)
                return -EBUSY;
        request = request_new(replica, REQUEST_READ, done, userdata);
        if (!request)
                return -ENOMEM;
        if (timeout)
                request->deadline = replica->now + timeout;
        replica->read_count++;
        replica->counts.reads++;
        list_append(&replica->reads, &request->link);
        if (ret_request)
                *ret_request = request;
        return 0;
}

/* One round serves all reads that wait when it begins: they came before it, so what is committed then is new enough. One
 * that is lost on the way is tried again under a new number. */
static void reads_begin_round(Replica *replica) {
        int r;

        replica->round = replica->next_round;
        replica->next_round += 2; /* odd: never 0 */
        replica->round_index = 0;
        replica->round_leader = raft_basic_status(replica->raft).soft_state.leader;
        replica->round_retry = replica->now + replica->config.tick * replica->config.election_ticks / 2;
        list_foreach(&replica->reads, node)
                container_of(node, ReplicaRequest, link)->round = replica->round;
        r = raft_read_index(replica->raft, replica->round);
        if (r < 0)
                replica_fail(replica, r, "the consensus core failed at a read");
}

/* What asked one leader, or none, is not answered by the next. */
static bool round_is_lost(const Replica *replica) {
        uint64_t leader = raft_basic_status(replica->raft).soft_state.leader;

        return replica->now >= replica->round_retry || (leader != replica->round_leader && leader != RAFT_ID_NONE);
}

void requests_read(Replica *replica) {
        if (list_is_empty(&replica->reads)) {
                replica->round = 0;
                return;
        }
        if (replica->round == 0 || (replica->round_index == 0 && round_is_lost(replica)))
                reads_begin_round(replica);
}

void requests_read_state(Replica *replica, const RaftReadState *state) {
        if (replica->round != 0 && state->context == replica->round)
                replica->round_index = state->index;
}

void requests_serve_reads(Replica *replica) {
        uint64_t round = replica->round;
        ReplicaResult result = {
                .raft_index = replica->counts.applied_index, .raft_term = raft_basic_status(replica->raft).hard_state.term};

        if (round == 0 || replica->round_index == 0 || replica->counts.applied_index < replica->round_index)
                return;
        replica->round = 0;
        while (!list_is_empty(&replica->reads)) {
                ReplicaRequest *request = container_of(replica->reads.next, ReplicaRequest, link);

                if (request->round != round)
                        break;
                request_finish(request, &result);
        }
}
