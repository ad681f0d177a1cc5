#pragma once
/*
 * Bytes of our own formats, on the wire and on disk: little-endian integers, variable-length integers (seven bits a
 * byte, lowest first, the top bit says that more follow) and runs of bytes with their length before them.
 *
 * Writing appends to a Buffer, which remembers a failure. Reading is strict and remembers too: after the first thing
 * that is cut short or not in its shortest form all reads give zero, and wire_failed() says so.
 */
#include "base/buffer.h"
#include "base/str.h"

void wire_put_u8(Buffer *buffer, uint8_t value);
void wire_put_u32(Buffer *buffer, uint32_t value);
void wire_put_u64(Buffer *buffer, uint64_t value);
void wire_put_varint(Buffer *buffer, uint64_t value);
void wire_put_bytes(Buffer *buffer, Slice bytes); /* a varint for the length, then the bytes */

/* Bytes that wire_put_varint() takes at most. */
#define WIRE_VARINT_MAX 10

typedef struct WireReader {
        Slice rest;
        bool failed;
} WireReader;

static inline WireReader wire_reader(Slice bytes) {
        return (WireReader){.rest = bytes};
}

static inline bool wire_failed(const WireReader *reader) {
        return reader->failed;
}

/* True when nothing has failed and nothing is left. */
static inline bool wire_at_end(const WireReader *reader) {
        return !reader->failed && reader->rest.length == 0;
}

uint8_t wire_get_u8(WireReader *reader);
uint32_t wire_get_u32(WireReader *reader);
uint64_t wire_get_u64(WireReader *reader);
uint64_t wire_get_varint(WireReader *reader);

/* The next `length` bytes, borrowed. */
Slice wire_get_raw(WireReader *reader, size_t length);

/* What wire_put_bytes() wrote, borrowed; more than `max` bytes are a failure. */
Slice wire_get_bytes(WireReader *reader, size_t max);
