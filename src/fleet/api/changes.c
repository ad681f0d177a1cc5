/*
 * changes: waits until anything is different in the cluster. ?since=N, the number of an earlier answer, ?wait=SECONDS: {"number":N}
 * once it is another one, or when that time is over. Numbers are this daemon's own.
 */
#include <errno.h>

#include "base/list.h"
#include "fleet/api/handlers.h"
#include "net/url.h"

enum { WAIT_SEC_DEFAULT = 20, WAIT_SEC_MAX = 60, WAITERS_MAX = 256 };

typedef struct ChangeWaiter {
        ListNode node; /* first: found by its address */
        FleetApi *api;
        HttpRequest *request; /* NULL: answered, or the client is gone */
        uv_timer_t timer;
} ChangeWaiter;

static void on_closed(uv_handle_t *handle) {
        free(handle->data);
}

static void waiter_end(ChangeWaiter *waiter) {
        waiter->request = NULL;
        waiter->api->n_waiters--;
        list_unlink(&waiter->node);
        uv_close((uv_handle_t *)&waiter->timer, on_closed);
}

static void respond(FleetApi *api, HttpRequest *request) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_field_u64(&json, "number", api->changes);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

static void waiter_answer(ChangeWaiter *waiter) {
        HttpRequest *request = waiter->request;

        http_request_set_gone(request, NULL, false);
        waiter_end(waiter);
        respond(waiter->api, request);
}

static void on_timeout(uv_timer_t *timer) {
        waiter_answer(timer->data);
}

static void on_gone(HttpRequest *request) {
        waiter_end(http_request_data(request));
}

void fleet_api_changed(FleetApi *api) {
        api->changes++;
        while (api->n_waiters > 0)
                waiter_answer((ChangeWaiter *)api->waiters.next);
}

static void wait_for_change(FleetApi *api, HttpRequest *request, uint64_t seconds) {
        ChangeWaiter *waiter;

        if (api->n_waiters == WAITERS_MAX) {
                fleet_fail(request, 503, "too many wait for changes");
                return;
        }
        waiter = calloc(1, sizeof(*waiter));
        if (!waiter) {
                fleet_fail(request, 500, "out of memory");
                return;
        }
        waiter->api = api;
        waiter->request = request;
        list_init(&waiter->node);
        list_append(&api->waiters, &waiter->node);
        api->n_waiters++;
        (void)uv_timer_init(http_request_loop(request), &waiter->timer);
        waiter->timer.data = waiter;
        (void)uv_timer_start(&waiter->timer, on_timeout, seconds * 1000, 0);
        http_request_set_data(request, waiter);
        http_request_set_gone(request, on_gone, true);
}

/* False after it was answered. */
static bool read_number(HttpRequest *request, const char *key, uint64_t max, uint64_t *ret) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (url_query_get(http_request_query(request), key, &text) <= 0 ||
            str_parse_u64((Slice){buffer_data(&text), buffer_length(&text)}, max, ret) >= 0)
                return true;
        fleet_fail(request, 400, "since must be a number, and wait one of seconds up to 60");
        return false;
}

void fleet_changes_handle(FleetApi *api, HttpRequest *request, const char *path) {
        uint64_t since = 0, seconds = WAIT_SEC_DEFAULT;

        if (*path)
                fleet_fail(request, 404, "");
        else if (http_request_method(request) != HTTP_METHOD_GET)
                fleet_fail(request, 405, "only GET supported against this resource");
        else if (!read_number(request, "since", UINT64_MAX, &since) ||
                 !read_number(request, "wait", WAIT_SEC_MAX, &seconds))
                return;
        else if (since != api->changes)
                respond(api, request);
        else
                wait_for_change(api, request, seconds);
}
