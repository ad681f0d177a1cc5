/* Sockets, timers and paths on the embedded supervisor, with real sockets, files and times. */
#include <sys/socket.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "host/test-embedded-machine.h"

static void turn_until(Machine *m, const char *wanted) {
        while (!strstr(m->states, wanted))
                (void)uv_run(&m->loop, UV_RUN_ONCE);
}

static int connect_unix(Machine *m, const char *name) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", m->folder, name);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

/* What comes from the other end, while the supervisor does its part. */
static const char *receive(Machine *m, int fd, char *text, size_t size) {
        ssize_t n;

        while ((n = recv(fd, text, size - 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN) {
                (void)uv_run(&m->loop, UV_RUN_NOWAIT);
                (void)usleep(1000);
        }
        text[max_of(n, (ssize_t)0)] = '\0';
        return text;
}

static void wait_file(Machine *m, const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s", m->folder, name);

        while (access(path, F_OK) < 0) {
                (void)uv_run(&m->loop, UV_RUN_NOWAIT);
                (void)usleep(1000);
        }
}

static void touch(Machine *m, const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s", m->folder, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "x", 1), 1);
        assert_int_equal(close(fd), 0);
}

static void test_a_client_starts_the_service_which_gets_the_socket(void **state) {
        Machine *m = *state;
        _cleanup_free_ char *path = str_printf("%s/a/say.sock", m->folder);
        char text[256];
        struct stat is;
        int fd;

        load_in(m, "say.service",
                "[Service]\nStandardInput=null\n"
                "ExecStart=/bin/sh -c 'test $$LISTEN_PID = $$$$ && echo $$LISTEN_FDS $$LISTEN_FDNAMES > @/got.new && mv @/got.new @/got; "
                "exec sleep 60'\n");
        load_in(m, "say.socket",
                "[Socket]\nListenStream=@/a/say.sock\nListenDatagram=@/a/say.dgram\nSocketMode=0600\nFileDescriptorName=talk\n"
                "RemoveOnStop=yes\n");
        assert_int_equal(start(m, "say.socket", NULL), 0);
        assert_string_equal(m->last.sub, "listening");
        assert_int_equal(stat(path, &is), 0);
        assert_int_equal(is.st_mode & 0777, 0600);
        assert_null(strstr(m->states, "say:start"));
        fd = connect_unix(m, "a/say.sock");
        wait_file(m, "got");
        assert_string_equal(read_file(m, "got", text, sizeof(text)), "2 talk:talk\n");
        turn_until(m, "say:running say:running");
        stop(m, "say.service");
        turn_until(m, "say:dead say:listening"); /* there is a client still: it is started again */
        (void)close(fd);
        stop(m, "say.socket");
        assert_int_equal(access(path, F_OK), -1);
        stop(m, "say.service");
}

static void test_each_connection_gets_an_instance(void **state) {
        Machine *m = *state;
        char text[256];
        int one, two;

        load(m, "echo@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n");
        load_in(m, "echo.socket", "[Socket]\nListenStream=@/echo.sock\nAccept=yes\nMaxConnections=2\n");
        assert_int_equal(start(m, "echo@.service", NULL), -EINVAL);
        assert_int_equal(start(m, "echo.socket", NULL), 0);
        one = connect_unix(m, "echo.sock");
        two = connect_unix(m, "echo.sock");
        assert_int_equal(send(one, "one", 3, 0), 3);
        assert_int_equal(send(two, "two", 3, 0), 3);
        assert_string_equal(receive(m, one, text, sizeof(text)), "one");
        assert_string_equal(receive(m, two, text, sizeof(text)), "two");
        {
                int three = connect_unix(m, "echo.sock");

                assert_string_equal(receive(m, three, text, sizeof(text)), ""); /* too many */
                (void)close(three);
        }
        (void)close(one);
        turn_until(m, "echo@0-");
        while (!str_equals(m->last.load, "not-found")) /* instances go when they have ended */
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        (void)close(two);
        stop(m, "echo.socket");
}

static uint16_t free_port(void) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
        (void)close(fd);
        return ntohs(address.sin_port);
}

static void test_a_tcp_connection_knows_its_peer(void **state) {
        Machine *m = *state;
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        char unit[256], text[256];
        uint16_t port = free_port();
        int fd;

        load(m, "who@.service", "[Service]\nStandardInput=socket\nExecStart=/bin/sh -c 'echo $$REMOTE_ADDR $${LISTEN_FDNAMES}'\n");
        (void)snprintf(unit, sizeof(unit), "[Socket]\nListenStream=127.0.0.1:%u\nAccept=yes\nBacklog=5\n", port);
        load(m, "who.socket", unit);
        assert_int_equal(start(m, "who.socket", NULL), 0);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        address.sin_port = htons(port);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_string_equal(receive(m, fd, text, sizeof(text)), "127.0.0.1 connection\n");
        (void)close(fd);
        stop(m, "who.socket");
}

static void test_a_socket_says_why_it_cannot_listen(void **state) {
        Machine *m = *state;
        Error error;

        load(m, "x.service", "[Service]\nExecStart=/bin/sleep 60\n");
        load(m, "x.socket", "[Socket]\nListenStream=192.0.2.1:9\n");
        assert_int_equal(start(m, "x.socket", &error), -EREMOTEIO);
        assert_non_null(strstr(error.text, "cannot bind 192.0.2.1 9"));
        assert_string_equal(m->last.active, "failed");
        load(m, "y.socket", "[Socket]\nListenStream=192.0.2.1:9\n");
        assert_int_equal(start(m, "y.socket", &error), -EREMOTEIO);
        assert_non_null(strstr(error.text, "y.service, which it starts, is not loaded"));
}

static void test_a_timer_starts_its_service_again_and_again(void **state) {
        Machine *m = *state;

        load(m, "tick.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
        load(m, "tick.timer", "[Timer]\nOnActiveSec=50ms\nOnUnitActiveSec=50ms\nAccuracySec=1ms\n");
        assert_int_equal(start(m, "tick.timer", NULL), 0);
        assert_string_equal(m->last.sub, "waiting");
        turn_until(m, "tick:start tick:running tick:dead tick:waiting tick:start tick:running tick:dead tick:waiting");
        stop(m, "tick.timer");
}

static void test_a_persistent_timer_leaves_a_stamp(void **state) {
        Machine *m = *state;

        load(m, "day.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
        load(m, "day.timer", "[Timer]\nOnCalendar=daily\nPersistent=yes\n");
        assert_int_equal(start(m, "day.timer", NULL), 0);
        {
                _cleanup_free_ char *path = str_printf("%s/state/timers/stamp-day.timer", m->folder);
                struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};

                assert_int_equal(access(path, F_OK), 0);
                stop(m, "day.timer");
                assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0); /* it was last on in 1970 */
        }
        m->states[0] = '\0';
        assert_int_equal(start(m, "day.timer", NULL), 0);
        turn_until(m, "day:dead");
        stop(m, "day.timer");
}

static void test_a_path_starts_its_service(void **state) {
        Machine *m = *state;

        load_in(m, "spool.service",
                "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'for j in @/spool/*.job; do mv \"$$j\" \"$$j.done\"; done'\n");
        load_in(m, "spool.path", "[Path]\nPathExistsGlob=@/spool/*.job\n");
        assert_int_equal(start(m, "spool.path", NULL), 0);
        assert_string_equal(m->last.sub, "waiting");
        {
                _cleanup_free_ char *path = str_printf("%s/spool", m->folder);

                (void)uv_run(&m->loop, UV_RUN_NOWAIT);
                assert_int_equal(mkdir(path, 0755), 0); /* it appears later */
        }
        touch(m, "spool/a.job");
        wait_file(m, "spool/a.job.done");
        touch(m, "spool/b.job");
        wait_file(m, "spool/b.job.done");
        stop(m, "spool.path");
}

static void test_a_path_sees_changes_and_entries(void **state) {
        Machine *m = *state;

        load_in(m, "seen.service", "[Service]\nType=oneshot\nExecStart=/bin/touch @/seen\n");
        load_in(m, "seen.path", "[Path]\nPathChanged=@/file\n");
        touch(m, "file");
        assert_int_equal(start(m, "seen.path", NULL), 0);
        (void)uv_run(&m->loop, UV_RUN_NOWAIT);
        assert_null(strstr(m->states, "seen:start")); /* that it exists is no change */
        touch(m, "file");
        wait_file(m, "seen");
        load_in(m, "full.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'mv @/box/* @/out'\n");
        load_in(m, "full.path", "[Path]\nDirectoryNotEmpty=@/box\nMakeDirectory=yes\n");
        assert_int_equal(start(m, "full.path", NULL), 0);
        touch(m, "box/thing");
        wait_file(m, "out");
        stop(m, "full.path");
        stop(m, "seen.path");
}

static void test_a_path_whose_service_does_nothing_about_it_ends(void **state) {
        Machine *m = *state;

        load(m, "vain.service", "[Unit]\nStartLimitBurst=3\n[Service]\nType=oneshot\nExecStart=/bin/true\n");
        load_in(m, "vain.path", "[Path]\nPathExists=@\n");
        assert_int_equal(start(m, "vain.path", NULL), 0);
        while (!str_equals(m->last.result, "unit-start-limit-hit"))
                (void)uv_run(&m->loop, UV_RUN_ONCE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_client_starts_the_service_which_gets_the_socket),
                TEST(test_each_connection_gets_an_instance),
                TEST(test_a_tcp_connection_knows_its_peer),
                TEST(test_a_socket_says_why_it_cannot_listen),
                TEST(test_a_timer_starts_its_service_again_and_again),
                TEST(test_a_persistent_timer_leaves_a_stamp),
                TEST(test_a_path_starts_its_service),
                TEST(test_a_path_sees_changes_and_entries),
                TEST(test_a_path_whose_service_does_nothing_about_it_ends),
        };

        int failed = 0;

        test_pid = getpid();
        failed += cmocka_run_group_tests(tests, NULL, NULL);
        shim = built_shim();
        failed += cmocka_run_group_tests(tests, NULL, NULL);
        return failed;
}
