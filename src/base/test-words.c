#include "base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void test_a_word_is_kept_once(void **state) {
        Words words = {0};
        char text[] = "active";
        const char *kept = words_keep(&words, text);

        (void)state;
        assert_non_null(kept);
        assert_ptr_not_equal(kept, text);
        text[0] = 'A';
        assert_string_equal(kept, "active");
        assert_ptr_equal(words_keep(&words, "active"), kept);
        assert_ptr_not_equal(words_keep(&words, "Active"), kept);
        assert_string_equal(words_keep(&words, ""), "");
        words_deinit(&words);
}

static void test_no_more_words_than_the_limit(void **state) {
        Words words = {0};
        char text[16];

        (void)state;
        for (int i = 0; i < WORDS_MAX; i++) {
                (void)snprintf(text, sizeof(text), "w%d", i);
                assert_non_null(words_keep(&words, text));
        }
        assert_null(words_keep(&words, "one more"));
        assert_string_equal(words_keep(&words, "w7"), "w7");
        words_deinit(&words);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_word_is_kept_once),
                cmocka_unit_test(test_no_more_words_than_the_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
