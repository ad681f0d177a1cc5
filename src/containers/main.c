/* faering-containers: options, set-up, run, tear-down. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "containers/server.h"
#include "net/stop-signals.h"

/* Exit codes, documented in the manual page. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void on_stop(void *userdata, bool interrupted) {
        log_info("%s: leaving; containers go on", interrupted ? "interrupted" : "asked to end");
        (void)sd_notify(false, "STOPPING=1");
        containers_server_stop(userdata);
}

static int run(const ContainersSettings *settings) {
        ContainersServer *server = NULL;
        Error error = ERROR_NONE;
        StopSignals signals;
        uv_loop_t loop;
        int r;

        if (uv_loop_init(&loop) < 0)
                return EXIT_FAILED;
        r = containers_server_new(&loop, settings, &server, &error);
        if (r >= 0)
                r = containers_server_start(server, &error);
        if (r < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                containers_server_free(server);
                return EXIT_FAILED;
        }
        stop_signals_init(&signals, &loop, on_stop, server);
        log_info("serving at %s with %s", settings->listen.items[0], containers_server_runtime(server));
        (void)sd_notify(false, "READY=1");
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        stop_signals_close(&signals);
        containers_server_free(server);
        (void)uv_loop_close(&loop);
        return EXIT_OK;
}

static int print_help(void) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (containers_settings_format_help(&text) < 0)
                return EXIT_FAILED;
        (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
        return EXIT_OK;
}

int main(int argc, char **argv) {
        _cleanup_(containers_settings_deinit) ContainersSettings settings = {0};
        Error error = ERROR_NONE;

        log_init("faering-containers", LOG_LEVEL_INFO);
        if (containers_settings_parse(argc, argv, &settings, &error) < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                return EXIT_USAGE;
        }
        if (settings.help)
                return print_help();
        if (settings.version) {
                printf("faering-containers %s\n", FAERING_VERSION);
                return EXIT_OK;
        }
        if (settings.debug)
                log_set_level(LOG_LEVEL_DEBUG);
        (void)umask(022); /* files that containers see have the modes they are given */
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN); /* there is nothing to read anew */
        return run(&settings);
}
