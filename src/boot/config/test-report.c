#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/config/report.h"

static void report_is(ReportWho who, const char *user_data, const char *expected) {
        _cleanup_report_ Report report = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        size_t lines;

        assert_int_equal(report_check(slice_from(user_data), &report), 0);
        assert_int_equal(report_format(&report, who, &text, &lines), 0);
        assert_string_equal(buffer_string(&text), expected);
}

/* Our report without columns and hints, which are theirs not. */
static void strip(const char *text, Buffer *to) {
        for (const char *at = text; *at;) {
                size_t length = strcspn(at, "\n");
                const char *column = strstr(at, ", column "), *colon = strchr(at, ':'), *hint = NULL;

                for (const char *one = at; (one = strstr(one, "; ")) && one < at + length; one++)
                        hint = one;
                if (column && colon && column < colon) {
                        (void)buffer_append(to, at, (size_t)(column - at));
                        length -= (size_t)(colon - at);
                        at = colon;
                }
                (void)buffer_append(to, at, hint ? (size_t)(hint - at) : length);
                at += length;
                if (*at == '\n')
                        (void)buffer_append(to, at++, 1);
        }
}

static void ours_is(const char *user_data, const char *expected) {
        _cleanup_report_ Report report = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT, stripped = BUFFER_INIT;
        size_t lines;

        assert_int_equal(report_check(slice_from(user_data), &report), 0);
        assert_int_equal(report_format(&report, REPORT_OURS, &text, &lines), 0);
        strip(buffer_string(&text), &stripped);
        assert_string_equal(buffer_string(&stripped), expected);
}

static void both(const char *user_data, const char *expected) {
        report_is(REPORT_THEIRS, user_data, expected);
        ours_is(user_data, expected);
}

static void test_ours_has_columns_and_the_way_out(void **state) {
        (void)state;
        report_is(REPORT_OURS, "#cloud-config\ncoreos: {unit: x, etcd2: {naem: a}, frobnicate: 1}\nhostname: [x]\n",
                  "line 2, column 10: warning: unrecognized key \"unit\"; did you mean \"units\"?\n"
                  "line 2, column 27: warning: unrecognized key \"naem\"; did you mean \"name\"?\n"
                  "line 2, column 37: warning: unrecognized key \"frobnicate\"; nothing comes of it: take it out\n"
                  "line 3, column 1: warning: incorrect type for \"hostname\" (want string); write one text, in quotes "
                  "if "
                  "in doubt\n");
}

static void refuses(const char *user_data, const char *expected) {
        _cleanup_report_ Report report = {0};
        Error error = ERROR_NONE;

        assert_int_equal(report_check(slice_from(user_data), &report), 0);
        assert_int_equal(report_refuse(&report, &error), expected ? -EINVAL : 0);
        assert_string_equal(error.text, expected ?: "");
}

static void test_strict_refuses_what_is_a_warning(void **state) {
        (void)state;
        refuses("#cloud-config\ncoreos: {etcd2: {name: a}}\n", NULL);
        refuses("#cloud-config\nwrite_files: [{path: /usr/x}]\n", NULL);
        refuses("#cloud-config\nhostname: a\nhostname: b\nx: 1\n",
                "line 2, column 1: warning: key \"hostname\" stands here and again below; only the last one counts; "
                "take "
                "one of them out (and 1 more, which \"faering boot validate\" shows)");
}

static void test_parts_are_checked_each(void **state) {
        (void)state;
        both("Content-Type: multipart/mixed; boundary=x\n\n--x\n\n#cloud-config\nhostnam: a\n--x\n\nhello\n--x--\n",
             "line 6: warning: unrecognized key \"hostnam\"\n"
             "line 9: error: must be \"#cloud-config\" or begin with \"#!\"\n");
}

static void test_discovery_urls(void **state) {
        _cleanup_string_list_ StringList urls = {0};

        (void)state;
        assert_int_equal(
                report_discovery_urls(slice_from("#cloud-config\ncoreos: {etcd2: {discovery: http://a/b}}\n"), &urls),
                0);
        assert_int_equal(urls.length, 1);
        assert_string_equal(urls.items[0], "http://a/b");
}

static void test_keys_and_types(void **state) {
        (void)state;
        both("#cloud-config\nhostnam: x\n", "line 2: warning: unrecognized key \"hostnam\"\n");
        both("#cloud-config\nhostname: [x]\n", "line 2: warning: incorrect type for \"hostname\" (want string)\n");
        both("#cloud-config\nhostname:\n", "line 2: warning: incorrect type for \"hostname\" (want string)\n");
        both("#cloud-config\nhostname: 7\n", "");
        both("#cloud-config\ncoreos: {units: {name: x}}\n",
             "line 2: warning: incorrect type for \"units\" (want []struct)\n");
        both("#cloud-config\ncoreos:\n  units:\n    - name: a\n      enable: \"yes\"\n    - b\n",
             "line 5: warning: incorrect type for \"enable\" (want bool)\n"
             "line 6: warning: incorrect type for \"units[1]\" (want struct)\n");
        both("#cloud-config\n- a\n", "line 0: warning: incorrect type for \"\" (want struct)\n");
}

static void test_values(void **state) {
        (void)state;
        both("#cloud-config\ncoreos:\n  update: {reboot-strategy: never}\n", "line 3: error: invalid value never\n");
        both("#cloud-config\ncoreos:\n  update: {reboot-strategy: off}\n", "");
        both("#cloud-config\ncoreos:\n  units: [{name: a, command: go}]\n", "line 3: error: invalid value go\n");
        both("#cloud-config\ncoreos:\n  locksmith: {window-start: \"tHu 04:00\", window-length: 1h30m}\n", "");
        both("#cloud-config\ncoreos:\n  locksmith: {window-start: \"24:00\"}\n",
             "line 3: error: invalid value 24:00\n");
        both("#cloud-config\nwrite_files:\n  - {path: /a, permissions: \"0999\"}\n",
             "line 3: error: invalid value 0999\n");
        both("#cloud-config\nwrite_files:\n  - path: /a\n    encoding: b64\n    content: '@'\n",
             "line 5: error: content cannot be decoded as \"b64\"\n");
}

static void test_what_is_part_of_this_system_is_not_deprecated(void **state) {
        static const char text[] = "#cloud-config\ncoreos:\n  etcd2: {name: a}\n  fleet: {metadata: a=b}\n";

        (void)state;
        ours_is(text, "");
        report_is(REPORT_THEIRS, text,
                  "line 3: warning: deprecated key \"etcd2\" (etcd2 is no longer shipped in Container Linux)\n"
                  "line 4: warning: deprecated key \"fleet\" (fleet is no longer shipped in Container Linux)\n");
}

static void test_equal_keys_are_told(void **state) {
        static const char text[] = "#cloud-config\nhostname: a\nhostname: b\n";

        (void)state;
        ours_is(text, "line 2: warning: key \"hostname\" stands here and again below; only the last one counts\n");
        report_is(REPORT_THEIRS, text, "");
        both("#cloud-config\ncoreos:\n  update: &u {group: a}\n  locksmith: {<<: *u, group: b}\n", "");
}

static void test_yaml_errors_have_the_line_that_each_program_says(void **state) {
        static const char text[] = "#cloud-config\ncoreos:\n\tupdate: x\n";

        (void)state;
        ours_is(text, "line 3: error: found character that cannot start any token\n");
        report_is(REPORT_THEIRS, text,
                  "line 0: warning: incorrect type for \"\" (want struct)\n"
                  "line 2: error: found character that cannot start any token\n");
}

static void test_read_only_usr_is_their_rule(void **state) {
        static const char text[] = "#cloud-config\nwrite_files:\n  - path: /usr/bin/x\n";

        (void)state;
        ours_is(text, "");
        report_is(REPORT_THEIRS, text, "line 3: error: file cannot be written to a read-only filesystem\n");
}

static void test_only_cloud_configs_are_looked_at(void **state) {
        (void)state;
        both("", "");
        both("#!/bin/sh\nhostname: [\n", "");
        both("hostname: x\n", "line 1: error: must be \"#cloud-config\" or begin with \"#!\"\n");
}

static void test_report_has_an_end(void **state) {
        _cleanup_report_ Report report = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        size_t lines;

        (void)state;
        (void)buffer_append_string(&text, "#cloud-config\nwrite_files:\n");
        for (size_t i = 0; i < REPORT_ENTRIES_MAX + 10; i++)
                (void)buffer_append_string(&text, "  - {x: 1}\n");
        assert_int_equal(report_check(slice_from(buffer_string(&text)), &report), 0);
        buffer_clear(&text);
        assert_int_equal(report_format(&report, REPORT_OURS, &text, &lines), 0);
        assert_int_equal(lines, REPORT_ENTRIES_MAX);
        assert_non_null(strstr(buffer_string(&text), "only the first 2000"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys_and_types),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_ours_has_columns_and_the_way_out),
                cmocka_unit_test(test_strict_refuses_what_is_a_warning),
                cmocka_unit_test(test_parts_are_checked_each),
                cmocka_unit_test(test_discovery_urls),
                cmocka_unit_test(test_what_is_part_of_this_system_is_not_deprecated),
                cmocka_unit_test(test_equal_keys_are_told),
                cmocka_unit_test(test_yaml_errors_have_the_line_that_each_program_says),
                cmocka_unit_test(test_read_only_usr_is_their_rule),
                cmocka_unit_test(test_only_cloud_configs_are_looked_at),
                cmocka_unit_test(test_report_has_an_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
