/* Our client and our server with TLS between them. */
#include "net/http-client.h"
#include "net/test-net.h"
#include "net/test-tls.h"

enum { WAIT_TURNS = 20000, CROWD = 60 };

typedef struct Result {
        bool done;
        int r;
        unsigned status;
        Error error;
        Buffer body;
} Result;

static Certificates certificates;

static void on_done(HttpCall *call, int r, const Error *error) {
        Result *result = http_call_userdata(call);
        Slice body = http_call_body(call);

        result->done = true;
        result->r = r;
        result->status = http_call_status(call);
        result->error = *error;
        assert_int_equal(buffer_append(&result->body, body.data, body.length), 0);
}

static const HttpCallOps ops = {.done = on_done};

static TlsContext *context_new(const char *own, const char *ca, bool need_client_cert) {
        _cleanup_free_ char *cert = str_printf("%s/%s.pem", certificates.folder, own),
                            *key = str_printf("%s/%s-key.pem", certificates.folder, own);
        const TlsSettings settings = {.cert_file = *own ? cert : NULL,
                                      .key_file = *own ? key : NULL,
                                      .ca_file = ca ? certificates_path(&certificates, ca) : NULL,
                                      .need_client_cert = need_client_cert};
        Error error = ERROR_NONE;
        TlsContext *context;

        if (tls_context_new(&settings, &context, &error) < 0)
                fail_msg("%s", error.text);
        return context;
}

static int to_server(void *userdata, const Url *url, StreamFilter **ret) {
        return tls_client_filter(userdata, url->scheme == URL_UNIX ? "localhost" : url->host, 443, USEC_PER_SEC, ret);
}

static HttpClient *client_new(Bench *bench, TlsContext *tls) {
        HttpClientConfig config = {.filter = to_server, .userdata = tls};
        HttpClient *client = http_client_new(&bench->loop, &config);

        assert_non_null(client);
        return client;
}

static void start(Bench *bench, HttpClient *client, const char *method, const char *target, Slice body,
                  Result *result) {
        HttpCallSpec spec = {.url = &bench->url, .method = method, .target = target, .body = body};

        *result = (Result){0};
        assert_int_equal(http_client_call(client, &spec, &ops, result, NULL), 0);
}

static void wait_done(Bench *bench, const Result *result) {
        for (int i = 0; i < WAIT_TURNS && !result->done; i++)
                bench_turn(bench, 1);
        assert_true(result->done);
}

static void get(Bench *bench, HttpClient *client, const char *target, Result *result) {
        start(bench, client, "GET", target, (Slice){NULL, 0}, result);
        wait_done(bench, result);
}

static void test_requests_and_answers_of_all_sizes(void **state) {
        TlsContext *server = context_new("server", NULL, false), *tls = context_new("", "ca.pem", false);
        _cleanup_free_ char *bytes = malloc(BENCH_BIG);
        HttpClient *client;
        Result result;
        Bench bench;

        (void)state;
        bench_init(&bench, false);
        bench.tls = server;
        client = client_new(&bench, tls);
        get(&bench, client, "/hello", &result);
        assert_int_equal(result.status, 200);
        assert_string_equal(buffer_string(&result.body), "hello");
        buffer_deinit(&result.body);
        for (int i = 0; i < BENCH_BIG; i++)
                bytes[i] = (char)(i * 31 >> 3);
        start(&bench, client, "PUT", "/echo", (Slice){bytes, BENCH_BIG}, &result);
        wait_done(&bench, &result);
        assert_int_equal(buffer_length(&result.body), BENCH_BIG);
        assert_memory_equal(buffer_data(&result.body), bytes, BENCH_BIG);
        buffer_deinit(&result.body);
        get(&bench, client, "/file", &result);
        assert_int_equal(buffer_length(&result.body), BENCH_BIG);
        assert_memory_equal(buffer_data(&result.body), bytes, BENCH_BIG);
        buffer_deinit(&result.body);
        get(&bench, client, "/cut-file", &result);
        assert_int_equal(result.r, -ECONNRESET);
        buffer_deinit(&result.body);
        assert_int_equal(bench.refused, 0);
        http_client_close(client);
        bench_end(&bench);
        (void)tls_context_free(server);
        (void)tls_context_free(tls);
}

static void test_the_handler_knows_who_asks(void **state) {
        TlsContext *server = context_new("server", "ca.pem", true), *tls = context_new("client", "ca.pem", false);
        HttpClient *client;
        Result result;
        Bench bench;

        (void)state;
        bench_init(&bench, false);
        bench.tls = server;
        client = client_new(&bench, tls);
        get(&bench, client, "/cn", &result);
        assert_string_equal(buffer_string(&result.body), "alice");
        buffer_deinit(&result.body);
        http_client_close(client);
        bench_end(&bench);
        (void)tls_context_free(server);
        (void)tls_context_free(tls);

        bench_init(&bench, false); /* without TLS, nobody */
        client = http_client_new(&bench.loop, NULL);
        get(&bench, client, "/cn", &result);
        assert_string_equal(buffer_string(&result.body), "nobody");
        buffer_deinit(&result.body);
        http_client_close(client);
        bench_end(&bench);
}

static void test_both_sides_say_why_it_did_not_come_about(void **state) {
        TlsContext *server = context_new("server", "ca.pem", true), *nobody = context_new("", "ca.pem", false),
                   *elsewhere = context_new("client", "other-ca.pem", false);
        HttpClient *client;
        Result result;
        Bench bench;

        (void)state;
        bench_init(&bench, false);
        bench.tls = server;
        client = client_new(&bench, nobody);
        get(&bench, client, "/hello", &result);
        assert_int_equal(result.r, -EPROTO);
        assert_non_null(strstr(result.error.text, "wants a client's certificate"));
        assert_non_null(strstr(bench.refused_why, "the client showed no certificate"));
        http_client_close(client);
        client = client_new(&bench, elsewhere);
        get(&bench, client, "/hello", &result);
        assert_int_equal(result.r, -EPROTO);
        assert_non_null(strstr(result.error.text, "other-ca.pem does not know"));
        assert_int_equal(bench.handled, 0);
        http_client_close(client);
        bench_end(&bench);
        (void)tls_context_free(server);
        (void)tls_context_free(nobody);
        (void)tls_context_free(elsewhere);
}

static void test_https_needs_certificates(void **state) {
        Error error = ERROR_NONE;
        HttpCallSpec spec = {.target = "/"};
        HttpClient *client;
        Bench bench;
        Url url;

        (void)state;
        bench_init(&bench, false);
        assert_int_equal(url_parse("https://127.0.0.1:1", 0, &url, &error), 0);
        assert_int_equal(http_server_listen(bench.server, &url, 0, NULL, NULL, &error), -EINVAL);
        assert_non_null(strstr(error.text, "https needs a certificate and its key"));
        client = http_client_new(&bench.loop, NULL);
        spec.url = &url;
        assert_int_equal(http_client_call(client, &spec, &ops, NULL, NULL), -EPROTONOSUPPORT);
        http_client_close(client);
        bench_end(&bench);
}

/* All that comes until the server has ended its side. */
static void read_all(Bench *bench, int fd, Buffer *to) {
        for (int i = 0; i < WAIT_TURNS; i++) {
                char bytes[4096];
                ssize_t n = read(fd, bytes, sizeof(bytes));

                if (n == 0)
                        return;
                if (n > 0)
                        assert_int_equal(buffer_append(to, bytes, (size_t)n), 0);
                bench_turn(bench, 1);
        }
        fail();
}

static void test_plain_http_is_answered_in_its_own_words(void **state) {
        static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
        TlsContext *server = context_new("server", NULL, false);
        _cleanup_buffer_ Buffer answer = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        bench_init(&bench, false);
        bench.tls = server;
        fd = raw_connect(&bench);
        assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
        read_all(&bench, fd, &answer);
        assert_true(str_starts_with(buffer_string(&answer), "HTTP/1.1 400 Bad Request\r\n"));
        assert_non_null(strstr(buffer_string(&answer), "Content-Length: 67\r\n"));
        assert_int_equal(strlen(strstr(buffer_string(&answer), "\r\n\r\n") + 4), 67);
        assert_int_equal(bench.refused, 1);
        (void)close(fd);
        bench_end(&bench);
        (void)tls_context_free(server);
}

static void bench_limit(Bench *bench, HttpServerLimits limits, TlsContext *tls) {
        bench_init_limits(bench, limits);
        bench->tls = tls;
}

static void test_a_handshake_has_its_time(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        TlsContext *server = context_new("server", NULL, false);
        _cleanup_buffer_ Buffer answer = BUFFER_INIT;
        Bench bench;
        int fd;

        (void)state;
        limits.handshake_timeout = 20 * USEC_PER_MSEC;
        bench_limit(&bench, limits, server);
        fd = raw_connect(&bench);
        assert_int_equal(write(fd, "\x16\x03\x01", 3), 3);
        read_all(&bench, fd, &answer);
        assert_int_equal(buffer_length(&answer), 0);
        (void)close(fd);
        bench_turn(&bench, 5);
        assert_int_equal(http_server_connections(bench.server), 0);
        bench_end(&bench);
        (void)tls_context_free(server);
}

static void test_silent_clients_give_way(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        TlsContext *server = context_new("server", NULL, false), *tls = context_new("", "ca.pem", false);
        HttpClient *client;
        int silent[CROWD];
        Result result;
        Bench bench;

        (void)state;
        limits.handshakes = 10;
        bench_limit(&bench, limits, server);
        for (int i = 0; i < CROWD; i++)
                silent[i] = raw_connect(&bench);
        client = client_new(&bench, tls);
        get(&bench, client, "/hello", &result);
        assert_int_equal(result.status, 200);
        assert_true(http_server_connections(bench.server) <= 11);
        buffer_deinit(&result.body);
        for (int i = 0; i < CROWD; i++)
                (void)close(silent[i]);
        http_client_close(client);
        bench_end(&bench);
        (void)tls_context_free(server);
        (void)tls_context_free(tls);
}

/* One step in each turn: all wait for their turn, and none is forgotten. */
static void test_a_crowd_is_served_in_turn(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        TlsContext *server = context_new("server", NULL, false), *tls = context_new("", "ca.pem", false);
        static Result results[CROWD];
        HttpClient *client;
        Bench bench;

        (void)state;
        limits.handshake_steps = 1;
        bench_limit(&bench, limits, server);
        client = client_new(&bench, tls);
        for (int i = 0; i < CROWD; i++)
                start(&bench, client, "GET", "/hello", (Slice){NULL, 0}, &results[i]);
        for (int i = 0; i < CROWD; i++) {
                wait_done(&bench, &results[i]);
                assert_int_equal(results[i].status, 200);
                buffer_deinit(&results[i].body);
        }
        http_client_close(client);
        bench_end(&bench);
        (void)tls_context_free(server);
        (void)tls_context_free(tls);
}

/* The server closes in the middle of handshakes that wait at the gate. */
static void test_a_server_may_end_in_the_middle(void **state) {
        HttpServerLimits limits = http_server_limits_default;
        TlsContext *server = context_new("server", NULL, false), *tls = context_new("", "ca.pem", false);
        static Result results[CROWD];
        HttpClient *client;
        Bench bench;

        (void)state;
        limits.handshake_steps = 1;
        bench_limit(&bench, limits, server);
        client = client_new(&bench, tls);
        for (int i = 0; i < CROWD; i++)
                start(&bench, client, "GET", "/hello", (Slice){NULL, 0}, &results[i]);
        bench_turn(&bench, 5);
        http_client_close(client);
        bench_end(&bench);
        for (int i = 0; i < CROWD; i++)
                buffer_deinit(&results[i].body);
        (void)tls_context_free(server);
        (void)tls_context_free(tls);
}

static int set_up(void **state) {
        (void)state;
        certificates_init(&certificates);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        certificates_deinit(&certificates);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests_and_answers_of_all_sizes),
                cmocka_unit_test(test_the_handler_knows_who_asks),
                cmocka_unit_test(test_both_sides_say_why_it_did_not_come_about),
                cmocka_unit_test(test_https_needs_certificates),
                cmocka_unit_test(test_plain_http_is_answered_in_its_own_words),
                cmocka_unit_test(test_a_handshake_has_its_time),
                cmocka_unit_test(test_silent_clients_give_way),
                cmocka_unit_test(test_a_crowd_is_served_in_turn),
                cmocka_unit_test(test_a_server_may_end_in_the_middle),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
