#include "base/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define VARIABLE "FAERING_TEST_OPTIONS_NAME"

typedef struct Target {
        bool all, interactive;
        char *name;
        uint64_t count, size;
        Usec wait;
        StringList ports;
        int calls;
} Target;

static int on_call(void *target, const char *value, Error *error) {
        (void)value;
        if (++*(int *)target > 1)
                return error_set(error, -EINVAL, "only once");
        return 0;
}

static int parse(Target *target, OptionsFlags flags, const char *const *words, StringList *arguments, Error *error) {
        const Option options[] = {
                {"all", 'a', OPTION_SWITCH, NULL, NULL, "all of it", &target->all, NULL},
                {"interactive", 'i', OPTION_SWITCH, NULL, NULL, "keep input open", &target->interactive, NULL},
                {"name", 'n', OPTION_STRING, "NAME", VARIABLE, "a name", &target->name, NULL},
                {"count", 0, OPTION_U64, "N", NULL, "how many", &target->count, NULL},
                {"memory", 'm', OPTION_SIZE, "SIZE", NULL, "how much", &target->size, NULL},
                {"wait", 0, OPTION_DURATION, "TIME", NULL, "how long", &target->wait, NULL},
                {"publish", 'p', OPTION_LIST, "PORT", NULL, "a port", &target->ports, NULL},
                {"once", 0, OPTION_CALL, NULL, NULL, NULL, &target->calls, on_call},
                {0},
        };
        const char *argv[16] = {"program"};
        int argc = 1;

        while (*words)
                argv[argc++] = *words++;
        return options_parse(options, flags, argc, (char *const *)(uintptr_t)argv, arguments, error);
}

static void target_clear(Target *target) {
        free(target->name);
        string_list_deinit(&target->ports);
        *target = (Target){0};
}

#define PARSE(flags, ...) parse(&target, flags, (const char *const[]){__VA_ARGS__, NULL}, &arguments, &error)

static void test_gnu_long_short_and_clusters(void **state) {
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;
        Target target = {0};

        (void)state;
        assert_int_equal(PARSE(OPTIONS_GNU, "--name", "x", "-ia", "first", "-p80:80", "-p", "81", "--memory=64m", "--count=7",
                               "--wait", "1m30s", "--", "-a"), 0);
        assert_true(target.all && target.interactive);
        assert_string_equal(target.name, "x");
        assert_int_equal(target.size, 64 << 20);
        assert_int_equal(target.count, 7);
        assert_int_equal(target.wait, 90 * USEC_PER_SEC);
        assert_int_equal(target.ports.length, 2);
        assert_string_equal(target.ports.items[0], "80:80");
        assert_string_equal(target.ports.items[1], "81");
        assert_int_equal(arguments.length, 2);
        assert_string_equal(arguments.items[0], "first");
        assert_string_equal(arguments.items[1], "-a");
        target_clear(&target);
}

static void test_go_takes_one_dash_or_two_and_switches_with_values(void **state) {
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;
        Target target = {.interactive = true};

        (void)state;
        assert_int_equal(PARSE(OPTIONS_GO, "-name", "x", "--count=3", "-all", "-interactive=false", "false", "-wait=5"), 0);
        assert_true(target.all && !target.interactive);
        assert_string_equal(target.name, "x");
        assert_int_equal(target.count, 3);
        assert_int_equal(target.wait, 5 * USEC_PER_SEC);
        assert_int_equal(arguments.length, 1); /* a switch takes no word behind it */
        target_clear(&target);
}

static void test_arguments_may_end_the_options(void **state) {
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;
        Target target = {0};

        (void)state;
        assert_int_equal(PARSE(OPTIONS_GNU | OPTIONS_STOP_AT_ARGUMENT, "-a", "image", "-i", "--nonsense", "-"), 0);
        assert_true(target.all && !target.interactive);
        assert_int_equal(arguments.length, 4);
        target_clear(&target);
}

static void check_refused(OptionsFlags flags, const char *a, const char *b, const char *text) {
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;
        Target target = {0};

        assert_int_equal(PARSE(flags, a, b), -EINVAL);
        assert_string_equal(error.text, text);
        target_clear(&target);
}

static void test_what_is_wrong_is_named(void **state) {
        (void)state;
        check_refused(OPTIONS_GNU, "--nmae", "x", "unknown option --nmae; did you mean --name?");
        check_refused(OPTIONS_GO, "-memroy", "x", "unknown option -memroy; did you mean -memory?");
        check_refused(OPTIONS_GNU, "--zzzzzzzz", "x", "unknown option --zzzzzzzz; see --help");
        check_refused(OPTIONS_GNU, "-az", "x", "unknown option -z; see --help");
        check_refused(OPTIONS_GNU, "-a", "--name", "option --name needs a value (NAME)");
        check_refused(OPTIONS_GNU, "--count", "many", "option --count: \"many\" is not a whole number");
        check_refused(OPTIONS_GNU, "--wait=1y", "x", "option --wait: \"1y\" is not a length of time such as 30s or 1m");
        check_refused(OPTIONS_GO, "-all=perhaps", "x", "option -all: \"perhaps\" is not true or false");
        check_refused(OPTIONS_GNU, "--once", "--once", "option --once: only once");
}

static void test_the_environment_speaks_when_the_command_line_does_not(void **state) {
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;
        Target target = {0};

        (void)state;
        assert_int_equal(setenv(VARIABLE, "from-outside", 1), 0);
        assert_int_equal(PARSE(OPTIONS_GNU, "-a"), 0);
        assert_string_equal(target.name, "from-outside");
        assert_int_equal(PARSE(OPTIONS_GNU, "--name=inside"), 0);
        assert_string_equal(target.name, "inside");
        assert_int_equal(setenv(VARIABLE, "", 1), 0);
        assert_int_equal(PARSE(OPTIONS_GNU, "-a"), 0);
        assert_string_equal(target.name, "inside");
        assert_int_equal(unsetenv(VARIABLE), 0);
        target_clear(&target);
}

static void test_configuration_files_and_help_use_the_same_table(void **state) {
        _cleanup_buffer_ Buffer help = BUFFER_INIT;
        uint64_t count = 0;
        const Option options[] = {
                {"count", 'c', OPTION_U64, "N", NULL, "how many", &count, NULL},
                {"hidden", 0, OPTION_U64, "N", NULL, NULL, &count, NULL},
                {0},
        };
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(options_set(options, "count", "12", &error), 0);
        assert_int_equal(count, 12);
        assert_int_equal(options_set(options, "cuont", "12", &error), -ENOENT);
        assert_int_equal(options_set(options, "count", "-1", &error), -EINVAL);
        assert_int_equal(options_format_help(options, "--", &help), 0);
        assert_string_equal(buffer_string(&help), "  -c, --count N  how many\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_gnu_long_short_and_clusters),
                cmocka_unit_test(test_go_takes_one_dash_or_two_and_switches_with_values),
                cmocka_unit_test(test_arguments_may_end_the_options),
                cmocka_unit_test(test_what_is_wrong_is_named),
                cmocka_unit_test(test_the_environment_speaks_when_the_command_line_does_not),
                cmocka_unit_test(test_configuration_files_and_help_use_the_same_table),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
