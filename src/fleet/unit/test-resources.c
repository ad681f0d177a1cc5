#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fleet/unit/resources.h"

static void assert_memory(const char *text, uint64_t bytes, uint64_t percent) {
        UnitResources resources = {.memory = 7, .memory_percent = 7};

        assert_int_equal(unit_parse_memory(text, &resources), 0);
        assert_int_equal(resources.memory, bytes);
        assert_int_equal(resources.memory_percent, percent);
}

static void test_memory(void **state) {
        UnitResources resources = {0};

        (void)state;
        assert_memory("512M", 512 << 20, 0);
        assert_memory("1G", 1 << 30, 0);
        assert_memory(" 4096 ", 4096, 0);
        assert_memory("infinity", 0, 0);
        assert_memory("12.5%", 0, 1250);
        assert_int_equal(unit_parse_memory("101%", &resources), -EINVAL);
        assert_int_equal(unit_parse_memory("%", &resources), -EINVAL);
        assert_int_equal(unit_parse_memory("much", &resources), -EINVAL);
        assert_int_equal(unit_parse_memory("99999999999999999999999", &resources), -EINVAL);
        resources.memory_percent = 2500;
        assert_int_equal(unit_resources_memory(&resources, 4000000), 1000000);
}

static void test_cpu(void **state) {
        uint64_t cpu = 0;

        (void)state;
        assert_int_equal(unit_parse_cpu("150%", &cpu), 0);
        assert_int_equal(cpu, 1500);
        assert_int_equal(unit_parse_cpu("0.25", &cpu), 0);
        assert_int_equal(cpu, 250);
        assert_int_equal(unit_parse_cpu("2", &cpu), 0);
        assert_int_equal(cpu, 2000);
        assert_int_equal(unit_parse_cpu("7.5%", &cpu), 0);
        assert_int_equal(cpu, 75);
        assert_int_equal(unit_parse_cpu("", &cpu), -EINVAL);
        assert_int_equal(unit_parse_cpu(".", &cpu), -EINVAL);
        assert_int_equal(unit_parse_cpu("-1", &cpu), -EINVAL);
        assert_int_equal(unit_parse_cpu("99999999999999", &cpu), -EINVAL);
        assert_int_equal(cpu, 75);
}

static void test_own_keys(void **state) {
        static const char text[] = "[Service]\nMemoryMax=1G\nCPUQuota=50%\n[X-Fleet]\nMemory=256M\nSpread=zone\nAvoids=db@* x.service\n"
                                   "MoveAfterFailures=3\nFailuresWithin=60s\nOnPartition=stop\nOverlap=no\n";
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_unit_requirements_ UnitRequirements read = {0}, copy = {0};

        (void)state;
        assert_int_equal(unitfile_parse(&file, slice_from(text), NULL, NULL), 0);
        assert_int_equal(unit_requirements_read(&file, "web@1.service", &read), 0);
        assert_int_equal(unit_requirements_copy(&read, &copy), 0);
        assert_int_equal(copy.resources.memory, 256 << 20);
        assert_int_equal(copy.resources.cpu, 500);
        assert_string_equal(copy.spread, "zone");
        assert_string_equal(copy.spread_group, "web@.service");
        assert_int_equal(copy.avoids.length, 2);
        assert_int_equal(copy.move_after, 3);
        assert_int_equal(copy.failures_within, 60 * USEC_PER_SEC);
        assert_true(copy.stop_on_partition && copy.no_overlap);
        assert_true(unit_requirement_is_known("OnPartition"));
}

static void assert_formatted(uint64_t bytes, const char *expected) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        unit_format_memory(bytes, &text);
        assert_string_equal(buffer_string(&text), expected);
}

static void test_amounts_for_people(void **state) {
        (void)state;
        assert_formatted(512 << 20, "512M");
        assert_formatted((uint64_t)3 << 29, "1.5G");
        assert_formatted(17, "17B");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_memory),
                cmocka_unit_test(test_cpu),
                cmocka_unit_test(test_own_keys),
                cmocka_unit_test(test_amounts_for_people),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
