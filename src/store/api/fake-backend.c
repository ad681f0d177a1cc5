#include "store/api/fake-backend.h"

#include <assert.h>
#include <errno.h>

/* A write, as its encoding, or a read, that waits. */
typedef struct FakeCall {
        ListNode node;
        Buffer command; /* empty: a read */
        StoreDone done;
        void *data;
} FakeCall;

static Tree *fake_tree(void *userdata) {
        return &((FakeBackend *)userdata)->tree;
}

static WallUsec fake_now(void *userdata) {
        FakeBackend *fake = userdata;

        return fake->now ? fake->now : clock_wall();
}

static void fake_finish(FakeBackend *fake, const Command *command, StoreDone done, void *data) {
        _cleanup_tree_error_ TreeError error = {0};
        _cleanup_event_ Event *event = NULL;
        StoreOutcome outcome = {.error = &error, .reason = fake->reason};

        if (fake->reason)
                outcome.r = -ETIMEDOUT;
        else if (command) {
                fake->status.raft_index++;
                outcome.r = tree_apply(&fake->tree, command, &event, &error);
                assert(outcome.r >= 0);
                outcome.event = event;
        }
        done(data, &outcome);
        hub_dispatch(&fake->tree.hub);
}

static void fake_submit(FakeBackend *fake, const Command *command, StoreDone done, void *data) {
        FakeCall *call;
        int r;

        if (!fake->holds) {
                fake_finish(fake, command, done, data);
                return;
        }
        call = calloc(1, sizeof(*call));
        assert(call);
        call->done = done;
        call->data = data;
        r = command ? command_encode(command, &call->command) : 0;
        assert(r == 0);
        list_init(&call->node);
        list_append(&fake->waiting, &call->node);
}

static void fake_propose(void *userdata, const Command *command, StoreDone done, void *data) {
        fake_submit(userdata, command, done, data);
}

static void fake_read_index(void *userdata, Usec timeout, StoreDone done, void *data) {
        (void)timeout;
        fake_submit(userdata, NULL, done, data);
}

void fake_backend_release(FakeBackend *fake) {
        fake->holds = false;
        while (!list_is_empty(&fake->waiting)) {
                FakeCall *call = container_of(fake->waiting.next, FakeCall, node);
                Slice bytes = {buffer_data(&call->command), buffer_length(&call->command)};
                Command command;
                int r = bytes.length ? command_decode(bytes, &command) : 0;

                assert(r == 0);
                list_unlink(&call->node);
                fake_finish(fake, bytes.length ? &command : NULL, call->done, call->data);
                buffer_deinit(&call->command);
                free(call);
        }
}

static StoreMember *fake_find_member(FakeBackend *fake, uint64_t id) {
        for (size_t i = 0; i < fake->member_count; i++)
                if (fake->members[i].id == id)
                        return &fake->members[i];
        return NULL;
}

static bool fake_has_url(const FakeBackend *fake, const StringList *urls, uint64_t but) {
        for (size_t i = 0; i < fake->member_count; i++)
                for (size_t k = 0; k < urls->length; k++)
                        if (fake->members[i].id != but &&
                            string_list_contains(&fake->members[i].peer_urls, urls->items[k]))
                                return true;
        return false;
}

static void fake_set_urls(StoreMember *member, const StringList *urls) {
        int r = 0;

        string_list_deinit(&member->peer_urls);
        for (size_t i = 0; i < urls->length && r == 0; i++)
                r = string_list_add(&member->peer_urls, urls->items[i]);
        assert(r == 0);
}

static int fake_carry_out(FakeBackend *fake, const StoreMemberChange *change, const StoreMember **ret_member) {
        StoreMember *member = fake_find_member(fake, change->id);

        if (change->kind != STORE_MEMBER_REMOVE && fake_has_url(fake, change->peer_urls, change->id))
                return STORE_MEMBER_URL_EXISTS;
        if (change->kind == STORE_MEMBER_ADD) {
                assert(fake->member_count < FAKE_MEMBERS_MAX);
                member = &fake->members[fake->member_count++];
                *member = (StoreMember){.id = 0xabc0 + fake->member_count, .name = ""};
        } else if (!member)
                return change->id == fake->removed ? STORE_MEMBER_GONE : STORE_MEMBER_UNKNOWN;
        if (change->kind == STORE_MEMBER_REMOVE) {
                fake->removed = member->id;
                string_list_deinit(&member->peer_urls);
                string_list_deinit(&member->client_urls);
                *member = fake->members[--fake->member_count];
                return 0;
        }
        fake_set_urls(member, change->peer_urls);
        *ret_member = member;
        return 0;
}

static void fake_change_member(void *userdata, const StoreMemberChange *change, StoreDone done, void *data) {
        FakeBackend *fake = userdata;
        StoreOutcome outcome = {.reason = fake->reason};

        outcome.r = fake->reason ? -ETIMEDOUT : fake_carry_out(fake, change, &outcome.member);
        done(data, &outcome);
}

static void fake_drop_members(FakeBackend *fake) {
        for (size_t i = 0; i < fake->member_count; i++) {
                string_list_deinit(&fake->members[i].client_urls);
                string_list_deinit(&fake->members[i].peer_urls);
        }
}

static void fake_status(void *userdata, StoreStatus *ret_status) {
        *ret_status = ((FakeBackend *)userdata)->status;
}

static const StoreMember *fake_members(void *userdata, size_t *ret_count) {
        FakeBackend *fake = userdata;

        *ret_count = fake->member_count;
        return fake->members;
}

static bool fake_followers(void *userdata, const StoreFollower **ret_followers, size_t *ret_count) {
        *ret_followers = NULL;
        *ret_count = 0;
        return ((FakeBackend *)userdata)->leads;
}

static void fake_metrics(void *userdata, StoreMetrics *ret_metrics) {
        static const StorePeerMetrics peer = {.id = 0xabc, .connected = true, .sent_bytes = 17, .round_trips = {.first = 100, .buckets = 16}};
        static const Histogram syncs = {.first = 1000, .buckets = 14};
        FakeBackend *fake = userdata;

        *ret_metrics = (StoreMetrics){.applied = fake->status.raft_index, .log_syncs = &syncs, .peers = &peer, .peer_count = 1};
}

const StoreBackend fake_backend = {
        .tree = fake_tree,
        .now = fake_now,
        .propose = fake_propose,
        .read_index = fake_read_index,
        .change_member = fake_change_member,
        .status = fake_status,
        .members = fake_members,
        .followers = fake_followers,
        .metrics = fake_metrics,
};

/* What a member writes about itself when a cluster begins: the index of a fresh store is 3. */
static int fake_write_system_keys(FakeBackend *fake) {
        static const char *const paths[] = {"/0/members/8e9e05c52164694d/raftAttributes",
                                            "/0/members/8e9e05c52164694d/attributes", "/0/version"};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(paths) && r == 0; i++)
                r = tree_apply(&fake->tree, &(Command){.kind = COMMAND_SET, .path = slice_from(paths[i])}, NULL, NULL);
        return r;
}

int fake_backend_init(FakeBackend *fake, const char *client_url) {
        int r;

        *fake = (FakeBackend){.leads = true, .member_count = 1};
        list_init(&fake->waiting);
        fake->members[0].id = 0x8e9e05c52164694d;
        fake->members[0].name = "fake";
        r = string_list_add(&fake->members[0].client_urls, client_url);
        if (r == 0)
                r = string_list_add(&fake->members[0].peer_urls, "http://127.0.0.1:2380");
        if (r == 0)
                r = tree_init(&fake->tree, NULL);
        if (r == 0)
                r = fake_write_system_keys(fake);
        if (r < 0) {
                fake_drop_members(fake);
                return r;
        }
        fake->status = (StoreStatus){
                .cluster_id = 0xcdf818194e3a8c32,
                .member_id = fake->members[0].id,
                .leader_id = fake->members[0].id,
                .raft_index = 4,
                .raft_term = 2,
                .name = fake->members[0].name,
                .version = "3.4.23",
                .cluster_version = "3.4.0",
                .started = clock_wall(),
                .leader_since = clock_wall(),
        };
        return 0;
}

void fake_backend_deinit(FakeBackend *fake) {
        assert(list_is_empty(&fake->waiting));
        fake_drop_members(fake);
        tree_deinit(&fake->tree);
}

void fake_backend_sync(FakeBackend *fake) {
        Command command = {.kind = COMMAND_SYNC, .time = fake_now(fake)};
        WallUsec due;
        int r;

        if (!tree_next_expiry(&fake->tree, &due) || due > command.time)
                return;
        fake->status.raft_index++;
        r = tree_apply(&fake->tree, &command, NULL, NULL);
        assert(r == 0);
        hub_dispatch(&fake->tree.hub);
}
