#pragma once
/*
 * Scope-bound cleanup. A variable that an early return could leave behind is declared with one of these from its birth;
 * take_ptr() and take_fd() move ownership out of it.
 */
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((__cleanup__(function)))

/* Defines function##p(), which calls `function` on the variable unless it is NULL: use as _cleanup_(x_freep). */
#define CLEANUP_DEFINE(type, function)                  \
        static inline void function##p(type **pointer) { \
                if (*pointer)                            \
                        function(*pointer);              \
        }

static inline void cleanup_free(void *pointer) {
        free(*(void **)pointer);
}

static inline void cleanup_close(int *fd) {
        if (*fd >= 0)
                (void)close(*fd);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

/* Moves ownership out of a cleanup variable. */
#define take_ptr(variable)                           \
        __extension__({                              \
                __typeof__(variable) _taken = (variable); \
                (variable) = NULL;                   \
                _taken;                              \
        })

#define take_fd(variable)              \
        __extension__({                \
                int _taken = (variable); \
                (variable) = -1;       \
                _taken;                \
        })
