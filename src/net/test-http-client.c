#include "net/http-client.h"

#include "net/test-net.h"

enum { WAIT_TURNS = 20000 };

/* What became of a call. */
typedef struct Result {
        bool done, upgraded, stream_closed;
        int r;
        unsigned status;
        size_t heads, pieces, drained;
        Error error;
        Buffer body, stream_input;
        Stream *stream;
        HttpCall *cancel_in_head, *cancel_in_body;
} Result;

static void result_deinit(Result *result) {
        buffer_deinit(&result->body);
        buffer_deinit(&result->stream_input);
}

static void on_done(HttpCall *call, int r, const Error *error) {
        Result *result = http_call_userdata(call);
        Slice body = http_call_body(call);

        assert_false(result->done);
        result->done = true;
        result->r = r;
        result->error = *error;
        result->status = http_call_status(call);
        assert_int_equal(buffer_append(&result->body, body.data, body.length), 0);
        http_call_cancel(call); /* allowed, and does nothing */
}

static void on_call_head(HttpCall *call) {
        Result *result = http_call_userdata(call);

        result->heads++;
        if (result->cancel_in_head)
                http_call_cancel(call);
}

static void on_body(HttpCall *call, Slice bytes) {
        Result *result = http_call_userdata(call);

        result->pieces++;
        if (result->cancel_in_body)
                http_call_cancel(call);
        else
                assert_int_equal(buffer_append(&result->body, bytes.data, bytes.length), 0);
}

static void on_call_drained(HttpCall *call) {
        ((Result *)http_call_userdata(call))->drained++;
}

static void on_stream_input(Stream *stream, const char *bytes, size_t length) {
        assert_int_equal(buffer_append(&((Result *)stream->owner)->stream_input, bytes, length), 0);
}

static void on_stream_end(Stream *stream) {
        stream_close(stream);
}

static void on_stream_failed(Stream *stream, int r) {
        (void)r;
        stream_close(stream);
}

static void on_stream_closed(Stream *stream) {
        ((Result *)stream->owner)->stream_closed = true;
        http_call_stream_free(stream);
}

static const StreamEvents stream_events = {
        .input = on_stream_input,
        .input_end = on_stream_end,
        .failed = on_stream_failed,
        .closed = on_stream_closed,
};

static void on_call_upgraded(HttpCall *call, Stream *stream, Slice early) {
        Result *result = http_call_userdata(call);

        result->upgraded = true;
        result->stream = stream;
        assert_int_equal(buffer_append(&result->stream_input, early.data, early.length), 0);
        stream_set_events(stream, &stream_events, result);
        assert_int_equal(stream_start_reading(stream), 0);
}

static const HttpCallOps gather = {.head = on_call_head, .done = on_done, .upgraded = on_call_upgraded, .drained = on_call_drained};
static const HttpCallOps pieces = {.head = on_call_head, .body = on_body, .done = on_done};

static HttpCall *call(Bench *bench, HttpClient *client, HttpCallSpec spec, const HttpCallOps *ops, Result *result) {
        HttpCall *one = NULL;

        spec.url = &bench->url;
        assert_int_equal(http_client_call(client, &spec, ops, result, &one), 0);
        assert_false(result->done);
        return one;
}

static void wait_done(Bench *bench, const Result *result) {
        for (int i = 0; i < WAIT_TURNS && !result->done && !result->upgraded; i++)
                bench_turn(bench, 1);
        assert_true(result->done || result->upgraded);
}

static int xor_to_server(void *userdata, const Url *url, StreamFilter **ret) {
        (void)userdata;
        (void)url;
        *ret = xor_new();
        return 0;
}

/* ---- against our own server ---- */

static void test_calls_share_a_connection(void **state) {
        (void)state;
        for (int filtered = 0; filtered < 2; filtered++) {
                HttpClientConfig config = {.filter = filtered ? xor_to_server : NULL};
                HttpClient *client;
                Bench bench;

                bench_init(&bench, filtered);
                client = http_client_new(&bench.loop, &config);
                for (int i = 0; i < 20; i++) {
                        Result result = {0};
                        HttpCallSpec spec = {.method = i % 2 ? "PUT" : "GET", .target = "/echo"};

                        if (i % 2)
                                spec.body = slice_from("some body");
                        call(&bench, client, spec, &gather, &result);
                        wait_done(&bench, &result);
                        assert_int_equal(result.r, 0);
                        assert_int_equal(result.status, 200);
                        assert_string_equal(buffer_string(&result.body), i % 2 ? "some body" : "");
                        result_deinit(&result);
                }
                assert_int_equal(http_server_connections(bench.server), 1);
                http_client_close(client);
                bench_end(&bench);
        }
}

static void test_bodies_are_streamed_both_ways(void **state) {
        _cleanup_free_ char *bytes = calloc(1, BENCH_BIG);
        Result result = {0}, big = {0};
        HttpClient *client;
        HttpCall *one;
        Bench bench;

        (void)state;
        bench_init(&bench, false);
        client = http_client_new(&bench.loop, NULL);
        one = call(&bench, client, (HttpCallSpec){.method = "POST", .target = "/take", .stream_body = true}, &gather, &result);
        assert_int_equal(http_call_write(one, slice_from("before connected")), 0);
        bench_turn(&bench, 10);
        assert_int_equal(http_call_write(one, (Slice){bytes, BENCH_BIG}), 0);
        for (int i = 0; i < WAIT_TURNS && result.drained == 0; i++)
                bench_turn(&bench, 1);
        assert_true(result.drained > 0);
        assert_int_equal(http_call_finish(one), 0);
        wait_done(&bench, &result);
        assert_string_equal(buffer_string(&result.body), "taken");
        assert_int_equal(bench.taken, BENCH_BIG + 16);
        /* a second one goes over the idle connection */
        result_deinit(&result);
        result = (Result){0};
        one = call(&bench, client, (HttpCallSpec){.method = "POST", .target = "/take", .stream_body = true}, &gather, &result);
        assert_int_equal(http_call_write(one, slice_from("abc")), 0);
        assert_int_equal(http_call_finish(one), 0);
        wait_done(&bench, &result);
        assert_int_equal(result.r, 0);
        assert_int_equal(bench.taken, BENCH_BIG + 19);
        call(&bench, client, (HttpCallSpec){.target = "/big"}, &pieces, &big);
        wait_done(&bench, &big);
        assert_int_equal(buffer_length(&big.body), BENCH_BIG);
        assert_true(big.pieces > 10);
        result_deinit(&result);
        result_deinit(&big);
        http_client_close(client);
        bench_end(&bench);
}

static void test_an_upgrade_hands_the_stream_over(void **state) {
        Result result = {0};
        HttpClient *client;
        Bench bench;

        (void)state;
        bench_init(&bench, false);
        client = http_client_new(&bench.loop, NULL);
        call(&bench, client,
             (HttpCallSpec){.method = "POST", .target = "/upgrade", .headers = "Connection: Upgrade\r\nUpgrade: tcp\r\n", .want_upgrade = true},
             &gather, &result);
        wait_done(&bench, &result);
        assert_true(result.upgraded && !result.done);
        assert_int_equal(stream_write(result.stream, "ping", 4), 0);
        bench_turn(&bench, 10);
        stream_end(result.stream);
        for (int i = 0; i < WAIT_TURNS && !result.stream_closed; i++)
                bench_turn(&bench, 1);
        assert_string_equal(buffer_string(&result.stream_input), "pingbye");
        result_deinit(&result);
        http_client_close(client);
        bench_end(&bench);
}

static void test_a_call_is_cancelled_at_every_stage(void **state) {
        static const char *const targets[] = {"/hold", "/stream", "/big"};

        (void)state;
        for (size_t t = 0; t < ARRAY_SIZE(targets); t++)
                for (int turns = 0; turns < 12; turns++) {
                        Result result = {0}, next = {0};
                        HttpClient *client;
                        HttpCall *one;
                        Bench bench;

                        bench_init(&bench, false);
                        client = http_client_new(&bench.loop, NULL);
                        one = call(&bench, client, (HttpCallSpec){.target = targets[t]}, &pieces, &result);
                        for (int i = 0; i < turns; i++)
                                (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
                        if (!result.done)
                                http_call_cancel(one);
                        call(&bench, client, (HttpCallSpec){.target = "/"}, &gather, &next);
                        wait_done(&bench, &next);
                        assert_int_equal(next.r, 0);
                        assert_string_equal(buffer_string(&next.body), "hello");
                        result_deinit(&result);
                        result_deinit(&next);
                        http_client_close(client);
                        bench_end(&bench);
                }
        for (int in_body = 0; in_body < 2; in_body++) {
                Result result = {0};
                HttpClient *client;
                HttpCall *one;
                Bench bench;

                bench_init(&bench, false);
                client = http_client_new(&bench.loop, NULL);
                one = call(&bench, client, (HttpCallSpec){.target = "/big"}, &pieces, &result);
                *(in_body ? &result.cancel_in_body : &result.cancel_in_head) = one;
                bench_turn(&bench, 30);
                assert_int_equal(result.heads, 1);
                assert_false(result.done);
                result_deinit(&result);
                http_client_close(client);
                bench_end(&bench);
        }
}

static void test_closing_the_client_ends_calls_without_done(void **state) {
        (void)state;
        for (int turns = 0; turns < 8; turns++) {
                Result results[3] = {0};
                HttpClient *client;
                Bench bench;

                bench_init(&bench, false);
                client = http_client_new(&bench.loop, NULL);
                for (size_t i = 0; i < 3; i++)
                        call(&bench, client, (HttpCallSpec){.target = i ? "/hold" : "/stream"}, &pieces, &results[i]);
                for (int i = 0; i < turns; i++)
                        (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
                http_client_close(client);
                bench_turn(&bench, 10);
                for (size_t i = 0; i < 3; i++) {
                        assert_false(results[i].done);
                        result_deinit(&results[i]);
                }
                bench_end(&bench);
        }
}

static void check_failure(HttpCallSpec spec, int r, const char *text) {
        Result result = {0};
        HttpClient *client;
        Bench bench;

        bench_init(&bench, false);
        client = http_client_new(&bench.loop, NULL);
        call(&bench, client, spec, &gather, &result);
        wait_done(&bench, &result);
        assert_int_equal(result.r, r);
        if (!strstr(result.error.text, text))
                fail_msg("%s", result.error.text);
        result_deinit(&result);
        http_client_close(client);
        bench_end(&bench);
}

static void test_silence_and_size_have_limits(void **state) {
        (void)state;
        check_failure((HttpCallSpec){.target = "/hold", .head_timeout = 30 * USEC_PER_MSEC}, -ETIMEDOUT, "waiting for the answer");
        check_failure((HttpCallSpec){.target = "/stream", .idle_timeout = 30 * USEC_PER_MSEC}, -ETIMEDOUT, "middle of the answer");
        check_failure((HttpCallSpec){.target = "/big", .body_limit = 1000}, -EMSGSIZE, "too large");
}

/* ---- against a server that answers by the book of the test ---- */

typedef struct Book {
        int listener;
        int fd;
} Book;

static void book_open(Book *book, const Bench *bench) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        (void)unlink(bench->url.host);
        memcpy(address.sun_path, bench->url.host, strlen(bench->url.host));
        book->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(book->listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(book->listener, 8), 0);
        book->fd = -1;
}

/* Waits for a request (on a new connection, if there is none) and answers. */
static void book_answer(Bench *bench, Book *book, const char *answer, size_t step) {
        char request[4096];
        ssize_t n = -1;

        for (int i = 0; i < WAIT_TURNS && n <= 0; i++) {
                if (book->fd < 0)
                        book->fd = accept4(book->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                n = book->fd >= 0 ? read(book->fd, request, sizeof(request)) : -1;
                bench_turn(bench, 1);
        }
        assert_true(n > 0);
        for (size_t at = 0; at < strlen(answer); at += step) {
                size_t piece = min_of(step, strlen(answer) - at);

                if (send(book->fd, answer + at, piece, MSG_NOSIGNAL) < 0)
                        return; /* the client has seen enough */
                (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
        }
}

static void book_hang_up(Book *book) {
        (void)close(book->fd);
        book->fd = -1;
}

static void check_book(const char *answer, bool hang_up, int r, unsigned status, const char *body) {
        for (size_t step = 1; step < 60; step += 7) {
                Result result = {0};
                HttpClient *client;
                Bench bench;
                Book book;

                bench_init(&bench, false);
                book_open(&book, &bench);
                client = http_client_new(&bench.loop, NULL);
                call(&bench, client, (HttpCallSpec){.target = "/x"}, &gather, &result);
                book_answer(&bench, &book, answer, step);
                if (hang_up)
                        book_hang_up(&book);
                wait_done(&bench, &result);
                if (result.r != r || (r == 0 && result.status != status))
                        fail_msg("%d, %u: %s", result.r, result.status, result.error.text);
                if (body)
                        assert_string_equal(buffer_string(&result.body), body);
                result_deinit(&result);
                http_client_close(client);
                bench_turn(&bench, 3);
                if (book.fd >= 0)
                        (void)close(book.fd);
                (void)close(book.listener);
                bench_end(&bench);
        }
}

static void test_answers_of_all_shapes_in_pieces_of_any_size(void **state) {
        (void)state;
        check_book("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 0, 200, "ok");
        check_book("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, 0, 200, "ok");
        check_book("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nc",
                   false, 0, 201, "c");
        check_book("HTTP/1.0 200 OK\r\n\r\nto the end", true, 0, 200, "to the end");
        check_book("HTTP/1.1 204 No Content\r\n\r\n", false, 0, 204, "");
        check_book("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", true, -ECONNRESET, 0, NULL);
        check_book("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", true, -ECONNRESET, 0, NULL);
        check_book("HTTP/1.1 200", true, -ECONNRESET, 0, NULL);
        check_book("SSH-2.0-OpenSSH\r\n", false, -EBADMSG, 0, NULL);
}

/* The server closes an idle connection just as the next call is sent: a GET is sent again, a POST fails, and never before
 * http_client_call() has returned. */
static void test_a_stale_idle_connection_is_no_failure_of_a_get(void **state) {
        static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

        (void)state;
        for (int post = 0; post < 2; post++) {
                Result first = {0}, second = {0};
                HttpClient *client;
                Bench bench;
                Book book;

                bench_init(&bench, false);
                book_open(&book, &bench);
                client = http_client_new(&bench.loop, NULL);
                call(&bench, client, (HttpCallSpec){.target = "/1"}, &gather, &first);
                book_answer(&bench, &book, ok, 100);
                wait_done(&bench, &first);
                book_hang_up(&book); /* and the client has not looked yet */
                call(&bench, client, (HttpCallSpec){.method = post ? "POST" : NULL, .target = "/2"}, &gather, &second);
                if (!post)
                        book_answer(&bench, &book, ok, 100);
                wait_done(&bench, &second);
                if (post)
                        assert_true(second.r < 0);
                else
                        assert_int_equal(second.r, 0);
                result_deinit(&first);
                result_deinit(&second);
                http_client_close(client);
                bench_turn(&bench, 3);
                if (book.fd >= 0)
                        (void)close(book.fd);
                (void)close(book.listener);
                bench_end(&bench);
        }
}

static void test_nobody_there_is_said_plainly(void **state) {
        Result result = {0};
        HttpClient *client;
        HttpCall *one;
        Bench bench;
        Url url;

        (void)state;
        bench_init(&bench, false);
        client = http_client_new(&bench.loop, NULL);
        url = bench.url;
        (void)snprintf(url.host, sizeof(url.host), "%s/nobody", bench.folder);
        assert_int_equal(http_client_call(client, &(HttpCallSpec){.url = &url, .target = "/"}, &gather, &result, &one), 0);
        wait_done(&bench, &result);
        assert_int_equal(result.r, -ENOENT);
        assert_non_null(strstr(result.error.text, "nobody"));
        assert_int_equal(http_client_call(client, &(HttpCallSpec){.url = &url, .target = "/a b"}, &gather, &result, &one), -EINVAL);
        result_deinit(&result);
        http_client_close(client);
        bench_end(&bench);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_calls_share_a_connection),
                cmocka_unit_test(test_bodies_are_streamed_both_ways),
                cmocka_unit_test(test_an_upgrade_hands_the_stream_over),
                cmocka_unit_test(test_a_call_is_cancelled_at_every_stage),
                cmocka_unit_test(test_closing_the_client_ends_calls_without_done),
                cmocka_unit_test(test_silence_and_size_have_limits),
                cmocka_unit_test(test_answers_of_all_shapes_in_pieces_of_any_size),
                cmocka_unit_test(test_a_stale_idle_connection_is_no_failure_of_a_get),
                cmocka_unit_test(test_nobody_there_is_said_plainly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
