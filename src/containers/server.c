#include "containers/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "containers/api/api.h"
#include "containers/image/image-serve.h"
#include "containers/peers/peers.h"
#include "host/file.h"

enum { SOCKET_MODE = 0660 };

struct ContainersServer {
        uv_loop_t *loop;
        const ContainersSettings *settings;
        EngineSettings engine_settings;
        ImageStore *images;
        Engine *engine;
        Peers *peers;
        TlsContext *store_tls; /* NULL: the store is not at https */
        ContainersApi api;
        HttpServer *http, *serve; /* the API; images for other machines */
        int lock;
        char runtime[128];
        bool closing;
};

static void on_note(const char *text) {
        log_warning("%s", text);
}

/* One engine for a state directory: two would fight for its containers. */
static int take_lock(ContainersServer *server, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/lock", server->settings->state_dir);
        int r = path ? file_make_folder(server->settings->state_dir, 0711, error) : -ENOMEM;

        if (r < 0)
                return r;
        server->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (server->lock < 0)
                return error_set_errno(error, -errno, "cannot open %s", path);
        if (flock(server->lock, LOCK_EX | LOCK_NB) < 0)
                return error_set(error, -EBUSY,
                                 "another faering-containers uses %s: give this one a --state-dir of its own",
                                 server->settings->state_dir);
        return 0;
}

static int open_images(ContainersServer *server, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/images", server->settings->state_dir);

        return path ? image_store_open(server->loop, path, &server->images, error) : -ENOMEM;
}

static int open_engine(ContainersServer *server, Error *error) {
        const ContainersSettings *settings = server->settings;
        int r;

        server->engine_settings = (EngineSettings){
                .state_dir = settings->state_dir,
                .run_dir = settings->run_dir,
                .runtime = settings->runtime,
                .shim = settings->shim,
                .bridge_address = settings->bridge_address,
                .no_network = settings->no_network,
                .note = on_note,
        };
        r = engine_new(server->loop, &server->engine_settings, server->images, &server->engine, error);
        if (r < 0)
                return r;
        while (!engine_is_settled(server->engine))
                (void)uv_run(server->loop, UV_RUN_ONCE);
        if (server->engine->network)
                container_network_sweep(server->engine->network);
        (void)snprintf(server->runtime, sizeof(server->runtime), "%s %s", server->engine->runtime_name,
                       server->engine->runtime_version);
        return 0;
}

int containers_server_new(uv_loop_t *loop, const ContainersSettings *settings, ContainersServer **ret, Error *error) {
        ContainersServer *server = calloc(1, sizeof(*server));
        int r;

        if (!server)
                return error_set_errno(error, -ENOMEM, "cannot begin");
        server->loop = loop;
        server->settings = settings;
        server->lock = -1;
        *ret = server;
        r = take_lock(server, error);
        if (r >= 0)
                r = open_images(server, error);
        return r < 0 ? r : open_engine(server, error);
}

static int open_store_tls(ContainersServer *server, Error *error) {
        const ContainersSettings *settings = server->settings;
        const TlsSettings tls = {
                .cert_file = settings->store_cert_file,
                .key_file = settings->store_key_file,
                .ca_file = settings->store_ca_file,
                .ca_option = "--store-ca-file",
                .note = tls_log_note,
        };

        if (!urls_have_https(settings->store_urls, settings->n_store))
                return 0;
        return tls_context_new(&tls, &server->store_tls, error);
}

static int open_peers(ContainersServer *server, Error *error) {
        const ContainersSettings *settings = server->settings;
        const PeersOptions options = {
                .servers = settings->store_urls,
                .server_count = settings->n_store,
                .tls = server->store_tls,
                .machine = settings->machine_id,
                .url = settings->serve_images[0] && settings->machine_id[0] ? settings->serve_images : NULL,
        };

        return settings->n_store > 0 ? peers_new(server->loop, &options, &server->peers, error) : 0;
}

static const HttpServerOps serve_ops = {.handle = image_serve_handle};

static int serve_images(ContainersServer *server, Error *error) {
        if (!server->settings->serve_images[0])
                return 0;
        server->serve = http_server_new(server->loop, &serve_ops, server->images, NULL);
        if (!server->serve)
                return error_set_errno(error, -ENOMEM, "cannot serve images");
        return http_server_listen(server->serve, &server->settings->serve_url, 0, NULL, NULL, error);
}

int containers_server_start(ContainersServer *server, Error *error) {
        int r = open_store_tls(server, error);

        if (r >= 0)
                r = open_peers(server, error);
        if (r < 0)
                return r;
        server->api =
                (ContainersApi){.engine = server->engine, .images = {.store = server->images, .peers = server->peers}};
        server->http = http_server_new(server->loop, &containers_api_ops, &server->api, &containers_api_limits);
        if (!server->http)
                return error_set_errno(error, -ENOMEM, "cannot serve the API");
        for (size_t i = 0; r >= 0 && i < server->settings->n_listen; i++)
                r = http_server_listen(server->http, &server->settings->listen_urls[i], SOCKET_MODE, NULL, NULL, error);
        return r < 0 ? r : serve_images(server, error);
}

const char *containers_server_runtime(const ContainersServer *server) {
        return server->runtime;
}

void containers_server_stop(ContainersServer *server) {
        if (server->closing)
                return;
        server->closing = true;
        if (server->http)
                http_server_close(server->http, NULL, NULL);
        if (server->serve)
                http_server_close(server->serve, NULL, NULL);
        server->peers = peers_free(server->peers);
        if (server->engine)
                engine_close(server->engine);
}

ContainersServer *containers_server_free(ContainersServer *server) {
        if (!server)
                return NULL;
        containers_server_stop(server);
        (void)uv_run(server->loop, UV_RUN_DEFAULT);
        engine_free(server->engine);
        image_store_free(server->images);
        if (server->lock >= 0)
                (void)close(server->lock);
        (void)tls_context_free(server->store_tls);
        free(server);
        return NULL;
}
