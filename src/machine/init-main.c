/* faering-init: the first process of a local machine. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/options.h"
#include "host/file.h"
#include "machine/init.h"
#include "machine/root-cgroup.h"
#include "net/stop-signals.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct Main {
        Init *init;
        uint64_t status_fd; /* 0: none */
} Main;

static void on_stop(void *userdata, bool interrupted) {
        (void)interrupted;
        init_stop(((Main *)userdata)->init);
}

static void on_note(void *userdata, const char *text) {
        (void)userdata;
        log_info("%s", text);
}

/* One line to who made the machine: "booted", or "failed WHY". */
static void on_booted(void *userdata, size_t failed, const char *why) {
        Main *program = userdata;
        _cleanup_free_ char *line = failed ? str_printf("failed %s\n", why) : strdup("booted\n");

        log_info("%s", failed ? "up, but not all that should run does" : "up");
        if (program->status_fd && line && write((int)program->status_fd, line, strlen(line)) < 0)
                log_warning("cannot say that the machine is up: %s", strerror(errno));
}

static const InitEvents events = {.note = on_note, .booted = on_booted};

/* What the units get, by PassEnvironment=. */
static void set_environment(void) {
        (void)setenv("container", "faering", 1);
        (void)setenv("FLEET_SUPERVISOR", "embedded", 1);
        (void)setenv("LANG", "C.UTF-8", 0);
        (void)setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
        (void)setenv("HOME", "/root", 1);
}

static int run(Main *program) {
        const InitOptions options = {
                .folders = unit_folders_system, .state_directory = INIT_STATE_DIRECTORY, .socket = INIT_SOCKET};
        Error error = ERROR_NONE;
        StopSignals signals;
        uv_loop_t loop;
        int r;

        if (uv_loop_init(&loop) < 0)
                return EXIT_FAILED;
        r = file_make_folder("/run/faering", 0755, &error);
        if (r >= 0)
                r = root_cgroup_delegate(&error);
        if (r >= 0)
                r = init_new(&loop, &options, &events, program, &program->init, &error);
        if (r < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                (void)init_free(program->init);
                return EXIT_FAILED;
        }
        stop_signals_init(&signals, &loop, on_stop, program);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        stop_signals_close(&signals);
        (void)init_free(program->init);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&loop);
        log_info("powered off");
        return EXIT_OK;
}

int main(int argc, char **argv) {
        _cleanup_string_list_ StringList arguments = {0};
        Main program = {0};
        bool help = false, version = false;
        const Option options[] = {
                {"status-fd", 0, OPTION_U64, "FD", NULL, "where to say \"booted\", or \"failed WHY\"",
                 &program.status_fd, NULL},
                {"version", 0, OPTION_SWITCH, NULL, NULL, "print the version", &version, NULL},
                {"help", 'h', OPTION_SWITCH, NULL, NULL, "print this", &help, NULL},
                {0},
        };
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;

        log_init("init", LOG_LEVEL_INFO);
        if (options_parse(options, OPTIONS_GNU, argc, argv, &arguments, &error) < 0) {
                log_error("%s", error.text);
                return EXIT_USAGE;
        }
        if (help && options_format_help(options, "--", &text) >= 0) {
                printf("Usage: faering-init [OPTIONS]\n\nThe first process of a local machine; \"faering up\" starts "
                       "it.\n\n%.*s",
                       (int)buffer_length(&text), buffer_data(&text));
                return EXIT_OK;
        }
        if (version) {
                printf("faering-init %s\n", FAERING_VERSION);
                return EXIT_OK;
        }
        if (getpid() != 1) {
                log_error("this is the first process of a local machine, and of no use elsewhere: \"faering up\" makes "
                          "machines");
                return EXIT_USAGE;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        (void)umask(022);
        set_environment();
        return run(&program);
}
