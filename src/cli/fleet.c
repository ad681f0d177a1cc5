#include "cli/fleet.h"

#include <errno.h>
#include <stdarg.h>

#define ENDPOINT_DEFAULT "unix:///run/faering/fleet.sock"

const Verb fleet_verbs[] = {
        {"list-machines", "", "the machines of the cluster", fleet_verb_list_machines},
        {"list-units", "", "units and how they do", fleet_verb_list_units},
        {"list-unit-files", "", "units and what is wanted of them", fleet_verb_list_unit_files},
        {"submit", "UNIT…", "make units known to the cluster", fleet_verb_submit},
        {"load", "UNIT…", "place units on machines, without starting them", fleet_verb_load},
        {"start", "UNIT…", "place and start units", fleet_verb_start},
        {"stop", "UNIT…", "stop units, leaving them where they are", fleet_verb_stop},
        {"restart", "UNIT…", "stop and start units where they are", fleet_verb_restart},
        {"unload", "UNIT…", "take units off their machines", fleet_verb_unload},
        {"destroy", "UNIT…", "remove units from the cluster", fleet_verb_destroy},
        {"cat", "UNIT", "print a unit's text", fleet_verb_cat},
        {"status", "UNIT…", "how units do, and why they are where they are", fleet_verb_status},
        {"journal", "UNIT…", "what units wrote", fleet_verb_journal},
        {"logs", "UNIT…", "the same", fleet_verb_journal},
        {"top", "", "what units use of their machines", fleet_verb_top},
        {"explain", "UNIT", "for each machine, why the unit may run there or not", fleet_verb_explain},
        {"lint", "FILE…", "what is wrong or doubtful in unit files", fleet_verb_lint},
        {"plan", "FILE…", "what start, replace or destroy would do", fleet_verb_plan},
        {"whatif", "node-loss MACHINE…|any-1", "which units would move, and which find no home", fleet_verb_whatif},
        {"cordon", "MACHINE…", "place nothing new on machines", fleet_verb_cordon},
        {"uncordon", "MACHINE…", "let machines take units again", fleet_verb_uncordon},
        {"drain", "MACHINE…", "cordon machines, and move their units away", fleet_verb_drain},
        {"rebalance", "", "even the load by moving units", fleet_verb_rebalance},
        {"update", "UNIT… --file FILE", "give running units another text, one after the other", fleet_verb_update},
        {"ssh", "MACHINE|UNIT [COMMAND…]", "a shell, or a command, on a machine", fleet_verb_ssh},
        {"fd-forward", "SOCKET", "copy standard input and output to a socket (for old fleetctl's --tunnel)", fleet_verb_fd_forward},
        {"verify", "UNIT", "nothing any more", fleet_verb_verify},
        {0},
};

/* Verbs that do not talk to the API. */
static const char *const local_verbs[] = {"fd-forward", "verify"};

/* Not fleetctl's: a beginning that was clear there still is. */
static const char *const own_verbs[] = {"cordon", "drain", "explain", "lint", "logs", "plan", "rebalance", "top", "uncordon", "update", "whatif"};

static bool is_own(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(own_verbs); i++)
                if (str_equals(name, own_verbs[i]))
                        return true;
        return false;
}

static const Verb *find_verb(const char *name) {
        const Verb *exact = verb_find(fleet_verbs, name, false), *found = NULL;

        for (const Verb *verb = fleet_verbs; !exact && verb->name; verb++) {
                if (is_own(verb->name) || !str_starts_with(verb->name, name))
                        continue;
                if (found)
                        return NULL;
                found = verb;
        }
        return exact ?: found ?: verb_find(fleet_verbs, name, true);
}

void fleet_complain(const FleetGroup *group, const char *format, ...) {
        va_list args;

        (void)fflush(stdout);
        if (!group->old)
                (void)fprintf(stderr, "%s: ", group->program);
        va_start(args, format);
        (void)vfprintf(stderr, format, args);
        va_end(args);
        (void)fputc('\n', stderr);
}

/* ---- requests ---- */

/* fleetctl's words for it. */
int fleet_complain_answer(const FleetGroup *group, const char *what, const CliAnswer *answer) {
        const char *message = cli_text(json_object_get(answer->json, "error"), "message");

        fleet_complain(group, "%s%sgoogleapi: Error %u: %s", what ?: "", what ? ": " : "", answer->status,
                       *message ? message : answer->body ?: "");
        return CLI_FAILED;
}

int fleet_complain_unanswered(const FleetGroup *group, const Error *error) {
        fleet_complain(group, "cannot ask the fleet daemon: %s. Is faering-fleet running here? --endpoint names another place", error->text);
        return CLI_FAILED;
}

int fleet_request(FleetGroup *group, const char *method, const char *target, const char *body, CliAnswer *ret_answer) {
        return fleet_request_for(group, NULL, method, target, body, ret_answer);
}

int fleet_request_for(FleetGroup *group, const char *what, const char *method, const char *target, const char *body,
                      CliAnswer *ret_answer) {
        const HttpCallSpec spec = {
                .url = &group->endpoint,
                .method = method,
                .target = target,
                .headers = body ? "Content-Type: application/json\r\n" : NULL,
                .body = body ? slice_from(body) : (Slice){NULL, 0},
                .head_timeout = group->request_timeout,
        };
        Error error = ERROR_NONE;

        if (cli_request(&group->loop, group->http, &spec, ret_answer, &error) < 0)
                return fleet_complain_unanswered(group, &error);
        if (ret_answer->status >= 400 && ret_answer->status != 404) {
                int code = fleet_complain_answer(group, what, ret_answer);

                cli_answer_deinit(ret_answer);
                return code;
        }
        return 0;
}

/* A daemon of fleet 1.0 does not know it, and gives pages of 100. */
#define LONG_PAGES "&limit=10000"

int fleet_list(FleetGroup *group, const char *resource, const char *key, json_t **ret_array) {
        _cleanup_free_ char *target = str_printf("/fleet/v1/%s?alt=json" LONG_PAGES, resource);
        json_t *all = json_array();

        while (target) {
                _cleanup_cli_answer_ CliAnswer answer = {0};
                _cleanup_buffer_ Buffer token = BUFFER_INIT;
                const char *next;
                int code = fleet_request(group, "GET", target, NULL, &answer);

                if (code != 0) {
                        json_decref(all);
                        return code;
                }
                (void)json_array_extend(all, json_object_get(answer.json, key));
                next = cli_text(answer.json, "nextPageToken");
                free(target);
                target = NULL;
                if (*next && url_encode(&token, URL_SEGMENT, slice_from(next)) >= 0 && buffer_string(&token))
                        target = str_printf("/fleet/v1/%s?alt=json" LONG_PAGES "&nextPageToken=%s", resource, buffer_string(&token));
        }
        *ret_array = all;
        return 0;
}

char *fleet_unit_target(const char *resource, const char *name) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT;

        (void)buffer_printf(&target, "%s/", resource);
        (void)url_encode(&target, URL_SEGMENT, slice_from(name));
        return buffer_steal_string(&target, NULL);
}

int fleet_ask_of(FleetGroup *group, const char *resource, const char *name, CliAnswer *ret_answer) {
        _cleanup_free_ char *target = fleet_unit_target(resource, name);

        return target ? fleet_request(group, "GET", target, NULL, ret_answer) : CLI_FAILED;
}

int fleet_get_of(FleetGroup *group, const char *resource, const char *name, json_t **ret) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        int code = fleet_ask_of(group, resource, name, &answer);

        if (code == 0)
                *ret = answer.status == 200 && json_object_size(answer.json) > 0 ? json_incref(answer.json) : NULL;
        return code;
}

int fleet_get_unit(FleetGroup *group, const char *name, json_t **ret_unit) {
        return fleet_get_of(group, "/fleet/v1/units", name, ret_unit);
}

int fleet_set_form(void *target, const char *value, Error *error) {
        bool *json = target;

        *json = str_equals(value, "json");
        return *json || str_equals(value, "text") || str_equals(value, "table")
                       ? 0
                       : error_set(error, -EINVAL, "unknown form \"%s\": it is text or json", value);
}

void fleet_print_answer(const CliAnswer *answer) {
        const char *body = answer->body ?: "";

        printf("%s%s", body, str_ends_with(body, "\n") ? "" : "\n");
}

char *fleet_desired_body(const char *desired) {
        return str_printf("{\"desiredState\":\"%s\"}", desired);
}

int fleet_set_desired(FleetGroup *group, const char *what, const char *name, const char *desired) {
        _cleanup_free_ char *target = fleet_unit_target("/fleet/v1/units", name);
        _cleanup_free_ char *body = fleet_desired_body(desired);
        _cleanup_cli_answer_ CliAnswer answer = {0};

        return target && body ? fleet_request_for(group, what, "PUT", target, body, &answer) : CLI_FAILED;
}

int fleet_read_options(json_t *unit, UnitFile *file) {
        json_t *option;
        size_t i;

        json_array_foreach (json_object_get(unit, "options"), i, option) {
                int r = unitfile_add(file, slice_from(cli_text(option, "section")), slice_from(cli_text(option, "name")),
                                     slice_from(cli_text(option, "value")), NULL);

                if (r < 0)
                        return r;
        }
        return 0;
}

bool fleet_unit_is_global(json_t *unit) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};

        return fleet_read_options(unit, &file) >= 0 && unit_requirements_read(&file, cli_text(unit, "name"), &requirements) >= 0 &&
               requirements.global;
}

void fleet_format_machine(json_t *machines, const char *id, bool full, Buffer *text) {
        json_t *machine;
        size_t i;

        (void)buffer_printf(text, full ? "%s" : "%.8s...", id);
        json_array_foreach(machines, i, machine)
                if (str_equals(cli_text(machine, "id"), id) && *cli_text(machine, "primaryIP"))
                        (void)buffer_printf(text, "/%s", cli_text(machine, "primaryIP"));
}

/* ---- the group ---- */

/* Go's float seconds ("3.0") beside lengths of time. */
static int set_timeout(void *target, const char *value, Error *error) {
        size_t length = strlen(value);
        _cleanup_free_ char *seconds = str_printf("%ss", value);
        const char *text = length > 0 && value[length - 1] >= '0' && value[length - 1] <= '9' ? seconds : value;

        if (!seconds)
                return -ENOMEM;
        if (str_parse_duration(slice_from(text), target) < 0)
                return error_set(error, -EINVAL, "\"%s\" is no length of time such as 3.0 or 500ms", value);
        return 0;
}

/* Of several endpoints the first; "file" is an old word for a unix socket. */
static int parse_endpoint(FleetGroup *group, Error *error) {
        const char *text = group->endpoint_text ?: ENDPOINT_DEFAULT;
        bool file = str_starts_with(text, "file://");
        _cleanup_free_ char *first = NULL;

        text += file ? strlen("file://") : 0;
        first = str_printf("%s%.*s", file ? "unix://" : "", (int)strcspn(text, ","), text);
        return first ? url_parse(first, 80, &group->endpoint, error) : -ENOMEM;
}

static bool is_local(const Verb *verb) {
        for (size_t i = 0; i < ARRAY_SIZE(local_verbs); i++)
                if (str_equals(verb->name, local_verbs[i]))
                        return true;
        return false;
}

static int run_verb(FleetGroup *group, const Verb *verb, int argc, char **argv) {
        Error error = ERROR_NONE;
        int code;

        if (is_local(verb))
                return verb->run(group, argc, argv);
        if (parse_endpoint(group, &error) < 0 || cli_tls_open(&group->tls, &error) < 0) {
                fleet_complain(group, "%s", error.text[0] ? error.text : "out of memory");
                return CLI_USAGE;
        }
        http_client_set_tls(group->http, group->tls.context);
        code = fleet_tunnel_open(group);
        if (code == 0)
                code = verb->run(group, argc, argv);
        fleet_tunnel_close(group);
        return code;
}

/* help VERB. */
static int help_verb(FleetGroup *group, char *name) {
        const Verb *verb = find_verb(name);

        if (verb)
                return verb->run(group, 2, (char *[]){name, (char[]){"--help"}, NULL});
        verb_complain(fleet_verbs, group->program, name);
        return CLI_USAGE;
}

/* ---- options of the group may stand anywhere, as with fleetctl ---- */

/* What the verb would take for a value of its own is left to it: of ssh's the first words only are options. */
static bool is_value_of_ssh(const char *before) {
        return str_equals(before, "--machine") || str_equals(before, "-m") || str_equals(before, "--unit") || str_equals(before, "-u") ||
               str_equals(before, "--ssh-port");
}

static const Option *find_option(const Option *options, const char *word) {
        size_t length = strcspn(word, "=");

        for (const Option *option = options; option->name; option++)
                if (option->letter && word[1] == option->letter && !word[2])
                        return option;
                else if (str_starts_with(word, "--") && strlen(option->name) == length - 2 && strncmp(word + 2, option->name, length - 2) == 0)
                        return option;
        return NULL;
}

static bool takes_next_word(const Option *option, const char *word) {
        return option->type != OPTION_SWITCH && !strchr(word, '=');
}

typedef struct Words {
        char **group, **verb; /* for the group; the verb and what is its own */
        size_t n_group, n_verb;
} Words;

/* Sorts argv[1..]. Options before the verb that are none of the group's are the verb's. */
static void sort_words(const Option *options, int argc, char **argv, Words *words) {
        bool ended = false, ssh = false, have_verb = false;

        for (int i = 1; i < argc; i++) {
                const Option *option = ended || argv[i][0] != '-' ? NULL : find_option(options, argv[i]);

                if (option && !(have_verb && option->letter)) { /* --help and --version are the verb's */
                        words->group[words->n_group++] = argv[i];
                        if (takes_next_word(option, argv[i]) && i + 1 < argc)
                                words->group[words->n_group++] = argv[++i];
                } else if (!have_verb && argv[i][0] != '-') {
                        const Verb *verb = find_verb(argv[i]);

                        have_verb = true;
                        ssh = verb && str_equals(verb->name, "ssh");
                        memmove(words->verb + 1, words->verb, words->n_verb * sizeof(*words->verb));
                        words->verb[0] = argv[i];
                        words->n_verb++;
                } else {
                        ended = ended || str_equals(argv[i], "--") || (ssh && argv[i][0] != '-' && !is_value_of_ssh(argv[i - 1]));
                        words->verb[words->n_verb++] = argv[i];
                }
        }
        if (!have_verb) { /* who speaks to nobody speaks to the group */
                memcpy(words->group + words->n_group, words->verb, words->n_verb * sizeof(*words->verb));
                words->n_group += words->n_verb;
                words->n_verb = 0;
        }
}

static int group_run(FleetGroup *group, int argc, char **argv) {
        bool help = false, version = false;
        char *unused = NULL;
        _cleanup_free_ char *unused_text = NULL;
        bool unused_switch;
        const Option options[] = {
                {"endpoint", 0, OPTION_STRING, "URL", "FLEETCTL_ENDPOINT",
                 "where the API is (default: unix:///run/faering/fleet.sock)", &group->endpoint_text, NULL},
                {"request-timeout", 0, OPTION_CALL, "TIME", "FLEETCTL_REQUEST_TIMEOUT", "longest wait for an answer (default: 3s)",
                 &group->request_timeout, set_timeout},
                {"cert-file", 0, OPTION_STRING, "FILE", "FLEETCTL_CERT_FILE", "the certificate to show at an https:// endpoint",
                 &group->tls.cert_file, NULL},
                {"key-file", 0, OPTION_STRING, "FILE", "FLEETCTL_KEY_FILE", "its key", &group->tls.key_file, NULL},
                {"ca-file", 0, OPTION_STRING, "FILE", "FLEETCTL_CA_FILE", "authorities to believe (default: the system's)",
                 &group->tls.ca_file, NULL},
                {"driver", 0, OPTION_STRING, "NAME", "FLEETCTL_DRIVER", NULL, &unused, NULL},
                {"tunnel", 0, OPTION_STRING, "HOST[:PORT]", "FLEETCTL_TUNNEL", "reach the API and the machines through ssh to that host",
                 &group->ssh.tunnel, NULL},
                {"ssh-username", 0, OPTION_STRING, "NAME", "FLEETCTL_SSH_USERNAME", "on the machines (default: core)", &group->ssh.user, NULL},
                {"ssh-timeout", 0, OPTION_STRING, "SECONDS", "FLEETCTL_SSH_TIMEOUT", "longest wait for a connection (default: 10)",
                 &group->ssh.timeout, NULL},
                {"known-hosts-file", 0, OPTION_STRING, "FILE", "FLEETCTL_KNOWN_HOSTS_FILE", "keys of hosts (default: ssh's own)",
                 &group->ssh.known_hosts, NULL},
                {"strict-host-key-checking", 0, OPTION_SWITCH, NULL, "FLEETCTL_STRICT_HOST_KEY_CHECKING",
                 "ask before an unknown host is trusted (default: true)", &group->ssh.strict, NULL},
                {"etcd-key-prefix", 0, OPTION_STRING, "KEY", "FLEETCTL_ETCD_KEY_PREFIX", NULL, &unused_text, NULL},
                {"experimental-api", 0, OPTION_SWITCH, NULL, "FLEETCTL_EXPERIMENTAL_API", NULL, &unused_switch, NULL},
                {"debug", 0, OPTION_SWITCH, NULL, "FLEETCTL_DEBUG", NULL, &unused_switch, NULL},
                {"version", 'v', OPTION_SWITCH, NULL, NULL, "print the version", &version, NULL},
                {"help", 'h', OPTION_SWITCH, NULL, NULL, "print this", &help, NULL},
                {"h", 0, OPTION_SWITCH, NULL, NULL, NULL, &help, NULL},
                /* old names */
                {"etcd-certfile", 0, OPTION_STRING, "FILE", "FLEETCTL_ETCD_CERTFILE", NULL, &group->tls.cert_file, NULL},
                {"etcd-keyfile", 0, OPTION_STRING, "FILE", "FLEETCTL_ETCD_KEYFILE", NULL, &group->tls.key_file, NULL},
                {"etcd-cafile", 0, OPTION_STRING, "FILE", "FLEETCTL_ETCD_CAFILE", NULL, &group->tls.ca_file, NULL},
                {0},
        };
        _cleanup_free_ char **room = calloc(2 * ((size_t)argc + 1), sizeof(*room));
        Words words = {.group = room ? room + 1 : NULL, .verb = room ? room + argc + 1 : NULL};
        _cleanup_string_list_ StringList unexpected = {0};
        Error error = ERROR_NONE;
        const Verb *verb;

        if (!room) {
                cli_complain(group->program, "out of memory");
                return CLI_FAILED;
        }
        sort_words(options, argc, argv, &words);
        room[0] = argv[0];
        if (options_parse(options, OPTIONS_GNU, (int)words.n_group + 1, room, &unexpected, &error) < 0) {
                cli_complain(group->program, "%s", error.text[0] ? error.text : "out of memory");
                free(unused);
                return CLI_USAGE;
        }
        if (unused && str_equals(unused, "etcd")) {
                cli_complain(group->program, "--driver etcd is no more: all verbs go through the API of faering-fleet; leave it out, "
                                             "and give --endpoint if the API is not on this machine");
                free(unused);
                return CLI_USAGE;
        }
        if (unused && !str_equals(unused, "API")) {
                fleet_complain(group, "Unable to initialize client: unrecognized driver \"%s\"", unused);
                free(unused);
                return CLI_FAILED;
        }
        free(unused);
        if (version || (words.n_verb > 0 && str_equals(words.verb[0], "version"))) {
                printf("%s version %s\n", group->program, FAERING_VERSION);
                return CLI_OK;
        }
        if (words.n_verb > 1 && str_equals(words.verb[0], "help"))
                return help_verb(group, words.verb[1]);
        if (help && words.n_verb > 0)
                return help_verb(group, words.verb[0]);
        if (help || words.n_verb == 0 || str_equals(words.verb[0], "help")) {
                verb_print_group_help(fleet_verbs, group->program, "Units on all machines of the cluster.", options);
                printf("\n%s version %s\n", group->program, FAERING_VERSION);
                return CLI_OK;
        }
        verb = find_verb(words.verb[0]);
        if (!verb) {
                verb_complain(fleet_verbs, group->program, words.verb[0]);
                return CLI_USAGE;
        }
        return run_verb(group, verb, (int)words.n_verb, words.verb);
}

int fleet_group_main(const char *program, int argc, char **argv) {
        FleetGroup group = {.program = program, .old = str_equals(program, "fleetctl"), .request_timeout = 3 * USEC_PER_SEC,
                            .ssh = {.strict = true}};
        int code;

        if (uv_loop_init(&group.loop) < 0)
                return CLI_FAILED;
        group.http = http_client_new(&group.loop, &(HttpClientConfig){.idle_connections = FLEET_CONNECTIONS});
        code = group.http ? group_run(&group, argc, argv) : CLI_FAILED;
        if (group.http)
                http_client_close(group.http);
        (void)uv_run(&group.loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&group.loop);
        cli_tls_deinit(&group.tls);
        free(group.endpoint_text);
        free(group.ssh.tunnel);
        free(group.ssh.user);
        free(group.ssh.known_hosts);
        free(group.ssh.timeout);
        return code;
}
