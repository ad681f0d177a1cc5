/* What is for the operator, and who may ask at all, over the fake backend. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "store/api/test-api.h"

#define REQUEST_END " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_requests_are_counted(void **state) {
        exchange(*state, "PUT /v2/keys/a?value=1" REQUEST_END, 201, "/a");
        exchange(*state, "GET /v2/keys/a" REQUEST_END, 200, "/a");
        exchange(*state, "GET /v2/keys/a?quorum=true" REQUEST_END, 200, "/a");
        exchange(*state, "GET /v2/keys/none" REQUEST_END, 404, "100");
        exchange(*state, "DELETE /v2/keys/a?prevValue=x" REQUEST_END, 412, "101");
        exchange(*state, "GET /v2/keys/a?recursive=x" REQUEST_END, 400, "209"); /* was never received */
        exchange(*state, "GET /metrics" REQUEST_END, 200, "etcd_http_received_total{method=\"GET\"} 3\n");
        exchange(*state, "GET /metrics" REQUEST_END, 200, "etcd_http_failed_total{code=\"404\",method=\"GET\"} 1\n");
        exchange(*state, "GET /metrics" REQUEST_END, 200, "etcd_http_failed_total{code=\"412\",method=\"DELETE\"} 1\n");
        exchange(*state, "GET /metrics" REQUEST_END, 200,
                 "etcd_http_successful_duration_seconds_bucket{method=\"GET\",le=\"+Inf\"} 2\n");
        exchange(*state, "GET /metrics" REQUEST_END, 200,
                 "etcd_http_successful_duration_seconds_count{method=\"PUT\"} 1\n");
        exchange(*state, "GET /metrics" REQUEST_END, 200, "# TYPE etcd_disk_wal_fsync_duration_seconds histogram\n");
        exchange(*state, "GET /metrics" REQUEST_END, 200, "etcd_network_peer_sent_bytes_total{To=\"abc\"} 17\n");
        exchange(*state, "GET /metrics" REQUEST_END, 200, "etcd_server_has_leader 1\n");
}

static void test_level_of_the_log(void **state) {
        LogLevel before = log_level();

        exchange(*state, "PUT /config/local/log HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{\"level\":\"debug\"}",
                 204, "\r\n\r\n");
        assert_int_equal(log_level(), LOG_LEVEL_DEBUG);
        log_set_level(before);
        exchange(*state, "PUT /config/local/log HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"Level\":\"X\"}",
                 400, "{\"message\":\"Invalid log level X\"}");
        exchange(*state, "PUT /config/local/log HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{\"Level\":1}", 400,
                 "Invalid json body");
        exchange(*state, "PUT /config/local/log" REQUEST_END, 400, "Invalid json body");
        exchange(*state, "GET /config/local/log" REQUEST_END, 405, "Allow: PUT\r\n");
}

static void test_figures_for_debugging(void **state) {
        exchange(*state, "GET /debug/vars" REQUEST_END, 200, "\"raft.status\":{");
        exchange(*state, "GET /debug/pprof/heap" REQUEST_END, 404, "no Go profiles");
}

static void test_only_named_origins(void **state) {
        Fixture *fixture = *state;
        _cleanup_buffer_ Buffer answer = BUFFER_INIT;
        _cleanup_close_ int fd = -1;

        exchange(fixture, "OPTIONS /v2/keys/" REQUEST_END, 200, "Access-Control-Allow-Origin: *\r\n");
        assert_int_equal(access_init(&fixture->api.access, "http://a.example", "*", NULL), 0);
        exchange(fixture, "GET /v2/keys/ HTTP/1.1\r\nHost: x\r\nOrigin: http://a.example\r\n\r\n", 200,
                 "Access-Control-Allow-Origin: http://a.example\r\n");
        fd = send_request(fixture, "GET /v2/keys/ HTTP/1.1\r\nHost: x\r\nOrigin: http://b.example\r\n\r\n");
        assert_null(strstr(receive(fixture, fd, &answer), "Access-Control"));
}

static bool secure(const HttpRequest *request) {
        (void)request;
        return true;
}

static void test_only_named_hosts(void **state) {
        Fixture *fixture = *state;

        assert_int_equal(access_init(&fixture->api.access, "*", "good", NULL), 0);
        exchange(fixture, "GET /version HTTP/1.1\r\nHost: good:4001\r\n\r\n", 200, "etcdserver");
        exchange(fixture, "GET /version HTTP/1.1\r\nHost: evil:4001\r\n\r\n", 421, "--host-whitelist");
        exchange(fixture, "OPTIONS /version HTTP/1.1\r\nHost: evil\r\n\r\n", 421, "\"evil\"");
        fixture->api.is_secure = secure;
        exchange(fixture, "GET /version HTTP/1.1\r\nHost: evil:4001\r\n\r\n", 200, "etcdserver");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_requests_are_counted, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_level_of_the_log, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_figures_for_debugging, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_only_named_origins, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_only_named_hosts, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
