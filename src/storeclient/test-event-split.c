#include "storeclient/event-split.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const char stream[] = "{\"a\":\"}\"}\n  {\"b\":[{},{\"c\":\"\\\\\\\"{\"}]}\r\n{}";

static size_t feed(EventSplitter *splitter, Slice piece, Buffer *found) {
        Slice text;
        int r;

        while ((r = event_splitter_next(splitter, &piece, &text)) > 0) {
                assert_int_equal(buffer_append(found, text.data, text.length), 0);
                assert_int_equal(buffer_append_byte(found, '|'), 0);
        }
        assert_int_equal(r, 0);
        return piece.length;
}

static void test_any_cut(void **state) {
        (void)state;
        for (size_t first = 0; first < sizeof(stream); first++)
                for (size_t second = first; second < sizeof(stream); second++) {
                        _cleanup_buffer_ Buffer found = BUFFER_INIT;
                        EventSplitter splitter = {0};

                        feed(&splitter, (Slice){stream, first}, &found);
                        feed(&splitter, (Slice){stream + first, second - first}, &found);
                        feed(&splitter, (Slice){stream + second, sizeof(stream) - 1 - second}, &found);
                        assert_string_equal(buffer_string(&found), "{\"a\":\"}\"}|{\"b\":[{},{\"c\":\"\\\\\\\"{\"}]}|{}|");
                        assert_true(event_splitter_is_whole(&splitter));
                        event_splitter_deinit(&splitter);
                }
}

static void test_part(void **state) {
        EventSplitter splitter = {0};
        Slice piece = slice_from("{\"a\":"), text;

        (void)state;
        assert_int_equal(event_splitter_next(&splitter, &piece, &text), 0);
        assert_false(event_splitter_is_whole(&splitter));
        event_splitter_deinit(&splitter);
}

static void test_other_text(void **state) {
        EventSplitter splitter = {0};
        Slice piece = slice_from("{}null"), text;

        (void)state;
        assert_int_equal(event_splitter_next(&splitter, &piece, &text), 1);
        assert_int_equal(event_splitter_next(&splitter, &piece, &text), -EBADMSG);
        event_splitter_deinit(&splitter);
}

static void test_too_large(void **state) {
        static char block[1 << 20];
        EventSplitter splitter = {0};
        int r = 0;

        (void)state;
        memset(block, '[', sizeof(block));
        block[0] = '{';
        for (size_t i = 0; r == 0 && i <= STORE_EVENT_MAX / sizeof(block); i++) {
                Slice piece = {block, sizeof(block)}, text;

                r = event_splitter_next(&splitter, &piece, &text);
        }
        assert_int_equal(r, -EMSGSIZE);
        event_splitter_deinit(&splitter);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_any_cut),
                cmocka_unit_test(test_part),
                cmocka_unit_test(test_other_text),
                cmocka_unit_test(test_too_large),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
