#include "base/siphash.h"

#include <endian.h>
#include <string.h>

static uint64_t rotate(uint64_t x, unsigned bits) {
        return x << bits | x >> (64 - bits);
}

typedef struct SipState {
        uint64_t v0, v1, v2, v3;
} SipState;

static inline void sip_round(SipState *s) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(SipState *s, uint64_t word) {
        s->v3 ^= word;
        sip_round(s);
        sip_round(s);
        s->v0 ^= word;
}

static inline uint64_t load_le64(const uint8_t *bytes) {
        uint64_t word;

        memcpy(&word, bytes, sizeof(word));
        return le64toh(word);
}

uint64_t siphash24(const void *bytes, size_t length, SipKey key) {
        SipState s = {
                0x736f6d6570736575 ^ key.k0,
                0x646f72616e646f6d ^ key.k1,
                0x6c7967656e657261 ^ key.k0,
                0x7465646279746573 ^ key.k1,
        };
        const uint8_t *p = bytes;
        uint64_t last = (uint64_t)length << 56;

        for (; length >= 8; p += 8, length -= 8)
                sip_word(&s, load_le64(p));
        for (size_t i = 0; i < length; i++)
                last |= (uint64_t)p[i] << (8 * i);
        sip_word(&s, last);
        s.v2 ^= 0xff;
        for (int i = 0; i < 4; i++)
                sip_round(&s);
        return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
