#include "machine/hierarchy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void parse(const char *mountinfo, const char *self, Hierarchies *ret) {
        assert_int_equal(hierarchies_parse(slice_from(mountinfo), slice_from(self), ret), 0);
}

static void test_version_1_beside_version_2_counts_alone(void **state) {
        _cleanup_hierarchies_ Hierarchies all = {0};

        (void)state;
        parse("31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
              "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
              "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
              "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
              "3:cpu,cpuacct:/a\n2:name=systemd:/b/c\n1:memory:/not/mounted\n0::/u\n", &all);
        assert_int_equal(all.length, 2);
        assert_string_equal(all.items[0].controllers, "cpu,cpuacct");
        assert_string_equal(all.items[0].own, "/sys/fs/cgroup/cpu,cpuacct/a");
        assert_string_equal(all.items[1].controllers, "name=systemd");
        assert_string_equal(all.items[1].own, "/sys/fs/cgroup/systemd/b/c");
        assert_false(all.items[1].unified);
}

static void test_version_2_alone(void **state) {
        _cleanup_hierarchies_ Hierarchies all = {0};

        (void)state;
        parse("41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/user.slice\n", &all);
        assert_int_equal(all.length, 1);
        assert_true(all.items[0].unified);
        assert_string_equal(all.items[0].controllers, "");
        assert_string_equal(all.items[0].top, "/sys/fs/cgroup");
        assert_string_equal(all.items[0].own, "/sys/fs/cgroup/user.slice");
}

static void test_version_1_controllers_without_a_mount_do_not_hide_version_2(void **state) {
        _cleanup_hierarchies_ Hierarchies all = {0};

        (void)state;
        parse("41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "9:memory:/x\n0::/\n", &all);
        assert_int_equal(all.length, 1);
        assert_true(all.items[0].unified);
}

static void test_group_outside_of_what_is_mounted_becomes_the_top(void **state) {
        _cleanup_hierarchies_ Hierarchies all = {0};

        (void)state;
        parse("41 31 0:38 / /cg/pids rw - cgroup cgroup rw,pids\n42 31 0:39 /box /cg/cpu rw - cgroup cgroup rw,cpu\n",
              "2:pids:/../..\n1:cpu:/box/inner\n", &all);
        assert_string_equal(all.items[0].own, "/cg/pids");
        assert_string_equal(all.items[1].own, "/cg/cpu/inner");
}

static void test_odd_lines_are_passed_over(void **state) {
        _cleanup_hierarchies_ Hierarchies all = {0};

        (void)state;
        parse("\nrubbish\n1 2 3\n41 31 0:38 / /a\\040b rw - cgroup cgroup rw,pids\n41 31 0:38 / /cg rw - cgroup\n",
              "x\n1:pids\n1:pids:/\n", &all);
        assert_int_equal(all.length, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_version_1_beside_version_2_counts_alone),
                cmocka_unit_test(test_version_2_alone),
                cmocka_unit_test(test_version_1_controllers_without_a_mount_do_not_hide_version_2),
                cmocka_unit_test(test_group_outside_of_what_is_mounted_becomes_the_top),
                cmocka_unit_test(test_odd_lines_are_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
