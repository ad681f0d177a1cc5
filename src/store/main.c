/* faering-store: options, set-up, run, tear-down. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "net/stop-signals.h"
#include "store/found.h"
#include "store/hand-over.h"
#include "store/proxying.h"
#include "store/server.h"
#include "store/service-manager.h"

/* Exit codes, documented in the manual page. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum { PROXY_TICK_MSEC = 1000 };

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

/* Whoever looks for etcd's version finds the one whose API this is. */
static void print_version(const char *program) {
        if (str_equals(basename(program), "etcd"))
                printf("etcd Version: %s\n", ETCD_VERSION);
        printf("faering-store %s\n", FAERING_VERSION);
}

static void tell_foreign(const char *flag, const char *why) {
        log_info("--%s does nothing: %s", flag, why);
}

static void on_stop_proxy(void *userdata, bool interrupted) {
        log_info("%s: stopping", interrupted ? "interrupted" : "asked to end");
        service_manager_stopping();
        proxying_stop(userdata);
}

/* What has begun on it comes to its end. */
static void end_loop(uv_loop_t *loop) {
        (void)uv_run(loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(loop);
}

static void on_proxy_tick(uv_timer_t *timer) {
        service_manager_alive(timer->data, clock_monotonic());
}

/* Ready as soon as it listens: it serves what its members do. */
static void proxy_tell_manager(uv_loop_t *loop, uv_timer_t *tick, ServiceManager *manager) {
        service_manager_init(manager);
        (void)uv_timer_init(loop, tick);
        tick->data = manager;
        (void)uv_timer_start(tick, on_proxy_tick, 0, PROXY_TICK_MSEC);
        uv_unref((uv_handle_t *)tick); /* it alone does not keep the loop */
        service_manager_status(manager, "hands requests to the members of a cluster");
        service_manager_ready(manager);
}

static int run_proxy(uv_loop_t *loop, const Settings *settings, Inherited *inherited) {
        Error error = ERROR_NONE;
        ServiceManager manager;
        StopSignals signals;
        Proxying *proxying;
        uv_timer_t tick;

        inherited_drop(inherited, INHERITED_PEER); /* a proxy is no member */
        if (proxying_new(loop, settings, inherited, &proxying, &error) < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                end_loop(loop);
                return EXIT_FAILED;
        }
        stop_signals_init(&signals, loop, on_stop_proxy, proxying);
        proxy_tell_manager(loop, &tick, &manager);
        (void)uv_run(loop, UV_RUN_DEFAULT);
        stop_signals_close(&signals);
        uv_close((uv_handle_t *)&tick, NULL);
        end_loop(loop);
        (void)proxying_free(proxying);
        return EXIT_OK;
}

static int run(Settings *settings) {
        _cleanup_(inherited_deinit) Inherited inherited = {0};
        Error error = ERROR_NONE;
        StopSignals signals;
        Server *server;
        uv_loop_t loop;
        int r;

        if (uv_loop_init(&loop) < 0)
                return EXIT_FAILED;
        r = inherited_take(settings, &inherited, &error);
        if (r >= 0)
                r = found_by_discovery(&loop, settings, &error);
        if (r >= 0 && settings_proxy_is_on(&settings->proxy))
                return run_proxy(&loop, settings, &inherited);
        if (r >= 0)
                r = server_new(&loop, settings, &inherited, &server, &error);
        if (r < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                end_loop(&loop);
                return EXIT_FAILED;
        }
        (void)malloc_trim(0); /* what recovering took */
        stop_signals_init(&signals, &loop, on_stop, server);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        r = server_free(server, &error);
        if (r < 0)
                log_error("%s", error.text);
        stop_signals_close(&signals);
        end_loop(&loop);
        return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static int give_folders(const Settings *settings) {
        Error error = ERROR_NONE;

        if (hand_over(settings, settings->hand_over_to, &error) >= 0)
                return EXIT_OK;
        log_error("%s", error.text[0] ? error.text : "out of memory");
        return EXIT_FAILED;
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
                print_version(argv[0]);
                return EXIT_OK;
        }
        log_set_level((LogLevel)settings_log_level(&settings));
        if (settings.hand_over_to)
                return give_folders(&settings);
        if (settings.config_file && *settings.config_file)
                log_info("the settings are those of %s, and no other flag or variable counts", settings.config_file);
        settings_foreign_tell(&settings.foreign, tell_foreign);
        (void)signal(SIGPIPE, SIG_IGN);
        raise_file_limit();
        set_memory_thresholds();
        return run(&settings);
}
