/* Members that crash and a network that loses, doubles and reorders, from seeds: the properties that test-network.h
 * names hold all the time, and when the faults end the cluster works again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "raft/test-network.h"

enum {
        RUNS = 250,
        STEPS = 15000,
        NODES = 5,
};

static void disturb(TestNetwork *network) {
        uint64_t id = 1 + random_below(&network->random, network->length);
        TestNode *node = network_node(network, id);

        switch (random_below(&network->random, 8)) {
        case 0:
                if (node->raft)
                        network_crash(network, id);
                break;
        case 1:
        case 2:
                if (!node->raft)
                        network_start(network, id);
                break;
        case 3:
                network_isolate(network, id, true);
                break;
        case 4:
        case 5:
                network_isolate(network, id, false);
                break;
        default:
                node_checkpoint(node, random_chance(&network->random, 1, 2));
                break;
        }
}

enum { CHANGES_MAX = 3 }; /* in one configuration change */

static void change_members(TestNetwork *network, TestNode *node) {
        static const char letters[] = "vvlr";
        char changes[2 * CHANGES_MAX + 1] = "";
        size_t count = 1 + random_below(&network->random, CHANGES_MAX);
        RaftConfTransition transition = (RaftConfTransition)random_below(&network->random, 3);

        if (raft_conf_state_is_joint(&node->conf_state) && random_chance(&network->random, 2, 3)) {
                (void)network_change(network, node->id, RAFT_CONF_AUTO, "");
                return;
        }
        for (size_t i = 0; i < min_of(count, (size_t)CHANGES_MAX); i++) {
                changes[2 * i] = letters[random_below(&network->random, 4)];
                changes[2 * i + 1] = (char)('1' + random_below(&network->random, network->length));
        }
        (void)network_change(network, node->id, transition, changes);
}

static void ask(TestNetwork *network) {
        uint64_t id = 1 + random_below(&network->random, network->length);
        TestNode *node = network_node(network, id);
        char data[32];

        if (!node->raft)
                return;
        switch (random_below(&network->random, 32)) {
        case 0:
                change_members(network, node);
                break;
        case 1:
                (void)raft_transfer_leader(node->raft, 1 + random_below(&network->random, network->length));
                break;
        case 2:
        case 3:
                if (network->reads_asked + 1 < TEST_READS_MAX)
                        (void)network_read(network, id);
                break;
        case 4:
                (void)raft_forget_leader(node->raft);
                break;
        default:
                if (network->proposals < TEST_INDEX_MAX / 4) {
                        snprintf(data, sizeof(data), "p%llu", (unsigned long long)network->proposals);
                        (void)network_propose(network, id, data);
                }
                break;
        }
}

static void deliver_some(TestNetwork *network) {
        size_t i;

        if (network->queue.length == 0)
                return;
        i = random_chance(&network->random, 1, 4) ? random_below(&network->random, network->queue.length) : 0;
        switch (random_below(&network->random, 20)) {
        case 0:
                network_deliver(network, i, true);
                break;
        case 1: { /* twice */
                RaftMessage copy;

                assert_int_equal(raft_message_copy(&network->queue.items[i], &copy), 0);
                assert_int_equal(raft_messages_take(&network->queue, &copy), 0);
                break;
        }
        default:
                network_deliver(network, i, false);
                break;
        }
}

static void step(TestNetwork *network) {
        uint64_t kind = random_below(&network->random, 1000);
        TestNode *node = network_node(network, 1 + random_below(&network->random, network->length));

        if (kind < 400)
                deliver_some(network);
        else if (kind < 650)
                (void)node_handle_ready(network, node);
        else if (kind < 770)
                (void)node_do_append_work(network, node);
        else if (kind < 870)
                (void)node_do_apply_work(network, node);
        else if (kind < 955) {
                if (node->raft)
                        assert_int_equal(raft_tick(node->raft), 0);
        } else if (kind < 992)
                ask(network);
        else
                disturb(network);
}

/* Every voter has applied all that the leader has. */
static bool is_caught_up(TestNetwork *network, uint64_t leader) {
        const RaftConfState *configuration = raft_configuration(network_node(network, leader)->raft);
        uint64_t last = raft_last_index(network_node(network, leader)->raft);

        for (size_t i = 0; i < configuration->voters.length; i++)
                if (network_node(network, configuration->voters.items[i])->applied != last)
                        return false;
        return network_leader(network) == leader;
}

static void heal(TestNetwork *network) {
        memset(network->cut, 0, sizeof(network->cut));
        for (uint64_t id = 1; id <= network->length; id++)
                if (!network_node(network, id)->raft)
                        network_start(network, id);
        for (unsigned tries = 0; tries < 40; tries++) {
                uint64_t leader;

                network_tick(network, 10);
                leader = network_leader(network);
                if (leader > 0 && !raft_basic_status(network_node(network, leader)->raft).voter) {
                        /* removed, and not told to step down: its owner would stop it now */
                        network_crash(network, leader);
                        continue;
                }
                if (leader == 0 || network_propose(network, leader, "healed") != 0)
                        continue;
                network_tick(network, 5);
                if (is_caught_up(network, leader))
                        return;
        }
        fail_msg("no working leader after the faults ended");
}

static RaftConfig vary(uint64_t seed) {
        RaftConfig config = network_defaults();

        config.async_storage_writes = seed % 2;
        config.pre_vote = seed % 3 > 0;
        config.check_quorum = seed % 5 > 0;
        config.step_down_on_removal = seed % 7 > 2;
        config.campaign_after_append = true;
        config.max_committed_size = seed % 4 ? 4096 : 40;
        config.max_inflight_messages = 1 + seed % 6;
        return config;
}

static void test_random_faults(void **state) {
        static TestNetwork network;
        uint64_t reads = 0, restores = 0, joint = 0, elections = 0, applied = 0;

        (void)state;
        for (uint64_t seed = 1; seed <= RUNS; seed++) {
                RaftConfig config = vary(seed);

                network_init(&network, NODES, 1 + seed % NODES, seed, &config);
                for (size_t i = 0; i < STEPS; i++) {
                        step(&network);
                        if (i % 100 == 0)
                                network_check_logs(&network);
                }
                heal(&network);
                network_check_logs(&network);
                for (size_t i = 0; i < network.length; i++)
                        reads += network.nodes[i].reads_served;
                restores += network.restores;
                joint += network.joint_changes;
                elections += network.elections;
                applied += network.max_applied;
                network_deinit(&network);
        }
        print_message("elections %llu, applied %llu, joint %llu, snapshots %llu, reads %llu\n",
                      (unsigned long long)elections, (unsigned long long)applied, (unsigned long long)joint,
                      (unsigned long long)restores, (unsigned long long)reads);
        /* faults that keep everything from happening would show nothing */
        assert_true(elections > RUNS * 2);
        assert_true(applied > RUNS * 20);
        assert_true(joint > RUNS && restores > RUNS / 4 && reads > RUNS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
