#include "containers/runtime/user.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PASSWD "root:x:0:0:root:/root:/bin/sh\napp:x:100:101::/home/app:/bin/sh\nbroken:x:a:b:::\n"
#define GROUP "root:x:0:\napp:x:101:\nextra:x:200:other,app\nlast:x:300:app"

static int resolve(const char *user, ImageUser *ret) {
        return image_user_resolve(user, NULL, slice_from(PASSWD), slice_from(GROUP), ret, NULL);
}

static void test_users_by_name_and_number(void **state) {
        ImageUser user;

        (void)state;
        assert_int_equal(resolve(NULL, &user), 0);
        assert_int_equal(user.uid, 0);
        assert_string_equal(user.home, "/root");
        assert_int_equal(resolve("app", &user), 0);
        assert_int_equal(user.uid, 100);
        assert_int_equal(user.gid, 101);
        assert_int_equal(user.n_groups, 2);
        assert_int_equal(user.groups[1], 300);
        assert_int_equal(resolve("100", &user), 0);
        assert_int_equal(user.gid, 101);
        assert_int_equal(resolve("555", &user), 0);
        assert_int_equal(user.uid, 555);
        assert_int_equal(user.gid, 0);
        assert_int_equal(resolve("app:extra", &user), 0);
        assert_int_equal(user.gid, 200);
        assert_int_equal(user.n_groups, 0);
        assert_int_equal(resolve("1:2", &user), 0);
        assert_int_equal(user.uid, 1);
        assert_int_equal(user.gid, 2);
}

static void test_unknown_and_broken_ones_are_refused(void **state) {
        ImageUser user;

        (void)state;
        assert_int_equal(resolve("nobody-here", &user), -EINVAL);
        assert_int_equal(resolve("app:nothing", &user), -EINVAL);
        assert_int_equal(resolve("broken", &user), -EINVAL);
        assert_int_equal(resolve("4294967295", &user), -EINVAL);
        assert_int_equal(image_user_resolve("app", NULL, slice_from(""), slice_from(""), &user, NULL), -EINVAL);
}

/* A link in the image that points out of it leads to the image's own file, not to the host's. */
static void test_links_do_not_lead_out_of_the_root(void **state) {
        char folder[] = "/tmp/test-user-XXXXXX";
        ImageUser user;
        int fd;

        (void)state;
        assert_non_null(mkdtemp(folder));
        fd = open(folder, O_PATH | O_DIRECTORY);
        assert_int_equal(mkdirat(fd, "etc", 0755), 0);
        assert_int_equal(symlinkat("../../../../../../etc/passwd", fd, "etc/passwd"), 0);
        assert_int_equal(image_user_find(fd, "root", NULL, &user, NULL), -ELOOP);
        assert_int_equal(unlinkat(fd, "etc/passwd", 0), 0);
        assert_int_equal(symlinkat("/etc/shadow", fd, "etc/passwd"), 0);
        assert_int_equal(image_user_find(fd, "root", NULL, &user, NULL), -EINVAL);
        assert_int_equal(unlinkat(fd, "etc/passwd", 0), 0);
        assert_int_equal(unlinkat(fd, "etc", AT_REMOVEDIR), 0);
        (void)close(fd);
        assert_int_equal(rmdir(folder), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_users_by_name_and_number),
                cmocka_unit_test(test_unknown_and_broken_ones_are_refused),
                cmocka_unit_test(test_links_do_not_lead_out_of_the_root),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
