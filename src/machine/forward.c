#include "machine/forward.h"

#include <errno.h>
#include <netinet/in.h>

#include "machine/switch.h"
#include "net/address.h"
#include "net/stream.h"

enum {
        BACKLOG = 64,
        QUEUE_MAX = 256 * 1024, /* then reading of the other side stops */
};

struct Forward {
        uv_tcp_t listener;
        uv_loop_t *loop;
        int network;
        PlanForward plan;
        List links;
        size_t count;
        bool closing, listener_closed;
};

/* A connection: what comes in on one side goes out on the other. */
typedef struct Link {
        ListNode link;
        Forward *forward;
        Stream sides[2]; /* the host's, the machine's */
        uv_connect_t connect;
        bool connected, closing;
        bool ended[2]; /* a side has sent its end */
        unsigned open;
} Link;

static void forward_step(Forward *forward) {
        if (forward->listener_closed && list_is_empty(&forward->links))
                free(forward);
}

static void link_close(Link *link) {
        link->closing = true;
        for (size_t i = 0; i < 2; i++)
                stream_close(&link->sides[i]);
}

static Stream *other_side(Link *link, const Stream *side) {
        return side == &link->sides[0] ? &link->sides[1] : &link->sides[0];
}

static void on_input(Stream *side, const char *bytes, size_t length) {
        Link *link = side->owner;
        Stream *to = other_side(link, side);

        if (stream_write(to, bytes, length) < 0)
                link_close(link);
        else if (stream_queued(to) > QUEUE_MAX)
                stream_stop_reading(side);
}

static void on_input_end(Stream *side) {
        Link *link = side->owner;

        link->ended[side == &link->sides[1]] = true;
        stream_end(other_side(link, side));
}

static void on_drained(Stream *side) {
        Link *link = side->owner;
        size_t from = side == &link->sides[0] ? 1 : 0;

        if (link->connected && !link->closing && !link->ended[from])
                (void)stream_start_reading(&link->sides[from]);
}

static void on_failed(Stream *side, int r) {
        (void)r;
        link_close(side->owner);
}

/* Our end to one side has gone out; when both sides have ended there is nothing left. */
static void on_ended(Stream *side) {
        Link *link = side->owner;

        if (link->ended[0] && link->ended[1] && stream_queued(other_side(link, side)) == 0)
                link_close(link);
}

static void on_closed(Stream *side) {
        Link *link = side->owner;
        Forward *forward = link->forward;

        if (--link->open > 0)
                return;
        list_unlink(&link->link);
        forward->count--;
        free(link);
        forward_step(forward);
}

static const StreamEvents events = {.input = on_input,
                                    .input_end = on_input_end,
                                    .drained = on_drained,
                                    .failed = on_failed,
                                    .ended = on_ended,
                                    .closed = on_closed};

static void on_connected(uv_connect_t *request, int status) {
        Link *link = request->data;

        if (link->closing)
                return;
        if (status < 0) {
                link_close(link);
                return;
        }
        link->connected = true;
        for (size_t i = 0; i < 2; i++) {
                stream_connected(&link->sides[i]);
                if (stream_start_reading(&link->sides[i]) < 0)
                        link_close(link);
        }
}

/* The socket is made in the switch's network; after that any thread may use it from anywhere. */
static int link_connect(Link *link) {
        const Forward *forward = link->forward;
        struct sockaddr_storage address;
        int fd, r;

        r = address_parse(forward->plan.address, forward->plan.port, &address);
        if (r >= 0)
                r = switch_socket(forward->network, &fd, NULL);
        if (r < 0)
                return r;
        r = uv_tcp_open(&link->sides[1].uv.tcp, fd);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        link->connect.data = link;
        return uv_tcp_connect(&link->connect, &link->sides[1].uv.tcp, (struct sockaddr *)&address, on_connected);
}

static void on_connection(uv_stream_t *listener, int status) {
        Forward *forward = listener->data;
        Link *link;

        if (status < 0 || forward->closing)
                return;
        link = calloc(1, sizeof(*link));
        if (!link)
                return;
        link->forward = forward;
        if (stream_init(&link->sides[0], forward->loop, false, &events, link) < 0 ||
            stream_init(&link->sides[1], forward->loop, false, &events, link) < 0) {
                free(link); /* stream_init() of TCP makes nothing that must be closed before it fails */
                return;
        }
        link->open = 2;
        list_append(&forward->links, &link->link);
        forward->count++;
        if (uv_accept(listener, &link->sides[0].uv.stream) < 0 || forward->count > FORWARD_CONNECTIONS_MAX ||
            link_connect(link) < 0)
                link_close(link);
}

static void on_listener_closed(uv_handle_t *handle) {
        Forward *forward = handle->data;

        forward->listener_closed = true;
        forward_step(forward);
}

void forward_close(Forward *forward) {
        forward->closing = true;
        uv_close((uv_handle_t *)&forward->listener, on_listener_closed);
        list_foreach (&forward->links, node)
                link_close(container_of(node, Link, link));
}

const PlanForward *forward_plan(const Forward *forward) {
        return &forward->plan;
}

int forward_new(uv_loop_t *loop, int network, const PlanForward *plan, Forward **ret, Error *error) {
        Forward *forward = calloc(1, sizeof(*forward));
        struct sockaddr_storage address;
        int r;

        if (!forward)
                return error_set_errno(error, -ENOMEM, "cannot forward port %u", plan->host_port);
        *forward = (Forward){.loop = loop, .network = network, .plan = *plan};
        list_init(&forward->links);
        (void)address_parse("127.0.0.1", plan->host_port, &address);
        r = uv_tcp_init(loop, &forward->listener);
        if (r < 0) {
                free(forward);
                return error_set_errno(error, r, "cannot forward port %u", plan->host_port);
        }
        forward->listener.data = forward;
        r = uv_tcp_bind(&forward->listener, (struct sockaddr *)&address, 0);
        if (r >= 0)
                r = uv_listen((uv_stream_t *)&forward->listener, BACKLOG, on_connection);
        if (r < 0) {
                forward_close(forward);
                return error_set_errno(error, r, "cannot listen at 127.0.0.1:%u", plan->host_port);
        }
        *ret = forward;
        return 0;
}
