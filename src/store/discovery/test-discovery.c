#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "store/discovery/discovery.h"

static Discovery begin(void) {
        return (Discovery){.url = "http://d/t", .path = "/t", .id = "a1", .value = "one=http://h:1"};
}

static void assert_asks(const Discovery *d, const char *method, const char *target, const char *form) {
        _cleanup_(discovery_request_deinit) DiscoveryRequest request = {0};

        assert_int_equal(discovery_next(d, &request), 0);
        assert_string_equal(request.method, method);
        assert_string_equal(request.target, target);
        assert_int_equal(!!request.form, !!form);
        if (form)
                assert_string_equal(request.form, form);
}

static int hear_value(Discovery *d, const char *value, Error *error) {
        StoreNode node = {.key = (char *)(uintptr_t)"/t/x", .value = (char *)(uintptr_t)value};

        *error = ERROR_NONE;
        return discovery_hear(d, &(StoreReply){.status = 200, .index = 7, .node = &node}, error);
}

static int hear_code(Discovery *d, unsigned status, int code, Error *error) {
        *error = ERROR_NONE;
        return discovery_hear(d, &(StoreReply){.r = -EREMOTEIO, .status = status, .code = code}, error);
}

/* `ids` with their createdIndex counting down from the end: the last named came first. */
static int hear_list(Discovery *d, const char *const *ids, size_t count, Error *error) {
        char keys[8][16], values[8][32];
        StoreNode nodes[8] = {0}, dir = {.key = (char *)(uintptr_t)"/t", .dir = true, .nodes = nodes, .node_count = count};

        *error = ERROR_NONE;
        for (size_t i = 0; i < count; i++) {
                (void)snprintf(keys[i], sizeof(keys[i]), "/t/%s", ids[i]);
                (void)snprintf(values[i], sizeof(values[i]), str_equals(ids[i], "a1") ? "one=http://h:1" : "%s=http://%s:1", ids[i], ids[i]);
                nodes[i] = (StoreNode){.key = keys[i], .value = values[i], .created = 10 - i};
        }
        return discovery_hear(d, &(StoreReply){.status = 200, .index = 20, .node = &dir}, error);
}

static void test_three_meet(void **state) {
        _cleanup_(discovery_deinit) Discovery d = begin();
        Error error;

        (void)state;
        assert_asks(&d, "GET", "/t/_config/size", NULL);
        assert_int_equal(hear_value(&d, "2", &error), DISCOVERY_ON);
        assert_asks(&d, "GET", "/t?quorum=true", NULL);
        assert_int_equal(hear_list(&d, NULL, 0, &error), DISCOVERY_ON);
        assert_asks(&d, "PUT", "/t/a1?prevExist=false", "value=one%3Dhttp%3A%2F%2Fh%3A1");
        assert_int_equal(hear_value(&d, "one=http://h:1", &error), DISCOVERY_ON);
        assert_int_equal(hear_list(&d, (const char *[]){"a1"}, 1, &error), DISCOVERY_ON);
        assert_asks(&d, "GET", "/t?wait=true&recursive=true&waitIndex=21", NULL);
        assert_int_equal(hear_value(&d, "b=http://b:1", &error), DISCOVERY_ON);
        /* c came too late: createdIndex decides, not the order in the list */
        assert_int_equal(hear_list(&d, (const char *[]){"c", "b", "a1"}, 3, &error), DISCOVERY_FOUND);
        assert_string_equal(d.cluster, "one=http://h:1,b=http://b:1");
}

static void test_full_without_and_with_own_registration(void **state) {
        static const char *const lists[][3] = {{"c", "b", "e"}, {"a1", "b", "e"}};
        Error error;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                _cleanup_(discovery_deinit) Discovery d = begin();

                assert_int_equal(hear_value(&d, "2", &error), DISCOVERY_ON);
                assert_int_equal(hear_list(&d, lists[i], 3, &error), DISCOVERY_FULL);
                assert_string_equal(d.cluster, "e=http://e:1,b=http://b:1");
        }
}

static void test_own_registration_is_found_again(void **state) {
        _cleanup_(discovery_deinit) Discovery d = begin();
        Error error;

        (void)state;
        assert_int_equal(hear_value(&d, "2", &error), DISCOVERY_ON);
        assert_int_equal(hear_list(&d, (const char *[]){"a1"}, 1, &error), DISCOVERY_ON);
        assert_int_equal(d.step, DISCOVERY_STEP_WAIT);
}

static void test_lost_answer_to_the_registration(void **state) {
        _cleanup_(discovery_deinit) Discovery d = begin();
        Error error;

        (void)state;
        assert_int_equal(hear_value(&d, "1", &error), DISCOVERY_ON);
        assert_int_equal(hear_list(&d, NULL, 0, &error), DISCOVERY_ON);
        assert_int_equal(discovery_hear(&d, &(StoreReply){.r = -ECONNRESET}, &error), DISCOVERY_AGAIN);
        assert_int_equal(d.step, DISCOVERY_STEP_REGISTER);
        assert_int_equal(hear_code(&d, 412, STORE_KEY_EXISTS, &error), DISCOVERY_ON);
        assert_int_equal(hear_list(&d, (const char *[]){"a1"}, 1, &error), DISCOVERY_FOUND);
}

static void test_another_name_under_the_same_id(void **state) {
        _cleanup_(discovery_deinit) Discovery d = begin();
        Error error;

        (void)state;
        d.value = "uno=http://h:1";
        assert_int_equal(hear_value(&d, "2", &error), DISCOVERY_ON);
        assert_int_equal(hear_list(&d, (const char *[]){"a1"}, 1, &error), -EEXIST);
        assert_non_null(strstr(error.text, "as one=http://h:1 and not as uno="));
}

static void test_registration_that_someone_removed(void **state) {
        _cleanup_(discovery_deinit) Discovery d = begin();
        Error error;

        (void)state;
        d.wrote = true;
        assert_int_equal(hear_value(&d, "2", &error), DISCOVERY_ON);
        assert_int_equal(hear_list(&d, NULL, 0, &error), -ENOENT);
}

static void test_wrong_sizes(void **state) {
        static const char *const wrong[] = {"", "0", "three", "-1", "65", "3 "};
        Error error;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                _cleanup_(discovery_deinit) Discovery d = begin();

                assert_int_equal(hear_value(&d, wrong[i], &error), -EINVAL);
                assert_non_null(strstr(error.text, "_config/size"));
        }
}

static void test_tokens_that_are_none(void **state) {
        Discovery d = begin();
        Error error;

        (void)state;
        assert_int_equal(hear_code(&d, 404, STORE_KEY_NOT_FOUND, &error), -ENOENT);
        assert_non_null(strstr(error.text, "no such discovery token"));
        assert_int_equal(discovery_hear(&d, &(StoreReply){.r = -EBADMSG, .status = 404}, &error), -EPROTO);
        assert_int_equal(hear_code(&d, 401, STORE_UNAUTHORIZED, &error), -EPROTO);
}

static void test_trouble_is_waited_out(void **state) {
        _cleanup_(discovery_deinit) Discovery d = begin();
        Error error;

        (void)state;
        assert_int_equal(hear_code(&d, 500, STORE_RAFT_INTERNAL, &error), DISCOVERY_AGAIN);
        assert_int_equal(d.step, DISCOVERY_STEP_SIZE);
        assert_int_equal(hear_value(&d, "2", &error), DISCOVERY_ON);
        assert_int_equal(hear_list(&d, (const char *[]){"a1"}, 1, &error), DISCOVERY_ON);
        /* a watch that ends without an event, and one whose history is gone */
        assert_int_equal(discovery_hear(&d, &(StoreReply){.r = -EBADMSG, .status = 200}, &error), DISCOVERY_AGAIN);
        assert_int_equal(d.step, DISCOVERY_STEP_LIST);
        d.step = DISCOVERY_STEP_WAIT;
        assert_int_equal(hear_code(&d, 400, STORE_INDEX_CLEARED, &error), DISCOVERY_ON);
        assert_int_equal(d.step, DISCOVERY_STEP_LIST);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_three_meet),
                cmocka_unit_test(test_full_without_and_with_own_registration),
                cmocka_unit_test(test_own_registration_is_found_again),
                cmocka_unit_test(test_lost_answer_to_the_registration),
                cmocka_unit_test(test_another_name_under_the_same_id),
                cmocka_unit_test(test_registration_that_someone_removed),
                cmocka_unit_test(test_wrong_sizes),
                cmocka_unit_test(test_tokens_that_are_none),
                cmocka_unit_test(test_trouble_is_waited_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
