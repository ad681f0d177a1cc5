/* run and create, attach. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "cli/containers-spec.h"
#include "cli/containers-stream.h"

/* POST …/wait, which tells the exit status when there is one. */
typedef struct ExitWait {
        HttpCall *call;
        bool ready; /* the engine counts on us */
        bool done;
        int r;
        json_int_t status;
        char text[ERROR_TEXT_MAX];
} ExitWait;

/* Signals that are passed on to the container. */
typedef struct SignalProxy {
        ContainersGroup *group;
        const char *id;
        bool tty;
        uv_signal_t handles[5];
        size_t open;
} SignalProxy;

/* ---- waiting for the end ---- */

static void on_wait_head(HttpCall *call) {
        ExitWait *wait = http_call_userdata(call);

        wait->ready = http_call_status(call) == 200;
}

static void on_wait_done(HttpCall *call, int r, const Error *error) {
        ExitWait *wait = http_call_userdata(call);
        json_t *root = r >= 0 ? json_loads(http_call_body(call).data ?: "", 0, NULL) : NULL;
        json_t *status = json_object_get(root, "StatusCode");

        wait->call = NULL;
        wait->done = true;
        wait->r = r < 0 ? r : json_is_integer(status) ? 0 : -EBADMSG;
        wait->status = json_integer_value(status);
        (void)snprintf(wait->text, sizeof(wait->text), "%s", r < 0 ? error->text : cli_text(root, "message"));
        json_decref(root);
}

/* Without `body` it is gathered. */
static const HttpCallOps wait_ops = {.head = on_wait_head, .done = on_wait_done};

static int wait_begin(ContainersGroup *group, ExitWait *wait, const char *id, const char *condition) {
        _cleanup_free_ char *target = str_printf("/containers/%s/wait?condition=%s", id, condition);
        const HttpCallSpec spec = {.url = &group->endpoint, .method = "POST", .target = target, .body = slice_from("")};

        *wait = (ExitWait){0};
        if (!target || http_client_call(group->http, &spec, &wait_ops, wait, &wait->call) < 0)
                return -ENOMEM;
        while (!wait->ready && !wait->done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        return wait->ready ? 0 : -EPROTO;
}

static void wait_cancel(ExitWait *wait) {
        if (wait->call)
                http_call_cancel(wait->call);
        wait->call = NULL;
}

/* ---- signals ---- */

static void on_sent(HttpCall *call, int r, const Error *error) {
        (void)call;
        (void)r; /* a container that has ended needs no signal */
        (void)error;
}

static const HttpCallOps send_ops = {.done = on_sent};

static void send_post(SignalProxy *proxy, char *target) {
        const HttpCallSpec spec = {
                .url = &proxy->group->endpoint, .method = "POST", .target = target, .body = slice_from("")};

        if (target)
                (void)http_client_call(proxy->group->http, &spec, &send_ops, proxy, NULL);
        free(target);
}

static void send_size(SignalProxy *proxy) {
        unsigned rows, columns;

        if (proxy->tty && containers_terminal_size(&rows, &columns))
                send_post(proxy, str_printf("/containers/%s/resize?h=%u&w=%u", proxy->id, rows, columns));
}

static void on_signal(uv_signal_t *handle, int number) {
        SignalProxy *proxy = handle->data;

        if (number == SIGWINCH)
                send_size(proxy);
        else
                send_post(proxy, str_printf("/containers/%s/kill?signal=%d", proxy->id, number));
}

static void proxy_begin(SignalProxy *proxy, ContainersGroup *group, const char *id, bool tty) {
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};

        *proxy = (SignalProxy){.group = group, .id = id, .tty = tty};
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                (void)uv_signal_init(&group->loop, &proxy->handles[i]);
                proxy->handles[i].data = proxy;
                proxy->open++;
                (void)uv_signal_start(&proxy->handles[i], on_signal, numbers[i]);
        }
}

static void on_proxy_closed(uv_handle_t *handle) {
        ((SignalProxy *)handle->data)->open--;
}

static void proxy_end(SignalProxy *proxy) {
        for (size_t i = 0; proxy->open > 0 && i < ARRAY_SIZE(proxy->handles); i++)
                uv_close((uv_handle_t *)&proxy->handles[i], on_proxy_closed);
        while (proxy->open > 0)
                (void)uv_run(&proxy->group->loop, UV_RUN_ONCE);
}

/* ---- create ---- */

static int write_cid_file(ContainersGroup *group, const char *path, const char *id) {
        FILE *file = path ? fopen(path, "wxe") : NULL;

        if (!path)
                return 0;
        if (!file || fputs(id, file) < 0) {
                cli_complain(group->program, "--cidfile: cannot write %s: %s", path, strerror(errno));
                if (file)
                        (void)fclose(file);
                return CONTAINERS_EXIT_ENGINE;
        }
        return fclose(file) == 0 ? 0 : CONTAINERS_EXIT_ENGINE;
}

static char *create_target(const char *name) {
        _cleanup_buffer_ Buffer encoded = BUFFER_INIT;

        if (!name)
                return strdup("/containers/create");
        return url_encode(&encoded, URL_SEGMENT, slice_from(name)) >= 0 && buffer_string(&encoded)
                       ? str_printf("/containers/create?name=%s", buffer_string(&encoded))
                       : NULL;
}

static int pull_missing(ContainersGroup *group, const ContainersSpec *spec, const char *image) {
        (void)fprintf(stderr, "Unable to find image '%s' locally\n", image);
        if (spec->pull && str_equals(spec->pull, "never"))
                return CONTAINERS_EXIT_ENGINE;
        return containers_pull(group, image, spec->unused_switch, stderr) == 0 ? 0 : CONTAINERS_EXIT_ENGINE;
}

static void print_warnings(json_t *answer) {
        json_t *warnings = json_object_get(answer, "Warnings"), *one;
        size_t i;

        json_array_foreach(warnings, i, one)(void) fprintf(stderr, "WARNING: %s\n", json_string_value(one) ?: "");
}

/* An image that is missing is fetched, once. */
static int create(ContainersGroup *group, const ContainersSpec *spec, const char *image, json_t *body, char **ret_id) {
        _cleanup_free_ char *target = create_target(spec->name);
        Error error = ERROR_NONE;

        if (spec->pull && str_equals(spec->pull, "always") &&
            containers_pull(group, image, spec->unused_switch, stderr) != 0)
                return CONTAINERS_EXIT_ENGINE;
        for (int attempt = 0; target && attempt < 2; attempt++) {
                _cleanup_cli_answer_ CliAnswer answer = {0};

                if (containers_ask(group, "POST", target, body, &answer, &error) < 0) {
                        (void)containers_complain_unreachable(group, &error);
                        return CONTAINERS_EXIT_ENGINE;
                }
                if (answer.status == 404 && attempt == 0) {
                        int code = pull_missing(group, spec, image);

                        if (code != 0)
                                return code;
                        continue;
                }
                if (answer.status >= 400) {
                        (void)containers_complain(group, &answer);
                        return CONTAINERS_EXIT_ENGINE;
                }
                print_warnings(answer.json);
                *ret_id = strdup(cli_text(answer.json, "Id"));
                return *ret_id ? write_cid_file(group, spec->cid_file, *ret_id) : CONTAINERS_EXIT_ENGINE;
        }
        return CONTAINERS_EXIT_ENGINE;
}

static int parse_and_create(ContainersGroup *group, const char *verb_name, int argc, char **argv, ContainersSpec *spec,
                            char **ret_id) {
        const Verb *verb = verb_find(containers_verbs, verb_name, false);
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;
        json_t *body = NULL;
        int exit_code, code;

        if (verb_parse(verb, group->program, containers_spec_options(spec), OPTIONS_STOP_AT_ARGUMENT, argc, argv,
                       &arguments, &exit_code) < 0)
                return exit_code == CLI_OK ? -1 : CONTAINERS_EXIT_ENGINE;
        if (arguments.length == 0) {
                cli_complain(group->program, "%s needs the name of an image; see \"%s %s --help\"", verb_name,
                             group->program, verb_name);
                return CONTAINERS_EXIT_ENGINE;
        }
        if (spec->detach && spec->attach.length > 0) {
                cli_complain(group->program, "--detach and --attach contradict each other");
                return CONTAINERS_EXIT_ENGINE;
        }
        if (containers_spec_build(spec, arguments.items[0], &arguments, 1, &body, &error) < 0) {
                cli_complain(group->program, "%s", error.text[0] ? error.text : "out of memory");
                return CONTAINERS_EXIT_ENGINE;
        }
        code = create(group, spec, arguments.items[0], body, ret_id);
        json_decref(body);
        return code;
}

int containers_verb_create(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_containers_spec_ ContainersSpec spec = {0};
        _cleanup_free_ char *id = NULL;
        int code = parse_and_create(group, "create", argc, argv, &spec, &id);

        if (code == 0)
                printf("%s\n", id);
        return code < 0 ? CLI_OK : code == CONTAINERS_EXIT_ENGINE ? CLI_FAILED : code;
}

/* ---- run ---- */

/* What the engine says when a command cannot be started decides the exit code, as docker has it. */
static int start_exit_code(const CliAnswer *answer) {
        const char *message = cli_text(answer->json, "message");

        if (strstr(message, "executable file not found") || strstr(message, "no such file or directory") ||
            strstr(message, "system cannot find the file specified"))
                return CONTAINERS_EXIT_NOT_FOUND;
        if (strstr(message, "permission denied") || strstr(message, "not a directory") ||
            strstr(message, "is a directory"))
                return CONTAINERS_EXIT_CANNOT_RUN;
        return CONTAINERS_EXIT_ENGINE;
}

static int start(ContainersGroup *group, const char *id) {
        _cleanup_free_ char *target = containers_target("containers", id, "/start");
        _cleanup_cli_answer_ CliAnswer answer = {0};
        Error error = ERROR_NONE;

        if (!target || containers_ask(group, "POST", target, NULL, &answer, &error) < 0) {
                (void)containers_complain_unreachable(group, &error);
                return CONTAINERS_EXIT_ENGINE;
        }
        if (answer.status < 400)
                return 0;
        (void)containers_complain(group, &answer);
        return start_exit_code(&answer);
}

/* When the engine goes away meanwhile, the container does not: it goes on, and we cannot tell how it ends. */
static int follow(ContainersGroup *group, ContainersStream *stream, ExitWait *wait) {
        while (!wait->done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        while (wait->r >= 0 && !stream->ended)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        if (wait->r >= 0)
                return (int)(wait->status & 0xff);
        cli_complain(group->program, "cannot wait for the container's end: %s", wait->text);
        return CONTAINERS_EXIT_ENGINE;
}

static int run_attached(ContainersGroup *group, const ContainersSpec *spec, const char *id) {
        _cleanup_free_ char *target = str_printf("/containers/%s/attach?stderr=1&stdout=1%s&stream=1", id,
                                                 spec->interactive ? "&stdin=1" : "");
        ContainersStream stream;
        SignalProxy proxy;
        ExitWait wait;
        int code;

        if (!target || containers_stream_open(&stream, group, target, NULL, spec->interactive, spec->tty) != 0)
                return CONTAINERS_EXIT_ENGINE;
        proxy_begin(&proxy, group, id, spec->tty);
        code = wait_begin(group, &wait, id, spec->remove ? "removed" : "next-exit") < 0 ? CONTAINERS_EXIT_ENGINE : 0;
        if (code != 0)
                cli_complain(group->program, "cannot wait for the container: %s", wait.text);
        if (code == 0)
                code = start(group, id);
        if (code == 0) {
                send_size(&proxy);
                containers_stream_start_input(&stream);
                code = follow(group, &stream, &wait);
        }
        wait_cancel(&wait);
        containers_stream_close(&stream);
        proxy_end(&proxy);
        return code;
}

int containers_verb_run(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_containers_spec_ ContainersSpec spec = {0};
        _cleanup_free_ char *id = NULL;
        int code = parse_and_create(group, "run", argc, argv, &spec, &id);

        if (code != 0)
                return code < 0 ? CLI_OK : code;
        if (!spec.detach)
                return run_attached(group, &spec, id);
        code = start(group, id);
        if (code == 0)
                printf("%s\n", id);
        return code;
}

/* ---- attach ---- */

int containers_verb_attach(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        bool no_stdin = false;
        const Option options[] = {
                {"no-stdin", 0, OPTION_SWITCH, NULL, NULL, "do not pass standard input on", &no_stdin, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_free_ char *target = NULL, *attach = NULL;
        ContainersStream stream;
        SignalProxy proxy;
        ExitWait wait;
        bool input, tty;
        int code;

        if (verb_parse(verb_find(containers_verbs, "attach", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length != 1) {
                cli_complain(group->program, "attach needs one container");
                return CLI_FAILED;
        }
        target = containers_target("containers", arguments.items[0], "/json");
        code = target ? containers_request(group, "GET", target, NULL, &answer) : CLI_FAILED;
        if (code != 0)
                return code;
        if (!json_is_true(json_object_get(json_object_get(answer.json, "State"), "Running"))) {
                cli_complain(group->program, "You cannot attach to a stopped container, start it first");
                return CLI_FAILED;
        }
        tty = json_is_true(json_object_get(json_object_get(answer.json, "Config"), "Tty"));
        input = !no_stdin && json_is_true(json_object_get(json_object_get(answer.json, "Config"), "OpenStdin"));
        attach = str_printf("/containers/%s/attach?stderr=1&stdout=1%s&stream=1", cli_text(answer.json, "Id"),
                            input ? "&stdin=1" : "");
        if (!attach || containers_stream_open(&stream, group, attach, NULL, input, tty) != 0)
                return CLI_FAILED;
        proxy_begin(&proxy, group, cli_text(answer.json, "Id"), tty);
        code = wait_begin(group, &wait, cli_text(answer.json, "Id"), "next-exit") < 0 ? CLI_FAILED : 0;
        if (code == 0) {
                send_size(&proxy);
                containers_stream_start_input(&stream);
                code = follow(group, &stream, &wait);
        }
        wait_cancel(&wait);
        containers_stream_close(&stream);
        proxy_end(&proxy);
        return code;
}
