/* Replicas on fake disks in one process: jobs and frames wait in queues that the test empties. The simulation under
 * tests/sim does the same with time and faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "base/list.h"
#include "store/log/fake-disk.h"
#include "store/replica/frame.h"
#include "store/replica/replica.h"

enum { MEMBERS_MAX = 5, TICK = 100000, ROUNDS_MAX = 200000 };

typedef struct Parcel {
        ListNode link;
        uint64_t from, to;
        RaftPayload *payload;
} Parcel;

typedef struct Job {
        ListNode link;
        DiskJob *job;
} Job;

typedef struct Cluster Cluster;

typedef struct Member {
        Cluster *cluster;
        uint64_t id;
        Disk *disk;
        Replica *replica; /* NULL: down */
        List jobs;
} Member;

struct Cluster {
        Member members[MEMBERS_MAX];
        size_t count;
        List parcels;
        Usec now;
        uint64_t snapshot_entries;
        uint64_t keep_entries;
        unsigned pieces_left; /* of a snapshot that still arrive, when `cut` */
        bool cut;
};

typedef struct Answer {
        bool given;
        int r, code;
        uint64_t index;
} Answer;

static void on_answer(void *userdata, const ReplicaResult *result) {
        Answer *answer = userdata;

        *answer = (Answer){.given = true, .r = result->r, .code = result->code};
        if (result->event)
                answer->index = event_index(result->event);
}

static void member_run_job(void *userdata, DiskJob *job) {
        Member *member = userdata;
        Job *one = calloc(1, sizeof(*one));

        one->job = job;
        list_append(&member->jobs, &one->link);
}

static void member_send(void *userdata, uint64_t to, bool bulk, Slice frame) {
        Member *member = userdata;
        Parcel *parcel = calloc(1, sizeof(*parcel));

        (void)bulk;
        parcel->from = member->id;
        parcel->to = to;
        assert_int_equal(raft_payload_new(frame.data, frame.length, &parcel->payload), 0);
        list_append(&member->cluster->parcels, &parcel->link);
}

static const ReplicaOps member_ops = {.run_job = member_run_job, .send = member_send};

static ReplicaConfig member_config(const Member *member) {
        ReplicaConfig config = {
                .id = member->id,
                .cluster = 7,
                .tick = TICK,
                .election_ticks = 10,
                .request_timeout = 7 * USEC_PER_SEC,
                .snapshot_entries = member->cluster->snapshot_entries,
                .keep_entries = member->cluster->keep_entries,
                .segment_size = 1 << 16,
        };

        random_seed(&config.random, member->id * 77 + member->cluster->now);
        return config;
}

static void member_start(Member *member) {
        ReplicaConfig config = member_config(member);
        Error error = ERROR_NONE;
        int r = replica_open(&config, member->disk, &member_ops, member, &member->replica, &error);

        assert_string_equal(error.text, "");
        assert_int_equal(r, 0);
        replica_tick(member->replica, member->cluster->now, 0);
}

static void member_stop(Member *member, bool crash) {
        list_foreach(&member->jobs, node) {
                list_unlink(node);
                free(container_of(node, Job, link));
        }
        member->replica = replica_free(member->replica, true);
        if (crash)
                fake_disk_crash(member->disk);
}

static Disk *disk_new(uint64_t seed) {
        Random random;

        random_seed(&random, seed);
        return fake_disk_new(&random);
}

static void cluster_init(Cluster *cluster, size_t count, uint64_t snapshot_entries, uint64_t keep_entries) {
        ReplicaMember members[MEMBERS_MAX];

        *cluster = (Cluster){.count = count, .snapshot_entries = snapshot_entries, .keep_entries = keep_entries};
        list_init(&cluster->parcels);
        for (size_t i = 0; i < count; i++)
                members[i] = (ReplicaMember){i + 1, "{\"peerURLs\":[\"http://10.0.0.1:2380\"]}"};
        for (size_t i = 0; i < count; i++) {
                Member *member = &cluster->members[i];
                ReplicaConfig config;

                *member = (Member){.cluster = cluster, .id = i + 1};
                list_init(&member->jobs);
                member->disk = disk_new(i);
                config = member_config(member);
                assert_int_equal(replica_bootstrap(member->disk, &config, members, count, NULL), 0);
                assert_int_equal(replica_bootstrap(member->disk, &config, members, count, NULL), -EEXIST);
                member_start(member);
        }
}

static void parcel_free(Parcel *parcel) {
        list_unlink(&parcel->link);
        raft_payload_unref(parcel->payload);
        free(parcel);
}

static void cluster_deinit(Cluster *cluster) {
        list_foreach(&cluster->parcels, node)
                parcel_free(container_of(node, Parcel, link));
        for (size_t i = 0; i < cluster->count; i++) {
                if (cluster->members[i].replica)
                        member_stop(&cluster->members[i], false);
                fake_disk_free(cluster->members[i].disk);
        }
}

static void member_work(Member *member) {
        list_foreach(&member->jobs, node) {
                Job *one = container_of(node, Job, link);
                DiskJob *job = one->job;

                list_unlink(node);
                free(one);
                replica_job_done(member->replica, job, job->run(job));
        }
}

static bool parcel_is_lost(Cluster *cluster, const Parcel *parcel) {
        if (!cluster->cut || parcel->payload->data[0] != FRAME_SNAPSHOT_PIECE)
                return false;
        if (cluster->pieces_left == 0)
                return true;
        cluster->pieces_left--;
        return false;
}

/* One round: jobs, frames, work. True when anything happened. */
static bool cluster_round(Cluster *cluster) {
        bool busy = !list_is_empty(&cluster->parcels);

        list_foreach(&cluster->parcels, node) {
                Parcel *parcel = container_of(node, Parcel, link);
                Member *member = parcel->to <= cluster->count ? &cluster->members[parcel->to - 1] : NULL; /* not started yet */

                if (member && member->replica && !parcel_is_lost(cluster, parcel))
                        (void)replica_receive(member->replica, parcel->from, parcel->payload);
                parcel_free(parcel);
        }
        for (size_t i = 0; i < cluster->count; i++) {
                Member *member = &cluster->members[i];
                Error error = ERROR_NONE;

                if (!member->replica)
                        continue;
                busy = busy || !list_is_empty(&member->jobs);
                member_work(member);
                busy = replica_run(member->replica) || busy;
                (void)replica_failure(member->replica, &error);
                assert_string_equal(error.text, "");
        }
        return busy;
}

static void cluster_settle(Cluster *cluster) {
        for (int i = 0; i < ROUNDS_MAX && cluster_round(cluster); i++)
                ;
}

static void cluster_pass(Cluster *cluster, Usec time) {
        for (Usec end = cluster->now + time; cluster->now < end;) {
                cluster->now += TICK / 2;
                for (size_t i = 0; i < cluster->count; i++)
                        if (cluster->members[i].replica)
                                replica_tick(cluster->members[i].replica, cluster->now, (WallUsec)cluster->now);
                cluster_settle(cluster);
        }
}

static Member *cluster_leader(Cluster *cluster) {
        for (size_t i = 0; i < cluster->count; i++) {
                Member *member = &cluster->members[i];

                if (member->replica && raft_basic_status(replica_raft(member->replica)).soft_state.state == RAFT_LEADER)
                        return member;
        }
        return NULL;
}

static Answer cluster_set(Cluster *cluster, Member *member, const char *path, const char *value) {
        Command command = {.kind = COMMAND_SET, .path = slice_from(path), .value = slice_from(value)};
        Answer answer = {0};

        assert_int_equal(replica_propose(member->replica, &command, on_answer, &answer, NULL), 0);
        for (int i = 0; i < 100 && !answer.given; i++) {
                cluster_settle(cluster);
                cluster_pass(cluster, TICK);
        }
        assert_true(answer.given);
        return answer;
}

static void assert_value(Member *member, const char *path, const char *value) {
        const Node *node;

        assert_int_equal(tree_find(replica_tree(member->replica), slice_from(path), &node, NULL), 0);
        assert_true(slice_equals(value_slice(node->value), slice_from(value)));
}

static void assert_equal_trees(Cluster *cluster) {
        for (size_t i = 1; i < cluster->count; i++) {
                _cleanup_free_ char *where = NULL;

                if (!tree_equal(replica_tree(cluster->members[0].replica), replica_tree(cluster->members[i].replica), &where))
                        fail_msg("members 1 and %zu differ at %s", i + 1, where);
        }
}

static void test_one_member_writes_and_restarts(void **state) {
        Cluster cluster;
        Answer answer;

        (void)state;
        cluster_init(&cluster, 1, 0, 0);
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        assert_non_null(cluster_leader(&cluster));
        answer = cluster_set(&cluster, &cluster.members[0], "/1/a", "x");
        assert_int_equal(answer.r, 0);
        assert_int_equal(answer.code, 0);
        member_stop(&cluster.members[0], true);
        member_start(&cluster.members[0]);
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        assert_value(&cluster.members[0], "/1/a", "x");
        cluster_deinit(&cluster);
}

/* A client that pipelines: each answer brings the next write, which must not wait for a tick of the clock. */
typedef struct Chain {
        Replica *replica;
        unsigned left;
} Chain;

static void chain_next(void *userdata, const ReplicaResult *result) {
        Command command = {.kind = COMMAND_SET, .path = slice_from("/1/chain"), .value = slice_from("v")};
        Chain *chain = userdata;

        assert_true(!result || result->r == 0);
        if (chain->left-- > 0)
                assert_int_equal(replica_propose(chain->replica, &command, chain_next, chain, NULL), 0);
}

static void test_write_that_an_answer_brings_does_not_wait_for_the_clock(void **state) {
        Cluster cluster;
        Chain chain;

        (void)state;
        cluster_init(&cluster, 1, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        chain = (Chain){cluster_leader(&cluster)->replica, 20};
        chain_next(&chain, NULL);
        (void)cluster_round(&cluster);
        cluster_settle(&cluster);
        assert_int_equal(chain.left, UINT32_MAX);
        cluster_deinit(&cluster);
}

/* Every member says why to itself, and must not keep it: leaks are what the sanitizer looks for here. */
static void test_refused_writes_leave_nothing_behind(void **state) {
        Cluster cluster;
        Answer answer;

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        answer = cluster_set(&cluster, &cluster.members[0], "/1/a", "x");
        assert_int_equal(answer.code, 0);
        for (size_t i = 0; i < 3; i++) {
                answer = cluster_set(&cluster, &cluster.members[i], "/1/a/b", "x");
                assert_int_equal(answer.r, 0);
                assert_int_equal(answer.code, TREE_NOT_DIRECTORY);
        }
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

static void test_followers_forward_and_read_their_writes(void **state) {
        Cluster cluster;

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        for (size_t i = 0; i < 3; i++) {
                char path[16];

                (void)snprintf(path, sizeof(path), "/1/k%zu", i);
                assert_int_equal(cluster_set(&cluster, &cluster.members[i], path, "v").r, 0);
                assert_value(&cluster.members[i], path, "v");
        }
        cluster_pass(&cluster, USEC_PER_SEC);
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

static void test_dead_leader_is_replaced(void **state) {
        Cluster cluster;
        Member *leader, *other;

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        leader = cluster_leader(&cluster);
        assert_non_null(leader);
        assert_int_equal(cluster_set(&cluster, leader, "/1/a", "1").r, 0);
        member_stop(leader, true);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        other = cluster_leader(&cluster);
        assert_non_null(other);
        assert_int_equal(cluster_set(&cluster, other, "/1/a", "2").r, 0);
        member_start(leader);
        cluster_pass(&cluster, 2 * USEC_PER_SEC);
        assert_value(leader, "/1/a", "2");
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

static void test_lagging_member_gets_a_snapshot(void **state) {
        Cluster cluster;
        Member *leader, *slow;

        (void)state;
        cluster_init(&cluster, 3, 50, 10);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        leader = cluster_leader(&cluster);
        slow = &cluster.members[leader->id % 3];
        member_stop(slow, true);
        for (int i = 0; i < 300; i++) {
                char path[32];

                (void)snprintf(path, sizeof(path), "/1/dir/k%d", i);
                assert_int_equal(cluster_set(&cluster, leader, path, "some value").r, 0);
        }
        assert_true(replica_counts(leader->replica).snapshots_made > 2);
        member_start(slow);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        assert_true(replica_counts(slow->replica).snapshots_received > 0);
        assert_equal_trees(&cluster);
        /* and it recovers from what it installed */
        member_stop(slow, true);
        member_start(slow);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

/* The sender gives up in the middle and begins anew at byte 0, while the receiver still has the first half. */
static void test_snapshot_that_broke_off_halfway_is_taken_up_again(void **state) {
        _cleanup_free_ char *value = calloc(1, 100000);
        Cluster cluster;
        Member *leader, *slow;

        (void)state;
        memset(value, 'v', 99999);
        cluster_init(&cluster, 3, 40, 5);
        cluster_pass(&cluster, 5 * USEC_PER_SEC);
        leader = cluster_leader(&cluster);
        slow = &cluster.members[leader == &cluster.members[0] ? 1 : 0];
        member_stop(slow, false);
        for (int i = 0; i < 100; i++) {
                char path[32];

                (void)snprintf(path, sizeof(path), "/1/k%d", i % 30);
                assert_int_equal(cluster_set(&cluster, leader, path, value).code, 0);
        }
        cluster.cut = true;
        cluster.pieces_left = 3;
        member_start(slow);
        cluster_pass(&cluster, 20 * USEC_PER_SEC);
        assert_int_equal(cluster.pieces_left, 0);
        assert_int_equal(replica_counts(slow->replica).snapshots_received, 0);
        cluster.cut = false;
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        assert_int_equal(replica_counts(slow->replica).snapshots_received, 1);
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

static void test_snapshot_that_never_comes_whole_does_not_hold_up_ones_own(void **state) {
        _cleanup_buffer_ Buffer frame = BUFFER_INIT;
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        SnapshotPiece piece = {.index = 1000000, .term = 1, .bytes = {"abc", 3}};
        Cluster cluster;
        Member *member;

        (void)state;
        cluster_init(&cluster, 1, 20, 5);
        cluster_pass(&cluster, 5 * USEC_PER_SEC);
        member = &cluster.members[0];
        assert_int_equal(frame_encode_piece(&piece, &frame), 0);
        assert_int_equal(raft_payload_new(buffer_data(&frame), buffer_length(&frame), &payload), 0);
        cluster.cut = true;
        assert_int_equal(replica_receive(member->replica, 1, payload), 0);
        cluster_pass(&cluster, 30 * USEC_PER_SEC);
        for (int i = 0; i < 100; i++)
                assert_int_equal(cluster_set(&cluster, member, "/1/k", "v").code, 0);
        assert_true(replica_counts(member->replica).snapshots_made > 2);
        cluster_deinit(&cluster);
}

static size_t count_files(Member *member, const char *prefix) {
        _cleanup_string_list_ StringList names = {0};
        size_t count = 0;

        assert_int_equal(member->disk->ops->list(member->disk, &names), 0);
        for (size_t i = 0; i < names.length; i++)
                count += str_starts_with(names.items[i], prefix);
        return count;
}

static size_t count_snapshots(Member *member) {
        _cleanup_string_list_ StringList names = {0};

        assert_int_equal(snapshot_list(member->disk, &names), 0);
        return names.length;
}

static void test_old_snapshots_go_where_none_is_made(void **state) {
        Cluster cluster;
        Member *leader, *slow;

        (void)state;
        cluster_init(&cluster, 3, 50, 10);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        leader = cluster_leader(&cluster);
        slow = &cluster.members[leader->id % 3];
        for (int round = 0; round < 4; round++) {
                member_stop(slow, true);
                for (int i = 0; i < 120; i++)
                        assert_int_equal(cluster_set(&cluster, leader, "/1/a", "x").r, 0);
                member_start(slow);
                cluster_pass(&cluster, 4 * USEC_PER_SEC);
                assert_true(replica_counts(slow->replica).snapshots_received > 0);
                assert_int_equal(replica_counts(slow->replica).snapshots_made, 0);
        }
        assert_true(count_snapshots(slow) <= 2);
        cluster_deinit(&cluster);
}

static uint64_t disk_bytes(Disk *disk) {
        _cleanup_string_list_ StringList names = {0};
        uint64_t bytes = 0;
        size_t length;

        assert_int_equal(disk->ops->list(disk, &names), 0);
        for (size_t i = 0; i < names.length; i++)
                if (fake_disk_contents(disk, names.items[i], &length))
                        bytes += length;
        return bytes;
}

static void test_damaged_snapshot_is_not_sent_for_ever(void **state) {
        _cleanup_string_list_ StringList names = {0};
        Cluster cluster;
        Member *leader, *slow;
        size_t length;

        (void)state;
        cluster_init(&cluster, 3, 50, 10);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        leader = cluster_leader(&cluster);
        slow = &cluster.members[leader->id % 3];
        member_stop(slow, true);
        for (int i = 0; i < 120; i++)
                assert_int_equal(cluster_set(&cluster, leader, "/1/a", "x").r, 0);
        cluster_pass(&cluster, USEC_PER_SEC);
        assert_int_equal(leader->disk->ops->list(leader->disk, &names), 0);
        for (size_t i = 0; i < names.length; i++)
                if (str_starts_with(names.items[i], "snapshot-"))
                        fake_disk_contents(leader->disk, names.items[i], &length)[40] ^= 1;
        member_start(slow);
        cluster_pass(&cluster, 10 * USEC_PER_SEC);
        assert_true(replica_counts(slow->replica).snapshots_received > 0);
        assert_int_equal(replica_counts(slow->replica).applied_index, replica_counts(leader->replica).applied_index);
        cluster_deinit(&cluster);
}

static void test_full_disk_is_not_tried_without_pause(void **state) {
        char value[8192];
        Cluster cluster;
        Member *member;
        uint64_t before;

        (void)state;
        memset(value, 'x', sizeof(value) - 1);
        value[sizeof(value) - 1] = '\0';
        cluster_init(&cluster, 1, 10, 5);
        member = &cluster.members[0];
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        for (int i = 0; i < 4; i++)
                assert_int_equal(cluster_set(&cluster, member, "/1/a", value).r, 0);
        fake_disk_faults(member->disk)->capacity = disk_bytes(member->disk);
        for (int i = 0; i < 10; i++) /* more than half of a segment is full, and a snapshot is due */
                assert_int_equal(cluster_set(&cluster, member, "/1/b", "x").r, 0);
        before = fake_disk_counts(member->disk)->full;
        cluster_pass(&cluster, 10 * USEC_PER_SEC);
        assert_in_range(fake_disk_counts(member->disk)->full - before, 2, 30);
        assert_int_equal(count_files(member, "unfinished-"), 0); /* the log needs the room */
        fake_disk_faults(member->disk)->capacity = 0;
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        assert_true(replica_counts(member->replica).snapshots_made > 0);
        cluster_deinit(&cluster);
}

static void test_quorum_read_on_every_member(void **state) {
        Cluster cluster;

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        assert_int_equal(cluster_set(&cluster, cluster_leader(&cluster), "/1/a", "1").r, 0);
        for (size_t i = 0; i < 3; i++) {
                Answer first = {0}, second = {0};

                assert_int_equal(replica_read(cluster.members[i].replica, 0, on_answer, &first, NULL), 0);
                (void)replica_run(cluster.members[i].replica);
                assert_int_equal(replica_read(cluster.members[i].replica, 0, on_answer, &second, NULL), 0);
                cluster_settle(&cluster);
                assert_true(first.given && first.r == 0);
                assert_true(second.given && second.r == 0);
                assert_value(&cluster.members[i], "/1/a", "1");
        }
        cluster_deinit(&cluster);
}

static void test_requests_without_quorum_time_out(void **state) {
        Command command = {.kind = COMMAND_SET, .path = {"/1/a", 4}, .value = {"x", 1}};
        Cluster cluster;
        Answer write = {0}, read = {0};

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        member_stop(&cluster.members[1], false);
        member_stop(&cluster.members[2], false);
        assert_int_equal(replica_propose(cluster.members[0].replica, &command, on_answer, &write, NULL), 0);
        assert_int_equal(replica_read(cluster.members[0].replica, 0, on_answer, &read, NULL), 0);
        cluster_pass(&cluster, 8 * USEC_PER_SEC);
        assert_true(write.given && read.given);
        assert_int_equal(write.r, -ETIMEDOUT);
        assert_int_equal(read.r, -ETIMEDOUT);
        cluster_deinit(&cluster);
}

static void test_keys_expire_on_all_members_alike(void **state) {
        Command command = {.kind = COMMAND_SET, .path = {"/1/t", 4}, .value = {"x", 1}, .has_expiry = true};
        Cluster cluster;
        Answer answer = {0};

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster.now = TREE_EXPIRY_MIN;
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        command.expiry = (WallUsec)(cluster.now + 2 * USEC_PER_SEC);
        assert_int_equal(replica_propose(cluster.members[1].replica, &command, on_answer, &answer, NULL), 0);
        cluster_pass(&cluster, USEC_PER_SEC);
        assert_true(answer.given);
        assert_value(&cluster.members[2], "/1/t", "x");
        cluster_pass(&cluster, 2 * USEC_PER_SEC);
        for (size_t i = 0; i < 3; i++) {
                const Node *node;

                assert_int_equal(tree_find(replica_tree(cluster.members[i].replica), slice_from("/1/t"), &node, NULL),
                                 TREE_KEY_NOT_FOUND);
        }
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

/* ---- members ---- */

static Answer cluster_change(Cluster *cluster, Member *at, ReplicaChangeKind kind, uint64_t id) {
        _cleanup_free_ char *attributes = str_printf("{\"peerURLs\":[\"http://10.0.1.%u:2380\"]}", (unsigned)id);
        ReplicaChange change = {kind, id, attributes};
        Answer answer = {0};

        assert_int_equal(replica_change_members(at->replica, &change, on_answer, &answer), 0);
        for (int i = 0; i < 100 && !answer.given; i++) {
                cluster_settle(cluster);
                cluster_pass(cluster, TICK);
        }
        assert_true(answer.given);
        return answer;
}

/* The next member: on an empty disk, knowing nothing but its id. */
static Member *cluster_join(Cluster *cluster) {
        Member *member = &cluster->members[cluster->count];
        ReplicaConfig config;

        *member = (Member){.cluster = cluster, .id = ++cluster->count};
        list_init(&member->jobs);
        member->disk = disk_new(member->id);
        config = member_config(member);
        assert_int_equal(replica_join(member->disk, &config, NULL), 0);
        assert_int_equal(replica_join(member->disk, &config, NULL), -EEXIST);
        member_start(member);
        return member;
}

static const RaftConfState *configuration(const Member *member) {
        return raft_configuration(replica_raft(member->replica));
}

static void test_cluster_grows_from_one_to_five_by_learners_that_catch_up(void **state) {
        Cluster cluster;
        Member *first;

        (void)state;
        cluster_init(&cluster, 1, 0, 0);
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        first = &cluster.members[0];
        for (uint64_t id = 2; id <= MEMBERS_MAX; id++) {
                assert_int_equal(cluster_change(&cluster, first, REPLICA_CHANGE_ADD, id).code, 0);
                assert_true(raft_ids_contain(&configuration(first)->learners, id));
                /* it has not been started, and costs nothing: writes go on */
                cluster_pass(&cluster, 3 * USEC_PER_SEC);
                assert_true(raft_ids_contain(&configuration(first)->learners, id));
                assert_int_equal(cluster_set(&cluster, first, "/1/a", "x").r, 0);
                (void)cluster_join(&cluster);
                cluster_pass(&cluster, 3 * USEC_PER_SEC);
                assert_true(raft_ids_contain(&configuration(first)->voters, id));
                assert_int_equal(configuration(first)->learners.length, 0);
        }
        assert_int_equal(configuration(first)->voters.length, 5);
        assert_equal_trees(&cluster);
        /* what was learnt is kept */
        member_stop(&cluster.members[4], true);
        member_start(&cluster.members[4]);
        assert_int_equal(cluster_set(&cluster, &cluster.members[4], "/1/a", "y").r, 0);
        cluster_pass(&cluster, USEC_PER_SEC);
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

static void test_new_member_gets_a_snapshot_that_was_made_after_it_was_added(void **state) {
        Cluster cluster;
        Member *late;

        (void)state;
        cluster_init(&cluster, 1, 50, 5);
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        for (int i = 0; i < 120; i++)
                assert_int_equal(cluster_set(&cluster, &cluster.members[0], "/1/a", "x").r, 0);
        assert_true(replica_counts(cluster.members[0].replica).snapshots_made > 0);
        assert_int_equal(cluster_change(&cluster, &cluster.members[0], REPLICA_CHANGE_ADD, 2).code, 0);
        late = cluster_join(&cluster);
        cluster_pass(&cluster, 5 * USEC_PER_SEC);
        assert_true(replica_counts(late->replica).snapshots_received > 0);
        assert_true(raft_ids_contain(&configuration(late)->voters, 2));
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

static void test_changes_that_make_no_sense_are_refused_by_all_alike(void **state) {
        Cluster cluster;
        Member *at;

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        at = &cluster.members[1];
        assert_int_equal(cluster_change(&cluster, at, REPLICA_CHANGE_ADD, 1).code, REPLICA_MEMBER_EXISTS);
        assert_int_equal(cluster_change(&cluster, at, REPLICA_CHANGE_UPDATE, 1).code, 0);
        assert_int_equal(cluster_change(&cluster, at, REPLICA_CHANGE_UPDATE, 9).code, REPLICA_MEMBER_UNKNOWN);
        assert_int_equal(cluster_change(&cluster, at, REPLICA_CHANGE_REMOVE, 9).code, REPLICA_MEMBER_UNKNOWN);
        assert_int_equal(cluster_change(&cluster, at, REPLICA_CHANGE_ADD, 4).code, 0);
        assert_int_equal(cluster_change(&cluster, at, REPLICA_CHANGE_REMOVE, 4).code, 0);
        assert_int_equal(cluster_change(&cluster, at, REPLICA_CHANGE_REMOVE, 4).code, REPLICA_MEMBER_GONE);
        assert_int_equal(cluster_change(&cluster, at, REPLICA_CHANGE_ADD, 4).code, REPLICA_MEMBER_GONE);
        {
                ReplicaChange change = {REPLICA_CHANGE_ADD, 5, "{\"peerURLs\":[\"http://10.0.1.1:2380\"]}"};
                Answer answer = {0};

                assert_int_equal(replica_change_members(at->replica, &change, on_answer, &answer), 0);
                cluster_pass(&cluster, USEC_PER_SEC);
                assert_true(answer.given);
                assert_int_equal(answer.code, REPLICA_MEMBER_URL_EXISTS);
        }
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

static void test_last_voter_stays(void **state) {
        Cluster cluster;

        (void)state;
        cluster_init(&cluster, 1, 0, 0);
        cluster_pass(&cluster, 3 * USEC_PER_SEC);
        assert_int_equal(cluster_change(&cluster, &cluster.members[0], REPLICA_CHANGE_REMOVE, 1).code, REPLICA_CHANGE_REFUSED);
        assert_int_equal(cluster_set(&cluster, &cluster.members[0], "/1/a", "x").r, 0);
        cluster_deinit(&cluster);
}

/* Changes that come at once are carried out one after the other. */
static void test_changes_wait_for_each_other(void **state) {
        Cluster cluster;
        Answer answers[4] = {0};

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
                _cleanup_free_ char *attributes = str_printf("{\"peerURLs\":[\"http://10.0.2.%zu:2380\"]}", i);
                ReplicaChange change = {REPLICA_CHANGE_ADD, 11 + i, attributes};

                assert_int_equal(replica_change_members(cluster.members[i % 3].replica, &change, on_answer, &answers[i]), 0);
        }
        cluster_pass(&cluster, USEC_PER_SEC);
        for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
                assert_true(answers[i].given);
                assert_int_equal(answers[i].r, 0);
                assert_int_equal(answers[i].code, 0);
        }
        assert_int_equal(configuration(&cluster.members[0])->learners.length, 4);
        assert_equal_trees(&cluster);
        cluster_deinit(&cluster);
}

/* It leaves when a majority of the others says so, and cannot come back. */
static void test_removed_leader_hands_over_and_leaves(void **state) {
        Cluster cluster;
        Member *leader, *other;
        uint64_t term;

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        leader = cluster_leader(&cluster);
        term = raft_basic_status(replica_raft(leader->replica)).hard_state.term;
        assert_int_equal(cluster_change(&cluster, leader, REPLICA_CHANGE_REMOVE, leader->id).code, 0);
        cluster_pass(&cluster, TICK);
        other = cluster_leader(&cluster);
        assert_ptr_not_equal(other, leader);
        assert_int_equal(raft_basic_status(replica_raft(other->replica)).hard_state.term, term + 1);
        assert_true(replica_is_removed(other->replica, leader->id));
        assert_false(replica_may_leave(leader->replica));
        for (size_t i = 0; i < 3; i++)
                if (&cluster.members[i] != leader)
                        replica_hear_removed(leader->replica, cluster.members[i].id);
        assert_true(replica_may_leave(leader->replica));
        assert_false(replica_may_leave(other->replica));
        member_stop(leader, true);
        assert_int_equal(cluster_set(&cluster, other, "/1/a", "x").r, 0);
        member_start(leader);
        cluster_pass(&cluster, 20 * USEC_PER_SEC);
        assert_ptr_not_equal(cluster_leader(&cluster), leader);
        assert_true(replica_may_leave(leader->replica));
        cluster_deinit(&cluster);
}

/* With two the one that stays may need the other's vote, until it has the removal on its disk and says so. */
static void test_one_of_two_leaves_only_when_the_other_knows(void **state) {
        Cluster cluster;
        Member *leader, *other;

        (void)state;
        cluster_init(&cluster, 2, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        leader = cluster_leader(&cluster);
        other = &cluster.members[leader->id == 1 ? 1 : 0];
        assert_int_equal(cluster_change(&cluster, leader, REPLICA_CHANGE_REMOVE, other->id).code, 0);
        cluster_pass(&cluster, 30 * USEC_PER_SEC);
        assert_false(replica_may_leave(other->replica));
        assert_true(replica_is_removed(leader->replica, other->id));
        member_stop(other, true);
        /* after a crash the one that stays still knows */
        member_stop(leader, true);
        member_start(leader);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        assert_int_equal(cluster_set(&cluster, leader, "/1/a", "x").r, 0);
        cluster_deinit(&cluster);
}

static void test_survivor_goes_on_alone_with_all_that_its_log_holds(void **state) {
        Cluster cluster;
        Member *member;
        ReplicaConfig config;
        Error error = ERROR_NONE;

        (void)state;
        cluster_init(&cluster, 3, 20, 5);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        for (int i = 0; i < 50; i++)
                assert_int_equal(cluster_set(&cluster, cluster_leader(&cluster), "/1/a", "x").r, 0);
        assert_int_equal(cluster_set(&cluster, cluster_leader(&cluster), "/1/a", "last").r, 0);
        member = &cluster.members[2];
        for (size_t i = 0; i < 3; i++)
                member_stop(&cluster.members[i], true);
        config = member_config(member);
        assert_int_equal(replica_force_new_cluster(&config, member->disk, &error), 0);
        member_start(member);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        assert_value(member, "/1/a", "last");
        assert_int_equal(configuration(member)->voters.length, 1);
        assert_true(replica_is_removed(member->replica, 1));
        assert_int_equal(cluster_set(&cluster, member, "/1/a", "new").r, 0);
        cluster_deinit(&cluster);
}

static Node *find_node(Member *member, const char *path) {
        const Node *node = NULL;

        assert_int_equal(tree_find(replica_tree(member->replica), slice_from(path), &node, NULL), 0);
        return (Node *)(uintptr_t)node;
}

static void test_backup_is_another_cluster_with_the_same_keys(void **state) {
        Command lives = {.kind = COMMAND_SET, .path = {"/1/ttl", 6}, .value = {"x", 1}, .has_expiry = true, .expiry = TREE_EXPIRY_MIN * 2};
        Cluster cluster;
        Member *member, copied;
        ReplicaConfig config;
        ReplicaBackup done;
        Error error = ERROR_NONE;
        Answer answer = {0};
        Random random;
        uint64_t created, modified;

        (void)state;
        cluster_init(&cluster, 3, 20, 5);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        member = cluster_leader(&cluster);
        for (int i = 0; i < 50; i++)
                assert_int_equal(cluster_set(&cluster, member, "/1/a", "x").r, 0);
        assert_int_equal(replica_propose(member->replica, &lives, on_answer, &answer, NULL), 0);
        cluster_pass(&cluster, USEC_PER_SEC);
        assert_true(answer.given && answer.r == 0);
        created = find_node(member, "/1/a")->created;
        modified = find_node(member, "/1/a")->modified;
        for (size_t i = 0; i < 3; i++)
                member_stop(&cluster.members[i], false);

        random_seed(&random, 5);
        copied = (Member){.cluster = &cluster, .id = 99, .disk = fake_disk_new(&random)};
        list_init(&copied.jobs);
        config = member_config(&copied);
        config.cluster = 7; /* what member_start() says */
        assert_int_equal(replica_backup(&config, member->disk, copied.disk, &done, &error), 0);
        assert_int_equal(done.keys, 2);
        assert_int_equal(replica_backup(&config, member->disk, copied.disk, &done, &error), -EEXIST);

        assert_int_equal(replica_force_new_cluster(&config, copied.disk, &error), 0);
        member_start(&copied);
        assert_int_equal(find_node(&copied, "/1/a")->created, created);
        assert_int_equal(find_node(&copied, "/1/a")->modified, modified);
        assert_true(find_node(&copied, "/1/ttl")->expiry->at == TREE_EXPIRY_MIN * 2);
        assert_int_equal(configuration(&copied)->voters.length, 1);
        assert_true(raft_ids_contain(&configuration(&copied)->voters, 99));
        assert_non_null(find_node(&copied, "/0/members/63/raftAttributes"));
        assert_false(replica_is_removed(copied.replica, 1));
        member_stop(&copied, false);
        fake_disk_free(copied.disk);
        cluster_deinit(&cluster);
}

static void test_backup_of_a_damaged_log_is_refused_and_leaves_nothing(void **state) {
        _cleanup_string_list_ StringList names = {0}, left = {0};
        Cluster cluster;
        Member *member;
        ReplicaConfig config;
        ReplicaBackup done;
        Error error = ERROR_NONE;
        Disk *copy;
        Random random;
        size_t length;

        (void)state;
        cluster_init(&cluster, 1, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        member = &cluster.members[0];
        for (int i = 0; i < 5; i++)
                assert_int_equal(cluster_set(&cluster, member, "/1/a", "x").r, 0);
        member_stop(member, false);
        assert_int_equal(member->disk->ops->list(member->disk, &names), 0);
        string_list_sort(&names);
        for (size_t i = 0; i < names.length; i++)
                if (str_starts_with(names.items[i], "log-")) {
                        fake_disk_contents(member->disk, names.items[i], &length)[40] ^= 1;
                        break;
                }
        random_seed(&random, 5);
        copy = fake_disk_new(&random);
        config = member_config(member);
        assert_int_equal(replica_backup(&config, member->disk, copy, &done, &error), -EBADMSG);
        assert_non_null(strstr(error.text, "damaged"));
        assert_int_equal(copy->ops->list(copy, &left), 0);
        assert_int_equal(left.length, 0);
        fake_disk_free(copy);
        cluster_deinit(&cluster);
}

/* While leadership moves nobody can take a write: it waits instead of being dropped. */
static void test_writes_survive_a_handover(void **state) {
        Command command = {.kind = COMMAND_SET, .path = {"/1/a", 4}, .value = {"x", 1}};
        Cluster cluster;
        Member *leader;
        Answer answers[3] = {0};
        Usec begun;

        (void)state;
        cluster_init(&cluster, 3, 0, 0);
        cluster_pass(&cluster, 4 * USEC_PER_SEC);
        leader = cluster_leader(&cluster);
        assert_true(replica_hand_over(leader->replica));
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(replica_propose(cluster.members[i].replica, &command, on_answer, &answers[i], NULL), 0);
                (void)replica_run(cluster.members[i].replica);
        }
        begun = cluster.now;
        while (!(answers[0].given && answers[1].given && answers[2].given) && cluster.now - begun < 10 * USEC_PER_SEC)
                cluster_pass(&cluster, TICK / 2);
        assert_true(cluster.now - begun <= 2 * TICK);
        assert_ptr_not_equal(cluster_leader(&cluster), leader);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(answers[i].r, 0);
        cluster_deinit(&cluster);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_member_writes_and_restarts),
                cmocka_unit_test(test_write_that_an_answer_brings_does_not_wait_for_the_clock),
                cmocka_unit_test(test_refused_writes_leave_nothing_behind),
                cmocka_unit_test(test_followers_forward_and_read_their_writes),
                cmocka_unit_test(test_dead_leader_is_replaced),
                cmocka_unit_test(test_lagging_member_gets_a_snapshot),
                cmocka_unit_test(test_snapshot_that_broke_off_halfway_is_taken_up_again),
                cmocka_unit_test(test_snapshot_that_never_comes_whole_does_not_hold_up_ones_own),
                cmocka_unit_test(test_old_snapshots_go_where_none_is_made),
                cmocka_unit_test(test_damaged_snapshot_is_not_sent_for_ever),
                cmocka_unit_test(test_full_disk_is_not_tried_without_pause),
                cmocka_unit_test(test_quorum_read_on_every_member),
                cmocka_unit_test(test_requests_without_quorum_time_out),
                cmocka_unit_test(test_keys_expire_on_all_members_alike),
                cmocka_unit_test(test_cluster_grows_from_one_to_five_by_learners_that_catch_up),
                cmocka_unit_test(test_new_member_gets_a_snapshot_that_was_made_after_it_was_added),
                cmocka_unit_test(test_changes_that_make_no_sense_are_refused_by_all_alike),
                cmocka_unit_test(test_last_voter_stays),
                cmocka_unit_test(test_changes_wait_for_each_other),
                cmocka_unit_test(test_removed_leader_hands_over_and_leaves),
                cmocka_unit_test(test_one_of_two_leaves_only_when_the_other_knows),
                cmocka_unit_test(test_survivor_goes_on_alone_with_all_that_its_log_holds),
                cmocka_unit_test(test_backup_is_another_cluster_with_the_same_keys),
                cmocka_unit_test(test_backup_of_a_damaged_log_is_refused_and_leaves_nothing),
                cmocka_unit_test(test_writes_survive_a_handover),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
