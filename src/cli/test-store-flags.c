/* Command lines as etcdctl reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "cli/store-flags.h"
#include "cli/store-old.h"

typedef struct Values {
        bool recursive, help;
        uint64_t ttl;
        char *value;
        Usec timeout;
        StringList roles;
} Values;

static const StoreFlag flags[] = {
        {.name = "recursive",
         .alias = "r",
         .type = STORE_FLAG_SWITCH,
         .offset = offsetof(Values, recursive),
         .summary = "-"},
        {.name = "ttl", .type = STORE_FLAG_NUMBER, .offset = offsetof(Values, ttl), .argument = "N", .summary = "-"},
        {.name = "with-value",
         .type = STORE_FLAG_TEXT,
         .offset = offsetof(Values, value),
         .argument = "V",
         .summary = "-"},
        {.name = "timeout",
         .type = STORE_FLAG_TIME,
         .offset = offsetof(Values, timeout),
         .argument = "T",
         .summary = "-"},
        {.name = "roles",
         .alias = "rl",
         .type = STORE_FLAG_TEXTS,
         .offset = offsetof(Values, roles),
         .argument = "R",
         .summary = "-"},
        {0},
};

enum { WORDS_MAX = 16 };

static size_t split(char *line, char *words[WORDS_MAX]) {
        size_t count = 0;

        for (char *word = strtok(line, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
                words[count++] = word;
        return count;
}

/* Parses the line; gives what is left of it, or Go's complaint. */
static void check_parse(const char *line, const char *expected, Values *values) {
        char copy[256], *words[WORDS_MAX], said[512] = "";
        Error error = ERROR_NONE;
        size_t count, used = 0;

        *values = (Values){0};
        (void)snprintf(copy, sizeof(copy), "%s", line);
        count = split(copy, words);
        if (store_flags_parse_old(flags, values, words, count, &used, &error) < 0)
                (void)snprintf(said, sizeof(said), "%s", error.text);
        else
                for (size_t i = used; i < count; i++)
                        (void)snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%s", i > used ? " " : "",
                                       words[i]);
        assert_string_equal(said, expected);
        free(values->value);
        string_list_deinit(&values->roles);
}

static void test_values_of_all_kinds(void **state) {
        Values values;

        (void)state;
        check_parse("-r --ttl 5 key", "key", &values);
        assert_true(values.recursive);
        assert_int_equal(values.ttl, 5);
        check_parse("--recursive=false -ttl=0x10 k", "k", &values);
        assert_false(values.recursive);
        assert_int_equal(values.ttl, 16);
        check_parse("--ttl -1 k", "k", &values);
        assert_int_equal((int64_t)values.ttl, -1);
        check_parse("--ttl 010 k", "k", &values);
        assert_int_equal(values.ttl, 8);
        check_parse("-timeout 1m2s k -r", "k -r", &values);
        assert_int_equal(values.timeout, 62 * USEC_PER_SEC);
        check_parse("--with-value -- k", "k", &values);
        check_parse("--roles a,b --roles c -- -r", "-r", &values); /* no commas in the old voice */
        check_parse("- -r", "- -r", &values);
}

static void test_complaints_are_those_of_go(void **state) {
        Values values;

        (void)state;
        check_parse("--bogus", "flag provided but not defined: -bogus", &values);
        check_parse("--bogus=1", "flag provided but not defined: -bogus", &values);
        check_parse("--ttl", "flag needs an argument: -ttl", &values);
        check_parse("--ttl x", "invalid value \"x\" for flag -ttl: parse error", &values);
        check_parse("--ttl 1.5", "invalid value \"1.5\" for flag -ttl: parse error", &values);
        check_parse("--ttl 09", "invalid value \"09\" for flag -ttl: parse error", &values);
        check_parse("--ttl 0x", "invalid value \"0x\" for flag -ttl: parse error", &values);
        check_parse("--ttl=", "invalid value \"\" for flag -ttl: parse error", &values);
        check_parse("--ttl 9223372036854775808",
                    "invalid value \"9223372036854775808\" for flag -ttl: value out of range", &values);
        check_parse("-r=x", "invalid boolean value \"x\" for -r: parse error", &values);
        check_parse("---r", "bad flag syntax: ---r", &values);
        check_parse("-=r", "bad flag syntax: -=r", &values);
        check_parse("-r --recursive", "Cannot use two forms of the same flag: r recursive", &values);
        check_parse("--timeout 5", "invalid value \"5\" for flag -timeout: parse error", &values);
}

static void check_order(const char *line, bool keep_separator, const char *expected) {
        char copy[256], *words[WORDS_MAX], *ordered[WORDS_MAX] = {0}, said[512] = "";
        size_t count;

        (void)snprintf(copy, sizeof(copy), "%s", line);
        count = split(copy, words);
        store_old_order(flags, words, count, keep_separator, ordered);
        for (size_t i = 0; i < count; i++) {
                assert_non_null(ordered[i]);
                (void)snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%s", i ? " " : "", ordered[i]);
        }
        assert_string_equal(said, expected);
}

static void test_flags_come_to_the_front(void **state) {
        (void)state;
        check_order("k v", false, "k v");
        check_order("k v --ttl 5", false, "--ttl 5 k v");
        check_order("k --ttl 5 v", false, "--ttl 5 k v");
        check_order("k --ttl=5 v", false, "--ttl=5 k v");
        check_order("k -5", false, "k -5");
        check_order("k --bogus v", false, "k --bogus v");
        check_order("k -r v", false, "-r v k"); /* a switch takes a word along, too */
        check_order("k --with-value -x v", false, "--with-value -x k v");
        check_order("k --with-value --ttl v", false, "--with-value --ttl v k");
        check_order("k ---ttl 5", false, "---ttl 5 k");
        check_order("k -- -r", false, "-- k -r");
        check_order("k --ttl -- v", false, "--ttl -- k v");
        check_order("-- k -r", false, "-- k -r");
        check_order("k --ttl 5 -- v -r", false, "--ttl 5 -- k v -r");
        check_order("k --", false, "-- k");
        check_order("--", false, "--");
}

static void test_separator_stays_before_a_command(void **state) {
        (void)state;
        check_order("k -- a -r", true, "k -- a -r");
        check_order("k -r -- a b", true, "-r k -- a b");
        check_order("-r k -- a b", true, "-r k -- a b");
        check_order("k --ttl 5 -- a -r", true, "--ttl 5 k -- a -r");
        check_order("-- a k", true, "-- a k");
        check_order("--ttl 5 -- a k", true, "--ttl 5 -- a k");
}

static void test_quotes_as_go_does(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(store_quote(&text, slice_from("a\"b\\c\n\x01ü")), 0);
        assert_string_equal(buffer_string(&text), "\"a\\\"b\\\\c\\n\\x01ü\"");
}

static void test_own_voice_has_the_same_flags(void **state) {
        char line[] = "get -r k --ttl 7 --roles a,b", *argv[WORDS_MAX];
        _cleanup_string_list_ StringList words = {0};
        Option options[STORE_FLAGS_MAX];
        Error error = ERROR_NONE;
        Values values = {0};
        size_t count = 0;

        (void)state;
        assert_true(store_flags_to_options(flags, &values, options, ARRAY_SIZE(options), &count));
        assert_int_equal(options_parse(options, OPTIONS_GNU, (int)split(line, argv), argv, &words, &error), 0);
        assert_true(values.recursive);
        assert_int_equal(values.ttl, 7);
        assert_int_equal(values.roles.length, 2);
        assert_int_equal(words.length, 1);
        string_list_deinit(&values.roles);
        count = 0;
        assert_false(store_flags_to_options(flags, &values, options, 4, &count));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_of_all_kinds),     cmocka_unit_test(test_complaints_are_those_of_go),
                cmocka_unit_test(test_flags_come_to_the_front), cmocka_unit_test(test_separator_stays_before_a_command),
                cmocka_unit_test(test_quotes_as_go_does),       cmocka_unit_test(test_own_voice_has_the_same_flags),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
