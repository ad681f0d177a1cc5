#pragma once
/*
 * Time types. Decisions never read a clock: they take one of these as an argument. Programs read the system's clock
 * through clock_monotonic() and clock_wall() at their edge.
 */
#include <stdint.h>
#include <time.h>

/* Microseconds: a length of time, or a point on the monotonic clock. */
typedef uint64_t Usec;

/* Microseconds since 1970-01-01 UTC. May jump; only for what people or the store's expiry times see. */
typedef int64_t WallUsec;

#define USEC_PER_MSEC ((Usec)1000)
#define USEC_PER_SEC ((Usec)1000000)
#define USEC_INFINITY UINT64_MAX

static inline Usec clock_monotonic(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (Usec)now.tv_sec * USEC_PER_SEC + (Usec)now.tv_nsec / 1000;
}

static inline WallUsec clock_wall(void) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (WallUsec)now.tv_sec * (WallUsec)USEC_PER_SEC + now.tv_nsec / 1000;
}
