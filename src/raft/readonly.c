#include "raft/readonly.h"

#include <errno.h>
#include <string.h>

enum { READS_CAPACITY_FIRST = 16 };

void raft_reads_deinit(RaftReads *reads) {
        free(reads->memory);
        *reads = (RaftReads){.max = reads->max};
}

void raft_reads_clear(RaftReads *reads) {
        reads->start = reads->length = 0;
}

int raft_reads_add(RaftReads *reads, const RaftRead *read) {
        if (reads->length >= reads->max)
                return 0;
        if (reads->start + reads->length == reads->capacity && reads->start > reads->capacity / 2) {
                memmove(reads->memory, reads->memory + reads->start, reads->length * sizeof(RaftRead));
                reads->start = 0;
        }
        if (reads->start + reads->length == reads->capacity) {
                size_t capacity = max_of(reads->capacity, (size_t)READS_CAPACITY_FIRST / 2), size;
                RaftRead *memory = NULL;

                if (!size_mul_overflows(capacity, 2, &capacity) &&
                    !size_mul_overflows(capacity, sizeof(RaftRead), &size))
                        memory = realloc(reads->memory, size);
                if (!memory)
                        return -ENOMEM;
                reads->memory = memory;
                reads->capacity = capacity;
        }
        reads->memory[reads->start + reads->length++] = *read;
        return 1;
}

bool raft_reads_take(RaftReads *reads, uint64_t round, RaftRead *ret_read) {
        if (reads->length == 0 || reads->memory[reads->start].round > round)
                return false;
        *ret_read = reads->memory[reads->start++];
        if (--reads->length == 0)
                reads->start = 0;
        return true;
}
