#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_values_come_back(void **state) {
        static const uint64_t values[] = {0, 1, 127, 128, 300, 16383, 16384, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;
        WireReader reader;

        (void)state;
        wire_put_u8(&buffer, 0xfe);
        wire_put_u32(&buffer, 0x01020304);
        wire_put_u64(&buffer, 0x0102030405060708);
        for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                wire_put_varint(&buffer, values[i]);
        wire_put_bytes(&buffer, slice_from("hello"));
        wire_put_bytes(&buffer, (Slice){NULL, 0});
        assert_int_equal(buffer_failed(&buffer), 0);
        assert_memory_equal(buffer_data(&buffer), "\xfe\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01", 13);

        reader = wire_reader((Slice){buffer_data(&buffer), buffer_length(&buffer)});
        assert_int_equal(wire_get_u8(&reader), 0xfe);
        assert_int_equal(wire_get_u32(&reader), 0x01020304);
        assert_true(wire_get_u64(&reader) == 0x0102030405060708);
        for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                assert_true(wire_get_varint(&reader) == values[i]);
        assert_true(slice_equals(wire_get_bytes(&reader, 5), slice_from("hello")));
        assert_int_equal(wire_get_bytes(&reader, 5).length, 0);
        assert_true(wire_at_end(&reader));
}

static void assert_varint_refused(const char *bytes, size_t length) {
        WireReader reader = wire_reader((Slice){bytes, length});

        assert_true(wire_get_varint(&reader) == 0);
        assert_true(wire_failed(&reader));
        assert_int_equal(wire_get_u8(&reader), 0);
        assert_false(wire_at_end(&reader));
}

static void test_varint_has_one_form(void **state) {
        (void)state;
        assert_varint_refused("", 0);
        assert_varint_refused("\x80", 1);
        assert_varint_refused("\x80\x00", 2);
        assert_varint_refused("\xff\x80\x00", 3);
        assert_varint_refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
        assert_varint_refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11);
}

static void test_length_above_maximum_or_end_is_refused(void **state) {
        WireReader reader = wire_reader(slice_from("\x05hello"));

        (void)state;
        assert_int_equal(wire_get_bytes(&reader, 4).length, 0);
        assert_true(wire_failed(&reader));
        reader = wire_reader(slice_from("\x06hello"));
        assert_int_equal(wire_get_bytes(&reader, 100).length, 0);
        assert_true(wire_failed(&reader));
        reader = wire_reader(slice_from("abc"));
        assert_int_equal(wire_get_u32(&reader), 0);
        assert_true(wire_failed(&reader));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_come_back),
                cmocka_unit_test(test_varint_has_one_form),
                cmocka_unit_test(test_length_above_maximum_or_end_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
