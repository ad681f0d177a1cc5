#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/config/multipart.h"
#include "boot/config/plan.h"

static const char message[] =
        "From: someone\r\n"
        "Content-Type: multipart/mixed;\r\n boundary=\"a b\"\r\n"
        "MIME-Version: 1.0\r\n\r\nfor old programs\r\n"
        "--a b\r\nContent-Type: text/cloud-config\r\n\r\n"
        "#cloud-config\r\nhostname: h\r\nwrite_files: [{path: /a, content: $private_ipv4}]\r\n\r\n"
        "--a b\r\nContent-Type: text/x-shellscript\r\nContent-Transfer-Encoding: Base64\r\n\r\n"
        "IyEvYmlu\r\nL3No\r\n"
        "--a b--\r\nepilogue\r\n";

static void test_parts_are_taken_apart(void **state) {
        _cleanup_multipart_ Multipart multipart = {0};

        (void)state;
        assert_true(multipart_is(slice_from(message)));
        assert_int_equal(multipart_split(slice_from(message), &multipart, NULL), 0);
        assert_int_equal(multipart.length, 2);
        assert_int_equal(multipart.parts[0].line, 10);
        assert_string_equal(buffer_string(&multipart.parts[0].text),
                            "#cloud-config\nhostname: h\nwrite_files: [{path: /a, content: $private_ipv4}]\n");
        assert_int_equal(multipart.parts[1].line, 0);
        assert_string_equal(buffer_string(&multipart.parts[1].text), "#!/bin/sh");
}

static void test_other_texts_are_not_of_several_parts(void **state) {
        (void)state;
        assert_false(multipart_is(slice_from("")));
        assert_false(multipart_is(slice_from("#cloud-config\n")));
        assert_false(multipart_is(slice_from("#!/bin/sh\nContent-Type: multipart/mixed\n")));
        assert_false(multipart_is(slice_from("Content-Type: text/plain\n\n")));
}

static void is_refused(const char *text, const char *expected) {
        _cleanup_multipart_ Multipart multipart = {0};
        Error error = ERROR_NONE;

        assert_int_equal(multipart_split(slice_from(text), &multipart, &error), -EINVAL);
        assert_string_equal(error.text, expected);
}

#define HEAD "Content-Type: multipart/mixed; boundary=x\n\n"

static void test_damaged_messages_are_refused(void **state) {
        (void)state;
        is_refused("Content-Type: multipart/mixed\n\n", "the Content-Type of the user-data names no boundary");
        is_refused(HEAD "nothing\n", "the user-data is to be of several parts, but none begins with --x");
        is_refused(HEAD "--x\n\n#cloud-config\n", "part 1 of the user-data has no end: the line --x-- is missing");
        is_refused(HEAD "--x\nno header\n",
                   "line 4: the headers of part 1 of the user-data do not end with an empty line");
        is_refused(HEAD "--x\nContent-Transfer-Encoding: quoted-printable\n\n--x--\n",
                   "part 1 of the user-data has the encoding \"quoted-printable\": 7bit, 8bit, binary and base64 are "
                   "known");
        is_refused(HEAD "--x\nContent-Type: multipart/mixed; boundary=y\n\n--x--\n",
                   "part 1 of the user-data is itself one of several parts");
        is_refused(HEAD "--x\nContent-Transfer-Encoding: base64\n\n@@\n--x--\n",
                   "part 1 of the user-data is not base64");
}

static int make_plan(const char *text, BootPlan *plan, Error *error) {
        char address[] = "10.0.0.1";
        const BootFacts facts = {.hostname = "before",
                                 .script_name = "7",
                                 .workspace = "/w",
                                 .addresses = {.values = {[ADDRESS_PRIVATE_IPV4] = address}}};

        return boot_plan_make(&facts, slice_from(text), plan, error);
}

static size_t count(const BootPlan *plan, StepKind kind, const char *path) {
        size_t found = 0;

        for (size_t i = 0; i < plan->length; i++)
                found += plan->steps[i].kind == kind && (!path || str_equals(plan->steps[i].path, path));
        return found;
}

static void test_plan_has_the_steps_of_all_parts(void **state) {
        _cleanup_boot_plan_ BootPlan plan = {0};

        (void)state;
        assert_int_equal(make_plan(message, &plan, NULL), 0);
        assert_int_equal(count(&plan, STEP_HOSTNAME, NULL), 1);
        assert_int_equal(count(&plan, STEP_FILE, "/a"), 1);
        assert_int_equal(count(&plan, STEP_FILE, "/w/scripts/7"), 1);
        assert_int_equal(count(&plan, STEP_FILE, "/etc/environment"), 1);
}

/* Both parts have SSH keys: the second's do not take the place of the first's. Two scripts have two files. */
static void test_parts_add_up(void **state) {
        _cleanup_boot_plan_ BootPlan plan = {0};
        size_t keys = 0;

        (void)state;
        assert_int_equal(make_plan(HEAD "--x\n\n#cloud-config\nssh_authorized_keys: [A]\n--x\n\n#cloud-config\n"
                                        "ssh_authorized_keys: [B]\n--x\n\n#!/bin/a\n--x\n\n#!/bin/b\n--x--\n",
                                   &plan, NULL),
                         0);
        for (size_t i = 0; i < plan.length; i++)
                if (plan.steps[i].kind == STEP_KEYS) {
                        keys++;
                        assert_string_equal(plan.steps[i].text, "A\nB\n");
                }
        assert_int_equal(keys, 1);
        assert_int_equal(count(&plan, STEP_FILE, "/w/scripts/7"), 1);
        assert_int_equal(count(&plan, STEP_FILE, "/w/scripts/7-2"), 1);
}

static void test_errors_name_the_line_of_the_whole(void **state) {
        _cleanup_boot_plan_ BootPlan plan = {0};
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(make_plan(HEAD "--x\n\n#cloud-config\nwrite_files:\n  - {content: x}\n--x--\n", &plan, &error),
                         -EINVAL);
        assert_string_equal(error.text, "line 7: an element of write_files has no path");
        assert_int_equal(make_plan(HEAD "--x\n\nhello\n--x--\n", &plan, &error), -EINVAL);
        assert_string_equal(error.text, "part 1: the user-data is neither a cloud-config nor a script: its first line "
                                        "must be #cloud-config, or begin with #!");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parts_are_taken_apart),
                cmocka_unit_test(test_other_texts_are_not_of_several_parts),
                cmocka_unit_test(test_damaged_messages_are_refused),
                cmocka_unit_test(test_plan_has_the_steps_of_all_parts),
                cmocka_unit_test(test_parts_add_up),
                cmocka_unit_test(test_errors_name_the_line_of_the_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
