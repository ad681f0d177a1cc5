/*
 * Payloads, in blocks. They die in about the order in which they are made, when the log is compacted, while what is made
 * beside them, the keys and values of the tree, stays: each in a chunk of its own they would leave the heap full of holes.
 * A block goes back to the system when the last payload in it has gone.
 */
#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>

#include "raft/types.h"

#if defined(__SANITIZE_ADDRESS__)
#define BLOCKS_USED false /* the sanitizer is to see each payload */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCKS_USED false
#endif
#endif
#ifndef BLOCKS_USED
#define BLOCKS_USED true
#endif

enum {
        BLOCK_SIZE = 256 * 1024,
        BLOCK_SHARED_MAX = 8 * 1024, /* a larger payload has memory of its own */
};

struct RaftPayloadBlock {
        size_t used;
        size_t payloads; /* alive */
        alignas(max_align_t) char memory[];
};

/* Of the thread: a payload is made and ends on one. */
static _Thread_local RaftPayloadBlock *current;

static size_t block_room(const RaftPayloadBlock *block) {
        return BLOCK_SIZE - sizeof(*block) - block->used;
}

static void block_leave(RaftPayloadBlock *block) {
        if (--block->payloads > 0)
                return;
        if (block == current)
                block->used = 0;
        else
                free(block);
}

/* A full block ends with its last payload. */
static int block_next(void) {
        RaftPayloadBlock *block = malloc(BLOCK_SIZE);

        if (!block)
                return -ENOMEM;
        *block = (RaftPayloadBlock){0};
        if (current && current->payloads == 0)
                free(current);
        current = block;
        return 0;
}

static RaftPayload *allocate(size_t size) {
        size_t aligned = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
        RaftPayload *payload;

        if (!BLOCKS_USED || size > BLOCK_SHARED_MAX) {
                payload = malloc(size);
                if (payload)
                        payload->block = NULL;
                return payload;
        }
        if ((!current || block_room(current) < aligned) && block_next() < 0)
                return NULL;
        payload = (RaftPayload *)(current->memory + current->used);
        payload->block = current;
        current->used += aligned;
        current->payloads++;
        return payload;
}

int raft_payload_new(const void *bytes, size_t length, RaftPayload **ret_payload) {
        RaftPayload *payload;
        size_t size;

        if (size_add_overflows(sizeof(RaftPayload), length, &size))
                return -ENOMEM;
        payload = allocate(size);
        if (!payload)
                return -ENOMEM;
        payload->references = 1;
        payload->length = length;
        if (bytes && length > 0)
                memcpy(payload->data, bytes, length);
        *ret_payload = payload;
        return 0;
}

RaftPayload *raft_payload_ref(RaftPayload *payload) {
        if (payload)
                payload->references++;
        return payload;
}

RaftPayload *raft_payload_unref(RaftPayload *payload) {
        if (!payload)
                return NULL;
        assert(payload->references > 0);
        if (--payload->references > 0)
                return NULL;
        if (payload->block)
                block_leave(payload->block);
        else
                free(payload);
        return NULL;
}
