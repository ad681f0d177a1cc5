#include "containers/image/image-store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "containers/image/image-import.h"
#include "containers/image/image-pull.h"
#include "containers/image/image-save.h"
#include "containers/image/image-serve.h"
#include "containers/image/test-image.h"
#include "net/http-server.h"

static uv_loop_t loop;
static char folder[64];
static ImageStore *store;

static const TestEntry files[] = {
        {"bin/", AE_IFDIR, NULL}, {"bin/sh", AE_IFREG, "#!"}, {"hello", AE_IFREG, "hello world"}};

static ImageStore *open_store(const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, name);
        ImageStore *opened = NULL;
        Error error = ERROR_NONE;

        if (image_store_open(&loop, path, &opened, &error) < 0)
                fail_msg("%s", error.text);
        return opened;
}

static int set_up(void **state) {
        (void)state;
        (void)snprintf(folder, sizeof(folder), "/tmp/test-images-XXXXXX");
        if (uv_loop_init(&loop) < 0 || !mkdtemp(folder))
                return -1;
        store = open_store("a");
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        store = image_store_free(store);
        uv_run(&loop, UV_RUN_DEFAULT);
        return uv_loop_close(&loop) == 0 ? file_remove_tree(folder, NULL) : -1;
}

static Image *import(const char *name, const char *change) {
        _cleanup_string_list_ StringList changes = {0};
        const ImportOptions options = {.name = name, .changes = &changes, .now = 1700000000 * (WallUsec)USEC_PER_SEC};
        TestJob wait = {0};
        ImageJob *job;
        Error error = ERROR_NONE;

        if (change)
                string_list_add(&changes, change);
        assert_int_equal(image_import_start(store, test_archive(files, ARRAY_SIZE(files), false), &options,
                                            &test_job_events, &wait, &job, &error),
                         0);
        if (test_job_wait(&loop, &wait) < 0)
                fail_msg("%s", wait.error.text);
        string_list_deinit(&wait.lines);
        return wait.image;
}

static size_t count_in(const char *name) {
        _cleanup_free_ char *command = str_printf("ls %s/%s | wc -l", folder, name);
        FILE *pipe = popen(command, "r");
        char line[32] = "";

        assert_non_null(pipe);
        assert_non_null(fgets(line, sizeof(line), pipe));
        pclose(pipe);
        return (size_t)strtoul(line, NULL, 10);
}

static void test_imported_image_is_found_and_has_its_files(void **state) {
        _cleanup_free_ char *lower = NULL, *text = NULL;
        Image *image = import("busybox", "CMD [\"/bin/sh\"]"), *found;
        char prefix[16];

        (void)state;
        assert_int_equal(image_store_find(store, "busybox", &found, NULL), 0);
        assert_ptr_equal(found, image);
        assert_int_equal(image_store_find(store, "docker.io/library/busybox:latest", &found, NULL), 0);
        (void)snprintf(prefix, sizeof(prefix), "%.12s", digest_hex(image->id));
        assert_int_equal(image_store_find(store, prefix, &found, NULL), 0);
        assert_int_equal(image->size, 13);
        assert_string_equal(image->config.command.items[0], "/bin/sh");
        lower = image_lower_directories(store, image);
        text = test_read(lower, "hello");
        assert_string_equal(text, "hello world");
}

static void test_missing_image_is_named(void **state) {
        Error error = ERROR_NONE;
        Image *found;

        (void)state;
        assert_int_equal(image_store_find(store, "nothing", &found, &error), -ENOENT);
        assert_string_equal(error.text, "No such image: nothing:latest");
        assert_int_equal(image_store_find(store, "Bad Name", &found, &error), -EINVAL);
}

static void test_images_are_there_after_opening_again(void **state) {
        Image *found;

        (void)state;
        (void)import("one", NULL);
        (void)import("two", "ENV A=b");
        image_store_free(store);
        store = open_store("a");
        assert_int_equal(image_store_find(store, "one", &found, NULL), 0);
        assert_int_equal(image_store_find(store, "two", &found, NULL), 0);
        assert_string_equal(found->config.environment.items[0], "A=b");
        assert_non_null(image_store_at(store, 1));
        assert_null(image_store_at(store, 2));
}

static void test_removed_image_leaves_nothing(void **state) {
        _cleanup_string_list_ StringList removed = {0};
        Image *image = import("busybox", NULL);
        Error error = ERROR_NONE;

        (void)state;
        assert_int_equal(image_store_tag(store, image, "other:1", &error), 0);
        assert_int_equal(image_store_remove(store, "busybox", false, &removed, &error), 0);
        assert_string_equal(removed.items[0], "Untagged: busybox:latest");
        assert_int_equal(removed.length, 1);
        image->users = 1;
        assert_int_equal(image_store_remove(store, "other:1", true, &removed, &error), -EBUSY);
        image->users = 0;
        assert_int_equal(image_store_remove(store, "other:1", false, &removed, &error), 0);
        assert_int_equal(removed.length, 3);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(count_in("a/sha256"), 0);
        assert_int_equal(count_in("a/layers"), 0);
}

static void test_shared_layer_stays_with_the_other_image(void **state) {
        _cleanup_string_list_ StringList removed = {0};
        _cleanup_free_ char *lower = NULL, *text = NULL;
        Image *found;

        (void)state;
        (void)import("one", NULL);
        (void)import("two", "ENV A=b");
        assert_int_equal(image_store_remove(store, "one", false, &removed, NULL), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(image_store_find(store, "two", &found, NULL), 0);
        lower = image_lower_directories(store, found);
        text = test_read(lower, "bin/sh");
        assert_string_equal(text, "#!");
}

static void test_name_moves_to_the_newer_image(void **state) {
        Image *first = import("app", NULL), *second = import("app", "ENV A=b"), *found;

        (void)state;
        assert_ptr_not_equal(first, second);
        assert_int_equal(image_store_find(store, "app", &found, NULL), 0);
        assert_ptr_equal(found, second);
        assert_int_equal(first->names.length, 0);
}

static void test_broken_import_leaves_nothing(void **state) {
        const ImportOptions options = {.name = "broken"};
        int noise = memfd_create("noise", MFD_CLOEXEC);
        TestJob wait = {0};
        ImageJob *job;
        Image *found;

        (void)state;
        assert_int_equal(write(noise, "no archive", 10), 10);
        lseek(noise, 0, SEEK_SET);
        assert_int_equal(image_import_start(store, noise, &options, &test_job_events, &wait, &job, NULL), 0);
        assert_int_equal(test_job_wait(&loop, &wait), -EBADMSG);
        assert_int_equal(image_store_find(store, "broken", &found, NULL), -ENOENT);
        image_store_free(store);
        store = open_store("a");
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(count_in("a/sha256"), 0);
        assert_int_equal(count_in("a/layers"), 0);
}

static void test_bad_change_is_refused(void **state) {
        static const char *const rows[] = {"RUN x", "CMD [1]", "CMD [\"a\"", "ENV a", "ENV 'a=b", "USER", ""};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_string_list_ StringList changes = {0};
                const ImportOptions options = {.changes = &changes};
                Error error = ERROR_NONE;
                TestJob wait = {0};
                ImageJob *job;

                string_list_add(&changes, rows[i]);
                assert_int_equal(image_import_start(store, test_archive(files, 1, false), &options, &test_job_events,
                                                    &wait, &job, &error),
                                 -EINVAL);
                assert_non_null(strstr(error.text, "the change"));
        }
}

static int save(const char *name) {
        _cleanup_string_list_ StringList names = {0};
        int archive = memfd_create("save", MFD_CLOEXEC);
        TestJob wait = {0};
        ImageJob *job;

        string_list_add(&names, name);
        assert_int_equal(image_save_start(store, &names, archive, &test_job_events, &wait, &job, NULL), 0);
        if (test_job_wait(&loop, &wait) < 0)
                fail_msg("%s", wait.error.text);
        lseek(archive, 0, SEEK_SET);
        return archive;
}

static void test_saved_image_loads_the_same_elsewhere(void **state) {
        Image *image = import("a/b:c", "CMD [\"x\"]");
        ImageStore *other = open_store("other");
        TestJob wait = {0};
        ImageJob *job;

        (void)state;
        assert_int_equal(image_load_start(other, save("a/b:c"), &test_job_events, &wait, &job, NULL), 0);
        if (test_job_wait(&loop, &wait) < 0)
                fail_msg("%s", wait.error.text);
        assert_string_equal(wait.image->id, image->id);
        assert_string_equal(wait.image->names.items[0], "docker.io/a/b:c");
        assert_string_equal(wait.lines.items[0], "Loaded image: a/b:c");
        string_list_deinit(&wait.lines);
        image_store_free(other);
}

static void test_archive_without_an_image_is_refused(void **state) {
        TestJob wait = {0};
        ImageJob *job;

        (void)state;
        assert_int_equal(image_load_start(store, test_archive(files, ARRAY_SIZE(files), false), &test_job_events, &wait,
                                          &job, NULL),
                         0);
        assert_int_equal(test_job_wait(&loop, &wait), -EBADMSG);
        assert_non_null(strstr(wait.error.text, "holds no image"));
}

/* ---- pulling ---- */

static const HttpServerOps serve_ops = {.handle = image_serve_handle};

static HttpServer *serve(StringList *peers) {
        HttpServer *server = http_server_new(&loop, &serve_ops, store, NULL);
        Url url = {.scheme = URL_HTTP, .host = "127.0.0.1"};
        uint16_t port;

        assert_int_equal(http_server_listen(server, &url, 0, NULL, &port, NULL), 0);
        string_list_take(peers, str_printf("http://127.0.0.1:%u", port));
        return server;
}

static int pull(ImageStore *to, const char *name, const StringList *peers, TestJob *wait) {
        const PullOptions options = {.name = name, .peers = peers};
        ImageJob *job;

        *wait = (TestJob){0};
        assert_int_equal(image_pull_start(to, &options, &test_job_events, wait, &job, NULL), 0);
        return test_job_wait(&loop, wait);
}

static void test_absent_image_comes_from_a_peer(void **state) {
        _cleanup_string_list_ StringList peers = {0};
        Image *image = import("localhost:1/app:v1", NULL);
        HttpServer *server = serve(&peers);
        ImageStore *other = open_store("other");
        TestJob wait;

        (void)state;
        if (pull(other, "localhost:1/app:v1", &peers, &wait) < 0)
                fail_msg("%s", wait.error.text);
        assert_string_equal(wait.image->id, image->id);
        assert_string_equal(wait.lines.items[wait.lines.length - 1],
                            "Status: Downloaded newer image for localhost:1/app:v1");
        string_list_deinit(&wait.lines);
        http_server_close(server, NULL, NULL);
        image_store_free(other);
}

/* Port 1 of this machine: nothing listens there. */
static void test_present_image_stays_when_no_registry_answers(void **state) {
        StringList none = {0};
        TestJob wait;

        (void)state;
        (void)import("localhost:1/app:v1", NULL);
        assert_int_equal(pull(store, "localhost:1/app:v1", &none, &wait), 0);
        assert_non_null(strstr(wait.lines.items[wait.lines.length - 1],
                               "Image is up to date for localhost:1/app:v1: the one that is here is kept"));
        string_list_deinit(&wait.lines);
        assert_int_equal(pull(store, "localhost:1/none", &none, &wait), -EHOSTUNREACH);
        assert_non_null(strstr(wait.error.text, "does not answer"));
        string_list_deinit(&wait.lines);
}

static void test_damaged_blob_of_a_peer_is_refused(void **state) {
        _cleanup_string_list_ StringList peers = {0};
        Image *image = import("localhost:1/app:v1", NULL), *found;
        _cleanup_free_ char *path = content_path(image_store_content(store), image->id);
        HttpServer *server = serve(&peers);
        ImageStore *other = open_store("other");
        TestJob wait;
        int fd = open(path, O_WRONLY);

        (void)state;
        assert_int_equal(pwrite(fd, "X", 1, 1), 1);
        close(fd);
        assert_int_equal(pull(other, "localhost:1/app:v1", &peers, &wait), -EHOSTUNREACH);
        assert_non_null(strstr(wait.lines.items[0], "damaged on the way"));
        assert_int_equal(image_store_find(other, "localhost:1/app:v1", &found, NULL), -ENOENT);
        string_list_deinit(&wait.lines);
        http_server_close(server, NULL, NULL);
        image_store_free(other);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_imported_image_is_found_and_has_its_files),
                TEST(test_missing_image_is_named),
                TEST(test_images_are_there_after_opening_again),
                TEST(test_removed_image_leaves_nothing),
                TEST(test_shared_layer_stays_with_the_other_image),
                TEST(test_name_moves_to_the_newer_image),
                TEST(test_broken_import_leaves_nothing),
                TEST(test_bad_change_is_refused),
                TEST(test_saved_image_loads_the_same_elsewhere),
                TEST(test_archive_without_an_image_is_refused),
                TEST(test_absent_image_comes_from_a_peer),
                TEST(test_present_image_stays_when_no_registry_answers),
                TEST(test_damaged_blob_of_a_peer_is_refused),
        };

        if (!test_become_root()) {
                puts("neither root nor a user namespace: archives cannot be unpacked here");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
