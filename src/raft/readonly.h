#pragma once
/*
 * Reads that wait on a leader. The paper, section 6.4: the leader notes its commit index when a read comes, proves with
 * one round of heartbeats to a majority that it still leads, and only then lets the read be served at that index.
 * Rounds are numbered; a member that confirms one has confirmed all before it.
 */
#include "raft/types.h"

typedef struct RaftRead {
        uint64_t from;    /* who asked */
        uint64_t context; /* its name for the read */
        uint64_t index;   /* commit index when it came */
        uint64_t round;   /* that must be confirmed */
} RaftRead;

/* A queue: rounds rise towards the end. Zeroed is empty. */
typedef struct RaftReads {
        RaftRead *memory;
        size_t start;
        size_t length;
        size_t capacity;
        size_t max; /* further ones are dropped */
} RaftReads;

void raft_reads_deinit(RaftReads *reads);
void raft_reads_clear(RaftReads *reads);

/* False (nothing added) when the queue is full; -ENOMEM; 1. */
int raft_reads_add(RaftReads *reads, const RaftRead *read);

/* Takes the first one out if its round is at most `round`. */
bool raft_reads_take(RaftReads *reads, uint64_t round, RaftRead *ret_read);
