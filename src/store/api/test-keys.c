/* The handlers over the fake backend and a real HTTP server, on a unix socket of this process. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>

#include "store/api/test-api.h"

static void test_write_and_read(void **state) {
        exchange(*state, "PUT /v2/keys/a?value=1" END, 201, "\"key\":\"/a\",\"value\":\"1\"");
        exchange(*state, "PUT /v2/keys/a?value=2" END, 200, "\"prevNode\"");
        exchange(*state, "GET /v2/keys/a" END, 200, "X-Etcd-Index: 5\r\nX-Raft-Index: 6\r\nX-Raft-Term: 2\r\n");
        exchange(*state, "GET /v2/keys/a?quorum=true" END, 200, "\"value\":\"2\"");
        exchange(*state, "GET /v2/keys/none" END, 404,
                 "\"errorCode\":100,\"message\":\"Key not found\",\"cause\":\"/none\"");
        exchange(*state, "GET /v2/keys/a?recursive=x" END, 400, "X-Etcd-Index: 0\r\n");
        exchange(*state, "DELETE /v2/keys/a?prevValue=1" END, 412, "[1 != 2]");
        exchange(*state, "PATCH /v2/keys/a" END, 405, "Allow: HEAD,GET,PUT,POST,DELETE\r\n");
}

static void test_paths_that_are_not_clean_are_redirected(void **state) {
        exchange(*state, "GET /v2/keys//a%20b?x=1" END, 301, "Location: /v2/keys/a%20b?x=1\r\n");
        exchange(*state, "PUT /v2/keys/a/%2e%2e/b" END, 301, "Location: /v2/keys/b\r\n");
        /* nothing that a client writes there can become a header of its own, or markup */
        exchange(*state, "GET /v2//%0d%0aSet-Cookie:x" END, 301, "Location: /v2/%0D%0ASet-Cookie:x\r\n");
        exchange(*state, "GET /v2//a?<script>" END, 301, "<a href=\"/v2/a?&#60;script&#62;\">");
        exchange(*state, "GET /v2/keys/%zz" END, 400, "400 Bad Request");
        exchange(*state, "GET /v2/keysX" END, 404, "404 page not found");
}

static void test_cluster_that_cannot_is_told(void **state) {
        Fixture *fixture = *state;

        fixture->fake.reason = "etcdserver: request timed out";
        exchange(fixture, "PUT /v2/keys/a?value=1" END, 500,
                 "{\"errorCode\":300,\"message\":\"Raft Internal Error\",\"cause\":\"etcdserver: request timed "
                 "out\",\"index\":0}");
        exchange(fixture, "GET /v2/keys/?quorum=true" END, 500, "request timed out");
        exchange(fixture, "GET /v2/keys/" END, 200, "\"action\":\"get\"");
        exchange(fixture, "GET /health" END, 503, "{\"health\":\"false\"}");
}

static void test_client_that_leaves_before_the_outcome(void **state) {
        Fixture *fixture = *state;
        int fds[3];

        fixture->fake.holds = true;
        fds[0] = send_request(fixture, "PUT /v2/keys/a?value=1" END);
        fds[1] = send_request(fixture, "GET /health" END);
        fds[2] = send_request(fixture, "GET /v2/keys/?quorum=true" END);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                assert_int_equal(close(fds[i]), 0);
        turn(fixture);
        fake_backend_release(&fixture->fake);
        exchange(fixture, "GET /v2/keys/a" END, 200, "\"value\":\"1\"");
}

static void test_long_poll(void **state) {
        _cleanup_buffer_ Buffer answer = BUFFER_INIT;
        Fixture *fixture = *state;
        int fd = send_request(fixture, "GET /v2/keys/a?wait=true" END);
        const char *head = receive(fixture, fd, &answer);

        assert_non_null(strstr(head, "HTTP/1.1 200"));
        assert_non_null(strstr(head, "X-Etcd-Index: 3\r\n"));
        assert_null(strstr(head, "action"));
        exchange(fixture, "PUT /v2/keys/a?value=1" END, 201, "");
        exchange(fixture, "PUT /v2/keys/a?value=2" END, 200, "");
        assert_non_null(strstr(receive(fixture, fd, &answer), "\"value\":\"1\""));
        assert_null(strstr(buffer_string(&answer), "\"value\":\"2\""));
        assert_non_null(strstr(buffer_string(&answer), "\r\n0\r\n\r\n"));
        assert_int_equal(fixture->fake.tree.hub.count, 0);
        assert_int_equal(close(fd), 0);
}

static void test_watcher_goes_with_its_client(void **state) {
        Fixture *fixture = *state;
        int fd = send_request(fixture, "GET /v2/keys/a?wait=true&stream=true&recursive=true" END);

        assert_int_equal(fixture->fake.tree.hub.count, 1);
        assert_int_equal(close(fd), 0);
        turn(fixture);
        assert_int_equal(fixture->fake.tree.hub.count, 0);
        exchange(fixture, "PUT /v2/keys/a?value=1" END, 201, "");
}

static void test_history_that_is_gone(void **state) {
        Fixture *fixture = *state;

        for (int i = 0; i < HISTORY_CAPACITY_DEFAULT + 10; i++)
                assert_int_equal(tree_apply(&fixture->fake.tree,
                                            &(Command){.kind = COMMAND_SET, .path = slice_from("/1/a")}, NULL, NULL),
                                 0);
        exchange(fixture, "GET /v2/keys/a?wait=true&waitIndex=5" END, 400,
                 "\"cause\":\"the requested history has been cleared [14/5]\",\"index\":1013}");
        exchange(fixture, "GET /v2/keys/a?wait=true&waitIndex=14" END, 200, "\"modifiedIndex\":14,");
}

/* A stream whose client does not read: its watcher is dropped, and the answer ends after what was sent. */
static void test_stream_that_does_not_read_is_ended(void **state) {
        _cleanup_buffer_ Buffer answer = BUFFER_INIT;
        Fixture *fixture = *state;
        int fd = send_request(fixture, "GET /v2/keys/a?wait=true&stream=true" END);
        static char value[64 * 1024];

        memset(value, 'x', sizeof(value));
        for (int i = 0; i < 200; i++) {
                Command command = {.kind = COMMAND_SET, .path = slice_from("/1/a"), .value = {value, sizeof(value)}};

                assert_int_equal(tree_apply(&fixture->fake.tree, &command, NULL, NULL), 0);
                hub_dispatch(&fixture->fake.tree.hub);
                turn(fixture);
        }
        assert_int_equal(fixture->fake.tree.hub.count, 0);
        (void)receive(fixture, fd, &answer);
        assert_true(buffer_length(&answer) > 100 * sizeof(value));
        assert_memory_equal(buffer_data(&answer) + buffer_length(&answer) - 7, "\r\n0\r\n\r\n", 7);
        assert_int_equal(close(fd), 0);
}

static void test_other_endpoints(void **state) {
        exchange(
                *state, "GET /v2/members" END, 200,
                "{\"members\":[{\"id\":\"8e9e05c52164694d\",\"name\":\"fake\",\"peerURLs\":[\"http://127.0.0.1:2380\"],"
                "\"clientURLs\":[\"http://127.0.0.1:2379\"]}]}\n");
        exchange(*state, "GET /v2/members/leader" END, 200, "8e9e05c52164694d");
        exchange(*state, "GET /v2/members/nosuch" END, 404, "{\"message\":\"Not found\"}");
        exchange(*state, "GET /v2/machines" END, 200, "\r\n\r\nhttp://127.0.0.1:2379");
        exchange(*state, "GET /version" END, 200, "{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}");
        exchange(*state, "GET /health" END, 200, "{\"health\":\"true\"}");
        exchange(*state, "GET /v2/stats/store" END, 200, "{\"getsSuccess\":0,\"getsFail\":0,\"setsSuccess\":3,");
        exchange(*state, "GET /v2/stats/self" END, 200, "\"state\":\"StateLeader\"");
        exchange(*state, "GET /v2/stats/leader" END, 200, "{\"leader\":\"8e9e05c52164694d\",\"followers\":{}}");
        exchange(*state, "OPTIONS /anything" END, 200, "Access-Control-Allow-Origin: *\r\n");
}

#define JSON_HEAD HOST "Content-Type: application/json\r\n"

static void test_members_are_changed(void **state) {
        static const char add[] = "POST /v2/members" JSON_HEAD
                                  "Content-Length: 37\r\n\r\n{\"peerURLs\":[\"http://10.0.0.2:2380\"]}";
        static const char update[] = "PUT /v2/members/abc2" JSON_HEAD
                                     "Content-Length: 37\r\n\r\n{\"peerURLs\":[\"http://10.0.0.3:2380\"]}";

        exchange(*state, add, 201,
                 "{\"id\":\"abc2\",\"name\":\"\",\"peerURLs\":[\"http://10.0.0.2:2380\"],\"clientURLs\":[]}");
        exchange(*state, add, 409, "{\"message\":\"membership: peerURL exists\"}");
        exchange(*state, update, 204, "X-Etcd-Cluster-Id: ");
        exchange(*state, "GET /v2/members" END, 200, "http://10.0.0.3:2380");
        exchange(*state, "DELETE /v2/members/ABC2" END, 204, "");
        exchange(*state, "DELETE /v2/members/abc2" END, 410, "{\"message\":\"Member permanently removed: abc2\"}");
        exchange(*state, update, 410, "");
        exchange(*state, "DELETE /v2/members/12345678901234567" END, 404, "No such member: 12345678901234567");
        exchange(*state, "DELETE /v2/members" END, 405, "Method Not Allowed");
}

static void test_bad_members_are_refused(void **state) {
        static const struct {
                const char *body, *message;
        } cases[] = {{"{}", "no valid URLs given"},
                     {"[", "body is not JSON"},
                     {"7", ""},
                     {"{\"peerURLs\":null}", "no valid URLs given"},
                     {"{\"x\":[\"s\",1.5,true],\"peerURLs\":[]}", "no valid URLs given"},
                     {"{\"peerURLs\":7}", "must be a list"},
                     {"{\"peerURLs\":[7]}", "must be a list"},
                     {"{\"peerURLs\":[\"http://a:1/b\"]}", "URL must not contain a path: http://a:1/b"},
                     {"{\"peerURLs\":[\"http://a\"]}", ""}};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *request = str_printf("POST /v2/members" JSON_HEAD "Content-Length: %zu\r\n\r\n%s",
                                                          strlen(cases[i].body), cases[i].body);

                exchange(*state, request, 400, cases[i].message);
        }
        exchange(*state, "POST /v2/members" HOST "Content-Length: 2\r\n\r\n{}", 415,
                 "{\"message\":\"Bad Content-Type , accept application/json\"}");
}

static void test_follower_without_leader(void **state) {
        Fixture *fixture = *state;

        fixture->fake.leads = false;
        fixture->fake.status.leader_id = 0;
        exchange(fixture, "GET /v2/members/leader" END, 503, "{\"message\":\"During election\"}");
        exchange(fixture, "GET /v2/stats/leader" END, 403, "{\"message\":\"not current leader\"}");
        exchange(fixture, "GET /v2/stats/self" END, 200, "\"state\":\"StateFollower\"");
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_server(test_write_and_read),
                with_server(test_paths_that_are_not_clean_are_redirected),
                with_server(test_cluster_that_cannot_is_told),
                with_server(test_client_that_leaves_before_the_outcome),
                with_server(test_long_poll),
                with_server(test_watcher_goes_with_its_client),
                with_server(test_history_that_is_gone),
                with_server(test_stream_that_does_not_read_is_ended),
                with_server(test_other_endpoints),
                with_server(test_members_are_changed),
                with_server(test_bad_members_are_refused),
                with_server(test_follower_without_leader),
        };

        /* as the server does: a client that is gone is an error of the write, not the end */
        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
