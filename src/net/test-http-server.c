#include "net/test-net.h"

#include <sys/resource.h>

enum { WAIT_TURNS = 20000 };

static void raw_send(int fd, const char *bytes, size_t length) {
        assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

static void raw_text(int fd, const char *text) {
        raw_send(fd, text, strlen(text));
}

/* Reads what is there; true at the end of the stream. */
static bool raw_read(int fd, Buffer *got) {
        ssize_t n;
        char *to;

        do {
                to = buffer_reserve(got, 65536);
                n = read(fd, to, 65536);
                if (n > 0)
                        buffer_commit(got, (size_t)n);
        } while (n > 0);
        return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Until `end` is at the end of what came (NULL: until the stream ends). */
static void raw_expect(Bench *bench, int fd, Buffer *got, const char *end) {
        for (int i = 0; i < WAIT_TURNS; i++) {
                bool ended = raw_read(fd, got);

                if (end ? str_ends_with(buffer_string(got), end) : ended)
                        return;
                if (ended)
                        fail_msg("ended after: %s", buffer_string(got));
                bench_turn(bench, 1);
        }
        fail_msg("waited in vain; got: %s", buffer_string(got));
}

static size_t count_of(const Buffer *got, const char *what) {
        size_t n = 0, length = strlen(what);

        for (size_t i = 0; i + length <= buffer_length(got); i++)
                n += memcmp(buffer_data(got) + i, what, length) == 0;
        return n;
}

/* Sends all at once and reads to the end of the connection. */
static void exchange(Bench *bench, const char *request, Buffer *got) {
        int fd = raw_connect(bench);

        raw_send(fd, request, strlen(request));
        raw_expect(bench, fd, got, NULL);
        (void)close(fd);
        bench_turn(bench, 3); /* the server sees it */
}

static void check_answer(const char *request, const char *status, const char *end) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;

        bench_init(&bench, false);
        exchange(&bench, request, &got);
        if (!str_starts_with(buffer_string(&got), status) || !str_ends_with(buffer_string(&got), end))
                fail_msg("%s", buffer_string(&got));
        bench_end(&bench);
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

static void test_each_kind_of_request_gets_its_answer(void **state) {
        (void)state;
        check_answer("GET / HTTP/1.1\r\n" CLOSE "\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
        check_answer("PUT /echo HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\n", "\r\n\r\nabc");
        check_answer("PUT http://x:80/echo HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\n", "\r\n\r\nabc");
        check_answer("GET http://x HTTP/1.1\r\n" CLOSE "\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
        check_answer("PUT /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                     "HTTP/1.1 200 OK\r\n", "\r\n\r\nabc");
        check_answer("HEAD / HTTP/1.1\r\n" CLOSE "\r\n", "HTTP/1.1 200 OK\r\n", "nosniff\r\n\r\n");
        check_answer("GET /none HTTP/1.1\r\n" CLOSE "\r\n", "HTTP/1.1 204 No Content\r\n", "\r\n\r\n");
        check_answer("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
        check_answer("PUT /echo HTTP/1.1\r\n" CLOSE "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
                     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "\r\n\r\nx");
        check_answer("PUT /echo HTTP/1.1\r\n" CLOSE "Expect: magic\r\nContent-Length: 1\r\n\r\nx",
                     "HTTP/1.1 417 Expectation Failed\r\n", "known");
        check_answer("PUT /take HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\n12345", "HTTP/1.1 200 OK\r\n", "\r\n\r\ntaken");
        check_answer("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "Host header");
        check_answer("nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "");
        check_answer("GET / HTTP/1.1\r\n" CLOSE "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400", "");
}

static void test_every_split_of_the_bytes_is_the_same_request(void **state) {
        static const char request[] = "PUT /echo?a=b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                      "4\r\nabcd\r\n2;x\r\nef\r\n0\r\nT: t\r\n\r\n"
                                      "GET / HTTP/1.1\r\n" CLOSE "\r\n";
        Bench bench;

        (void)state;
        bench_init(&bench, false);
        for (size_t split = 1; split < sizeof(request) - 1; split++) {
                _cleanup_buffer_ Buffer got = BUFFER_INIT;
                int fd = raw_connect(&bench);

                raw_send(fd, request, split);
                (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
                (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
                raw_send(fd, request + split, sizeof(request) - 1 - split);
                raw_expect(&bench, fd, &got, NULL);
                assert_int_equal(count_of(&got, "\r\n\r\nabcdef"), 1);
                assert_true(str_ends_with(buffer_string(&got), "hello"));
                (void)close(fd);
        }
        { /* and byte by byte */
                _cleanup_buffer_ Buffer got = BUFFER_INIT;
                int fd = raw_connect(&bench);

                for (size_t i = 0; i < sizeof(request) - 1; i++) {
                        raw_send(fd, request + i, 1);
                        (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
                }
                raw_expect(&bench, fd, &got, NULL);
                assert_int_equal(count_of(&got, "\r\n\r\nabcdef"), 1);
                (void)close(fd);
        }
        bench_end(&bench);
}

static void test_a_connection_serves_many_requests_in_order(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT, many = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        for (int i = 0; i < 50; i++) {
                buffer_clear(&got);
                raw_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                raw_expect(&bench, fd, &got, "hello");
        }
        assert_int_equal(http_server_connections(bench.server), 1);
        /* deep pipelining, with answers that must come in the order of the requests */
        buffer_clear(&got);
        for (int i = 0; i < 3000; i++)
                assert_int_equal(buffer_printf(&many, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n<%04d>", i), 0);
        for (size_t sent = 0; sent < buffer_length(&many);) {
                ssize_t n = send(fd, buffer_data(&many) + sent, buffer_length(&many) - sent, MSG_NOSIGNAL);

                sent += n > 0 ? (size_t)n : 0;
                (void)raw_read(fd, &got);
                (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
        }
        raw_expect(&bench, fd, &got, "<2999>");
        assert_int_equal(count_of(&got, "HTTP/1.1 200 OK"), 3000);
        {
                const char *at = buffer_string(&got);

                for (int i = 0; i < 3000; i++) {
                        char marker[16];

                        (void)snprintf(marker, sizeof(marker), "<%04d>", i);
                        at = strstr(at, marker);
                        assert_non_null(at);
                }
        }
        (void)close(fd);
        bench_end(&bench);
}

static void test_http_1_0_keeps_alive_only_when_asked(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        for (int i = 0; i < 3; i++) {
                buffer_clear(&got);
                raw_text(fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
                raw_expect(&bench, fd, &got, "hello");
                assert_int_equal(count_of(&got, "Connection: keep-alive\r\n"), 1);
        }
        raw_text(fd, "GET / HTTP/1.0\r\n\r\n");
        raw_expect(&bench, fd, &got, NULL);
        (void)close(fd);
        bench_end(&bench);
}

/* The second answer is late; the third request waits for it. */
static void test_a_late_answer_holds_up_what_was_pipelined(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
        bench_turn(&bench, 20);
        (void)raw_read(fd, &got);
        assert_int_equal(count_of(&got, "hello"), 1);
        assert_int_equal(bench.handled, 2);
        http_respond_text(bench.held[0], 200, "late");
        raw_expect(&bench, fd, &got, "hello");
        assert_non_null(strstr(buffer_string(&got), "late"));
        assert_int_equal(bench.handled, 3);
        (void)close(fd);
        bench_end(&bench);
}

static void test_streamed_answers_leave_at_once(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
        raw_expect(&bench, fd, &got, "\r\n\r\n"); /* the head alone */
        assert_int_equal(http_respond_write(bench.held[0], slice_from("one")), 0);
        raw_expect(&bench, fd, &got, "3\r\none\r\n");
        assert_int_equal(http_respond_write(bench.held[0], slice_from("")), 0);
        assert_int_equal(http_respond_write(bench.held[0], slice_from("twotwotwotwotwotwo")), 0);
        raw_expect(&bench, fd, &got, "12\r\ntwotwotwotwotwotwo\r\n");
        http_respond_end(bench.held[0]);
        raw_expect(&bench, fd, &got, "0\r\n\r\n");
        /* an abort shows */
        buffer_clear(&got);
        raw_text(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
        raw_expect(&bench, fd, &got, "\r\n\r\n");
        buffer_clear(&got);
        assert_int_equal(http_respond_write(bench.held[1], slice_from("half")), 0);
        http_respond_abort(bench.held[1]);
        raw_expect(&bench, fd, &got, NULL);
        assert_int_equal(count_of(&got, "0\r\n\r\n"), 0);
        (void)close(fd);
        assert_int_equal(bench.gone, 0);
        bench_end(&bench);
}

static void test_a_handler_hears_of_a_peer_that_went_away(void **state) {
        Bench bench;
        int fd, half;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "GET /watch HTTP/1.1\r\nHost: x\r\n\r\n");
        bench_turn(&bench, 20);
        assert_int_equal(bench.held_count, 1);
        (void)close(fd);
        bench_turn(&bench, 20);
        assert_int_equal(bench.gone, 1);
        /* one that only ended its side may still read: the answer comes */
        half = raw_connect(&bench);
        raw_text(half, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(shutdown(half, SHUT_WR), 0);
        bench_turn(&bench, 20);
        assert_int_equal(bench.gone, 1);
        {
                _cleanup_buffer_ Buffer got = BUFFER_INIT;

                http_respond_text(bench.held[1], 200, "still there");
                raw_expect(&bench, half, &got, NULL);
                assert_true(str_ends_with(buffer_string(&got), "still there"));
        }
        (void)close(half);
        /* a stream to nobody ends with `gone` or an error, and nothing is used after */
        fd = raw_connect(&bench);
        raw_text(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
        bench_turn(&bench, 20);
        (void)close(fd);
        for (int i = 0; i < 10 && bench.held[2]; i++)
                if (http_respond_write(bench.held[2], slice_from("more")) < 0)
                        break;
        bench_turn(&bench, 20);
        assert_int_equal(bench.gone, 2);
        assert_int_equal(http_server_connections(bench.server), 0);
        bench_end(&bench);
}

/* The answer is larger than the socket takes at once, and the client has said that it sends no more. */
static void test_a_half_closed_client_gets_all_of_a_large_answer(void **state) {
        static const char *const requests[] = {
                "GET /big HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /big HTTP/1.1\r\n" CLOSE "\r\n",
                "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /big HTTP/1.1\r\nHost: x\r\n\r\n",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
                _cleanup_buffer_ Buffer got = BUFFER_INIT;
                Bench bench;
                int fd;

                bench_init(&bench, false);
                fd = raw_connect(&bench);
                raw_send(fd, requests[i], strlen(requests[i]));
                assert_int_equal(shutdown(fd, SHUT_WR), 0);
                bench_turn(&bench, 20);
                raw_expect(&bench, fd, &got, NULL);
                assert_true(buffer_length(&got) > BENCH_BIG);
                (void)close(fd);
                bench_turn(&bench, 5);
                assert_int_equal(http_server_connections(bench.server), 0);
                bench_end(&bench);
        }
}

/* A write is with the kernel, a small one waits behind it, and the answer ends meanwhile. */
static void test_a_file_is_sent_whole_and_the_connection_goes_on(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        const char *body;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "HEAD /file HTTP/1.1\r\nHost: x\r\n\r\nGET /file HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n" CLOSE "\r\n");
        raw_expect(&bench, fd, &got, NULL);
        assert_int_equal(count_of(&got, "Content-Length: 8388608\r\n"), 2);
        assert_int_equal(count_of(&got, "hello"), 1);
        body = strstr(strstr(buffer_string(&got), "\r\n\r\n") + 4, "\r\n\r\n") + 4;
        for (size_t i = 0; i < BENCH_BIG; i += 4097)
                assert_int_equal(body[i], (char)(i * 31 >> 3));
        (void)close(fd);
        bench_end(&bench);
}

static void test_a_file_that_ends_too_early_breaks_the_connection(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "GET /cut-file HTTP/1.1\r\nHost: x\r\n\r\n");
        raw_expect(&bench, fd, &got, NULL);
        assert_true(buffer_length(&got) < BENCH_BIG);
        (void)close(fd);
        bench_end(&bench);
}

static void test_a_peer_that_leaves_in_the_middle_of_a_file_leaves_nothing(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
        raw_expect(&bench, fd, &got, "\r\n\r\n");
        (void)close(fd);
        bench_turn(&bench, 200);
        assert_int_equal(http_server_connections(bench.server), 0);
        bench_end(&bench);
}

static void test_an_answer_that_had_to_wait_is_ended(void **state) {
        _cleanup_free_ char *bytes = calloc(1, BENCH_BIG);
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "GET /stream HTTP/1.0\r\n\r\n");
        bench_turn(&bench, 10);
        assert_int_equal(http_respond_write(bench.held[0], (Slice){bytes, BENCH_BIG}), 0);
        assert_int_equal(http_respond_write(bench.held[0], slice_from("the end")), 0);
        http_respond_end(bench.held[0]);
        raw_expect(&bench, fd, &got, NULL);
        assert_memory_equal(buffer_data(&got) + buffer_length(&got) - 7, "the end", 7);
        (void)close(fd);
        bench_end(&bench);
}

static void test_a_stop_lets_the_last_answer_out(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
        bench_turn(&bench, 10);
        http_server_stop_listening(bench.server);
        raw_expect(&bench, fd, &got, NULL);
        assert_true(buffer_length(&got) > BENCH_BIG);
        (void)close(fd);
        bench_end(&bench);
}

static void test_limits_have_their_status(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        _cleanup_buffer_ Buffer long_head = BUFFER_INIT, got = BUFFER_INIT, chunked = BUFFER_INIT;
        Bench bench;
        int held[4];

        (void)state;
        limits.head_bytes = 2000;
        limits.body_bytes = 1000;
        limits.connections = 3;
        bench_init_limits(&bench, limits);
        assert_int_equal(buffer_printf(&long_head, "GET / HTTP/1.1\r\nHost: x\r\nX: %02500d\r\n\r\n", 0), 0);
        exchange(&bench, buffer_string(&long_head), &got);
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 431 "));
        buffer_clear(&got);
        exchange(&bench, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", &got);
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 413 "));
        buffer_clear(&got);
        assert_int_equal(buffer_printf(&chunked, "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                                 "3e8\r\n%01000d\r\n1\r\nx\r\n0\r\n\r\n", 0), 0);
        exchange(&bench, buffer_string(&chunked), &got);
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 413 "));
        buffer_clear(&got);
        for (size_t i = 0; i < 3; i++) {
                held[i] = raw_connect(&bench);
                raw_text(held[i], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        bench_turn(&bench, 20);
        held[3] = raw_connect(&bench);
        raw_expect(&bench, held[3], &got, NULL);
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 503 "));
        for (size_t i = 0; i < 4; i++)
                (void)close(held[i]);
        bench_end(&bench);
}

static void test_slow_and_idle_peers_are_let_go(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        _cleanup_buffer_ Buffer got = BUFFER_INIT, idle = BUFFER_INIT, body = BUFFER_INIT;
        static const char head[] = "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: 1";
        Bench bench;
        int fd, quiet, stuck;

        (void)state;
        limits.head_timeout = 60 * USEC_PER_MSEC;
        limits.idle_timeout = 80 * USEC_PER_MSEC;
        limits.body_timeout = 80 * USEC_PER_MSEC;
        bench_init_limits(&bench, limits);
        fd = raw_connect(&bench);
        /* a byte now and then does not buy time */
        for (size_t i = 0; i < sizeof(head) - 1 && buffer_length(&got) == 0; i++) {
                raw_send(fd, head + i, 1);
                bench_turn(&bench, 25);
                (void)raw_read(fd, &got);
        }
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 408 "));
        raw_expect(&bench, fd, &got, NULL);
        quiet = raw_connect(&bench);
        raw_expect(&bench, quiet, &idle, NULL);
        assert_int_equal(buffer_length(&idle), 0);
        stuck = raw_connect(&bench);
        raw_text(stuck, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
        for (int i = 0; i < 6 && buffer_length(&body) == 0; i++) {
                raw_send(stuck, "d", 1);
                bench_turn(&bench, 80);
                (void)raw_read(stuck, &body);
        }
        assert_true(str_starts_with(buffer_string(&body), "HTTP/1.1 408 "));
        raw_expect(&bench, stuck, &body, NULL);
        assert_int_equal(bench.handled, 0);
        (void)close(fd);
        (void)close(quiet);
        (void)close(stuck);
        bench_turn(&bench, 20);
        assert_int_equal(http_server_connections(bench.server), 0);
        bench_end(&bench);
}

static void test_a_reader_that_lags_is_cut_off(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        _cleanup_free_ char *bytes = calloc(1, 100000);
        Bench bench;
        int fd, r = 0;

        (void)state;
        limits.output_bytes = 1 << 20;
        bench_init_limits(&bench, limits);
        fd = raw_connect(&bench);
        raw_text(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
        bench_turn(&bench, 10);
        for (int i = 0; i < 100 && r >= 0; i++)
                r = http_respond_write(bench.held[0], (Slice){bytes, 100000});
        assert_int_equal(r, -ENOBUFS);
        bench_turn(&bench, 10);
        assert_int_equal(bench.gone, 1);
        assert_int_equal(http_server_connections(bench.server), 0);
        (void)close(fd);
        bench_end(&bench);
}

static void test_an_upgrade_keeps_early_bytes_and_half_closes(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "POST /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly");
        raw_expect(&bench, fd, &got, "\r\n\r\nearly");
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 101 "));
        raw_text(fd, " late");
        raw_expect(&bench, fd, &got, "early late");
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        raw_expect(&bench, fd, &got, NULL);
        assert_true(str_ends_with(buffer_string(&got), "early latebye"));
        assert_string_equal(buffer_string(&bench.upgraded_input), "early late");
        assert_int_equal(bench.upgraded_ends, 1);
        (void)close(fd);
        bench_turn(&bench, 10);
        assert_int_equal(bench.upgraded_closed, 1);
        bench_end(&bench);
}

static void test_a_filter_stands_between_both_ways(void **state) {
        static const char request[] = "PUT /echo HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc";
        _cleanup_buffer_ Buffer got = BUFFER_INIT, wire = BUFFER_INIT, plain = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, true);
        assert_int_equal(xor_bytes(request, sizeof(request) - 1, &wire), 0);
        fd = raw_connect(&bench);
        for (size_t i = 0; i < buffer_length(&wire); i++) {
                raw_send(fd, buffer_data(&wire) + i, 1);
                (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
        }
        raw_expect(&bench, fd, &got, NULL);
        assert_int_equal(xor_bytes(buffer_data(&got), buffer_length(&got), &plain), 0);
        assert_true(str_starts_with(buffer_string(&plain), "HTTP/1.1 200 OK"));
        assert_true(str_ends_with(buffer_string(&plain), "\r\n\r\nabc"));
        (void)close(fd);
        bench_end(&bench);
}

/* An older connection's idle time, though it ends much later, does not hold up the end of a shorter one. */
static void test_a_short_time_is_not_held_up_by_a_long_one(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int idle, fd;

        (void)state;
        limits.head_timeout = 50 * USEC_PER_MSEC;
        bench_init_limits(&bench, limits);
        idle = raw_connect(&bench);
        bench_turn(&bench, 10);
        fd = raw_connect(&bench);
        raw_text(fd, "GET / HTTP/1.1\r\n");
        raw_expect(&bench, fd, &got, "Timeout");
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 408 "));
        (void)close(idle);
        (void)close(fd);
        bench_end(&bench);
}

static void test_a_stream_that_is_not_read_ends_where_that_is_wanted(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        _cleanup_free_ char *bytes = calloc(1, 1 << 20);
        Bench bench;
        int fd;

        (void)state;
        for (int wanted = 0; wanted < 2; wanted++) {
                limits.stall_timeout = wanted ? 50 * USEC_PER_MSEC : 0;
                bench_init_limits(&bench, limits);
                fd = raw_connect(&bench);
                raw_text(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
                bench_turn(&bench, 10);
                assert_int_equal(http_respond_write(bench.held[0], (Slice){"seen", 4}), 0);
                bench_turn(&bench, 500); /* all that there was is out: it may wait for more as long as it likes */
                assert_int_equal(bench.gone, 0);
                assert_int_equal(http_respond_write(bench.held[0], (Slice){bytes, 1 << 20}), 0);
                bench_turn(&bench, 1000);
                assert_int_equal(bench.gone, wanted);
                (void)close(fd);
                bench_end(&bench);
        }
}

/* Its requests wait here, small as they are, not their answers. */
static void test_who_asks_and_does_not_read_is_not_served_on(void **state) {
        enum { REQUESTS = 12 };
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        for (int i = 0; i < REQUESTS; i++)
                raw_text(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
        bench_turn(&bench, 100);
        assert_int_equal(bench.handled, 1);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        raw_expect(&bench, fd, &got, NULL);
        assert_int_equal(bench.handled, REQUESTS);
        assert_true(buffer_length(&got) > (size_t)REQUESTS * BENCH_BIG);
        (void)close(fd);
        bench_end(&bench);
}

static void test_answers_that_nobody_reads_have_a_limit_together(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        _cleanup_buffer_ Buffer got = BUFFER_INIT, small = BUFFER_INIT, later = BUFFER_INIT;
        static const char big[] = "GET /big HTTP/1.1\r\n" CLOSE "\r\n";
        Bench bench;
        int lazy, fd;

        (void)state;
        limits.output_total = BENCH_BIG + BENCH_BIG / 2;
        bench_init_limits(&bench, limits);
        lazy = raw_connect(&bench);
        raw_text(lazy, big);
        bench_turn(&bench, 20);
        exchange(&bench, big, &got);
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 503 "));
        exchange(&bench, "GET / HTTP/1.1\r\n" CLOSE "\r\n", &small);
        assert_true(str_starts_with(buffer_string(&small), "HTTP/1.1 200 "));
        (void)close(lazy);
        bench_turn(&bench, 20);
        fd = raw_connect(&bench);
        raw_text(fd, big);
        raw_expect(&bench, fd, &later, NULL);
        assert_true(str_starts_with(buffer_string(&later), "HTTP/1.1 200 "));
        (void)close(fd);
        bench_end(&bench);
}

static void send_slowly(Bench *bench, int fd, size_t length) {
        static char bytes[4096];

        for (; length > 0; length -= min_of(length, sizeof(bytes))) {
                raw_send(fd, bytes, min_of(length, sizeof(bytes)));
                bench_turn(bench, 1);
        }
}

static void test_bodies_that_gather_have_a_limit_together(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        _cleanup_buffer_ Buffer got = BUFFER_INIT, later = BUFFER_INIT;
        static const char head[] = "PUT /echo HTTP/1.1\r\n" CLOSE "Content-Length: 200000\r\n\r\n";
        Bench bench;
        int first, second, third;

        (void)state;
        limits.body_total = 250000;
        bench_init_limits(&bench, limits);
        first = raw_connect(&bench);
        second = raw_connect(&bench);
        raw_text(first, head);
        send_slowly(&bench, first, 199000);
        raw_text(second, head);
        send_slowly(&bench, second, 100000);
        raw_expect(&bench, second, &got, "try later");
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 503 "));
        (void)close(first);
        (void)close(second);
        bench_turn(&bench, 20);
        third = raw_connect(&bench);
        raw_text(third, head);
        send_slowly(&bench, third, 200000);
        raw_expect(&bench, third, &later, NULL);
        assert_true(str_starts_with(buffer_string(&later), "HTTP/1.1 200 "));
        (void)close(third);
        bench_end(&bench);
}

/* Who is refused and sends on for ever is read no further than it takes to get the answer across. */
static void test_a_body_without_end_ends_its_connection(void **state) {
        _cleanup_buffer_ Buffer got = BUFFER_INIT;
        static char bytes[16384];
        size_t sent = 0;
        Bench bench;
        ssize_t n;
        int fd;

        (void)state;
        bench_init(&bench, false);
        fd = raw_connect(&bench);
        raw_text(fd, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\n");
        for (int i = 0; i < WAIT_TURNS; i++) {
                n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
                if (n < 0 && errno != EAGAIN)
                        break;
                sent += n > 0 ? (size_t)n : 0;
                (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
        }
        assert_in_range(sent, 1, 8 << 20);
        (void)raw_read(fd, &got);
        assert_true(str_starts_with(buffer_string(&got), "HTTP/1.1 413 "));
        bench_turn(&bench, 5);
        assert_int_equal(http_server_connections(bench.server), 0);
        (void)close(fd);
        bench_end(&bench);
}

/* As many long polls as the limit of open files allows, up to 10,000. */
static void test_thousands_of_long_polls_are_held_and_answered(void **state) {
        struct rlimit files;
        size_t count, answered = 0;
        Bench *bench = malloc(sizeof(*bench));
        int *fds;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
        count = (size_t)min_of((uint64_t)10000, (uint64_t)files.rlim_cur / 2 - 50);
        if (count < 10000)
                print_message("limit of open files: %zu connections instead of 10,000\n", count);
        fds = calloc(count, sizeof(*fds));
        bench_init(bench, false);
        for (size_t i = 0; i < count; i++) {
                fds[i] = raw_connect(bench);
                raw_text(fds[i], "GET /watch HTTP/1.1\r\nHost: x\r\n\r\n");
                if (i % 100 == 0)
                        bench_turn(bench, 1);
        }
        for (int turn = 0; turn < BENCH_TURNS_MAX && bench->held_count < count; turn++)
                (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
        assert_int_equal(bench->held_count, count);
        for (size_t i = 0; i < count; i++)
                http_respond_text(bench->held[i], 200, "event");
        for (size_t i = 0; i < count; i++) {
                char answer[1024];
                ssize_t n = read(fds[i], answer, sizeof(answer) - 1);

                assert_true(n > 0);
                answer[n] = '\0';
                answered += str_ends_with(answer, "\r\n\r\nevent");
                (void)close(fds[i]);
        }
        assert_int_equal(answered, count);
        free(fds);
        bench_end(bench);
        free(bench);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_kind_of_request_gets_its_answer),
                cmocka_unit_test(test_every_split_of_the_bytes_is_the_same_request),
                cmocka_unit_test(test_a_connection_serves_many_requests_in_order),
                cmocka_unit_test(test_http_1_0_keeps_alive_only_when_asked),
                cmocka_unit_test(test_a_late_answer_holds_up_what_was_pipelined),
                cmocka_unit_test(test_streamed_answers_leave_at_once),
                cmocka_unit_test(test_a_handler_hears_of_a_peer_that_went_away),
                cmocka_unit_test(test_a_half_closed_client_gets_all_of_a_large_answer),
                cmocka_unit_test(test_a_file_is_sent_whole_and_the_connection_goes_on),
                cmocka_unit_test(test_a_file_that_ends_too_early_breaks_the_connection),
                cmocka_unit_test(test_a_peer_that_leaves_in_the_middle_of_a_file_leaves_nothing),
                cmocka_unit_test(test_an_answer_that_had_to_wait_is_ended),
                cmocka_unit_test(test_a_stop_lets_the_last_answer_out),
                cmocka_unit_test(test_limits_have_their_status),
                cmocka_unit_test(test_slow_and_idle_peers_are_let_go),
                cmocka_unit_test(test_a_reader_that_lags_is_cut_off),
                cmocka_unit_test(test_a_short_time_is_not_held_up_by_a_long_one),
                cmocka_unit_test(test_a_stream_that_is_not_read_ends_where_that_is_wanted),
                cmocka_unit_test(test_who_asks_and_does_not_read_is_not_served_on),
                cmocka_unit_test(test_answers_that_nobody_reads_have_a_limit_together),
                cmocka_unit_test(test_bodies_that_gather_have_a_limit_together),
                cmocka_unit_test(test_a_body_without_end_ends_its_connection),
                cmocka_unit_test(test_an_upgrade_keeps_early_bytes_and_half_closes),
                cmocka_unit_test(test_a_filter_stands_between_both_ways),
                cmocka_unit_test(test_thousands_of_long_polls_are_held_and_answered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
