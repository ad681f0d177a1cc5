/* faering-shim: started by the engine for each container and each command executed in one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "containers/shim/runtime-call.h"
#include "containers/shim/shim.h"

static void options_deinit(ShimOptions *options) {
        char *strings[] = {options->id,   options->directory,    options->runtime, options->runtime_root,
                           options->hide, options->memory_group, options->exec};

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
}

static int parse(int argc, char **argv, ShimOptions *o, StringList *arguments, Error *error) {
        const Option table[] = {
                {"id", 0, OPTION_STRING, "ID", NULL, "the container", &o->id, NULL},
                {"directory", 0, OPTION_STRING, "DIR", NULL, "for socket, log and exit file; has the bundle",
                 &o->directory, NULL},
                {"runtime", 0, OPTION_STRING, "FILE", NULL, "the OCI runtime", &o->runtime, NULL},
                {"runtime-root", 0, OPTION_STRING, "DIR", NULL, "where the runtime keeps its state", &o->runtime_root,
                 NULL},
                {"hide", 0, OPTION_STRING, "DIR", NULL, "a mount to keep from the runtime", &o->hide, NULL},
                {"memory-group", 0, OPTION_STRING, "DIR", NULL, "the container's group for memory", &o->memory_group,
                 NULL},
                {"exec", 0, OPTION_STRING, "FILE", NULL, "execute this process in the container", &o->exec, NULL},
                {"tty", 0, OPTION_SWITCH, NULL, NULL, "a terminal for it", &o->tty, NULL},
                {"stdin", 0, OPTION_SWITCH, NULL, NULL, "a standard input for it", &o->open_stdin, NULL},
                {"stdin-once", 0, OPTION_SWITCH, NULL, NULL, "which ends with the first client's", &o->stdin_once,
                 NULL},
                {"log-bytes", 0, OPTION_U64, "N", NULL, "most bytes of one log file; 0: no limit", &o->log_bytes, NULL},
                {"log-files", 0, OPTION_U64, "N", NULL, "most log files; 0: no log", &o->log_files, NULL},
                {"help", 0, OPTION_SWITCH, NULL, NULL, "print this", &o->help, NULL},
                {0},
        };
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = options_parse(table, OPTIONS_GNU | OPTIONS_STOP_AT_ARGUMENT, argc, argv, arguments, error);

        if (r >= 0 && o->help && options_format_help(table, "--", &text) >= 0)
                (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
        return r;
}

/* `faering-shim [--hide DIR] RUNTIME ARGUMENTS…`: as a container would be made, for the engine's question which
 * runtime works. */
static int run_plain(const ShimOptions *options, const StringList *arguments) {
        const RuntimeCall call = {
                .hide = options->hide, .argv = arguments->items, .fds = {-1, STDOUT_FILENO, STDERR_FILENO}};
        int r = runtime_call_exec(&call);

        log_error("cannot execute %s: %s", arguments->items[0], strerror(-r));
        return 127;
}

static int run(const ShimOptions *options) {
        static Shim shim;
        Error error = ERROR_NONE;
        pid_t pid;

        if (shim_init(&shim, options, &error) < 0) {
                log_error("%s", error.text);
                return EXIT_FAILURE;
        }
        /* the engine waits for this process, and finds the socket ready when it has ended */
        pid = fork();
        if (pid != 0)
                return pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        (void)setsid();
        (void)prctl(PR_SET_NAME, "faering-shim");
        shim_run(&shim);
        return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        _cleanup_(options_deinit) ShimOptions options = {0};
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;

        log_init("faering-shim", LOG_LEVEL_INFO);
        if (parse(argc, argv, &options, &arguments, &error) < 0) {
                log_error("%s", error.text[0] ? error.text : "out of memory");
                return 2;
        }
        if (options.help)
                return EXIT_SUCCESS;
        if (arguments.length > 0)
                return run_plain(&options, &arguments);
        if (!options.id || !options.directory || !options.runtime || !options.runtime_root) {
                log_error("--id, --directory, --runtime and --runtime-root are needed");
                return 2;
        }
        return run(&options);
}
