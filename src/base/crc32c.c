#include "base/crc32c.h"

#include <endian.h>
#include <string.h>

/* Reflected polynomial of 0x1EDC6F41. */
static const uint32_t CRC32C_POLYNOMIAL = 0x82f63b78;

static uint32_t tables[8][256];

/* Slicing by eight (Kounavis, Berry 2005). Built before main(), so no lock is needed. */
__attribute__((__constructor__)) static void crc32c_build_tables(void) {
        for (uint32_t i = 0; i < 256; i++) {
                uint32_t crc = i;

                for (int bit = 0; bit < 8; bit++)
                        crc = crc & 1 ? crc >> 1 ^ CRC32C_POLYNOMIAL : crc >> 1;
                tables[0][i] = crc;
        }
        for (uint32_t i = 0; i < 256; i++)
                for (int t = 1; t < 8; t++)
                        tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xff];
}

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *p, size_t length) {
        for (; length >= 8; p += 8, length -= 8) {
                uint64_t word;

                memcpy(&word, p, sizeof(word));
                word = le64toh(word) ^ crc;
                crc = 0;
                for (int i = 0; i < 8; i++)
                        crc ^= tables[7 - i][word >> (8 * i) & 0xff];
        }
        for (; length > 0; p++, length--)
                crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
        return crc;
}

#if defined(__x86_64__)
__attribute__((__target__("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p, size_t length) {
        uint64_t wide = crc;

        for (; length >= 8; p += 8, length -= 8) {
                uint64_t word;

                memcpy(&word, p, sizeof(word));
                wide = __builtin_ia32_crc32di(wide, word);
        }
        crc = (uint32_t)wide;
        for (; length > 0; p++, length--)
                crc = __builtin_ia32_crc32qi(crc, *p);
        return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t length) {
        crc = ~crc;
#if defined(__x86_64__)
        if (__builtin_cpu_supports("sse4.2"))
                return ~crc32c_sse42(crc, bytes, length);
#endif
        return ~crc32c_portable(crc, bytes, length);
}
