#include "containers/peers/peers.h"

#include <errno.h>

#include "storeclient/http-storeclient.h"

enum { TTL_SEC = 60, RENEW_MSEC = 20000, RETRY_MSEC = 2000 };

#define FIND_TIMEOUT USEC_PER_SEC
#define LEAVE_TIMEOUT (USEC_PER_SEC / 2)

struct Peers {
        StoreClient *client;
        char *key, *url; /* ours; url NULL: we serve nothing */
        uv_timer_t timer;
        StoreCall *call; /* the telling under way */
        bool told;       /* the key is there: it is only renewed */
};

struct PeersQuery {
        Peers *peers;
        StoreCall *call;
        void (*found)(void *userdata, const StringList *urls);
        void *userdata;
};

/* ---- telling ---- */

static void tell(Peers *peers);

static void on_timer(uv_timer_t *timer) {
        tell(timer->data);
}

/* A key that ran out meanwhile is written anew at once. */
static void on_told(void *userdata, const StoreReply *reply) {
        Peers *peers = userdata;
        bool lost = peers->told && reply->r < 0 && reply->code == STORE_KEY_NOT_FOUND;

        peers->call = NULL;
        peers->told = reply->r >= 0 || (peers->told && !lost);
        if (lost)
                tell(peers);
        else
                (void)uv_timer_start(&peers->timer, on_timer, reply->r >= 0 ? RENEW_MSEC : RETRY_MSEC, 0);
}

/* Renewals are refreshes: nobody who watches hears of them. */
static void tell(Peers *peers) {
        const StoreRequest request = {
                .verb = STORE_SET,
                .key = peers->key,
                .value = peers->told ? NULL : peers->url,
                .exist = peers->told ? STORE_EXIST_MUST : STORE_EXIST_ANY,
                .refresh = peers->told,
                .has_ttl = true,
                .ttl = TTL_SEC,
        };

        if (storeclient_send(peers->client, &request, on_told, peers, &peers->call) < 0)
                (void)uv_timer_start(&peers->timer, on_timer, RETRY_MSEC, 0);
}

int peers_new(uv_loop_t *loop, const PeersOptions *options, Peers **ret, Error *error) {
        Peers *peers = calloc(1, sizeof(*peers));
        int r = peers ? 0 : -ENOMEM;

        if (r >= 0) {
                (void)uv_timer_init(loop, &peers->timer);
                peers->timer.data = peers;
                uv_unref((uv_handle_t *)&peers->timer);
                peers->key = str_printf(PEERS_KEY "/%s", options->machine);
                peers->url = options->url ? strdup(options->url) : NULL;
                r = peers->key && (peers->url || !options->url) ? 0 : -ENOMEM;
        }
        if (r >= 0)
                r = http_storeclient_new(loop, options->servers, options->server_count, &peers->client);
        if (r >= 0)
                http_storeclient_set_tls(peers->client, options->tls);
        if (r < 0) {
                peers_free(peers);
                return error_set_errno(error, r, "cannot look for other machines' images");
        }
        if (peers->url)
                tell(peers);
        *ret = peers;
        return 0;
}

static void on_closed(uv_handle_t *handle) {
        Peers *peers = handle->data;

        free(peers->key);
        free(peers->url);
        free(peers);
}

static void on_leave(uv_timer_t *timer) {
        Peers *peers = timer->data;

        peers->client = http_storeclient_free(peers->client);
        uv_close((uv_handle_t *)timer, on_closed);
}

/* In a turn of its own: the client still works when it calls this. */
static void on_left(void *userdata, const StoreReply *reply) {
        Peers *peers = userdata;

        (void)reply; /* a key that stays runs out */
        uv_ref((uv_handle_t *)&peers->timer);
        (void)uv_timer_start(&peers->timer, on_leave, 0, 0);
}

Peers *peers_free(Peers *peers) {
        StoreRequest request = {.verb = STORE_DELETE, .timeout = LEAVE_TIMEOUT};

        if (!peers)
                return NULL;
        peers->call = store_call_cancel(peers->call);
        (void)uv_timer_stop(&peers->timer);
        request.key = peers->key;
        if (peers->told && storeclient_send(peers->client, &request, on_left, peers, NULL) >= 0)
                return NULL;
        on_left(peers, NULL);
        return NULL;
}

/* ---- finding ---- */

static void collect(const Peers *peers, const StoreReply *reply, StringList *urls) {
        const StoreNode *folder = reply->r >= 0 ? reply->node : NULL;

        for (size_t i = 0; folder && i < folder->node_count && urls->length < PEERS_MAX; i++) {
                const StoreNode *node = &folder->nodes[i];

                if (node->value && !str_equals(node->key, peers->key) && str_starts_with(node->value, "http"))
                        (void)string_list_add(urls, node->value);
        }
}

static void on_found(void *userdata, const StoreReply *reply) {
        _cleanup_string_list_ StringList urls = {0};
        PeersQuery *query = userdata;
        void (*found)(void *, const StringList *) = query->found;
        void *owner = query->userdata;

        collect(query->peers, reply, &urls);
        free(query);
        found(owner, &urls);
}

PeersQuery *peers_find(Peers *peers, void (*found)(void *userdata, const StringList *urls), void *userdata) {
        const StoreRequest request = {.verb = STORE_GET, .key = PEERS_KEY, .timeout = FIND_TIMEOUT};
        PeersQuery *query = calloc(1, sizeof(*query));

        if (!query)
                return NULL;
        *query = (PeersQuery){.peers = peers, .found = found, .userdata = userdata};
        if (storeclient_send(peers->client, &request, on_found, query, &query->call) < 0) {
                free(query);
                return NULL;
        }
        return query;
}

void peers_query_cancel(PeersQuery *query) {
        (void)store_call_cancel(query->call);
        free(query);
}
