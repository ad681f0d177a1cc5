#include "host/kept-state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const SupervisorState failed = {
        .load = "loaded",
        .active = "failed",
        .sub = "failed",
        .result = "exit-code",
        .exit_code = 1,
        .exit_status = 3,
        .restarts = 2,
        .since = 12345,
        .text = "it has ended with 3",
};

static void test_what_was_kept_is_given_back(void **state) {
        Words words = {0};
        KeptState kept = {0};
        SupervisorState back;

        (void)state;
        kept_state_fill(&kept, &back);
        assert_string_equal(back.active, "");
        assert_int_equal(kept_state_set(&kept, &words, &failed), 0);
        kept_state_fill(&kept, &back);
        assert_memory_equal(&back, &failed, sizeof(back));
        kept_state_deinit(&kept);
        words_deinit(&words);
}

static void test_a_long_text_is_cut(void **state) {
        KeptState kept = {0};
        SupervisorState back;
        char text[2 * SUPERVISOR_TEXT_MAX];

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(kept_state_set_text(&kept, text), 0);
        assert_int_equal(strlen(kept.text), SUPERVISOR_TEXT_MAX - 1);
        kept_state_fill(&kept, &back);
        assert_string_equal(back.text, kept.text);
        assert_int_equal(kept_state_set_text(&kept, ""), 0);
        assert_null(kept.text);
}

static void test_a_copy_is_its_own_and_differs_when_it_should(void **state) {
        Words words = {0};
        KeptState one = {0}, other = {0};

        (void)state;
        assert_int_equal(kept_state_set(&one, &words, &failed), 0);
        assert_true(kept_state_differs(&one, &other));
        assert_int_equal(kept_state_copy(&one, &other), 0);
        assert_ptr_not_equal(one.text, other.text);
        assert_false(kept_state_differs(&one, &other));
        other.since++;
        assert_false(kept_state_differs(&one, &other));
        other.restarts++;
        assert_true(kept_state_differs(&one, &other));
        assert_int_equal(kept_state_copy(&one, &other), 0);
        assert_int_equal(kept_state_set_text(&other, ""), 0);
        assert_true(kept_state_differs(&one, &other));
        other.active = "active";
        assert_int_equal(kept_state_copy(&other, &one), 0);
        assert_null(one.text);
        assert_string_equal(one.active, "active");
        kept_state_deinit(&one);
        kept_state_deinit(&other);
        words_deinit(&words);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_was_kept_is_given_back),
                cmocka_unit_test(test_a_long_text_is_cut),
                cmocka_unit_test(test_a_copy_is_its_own_and_differs_when_it_should),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
