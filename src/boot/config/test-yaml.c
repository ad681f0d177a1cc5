#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "boot/config/node.h"

static void parse(const char *text, ConfigTree *tree) {
        Error error = ERROR_NONE;
        int r = config_tree_parse(slice_from(text), tree, NULL, &error);

        assert_string_equal(error.text, "");
        assert_int_equal(r, 0);
}

static void refuse(const char *text, int r, const char *why) {
        _cleanup_config_tree_ ConfigTree tree = {0};
        Error error = ERROR_NONE;

        assert_int_equal(config_tree_parse(slice_from(text), &tree, NULL, &error), r);
        assert_non_null(strstr(error.text, why));
        assert_null(tree.root);
        assert_int_equal(tree.length, 0);
}

static void test_nodes_know_where_they_stand(void **state) {
        _cleanup_config_tree_ ConfigTree tree = {0};
        const ConfigEntry *entry;

        (void)state;
        parse("#cloud-config\nfirst: 1\ncoreos:\n  units:\n    - name: a\n    - name: b\n", &tree);
        entry = config_entry(config_child(tree.root, "coreos"), "units");
        assert_int_equal(entry->line, 4);
        assert_int_equal(entry->column, 3);
        assert_int_equal(entry->value->length, 2);
        assert_int_equal(entry->value->entries[1].line, 6);
        assert_int_equal(entry->value->entries[1].column, 7);
        entry = config_entry(entry->value->entries[1].value, "name");
        assert_int_equal(entry->value->line, 6);
        assert_int_equal(entry->value->column, 13);
        assert_string_equal(entry->value->text.data, "b");
}

static void test_dashes_in_keys_are_underscores(void **state) {
        _cleanup_config_tree_ ConfigTree tree = {0};

        (void)state;
        parse("a-b-c: x-y\n", &tree);
        assert_string_equal(config_child(tree.root, "a_b_c")->text.data, "x-y");
        assert_null(config_child(tree.root, "a-b-c"));
}

static void test_last_of_equal_keys_counts(void **state) {
        _cleanup_config_tree_ ConfigTree tree = {0};

        (void)state;
        parse("a-b: 1\na_b: 2\n", &tree);
        assert_string_equal(config_child(tree.root, "a_b")->text.data, "2");
        assert_true(tree.root->entries[0].hidden);
        assert_false(tree.root->entries[1].hidden);
}

static void test_types_are_those_of_yaml_1_1(void **state) {
        static const struct {
                const char *text;
                ScalarType type;
        } cases[] = {
                {"off", SCALAR_BOOL},  {"oFF", SCALAR_STRING},   {"~", SCALAR_NULL},    {"0644", SCALAR_INT},
                {"0x1f", SCALAR_INT},  {"089", SCALAR_FLOAT},    {"1_000", SCALAR_INT}, {"2.5", SCALAR_FLOAT},
                {"1e3", SCALAR_FLOAT}, {"1.2.3", SCALAR_STRING}, {"-7", SCALAR_INT},    {"--7", SCALAR_STRING},
                {"", SCALAR_NULL},     {"0x", SCALAR_STRING},    {"6s", SCALAR_STRING},
        };
        int64_t number;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_int_equal(scalar_type_of(slice_from(cases[i].text)), cases[i].type);
        assert_int_equal(scalar_parse_int(slice_from("0644"), &number), 0);
        assert_int_equal(number, 420);
        assert_int_equal(scalar_parse_int(slice_from("-9223372036854775808"), &number), 0);
        assert_true(number == INT64_MIN);
        assert_int_equal(scalar_parse_int(slice_from("9223372036854775808"), &number), -ERANGE);
}

static void test_quoted_text_is_a_string(void **state) {
        _cleanup_config_tree_ ConfigTree tree = {0};

        (void)state;
        parse("a: \"off\"\nb: off\nc: !!binary aGk=\n", &tree);
        assert_int_equal(config_child(tree.root, "a")->type, SCALAR_STRING);
        assert_int_equal(config_child(tree.root, "b")->type, SCALAR_BOOL);
        assert_string_equal(config_child(tree.root, "b")->text.data, "off");
        assert_string_equal(config_child(tree.root, "c")->text.data, "hi");
}

static void test_merged_keys_give_way(void **state) {
        _cleanup_config_tree_ ConfigTree tree = {0};
        const ConfigNode *map;

        (void)state;
        parse("base: &b {x: 1, y: 2}\nmore: {y: 3, <<: *b}\nlater: {<<: *b, x: 4}\n", &tree);
        map = config_child(tree.root, "more");
        assert_string_equal(config_child(map, "x")->text.data, "1");
        assert_string_equal(config_child(map, "y")->text.data, "3");
        assert_string_equal(config_child(config_child(tree.root, "later"), "x")->text.data, "4");
}

static void test_billion_laughs_end_early(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        (void)buffer_append_string(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for (int i = 1; i < 10; i++)
                (void)buffer_printf(&text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i,
                                    i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        refuse(buffer_string(&text), -EMSGSIZE, "aliases counted each time");
}

static void test_depth_is_limited_also_by_aliases(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        for (int i = 0; i < CONFIG_DEPTH_MAX + 1; i++)
                (void)buffer_append_byte(&text, '[');
        refuse(buffer_string(&text), -EMSGSIZE, "nested deeper");
        buffer_clear(&text);
        (void)buffer_append_string(&text, "a0: &a0 [x]\n");
        for (int i = 1; i < CONFIG_DEPTH_MAX + 1; i++)
                (void)buffer_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
        refuse(buffer_string(&text), -EMSGSIZE, "nested deeper");
}

static void test_keys_of_a_mapping_are_limited(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        for (size_t i = 0; i <= CONFIG_KEYS_MAX; i++)
                (void)buffer_printf(&text, "k%zu: 1\n", i);
        refuse(buffer_string(&text), -EMSGSIZE, "more than 512 keys");
}

static void test_what_is_no_tree_is_refused(void **state) {
        (void)state;
        refuse("a: &a [*a]\n", -EINVAL, "contains itself");
        refuse("a: *b\n", -EINVAL, "unknown anchor");
        refuse("? [a]\n: b\n", -EINVAL, "must be plain text");
        refuse("a: {<<: 1}\n", -EINVAL, "map merge requires");
        refuse("a:\n\tb: 1\n", -EINVAL, "line 2, column 1: found character that cannot start any token");
        refuse("a: !!binary '@@@'\n", -EINVAL, "base64");
}

static void test_place_of_a_problem_is_told(void **state) {
        _cleanup_config_tree_ ConfigTree tree = {0};
        YamlProblem problem = {0};

        (void)state;
        assert_int_equal(config_tree_parse(slice_from("#\na:\n\tb: 1\n"), &tree, &problem, NULL), -EINVAL);
        assert_string_equal(problem.text, "found character that cannot start any token");
        assert_int_equal(problem.line, 2);
}

static void test_empty_text_has_no_root(void **state) {
        _cleanup_config_tree_ ConfigTree tree = {0};

        (void)state;
        parse("#cloud-config\n", &tree);
        assert_null(tree.root);
        assert_null(config_child(tree.root, "a"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nodes_know_where_they_stand),
                cmocka_unit_test(test_dashes_in_keys_are_underscores),
                cmocka_unit_test(test_last_of_equal_keys_counts),
                cmocka_unit_test(test_types_are_those_of_yaml_1_1),
                cmocka_unit_test(test_quoted_text_is_a_string),
                cmocka_unit_test(test_merged_keys_give_way),
                cmocka_unit_test(test_billion_laughs_end_early),
                cmocka_unit_test(test_depth_is_limited_also_by_aliases),
                cmocka_unit_test(test_keys_of_a_mapping_are_limited),
                cmocka_unit_test(test_what_is_no_tree_is_refused),
                cmocka_unit_test(test_place_of_a_problem_is_told),
                cmocka_unit_test(test_empty_text_has_no_root),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
