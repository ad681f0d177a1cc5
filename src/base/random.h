#pragma once
/*
 * Randomness. Decisions draw from a Random that they are given, so that a seed replays them; only programs seed one
 * from the system. Not for secrets: those come from random_secret().
 */
#include "base/util.h"

/* xoshiro256** (Blackman, Vigna 2018). */
typedef struct Random {
        uint64_t state[4];
} Random;

void random_seed(Random *random, uint64_t seed);
uint64_t random_u64(Random *random);

/* Even over [0, bound); bound > 0. */
uint64_t random_below(Random *random, uint64_t bound);

/* True with probability numerator / denominator. */
bool random_chance(Random *random, uint64_t numerator, uint64_t denominator);

/* Fills from the kernel's generator; aborts if it has none. */
void random_secret(void *bytes, size_t length);
