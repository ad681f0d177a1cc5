#pragma once
/* Base-128 numbers, low digits first: 7 bits a byte, the high bit says that more follow. */
#include "base/util.h"

#define RAFT_VARINT_MAX ((size_t)10)

static inline size_t raft_varint_length(uint64_t value) {
        size_t length = 1;

        for (; value >= 0x80; value >>= 7)
                length++;
        return length;
}

/* Writes raft_varint_length() bytes and returns the place behind them. */
static inline char *raft_varint_write(char *to, uint64_t value) {
        for (; value >= 0x80; value >>= 7)
                *to++ = (char)(value | 0x80);
        *to++ = (char)value;
        return to;
}
