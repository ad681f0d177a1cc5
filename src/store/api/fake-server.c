/*
 * The client API over the fake backend, in one process without raft or disk: to hold the handlers against recorded
 * cases of the protocol. Not installed.
 *
 *     store-fake-server http://127.0.0.1:4001
 */
#include <signal.h>
#include <stdio.h>

#include "store/api/auth.h"
#include "store/api/fake-backend.h"

enum { SYNC_MSEC = 500 };

static void on_sync(uv_timer_t *timer) {
        fake_backend_sync(timer->data);
}

static void on_signal(uv_signal_t *signal, int number) {
        (void)number;
        uv_stop(signal->loop);
}

int main(int argc, char **argv) {
        static const HttpServerOps ops = {.handle = api_handle};
        FakeBackend fake;
        Api api;
        Error error = ERROR_NONE;
        HttpServer *server;
        uv_signal_t signals[2];
        uv_timer_t timer;
        uv_loop_t loop;
        Url url;

        if (argc != 2 || url_parse(argv[1], 4001, &url, &error) < 0) {
                (void)fprintf(stderr, "usage: %s URL\n%s\n", argv[0], error.text);
                return 1;
        }
        if (fake_backend_init(&fake, argv[1]) < 0 || uv_loop_init(&loop) < 0)
                return 1;
        api_init(&api, &fake_backend, &fake, auth_new(&loop));
        if (!api.auth)
                return 1;
        server = http_server_new(&loop, &ops, &api, &http_server_limits_default);
        if (!server || http_server_listen(server, &url, 0600, NULL, NULL, &error) < 0) {
                (void)fprintf(stderr, "%s\n", error.text);
                return 1;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        timer.data = &fake;
        (void)uv_timer_init(&loop, &timer);
        (void)uv_timer_start(&timer, on_sync, SYNC_MSEC, SYNC_MSEC);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                (void)uv_signal_init(&loop, &signals[i]);
                (void)uv_signal_start(&signals[i], on_signal, i ? SIGINT : SIGTERM);
        }
        (void)uv_run(&loop, UV_RUN_DEFAULT);

        http_server_close(server, NULL, NULL);
        uv_close((uv_handle_t *)&timer, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                uv_close((uv_handle_t *)&signals[i], NULL);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        (void)auth_free(api.auth);
        (void)uv_loop_close(&loop);
        fake_backend_deinit(&fake);
        return 0;
}
