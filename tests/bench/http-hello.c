/* The least server there is: what net alone can do. Usage: http-hello PORT; then `wrk http://127.0.0.1:PORT/`. */
#include <stdio.h>

#include "net/http-server.h"

static void handle(void *userdata, HttpRequest *request) {
        (void)userdata;
        http_respond(request, 200, "Content-Type: text/plain\r\n", slice_from("hello\n"));
}

static const HttpServerOps ops = {.handle = handle};

int main(int argc, char **argv) {
        uv_loop_t *loop = uv_default_loop();
        HttpServer *server = http_server_new(loop, &ops, NULL, NULL);
        Url url = {.scheme = URL_HTTP, .host = "127.0.0.1"};
        uint64_t port;
        Error error = ERROR_NONE;

        if (argc != 2 || str_parse_u64(slice_from(argv[1]), UINT16_MAX, &port) < 0 || !server) {
                (void)fprintf(stderr, "usage: http-hello PORT\n");
                return 2;
        }
        url.port = (uint16_t)port;
        if (http_server_listen(server, &url, 0, NULL, NULL, &error) < 0) {
                (void)fprintf(stderr, "http-hello: %s\n", error.text);
                return 1;
        }
        return uv_run(loop, UV_RUN_DEFAULT);
}
