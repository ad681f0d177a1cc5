/* Each create object tests/containers/NAME.json must give the configuration tests/containers/NAME.oci.json. */
#include "containers/runtime/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "containers/runtime/capability.h"
#include "host/file.h"

#define FOLDER TEST_CONTAINERS

static const BundleHost host = {
        .cgroup_unified = true,
        .cgroup_namespaces = true,
        .capability_bound = (1ULL << CAPABILITY_COUNT) - 1,
        .init_program = "/usr/bin/tini",
        .hard_limits = {[RLIMIT_NOFILE] = 1024, [RLIMIT_CORE] = RLIM_INFINITY},
};

static json_t *make(const json_t *body) {
        static const BundleMount mounts[] = {
                {.source = "/c/hosts", .target = "/etc/hosts"},
                {.source = "/v", .target = "/data", .propagation = "rslave", .read_only = true}};
        _cleanup_container_spec_ ContainerSpec spec = {0};
        const ImageUser user = {.uid = 100, .gid = 101, .groups = {200}, .n_groups = 1, .home = "/home/app"};
        const ImageUser root = {.home = "/root"};
        BundleInput input = {.spec = &spec,
                             .host = &host,
                             .id = "0123",
                             .root = "/c/merged",
                             .host_name = "box",
                             .cgroup = "/engine/0123",
                             .network_namespace = "/run/netns/0123",
                             .mounts = mounts,
                             .n_mounts = ARRAY_SIZE(mounts)};
        Error error = ERROR_NONE;
        json_t *config = NULL;

        if (container_spec_parse(body, json_object_get(body, "HostConfig"), NULL, &spec, &error) < 0)
                fail_msg("%s", error.text);
        if (spec.network == NETWORK_HOST)
                input.network_namespace = NULL;
        input.user = spec.user ? &user : &root;
        if (bundle_config(&input, &config, &error) < 0)
                fail_msg("%s", error.text);
        return config;
}

static void check_one(const char *name) {
        _cleanup_free_ char *in = str_printf(FOLDER "/%s", name),
                            *expected = str_printf(FOLDER "/%.*s.oci.json", (int)(strlen(name) - 5), name), *got = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        json_t *body = json_load_file(in, 0, NULL), *config;

        assert_non_null(body);
        config = make(body);
        got = json_dumps(config, JSON_INDENT(1));
        json_decref(config);
        json_decref(body);
        if (getenv("UPDATE_GOLDEN"))
                assert_int_equal(file_replace(expected, 0644, slice_from(got), false, NULL), 0);
        assert_int_equal(file_read(expected, FILE_SMALL_MAX, &text, NULL), 0);
        assert_string_equal(got, buffer_string(&text));
}

static void test_configurations_are_as_written_down(void **state) {
        DIR *folder = opendir(FOLDER);
        struct dirent *entry;
        size_t count = 0;

        (void)state;
        assert_non_null(folder);
        while ((entry = readdir(folder)))
                if (str_ends_with(entry->d_name, ".json") && !str_ends_with(entry->d_name, ".oci.json")) {
                        check_one(entry->d_name);
                        count++;
                }
        (void)closedir(folder);
        assert_true(count >= 3);
}

static void test_capabilities_stay_within_what_we_have(void **state) {
        static const char *const add[] = {"ALL"}, *const drop[] = {"ALL"}, *const one[] = {"net_admin", "CAP_KILL"},
                                 *const bad[] = {"FLY"};
        const StringList all = {(char **)(uintptr_t)add, 1, 1}, none = {0}, dropped = {(char **)(uintptr_t)drop, 1, 1},
                         some = {(char **)(uintptr_t)one, 2, 2}, wrong = {(char **)(uintptr_t)bad, 1, 1};
        uint64_t chosen;

        (void)state;
        assert_int_equal(capability_choose(&none, &none, false, UINT64_MAX, &chosen, NULL), 0);
        assert_true(chosen == 0xa80425fb);
        assert_int_equal(capability_choose(&none, &none, true, ~(1ULL << 24), &chosen, NULL), 0);
        assert_true(chosen == 0x1fffeffffff);
        assert_int_equal(capability_choose(&all, &some, false, UINT64_MAX, &chosen, NULL), 0);
        assert_true(chosen == (0x1ffffffffffULL & ~(1ULL << 12 | 1ULL << 5)));
        assert_int_equal(capability_choose(&some, &dropped, false, UINT64_MAX, &chosen, NULL), 0);
        assert_true(chosen == (1ULL << 12 | 1ULL << 5));
        assert_int_equal(capability_choose(&wrong, &none, false, UINT64_MAX, &chosen, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_configurations_are_as_written_down),
                cmocka_unit_test(test_capabilities_stay_within_what_we_have),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
