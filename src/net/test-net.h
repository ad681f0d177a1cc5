#pragma once
/*
 * A server on a unix socket in a folder of its own, on one loop with a raw client or our own: for the tests of this
 * folder. The paths of on_handle() say what each request gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/http-file.h"
#include "net/http-server.h"

enum { BENCH_HELD = 20000, BENCH_BIG = 8 << 20 };

/* A filter that turns every bit: what is not decoded both ways does not parse. */
typedef struct XorFilter {
        StreamFilter filter;
} XorFilter;

typedef struct Bench {
        uv_loop_t loop;
        HttpServer *server;
        char folder[64];
        Url url;
        HttpServerLimits limits;
        bool filtered, take_bodies;
        TlsContext *tls; /* of each connection, or NULL */
        size_t refused;
        char refused_why[ERROR_TEXT_MAX];
        HttpRequest *held[BENCH_HELD];
        size_t held_count, gone, handled, taken, taken_ends, server_closed;
        Buffer upgraded_input;
        size_t upgraded_ends, upgraded_closed;
} Bench;

static int xor_bytes(const char *bytes, size_t length, Buffer *to) {
        for (size_t i = 0; i < length; i++)
                (void)buffer_append_byte(to, (char)~bytes[i]);
        return buffer_failed(to);
}

static int xor_input(StreamFilter *filter, const char *bytes, size_t length, Buffer *plain, Buffer *wire) {
        (void)filter;
        (void)wire;
        return xor_bytes(bytes, length, plain);
}

static int xor_output(StreamFilter *filter, const char *bytes, size_t length, Buffer *wire) {
        (void)filter;
        return xor_bytes(bytes, length, wire);
}

static int xor_end(StreamFilter *filter, Buffer *wire) {
        (void)filter;
        (void)wire;
        return 0;
}

static void xor_free(StreamFilter *filter) {
        free(container_of(filter, XorFilter, filter));
}

static inline StreamFilter *xor_new(void) {
        static const StreamFilterOps ops = {.input = xor_input, .output = xor_output, .end = xor_end, .free = xor_free};
        XorFilter *one = calloc(1, sizeof(*one));

        assert_non_null(one);
        one->filter.ops = &ops;
        return &one->filter;
}

static int on_filter(void *userdata, void *listener_data, StreamFilter **ret) {
        Bench *bench = userdata;

        (void)listener_data;
        if (bench->tls)
                return tls_server_filter(bench->tls, USEC_PER_SEC, ret);
        if (bench->filtered)
                *ret = xor_new();
        return 0;
}

static void on_refused(void *userdata, const char *peer, const char *why, size_t more) {
        Bench *bench = userdata;

        (void)peer;
        bench->refused += 1 + more;
        (void)snprintf(bench->refused_why, sizeof(bench->refused_why), "%s", why);
}

/* ---- an upgraded connection: echoes ---- */

static void on_upgraded_input(Stream *stream, const char *bytes, size_t length) {
        Bench *bench = stream->owner;

        assert_int_equal(buffer_append(&bench->upgraded_input, bytes, length), 0);
        (void)stream_write(stream, bytes, length);
}

static void on_upgraded_end(Stream *stream) {
        Bench *bench = stream->owner;

        bench->upgraded_ends++;
        (void)stream_write(stream, "bye", 3);
        stream_end(stream);
}

static void on_upgraded_failed(Stream *stream, int r) {
        (void)r;
        stream_close(stream);
}

static void on_upgraded_ended(Stream *stream) {
        stream_close(stream);
}

static void on_upgraded_closed(Stream *stream) {
        ((Bench *)stream->owner)->upgraded_closed++;
        http_upgraded_free(stream);
}

static const StreamEvents upgraded_events = {
        .input = on_upgraded_input,
        .input_end = on_upgraded_end,
        .failed = on_upgraded_failed,
        .ended = on_upgraded_ended,
        .closed = on_upgraded_closed,
};

static void handle_upgrade(Bench *bench, HttpRequest *request) {
        _cleanup_buffer_ Buffer early = BUFFER_INIT;
        Stream *stream;

        assert_true(http_request_wants_upgrade(request));
        assert_int_equal(http_request_upgrade(request, 101, "Connection: Upgrade\r\nUpgrade: tcp\r\n", &stream, &early), 0);
        stream_set_events(stream, &upgraded_events, bench);
        if (buffer_length(&early) > 0)
                on_upgraded_input(stream, buffer_data(&early), buffer_length(&early));
        assert_int_equal(stream_start_reading(stream), 0);
}

/* ---- the handler ---- */

static void on_gone(HttpRequest *request) {
        Bench *bench = http_request_data(request);

        bench->gone++;
        for (size_t i = 0; i < bench->held_count; i++)
                if (bench->held[i] == request)
                        bench->held[i] = NULL;
}

static void hold(Bench *bench, HttpRequest *request, bool on_input_end) {
        assert_true(bench->held_count < BENCH_HELD);
        http_request_set_data(request, bench);
        http_request_set_gone(request, on_gone, on_input_end);
        bench->held[bench->held_count++] = request;
}

static void on_piece(HttpRequest *request, Slice bytes) {
        ((Bench *)http_request_data(request))->taken += bytes.length;
}

static void on_take_end(HttpRequest *request) {
        Bench *bench = http_request_data(request);

        bench->taken_ends++;
        http_respond_text(request, 200, "taken");
}

static void handle_big(HttpRequest *request) {
        char *bytes = malloc(BENCH_BIG);

        memset(bytes, 'b', BENCH_BIG);
        http_respond(request, 200, "", (Slice){bytes, BENCH_BIG});
        free(bytes);
}

/* A file that takes many reads, with all bytes different from their neighbours. */
static void handle_file(HttpRequest *request, bool cut) {
        int fd = memfd_create("file", MFD_CLOEXEC);
        char *bytes = malloc(BENCH_BIG);

        for (size_t i = 0; i < BENCH_BIG; i++)
                bytes[i] = (char)(i * 31 >> 3);
        assert_int_equal(write(fd, bytes, BENCH_BIG), BENCH_BIG);
        free(bytes);
        http_respond_file(request, 200, "X-File: yes\r\n", fd);
        if (cut)
                assert_int_equal(ftruncate(fd, BENCH_BIG / 2), 0);
}

static void on_handle(void *userdata, HttpRequest *request) {
        Bench *bench = userdata;
        Slice path = http_request_path(request);

        bench->handled++;
        if (slice_equals(path, slice_from("/echo")))
                http_respond(request, 200, "X-Echo: yes\r\n", http_request_body(request));
        else if (slice_equals(path, slice_from("/hold")))
                hold(bench, request, false);
        else if (slice_equals(path, slice_from("/watch")))
                hold(bench, request, true);
        else if (slice_equals(path, slice_from("/big")))
                handle_big(request);
        else if (slice_equals(path, slice_from("/file")))
                handle_file(request, false);
        else if (slice_equals(path, slice_from("/cut-file")))
                handle_file(request, true);
        else if (slice_equals(path, slice_from("/cn")))
                http_respond_text(request, 200, http_request_peer_cn(request) ?: "nobody");
        else if (slice_equals(path, slice_from("/none")))
                http_respond(request, 204, "", (Slice){"", 0});
        else if (slice_equals(path, slice_from("/upgrade")))
                handle_upgrade(bench, request);
        else if (slice_equals(path, slice_from("/take"))) {
                http_request_set_data(request, bench);
                http_request_take_body(request, on_piece, on_take_end);
        } else if (slice_equals(path, slice_from("/stream"))) {
                http_respond_begin(request, 200, "", UINT64_MAX);
                hold(bench, request, false);
        } else
                http_respond_text(request, 200, "hello");
}

static bool on_head(void *userdata, HttpRequest *request) {
        (void)userdata;
        return slice_equals(http_request_path(request), slice_from("/take"));
}

/* ---- set-up ---- */

static void bench_init(Bench *bench, bool filtered) {
        static const HttpServerOps ops = {.handle = on_handle, .head = on_head, .filter = on_filter, .refused = on_refused};
        Error error = ERROR_NONE;
        char text[128];

        (void)signal(SIGPIPE, SIG_IGN); /* as every program of ours does */
        *bench = (Bench){.filtered = filtered, .limits = http_server_limits_default};
        (void)snprintf(bench->folder, sizeof(bench->folder), "/tmp/test-net-XXXXXX");
        assert_non_null(mkdtemp(bench->folder));
        (void)snprintf(text, sizeof(text), "unix://%s/s", bench->folder);
        assert_int_equal(url_parse(text, 0, &bench->url, &error), 0);
        assert_int_equal(uv_loop_init(&bench->loop), 0);
        bench->server = http_server_new(&bench->loop, &ops, bench, &bench->limits);
        assert_int_equal(http_server_listen(bench->server, &bench->url, 0600, NULL, NULL, &error), 0);
}

/* The limits are copied by the server: it begins anew with other ones. */
static inline void bench_init_limits(Bench *bench, HttpServerLimits limits) {
        static const HttpServerOps ops = {.handle = on_handle, .head = on_head, .filter = on_filter, .refused = on_refused};

        bench_init(bench, false);
        http_server_close(bench->server, NULL, NULL);
        assert_int_equal(uv_run(&bench->loop, UV_RUN_DEFAULT), 0);
        bench->server = http_server_new(&bench->loop, &ops, bench, &limits);
        assert_int_equal(http_server_listen(bench->server, &bench->url, 0600, NULL, NULL, NULL), 0);
}

static inline void on_server_closed(void *userdata) {
        ((Bench *)userdata)->server_closed++;
}

/* Everything must go: connections, handles, the loop. */
static void bench_end(Bench *bench) {
        http_server_close(bench->server, on_server_closed, bench);
        assert_int_equal(uv_run(&bench->loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(bench->server_closed, 1);
        assert_int_equal(uv_loop_close(&bench->loop), 0);
        buffer_deinit(&bench->upgraded_input);
        (void)unlink(bench->url.host);
        assert_int_equal(rmdir(bench->folder), 0);
}

enum { BENCH_TURNS_MAX = 20000 };

/* Runs the loop without waiting for long; `turns` of at most a millisecond. */
static inline void bench_turn(Bench *bench, int turns) {
        for (int i = 0; i < turns; i++) {
                (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
                (void)usleep(200);
        }
}

/* A full backlog means that the server has to have its turn first: newer libuv accepts one connection in each. */
static inline int raw_connect(Bench *bench) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = -1;

        assert_true(fd >= 0);
        memcpy(address.sun_path, bench->url.host, strlen(bench->url.host));
        for (int turn = 0; turn < BENCH_TURNS_MAX && r < 0; turn++) {
                r = connect(fd, (struct sockaddr *)&address, sizeof(address));
                if (r < 0 && errno != EAGAIN)
                        break;
                if (r < 0)
                        (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
        }
        assert_int_equal(r, 0);
        return fd;
}
