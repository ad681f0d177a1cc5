#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "host/cgroup.h"

static const char hybrid_mounts[] =
        "22 1 0:20 / /proc rw - proc proc rw\n"
        "30 22 0:25 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "31 30 0:26 / /sys/fs/cgroup/systemd rw,relatime shared:9 - cgroup cgroup rw,xattr,name=systemd\n"
        "32 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "33 30 0:28 /outer /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "34 30 0:29 / /sys/fs/cgroup/with\\040blank rw - cgroup cgroup rw,pids\n"
        "35 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "broken line\n"
        "36 30\n";

static const char hybrid_self[] = "5:name=systemd:/user/1\n"
                                  "4:cpu,cpuacct:/\n"
                                  "3:memory:/outer/inner\n"
                                  "2:pids:/../other\n"
                                  "0::/leaf\n";

static void test_hybrid_places(void **state) {
        _cleanup_cgroup_places_ CgroupPlaces places = {0};

        (void)state;
        assert_int_equal(cgroup_places_read(slice_from(hybrid_mounts), slice_from(hybrid_self), &places), 0);
        assert_string_equal(places.legacy[CGROUP_TRACKING].own, "/sys/fs/cgroup/systemd/user/1");
        assert_string_equal(places.legacy[CGROUP_CPU].own, "/sys/fs/cgroup/cpu,cpuacct");
        assert_string_equal(places.legacy[CGROUP_MEMORY].own, "/sys/fs/cgroup/memory/inner");
        assert_string_equal(places.legacy[CGROUP_MEMORY].top, "/sys/fs/cgroup/memory");
        assert_string_equal(places.legacy[CGROUP_PIDS].own, "/sys/fs/cgroup/with blank");
        assert_string_equal(places.unified.own, "/sys/fs/cgroup/unified/leaf");
        assert_true(places.unified.unified);
}

static void test_pure_version_2(void **state) {
        _cleanup_cgroup_places_ CgroupPlaces places = {0};

        (void)state;
        assert_int_equal(
                cgroup_places_read(slice_from("30 22 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"),
                                   slice_from("0::/system.slice/x.service\n"), &places),
                0);
        assert_null(places.legacy[CGROUP_TRACKING].top);
        assert_string_equal(places.unified.own, "/sys/fs/cgroup/system.slice/x.service");
        assert_string_equal(places.unified.top, "/sys/fs/cgroup");
}

static void test_no_cgroups(void **state) {
        _cleanup_cgroup_places_ CgroupPlaces places = {0};

        (void)state;
        assert_int_equal(cgroup_places_read((Slice){0}, (Slice){0}, &places), 0);
        assert_null(places.unified.top);
}

/* A folder of our own, or a skipped test. */
static void open_root(CgroupRoot *root) {
        _cleanup_free_ char *name = str_printf("faering-test-%d", getpid());
        Error error = ERROR_NONE;

        assert_non_null(name);
        if (cgroup_root_open(root, name, false, &error) < 0)
                fail_msg("%s", error.text);
        if (!cgroup_root_usable(root)) {
                print_message("skipped: no cgroup hierarchy is writable here\n");
                skip();
        }
}

static pid_t child_that_waits(void) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                (void)alarm(10);
                for (;;)
                        (void)pause();
        }
        return pid;
}

static void test_a_group_holds_kills_and_goes(void **state) {
        _cleanup_cgroup_ Cgroup group = {0};
        _cleanup_pid_list_ PidList pids = {0};
        CgroupRoot root;
        Error error = ERROR_NONE;
        struct stat is;
        pid_t one, two;
        int status;

        (void)state;
        open_root(&root);
        assert_int_equal(cgroup_create(&root, "web@1.service", &group, &error), 0);
        assert_true(cgroup_is_empty(&group));
        one = child_that_waits();
        two = child_that_waits();
        assert_int_equal(cgroup_add(&group, one), 0);
        assert_int_equal(cgroup_add(&group, two), 0);
        assert_int_equal(cgroup_list_pids(&group, &pids), 0);
        assert_int_equal(pids.length, 2);
        assert_true(pid_list_contains(&pids, one) && pid_list_contains(&pids, two));
        assert_int_equal(cgroup_remove(&group), -EBUSY);
        assert_int_equal(cgroup_kill(&group, SIGKILL, two), 1);
        assert_int_equal(waitpid(one, &status, 0), one);
        assert_int_equal(cgroup_kill(&group, SIGKILL, 0), 1);
        assert_int_equal(waitpid(two, &status, 0), two);
        assert_true(cgroup_is_empty(&group));
        assert_int_equal(cgroup_remove(&group), 0);
        assert_int_equal(stat(group.parts[CGROUP_TRACKING].path, &is), -1);
        cgroup_root_close(&root);
}

static void test_groups_below_are_listed_and_removed(void **state) {
        _cleanup_cgroup_ Cgroup group = {0}, below = {0};
        _cleanup_pid_list_ PidList pids = {0};
        CgroupRoot root, inner = {0};
        Error error = ERROR_NONE;
        pid_t pid;

        (void)state;
        open_root(&root);
        assert_int_equal(cgroup_create(&root, "outer", &group, &error), 0);
        inner.parts[CGROUP_TRACKING] = group.parts[CGROUP_TRACKING];
        assert_int_equal(cgroup_create(&inner, "inner", &below, &error), 0);
        pid = child_that_waits();
        assert_int_equal(cgroup_add(&below, pid), 0);
        assert_int_equal(cgroup_list_pids(&group, &pids), 0);
        assert_int_equal(pids.length, 1);
        assert_int_equal(cgroup_kill(&group, SIGKILL, 0), 1);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(cgroup_remove(&group), 0);
        cgroup_root_close(&root);
}

static void test_limits_and_counters(void **state) {
        _cleanup_cgroup_ Cgroup group = {0};
        CgroupCounters counters;
        CgroupRoot root;
        Error error = ERROR_NONE;
        int r;

        (void)state;
        open_root(&root);
        assert_int_equal(cgroup_create(&root, "limited", &group, &error), 0);
        r = cgroup_set_limit(&group, CGROUP_LIMIT_PIDS, 5, &error);
        if (!root.parts[CGROUP_PIDS].path)
                assert_int_equal(r, -EOPNOTSUPP);
        else
                assert_int_equal(r, 0);
        if (root.parts[CGROUP_MEMORY].path) {
                assert_int_equal(cgroup_set_limit(&group, CGROUP_LIMIT_MEMORY, 64 << 20, &error), 0);
                assert_int_equal(cgroup_set_limit(&group, CGROUP_LIMIT_MEMORY, CGROUP_NO_LIMIT, &error), 0);
                cgroup_read_counters(&group, &counters);
                assert_int_equal(counters.oom_kills, 0);
        }
        if (root.parts[CGROUP_CPU].path) {
                assert_int_equal(cgroup_set_limit(&group, CGROUP_LIMIT_CPU_WEIGHT, 200, &error), 0);
                assert_int_equal(cgroup_set_limit(&group, CGROUP_LIMIT_CPU_QUOTA, 500, &error), 0);
                assert_int_equal(cgroup_set_limit(&group, CGROUP_LIMIT_CPU_QUOTA, CGROUP_NO_LIMIT, &error), 0);
        }
        assert_int_equal(cgroup_remove(&group), 0);
        cgroup_root_close(&root);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hybrid_places),
                cmocka_unit_test(test_pure_version_2),
                cmocka_unit_test(test_no_cgroups),
                cmocka_unit_test(test_a_group_holds_kills_and_goes),
                cmocka_unit_test(test_groups_below_are_listed_and_removed),
                cmocka_unit_test(test_limits_and_counters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
