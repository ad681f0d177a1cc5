#pragma once
/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash, so that keys from outside cannot be chosen to collide. */
#include "base/util.h"

typedef struct SipKey {
        uint64_t k0, k1;
} SipKey;

uint64_t siphash24(const void *bytes, size_t length, SipKey key);
