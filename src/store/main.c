/* faering-store: options, set-up, run, tear-down. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "net/stop-signals.h"
#include "store/found.h"
#include "store/proxying.h"
#include "store/server.h"

/* Exit codes, documented in the manual page. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void on_stop(void *userdata, bool interrupted) {
        log_info("%s: stopping", interrupted ? "interrupted" : "asked to end");
        server_stop(userdata);
}

/* Each client is a file descriptor. */
static void raise_file_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Fixed, so that glibc does not raise them when the first large piece is freed: what a snapshot needed, and a compacted
 * log, go back to the system. */
static void set_memory_thresholds(void) {
        (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
        (void)mallopt(M_TRIM_THRESHOLD, 512 * 1024);
}

static int print_help(void) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (settings_format_help(&text) < 0)
                return EXIT_FAILED;
        (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
        return EXIT_OK;
}

static void on_stop_proxy(void *userdata, bool interrupted) {
        log_info("%s: stopping", interrupted ? "interrupted" : "asked to end");
        proxying_stop(userdata);
}

static int run_proxy(uv_loop_t *loop, const Settings *settings) {
        Error error = ERROR_NONE;
        StopSignals signals;
        Proxying *proxying;

        if (proxying_new(loop, settings, &proxying, &error) < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                return EXIT_FAILED;
        }
        stop_signals_init(&signals, loop, on_stop_proxy, proxying);
        (void)uv_run(loop, UV_RUN_DEFAULT);
        stop_signals_close(&signals);
        (void)uv_run(loop, UV_RUN_DEFAULT);
        (void)proxying_free(proxying);
        (void)uv_loop_close(loop);
        return EXIT_OK;
}

static int run(Settings *settings) {
        Error error = ERROR_NONE;
        StopSignals signals;
        Server *server;
        uv_loop_t loop;
        int r;

        if (uv_loop_init(&loop) < 0)
                return EXIT_FAILED;
        r = found_by_discovery(&loop, settings, &error);
        if (r >= 0 && settings_proxy_is_on(&settings->proxy))
                return run_proxy(&loop, settings);
        if (r >= 0)
                r = server_new(&loop, settings, &server, &error);
        if (r < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                return EXIT_FAILED;
        }
        (void)malloc_trim(0); /* what recovering took */
        stop_signals_init(&signals, &loop, on_stop, server);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        r = server_free(server, &error);
        if (r < 0)
                log_error("%s", error.text);
        stop_signals_close(&signals);
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
        set_memory_thresholds();
        return run(&settings);
}
