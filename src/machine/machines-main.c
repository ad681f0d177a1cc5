/* faering-machines: the daemon of local machines; and, as --become, what a machine's first process does at first. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/options.h"
#include "machine/enter.h"
#include "machine/machines.h"
#include "net/stop-signals.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* What machine.c passes to the first process. */
enum { GO_FD = 3, STATUS_FD = 4 };

typedef struct Settings {
        char *directory, *programs, *become;
        uint64_t starter_fd; /* 0: none */
        bool help, version;
} Settings;

static void settings_deinit(Settings *s) {
        free(s->directory);
        free(s->programs);
        free(s->become);
}

/* The daemon, and the socket to whoever started it. */
typedef struct Main {
        Machines *machines;
        uv_pipe_t starter;
        bool has_starter;
        char room[16];
} Main;

static void on_stop(void *userdata, bool interrupted) {
        (void)interrupted;
        log_info("asked to end: all machines are powered off, their disks stay");
        machines_down(((Main *)userdata)->machines, true);
}

/* ---- the starter: until it has sent a byte, everything ends with it ---- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
        Main *program = handle->data;

        (void)suggested;
        *ret = uv_buf_init(program->room, sizeof(program->room));
}

static void on_starter(uv_stream_t *stream, ssize_t n, const uv_buf_t *piece) {
        Main *program = stream->data;

        (void)piece;
        if (n == 0)
                return;
        uv_close((uv_handle_t *)stream, NULL);
        if (n < 0) {
                log_info("whoever started this has given up: everything goes down");
                machines_down(program->machines, false);
        }
}

static int greet_starter(Main *program, uv_loop_t *loop, int fd) {
        static const char ready[] = "ready\n";

        if (write(fd, ready, sizeof(ready) - 1) < 0)
                return -errno;
        (void)uv_pipe_init(loop, &program->starter, 0);
        program->starter.data = program;
        program->has_starter = true;
        return uv_pipe_open(&program->starter, fd) < 0
                       ? -EINVAL
                       : uv_read_start((uv_stream_t *)&program->starter, on_room, on_starter);
}

/* ---- run ---- */

static int run(const Settings *settings) {
        const MachinesOptions options = {.directory = settings->directory, .programs = settings->programs};
        Error error = ERROR_NONE;
        Main program = {0};
        StopSignals signals;
        uv_loop_t loop;
        int r;

        if (uv_loop_init(&loop) < 0)
                return EXIT_FAILED;
        r = machines_new(&loop, &options, &program.machines, &error);
        if (r >= 0 && settings->starter_fd) {
                r = greet_starter(&program, &loop, (int)settings->starter_fd);
                if (r < 0)
                        (void)error_set_errno(&error, r, "cannot talk to whoever started this");
        }
        if (r < 0) {
                log_error("%s", error.text);
                (void)machines_free(program.machines);
                return EXIT_FAILED;
        }
        stop_signals_init(&signals, &loop, on_stop, &program);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        stop_signals_close(&signals);
        if (program.has_starter && !uv_is_closing((uv_handle_t *)&program.starter))
                uv_close((uv_handle_t *)&program.starter, NULL);
        (void)machines_free(program.machines);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&loop);
        log_info("everything is down");
        return EXIT_OK;
}

static int become(const Settings *settings) {
        char address[PLAN_ADDRESS_MAX], name[PLAN_NAME_MAX];
        Error error = ERROR_NONE;
        unsigned number;

        if (plan_parse_name(settings->become, &number, &error) >= 0) {
                const Enter enter = {.directory = settings->directory,
                                     .machine = name,
                                     .address = address,
                                     .go = GO_FD,
                                     .status = STATUS_FD};

                plan_name(number, name);
                plan_address(number, address);
                (void)fcntl(GO_FD, F_SETFD, FD_CLOEXEC);
                (void)fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
                (void)enter_run(&enter, &error);
        }
        log_error("%s", error.text[0] ? error.text : "out of memory");
        return EXIT_FAILED;
}

int main(int argc, char **argv) {
        _cleanup_(settings_deinit) Settings settings = {0};
        _cleanup_string_list_ StringList arguments = {0};
        const Option options[] = {
                {"dir", 0, OPTION_STRING, "DIR", "FAERING_LOCAL_DIR",
                 "where machines lie (default: " MACHINES_DIRECTORY_DEFAULT ")", &settings.directory, NULL},
                {"programs", 0, OPTION_STRING, "DIR", "FAERING_LOCAL_PROGRAMS",
                 "what is laid over each machine's root (default: the programs beside this one)", &settings.programs,
                 NULL},
                {"starter-fd", 0, OPTION_U64, "FD", NULL, NULL, &settings.starter_fd, NULL},
                {"become", 0, OPTION_STRING, "MACHINE", NULL, NULL, &settings.become, NULL},
                {"version", 0, OPTION_SWITCH, NULL, NULL, "print the version", &settings.version, NULL},
                {"help", 'h', OPTION_SWITCH, NULL, NULL, "print this", &settings.help, NULL},
                {0},
        };
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;

        log_init("faering-machines", LOG_LEVEL_INFO);
        if (options_parse(options, OPTIONS_GNU, argc, argv, &arguments, &error) < 0 ||
            option_default(&settings.directory, MACHINES_DIRECTORY_DEFAULT) < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                return EXIT_USAGE;
        }
        if (settings.help && options_format_help(options, "--", &text) >= 0) {
                printf("Usage: faering-machines [OPTIONS]\n\nThe daemon of local machines; \"faering up\" starts "
                       "it.\n\n%.*s",
                       (int)buffer_length(&text), buffer_data(&text));
                return EXIT_OK;
        }
        if (settings.version) {
                printf("faering-machines %s\n", FAERING_VERSION);
                return EXIT_OK;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        if (settings.become)
                return become(&settings);
        (void)umask(022);
        return run(&settings);
}
