#pragma once
/*
 * A few members with their disks and the messages between them, in one process, for tests. What is asserted all the
 * time: at most one leader in a term, every member applies the same entries in the same order, a new leader has all
 * that was applied anywhere, and a read is never served at an index before what was applied anywhere when it was asked
 * for.
 */
#include "base/random.h"
#include "raft/memory-storage.h"
#include "raft/raft.h"

#define TEST_NODES_MAX 8
#define TEST_INDEX_MAX 4096
#define TEST_TERM_MAX 4096
#define TEST_READS_MAX 4096

typedef struct TestNode {
        uint64_t id;
        Raft *raft; /* NULL: crashed */
        RaftConfig config;
        RaftMemoryStorage storage; /* the disk */
        RaftMessages append_work;
        RaftMessages apply_work;
        uint64_t applied;
        uint64_t state; /* chained hash of all that was applied */
        RaftConfState conf_state;
        /* what a restart begins from */
        uint64_t saved_applied;
        uint64_t saved_state;
        RaftConfState saved_conf_state;
        size_t reads_served;
        uint64_t last_read;
} TestNode;

typedef struct TestNetwork {
        TestNode nodes[TEST_NODES_MAX]; /* nodes[i] has id i + 1 */
        size_t length;
        RaftMessages queue;
        bool cut[TEST_NODES_MAX][TEST_NODES_MAX]; /* [from][to] */
        Random random;
        RaftConfig defaults;
        /* the record */
        uint64_t leaders[TEST_TERM_MAX];
        uint64_t states[TEST_INDEX_MAX];
        uint64_t terms[TEST_INDEX_MAX];
        uint64_t max_applied;
        uint64_t read_floor[TEST_READS_MAX]; /* by context */
        uint64_t reads_asked;
        uint64_t proposals;
        uint64_t elections;
        uint64_t joint_changes;
        uint64_t restores; /* snapshots taken in */
} TestNetwork;

/* `voters` members in the configuration, then others up to `length` without any. NULL defaults: the usual. */
void network_init(TestNetwork *network, size_t length, size_t voters, uint64_t seed, const RaftConfig *defaults);
void network_deinit(TestNetwork *network);
RaftConfig network_defaults(void);

TestNode *network_node(TestNetwork *network, uint64_t id);
void network_crash(TestNetwork *network, uint64_t id);
void network_start(TestNetwork *network, uint64_t id);
void network_isolate(TestNetwork *network, uint64_t id, bool isolate);

/* One ready; with asynchronous storage also all the work it brings unless `delay`. False when there was nothing. */
bool node_handle_ready(TestNetwork *network, TestNode *node);
bool node_do_append_work(TestNetwork *network, TestNode *node); /* one piece */
bool node_do_apply_work(TestNetwork *network, TestNode *node);
void node_checkpoint(TestNode *node, bool compact);

/* Delivers message `i` of the queue: to a member that is down or cut off, or with `lose`, it is lost. */
void network_deliver(TestNetwork *network, size_t i, bool lose);

/* Until nothing moves. */
void network_settle(TestNetwork *network);

/* Ticks all (that are up) and settles, `count` times. */
void network_tick(TestNetwork *network, unsigned count);

uint64_t network_leader(const TestNetwork *network); /* of the highest term; 0: none */
int network_propose(TestNetwork *network, uint64_t id, const char *data);
int network_change(TestNetwork *network, uint64_t id, RaftConfTransition transition, const char *changes);
int network_read(TestNetwork *network, uint64_t id);
void network_check_logs(TestNetwork *network); /* log matching */
