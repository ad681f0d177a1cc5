/* faering-store: options, set-up, run, tear-down. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "store/server.h"

/* Exit codes, documented in the manual page. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct Signals {
        uv_signal_t handles[2];
        Server *server;
} Signals;

static void on_signal(uv_signal_t *handle, int number) {
        Signals *signals = handle->data;

        log_info("%s: stopping", number == SIGINT ? "interrupted" : "asked to end");
        for (size_t i = 0; i < ARRAY_SIZE(signals->handles); i++)
                uv_close((uv_handle_t *)&signals->handles[i], NULL);
        server_stop(signals->server);
}

static void signals_init(Signals *signals, uv_loop_t *loop, Server *server) {
        static const int numbers[] = {SIGTERM, SIGINT};

        signals->server = server;
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                (void)uv_signal_init(loop, &signals->handles[i]);
                signals->handles[i].data = signals;
                (void)uv_signal_start(&signals->handles[i], on_signal, numbers[i]);
                uv_unref((uv_handle_t *)&signals->handles[i]);
        }
}

/* Each client is a file descriptor. */
static void raise_file_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int print_help(void) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (settings_format_help(&text) < 0)
                return EXIT_FAILED;
        (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
        return EXIT_OK;
}

static int run(const Settings *settings) {
        Error error = ERROR_NONE;
        Signals signals;
        Server *server;
        uv_loop_t loop;
        int r;

        if (uv_loop_init(&loop) < 0)
                return EXIT_FAILED;
        r = server_new(&loop, settings, &server, &error);
        if (r < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                return EXIT_FAILED;
        }
        signals_init(&signals, &loop, server);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        r = server_free(server, &error);
        if (r < 0)
                log_error("%s", error.text);
        for (size_t i = 0; i < ARRAY_SIZE(signals.handles); i++)
                if (!uv_is_closing((uv_handle_t *)&signals.handles[i]))
                        uv_close((uv_handle_t *)&signals.handles[i], NULL);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&loop);
        return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv) {
        _cleanup_(settings_deinit) Settings settings = {0};
        Error error = ERROR_NONE;

        log_init("faering-store", LOG_LEVEL_INFO);
        if (settings_parse(argc, argv, &settings, &error) < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                return EXIT_USAGE;
        }
        if (settings.help)
                return print_help();
        if (settings.version) {
                printf("faering-store %s\n", FAERING_VERSION);
                return EXIT_OK;
        }
        if (settings.debug)
                log_set_level(LOG_LEVEL_DEBUG);
        (void)signal(SIGPIPE, SIG_IGN);
        raise_file_limit();
        return run(&settings);
}
