#include "cli/store.h"

#include <errno.h>

#include "base/suggest.h"
#include "cli/store-old.h"

#define AT(member) offsetof(StoreGroup, member)

const StoreFlag store_global_flags[] = {
        {"debug", NULL, STORE_FLAG_SWITCH, AT(debug), NULL, "show each request as a curl command, without secrets",
         "output cURL commands which can be used to reproduce the request", NULL, NULL},
        {"no-sync", NULL, STORE_FLAG_SWITCH, AT(no_sync), NULL,
         "ask only the endpoints given, not the members that they name",
         "don't synchronize cluster information before sending request", NULL, NULL},
        {"output", "o", STORE_FLAG_TEXT, AT(output_name), "FORM", "simple, extended or json",
         "output response in the given format (simple, `extended` or `json`)", "simple", "\"simple\""},
        {"discovery-srv", "D", STORE_FLAG_TEXT, AT(discovery_srv), "DOMAIN",
         "find the endpoints by the SRV records of this domain",
         "domain name to query for SRV records describing cluster endpoints", NULL, NULL},
        {"insecure-discovery", NULL, STORE_FLAG_SWITCH, AT(insecure_discovery), NULL,
         "take endpoints without TLS from SRV records, too", "accept insecure SRV records describing cluster endpoints",
         NULL, NULL},
        {"peers", "C", STORE_FLAG_TEXT, AT(peers), "URLS", NULL, "DEPRECATED - \"--endpoints\" should be used instead",
         NULL, NULL},
        {"endpoint", NULL, STORE_FLAG_TEXT, AT(endpoint), "URLS", NULL,
         "DEPRECATED - \"--endpoints\" should be used instead", NULL, NULL},
        {"endpoints", NULL, STORE_FLAG_TEXT, AT(endpoints), "URLS",
         "members to ask, separated by commas (default: http://127.0.0.1:2379,http://127.0.0.1:4001)",
         "a comma-delimited list of machine addresses in the cluster (default: "
         "\"http://127.0.0.1:2379,http://127.0.0.1:4001\")",
         NULL, NULL},
        {"cert-file", NULL, STORE_FLAG_TEXT, AT(tls.cert_file), "FILE", NULL,
         "identify HTTPS client using this SSL certificate file", NULL, NULL},
        {"key-file", NULL, STORE_FLAG_TEXT, AT(tls.key_file), "FILE", NULL, "identify HTTPS client using this SSL key file",
         NULL, NULL},
        {"ca-file", NULL, STORE_FLAG_TEXT, AT(tls.ca_file), "FILE", NULL,
         "verify certificates of HTTPS-enabled servers using this CA bundle", NULL, NULL},
        {"username", "u", STORE_FLAG_TEXT, AT(username), "NAME[:PASSWORD]",
         "whose rights to use; the password is asked for if missing",
         "provide username[:password] and prompt if password is not supplied.", NULL, NULL},
        {"timeout", NULL, STORE_FLAG_TIME, AT(timeout), "TIME", "longest wait for one member (default: 2s)",
         "connection timeout per request", NULL, "2s"},
        {"total-timeout", NULL, STORE_FLAG_TIME, AT(total_timeout), "TIME",
         "longest wait for all of it, but for watches (default: 5s)",
         "timeout for the command execution (except watch)", NULL, "5s"},
        {"no-legend", NULL, STORE_FLAG_SWITCH, AT(no_legend), NULL, "tables without the line of headings", NULL, NULL,
         NULL},
        {0},
};

/* ---- our own voice: help ---- */

static void print_verbs(const char *group) {
        size_t width = 0;

        for (int pass = 0; pass < 2; pass++)
                for (const StoreCommand *const *at = store_verbs; *at; at++) {
                        const StoreCommand *verb = *at;
                        char left[128];

                        if (group && (!verb->group || !str_equals(verb->group, group)))
                                continue;
                        (void)snprintf(left, sizeof(left), "%s%s%s %s", verb->group ?: "", verb->group ? " " : "",
                                       verb->alias ?: verb->name, verb->arguments);
                        if (pass == 0)
                                width = max_of(width, strlen(left));
                        else
                                printf("  %-*s  %s\n", (int)width, left, verb->summary);
                }
}

static void print_options(const Option *options) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        printf("\nOptions:\n");
        if (options_format_help(options, "--", &text) >= 0)
                (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
}

static int print_group_help(const StoreGroup *group, const StoreCommandGroup *below, const Option *options) {
        printf("Usage: %s %s%s[OPTIONS] VERB [ARGUMENTS]\n\n%s\n\nVerbs:\n", group->program, below ? below->name : "",
               below ? " " : "", below ? below->summary : "Keys and members of the replicated store.");
        print_verbs(below ? below->name : NULL);
        print_options(options);
        printf("\n\"%s VERB --help\" says more of a verb.\n", group->program);
        return CLI_OK;
}

/* ---- our own voice: parsing ---- */

enum { OPTIONS_MAX = 64 };

static int complain_verb(const StoreGroup *group, const char *below, const char *word) {
        const char *nearest = store_verb_suggest(below, word), *space = below ? " " : "";

        if (nearest)
                cli_complain(group->program, "unknown verb \"%s%s%s\"; did you mean \"%s%s%s\"?", below ?: "", space,
                             word, below ?: "", space, nearest);
        else
                cli_complain(group->program, "unknown verb \"%s%s%s\"; see \"%s%s%s --help\"", below ?: "", space, word,
                             group->program, space, below ?: "");
        return CLI_USAGE;
}

static int choose_output(StoreGroup *group) {
        static const char *const names[] = {"simple", "extended", "json"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (str_equals(group->output_name ?: "simple", names[i])) {
                        group->output = (StoreOutput)i;
                        return 0;
                }
        cli_complain(group->program, "--output is \"%s\": it must be simple, extended or json", group->output_name);
        return CLI_USAGE;
}

/* The verb's own flags and, behind the verb too, the global ones. */
static int run_verb(StoreGroup *group, const StoreCommand *verb, int argc, char **argv) {
        _cleanup_(store_arguments_deinit) StoreArguments arguments = STORE_ARGUMENTS_INIT;
        Option options[OPTIONS_MAX];
        Error error = ERROR_NONE;
        size_t count = 0;

        if (!store_flags_to_options(verb->flags, &arguments, options, OPTIONS_MAX - 1, &count) ||
            !store_flags_to_options(store_global_flags, group, options, OPTIONS_MAX - 1, &count))
                return CLI_FAILED;
        options[count++] = (Option){"help", 'h', OPTION_SWITCH, NULL, NULL, "print this", &group->help, NULL};
        options[count] = (Option){0};
        if (options_parse(options, OPTIONS_GNU, argc, argv, &arguments.words, &error) < 0) {
                cli_complain(group->program, "%s: %s", verb->name, error.text[0] ? error.text : "out of memory");
                return CLI_USAGE;
        }
        if (group->help) {
                printf("Usage: %s %s%s%s [OPTIONS] %s\n\n%s\n", group->program, verb->group ?: "",
                       verb->group ? " " : "", verb->alias ?: verb->name, verb->arguments, verb->summary);
                print_options(options);
                return CLI_OK;
        }
        return choose_output(group) != 0 ? CLI_USAGE : verb->run(group, &arguments);
}

static int run(StoreGroup *group, int argc, char **argv) {
        _cleanup_string_list_ StringList words = {0};
        const StoreCommandGroup *below;
        Option options[OPTIONS_MAX];
        Error error = ERROR_NONE;
        const StoreCommand *verb;
        size_t count = 0;
        int first;

        if (!store_flags_to_options(store_global_flags, group, options, OPTIONS_MAX - 2, &count))
                return CLI_FAILED;
        options[count++] =
                (Option){"version", 'v', OPTION_SWITCH, NULL, NULL, "print the version", &group->version, NULL};
        options[count++] = (Option){"help", 'h', OPTION_SWITCH, NULL, NULL, "print this", &group->help, NULL};
        options[count] = (Option){0};
        if (options_parse(options, OPTIONS_STOP_AT_ARGUMENT, argc, argv, &words, &error) < 0) {
                cli_complain(group->program, "%s", error.text[0] ? error.text : "out of memory");
                return CLI_USAGE;
        }
        if (group->version || (words.length > 0 && str_equals(words.items[0], "version"))) {
                printf("%s %s\nAPI version: 2\n", group->program, FAERING_VERSION);
                return CLI_OK;
        }
        if (group->help || words.length == 0 || str_equals(words.items[0], "help"))
                return print_group_help(group, NULL, options);
        first = argc - (int)words.length;
        verb = store_verb_find(NULL, words.items[0], true);
        if (verb)
                return run_verb(group, verb, argc - first, argv + first);
        below = store_verb_group_find(words.items[0]);
        if (!below)
                return complain_verb(group, NULL, words.items[0]);
        if (words.length == 1 || str_equals(words.items[1], "--help") || str_equals(words.items[1], "-h"))
                return print_group_help(group, below, options);
        verb = store_verb_find(below->name, words.items[1], true);
        return verb ? run_verb(group, verb, argc - first - 1, argv + first + 1)
                    : complain_verb(group, below->name, words.items[1]);
}

/* ---- the group ---- */

static void group_deinit(StoreGroup *group) {
        group->http = store_http_free(group->http);
        (void)uv_run(&group->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&group->loop);
        for (const StoreFlag *flag = store_global_flags; flag->name; flag++)
                if (flag->type == STORE_FLAG_TEXT)
                        free(*(char **)(void *)((char *)group + flag->offset));
        group->tls.context = tls_context_free(group->tls.context);
}

int store_group_main(const char *program, int argc, char **argv) {
        StoreGroup group = {.program = program, .timeout = 2 * USEC_PER_SEC, .total_timeout = 5 * USEC_PER_SEC};
        int code;

        group.old = str_equals(program, "etcdctl");
        if (uv_loop_init(&group.loop) < 0)
                return CLI_FAILED;
        code = group.old ? store_old_main(&group, argc, argv) : run(&group, argc, argv);
        group_deinit(&group);
        return code;
}
