#pragma once
/* Values of unit files that are not words: times, booleans, sizes, signals, modes, limits. Rules of systemd. */
#include "base/str.h"

/* systemd.time(7) spans: "5s", "1min 30s", "1.5h"; a bare number is seconds; "infinity" is USEC_INFINITY. -EINVAL,
 * -ERANGE. */
int value_parse_span(Slice text, Usec *ret);

/* 1 yes y true t on, 0 no n false f off, in any case. -EINVAL. */
int value_parse_bool(Slice text, bool *ret);

/* Bytes: a number, perhaps with a fraction, and K, M, G, T, P, E of 1024, perhaps with "B". -EINVAL, -ERANGE. */
int value_parse_size(Slice text, uint64_t *ret);

/* "TERM", "SIGTERM", "15", "RTMIN+2". -EINVAL. */
int value_parse_signal(Slice text, int *ret);

/* An octal file mode up to 07777. -EINVAL, -ERANGE. */
int value_parse_mode(Slice text, unsigned *ret);

/* A signed decimal number within [low, high]. -EINVAL, -ERANGE. */
int value_parse_number(Slice text, int64_t low, int64_t high, int64_t *ret);

#define VALUE_LIMIT_INFINITY UINT64_MAX

typedef enum LimitUnit {
        LIMIT_PLAIN,
        LIMIT_BYTES,
        LIMIT_SECONDS, /* CPU: time spans, rounded up to seconds */
        LIMIT_USEC,    /* RTTIME: time spans; a bare number is microseconds */
        LIMIT_NICE,    /* NICE: "+5" or "-5" are nice levels, a bare number is the raw limit, 20 − nice */
} LimitUnit;

/* "soft:hard" or one value for both. -EINVAL, also when soft is above hard. -ERANGE. */
int value_parse_limit(Slice text, LimitUnit unit, uint64_t *ret_soft, uint64_t *ret_hard);
