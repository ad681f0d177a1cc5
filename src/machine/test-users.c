#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "host/file.h"
#include "machine/users.h"

typedef struct Upper {
        char path[64];
} Upper;

static int setup(void **state) {
        Upper *upper = calloc(1, sizeof(*upper));
        char etc[80];

        *state = upper;
        assert_non_null(upper);
        (void)snprintf(upper->path, sizeof(upper->path), "/tmp/faering-users-XXXXXX");
        assert_non_null(mkdtemp(upper->path));
        (void)snprintf(etc, sizeof(etc), "%s/etc", upper->path);
        return file_make_folder(etc, 0755, NULL);
}

static int teardown(void **state) {
        Upper *upper = *state;
        int r = file_remove_tree(upper->path, NULL);

        free(upper);
        return r;
}

static void put(const Upper *upper, const char *name, const char *text) {
        char path[96];

        (void)snprintf(path, sizeof(path), "%s/etc/%s", upper->path, name);
        assert_int_equal(file_replace(path, 0644, slice_from(text), false, NULL), 0);
}

static void assert_is(const Upper *upper, const char *name, const char *text) {
        _cleanup_buffer_ Buffer found = BUFFER_INIT;
        char path[96];

        (void)snprintf(path, sizeof(path), "%s/etc/%s", upper->path, name);
        assert_int_equal(file_read(path, 65536, &found, NULL), 0);
        assert_string_equal(buffer_string(&found), text);
}

static void test_a_missing_user_gets_a_free_id(void **state) {
        const Upper *upper = *state;
        static const char passwd[] = "root:x:0:0::/root:/bin/sh\na:x:999:7:::\n"
                                     "faering-store:x:997:997:Faering's replicated key-value "
                                     "store:/var/lib/faering/store:/usr/sbin/nologin\n";

        put(upper, "passwd", "root:x:0:0::/root:/bin/sh\na:x:999:7:::"); /* no line end */
        put(upper, "group", "root:x:0:\nb:x:998:\n");
        assert_int_equal(users_add(upper->path, NULL), 0);
        assert_is(upper, "passwd", passwd);
        assert_is(upper, "group", "root:x:0:\nb:x:998:\nfaering-store:x:997:\n");
        assert_int_equal(users_add(upper->path, NULL), 0); /* it is there now */
        assert_is(upper, "passwd", passwd);
}

static void test_without_a_free_id_it_is_said(void **state) {
        const Upper *upper = *state;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;

        for (int id = 100; id <= 999; id++)
                (void)buffer_printf(&text, "u%d:x:%d:%d:::\n", id, id, id);
        put(upper, "passwd", buffer_string(&text));
        put(upper, "group", "");
        assert_int_equal(users_add(upper->path, &error), -EUSERS);
        assert_non_null(strstr(error.text, "faering-store"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_missing_user_gets_a_free_id, setup, teardown),
                cmocka_unit_test_setup_teardown(test_without_a_free_id_it_is_said, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
