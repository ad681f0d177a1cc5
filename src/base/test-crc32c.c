#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* RFC 3720, appendix B.4, and the check value of the catalogue of CRCs. */
static void test_known_vectors(void **state) {
        uint8_t bytes[32] = {0};

        (void)state;
        assert_int_equal(crc32c(0, "", 0), 0);
        assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
        memset(bytes, 0xff, sizeof(bytes));
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
        for (uint8_t i = 0; i < 32; i++)
                bytes[i] = i;
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
}

static uint32_t crc_bitwise(const uint8_t *bytes, size_t length) {
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < length; i++) {
                crc ^= bytes[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
        }
        return ~crc;
}

static void test_all_lengths_alignments_and_splits_agree(void **state) {
        uint8_t bytes[300];

        (void)state;
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)(i * 151 + 7);
        for (size_t from = 0; from < 9; from++)
                for (size_t length = 0; from + length <= sizeof(bytes); length++) {
                        uint32_t whole = crc_bitwise(bytes + from, length);
                        size_t split = length * 5 / 13;

                        assert_int_equal(crc32c(0, bytes + from, length), whole);
                        assert_int_equal(crc32c(crc32c(0, bytes + from, split), bytes + from + split, length - split), whole);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_vectors),
                cmocka_unit_test(test_all_lengths_alignments_and_splits_agree),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
