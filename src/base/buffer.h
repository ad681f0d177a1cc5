#pragma once
/*
 * A growable run of bytes with an optional limit. Owns its memory. Bytes are appended at the end and consumed at the
 * front. A zeroed Buffer is empty and valid; buffer_deinit() releases it and leaves it empty again.
 *
 * Appending can fail with -ENOMEM, or -EMSGSIZE when the limit would be passed; the contents then stay as they were,
 * and the buffer remembers the failure: a run of appends may be checked once at its end with buffer_failed().
 */
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"

typedef struct Buffer {
        char *memory;
        size_t start;    /* offset of the first byte that is not consumed */
        size_t end;      /* offset after the last byte */
        size_t capacity;
        size_t limit;    /* most bytes it may hold; 0: no limit */
        int failure;     /* first failure of an append, or 0 */
} Buffer;

#define BUFFER_INIT ((Buffer){0})
#define BUFFER_INIT_LIMIT(bytes) ((Buffer){.limit = (bytes)})

void buffer_deinit(Buffer *buffer);
#define _cleanup_buffer_ _cleanup_(buffer_deinit)

static inline char *buffer_data(const Buffer *buffer) {
        return buffer->memory ? buffer->memory + buffer->start : NULL;
}

static inline size_t buffer_length(const Buffer *buffer) {
        return buffer->end - buffer->start;
}

static inline int buffer_failed(const Buffer *buffer) {
        return buffer->failure;
}

/* Forgets contents and failure, keeps the memory. */
void buffer_clear(Buffer *buffer);

/* Drops `length` bytes (at most what is there) at the front. */
void buffer_consume(Buffer *buffer, size_t length);

/* Shortens to `length` bytes; does nothing when it is shorter already. */
void buffer_truncate(Buffer *buffer, size_t length);

/* Makes room for `length` more bytes and returns where they go, or NULL (see above). Follow with buffer_commit(). */
void *buffer_reserve(Buffer *buffer, size_t length);
void buffer_commit(Buffer *buffer, size_t length);

int buffer_append_growing(Buffer *buffer, const void *bytes, size_t length);

/* Inline where there is room, as nearly all of an answer is made of short appends. */
static inline int buffer_append(Buffer *buffer, const void *bytes, size_t length) {
        if (length == 0)
                return 0;
        if (buffer->limit || length > buffer->capacity - buffer->end)
                return buffer_append_growing(buffer, bytes, length);
        memcpy(buffer->memory + buffer->end, bytes, length);
        buffer->end += length;
        return 0;
}

static inline int buffer_append_string(Buffer *buffer, const char *string) {
        return buffer_append(buffer, string, strlen(string));
}

static inline int buffer_append_byte(Buffer *buffer, char byte) {
        return buffer_append(buffer, &byte, 1);
}

int buffer_append_u64(Buffer *buffer, uint64_t value); /* decimal */
int buffer_append_hex(Buffer *buffer, uint64_t value); /* lower case, without leading zeros */
int buffer_printf(Buffer *buffer, const char *format, ...) _printf_(2, 3);
int buffer_vprintf(Buffer *buffer, const char *format, va_list args) _printf_(2, 0);

/* The contents as a NUL-terminated string, valid until the next change. NULL when there is no memory. */
const char *buffer_string(Buffer *buffer);

/* Moves the contents out as a NUL-terminated heap string that the caller frees; the buffer is empty after. NULL when
 * there is no memory or an append has failed. ret_length may be NULL. */
char *buffer_steal_string(Buffer *buffer, size_t *ret_length);
