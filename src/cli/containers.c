#include "cli/containers.h"

#include <errno.h>

#define ENDPOINT_DEFAULT "unix:///run/faering/containers.sock"
#define ENDPOINT_DOCKER "unix:///run/docker.sock"

const Verb containers_verbs[] = {
        {"run", "IMAGE [COMMAND…]", "make a container and run it", containers_verb_run},
        {"ps", "", "the containers", containers_verb_ps},
        {"logs", "CONTAINER", "what a container wrote", containers_verb_logs},
        {"stop", "CONTAINER…", "stop containers", containers_verb_stop},
        {"kill", "CONTAINER…", "send containers a signal", containers_verb_kill},
        {"rm", "CONTAINER…", "remove containers", containers_verb_rm},
        {"create", "IMAGE [COMMAND…]", "make a container", containers_verb_create},
        {"start", "CONTAINER…", "start containers that are there", containers_verb_start},
        {"restart", "CONTAINER…", "stop and start containers", containers_verb_restart},
        {"rename", "CONTAINER NAME", "give a container another name", containers_verb_rename},
        {"exec", "CONTAINER COMMAND…", "run a command in a container", containers_verb_exec},
        {"attach", "CONTAINER", "connect to a container's input and output", containers_verb_attach},
        {"wait", "CONTAINER…", "wait until containers have ended", containers_verb_wait},
        {"port", "CONTAINER", "a container's published ports", containers_verb_port},
        {"inspect", "NAME…", "all that is known of containers or images, as JSON", containers_verb_inspect},
        {"images", "[NAME]", "the images", containers_verb_images},
        {"pull", "IMAGE", "get an image, from another machine or a registry", containers_verb_pull},
        {"import", "FILE|- [NAME]", "make an image of a root file system's archive", containers_verb_import},
        {"load", "", "take in images that were saved", containers_verb_load},
        {"save", "IMAGE…", "write images to an archive", containers_verb_save},
        {"tag", "IMAGE NAME", "give an image one more name", containers_verb_tag},
        {"rmi", "IMAGE…", "remove images", containers_verb_rmi},
        {"info", "", "the engine and this machine", containers_verb_info},
        {"version", "", "versions of client and engine", containers_verb_version},
        {0},
};

/* ---- requests ---- */

int containers_ask(ContainersGroup *group, const char *method, const char *target, json_t *body, CliAnswer *ret,
                   Error *error) {
        _cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        const HttpCallSpec spec = {
                .url = &group->endpoint,
                .method = method,
                .target = target,
                .headers = body ? "Content-Type: application/json\r\n" : NULL,
                .body = text                         ? slice_from(text)
                        : str_equals(method, "POST") ? slice_from("")
                                                     : (Slice){NULL, 0},
        };

        return cli_request(&group->loop, group->http, &spec, ret, error);
}

int containers_complain(const ContainersGroup *group, const CliAnswer *answer) {
        const char *message = cli_text(answer->json, "message");

        cli_complain(group->program, "Error response from daemon: %s", *message ? message : answer->body ?: "");
        return CLI_FAILED;
}

int containers_complain_unreachable(const ContainersGroup *group, const Error *error) {
        cli_complain(group->program,
                     "Cannot connect to the engine: %s. Is faering-containers running here? --host names another place",
                     error->text);
        return CLI_FAILED;
}

int containers_request(ContainersGroup *group, const char *method, const char *target, json_t *body, CliAnswer *ret) {
        Error error = ERROR_NONE;
        int code;

        if (containers_ask(group, method, target, body, ret, &error) < 0)
                return containers_complain_unreachable(group, &error);
        if (ret->status < 400)
                return 0;
        code = containers_complain(group, ret);
        cli_answer_deinit(ret);
        return code;
}

char *containers_target(const char *kind, const char *name, const char *action) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT;

        (void)buffer_printf(&target, "/%s/", kind);
        (void)url_encode(&target, URL_PATH, slice_from(name)); /* names of images have '/' */
        (void)buffer_append_string(&target, action);
        return buffer_failed(&target) ? NULL : buffer_steal_string(&target, NULL);
}

int containers_each(ContainersGroup *group, const StringList *names, const char *method, const char *kind,
                    const char *action) {
        int code = CLI_OK;

        for (size_t i = 0; i < names->length; i++) {
                _cleanup_free_ char *target = containers_target(kind, names->items[i], action);
                _cleanup_cli_answer_ CliAnswer answer = {0};

                if (!target || containers_request(group, method, target, NULL, &answer) != 0)
                        code = CLI_FAILED;
                else
                        printf("%s\n", names->items[i]);
                (void)fflush(stdout);
        }
        return code;
}

/* ---- the group ---- */

static int read_endpoint(ContainersGroup *group) {
        const char *text = access("/run/faering/containers.sock", F_OK) == 0 ? ENDPOINT_DEFAULT : ENDPOINT_DOCKER;
        _cleanup_free_ char *plain = NULL;
        Error error = ERROR_NONE;

        if (group->endpoint_text)
                text = group->endpoint_text;
        if (str_starts_with(text, "tcp://")) {
                plain = str_printf("http://%s", text + strlen("tcp://"));
                text = plain;
        }
        if (!text || url_parse(text, 2375, &group->endpoint, &error) < 0) {
                cli_complain(group->program, "%s", error.text[0] ? error.text : "out of memory");
                return CONTAINERS_EXIT_ENGINE;
        }
        return 0;
}

static int group_run(ContainersGroup *group, int argc, char **argv) {
        bool help = false, version = false, debug = false;
        const Option options[] = {
                {"host", 'H', OPTION_STRING, "URL", "DOCKER_HOST",
                 "where the engine is (default: " ENDPOINT_DEFAULT ")", &group->endpoint_text, NULL},
                {"debug", 'D', OPTION_SWITCH, NULL, NULL, NULL, &debug, NULL},
                {"version", 'v', OPTION_SWITCH, NULL, NULL, "print the version", &version, NULL},
                {"help", 'h', OPTION_SWITCH, NULL, NULL, "print this", &help, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        Error error = ERROR_NONE;
        const Verb *verb;
        int first, code, skip = 0;

        if (options_parse(options, OPTIONS_STOP_AT_ARGUMENT, argc, argv, &arguments, &error) < 0) {
                cli_complain(group->program, "%s", error.text[0] ? error.text : "out of memory");
                return CONTAINERS_EXIT_ENGINE;
        }
        if (version) {
                printf("%s version %s\n", group->program, FAERING_VERSION);
                return CLI_OK;
        }
        /* docker container run …, docker image rm …: the second word is the verb */
        if (arguments.length > 1 &&
            (str_equals(arguments.items[0], "container") || str_equals(arguments.items[0], "image")))
                skip = 1;
        if (help || arguments.length == 0 || str_equals(arguments.items[0], "help")) {
                verb_print_group_help(containers_verbs, group->program, "Containers and images of this machine.",
                                      options);
                return CLI_OK;
        }
        verb = verb_find(containers_verbs, arguments.items[skip], false);
        if (!verb) {
                verb_complain(containers_verbs, group->program, arguments.items[skip]);
                return CLI_FAILED;
        }
        code = read_endpoint(group);
        if (code != 0)
                return code;
        first = argc - (int)arguments.length + skip;
        return verb->run(group, argc - first, argv + first);
}

int containers_group_main(const char *program, int argc, char **argv) {
        ContainersGroup group = {.program = program};
        int code;

        if (uv_loop_init(&group.loop) < 0)
                return CLI_FAILED;
        group.http = http_client_new(&group.loop, NULL);
        code = group.http ? group_run(&group, argc, argv) : CLI_FAILED;
        if (group.http)
                http_client_close(group.http);
        (void)uv_run(&group.loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&group.loop);
        free(group.endpoint_text);
        return code;
}
