#include "store/membership.h"

#include <errno.h>

#include "base/json-write.h"
#include "base/random.h"

/* A change that waits for the cluster. */
typedef struct Changing {
        StoreMember member; /* as it will be, of an ADD */
        const char *(*reason_text)(int r);
        StoreDone done;
        void *data;
} Changing;

static void changing_free(Changing *changing) {
        string_list_deinit(&changing->member.peer_urls);
        free(changing);
}
CLEANUP_DEFINE(Changing, changing_free)

static int store_code(int code) {
        switch (code) {
        case REPLICA_MEMBER_EXISTS:
                return STORE_MEMBER_EXISTS;
        case REPLICA_MEMBER_URL_EXISTS:
                return STORE_MEMBER_URL_EXISTS;
        case REPLICA_MEMBER_UNKNOWN:
                return STORE_MEMBER_UNKNOWN;
        default:
                return STORE_MEMBER_GONE;
        }
}

static void on_changed(void *userdata, const ReplicaResult *result) {
        _cleanup_(changing_freep) Changing *changing = userdata;
        StoreOutcome outcome = {.member = &changing->member};

        if (result->r < 0)
                outcome = (StoreOutcome){.r = result->r, .reason = changing->reason_text(result->r)};
        else if (result->code == REPLICA_CHANGE_REFUSED)
                outcome = (StoreOutcome){.r = -EINVAL,
                                         .reason = "etcdserver: re-configuration failed: the last voting member cannot "
                                                   "be removed, and a cluster has at most 64 members"};
        else if (result->code > 0)
                outcome.r = store_code(result->code);
        changing->done(changing->data, &outcome);
}

/* A member that answers is not given up when those that remain and can be reached are no majority of what is left: the cluster
 * would stand still (etcd's --strict-reconfig-check). NULL, or the reason. */
static const char *removal_is_unsafe(const Membership *membership, uint64_t id) {
        const RaftIds *voters = &raft_configuration(replica_raft(membership->replica))->voters;
        size_t reached = 0;

        if (!membership->strict || !raft_ids_contain(voters, id))
                return NULL;
        for (size_t i = 0; i < voters->length; i++)
                if (voters->items[i] != id)
                        reached += voters->items[i] == replica_id(membership->replica) ||
                                   peers_connected(membership->peers, voters->items[i]);
        if (voters->length == 1)
                return "etcdserver: re-configuration failed due to not enough started members: the last voting member "
                       "cannot be removed";
        if (reached < (voters->length - 1) / 2 + 1)
                return "etcdserver: unhealthy cluster: too few of the members that would remain can be reached, and "
                       "the cluster would "
                       "stand still; bring them back first";
        return NULL;
}

static uint64_t draw_id(const Members *members) {
        uint64_t id;

        do
                random_secret(&id, sizeof(id));
        while (id == RAFT_ID_NONE || raft_id_is_local(id) || members_find(members, id));
        return id;
}

static int format_urls(Buffer *buffer, const StringList *urls) {
        JsonWriter json = json_writer(buffer);

        json_begin_object(&json);
        json_field_strings(&json, "peerURLs", urls);
        json_end_object(&json);
        return buffer_failed(buffer);
}

static int propose(const Membership *membership, const StoreMemberChange *change, Changing *changing) {
        static const ReplicaChangeKind kinds[] = {
                [STORE_MEMBER_ADD] = REPLICA_CHANGE_ADD,
                [STORE_MEMBER_UPDATE] = REPLICA_CHANGE_UPDATE,
                [STORE_MEMBER_REMOVE] = REPLICA_CHANGE_REMOVE,
        };
        _cleanup_buffer_ Buffer attributes = BUFFER_INIT;
        ReplicaChange words = {.kind = kinds[change->kind], .id = changing->member.id};
        int r = 0;

        for (size_t i = 0; r >= 0 && change->peer_urls && i < change->peer_urls->length; i++)
                r = string_list_add(&changing->member.peer_urls, change->peer_urls->items[i]);
        if (r >= 0 && change->kind != STORE_MEMBER_REMOVE) {
                r = format_urls(&attributes, change->peer_urls);
                words.attributes = buffer_string(&attributes);
        }
        return r < 0 ? r : replica_change_members(membership->replica, &words, on_changed, changing);
}

void membership_change(const Membership *membership, const StoreMemberChange *change, const char *(*reason_text)(int r),
                       StoreDone done, void *data) {
        _cleanup_(changing_freep) Changing *changing = calloc(1, sizeof(*changing));
        const char *unsafe = change->kind == STORE_MEMBER_REMOVE ? removal_is_unsafe(membership, change->id) : NULL;
        int r = -ENOMEM;

        if (unsafe) {
                done(data, &(StoreOutcome){.r = -EPERM, .reason = unsafe});
                return;
        }
        if (changing) {
                *changing = (Changing){.member = {.id = change->id, .name = ""},
                                       .reason_text = reason_text,
                                       .done = done,
                                       .data = data};
                if (change->kind == STORE_MEMBER_ADD)
                        changing->member.id = draw_id(membership->members);
                r = propose(membership, change, changing);
        }
        if (r < 0 && r == -EINVAL && change->kind != STORE_MEMBER_ADD) /* an id that no member can have */
                done(data, &(StoreOutcome){.r = STORE_MEMBER_UNKNOWN});
        else if (r < 0)
                done(data, &(StoreOutcome){.r = r, .reason = reason_text(r)});
        else
                (void)take_ptr(changing);
}
