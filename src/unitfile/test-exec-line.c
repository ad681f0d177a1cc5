#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/exec-line.h"

/* The arguments of one command as "[a][b]". */
static void print_arguments(const StringList *arguments, Buffer *to) {
        for (size_t i = 0; i < arguments->length; i++)
                assert_int_equal(buffer_printf(to, "[%s]", arguments->items[i]), 0);
}

static void assert_line(const char *value, const char *expected) {
        _cleanup_exec_command_list_ ExecCommandList list = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;

        if (exec_line_parse(slice_from(value), NULL, &list, &error) < 0)
                fail_msg("%s: %s", value, error.text);
        for (size_t i = 0; i < list.length; i++) {
                const ExecCommand *command = &list.items[i];

                assert_int_equal(buffer_printf(&text, "%s%s%s%s%s%s:", i ? " " : "", command->path,
                                               command->ignore_failure ? "-" : "",
                                               command->keep_variables ? "k" : "",
                                               command->full_privileges ? "+" : "", command->keep_user ? "!" : ""),
                                 0);
                print_arguments(&command->arguments, &text);
        }
        assert_string_equal(buffer_string(&text), expected);
}

static void assert_refused(const char *value, const char *what) {
        _cleanup_exec_command_list_ ExecCommandList list = {0};
        Error error = ERROR_NONE;

        assert_int_equal(exec_line_parse(slice_from(value), NULL, &list, &error), -EINVAL);
        if (!strstr(error.text, what))
                fail_msg("\"%s\" does not say \"%s\"", error.text, what);
        assert_int_equal(list.length, 0);
}

static void test_words_and_quotes(void **state) {
        (void)state;
        assert_line("/bin/echo one  two", "/bin/echo:[/bin/echo][one][two]");
        assert_line("/bin/sh -c 'a \"b\" c' \"d 'e'\"", "/bin/sh:[/bin/sh][-c][a \"b\" c][d 'e']");
        assert_line("/bin/echo \"\" x\"y z\"w", "/bin/echo:[/bin/echo][][xy zw]");
        assert_line("sleep 5", "sleep:[sleep][5]");
}

static void test_escapes(void **state) {
        (void)state;
        assert_line("/e \\x41\\102\\u00e4\\s|\\t|\\\\ \\\"", "/e:[/e][ABä |\t|\\][\"]");
        assert_line("/e \\q '\\x00'", "/e:[/e][\\q][\\x00]");
}

static void test_prefixes(void **state) {
        (void)state;
        assert_line("-@/bin/sh shell x", "/bin/sh-:[shell][x]");
        assert_line("-:+/a", "/a-k+:[/a]");
        assert_line("!!/a", "/a!:[/a]");
        assert_line("!/a", "/a!:[/a]");
        assert_refused("--/a", "full path");
        assert_refused("@/a", "second word");
}

static void test_several_commands(void **state) {
        (void)state;
        assert_line("/a 1 ; -/b 2 ; /c \\; ;x", "/a:[/a][1] /b-:[/b][2] /c:[/c][;][;x]");
}

static void test_refusals(void **state) {
        (void)state;
        assert_refused("/a 'b", "not closed");
        assert_refused("/a b\\", "backslash");
        assert_refused("./a", "full path");
        assert_refused("/a/", "directory");
        assert_refused(";", "no command");
}

static void test_empty_value_resets_and_failure_keeps(void **state) {
        _cleanup_exec_command_list_ ExecCommandList list = {0};

        (void)state;
        assert_int_equal(exec_line_parse(slice_from("/a"), NULL, &list, NULL), 0);
        assert_int_equal(exec_line_parse(slice_from("/b"), NULL, &list, NULL), 0);
        assert_int_equal(list.length, 2);
        assert_int_equal(exec_line_parse(slice_from("/c '"), NULL, &list, NULL), -EINVAL);
        assert_int_equal(list.length, 2);
        assert_int_equal(exec_line_parse(slice_from(" "), NULL, &list, NULL), 0);
        assert_int_equal(list.length, 0);
}

static void test_specifiers_are_replaced_after_unquoting(void **state) {
        const SpecifierFacts facts = {.unit = "web@a b.service"};
        SpecifierSource source = specifier_source(&facts);
        _cleanup_exec_command_list_ ExecCommandList list = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(exec_line_parse(slice_from("/bin/%p %i 5%% '%p'"), &source, &list, NULL), 0);
        assert_string_equal(list.items[0].path, "/bin/web");
        print_arguments(&list.items[0].arguments, &text);
        assert_string_equal(buffer_string(&text), "[/bin/web][a b][5%][web]");
}

static void assert_expanded(const char *value, const char *expected) {
        _cleanup_exec_command_list_ ExecCommandList list = {0};
        _cleanup_string_list_ StringList environment = {0}, arguments = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        assert_int_equal(string_list_add(&environment, "ONE=old"), 0);
        assert_int_equal(string_list_add(&environment, "ONE=one"), 0);
        assert_int_equal(string_list_add(&environment, "TWO=two 'three four'"), 0);
        assert_int_equal(string_list_add(&environment, "EMPTY="), 0);
        assert_int_equal(exec_line_parse(slice_from(value), NULL, &list, NULL), 0);
        assert_int_equal(exec_command_expand(&list.items[0], &environment, &arguments), 0);
        print_arguments(&arguments, &text);
        assert_string_equal(buffer_string(&text), expected);
}

static void test_variables(void **state) {
        (void)state;
        assert_expanded("/e $ONE $TWO ${TWO}", "[/e][one][two][three four][two 'three four']");
        assert_expanded("/e $EMPTY ${EMPTY} $NONE x${NONE}y", "[/e][][xy]");
        assert_expanded("/e $$ONE $${ONE} x$ONE ${ONE $1 $", "[/e][$ONE][${ONE}][x$ONE][${ONE][$1][$]");
        assert_expanded(":/e $ONE ${ONE}", "[/e][$ONE][${ONE}]");
}

static void test_growth_by_variables_is_limited(void **state) {
        _cleanup_exec_command_list_ ExecCommandList list = {0};
        _cleanup_string_list_ StringList environment = {0}, arguments = {0};
        _cleanup_buffer_ Buffer line = BUFFER_INIT;
        _cleanup_free_ char *value = malloc(65536);

        (void)state;
        memset(value, 'x', 65535);
        memcpy(value, "A=", 2);
        value[65535] = '\0';
        assert_int_equal(string_list_add(&environment, value), 0);
        assert_int_equal(buffer_append_string(&line, "/e "), 0);
        for (int i = 0; i < 20; i++)
                assert_int_equal(buffer_append_string(&line, "${A} "), 0);
        assert_int_equal(exec_line_parse(slice_from(buffer_string(&line)), NULL, &list, NULL), 0);
        assert_int_equal(exec_command_expand(&list.items[0], &environment, &arguments), -EMSGSIZE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words_and_quotes),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_prefixes),
                cmocka_unit_test(test_several_commands),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_empty_value_resets_and_failure_keeps),
                cmocka_unit_test(test_specifiers_are_replaced_after_unquoting),
                cmocka_unit_test(test_variables),
                cmocka_unit_test(test_growth_by_variables_is_limited),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
