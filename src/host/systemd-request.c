/*
 * Method calls to systemd, a few at a time and in order. The bus refuses what a connection asks for while 128 of its calls are without
 * an answer (max_replies_per_connection): whoever starts fifty units at once would be refused.
 */
#include <errno.h>

#include "host/systemd-internal.h"

enum { REQUESTS_UNDER_WAY_MAX = 64 };
#define ANSWER_TIMEOUT (120 * USEC_PER_SEC)

struct Request {
        ListNode link; /* in owner->outbox, or in owner->sent */
        Systemd *owner;
        bool sent;
        sd_bus_message *message;
        sd_bus_slot *slot;
        sd_bus_message_handler_t answered;
        void *userdata;
};

static void request_free(Request *request) {
        list_unlink(&request->link);
        if (request->sent)
                request->owner->n_sent--;
        libsystemd.sd_bus_slot_unref(request->slot);
        libsystemd.sd_bus_message_unref(request->message);
        free(request);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Request *request = userdata;
        Systemd *s = request->owner;
        sd_bus_message_handler_t answered = request->answered;
        void *data = request->userdata;

        request_free(request);
        (void)answered(m, data, error);
        systemd_requests_send(s);
        return 0;
}

void systemd_requests_send(Systemd *s) {
        while (!s->lost && s->bus && s->n_sent < REQUESTS_UNDER_WAY_MAX && !list_is_empty(&s->outbox)) {
                Request *request = container_of(s->outbox.next, Request, link);
                int r = libsystemd.sd_bus_call_async(s->bus, &request->slot, request->message, on_answer, request, ANSWER_TIMEOUT);

                if (r < 0) { /* the connection is of no use, which it will tell */
                        systemd_bus_fail(s, r);
                        return;
                }
                list_unlink(&request->link);
                list_append(&s->sent, &request->link);
                request->sent = true;
                s->n_sent++;
        }
}

int systemd_request(Systemd *s, sd_bus_message *message, sd_bus_message_handler_t answered, void *userdata, Request **ret) {
        Request *request = calloc(1, sizeof(*request));

        if (!request)
                return -ENOMEM;
        *request = (Request){.owner = s, .message = libsystemd.sd_bus_message_ref(message), .answered = answered, .userdata = userdata};
        list_init(&request->link);
        list_append(&s->outbox, &request->link);
        if (ret)
                *ret = request;
        systemd_wake(s); /* which sends */
        return 0;
}

Request *systemd_request_cancel(Request *request) {
        if (request)
                request_free(request);
        return NULL;
}

void systemd_requests_send_rest(Systemd *s) {
        list_foreach(&s->outbox, node) {
                Request *request = container_of(node, Request, link);

                if (!s->bus || s->lost)
                        return;
                (void)libsystemd.sd_bus_message_set_expect_reply(request->message, 0);
                (void)libsystemd.sd_bus_send(s->bus, request->message, NULL);
        }
}

void systemd_requests_drop(Systemd *s) {
        while (!list_is_empty(&s->outbox))
                request_free(container_of(s->outbox.next, Request, link));
        while (!list_is_empty(&s->sent))
                request_free(container_of(s->sent.next, Request, link));
}
