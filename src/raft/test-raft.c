/* Named cases: what other implementations got wrong, and the promises of raft.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/test-network.h"

static TestNetwork network;

static RaftBasicStatus status_of(uint64_t id) {
        return raft_basic_status(network_node(&network, id)->raft);
}

static Raft *raft_of(uint64_t id) {
        return network_node(&network, id)->raft;
}

static void elect(uint64_t id) {
        assert_int_equal(raft_campaign(raft_of(id)), 0);
        network_settle(&network);
        assert_int_equal(network_leader(&network), id);
}

/* The answer to `message` when stepped into a lone core, after its ready was done. NULL if there is none. */
static const RaftMessage *answer_to(TestNode *node, const RaftMessage *message, RaftReady *ready) {
        assert_int_equal(raft_step(node->raft, message), 0);
        assert_int_equal(raft_ready(node->raft, ready), 0);
        assert_int_equal(raft_advance(node->raft), 0);
        return ready->messages.length > 0 ? &ready->messages.items[0] : NULL;
}

static void test_sole_voter_raises_its_term_and_votes_for_itself(void **state) {
        RaftBasicStatus before, after;

        (void)state;
        network_init(&network, 1, 1, 1, NULL);
        before = status_of(1);
        elect(1);
        after = status_of(1);
        assert_int_equal(after.hard_state.term, before.hard_state.term + 1);
        assert_int_equal(after.hard_state.vote, 1);
        /* and both are on its disk, so that the term is not led twice */
        assert_int_equal(network_node(&network, 1)->storage.hard_state.term, after.hard_state.term);
        assert_int_equal(network_node(&network, 1)->storage.hard_state.vote, 1);
        network_crash(&network, 1);
        network_start(&network, 1);
        elect(1);
        assert_int_equal(status_of(1).hard_state.term, after.hard_state.term + 1);
        network_deinit(&network);
}

/* Until `id` leads, but not until its first entry is committed. */
static void elect_without_commit(uint64_t id) {
        assert_int_equal(raft_campaign(raft_of(id)), 0);
        for (int i = 0; status_of(id).soft_state.state != RAFT_LEADER; i++) {
                assert_true(i < 100);
                for (uint64_t other = 1; other <= network.length; other++)
                        while (node_handle_ready(&network, network_node(&network, other)))
                                ;
                if (network.queue.length > 0 && status_of(id).soft_state.state != RAFT_LEADER)
                        network_deliver(&network, 0, false);
        }
}

static void test_change_takes_no_effect_before_own_term_commit(void **state) {
        RaftMessage accept = {.type = RAFT_MESSAGE_APPEND_RESPONSE, .from = 2, .to = 1};
        TestNode *node;

        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        node = network_node(&network, 1);
        elect_without_commit(1);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "r3"), 0);
        while (node_handle_ready(&network, node))
                ;
        assert_int_equal(raft_configuration(node->raft)->voters.length, 3);
        /* the own term's first entry is committed by the old majority, then the change */
        accept.term = status_of(1).hard_state.term;
        accept.index = 2;
        assert_int_equal(raft_step(node->raft, &accept), 0);
        while (node_handle_ready(&network, node))
                ;
        assert_int_equal(status_of(1).hard_state.commit, 2);
        assert_int_equal(raft_configuration(node->raft)->voters.length, 3);
        accept.index = 3;
        assert_int_equal(raft_step(node->raft, &accept), 0);
        while (node_handle_ready(&network, node))
                ;
        assert_int_equal(raft_configuration(node->raft)->voters.length, 2);
        network_deinit(&network);
}

static void test_change_of_a_former_term_holds_up_others(void **state) {
        RaftConfig config = network_defaults();
        TestNode *node;

        (void)state;
        config.check_quorum = false; /* no lease of the old leader */
        network_init(&network, 4, 3, 1, &config);
        elect(1);
        network_isolate(&network, 1, true);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "v4"), 0);
        network_settle(&network);
        network_crash(&network, 1);
        network_start(&network, 1);
        network_isolate(&network, 1, false);
        /* leads again, with its old change uncommitted: the new one becomes an empty entry */
        elect_without_commit(1);
        node = network_node(&network, 1);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "r3"), 0);
        network_settle(&network);
        network_tick(&network, 2);
        assert_int_equal(raft_configuration(node->raft)->voters.length, 4);
        assert_int_equal(node->applied, raft_last_index(node->raft));
        network_deinit(&network);
}

static void test_second_change_waits_for_the_first(void **state) {
        (void)state;
        network_init(&network, 5, 3, 1, NULL);
        elect(1);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "v4"), 0);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "v5"), 0);
        network_settle(&network);
        assert_int_equal(raft_configuration(raft_of(1))->voters.length, 4);
        /* and changes go on being possible */
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "v5"), 0);
        network_settle(&network);
        assert_int_equal(raft_configuration(raft_of(1))->voters.length, 5);
        network_deinit(&network);
}

static void test_learner_votes_when_the_rest_needs_it(void **state) {
        (void)state;
        /* 1 promotes the learner 3 and dies; 2 knows of it, 3 does not */
        network_init(&network, 3, 2, 1, NULL);
        elect(1);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "l3"), 0);
        network_tick(&network, 2);
        assert_true(status_of(3).learner);
        network.cut[0][2] = true;
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "v3"), 0);
        network_tick(&network, 1);
        assert_int_equal(raft_configuration(raft_of(2))->voters.length, 3);
        assert_true(status_of(3).learner);
        network_crash(&network, 1);
        network_tick(&network, 60);
        assert_int_equal(network_leader(&network), 2);
        assert_true(status_of(3).voter);
        network_deinit(&network);
}

static void test_non_voters_forget_a_dead_leader(void **state) {
        RaftConfig config = network_defaults();

        (void)state;
        config.check_quorum = false;
        network_init(&network, 4, 3, 1, &config);
        elect(1);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "l4"), 0);
        network_tick(&network, 2);
        network_crash(&network, 1);
        network_tick(&network, 60);
        assert_true(network_leader(&network) > 1);
        assert_int_equal(status_of(4).soft_state.leader, network_leader(&network));
        network_deinit(&network);
}

static void test_server_missing_from_its_own_configuration(void **state) {
        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        elect(1);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "r3"), 0);
        network_tick(&network, 3);
        assert_false(status_of(3).voter);
        /* it does not stand, however long it hears nothing, but it does vote */
        network_isolate(&network, 3, true);
        network_tick(&network, 100);
        assert_int_equal(status_of(3).soft_state.state, RAFT_FOLLOWER);
        network_isolate(&network, 3, false);
        {
                _cleanup_raft_ready_ RaftReady ready = {0};
                RaftMessage vote = {.type = RAFT_MESSAGE_VOTE, .from = 2, .to = 3, .term = 9, .log_term = 9};
                const RaftMessage *answer;

                assert_int_equal(raft_forget_leader(raft_of(3)), 0);
                answer = answer_to(network_node(&network, 3), &vote, &ready);
                assert_non_null(answer);
                assert_int_equal(answer->type, RAFT_MESSAGE_VOTE_RESPONSE);
                assert_false(answer->reject);
        }
        network_deinit(&network);
}

static void test_denied_pre_vote_carries_the_own_term(void **state) {
        _cleanup_raft_ready_ RaftReady ready = {0};
        RaftMessage request = {.type = RAFT_MESSAGE_PRE_VOTE, .from = 2, .to = 1, .term = 7};
        const RaftMessage *answer;

        (void)state;
        network_init(&network, 2, 2, 1, NULL);
        answer = answer_to(network_node(&network, 1), &request, &ready);
        assert_non_null(answer);
        assert_true(answer->reject);
        assert_int_equal(answer->term, 1);
        /* nor did the request change the term */
        assert_int_equal(status_of(1).hard_state.term, 1);
        network_deinit(&network);
}

static void test_stale_rejection_never_moves_next_below_match(void **state) {
        RaftMessage stale = {.type = RAFT_MESSAGE_APPEND_RESPONSE, .from = 2, .to = 1, .reject = true};
        RaftStatus status;

        (void)state;
        network_init(&network, 2, 2, 1, NULL);
        elect(1);
        assert_int_equal(network_propose(&network, 1, "x"), 0);
        network_settle(&network);
        for (uint64_t index = 0; index < 6; index++) {
                stale.term = status_of(1).hard_state.term;
                stale.index = index;
                assert_int_equal(raft_step(raft_of(1), &stale), 0);
                raft_status(raft_of(1), &status);
                assert_true(status.peers[1].next > status.peers[1].match);
                assert_int_equal(status.peers[1].match, 3);
        }
        network_settle(&network);
        assert_int_equal(network_node(&network, 2)->applied, 3);
        network_deinit(&network);
}

static void test_removed_leader(void **state) {
        RaftConfig config = network_defaults();

        (void)state;
        for (int step_down = 0; step_down < 2; step_down++) {
                config.step_down_on_removal = step_down;
                network_init(&network, 3, 3, 1, &config);
                elect(1);
                assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "r1"), 0);
                network_settle(&network);
                assert_false(status_of(1).voter);
                assert_int_equal(status_of(1).soft_state.state, step_down ? RAFT_FOLLOWER : RAFT_LEADER);
                assert_int_equal(network_propose(&network, 1, "late"), RAFT_PROPOSAL_DROPPED);
                /* it brings the change to the others, and they go on without it */
                network_tick(&network, 1);
                network_crash(&network, 1);
                network_tick(&network, 60);
                assert_true(network_leader(&network) > 1);
                assert_int_equal(network_propose(&network, network_leader(&network), "on"), 0);
                network_tick(&network, 2);
                assert_int_equal(network_node(&network, 2)->applied, network_node(&network, 3)->applied);
                network_deinit(&network);
        }
}

/* 1 leads, is removed, and steps down; 2 has the change in its log but never heard that it is committed, and 1 has more
 * in its log than 2. 2 needs the vote of 1 still. */
static void test_vote_of_a_removed_leader_is_not_missed_for_ever(void **state) {
        RaftConfig config = network_defaults();

        (void)state;
        config.step_down_on_removal = true;
        network_init(&network, 2, 2, 1, &config);
        elect(1);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, "r1"), 0);
        while (node_handle_ready(&network, network_node(&network, 1)))
                ;
        while (network.queue.length > 0)
                network_deliver(&network, 0, false);
        while (node_handle_ready(&network, network_node(&network, 2)))
                ;
        /* what comes now from 1 is lost, among it the commit index */
        network.cut[0][1] = true;
        assert_int_equal(network_propose(&network, 1, "tail"), 0);
        network_settle(&network);
        assert_false(status_of(1).voter);
        assert_int_equal(status_of(1).soft_state.state, RAFT_FOLLOWER);
        assert_true(raft_last_index(raft_of(1)) > raft_last_index(raft_of(2)));
        assert_true(status_of(2).hard_state.commit < raft_last_index(raft_of(2)));
        network.cut[0][1] = false;
        network_tick(&network, 60);
        assert_int_equal(network_leader(&network), 2);
        network_deinit(&network);
}

static void crash_and_restart(uint64_t id) {
        network_crash(&network, id);
        network_tick(&network, 3);
        network_start(&network, id);
        network_tick(&network, 60);
        assert_true(network_leader(&network) > 0);
}

static void test_one_voter_grows_to_three_and_back_with_crashes(void **state) {
        static const char *const changes[] = {"v2", "v3", "r3", "r2"};
        static const size_t voters[] = {2, 3, 2, 1};
        RaftConfig config = network_defaults();

        (void)state;
        for (int async = 0; async < 2; async++) {
                config.async_storage_writes = async;
                network_init(&network, 3, 1, 1, &config);
                elect(1);
                for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                        uint64_t leader = network_leader(&network);

                        if (leader != 1) {
                                assert_int_equal(raft_transfer_leader(raft_of(leader), 1), 0);
                                network_settle(&network);
                                assert_int_equal(network_leader(&network), 1);
                        }
                        assert_int_equal(network_change(&network, 1, RAFT_CONF_AUTO, changes[i]), 0);
                        network_tick(&network, 2);
                        assert_int_equal(raft_configuration(raft_of(1))->voters.length, voters[i]);
                        crash_and_restart(1);
                        crash_and_restart(2);
                        crash_and_restart(3);
                        node_checkpoint(network_node(&network, 1), true);
                }
                network_deinit(&network);
        }
}

static size_t count_vote_requests(const RaftMessages *messages) {
        size_t count = 0;

        for (size_t i = 0; i < messages->length; i++)
                count += messages->items[i].type == RAFT_MESSAGE_VOTE;
        return count;
}

/* Else the others' votes alone would make a leader of a term that a crash takes from its memory. */
static void test_vote_requests_wait_for_the_disk(void **state) {
        _cleanup_raft_ready_ RaftReady ready = {0};
        RaftConfig config = network_defaults();
        size_t behind = 0;

        (void)state;
        config.async_storage_writes = true;
        config.pre_vote = false;
        config.campaign_after_append = true;
        network_init(&network, 3, 3, 1, &config);
        assert_int_equal(raft_campaign(raft_of(1)), 0);
        assert_int_equal(raft_ready(raft_of(1), &ready), 0);
        assert_int_equal(count_vote_requests(&ready.messages), 0);
        for (size_t i = 0; i < ready.messages.length; i++)
                if (ready.messages.items[i].type == RAFT_MESSAGE_STORAGE_APPEND)
                        behind += count_vote_requests(&ready.messages.items[i].responses);
        assert_int_equal(behind, 2);
        network_deinit(&network);
}

static void test_joint_change_replaces_all_voters(void **state) {
        (void)state;
        network_init(&network, 6, 3, 1, NULL);
        elect(1);
        assert_int_equal(network_change(&network, 1, RAFT_CONF_JOINT_IMPLICIT, "v4v5v6r1r2r3"), 0);
        network_tick(&network, 3);
        network_crash(&network, 1);
        network_crash(&network, 2);
        network_crash(&network, 3);
        network_tick(&network, 60);
        assert_true(network_leader(&network) > 3);
        assert_int_equal(raft_configuration(raft_of(4))->voters.length, 3);
        assert_false(raft_conf_state_is_joint(raft_configuration(raft_of(4))));
        network_deinit(&network);
}

/* The paper, Figure 3.7. */
static void test_old_entry_is_not_committed_by_count(void **state) {
        RaftMessage accept = {.type = RAFT_MESSAGE_APPEND_RESPONSE, .from = 2, .to = 1};
        RaftEntry old = {.term = 2, .index = 2};

        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        network_crash(&network, 1);
        assert_int_equal(raft_memory_storage_append(&network_node(&network, 1)->storage, &old, 1), 0);
        network_node(&network, 1)->storage.hard_state.term = 3;
        network_start(&network, 1);
        elect_without_commit(1);
        accept.term = status_of(1).hard_state.term;
        accept.index = 2;
        assert_int_equal(raft_step(raft_of(1), &accept), 0);
        while (node_handle_ready(&network, network_node(&network, 1)))
                ;
        /* two of three have entry 2, but it is of an earlier term */
        assert_int_equal(status_of(1).hard_state.commit, 1);
        accept.index = 3;
        assert_int_equal(raft_step(raft_of(1), &accept), 0);
        assert_int_equal(status_of(1).hard_state.commit, 3);
        network_deinit(&network);
}

static void test_read_waits_for_a_commit_of_the_own_term(void **state) {
        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        elect_without_commit(1);
        assert_int_equal(network_read(&network, 1), 0);
        assert_int_equal(network_node(&network, 1)->reads_served, 0);
        network_settle(&network);
        assert_int_equal(network_node(&network, 1)->reads_served, 1);
        /* the empty entry's index, not the one before it */
        assert_int_equal(network_node(&network, 1)->last_read, 2);
        network_deinit(&network);
}

static void test_sole_voter_read_waits_for_its_first_commit(void **state) {
        (void)state;
        network_init(&network, 1, 1, 1, NULL);
        assert_int_equal(raft_campaign(raft_of(1)), 0);
        while (status_of(1).soft_state.state != RAFT_LEADER)
                assert_true(node_handle_ready(&network, network_node(&network, 1)));
        assert_int_equal(network_read(&network, 1), 0);
        assert_int_equal(network_node(&network, 1)->reads_served, 0);
        network_settle(&network);
        assert_int_equal(network_node(&network, 1)->reads_served, 1);
        assert_int_equal(network_node(&network, 1)->last_read, 2);
        network_deinit(&network);
}

static void test_isolated_leader_serves_no_read(void **state) {
        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        elect(1);
        network_isolate(&network, 1, true);
        assert_int_equal(network_read(&network, 1), 0);
        network_tick(&network, 30);
        assert_int_equal(network_node(&network, 1)->reads_served, 0);
        assert_int_equal(status_of(1).soft_state.state, RAFT_FOLLOWER);
        network_deinit(&network);
}

static void test_follower_read_is_answered_through_the_leader(void **state) {
        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        elect(1);
        assert_int_equal(network_propose(&network, 1, "x"), 0);
        network_settle(&network);
        assert_int_equal(network_read(&network, 3), 0);
        network_settle(&network);
        assert_int_equal(network_node(&network, 3)->reads_served, 1);
        assert_int_equal(network_node(&network, 3)->last_read, 3);
        network_deinit(&network);
}

static void test_reads_of_one_turn_share_a_round(void **state) {
        _cleanup_raft_ready_ RaftReady ready = {0};
        size_t heartbeats = 0;

        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        elect(1);
        for (int i = 0; i < 100; i++)
                assert_int_equal(network_read(&network, 1), 0);
        assert_int_equal(raft_ready(raft_of(1), &ready), 0);
        for (size_t i = 0; i < ready.messages.length; i++)
                heartbeats += ready.messages.items[i].type == RAFT_MESSAGE_HEARTBEAT;
        assert_int_equal(heartbeats, 2);
        for (size_t i = 0; i < ready.messages.length; i++)
                assert_int_equal(raft_messages_take(&network.queue, &ready.messages.items[i]), 0);
        assert_int_equal(raft_advance(raft_of(1)), 0);
        network_settle(&network);
        assert_int_equal(network_node(&network, 1)->reads_served, 100);
        network_deinit(&network);
}

static void test_uncommitted_tail_is_bounded(void **state) {
        RaftConfig config = network_defaults();

        (void)state;
        config.max_uncommitted_size = 10;
        network_init(&network, 3, 3, 1, &config);
        elect(1);
        network_isolate(&network, 1, true);
        assert_int_equal(network_propose(&network, 1, "more than ten bytes"), 0);
        assert_int_equal(network_propose(&network, 1, "x"), RAFT_PROPOSAL_DROPPED);
        network_isolate(&network, 1, false);
        network_tick(&network, 2);
        assert_int_equal(network_propose(&network, 1, "x"), 0);
        network_deinit(&network);
}

static void test_batch_is_taken_whole(void **state) {
        RaftPayload *payloads[3];

        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(raft_payload_new("x", 1, &payloads[i]), 0);
        assert_int_equal(raft_propose_batch(raft_of(2), payloads, 3), RAFT_PROPOSAL_DROPPED);
        elect(1);
        assert_int_equal(raft_propose_batch(raft_of(1), payloads, 3), 0);
        assert_int_equal(raft_last_index(raft_of(1)), 5);
        assert_int_equal(raft_propose_batch(raft_of(1), payloads, 0), -EINVAL);
        network_settle(&network);
        network_tick(&network, 1);
        assert_int_equal(network_node(&network, 3)->applied, 5);
        for (size_t i = 0; i < 3; i++)
                raft_payload_unref(payloads[i]);
        network_deinit(&network);
}

static void test_contradiction_of_the_committed_stops_the_core(void **state) {
        RaftMessage append = {.type = RAFT_MESSAGE_APPEND, .from = 2, .to = 1, .term = 9, .index = 1, .log_term = 1};
        RaftReady ready = {0};

        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        elect(1);
        assert_int_equal(status_of(1).hard_state.commit, 2);
        append.index = 2;
        append.log_term = 2;
        append.commit = 50;
        /* a commit index behind the append is cut to it: no contradiction */
        assert_int_equal(raft_step(raft_of(1), &append), 0);
        {
                RaftMessage heartbeat = {.type = RAFT_MESSAGE_HEARTBEAT, .from = 2, .to = 1, .term = 9, .commit = 50};

                assert_int_equal(raft_step(raft_of(1), &heartbeat), -EPROTO);
        }
        assert_int_equal(raft_tick(raft_of(1)), -EPROTO);
        assert_int_equal(raft_failure(raft_of(1)), -EPROTO);
        assert_false(raft_has_ready(raft_of(1)));
        assert_int_equal(raft_ready(raft_of(1), &ready), -EPROTO);
        assert_int_equal(ready.messages.length, 0);
        raft_ready_deinit(&ready);
        network_deinit(&network);
}

static void test_nonsense_is_refused_and_changes_nothing(void **state) {
        RaftMessage message = {.type = RAFT_MESSAGE_APPEND, .from = 2, .to = 1, .term = 5, .index = 1, .log_term = 1};
        RaftEntry entry = {.term = 6, .index = 2};
        RaftEntry change = {.type = RAFT_ENTRY_CONF_CHANGE, .data = "\xff", .length = 1};

        (void)state;
        network_init(&network, 3, 3, 1, NULL);
        assert_int_equal(raft_entries_append(&message.entries, &entry), 0);
        assert_int_equal(raft_step(raft_of(1), &message), -EBADMSG); /* an entry of a later term than the leader's */
        message.entries.items[0] = (RaftEntry){.term = 5, .index = 3};
        assert_int_equal(raft_step(raft_of(1), &message), -EBADMSG); /* a gap */
        message.entries.items[0].index = 2;
        message.to = 3;
        assert_int_equal(raft_step(raft_of(1), &message), -EBADMSG); /* for someone else */
        message.to = 1;
        message.term = UINT64_MAX;
        assert_int_equal(raft_step(raft_of(1), &message), -EBADMSG);
        message.type = RAFT_MESSAGE_PROPOSE;
        message.term = 0;
        message.entries.items[0] = change;
        assert_int_equal(raft_step(raft_of(1), &message), -EBADMSG); /* a change that nobody can read */
        raft_entries_clear(&message.entries);
        assert_int_equal(raft_step(raft_of(1), &message), -EBADMSG);
        message.type = RAFT_MESSAGE_STORAGE_APPLY_RESPONSE;
        assert_int_equal(raft_step(raft_of(1), &message), RAFT_MESSAGE_LOCAL);
        message.type = RAFT_MESSAGE_APPEND_RESPONSE;
        message.from = 7;
        assert_int_equal(raft_step(raft_of(1), &message), RAFT_PEER_UNKNOWN);
        assert_false(raft_has_ready(raft_of(1)));
        assert_int_equal(raft_failure(raft_of(1)), 0);
        raft_message_deinit(&message);
        network_deinit(&network);
}

static void test_refused_change_changes_nothing_and_names_the_reason(void **state) {
        RaftConfChange change = {.length = 1, .changes = {{RAFT_CONF_REMOVE, 1}}};
        Error error = ERROR_NONE;
        RaftConfState conf_state;

        (void)state;
        network_init(&network, 1, 1, 1, NULL);
        assert_int_equal(raft_apply_conf_change(raft_of(1), &change, &conf_state, &error), RAFT_CHANGE_REFUSED);
        assert_string_equal(error.text, "removed all voters");
        assert_int_equal(conf_state.voters.length, 1);
        assert_int_equal(raft_failure(raft_of(1)), 0);
        network_deinit(&network);
}

static void test_damaged_log_is_refused_at_start(void **state) {
        RaftMemoryStorage storage = {.hard_state = {.term = 3, .commit = 5}};
        RaftConfig config = network_defaults();
        Error error = ERROR_NONE;
        Raft *raft = NULL;

        (void)state;
        config.id = 1;
        config.storage = raft_memory_storage_ops(&storage);
        assert_int_equal(raft_new(&config, &raft, &error), -EINVAL);
        assert_non_null(strstr(error.text, "damaged or cut"));
        storage.hard_state.commit = 0;
        config.heartbeat_ticks = 10;
        assert_int_equal(raft_new(&config, &raft, &error), -EINVAL);
        config.heartbeat_ticks = 1;
        config.read_only = RAFT_READ_ONLY_LEASE;
        config.check_quorum = false;
        assert_int_equal(raft_new(&config, &raft, &error), -EINVAL);
        assert_null(raft);
        raft_memory_storage_deinit(&storage);
}

static void test_ready_must_be_advanced_before_the_next(void **state) {
        _cleanup_raft_ready_ RaftReady ready = {0};

        (void)state;
        network_init(&network, 1, 1, 1, NULL);
        assert_int_equal(raft_advance(raft_of(1)), -EINVAL);
        assert_int_equal(raft_ready(raft_of(1), &ready), 0);
        assert_int_equal(raft_ready(raft_of(1), &ready), -EBUSY);
        assert_int_equal(raft_advance(raft_of(1)), 0);
        network_deinit(&network);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sole_voter_raises_its_term_and_votes_for_itself),
                cmocka_unit_test(test_change_takes_no_effect_before_own_term_commit),
                cmocka_unit_test(test_change_of_a_former_term_holds_up_others),
                cmocka_unit_test(test_second_change_waits_for_the_first),
                cmocka_unit_test(test_learner_votes_when_the_rest_needs_it),
                cmocka_unit_test(test_non_voters_forget_a_dead_leader),
                cmocka_unit_test(test_server_missing_from_its_own_configuration),
                cmocka_unit_test(test_denied_pre_vote_carries_the_own_term),
                cmocka_unit_test(test_stale_rejection_never_moves_next_below_match),
                cmocka_unit_test(test_removed_leader),
                cmocka_unit_test(test_vote_of_a_removed_leader_is_not_missed_for_ever),
                cmocka_unit_test(test_one_voter_grows_to_three_and_back_with_crashes),
                cmocka_unit_test(test_vote_requests_wait_for_the_disk),
                cmocka_unit_test(test_joint_change_replaces_all_voters),
                cmocka_unit_test(test_old_entry_is_not_committed_by_count),
                cmocka_unit_test(test_read_waits_for_a_commit_of_the_own_term),
                cmocka_unit_test(test_sole_voter_read_waits_for_its_first_commit),
                cmocka_unit_test(test_isolated_leader_serves_no_read),
                cmocka_unit_test(test_follower_read_is_answered_through_the_leader),
                cmocka_unit_test(test_reads_of_one_turn_share_a_round),
                cmocka_unit_test(test_uncommitted_tail_is_bounded),
                cmocka_unit_test(test_batch_is_taken_whole),
                cmocka_unit_test(test_contradiction_of_the_committed_stops_the_core),
                cmocka_unit_test(test_nonsense_is_refused_and_changes_nothing),
                cmocka_unit_test(test_refused_change_changes_nothing_and_names_the_reason),
                cmocka_unit_test(test_damaged_log_is_refused_at_start),
                cmocka_unit_test(test_ready_must_be_advanced_before_the_next),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
