#pragma once
/* Small language helpers that have no better home. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member)                                    \
        __extension__({                                                        \
                const __typeof__(((type *)0)->member) *_member = (pointer);    \
                (type *)(void *)((char *)(uintptr_t)_member - offsetof(type, member)); \
        })

#define min_of(a, b)                              \
        __extension__({                           \
                __typeof__(a) _min_a = (a);       \
                __typeof__(b) _min_b = (b);       \
                _min_a < _min_b ? _min_a : _min_b; \
        })

#define max_of(a, b)                              \
        __extension__({                           \
                __typeof__(a) _max_a = (a);       \
                __typeof__(b) _max_b = (b);       \
                _max_a > _max_b ? _max_a : _max_b; \
        })

#define _printf_(format, first) __attribute__((__format__(__printf__, format, first)))
#define _must_check_ __attribute__((__warn_unused_result__))
#define _unused_ __attribute__((__unused__))

/* Arithmetic on sizes that come from outside: true, and *ret undefined, when the result does not fit. */
static inline bool size_add_overflows(size_t a, size_t b, size_t *ret) {
        return __builtin_add_overflow(a, b, ret);
}

static inline bool size_mul_overflows(size_t a, size_t b, size_t *ret) {
        return __builtin_mul_overflow(a, b, ret);
}
