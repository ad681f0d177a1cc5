#include "base/random.h"

#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

static uint64_t rotate(uint64_t x, unsigned bits) {
        return x << bits | x >> (64 - bits);
}

/* splitmix64, which the authors recommend for seeding. */
static uint64_t split_mix(uint64_t *x) {
        uint64_t z = *x += 0x9e3779b97f4a7c15;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
}

void random_seed(Random *random, uint64_t seed) {
        for (size_t i = 0; i < ARRAY_SIZE(random->state); i++)
                random->state[i] = split_mix(&seed);
}

uint64_t random_u64(Random *random) {
        uint64_t *s = random->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotate(s[3], 45);
        return result;
}

uint64_t random_below(Random *random, uint64_t bound) {
        /* draws below 2^64 mod bound are thrown away: the rest is even */
        uint64_t uneven = -bound % bound, draw;

        do
                draw = random_u64(random);
        while (draw < uneven);
        return draw % bound;
}

bool random_chance(Random *random, uint64_t numerator, uint64_t denominator) {
        return random_below(random, denominator) < numerator;
}

void random_secret(void *bytes, size_t length) {
        char *at = bytes;

        while (length > 0) {
                ssize_t got = getrandom(at, min_of(length, (size_t)256), 0);

                if (got <= 0)
                        abort();
                at += got;
                length -= (size_t)got;
        }
}
