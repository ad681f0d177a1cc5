#include "base/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { BUFFER_CAPACITY_FIRST = 64 };

void buffer_deinit(Buffer *buffer) {
        free(buffer->memory);
        *buffer = (Buffer){.limit = buffer->limit};
}

void buffer_clear(Buffer *buffer) {
        buffer->start = buffer->end = 0;
        buffer->failure = 0;
}

void buffer_consume(Buffer *buffer, size_t length) {
        if (length >= buffer_length(buffer)) {
                buffer->start = buffer->end = 0;
                return;
        }
        buffer->start += length;
}

void buffer_truncate(Buffer *buffer, size_t length) {
        if (length < buffer_length(buffer))
                buffer->end = buffer->start + length;
}

static int buffer_fail(Buffer *buffer, int r) {
        if (!buffer->failure)
                buffer->failure = r;
        return r;
}

/* Moves what is left to the front when that alone makes the room and at least half is free: amortised O(1) per byte. */
static bool buffer_compact(Buffer *buffer, size_t length) {
        size_t used = buffer_length(buffer);

        if (buffer->start < buffer->capacity / 2 || buffer->capacity - used < length)
                return false;
        memmove(buffer->memory, buffer->memory + buffer->start, used);
        buffer->start = 0;
        buffer->end = used;
        return true;
}

static int buffer_grow(Buffer *buffer, size_t length) {
        size_t used = buffer_length(buffer), wanted, capacity;
        char *memory;

        if (size_add_overflows(used, length, &wanted))
                return buffer_fail(buffer, -ENOMEM);
        if (buffer->limit && wanted > buffer->limit)
                return buffer_fail(buffer, -EMSGSIZE);
        if (length <= buffer->capacity - buffer->end || buffer_compact(buffer, length))
                return 0;

        capacity = max_of(buffer->capacity, (size_t)BUFFER_CAPACITY_FIRST);
        while (capacity < wanted)
                if (size_mul_overflows(capacity, 2, &capacity))
                        return buffer_fail(buffer, -ENOMEM);
        if (buffer->start == 0) {
                memory = realloc(buffer->memory, capacity);
                if (!memory)
                        return buffer_fail(buffer, -ENOMEM);
        } else {
                memory = malloc(capacity);
                if (!memory)
                        return buffer_fail(buffer, -ENOMEM);
                memcpy(memory, buffer->memory + buffer->start, used);
                free(buffer->memory);
        }
        buffer->memory = memory;
        buffer->start = 0;
        buffer->end = used;
        buffer->capacity = capacity;
        return 0;
}

void *buffer_reserve(Buffer *buffer, size_t length) {
        if (buffer_grow(buffer, length) < 0)
                return NULL;
        return buffer->memory + buffer->end;
}

void buffer_commit(Buffer *buffer, size_t length) {
        assert(length <= buffer->capacity - buffer->end);
        buffer->end += length;
}

int buffer_append_growing(Buffer *buffer, const void *bytes, size_t length) {
        int r = buffer_grow(buffer, length);

        if (r < 0)
                return r;
        memcpy(buffer->memory + buffer->end, bytes, length);
        buffer->end += length;
        return 0;
}

int buffer_append_u64(Buffer *buffer, uint64_t value) {
        char room[U64_DIGITS];
        Slice digits = u64_digits(value, room);

        return buffer_append(buffer, digits.data, digits.length);
}

int buffer_append_hex(Buffer *buffer, uint64_t value) {
        char digits[16];
        size_t first = sizeof(digits);

        do {
                digits[--first] = "0123456789abcdef"[value & 15];
                value >>= 4;
        } while (value > 0);
        return buffer_append(buffer, digits + first, sizeof(digits) - first);
}

int buffer_vprintf(Buffer *buffer, const char *format, va_list args) {
        size_t room;
        va_list again;
        int length, r;

        va_copy(again, args);
        room = buffer->capacity - buffer->end;
        length = vsnprintf(room ? buffer->memory + buffer->end : NULL, room, format, args);
        if (length < 0) {
                va_end(again);
                return buffer_fail(buffer, -EINVAL);
        }
        if ((size_t)length >= room || buffer->limit) {
                /* the terminating NUL needs room too, but does not count */
                r = buffer_grow(buffer, (size_t)length);
                if (r >= 0 && (size_t)length >= buffer->capacity - buffer->end) {
                        size_t limit = buffer->limit;

                        buffer->limit = 0;
                        r = buffer_grow(buffer, (size_t)length + 1);
                        buffer->limit = limit;
                }
                if (r < 0) {
                        va_end(again);
                        return r;
                }
                (void)vsnprintf(buffer->memory + buffer->end, (size_t)length + 1, format, again);
        }
        va_end(again);
        buffer->end += (size_t)length;
        return 0;
}

int buffer_printf(Buffer *buffer, const char *format, ...) {
        va_list args;
        int r;

        va_start(args, format);
        r = buffer_vprintf(buffer, format, args);
        va_end(args);
        return r;
}

const char *buffer_string(Buffer *buffer) {
        size_t limit = buffer->limit;
        int r;

        buffer->limit = 0;
        r = buffer_grow(buffer, 1);
        buffer->limit = limit;
        if (r < 0)
                return NULL;
        buffer->memory[buffer->end] = '\0';
        return buffer_data(buffer);
}

char *buffer_steal_string(Buffer *buffer, size_t *ret_length) {
        size_t length = buffer_length(buffer);
        char *string;

        if (buffer->failure || !buffer_string(buffer))
                return NULL;
        if (buffer->start > 0) {
                memmove(buffer->memory, buffer->memory + buffer->start, length + 1);
                buffer->start = 0;
        }
        string = take_ptr(buffer->memory);
        *buffer = (Buffer){.limit = buffer->limit};
        if (ret_length)
                *ret_length = length;
        return string;
}
