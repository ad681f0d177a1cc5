#include "base/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char *const words[] = {"start", "stop", "status", "list-units", "destroy"};

static const char *nearest(const char *word) {
        return suggest_nearest(word, words, ARRAY_SIZE(words));
}

static void test_slips_of_the_finger_are_understood(void **state) {
        (void)state;
        assert_string_equal(nearest("strat"), "start");
        assert_string_equal(nearest("stp"), "stop");
        assert_string_equal(nearest("statsu"), "status");
        assert_string_equal(nearest("list-unit"), "list-units");
        assert_string_equal(nearest("lst-untis"), "list-units");
        assert_string_equal(nearest("destory"), "destroy");
        assert_string_equal(nearest("stop"), "stop");
}

static void test_what_is_far_from_all_gets_no_suggestion(void **state) {
        char long_word[5000];

        (void)state;
        assert_null(nearest("xyzzy"));
        assert_null(nearest(""));
        assert_null(nearest("q"));
        assert_null(suggest_nearest("start", NULL, 0));
        for (size_t i = 0; i + 1 < sizeof(long_word); i++)
                long_word[i] = 's';
        long_word[sizeof(long_word) - 1] = '\0';
        assert_null(nearest(long_word));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slips_of_the_finger_are_understood),
                cmocka_unit_test(test_what_is_far_from_all_gets_no_suggestion),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
