#include "containers/image/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SUM_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SUM_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int parse(const char *text, Manifest *manifest, Error *error) {
        return manifest_parse(slice_from(text), "amd64", "linux", manifest, error);
}

static void test_written_manifest_reads_the_same(void **state) {
        Manifest manifest = {.layer_count = 2, .config = {SUM_A, 10}, .layers = {{SUM_B, 20}, {SUM_A, 30}}}, again;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(manifest_write(&manifest, &text), 0);
        assert_int_equal(parse(buffer_string(&text), &again, NULL), 0);
        assert_false(again.is_list);
        assert_int_equal(again.layer_count, 2);
        assert_string_equal(again.layers[1].digest, SUM_A);
        assert_int_equal(again.layers[0].size, 20);
        assert_string_equal(manifest_media_type(slice_from(buffer_string(&text))), MANIFEST_TYPE_OCI);
}

static void test_list_gives_this_platform(void **state) {
        static const char list[] =
                "{\"schemaVersion\":2,\"manifests\":["
                "{\"digest\":\"" SUM_A "\",\"size\":1,\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"}},"
                "{\"digest\":\"" SUM_B "\",\"size\":2,\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}]}";
        Manifest manifest;
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(parse(list, &manifest, NULL), 0);
        assert_true(manifest.is_list);
        assert_string_equal(manifest.chosen.digest, SUM_B);
        assert_int_equal(manifest_parse(slice_from(list), "riscv64", "linux", &manifest, &error), -ENOENT);
        assert_non_null(strstr(error.text, "linux/riscv64"));
}

static void test_damaged_ones_are_refused(void **state) {
        static const char *const rows[] = {
                "",
                "[]",
                "{",
                "{\"layers\":[]}",
                "{\"layers\":{},\"config\":{\"digest\":\"" SUM_A "\",\"size\":1}}",
                "{\"layers\":[{\"digest\":\"sha256:12\",\"size\":1}],\"config\":{\"digest\":\"" SUM_A "\",\"size\":1}}",
                "{\"layers\":[{\"digest\":\"" SUM_A "\",\"size\":-1}],\"config\":{\"digest\":\"" SUM_A
                "\",\"size\":1}}",
                "{\"layers\":[],\"config\":{\"digest\":\"" SUM_A "\",\"size\":99999999999}}",
        };
        Manifest manifest;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                Error error = ERROR_NONE;

                assert_int_equal(parse(rows[i], &manifest, &error), -EBADMSG);
                assert_true(error.text[0]);
        }
}

static void test_configuration(void **state) {
        static const char text[] =
                "{\"created\":\"2015-03-01T12:00:00.5Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{"
                "\"Entrypoint\":[\"/"
                "e\"],\"Cmd\":null,\"Env\":[\"A=b\"],\"Labels\":{\"k\":\"v\"},\"ExposedPorts\":{\"80/tcp\":{}},"
                "\"User\":\"\",\"WorkingDir\":\"/w\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SUM_A "\"]}}";
        _cleanup_image_config_ ImageConfig config = {0};

        (void)state;
        assert_int_equal(image_config_parse(slice_from(text), &config, NULL), 0);
        assert_int_equal(config.created, 1425211200 * (WallUsec)USEC_PER_SEC);
        assert_true(config.has_entrypoint);
        assert_int_equal(config.command.length, 0);
        assert_string_equal(config.labels.items[0], "k=v");
        assert_string_equal(config.ports.items[0], "80/tcp");
        assert_null(config.user);
        assert_string_equal(config.diff_ids.items[0], SUM_A);
}

static void test_damaged_configurations_are_refused(void **state) {
        static const char *const rows[] = {"",
                                           "[]",
                                           "{\"config\":[]}",
                                           "{\"config\":{\"Env\":[1]}}",
                                           "{\"config\":{\"Cmd\":\"x\"}}",
                                           "{\"rootfs\":{\"diff_ids\":[\"x\"]}}",
                                           "{\"config\":{\"Env\":[\"a\\u0000b\"]}}"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_image_config_ ImageConfig config = {0};
                Error error = ERROR_NONE;

                assert_int_equal(image_config_parse(slice_from(rows[i]), &config, &error), -EBADMSG);
                assert_true(error.text[0]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_written_manifest_reads_the_same),
                cmocka_unit_test(test_list_gives_this_platform),
                cmocka_unit_test(test_damaged_ones_are_refused),
                cmocka_unit_test(test_configuration),
                cmocka_unit_test(test_damaged_configurations_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
