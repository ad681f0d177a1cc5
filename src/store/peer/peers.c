#include "store/peer/peers.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/list.h"
#include "store/peer/peer-stream.h"

enum {
        REDIAL_MSEC = 100,        /* after a failure, growing to … */
        REDIAL_MSEC_MAX = 1000,
        UNACKNOWLEDGED_MSEC = 5000, /* a connection whose bytes nobody acknowledges for so long is given up */
        INCOMING_MAX = 256,
        PEERS_STATUS_REMOVED = 410,
};

#define UNREACHABLE_EVERY USEC_PER_SEC

typedef struct Peer Peer;

/* A connection that this member dials. */
typedef struct Link {
        Peer *peer;
        bool bulk;
        HttpCall *call; /* dialling */
        Stream *stream; /* connected */
        uv_timer_t timer;
        unsigned backoff_msec;
        size_t next_url;
        bool waiting;   /* for the timer */
        bool corked;
} Link;

struct Peer {
        ListNode link;
        Peers *peers;
        uint64_t id;
        Url *urls;
        size_t url_count;
        Link links[2]; /* messages, bulk */
        Usec told_unreachable;
        Error trouble; /* as told last */
        unsigned open_timers;
        bool gone;
};

/* A connection that another member dialled. */
typedef struct Incoming {
        ListNode link;
        Peers *peers;
        uint64_t from;
        bool bulk;
        Stream *stream;
        FrameReader reader;
} Incoming;

struct Peers {
        uv_loop_t *loop;
        PeersConfig config;
        const PeersOps *ops;
        void *userdata;
        HttpClient *client;
        List peers;
        List gone; /* removed, their handles still closing */
        List incoming;
        size_t incoming_count;
        bool closing;
        void (*closed)(void *userdata);
        void *closed_data;
};

static void peers_settle(Peers *peers) {
        void (*closed)(void *userdata) = peers->closed;
        void *userdata = peers->closed_data;

        if (!peers->closing || !list_is_empty(&peers->peers) || !list_is_empty(&peers->gone) || peers->incoming_count > 0)
                return;
        free(peers);
        if (closed)
                closed(userdata);
}

/* ---- dialling ---- */

static void link_dial(Link *link);

static void on_redial(uv_timer_t *timer) {
        Link *link = timer->data;

        link->waiting = false;
        link_dial(link);
}

static void link_dial_later(Link *link) {
        if (link->peer->gone || link->waiting)
                return;
        link->waiting = true;
        link->backoff_msec = min_of(max_of(link->backoff_msec * 2, (unsigned)REDIAL_MSEC), (unsigned)REDIAL_MSEC_MAX);
        (void)uv_timer_start(&link->timer, on_redial, link->backoff_msec, 0);
}

static void on_link_input(Stream *stream, const char *bytes, size_t length) {
        (void)stream; /* nothing is sent back on this connection */
        (void)bytes;
        (void)length;
}

static void link_lost(Link *link) {
        Stream *stream = link->stream;

        if (!stream)
                return;
        link->stream = NULL;
        stream->owner = NULL;
        stream_close(stream);
        link_dial_later(link);
}

static void on_link_end(Stream *stream) {
        if (stream->owner)
                link_lost(stream->owner);
}

static void on_link_failed(Stream *stream, int r) {
        (void)r;
        on_link_end(stream);
}

static void on_link_closed(Stream *stream) {
        http_call_stream_free(stream);
}

static const StreamEvents link_events = {
        .input = on_link_input,
        .input_end = on_link_end,
        .failed = on_link_failed,
        .closed = on_link_closed,
};

/* A machine that vanished acknowledges nothing: the kernel then ends the connection, instead of queueing for minutes. */
static void stream_set_user_timeout(Stream *stream) {
        unsigned msec = UNACKNOWLEDGED_MSEC;
        uv_os_fd_t fd;

        if (uv_fileno(&stream->uv.handle, &fd) >= 0)
                (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &msec, sizeof(msec));
}

static void on_upgraded(HttpCall *call, Stream *stream, Slice early) {
        Link *link = http_call_userdata(call);

        (void)early;
        link->call = NULL;
        link->stream = stream;
        link->backoff_msec = 0;
        link->peer->trouble = ERROR_NONE;
        stream_set_events(stream, &link_events, link);
        stream_set_user_timeout(stream);
        if (stream_start_reading(stream) < 0)
                link_lost(link);
}

static void peer_tell_trouble(Peer *peer, const char *why) {
        if (str_equals(peer->trouble.text, why))
                return;
        (void)error_set(&peer->trouble, -EPROTO, "%s", why);
        peer->peers->ops->troubled(peer->peers->userdata, peer->id, why);
}

/* Refused, or an answer that is no upgrade: the next URL may do better. */
static void on_dial_done(HttpCall *call, int r, const Error *error) {
        Link *link = http_call_userdata(call);

        if (r == -EPROTO)
                peer_tell_trouble(link->peer, error->text);
        if (r >= 0 && http_call_status(call) == PEERS_STATUS_REMOVED)
                link->peer->peers->ops->removed(link->peer->peers->userdata, link->peer->id);
        link->call = NULL;
        link->next_url++;
        link_dial_later(link);
}

static const HttpCallOps dial_ops = {.upgraded = on_upgraded, .done = on_dial_done};

static void link_dial(Link *link) {
        Peer *peer = link->peer;
        char headers[256];
        int r;
        HttpCallSpec spec = {
                .url = &peer->urls[link->next_url % peer->url_count],
                .method = "POST",
                .target = PEERS_PATH,
                .headers = headers,
                .want_upgrade = true,
                .connect_timeout = USEC_PER_SEC,
                .head_timeout = 2 * USEC_PER_SEC,
        };

        (void)snprintf(headers, sizeof(headers),
                       "Connection: Upgrade\r\nUpgrade: faering-peer\r\nX-Faering-Cluster: %" PRIx64
                       "\r\nX-Faering-From: %" PRIx64 "\r\nX-Faering-To: %" PRIx64 "\r\nX-Faering-Format: 1\r\n"
                       "X-Faering-Bulk: %d\r\n",
                       peer->peers->config.cluster, peer->peers->config.member, peer->id, link->bulk);
        r = http_client_call(peer->peers->client, &spec, &dial_ops, link, &link->call);
        if (r >= 0)
                return;
        if (r == -EPROTONOSUPPORT)
                peer_tell_trouble(peer, "its address is of https, and this member has no certificates (--peer-trusted-ca-file …)");
        link->next_url++;
        link_dial_later(link);
}

/* ---- members ---- */

static Peer *peers_find(const Peers *peers, uint64_t id) {
        for (ListNode *node = peers->peers.next; node != &peers->peers; node = node->next) {
                Peer *peer = container_of(node, Peer, link);

                if (peer->id == id)
                        return peer;
        }
        return NULL;
}

static void on_timer_closed(uv_handle_t *handle) {
        Link *link = handle->data;
        Peer *peer = link->peer;
        Peers *peers = peer->peers;

        if (--peer->open_timers > 0)
                return;
        list_unlink(&peer->link);
        free(peer->urls);
        free(peer);
        peers_settle(peers);
}

static void peer_remove(Peer *peer) {
        peer->gone = true;
        list_unlink(&peer->link);
        list_append(&peer->peers->gone, &peer->link);
        for (size_t i = 0; i < ARRAY_SIZE(peer->links); i++) {
                Link *link = &peer->links[i];

                if (link->call)
                        http_call_cancel(take_ptr(link->call));
                link_lost(link);
                uv_close((uv_handle_t *)&link->timer, on_timer_closed);
        }
}

static Peer *peer_new(Peers *peers, uint64_t id) {
        Peer *peer = calloc(1, sizeof(*peer));

        if (!peer)
                return NULL;
        peer->peers = peers;
        peer->id = id;
        list_init(&peer->link);
        for (size_t i = 0; i < ARRAY_SIZE(peer->links); i++) {
                Link *link = &peer->links[i];

                link->peer = peer;
                link->bulk = i == 1;
                (void)uv_timer_init(peers->loop, &link->timer);
                link->timer.data = link;
                peer->open_timers++;
        }
        return peer;
}

static bool urls_equal(const Peer *peer, const Url *urls, size_t count) {
        return peer->url_count == count && memcmp(peer->urls, urls, count * sizeof(*urls)) == 0;
}

int peers_set(Peers *peers, uint64_t id, const Url *urls, size_t count) {
        Peer *peer = peers_find(peers, id);
        bool fresh = !peer;
        Url *copy;

        if (id == peers->config.member || count == 0 || (peer && urls_equal(peer, urls, count)))
                return 0;
        copy = calloc(count, sizeof(*copy));
        if (!copy)
                return -ENOMEM;
        memcpy(copy, urls, count * sizeof(*urls));
        if (!peer) {
                peer = peer_new(peers, id);
                if (!peer) {
                        free(copy);
                        return -ENOMEM;
                }
                list_append(&peers->peers, &peer->link);
        }
        free(peer->urls);
        peer->urls = copy;
        peer->url_count = count;
        for (size_t i = 0; fresh && i < ARRAY_SIZE(peer->links); i++)
                link_dial(&peer->links[i]);
        return 0;
}

void peers_keep_only(Peers *peers, const uint64_t *ids, size_t count) {
        list_foreach(&peers->peers, node) {
                Peer *peer = container_of(node, Peer, link);
                bool keep = false;

                for (size_t i = 0; i < count; i++)
                        keep = keep || ids[i] == peer->id;
                if (!keep)
                        peer_remove(peer);
        }
        /* who is no member any more is not listened to either */
        list_foreach(&peers->incoming, node) {
                Incoming *incoming = container_of(node, Incoming, link);

                if (!peers_find(peers, incoming->from))
                        stream_close(incoming->stream);
        }
}

static void peer_tell_unreachable(Peer *peer) {
        Usec now = uv_now(peer->peers->loop) * USEC_PER_MSEC;

        if (peer->told_unreachable && now - peer->told_unreachable < UNREACHABLE_EVERY)
                return;
        peer->told_unreachable = now;
        peer->peers->ops->unreachable(peer->peers->userdata, peer->id);
}

void peers_send(Peers *peers, uint64_t to, bool bulk, Slice frame) {
        Peer *peer = peers_find(peers, to);
        Link *link = peer ? &peer->links[bulk] : NULL;

        if (!peer)
                return;
        if (!link->stream || stream_queued(link->stream) > PEERS_QUEUE_MAX) {
                peer_tell_unreachable(peer);
                return;
        }
        if (!link->corked) {
                stream_cork(link->stream);
                link->corked = true;
        }
        if (frame_write(link->stream, frame) < 0)
                peer_tell_unreachable(peer);
}

void peers_flush(Peers *peers) {
        list_foreach(&peers->peers, node) {
                Peer *peer = container_of(node, Peer, link);

                for (size_t i = 0; i < ARRAY_SIZE(peer->links); i++) {
                        Link *link = &peer->links[i];

                        if (link->corked && link->stream)
                                stream_uncork(link->stream);
                        link->corked = false;
                }
        }
}

bool peers_connected(const Peers *peers, uint64_t id) {
        const Peer *peer = peers_find(peers, id);

        return peer && peer->links[0].stream;
}

/* ---- incoming ---- */

static void on_incoming_closed(Stream *stream) {
        Incoming *incoming = stream->owner;
        Peers *peers = incoming->peers;

        list_unlink(&incoming->link);
        frame_reader_deinit(&incoming->reader);
        http_upgraded_free(stream);
        free(incoming);
        peers->incoming_count--;
        peers_settle(peers);
}

static void on_incoming_end(Stream *stream) {
        stream_close(stream);
}

static void on_incoming_failed(Stream *stream, int r) {
        (void)r;
        stream_close(stream);
}

static void on_incoming_input(Stream *stream, const char *bytes, size_t length) {
        Incoming *incoming = stream->owner;
        Slice rest = {bytes, length};
        RaftPayload *frame;
        int r;

        while (!stream_is_closing(stream) && (r = frame_reader_next(&incoming->reader, &rest, &frame)) != 0) {
                if (r > 0) {
                        r = incoming->peers->ops->frame(incoming->peers->userdata, incoming->from, frame);
                        raft_payload_unref(frame);
                }
                if (r < 0)
                        stream_close(stream);
        }
}

static const StreamEvents incoming_events = {
        .input = on_incoming_input,
        .input_end = on_incoming_end,
        .failed = on_incoming_failed,
        .closed = on_incoming_closed,
};

static bool header_u64(const HttpRequest *request, const char *name, uint64_t *ret) {
        Slice value = http_request_header(request, name);
        char text[32], *end;

        if (!value.data || value.length == 0 || value.length >= sizeof(text))
                return false;
        memcpy(text, value.data, value.length);
        text[value.length] = '\0';
        *ret = strtoull(text, &end, 16);
        return *end == '\0';
}

/* A member that dials anew has given up its earlier connection, even if that is not known here yet. */
static void incoming_replace(Peers *peers, uint64_t from, bool bulk) {
        list_foreach(&peers->incoming, node) {
                Incoming *incoming = container_of(node, Incoming, link);

                if (incoming->from == from && incoming->bulk == bulk)
                        stream_close(incoming->stream);
        }
}

static void peers_accept(Peers *peers, HttpRequest *request, uint64_t from, bool bulk) {
        _cleanup_buffer_ Buffer early = BUFFER_INIT;
        Incoming *incoming = calloc(1, sizeof(*incoming));

        if (!incoming || http_request_upgrade(request, 101, "Connection: Upgrade\r\nUpgrade: faering-peer\r\n",
                                              &incoming->stream, &early) < 0) {
                free(incoming);
                http_respond_text(request, 503, "out of memory\n");
                return;
        }
        incoming_replace(peers, from, bulk);
        incoming->peers = peers;
        incoming->from = from;
        incoming->bulk = bulk;
        list_append(&peers->incoming, &incoming->link);
        peers->incoming_count++;
        stream_set_events(incoming->stream, &incoming_events, incoming);
        if (buffer_length(&early) > 0)
                on_incoming_input(incoming->stream, buffer_data(&early), buffer_length(&early));
        if (stream_start_reading(incoming->stream) < 0)
                stream_close(incoming->stream);
}

void peers_handle(Peers *peers, HttpRequest *request) {
        uint64_t cluster, from, to, format, bulk;

        if (!http_request_wants_upgrade(request) || !header_u64(request, "x-faering-cluster", &cluster) ||
            !header_u64(request, "x-faering-from", &from) || !header_u64(request, "x-faering-to", &to) ||
            !header_u64(request, "x-faering-format", &format) || !header_u64(request, "x-faering-bulk", &bulk))
                http_respond_text(request, 400, "this address is for the other members of the cluster\n");
        else if (cluster != peers->config.cluster)
                http_respond_text(request, 412, "this member belongs to another cluster: see --initial-cluster-token\n");
        else if (to != peers->config.member)
                http_respond_text(request, 412, "another member is meant: two members were given this address\n");
        else if (format != 1)
                http_respond_text(request, 412, "this version speaks format 1 of the peer protocol only\n");
        else if (peers->ops->is_removed(peers->userdata, from))
                http_respond_text(request, PEERS_STATUS_REMOVED, "this member was removed from the cluster\n");
        else if (!peers_find(peers, from))
                http_respond_text(request, 403, "not a member of this cluster\n");
        else if (peers->closing || peers->incoming_count >= INCOMING_MAX)
                http_respond_text(request, 503, "try later\n");
        else
                peers_accept(peers, request, from, bulk != 0);
}

/* ---- life ---- */

Peers *peers_new(uv_loop_t *loop, const PeersConfig *config, const PeersOps *ops, void *userdata) {
        Peers *peers = calloc(1, sizeof(*peers));

        if (!peers)
                return NULL;
        *peers = (Peers){.loop = loop, .config = *config, .ops = ops, .userdata = userdata};
        list_init(&peers->peers);
        list_init(&peers->gone);
        list_init(&peers->incoming);
        peers->client = http_client_new(loop, &(HttpClientConfig){.tls = config->tls});
        if (!peers->client) {
                free(peers);
                return NULL;
        }
        return peers;
}

void peers_close(Peers *peers, void (*closed)(void *userdata), void *userdata) {
        peers->closing = true;
        peers->closed = closed;
        peers->closed_data = userdata;
        peers_keep_only(peers, NULL, 0);
        http_client_close(peers->client);
        peers_settle(peers);
}
