#include "containers/image/layer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "containers/image/test-image.h"

static char folder[64];

static int set_up(void **state) {
        char root[80];

        (void)state;
        (void)snprintf(folder, sizeof(folder), "/tmp/test-layer-XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        (void)snprintf(root, sizeof(root), "%s/root", folder);
        return mkdir(root, 0755);
}

static int tear_down(void **state) {
        (void)state;
        return file_remove_tree(folder, NULL);
}

static int unpack(const TestEntry *entries, size_t count, LayerWhiteouts whiteouts, LayerResult *result, Error *error) {
        _cleanup_free_ char *root = str_printf("%s/root", folder);
        _cleanup_close_ int archive = test_archive(entries, count, false);

        return layer_unpack(archive, root, whiteouts, result, error);
}

static void test_files_links_and_sizes(void **state) {
        static const TestEntry entries[] = {
                {"./", AE_IFDIR, NULL},           {"etc/", AE_IFDIR, NULL},  {"etc/passwd", AE_IFREG, "root"},
                {"etc/link", AE_IFLNK, "passwd"}, {"hard", 0, "etc/passwd"},
        };
        _cleanup_free_ char *text = NULL, *linked = NULL, *hard = NULL;
        Error error = ERROR_NONE;
        LayerResult result;

        (void)state;
        assert_int_equal(unpack(entries, ARRAY_SIZE(entries), LAYER_WHITEOUTS_TRANSLATE, &result, &error), 0);
        assert_int_equal(result.size, 4);
        text = test_read(folder, "root/etc/passwd");
        linked = test_read(folder, "root/etc/link");
        hard = test_read(folder, "root/hard");
        assert_string_equal(text, "root");
        assert_string_equal(linked, "root");
        assert_string_equal(hard, "root");
}

static void test_compressed_archive_has_the_same_diff_id(void **state) {
        static const TestEntry entries[] = {{"a", AE_IFREG, "text"}};
        _cleanup_free_ char *root = str_printf("%s/root", folder);
        _cleanup_close_ int plain = test_archive(entries, 1, false), gzip = test_archive(entries, 1, true);
        LayerResult first, second;
        Error error = ERROR_NONE;
        char digest[DIGEST_TEXT_MAX];
        char bytes[65536];
        ssize_t length;

        (void)state;
        length = pread(plain, bytes, sizeof(bytes), 0);
        assert_int_equal(digest_of((Slice){bytes, (size_t)length}, digest), 0);
        assert_int_equal(layer_unpack(plain, root, LAYER_WHITEOUTS_TRANSLATE, &first, &error), 0);
        assert_int_equal(layer_unpack(gzip, root, LAYER_WHITEOUTS_TRANSLATE, &second, &error), 0);
        assert_string_equal(first.diff_id, digest);
        assert_string_equal(second.diff_id, digest);
}

static void test_whiteouts_become_those_of_overlayfs(void **state) {
        static const TestEntry entries[] = {{"dir/.wh.gone", AE_IFREG, ""}, {"dir/.wh..wh..opq", AE_IFREG, ""}};
        _cleanup_free_ char *gone = str_printf("%s/root/dir/gone", folder), *dir = str_printf("%s/root/dir", folder);
        Error error = ERROR_NONE;
        LayerResult result;
        struct stat status;
        char value[8];

        (void)state;
        if (setxattr(folder, "trusted.test", "y", 1, 0) < 0) {
                print_message("not root of this machine: no trusted attributes\n");
                skip();
        }
        assert_int_equal(unpack(entries, ARRAY_SIZE(entries), LAYER_WHITEOUTS_TRANSLATE, &result, &error), 0);
        assert_int_equal(lstat(gone, &status), 0);
        assert_true(S_ISCHR(status.st_mode));
        assert_int_equal(status.st_rdev, 0);
        assert_int_equal(getxattr(dir, "trusted.overlay.opaque", value, sizeof(value)), 1);
        assert_int_equal(value[0], 'y');
}

static void test_without_translation_such_names_are_files(void **state) {
        static const TestEntry entries[] = {{".wh.file", AE_IFREG, "kept"}};
        _cleanup_free_ char *text = NULL;
        LayerResult result;

        (void)state;
        assert_int_equal(unpack(entries, 1, LAYER_WHITEOUTS_NONE, &result, NULL), 0);
        text = test_read(folder, "root/.wh.file");
        assert_string_equal(text, "kept");
}

/* Each tries to write "evil" into the folder above the layer. */
static void test_nothing_leaves_the_layer(void **state) {
        static const TestEntry dots[] = {{"../evil", AE_IFREG, "x"}};
        static const TestEntry links[] = {{"up", AE_IFLNK, ".."}, {"up/evil", AE_IFREG, "x"}};
        static const TestEntry hard[] = {{"evil", 0, "../outside"}};
        static const TestEntry hidden[] = {{"up", AE_IFLNK, ".."}, {"up/.wh.evil", AE_IFREG, ""}};
        static const struct {
                const TestEntry *entries;
                size_t count;
        } rows[] = {{dots, 1}, {links, 2}, {hard, 1}, {hidden, 2}};
        _cleanup_free_ char *outside = str_printf("%s/outside", folder), *evil = str_printf("%s/evil", folder);
        LayerResult result;
        Error error = ERROR_NONE;
        struct stat status;

        (void)state;
        assert_int_equal(file_replace(outside, 0600, slice_from("secret"), false, NULL), 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                (void)unpack(rows[i].entries, rows[i].count, LAYER_WHITEOUTS_TRANSLATE, &result, &error);
                assert_int_equal(lstat(evil, &status), -1);
                assert_int_equal(stat(outside, &status), 0);
                assert_int_equal(status.st_nlink, 1);
        }
}

static void test_absolute_paths_are_taken_as_relative(void **state) {
        static const TestEntry entries[] = {{"/etc/motd", AE_IFREG, "inside"}};
        _cleanup_free_ char *text = NULL;
        LayerResult result;

        (void)state;
        assert_int_equal(unpack(entries, 1, LAYER_WHITEOUTS_TRANSLATE, &result, NULL), 0);
        text = test_read(folder, "root/etc/motd");
        assert_string_equal(text, "inside");
}

static void test_what_is_no_archive_is_refused(void **state) {
        _cleanup_free_ char *root = str_printf("%s/root", folder);
        _cleanup_close_ int fd = memfd_create("noise", MFD_CLOEXEC), empty = memfd_create("empty", MFD_CLOEXEC);
        Error error = ERROR_NONE;
        LayerResult result;

        (void)state;
        assert_int_equal(write(fd, "this is text and no archive, however long it may be made to go on", 64), 64);
        lseek(fd, 0, SEEK_SET);
        assert_int_equal(layer_unpack(fd, root, LAYER_WHITEOUTS_TRANSLATE, &result, &error), -EBADMSG);
        assert_true(error.text[0]);
        assert_int_equal(layer_unpack(empty, root, LAYER_WHITEOUTS_TRANSLATE, &result, &error), -EBADMSG);
}

static void test_cut_archive_is_refused(void **state) {
        static const TestEntry entries[] = {{"a", AE_IFREG, "some text"}, {"b", AE_IFREG, "more"}};
        _cleanup_free_ char *root = str_printf("%s/root", folder);
        _cleanup_close_ int archive = test_archive(entries, 2, false);
        Error error = ERROR_NONE;
        LayerResult result;

        (void)state;
        assert_int_equal(ftruncate(archive, 1200), 0);
        assert_int_equal(layer_unpack(archive, root, LAYER_WHITEOUTS_TRANSLATE, &result, &error), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_files_links_and_sizes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_compressed_archive_has_the_same_diff_id, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_whiteouts_become_those_of_overlayfs, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_without_translation_such_names_are_files, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nothing_leaves_the_layer, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_absolute_paths_are_taken_as_relative, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_what_is_no_archive_is_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_cut_archive_is_refused, set_up, tear_down),
        };

        if (!test_become_root()) {
                puts("neither root nor a user namespace: archives cannot be unpacked here");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
