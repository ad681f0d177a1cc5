/* faering-fleet: options, set-up, run, tear-down. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "fleet/agent/agent.h"
#include "fleet/server.h"
#include "host/embedded-supervisor.h"
#include "host/fake-supervisor-loop.h"
#include "host/systemd-supervisor.h"
#include "net/stop-signals.h"

/* Exit codes, documented in the manual page. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void on_stop(void *userdata, bool interrupted) {
        log_info("%s: unloading this machine's units and leaving", interrupted ? "interrupted" : "asked to end");
        fleet_server_stop(userdata);
}

/* Beside this program, or as the build has it: a tree that is not installed works as well. NULL: nowhere. */
static char *find_shim(void) {
        static const char *const places[] = {"faering-unit-shim", "../host/shim/faering-unit-shim", "../libexec/faering/faering-unit-shim"};
        char own[1024];
        ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
        char *slash;

        own[n > 0 ? n : 0] = '\0';
        slash = strrchr(own, '/');
        for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++) {
                char *path = str_printf("%.*s/%s", (int)(slash - own), own, places[i]);

                if (!path || access(path, X_OK) == 0)
                        return path;
                free(path);
        }
        log_warning("no faering-unit-shim is beside %s or in ../libexec/faering: units end when this program does; install it there", own);
        return NULL;
}

static int make_embedded(uv_loop_t *loop, const FleetSettings *settings, FleetServer *server, Supervisor **ret, Error *error) {
        _cleanup_free_ char *directory = str_printf("%s/units", settings->state_dir);
        _cleanup_free_ char *group = str_printf("faering-%.32s", settings->machine.id);
        _cleanup_free_ char *shim = find_shim();
        const EmbeddedOptions options = {
                .state_directory = directory, .cgroup_name = group, .shim = shim, .machine_id = settings->machine.id};
        size_t leftovers = 0;
        int r;

        if (!directory || !group)
                return -ENOMEM;
        r = embedded_supervisor_new(loop, &options, &agent_supervisor_events, fleet_server_agent(server), ret, &leftovers, error);
        if (leftovers > 0)
                log_info("%zu processes that an earlier run left behind were killed", leftovers);
        return r;
}

static int make_supervisor(uv_loop_t *loop, const FleetSettings *settings, FleetServer *server, Supervisor **ret, Error *error) {
        const SystemdOptions systemd = {.units_directory = settings->units_directory, .user = settings->systemd_user};
        const char *name = settings->supervisor;

        if (!*name)
                name = systemd_is_running() ? "systemd" : "embedded";
        if (str_equals(name, "embedded"))
                return make_embedded(loop, settings, server, ret, error);
        if (str_equals(name, "systemd"))
                return systemd_supervisor_new(loop, &systemd, &agent_supervisor_events, fleet_server_agent(server), ret, error);
        if (str_equals(name, "fake"))
                return fake_supervisor_loop_new(loop, &agent_supervisor_events, fleet_server_agent(server), ret, error);
        return error_set(error, -EINVAL, "--supervisor is \"%s\": it must be systemd, embedded or fake", name);
}

static int run(const FleetSettings *settings) {
        Supervisor *supervisor = NULL;
        FleetServer *server = NULL;
        Error error = ERROR_NONE;
        StopSignals signals;
        uv_loop_t loop;
        int r;

        if (uv_loop_init(&loop) < 0)
                return EXIT_FAILED;
        r = fleet_server_new(&loop, settings, &server, &error);
        if (r >= 0)
                r = make_supervisor(&loop, settings, server, &supervisor, &error);
        if (r >= 0)
                r = fleet_server_start(server, supervisor, &error);
        if (r < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                fleet_server_free(server);
                return EXIT_FAILED;
        }
        stop_signals_init(&signals, &loop, on_stop, server);
        log_info("machine %s at %s, supervisor %s", settings->machine.id, settings->machine.address, supervisor->ops->name);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        stop_signals_close(&signals);
        fleet_server_free(server);
        (void)uv_loop_close(&loop);
        return EXIT_OK;
}

static int print_help(void) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (fleet_settings_format_help(&text) < 0)
                return EXIT_FAILED;
        (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
        return EXIT_OK;
}

int main(int argc, char **argv) {
        _cleanup_(fleet_settings_deinit) FleetSettings settings = {0};
        Error error = ERROR_NONE;

        log_init("faering-fleet", LOG_LEVEL_INFO);
        if (fleet_settings_parse(argc, argv, &settings, &error) < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                return EXIT_USAGE;
        }
        if (settings.help)
                return print_help();
        if (settings.version) {
                printf("faering-fleet %s\n", FAERING_VERSION);
                return EXIT_OK;
        }
        if (settings.verbosity > 0)
                log_set_level(LOG_LEVEL_DEBUG);
        (void)signal(SIGPIPE, SIG_IGN);
        return run(&settings);
}
