/* The client's streams, against a server of this test. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/http-server.h"
#include "storeclient/http-storeclient.h"

#define EVENT(index) "{\"action\":\"set\",\"node\":{\"key\":\"/a\",\"value\":\"}\",\"modifiedIndex\":" #index ",\"createdIndex\":1}}\n"

enum { TURNS_MAX = 20000, SHORT_MSEC = 30, WRITES = 40, WRITES_AT_ONCE = 16 };

typedef struct Bench {
        uv_loop_t loop;
        char folder[64];
        Url url;
        HttpServer *server;
        HttpRequest *watch; /* the stream's, as the server has it */
        HttpRequest *held[WRITES]; /* writes that wait for their answer */
        size_t n_held, answers, again;
        char query[256];
        StoreClient *client;
        StoreCall *call;
        bool begun, ended, cancel, replied;
        uint64_t index, last;
        size_t events, batches;
        int r, code;
} Bench;

static void on_gone(HttpRequest *request) {
        ((Bench *)http_request_data(request))->watch = NULL;
}

/* Reads are for ever under way. */
static void on_handle(void *userdata, HttpRequest *request) {
        Bench *bench = userdata;
        Slice query = http_request_query(request);

        http_request_set_data(request, bench);
        if (http_request_method(request) == HTTP_METHOD_PUT)
                bench->held[bench->n_held++] = request;
        if (query.length == 0)
                return;
        (void)snprintf(bench->query, sizeof(bench->query), "%.*s", (int)query.length, query.data);
        http_request_set_gone(request, on_gone, true);
        bench->watch = request;
}

static void on_begun(void *userdata, uint64_t index) {
        Bench *bench = userdata;

        bench->begun = true;
        bench->index = index;
}

static void on_events(void *userdata, const StoreReply *events, size_t count) {
        Bench *bench = userdata;

        for (size_t i = 0; i < count; i++) {
                assert_string_equal(events[i].node->value, "}");
                assert_true(events[i].node->modified > bench->last);
                bench->last = events[i].node->modified;
        }
        bench->events += count;
        bench->batches++;
        if (bench->cancel)
                bench->call = store_call_cancel(bench->call);
}

static void on_ended(void *userdata, const StoreReply *reply) {
        Bench *bench = userdata;

        assert_false(bench->ended);
        bench->ended = true;
        bench->call = NULL;
        bench->r = reply->r;
        bench->code = reply->code;
}

static const StoreStreamEvents stream_events = {on_begun, on_events, on_ended};

static void turn_until(Bench *bench, const bool *what) {
        for (int i = 0; i < TURNS_MAX && !*what; i++) {
                (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
                (void)usleep(100);
        }
        assert_true(*what);
}

static void turn(Bench *bench) {
        for (int i = 0; i < 20; i++)
                (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
}

static int set_up(void **state) {
        static const HttpServerOps ops = {.handle = on_handle};
        static Bench bench;
        const StoreRequest request = {.verb = STORE_WATCH, .key = "/a", .recursive = true, .wait_index = 7};
        char text[128];

        (void)signal(SIGPIPE, SIG_IGN);
        bench = (Bench){0};
        (void)snprintf(bench.folder, sizeof(bench.folder), "/tmp/test-stream-XXXXXX");
        assert_non_null(mkdtemp(bench.folder));
        (void)snprintf(text, sizeof(text), "unix://%s/s", bench.folder);
        assert_int_equal(url_parse(text, 0, &bench.url, NULL), 0);
        assert_int_equal(uv_loop_init(&bench.loop), 0);
        bench.server = http_server_new(&bench.loop, &ops, &bench, NULL);
        assert_int_equal(http_server_listen(bench.server, &bench.url, 0600, NULL, NULL, NULL), 0);
        assert_int_equal(http_storeclient_new(&bench.loop, &bench.url, 1, &bench.client), 0);
        assert_int_equal(storeclient_stream(bench.client, &request, &stream_events, &bench, &bench.call), 0);
        for (int i = 0; i < TURNS_MAX && !bench.watch; i++)
                (void)uv_run(&bench.loop, UV_RUN_NOWAIT);
        assert_string_equal(bench.query, "recursive=true&wait=true&stream=true&waitIndex=7");
        *state = &bench;
        return 0;
}

static int tear_down(void **state) {
        Bench *bench = *state;

        http_storeclient_free(bench->client);
        http_server_close(bench->server, NULL, NULL);
        assert_int_equal(uv_run(&bench->loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(uv_loop_close(&bench->loop), 0);
        (void)unlink(bench->url.host);
        return rmdir(bench->folder);
}

static void begin(Bench *bench, const char *index) {
        char head[64];

        (void)snprintf(head, sizeof(head), "X-Etcd-Index: %s\r\n", index);
        http_respond_begin(bench->watch, 200, head, UINT64_MAX);
        turn_until(bench, &bench->begun);
}

static void say(Bench *bench, const char *text) {
        assert_int_equal(http_respond_write(bench->watch, slice_from(text)), 0);
        turn(bench);
}

static void test_together_and_cut(void **state) {
        Bench *bench = *state;

        begin(bench, "6");
        assert_int_equal(bench->index, 6);
        say(bench, EVENT(7) EVENT(8) "\n" EVENT(9));
        assert_int_equal(bench->events, 3);
        assert_int_equal(bench->batches, 1);
        say(bench, "{\"action\":\"set\",\"node\":{\"key\":\"/a\",\"value\":\"");
        assert_int_equal(bench->events, 3);
        say(bench, "}\",\"modifiedIndex\":10}}");
        assert_int_equal(bench->events, 4);
        assert_false(bench->ended);
}

static void test_event_of_the_past(void **state) {
        Bench *bench = *state;

        begin(bench, "20");
        say(bench, EVENT(8));
        assert_true(bench->ended);
        assert_int_equal(bench->events, 1);
        assert_int_equal(bench->r, 0);
}

static void test_end_in_order(void **state) {
        Bench *bench = *state;

        begin(bench, "6");
        say(bench, EVENT(7));
        http_respond_end(bench->watch);
        turn_until(bench, &bench->ended);
        assert_int_equal(bench->r, 0);
}

static void test_end_within_an_event(void **state) {
        Bench *bench = *state;

        begin(bench, "6");
        say(bench, EVENT(7) "{\"action\"");
        http_respond_end(bench->watch);
        turn_until(bench, &bench->ended);
        assert_int_equal(bench->events, 1);
        assert_true(bench->r < 0);
}

static void test_nonsense(void **state) {
        Bench *bench = *state;

        begin(bench, "6");
        say(bench, EVENT(7) "what?");
        turn_until(bench, &bench->ended);
        assert_int_equal(bench->events, 1);
        assert_int_equal(bench->r, -EBADMSG);
}

static void test_refused(void **state) {
        static const char body[] = "{\"errorCode\":401,\"message\":\"cleared\",\"cause\":\"x\",\"index\":2000}";
        Bench *bench = *state;

        http_respond(bench->watch, 400, "", slice_from(body));
        turn_until(bench, &bench->ended);
        assert_int_equal(bench->code, STORE_INDEX_CLEARED);
        assert_false(bench->begun);
}

static void test_cancelled_within(void **state) {
        Bench *bench = *state;

        bench->cancel = true;
        begin(bench, "6");
        say(bench, EVENT(7) EVENT(8));
        assert_int_equal(bench->events, 2);
        turn(bench);
        assert_false(bench->ended);
}

static void on_replied(void *userdata, const StoreReply *reply) {
        assert_int_equal(reply->r, -ETIMEDOUT);
        ((Bench *)userdata)->replied = true;
}

/* Nothing else would tell that this server hangs. */
static void test_another_request_times_out(void **state) {
        Bench *bench = *state;
        const StoreRequest request = {.verb = STORE_GET, .key = "/b", .timeout = SHORT_MSEC * USEC_PER_MSEC};

        begin(bench, "6");
        assert_int_equal(storeclient_send(bench->client, &request, on_replied, bench, NULL), 0);
        turn_until(bench, &bench->replied);
        assert_true(bench->ended);
        assert_int_equal(bench->r, -ETIMEDOUT);
}

static void on_write_answered(void *userdata, const StoreReply *reply) {
        assert_int_equal(reply->r, 0);
        ((Bench *)userdata)->answers++;
}

/* More connections than are kept would be made anew for each write. */
static void test_writes_take_turns(void **state) {
        Bench *bench = *state;
        const StoreRequest request = {.verb = STORE_SET, .key = "/b", .value = "1"};
        size_t answered = 0;

        for (size_t i = 0; i < WRITES; i++)
                assert_int_equal(storeclient_send(bench->client, &request, on_write_answered, bench, NULL), 0);
        for (int i = 0; i < TURNS_MAX && answered < WRITES; i++) {
                (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
                assert_true(bench->n_held - answered <= WRITES_AT_ONCE);
                if (bench->n_held == min_of(answered + WRITES_AT_ONCE, (size_t)WRITES))
                        http_respond(bench->held[answered++], 200, "", slice_from("{\"action\":\"set\"}"));
        }
        turn(bench);
        assert_int_equal(bench->answers, WRITES);
}

static void on_first_answered(void *userdata, const StoreReply *reply) {
        Bench *bench = userdata;
        const StoreRequest request = {.verb = STORE_SET, .key = "/again", .value = "1"};

        assert_int_equal(reply->r, 0);
        if (bench->again++ < WRITES_AT_ONCE)
                assert_int_equal(storeclient_send(bench->client, &request, on_write_answered, bench, NULL), 0);
}

/* Those that have waited go before what is written when others end. */
static void test_who_waits_is_not_passed(void **state) {
        Bench *bench = *state;
        const StoreRequest request = {.verb = STORE_SET, .key = "/b", .value = "1"};
        size_t answered = 0;

        for (size_t i = 0; i < WRITES_AT_ONCE; i++)
                assert_int_equal(storeclient_send(bench->client, &request, on_first_answered, bench, NULL), 0);
        assert_int_equal(storeclient_send(bench->client, &request, on_write_answered, bench, NULL), 0);
        for (int i = 0; i < TURNS_MAX && bench->n_held < WRITES_AT_ONCE + 1; i++) {
                (void)uv_run(&bench->loop, UV_RUN_NOWAIT);
                if (bench->n_held == WRITES_AT_ONCE && answered == 0)
                        http_respond(bench->held[answered++], 200, "", slice_from("{\"action\":\"set\"}"));
        }
        assert_int_equal(bench->n_held, WRITES_AT_ONCE + 1);
        assert_true(slice_equals(http_request_path(bench->held[WRITES_AT_ONCE]), slice_from("/v2/keys/b")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_together_and_cut, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_event_of_the_past, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_end_in_order, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_end_within_an_event, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nonsense, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_cancelled_within, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_another_request_times_out, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_writes_take_turns, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_who_waits_is_not_passed, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
