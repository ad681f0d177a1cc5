/* start, stop, restart, kill, rm, rename, wait: what is done to containers that are there. */
#include "cli/containers-stream.h"
#include "cli/containers.h"

/* Parses the verb's options; at least one container must be named. 0, or -1 with the exit code. */
static int parse(ContainersGroup *group, const Option *options, int argc, char **argv, StringList *arguments,
                 int *ret_exit) {
        const Verb *verb = verb_find(containers_verbs, argv[0], false);

        if (verb_parse(verb, group->program, options, OPTIONS_GNU, argc, argv, arguments, ret_exit) < 0)
                return -1;
        if (arguments->length > 0)
                return 0;
        cli_complain(group->program, "%s needs at least one name; see \"%s %s --help\"", argv[0], group->program,
                     argv[0]);
        *ret_exit = CLI_USAGE;
        return -1;
}

static int stop_or_restart(ContainersGroup *group, const char *what, int argc, char **argv) {
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *signal = NULL, *action = NULL, *time = NULL;
        const Option options[] = {
                {"time", 't', OPTION_STRING, "SECONDS", NULL,
                 "how long to wait before it is killed (default: 10; -1: without end)", &time, NULL},
                {"timeout", 0, OPTION_STRING, "SECONDS", NULL, NULL, &time, NULL},
                {"signal", 's', OPTION_STRING, "SIGNAL", NULL, "what is sent first (default: the image's, or TERM)",
                 &signal, NULL},
                {0},
        };
        _cleanup_buffer_ Buffer target = BUFFER_INIT;
        int code;

        if (parse(group, options, argc, argv, &arguments, &code) < 0)
                return code;
        (void)buffer_printf(&target, "/%s?", what);
        if (time)
                (void)buffer_printf(&target, "t=%s&", time);
        if (signal)
                (void)buffer_printf(&target, "signal=%s", signal);
        action = buffer_steal_string(&target, NULL);
        return action ? containers_each(group, &arguments, "POST", "containers", action) : CLI_FAILED;
}

int containers_verb_stop(void *group, int argc, char **argv) {
        return stop_or_restart(group, "stop", argc, argv);
}

int containers_verb_restart(void *group, int argc, char **argv) {
        return stop_or_restart(group, "restart", argc, argv);
}

int containers_verb_kill(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *signal = NULL, *action = NULL;
        const Option options[] = {
                {"signal", 's', OPTION_STRING, "SIGNAL", NULL, "which one (default: KILL)", &signal, NULL},
                {0},
        };
        int code;

        if (parse(group, options, argc, argv, &arguments, &code) < 0)
                return code;
        action = str_printf("/kill?signal=%s", signal ?: "KILL");
        return action ? containers_each(group, &arguments, "POST", "containers", action) : CLI_FAILED;
}

int containers_verb_rm(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        bool force = false, volumes = false, link = false;
        const Option options[] = {
                {"force", 'f', OPTION_SWITCH, NULL, NULL, "also those that run", &force, NULL},
                {"volumes", 'v', OPTION_SWITCH, NULL, NULL, "their unnamed volumes too", &volumes, NULL},
                {"link", 'l', OPTION_SWITCH, NULL, NULL, NULL, &link, NULL},
                {0},
        };
        _cleanup_free_ char *action = NULL;
        int code;

        if (parse(group, options, argc, argv, &arguments, &code) < 0)
                return code;
        action = str_printf("?force=%d&v=%d", force, volumes);
        return action ? containers_each(group, &arguments, "DELETE", "containers", action) : CLI_FAILED;
}

int containers_verb_rename(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_buffer_ Buffer name = BUFFER_INIT;
        _cleanup_free_ char *action = NULL, *target = NULL;
        int code;

        if (parse(group, NULL, argc, argv, &arguments, &code) < 0)
                return code;
        if (arguments.length != 2 || url_encode(&name, URL_SEGMENT, slice_from(arguments.items[1])) < 0) {
                cli_complain(group->program, "rename needs a container and its new name");
                return CLI_USAGE;
        }
        action = str_printf("/rename?name=%s", buffer_string(&name) ?: "");
        target = action ? containers_target("containers", arguments.items[0], action) : NULL;
        return target ? containers_request(group, "POST", target, NULL, &answer) : CLI_FAILED;
}

int containers_verb_wait(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        int code, failed = CLI_OK;

        if (parse(group, NULL, argc, argv, &arguments, &code) < 0)
                return code;
        for (size_t i = 0; i < arguments.length; i++) {
                _cleanup_free_ char *target = containers_target("containers", arguments.items[i], "/wait");
                _cleanup_cli_answer_ CliAnswer answer = {0};

                if (!target || containers_request(group, "POST", target, NULL, &answer) != 0)
                        failed = CLI_FAILED;
                else
                        printf("%lld\n", (long long)json_integer_value(json_object_get(answer.json, "StatusCode")));
                (void)fflush(stdout);
        }
        return failed;
}

/* With -a one container is followed until it ends. */
static int start_attached(ContainersGroup *group, const char *name, bool input) {
        _cleanup_free_ char *inspect = containers_target("containers", name, "/json"),
                            *start = containers_target("containers", name, "/start");
        _cleanup_free_ char *wait = containers_target("containers", name, "/wait"), *query = NULL, *attach = NULL;
        _cleanup_cli_answer_ CliAnswer answer = {0}, started = {0}, ended = {0};
        ContainersStream stream;
        int code;

        if (!inspect || !start || !wait || containers_request(group, "GET", inspect, NULL, &answer) != 0)
                return CLI_FAILED;
        query = str_printf("/attach?stderr=1&stdout=1%s&stream=1", input ? "&stdin=1" : "");
        attach = query ? containers_target("containers", name, query) : NULL;
        if (!attach ||
            containers_stream_open(&stream, group, attach, NULL, input,
                                   json_is_true(json_object_get(json_object_get(answer.json, "Config"), "Tty"))) != 0)
                return CLI_FAILED;
        code = containers_request(group, "POST", start, NULL, &started);
        if (code == 0)
                containers_stream_start_input(&stream);
        while (code == 0 && !stream.ended)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        containers_stream_close(&stream);
        if (code == 0)
                code = containers_request(group, "POST", wait, NULL, &ended);
        return code ? code : (int)(json_integer_value(json_object_get(ended.json, "StatusCode")) & 0xff);
}

int containers_verb_start(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        bool attach = false, interactive = false;
        const Option options[] = {
                {"attach", 'a', OPTION_SWITCH, NULL, NULL, "show its output until it ends", &attach, NULL},
                {"interactive", 'i', OPTION_SWITCH, NULL, NULL, "pass standard input on", &interactive, NULL},
                {0},
        };
        int code;

        if (parse(group, options, argc, argv, &arguments, &code) < 0)
                return code;
        if ((attach || interactive) && arguments.length != 1) {
                cli_complain(group->program, "you cannot start and attach multiple containers at once");
                return CLI_USAGE;
        }
        if (attach || interactive)
                return start_attached(group, arguments.items[0], interactive);
        return containers_each(group, &arguments, "POST", "containers", "/start");
}
