#pragma once
/* For tests of handlers: the API over the fake backend, on a unix socket of this process. Include the headers of cmocka before. */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "store/api/auth.h"
#include "store/api/fake-backend.h"

typedef struct Fixture {
        uv_loop_t loop;
        FakeBackend fake;
        Api api;
        HttpServer *server;
        char directory[32];
        char path[64];
} Fixture;

static _unused_ int set_up(void **state) {
        static const HttpServerOps ops = {.handle = api_handle};
        Fixture *fixture = calloc(1, sizeof(*fixture));
        Url url = {.scheme = URL_UNIX};

        assert_non_null(fixture);
        (void)signal(SIGPIPE, SIG_IGN);
        assert_int_equal(fake_backend_init(&fixture->fake, "http://127.0.0.1:2379"), 0);
        assert_int_equal(uv_loop_init(&fixture->loop), 0);
        api_init(&fixture->api, &fake_backend, &fixture->fake, auth_new(&fixture->loop));
        assert_non_null(fixture->api.auth);
        fixture->server = http_server_new(&fixture->loop, &ops, &fixture->api, &http_server_limits_default);
        (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/store-api-XXXXXX");
        assert_non_null(mkdtemp(fixture->directory));
        (void)snprintf(fixture->path, sizeof(fixture->path), "%s/socket", fixture->directory);
        (void)snprintf(url.host, sizeof(url.host), "%s", fixture->path);
        assert_int_equal(http_server_listen(fixture->server, &url, 0600, NULL, NULL, NULL), 0);
        *state = fixture;
        return 0;
}

static _unused_ int tear_down(void **state) {
        Fixture *fixture = *state;

        if (fixture->server)
                http_server_close(fixture->server, NULL, NULL);
        while (uv_run(&fixture->loop, UV_RUN_ONCE))
                ;
        assert_int_equal(uv_loop_close(&fixture->loop), 0);
        (void)auth_free(fixture->api.auth);
        api_deinit(&fixture->api);
        fake_backend_deinit(&fixture->fake);
        (void)unlink(fixture->path);
        (void)rmdir(fixture->directory);
        free(fixture);
        return 0;
}

static _unused_ void turn(Fixture *fixture) {
        for (int i = 0; i < 5; i++)
                (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static _unused_ int send_request(Fixture *fixture, const char *request) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->path);
        assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
        turn(fixture);
        return fd;
}

/* What has come so far. */
static _unused_ const char *receive(Fixture *fixture, int fd, Buffer *answer) {
        char piece[4096];
        ssize_t n;

        turn(fixture);
        while ((n = recv(fd, piece, sizeof(piece), 0)) > 0) {
                assert_int_equal(buffer_append(answer, piece, (size_t)n), 0);
                turn(fixture);
        }
        return buffer_string(answer);
}

/* One request on a connection of its own; the answer must begin with the status and hold the text. */
static _unused_ void exchange(Fixture *fixture, const char *request, unsigned status, const char *text) {
        _cleanup_buffer_ Buffer answer = BUFFER_INIT;
        _cleanup_close_ int fd = send_request(fixture, request);
        const char *got = receive(fixture, fd, &answer);
        char expected[32];

        (void)snprintf(expected, sizeof(expected), "HTTP/1.1 %u ", status);
        if (strncmp(got, expected, strlen(expected)) != 0 || !strstr(got, text))
                fail_msg("wanted %u with '%s', got: %s", status, text, got);
}

#define HOST " HTTP/1.1\r\nHost: x\r\n"
#define END HOST "\r\n"
