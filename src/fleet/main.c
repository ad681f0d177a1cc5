/* faering-fleet: options, set-up, run, tear-down; signals, and the program's next life. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "fleet/agent/agent.h"
#include "fleet/server.h"
#include "host/embedded-supervisor.h"
#include "host/fake-supervisor-loop.h"
#include "host/file.h"
#include "host/systemd-job.h"
#include "host/systemd-supervisor.h"
#include "net/stop-signals.h"

/* Exit codes, documented in the manual page. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum { BUFFERS_APART = 64 << 10 }; /* bytes; larger ones are the kernel's */

typedef struct Program {
        int argc;
        char **argv;
        FleetServer *server;
        StopSignals stop;
        uv_signal_t hangup, user;
} Program;

/* ---- the next life ---- */

/* Nothing is let go of: units, and what this machine has said in the store, are taken over as after a crash, only that nobody misses us. */
static void on_ready_to_execute(void *userdata) {
        Program *program = userdata;
        Error error = ERROR_NONE;

        if (fleet_server_hand_over(program->server, &error) < 0) {
                log_error("%s", error.text);
                _exit(EXIT_FAILED); /* what watches over it starts it again */
        }
        (void)signal(SIGHUP, SIG_IGN); /* until the next life listens to it */
        (void)signal(SIGUSR1, SIG_IGN);
        (void)execvp(program->argv[0], program->argv);
        (void)execv("/proc/self/exe", program->argv);
        log_error("cannot execute %s: %s", program->argv[0], strerror(errno));
        _exit(EXIT_FAILED);
}

static void on_ready_to_end(void *userdata) {
        (void)userdata;
        _exit(EXIT_OK);
}

static void on_hangup(uv_signal_t *handle, int number) {
        _cleanup_(fleet_settings_deinit) FleetSettings settings = {0};
        Program *program = handle->data;
        Error error = ERROR_NONE;

        (void)number;
        if (fleet_settings_parse(program->argc, program->argv, &settings, &error) < 0) {
                log_error("the settings are as they were, as the new ones cannot be taken: %s", error.text[0] ? error.text : "out of memory");
                return;
        }
        log_info("starting anew with the settings as they are now; units and the API's sockets stay");
        fleet_server_yield(program->server, on_ready_to_execute, program);
}

/* ---- other signals ---- */

static void on_stop(void *userdata, bool interrupted) {
        Program *program = userdata;

        if (!interrupted && systemd_job_is_restart()) {
                log_info("asked to end, to be started again at once: this machine's units stay as they are");
                fleet_server_yield(program->server, on_ready_to_end, program);
                return;
        }
        log_info("%s: unloading this machine's units and leaving", interrupted ? "interrupted" : "asked to end");
        fleet_server_stop(program->server);
}

static void on_user_signal(uv_signal_t *handle, int number) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const Program *program = handle->data;

        (void)number;
        if (fleet_server_dump(program->server, &text) < 0)
                return;
        (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
        (void)fflush(stdout);
}

static void signals_init(Program *program, uv_loop_t *loop) {
        struct {
                uv_signal_t *handle;
                uv_signal_cb heard;
                int number;
        } signals[] = {{&program->hangup, on_hangup, SIGHUP}, {&program->user, on_user_signal, SIGUSR1}};

        stop_signals_init(&program->stop, loop, on_stop, program);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                (void)uv_signal_init(loop, signals[i].handle);
                signals[i].handle->data = program;
                (void)uv_signal_start(signals[i].handle, signals[i].heard, signals[i].number);
                uv_unref((uv_handle_t *)signals[i].handle);
        }
}

static void signals_close(Program *program) {
        stop_signals_close(&program->stop);
        uv_close((uv_handle_t *)&program->hangup, NULL);
        uv_close((uv_handle_t *)&program->user, NULL);
}

/* ---- the program ---- */

/* Beside this program, or as the build has it: a tree that is not installed works as well. NULL: nowhere. */
static char *find_shim(void) {
        static const char *const places[] = {"faering-unit-shim", "../host/shim/faering-unit-shim", "../libexec/faering/faering-unit-shim"};
        char *path = file_beside_program(places, ARRAY_SIZE(places));

        if (!path)
                log_warning("no faering-unit-shim is beside this program or in ../libexec/faering: units end when this program does; "
                            "install it there");
        return path;
}

static int make_embedded(uv_loop_t *loop, const FleetSettings *settings, FleetServer *server, Supervisor **ret, Error *error) {
        _cleanup_free_ char *directory = str_printf("%s/units", settings->state_dir);
        _cleanup_free_ char *group = str_printf("faering-%.32s", settings->machine.id);
        _cleanup_free_ char *shim = find_shim();
        const EmbeddedOptions options = {.state_directory = directory,
                                         .run_directory = settings->run_dir,
                                         .cgroup_name = group,
                                         .shim = shim,
                                         .machine_id = settings->machine.id,
                                         .enables = true};
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

static int run(int argc, char **argv, const FleetSettings *settings) {
        Program program = {.argc = argc, .argv = argv};
        Supervisor *supervisor = NULL;
        FleetServer *server = NULL;
        Error error = ERROR_NONE;
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
        program.server = server;
        signals_init(&program, &loop);
        log_info("machine %s at %s, supervisor %s", settings->machine.id, settings->machine.address, supervisor->ops->name);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        signals_close(&program);
        fleet_server_free(server);
        (void)uv_loop_close(&loop);
        return EXIT_OK;
}

static void warn_of(const char *text) {
        log_warning("%s", text);
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

        /* answers about thousands of units give their memory back, and leave no holes between what stays */
        (void)mallopt(M_MMAP_THRESHOLD, BUFFERS_APART);
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
        fleet_settings_tell_ignored(&settings, warn_of);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN); /* until it is listened to */
        (void)signal(SIGUSR1, SIG_IGN);
        return run(argc, argv, &settings);
}
