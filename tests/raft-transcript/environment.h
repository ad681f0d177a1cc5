#pragma once
/*
 * Nodes with their storage, their queues of storage work and the messages between them. Nothing moves by itself. A
 * command writes its output to a buffer; one that fails returns 1 and leaves the error's text in `failure`, behind
 * which the output ends.
 */
#include "base/buffer.h"
#include "raft/memory-storage.h"
#include "raft/raft.h"

#define ENVIRONMENT_NODES_MAX 64
#define ENVIRONMENT_ROUNDS_MAX 10000 /* of one stabilize */

typedef struct Node {
        uint64_t id;
        Raft *raft;
        RaftMemoryStorage storage;
        bool async;
        RaftMessages append_work;
        RaftMessages apply_work;
        RaftSnapshot **history; /* one more for each entry that is applied; the last is what the storage offers */
        size_t history_length;
        size_t history_capacity;
} Node;

typedef struct Environment {
        Node *nodes[ENVIRONMENT_NODES_MAX];
        size_t length;
        RaftMessages messages; /* on the way */
        Error failure;
} Environment;

typedef struct NodeOptions {
        RaftConfState conf_state;
        uint64_t index;
        bool bootstrap;
        RaftConfig config;
} NodeOptions;

void environment_deinit(Environment *environment);
int environment_add_node(Environment *environment, const NodeOptions *options);
Node *environment_node(Environment *environment, uint64_t id); /* NULL if there is none */

/* Ends the program: the harness has no use for less memory than it needs. */
void check_memory(int r);

/* What a core's answer is called in transcripts; NULL: nothing went wrong. */
const char *outcome_text(int r);

static inline RaftSnapshot *node_last_snapshot(const Node *node) {
        return node->history[node->history_length - 1];
}

/* The work of one node. */
int node_process_ready(Environment *environment, Node *node, Buffer *out);
int node_process_append(Environment *environment, Node *node, Buffer *out);
int node_process_apply(Environment *environment, Node *node, Buffer *out);

typedef struct Recipient {
        uint64_t id;
        bool drop;
} Recipient;

/* `type` 0: all. Returns how many were taken. */
size_t environment_deliver(Environment *environment, Recipient recipient, RaftMessageType type, Buffer *out);
bool environment_has_messages(const Environment *environment, uint64_t id);
int environment_stabilize(Environment *environment, Node *const *nodes, size_t length, Buffer *out);

/* Appends `text` with every line two blanks further in. */
void append_indented(Buffer *out, Buffer *text);

typedef int (*NodeWork)(Environment *environment, Node *node, Buffer *out);

/* One piece of work under a header, further in. */
int work_under_header(Environment *environment, Node *node, const char *header, NodeWork work, Buffer *out);
