/* logs, exec: a container's output and commands in it. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "cli/containers-stream.h"

/* ---- logs ---- */

typedef struct Logs {
        OutputSorter output;
        HttpCall *call;
        bool done;
        int r;
        unsigned status;
        Error error;
        Buffer refusal;
} Logs;

static void on_piece(HttpCall *call, Slice bytes) {
        Logs *logs = http_call_userdata(call);

        if (http_call_status(call) != 200)
                (void)buffer_append(&logs->refusal, bytes.data, bytes.length);
        else if (output_sorter_feed(&logs->output, bytes) < 0) {
                logs->done = true;
                logs->status = 200;
        }
}

static void on_done(HttpCall *call, int r, const Error *error) {
        Logs *logs = http_call_userdata(call);

        logs->call = NULL;
        logs->done = true;
        logs->r = r;
        logs->error = *error;
        logs->status = http_call_status(call);
}

static const HttpCallOps logs_ops = {.body = on_piece, .done = on_done};

/* "10m", "1h30m" before now, or what the API takes: seconds, RFC 3339. */
static int add_time(Buffer *target, const char *name, const char *text) {
        Usec length;

        if (!text)
                return 0;
        (void)buffer_printf(target, "&%s=", name);
        if (str_parse_duration(slice_from(text), &length) >= 0)
                return buffer_printf(target, "%llu",
                                     (unsigned long long)(clock_wall() - (WallUsec)length) / USEC_PER_SEC);
        return url_encode(target, URL_SEGMENT, slice_from(text));
}

static int show_logs(ContainersGroup *group, const char *target, bool raw) {
        Logs logs = {.output = {.raw = raw}, .refusal = BUFFER_INIT_LIMIT(65536)};
        const HttpCallSpec spec = {.url = &group->endpoint, .target = target};
        int code = CLI_OK;

        if (http_client_call(group->http, &spec, &logs_ops, &logs, &logs.call) < 0)
                return CLI_FAILED;
        while (!logs.done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        if (logs.call)
                http_call_cancel(logs.call);
        if (logs.r < 0) {
                code = containers_complain_unreachable(group, &logs.error);
        } else if (logs.status != 200) {
                CliAnswer answer = {.status = logs.status,
                                    .json = json_loads(buffer_string(&logs.refusal) ?: "", 0, NULL)};

                code = containers_complain(group, &answer);
                cli_answer_deinit(&answer);
        }
        buffer_deinit(&logs.refusal);
        return code;
}

int containers_verb_logs(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        bool follow = false, timestamps = false, details = false;
        _cleanup_free_ char *tail = NULL, *since = NULL, *until = NULL, *inspect = NULL, *text = NULL, *target = NULL;
        const Option options[] = {
                {"follow", 'f', OPTION_SWITCH, NULL, NULL, "go on showing what comes", &follow, NULL},
                {"tail", 'n', OPTION_STRING, "N", NULL, "the last N lines (default: all)", &tail, NULL},
                {"timestamps", 't', OPTION_SWITCH, NULL, NULL, "the time before each line", &timestamps, NULL},
                {"since", 0, OPTION_STRING, "TIME", NULL, "what came since: 10m, or a point in time", &since, NULL},
                {"until", 0, OPTION_STRING, "TIME", NULL, "what came before", &until, NULL},
                {"details", 0, OPTION_SWITCH, NULL, NULL, NULL, &details, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_buffer_ Buffer query = BUFFER_INIT;
        int code;

        if (verb_parse(verb_find(containers_verbs, "logs", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length != 1) {
                cli_complain(group->program, "logs needs one container");
                return CLI_USAGE;
        }
        inspect = containers_target("containers", arguments.items[0], "/json");
        code = inspect ? containers_request(group, "GET", inspect, NULL, &answer) : CLI_FAILED;
        if (code != 0)
                return code;
        (void)buffer_printf(&query, "/logs?stderr=1&stdout=1&follow=%d&timestamps=%d&tail=", follow, timestamps);
        (void)url_encode(&query, URL_SEGMENT, slice_from(tail ?: "all"));
        (void)add_time(&query, "since", since);
        (void)add_time(&query, "until", until);
        text = buffer_steal_string(&query, NULL);
        target = text ? containers_target("containers", arguments.items[0], text) : NULL;
        if (!target)
                return CLI_FAILED;
        return show_logs(group, target, json_is_true(json_object_get(json_object_get(answer.json, "Config"), "Tty")));
}

/* ---- exec ---- */

typedef struct ExecOptions {
        bool detach, interactive, tty, privileged;
        char *user, *directory;
        StringList environment;
} ExecOptions;

static json_t *exec_body(const ExecOptions *options, const StringList *arguments) {
        json_t *command = json_array(), *environment = json_array();

        for (size_t i = 1; i < arguments->length; i++)
                (void)json_array_append_new(command, json_string(arguments->items[i]));
        for (size_t i = 0; i < options->environment.length; i++)
                (void)json_array_append_new(environment, json_string(options->environment.items[i]));
        return json_pack("{s:b, s:b, s:b, s:b, s:b, s:s, s:s, s:o, s:o}", "AttachStdin", options->interactive,
                         "AttachStdout", !options->detach, "AttachStderr", !options->detach, "Tty", options->tty,
                         "Privileged", options->privileged, "User", options->user ?: "", "WorkingDir",
                         options->directory ?: "", "Env", environment, "Cmd", command);
}

static int exec_exit_code(ContainersGroup *group, const char *id) {
        _cleanup_free_ char *target = str_printf("/exec/%s/json", id);
        _cleanup_cli_answer_ CliAnswer answer = {0};

        if (!target || containers_request(group, "GET", target, NULL, &answer) != 0)
                return CONTAINERS_EXIT_ENGINE;
        return (int)(json_integer_value(json_object_get(answer.json, "ExitCode")) & 0xff);
}

static int exec_start(ContainersGroup *group, const char *id, const ExecOptions *options) {
        _cleanup_free_ char *target = str_printf("/exec/%s/start", id);
        json_t *body = json_pack("{s:b, s:b}", "Detach", options->detach, "Tty", options->tty);
        ContainersStream stream;
        unsigned rows, columns;
        int code;

        if (options->detach) {
                _cleanup_cli_answer_ CliAnswer answer = {0};

                code = target ? containers_request(group, "POST", target, body, &answer) : CLI_FAILED;
                json_decref(body);
                return code;
        }
        code = target ? containers_stream_open(&stream, group, target, body, options->interactive, options->tty)
                      : CLI_FAILED;
        json_decref(body);
        if (code != 0)
                return CONTAINERS_EXIT_CANNOT_RUN;
        if (options->tty && containers_terminal_size(&rows, &columns)) {
                _cleanup_free_ char *resize = str_printf("/exec/%s/resize?h=%u&w=%u", id, rows, columns);
                _cleanup_cli_answer_ CliAnswer answer = {0};

                if (resize)
                        (void)containers_ask(group, "POST", resize, NULL, &answer, NULL);
        }
        containers_stream_start_input(&stream);
        while (!stream.ended)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        containers_stream_close(&stream);
        return exec_exit_code(group, id);
}

static int exec_run(ContainersGroup *group, const ExecOptions *options, const StringList *arguments) {
        _cleanup_free_ char *target = containers_target("containers", arguments->items[0], "/exec");
        _cleanup_cli_answer_ CliAnswer answer = {0};
        json_t *body = exec_body(options, arguments);
        int code = target ? containers_request(group, "POST", target, body, &answer) : CLI_FAILED;

        json_decref(body);
        return code ? code : exec_start(group, cli_text(answer.json, "Id"), options);
}

int containers_verb_exec(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        ExecOptions exec = {0};
        const Option options[] = {
                {"detach", 'd', OPTION_SWITCH, NULL, NULL, "do not wait", &exec.detach, NULL},
                {"interactive", 'i', OPTION_SWITCH, NULL, NULL, "pass standard input on", &exec.interactive, NULL},
                {"tty", 't', OPTION_SWITCH, NULL, NULL, "give it a terminal", &exec.tty, NULL},
                {"env", 'e', OPTION_LIST, "NAME=VALUE", NULL, "a variable of its environment", &exec.environment, NULL},
                {"user", 'u', OPTION_STRING, "USER[:GROUP]", NULL, "who it runs as", &exec.user, NULL},
                {"workdir", 'w', OPTION_STRING, "DIR", NULL, "its working directory", &exec.directory, NULL},
                {"privileged", 0, OPTION_SWITCH, NULL, NULL, "nothing is kept from it", &exec.privileged, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        int code;

        if (verb_parse(verb_find(containers_verbs, "exec", false), group->program, options, OPTIONS_STOP_AT_ARGUMENT,
                       argc, argv, &arguments, &code) >= 0) {
                if (arguments.length < 2) {
                        cli_complain(group->program, "exec needs a container and a command");
                        code = CLI_USAGE;
                } else {
                        code = exec_run(group, &exec, &arguments);
                }
        }
        free(exec.user);
        free(exec.directory);
        string_list_deinit(&exec.environment);
        return code;
}
