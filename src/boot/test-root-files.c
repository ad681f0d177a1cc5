/* Real files, in a folder of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "boot/accounts.h"
#include "host/file.h"

static const FileOwner keep = {BOOT_FILE_KEEP, (gid_t)BOOT_FILE_KEEP};

typedef struct Fixture {
        char folder[64]; /* root and what lies outside of it */
        char root[80];
        RootFiles files;
} Fixture;

static int set_up(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        assert_non_null(fixture);
        (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/test-root-files-XXXXXX");
        assert_non_null(mkdtemp(fixture->folder));
        (void)snprintf(fixture->root, sizeof(fixture->root), "%s/root", fixture->folder);
        assert_int_equal(mkdir(fixture->root, 0755), 0);
        assert_int_equal(root_files_open(fixture->root, &fixture->files, NULL), 0);
        *state = fixture;
        return 0;
}

static int tear_down(void **state) {
        Fixture *fixture = *state;

        root_files_close(&fixture->files);
        (void)file_remove_tree(fixture->folder, NULL);
        free(fixture);
        return 0;
}

static int put(Fixture *fixture, const char *path, const char *text, mode_t mode) {
        return fixture->files.base.ops->write(&fixture->files.base, path, slice_from(text), mode, keep, NULL);
}

static char *path_of(const Fixture *fixture, const char *path) {
        char *whole = str_printf("%s%s", fixture->folder, path);

        assert_non_null(whole);
        return whole;
}

static void content_is(const Fixture *fixture, const char *path, const char *expected) {
        _cleanup_free_ char *whole = path_of(fixture, path);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        assert_int_equal(file_read(whole, 4096, &text, NULL), 0);
        assert_string_equal(buffer_string(&text), expected);
}

static void link_to(const Fixture *fixture, const char *target, const char *path) {
        _cleanup_free_ char *whole = path_of(fixture, path);

        assert_int_equal(symlink(target, whole), 0);
}

static bool is_there(const Fixture *fixture, const char *path) {
        _cleanup_free_ char *whole = path_of(fixture, path);
        struct stat status;

        return lstat(whole, &status) == 0;
}

static void test_file_gets_its_mode_and_folders(void **state) {
        Fixture *fixture = *state;
        _cleanup_free_ char *whole = path_of(fixture, "/root/a/b/c");
        struct stat status;

        assert_int_equal(put(fixture, "/a/b/c", "text", 0640), 0);
        content_is(fixture, "/root/a/b/c", "text");
        assert_int_equal(stat(whole, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0640);
        assert_int_equal(put(fixture, "/a/b/c", "new", 0600), 0);
        content_is(fixture, "/root/a/b/c", "new");
        assert_false(is_there(fixture, "/root/a/b/.faering-boot.new~"));
}

static void test_links_do_not_lead_out_of_the_root(void **state) {
        Fixture *fixture = *state;

        link_to(fixture, "..", "/root/up");
        link_to(fixture, "/", "/root/top");
        assert_int_equal(put(fixture, "/up/x", "1", 0644), 0);
        assert_int_equal(put(fixture, "/top/y", "2", 0644), 0);
        assert_int_equal(put(fixture, "/top/tmp/z", "3", 0644), 0);
        content_is(fixture, "/root/x", "1");
        content_is(fixture, "/root/y", "2");
        content_is(fixture, "/root/tmp/z", "3");
        assert_false(is_there(fixture, "/x"));
}

static void test_link_in_the_place_of_the_file_gives_way(void **state) {
        Fixture *fixture = *state;
        _cleanup_free_ char *outside = path_of(fixture, "/outside");

        assert_int_equal(file_replace(outside, 0644, slice_from("before"), false, NULL), 0);
        link_to(fixture, outside, "/root/x");
        assert_int_equal(put(fixture, "/x", "mine", 0644), 0);
        content_is(fixture, "/root/x", "mine");
        content_is(fixture, "/outside", "before");
}

static void test_folder_in_the_place_of_the_file_is_refused(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(put(fixture, "/a/b", "x", 0644), 0);
        assert_int_equal(put(fixture, "/a", "x", 0644), -EISDIR);
        assert_false(is_there(fixture, "/root/.faering-boot.new~"));
        assert_int_equal(put(fixture, "/a/b/c", "x", 0644), -ENOTDIR);
}

static void test_masks_come_and_go(void **state) {
        Fixture *fixture = *state;
        BootFiles *files = &fixture->files.base;

        assert_int_equal(files->ops->unmask(files, "/run/systemd/system/a.service", NULL), BOOT_SAME);
        assert_int_equal(files->ops->mask(files, "/run/systemd/system/a.service", NULL), 0);
        assert_int_equal(files->ops->mask(files, "/run/systemd/system/a.service", NULL), BOOT_SAME);
        assert_true(is_there(fixture, "/root/run/systemd/system/a.service"));
        assert_int_equal(files->ops->unmask(files, "/run/systemd/system/a.service", NULL), 0);
        assert_false(is_there(fixture, "/root/run/systemd/system/a.service"));
        assert_int_equal(put(fixture, "/run/systemd/system/a.service", "", 0644), 0);
        assert_int_equal(files->ops->unmask(files, "/run/systemd/system/a.service", NULL), 0);
        assert_int_equal(put(fixture, "/run/systemd/system/a.service", "[Unit]\n", 0644), 0);
        assert_int_equal(files->ops->unmask(files, "/run/systemd/system/a.service", NULL), BOOT_NOT_MASKED);
        assert_int_equal(files->ops->mask(files, "/run/systemd/system/a.service", NULL), 0);
        assert_int_equal(files->ops->unmask(files, "/run/systemd/system/a.service", NULL), 0);
}

static void test_what_is_so_already_is_left_alone(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(put(fixture, "/a/b", "x", 0644), 0);
        assert_int_equal(put(fixture, "/a/b", "x", 0644), BOOT_SAME);
        assert_int_equal(put(fixture, "/a/b", "x", 04755), 0);
        assert_int_equal(put(fixture, "/a/b", "xy", 04755), 0);
        assert_int_equal(put(fixture, "/a/b", "xy", 04755), BOOT_SAME);
        assert_int_equal(symlinkat("b", fixture->files.fd, "a-link"), 0);
        assert_int_equal(put(fixture, "/a-link", "xy", 0644), 0);
}

static void test_looking_changes_nothing(void **state) {
        Fixture *fixture = *state;
        BootFiles *files = &fixture->files.base;

        assert_int_equal(put(fixture, "/have", "x", 0644), 0);
        fixture->files.dry = true;
        assert_int_equal(put(fixture, "/have", "x", 0644), BOOT_SAME);
        assert_int_equal(put(fixture, "/new/b", "x", 0644), 0);
        assert_int_equal(files->ops->mask(files, "/new/c", NULL), 0);
        assert_int_equal(files->ops->set_hostname(files, "h", NULL), 0);
        assert_false(is_there(fixture, "/root/new"));
        assert_false(is_there(fixture, "/root/etc"));
}

/* ---- SSH keys ---- */

static int authorize(Fixture *fixture, const char *name, const char *keys) {
        char home[] = "/home/u";
        const RootUser user = {getuid(), getgid(), home};

        return authorized_keys_write(&fixture->files, &user, name, slice_from(keys), NULL);
}

static void keys_are(Fixture *fixture, const char *path, const char *expected) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        assert_int_equal(root_files_read(&fixture->files, path, 1000, &text, NULL), 0);
        assert_string_equal(buffer_string(&text), expected);
}

static void test_keys_of_several_names_make_one_file(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(put(fixture, "/home/u/.ssh/authorized_keys", "old", 0600), 0);
        assert_int_equal(authorize(fixture, "b", "two\n"), 0);
        assert_int_equal(authorize(fixture, "a", "one\n"), 0);
        assert_int_equal(authorize(fixture, "a", "one\n"), BOOT_SAME);
        keys_are(fixture, "/home/u/.ssh/authorized_keys", "one\ntwo\nold\n");
        keys_are(fixture, "/home/u/.ssh/authorized_keys.d/b", "two\n");
        assert_int_equal(authorize(fixture, "b", "three\n"), 0);
        keys_are(fixture, "/home/u/.ssh/authorized_keys", "one\nthree\nold\n");
}

/* The home's owner may put a link there, and whoever follows it writes elsewhere as root. */
static void test_links_in_the_home_are_not_followed(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(put(fixture, "/home/u/x", "", 0600), 0);
        assert_int_equal(put(fixture, "/root/.ssh/x", "", 0600), 0);
        assert_int_equal(symlinkat("/root/.ssh", fixture->files.fd, "home/u/.ssh"), 0);
        assert_true(authorize(fixture, "a", "one\n") < 0);
        assert_false(is_there(fixture, "/root/root/.ssh/authorized_keys.d"));
}

static void test_owners_are_those_of_the_root(void **state) {
        Fixture *fixture = *state;
        BootFiles *files = &fixture->files.base;
        FileOwner owner;
        Error error = ERROR_NONE;

        assert_int_equal(put(fixture, "/etc/passwd", "root:x:0:0::/:/bin/sh\ncore:x:123:456::/:/bin/sh\n", 0644), 0);
        assert_int_equal(put(fixture, "/etc/group", "wheel:x:789:\n", 0644), 0);
        assert_int_equal(files->ops->find_owner(files, "core:wheel", &owner, NULL), 0);
        assert_int_equal(owner.user, 123);
        assert_int_equal(owner.group, 789);
        assert_int_equal(files->ops->find_owner(files, "core", &owner, NULL), 0);
        assert_true(owner.group == (gid_t)BOOT_FILE_KEEP);
        assert_int_equal(files->ops->find_owner(files, ":7", &owner, NULL), 0);
        assert_true(owner.user == BOOT_FILE_KEEP);
        assert_int_equal(owner.group, 7);
        assert_int_equal(files->ops->find_owner(files, "elroy", &owner, &error), -ENOENT);
        assert_non_null(strstr(error.text, "\"elroy\""));
        assert_int_equal(files->ops->find_owner(files, "core:elroy", &owner, NULL), -ENOENT);
}

static void test_enabling_makes_the_links_of_install(void **state) {
        Fixture *fixture = *state;
        _cleanup_free_ char *wants = path_of(fixture, "/root/etc/systemd/system/multi-user.target.wants/a@1.service");
        char target[128] = "";

        assert_int_equal(root_files_enable(&fixture->files, "a@1.service", false, NULL), -ENOENT);
        assert_int_equal(put(fixture, "/usr/lib/systemd/system/a@.service",
                             "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target "
                             "x.target\nAlias=b@1.service\n",
                             0644),
                         0);
        assert_int_equal(root_files_enable(&fixture->files, "a@1.service", false, NULL), 0);
        assert_true(readlink(wants, target, sizeof(target) - 1) > 0);
        assert_string_equal(target, "/usr/lib/systemd/system/a@.service");
        assert_true(is_there(fixture, "/root/etc/systemd/system/x.target.wants/a@1.service"));
        assert_true(is_there(fixture, "/root/etc/systemd/system/b@1.service"));
        assert_int_equal(root_files_enable(&fixture->files, "a@1.service", true, NULL), 0);
        assert_true(is_there(fixture, "/root/run/systemd/system/multi-user.target.wants/a@1.service"));
}

static void test_hostname_of_another_root_is_only_written(void **state) {
        Fixture *fixture = *state;
        char before[80], after[80];

        assert_int_equal(gethostname(before, sizeof(before)), 0);
        assert_int_equal(fixture->files.base.ops->set_hostname(&fixture->files.base, "elsewhere", NULL), 0);
        assert_int_equal(gethostname(after, sizeof(after)), 0);
        assert_string_equal(before, after);
        content_is(fixture, "/root/etc/hostname", "elsewhere\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_file_gets_its_mode_and_folders, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_links_do_not_lead_out_of_the_root, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_link_in_the_place_of_the_file_gives_way, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_folder_in_the_place_of_the_file_is_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_what_is_so_already_is_left_alone, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_looking_changes_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_keys_of_several_names_make_one_file, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_links_in_the_home_are_not_followed, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_masks_come_and_go, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_owners_are_those_of_the_root, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_enabling_makes_the_links_of_install, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_hostname_of_another_root_is_only_written, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
