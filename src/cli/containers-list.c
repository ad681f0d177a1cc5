/* ps, port, inspect */
#include <errno.h>
#include <stdio.h>

#include "cli/containers.h"
#include "cli/human.h"
#include "cli/template.h"

enum { ID_SHOWN = 12, COMMAND_SHOWN = 20 };

/* ---- filters ---- */

/* --filter NAME=VALUE … as the API wants them: {"name":{"value":true}} */
static int add_filters(const StringList *filters, Buffer *target, Error *error) {
        json_t *root = json_object();
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < filters->length; i++) {
                _cleanup_free_ char *name = strdup(filters->items[i]);
                char *equals = name ? strchr(name, '=') : NULL;

                if (!equals) {
                        json_decref(root);
                        return error_set(error, -EINVAL, "--filter \"%s\" is not NAME=VALUE", filters->items[i]);
                }
                *equals = '\0';
                if (!json_object_get(root, name))
                        (void)json_object_set_new(root, name, json_object());
                (void)json_object_set_new(json_object_get(root, name), equals + 1, json_true());
        }
        text = filters->length ? json_dumps(root, JSON_COMPACT) : NULL;
        json_decref(root);
        if (text) {
                (void)buffer_append_string(target, "&filters=");
                (void)url_encode(target, URL_SEGMENT, slice_from(text));
        }
        return 0;
}

/* ---- cells ---- */

static void append_names(json_t *row, Buffer *to) {
        json_t *names = json_object_get(row, "Names"), *name;
        size_t i;

        json_array_foreach(names, i, name) {
                const char *text = json_string_value(name) ?: "";

                (void)buffer_printf(to, "%s%s", i > 0 ? "," : "", text[0] == '/' ? text + 1 : text);
        }
}

/* "10.0.0.1:80->80/tcp", and "80/tcp" for what is not published. */
static void append_port(json_t *port, Buffer *to) {
        json_int_t public = json_integer_value(json_object_get(port, "PublicPort"));
        const char *ip = cli_text(port, "IP");

        if (public)
                (void)buffer_printf(to, strchr(ip, ':') ? "[%s]:%lld->" : "%s:%lld->", *ip ? ip : "0.0.0.0",
                                    (long long)public);
        (void)buffer_printf(to, "%lld/%s", (long long)json_integer_value(json_object_get(port, "PrivatePort")),
                            cli_text(port, "Type"));
}

static void append_ports(json_t *row, Buffer *to) {
        json_t *ports = json_object_get(row, "Ports"), *port;
        size_t i;

        json_array_foreach(ports, i, port) {
                if (i > 0)
                        (void)buffer_append_string(to, ", ");
                append_port(port, to);
        }
}

static void append_command(json_t *row, bool whole, Buffer *to) {
        const char *command = cli_text(row, "Command");

        if (whole || strlen(command) <= COMMAND_SHOWN)
                (void)buffer_printf(to, "\"%s\"", command);
        else
                (void)buffer_printf(to, "\"%.*s…\"", COMMAND_SHOWN - 1, command);
}

static void append_created(json_t *row, Buffer *to) {
        WallUsec created = (WallUsec)json_integer_value(json_object_get(row, "Created")) * (WallUsec)USEC_PER_SEC,
                 now = clock_wall();

        human_duration(now > created ? (Usec)(now - created) : 0, to);
        (void)buffer_append_string(to, " ago");
}

static int add_row(Table *table, json_t *row, bool whole) {
        _cleanup_buffer_ Buffer id = BUFFER_INIT, command = BUFFER_INIT, created = BUFFER_INIT, ports = BUFFER_INIT,
                                names = BUFFER_INIT;
        const char *texts[7];
        int r = 0;

        (void)buffer_printf(&id, whole ? "%s" : "%.12s", cli_text(row, "Id"));
        append_command(row, whole, &command);
        append_created(row, &created);
        append_ports(row, &ports);
        append_names(row, &names);
        texts[0] = buffer_string(&id);
        texts[1] = cli_text(row, "Image");
        texts[2] = buffer_string(&command);
        texts[3] = buffer_string(&created);
        texts[4] = cli_text(row, "Status");
        texts[5] = buffer_string(&ports);
        texts[6] = buffer_string(&names);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++)
                r = table_add(table, texts[i] ?: "");
        return r;
}

/* What templates may name: the table's columns, as docker calls them. */
static json_t *row_fields(json_t *row, bool whole) {
        _cleanup_buffer_ Buffer names = BUFFER_INIT, ports = BUFFER_INIT, created = BUFFER_INIT;

        append_names(row, &names);
        append_ports(row, &ports);
        append_created(row, &created);
        return json_pack("{s:s#, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "ID", cli_text(row, "Id"),
                         whole ? (int)strlen(cli_text(row, "Id")) : ID_SHOWN, "Image", cli_text(row, "Image"),
                         "Command", cli_text(row, "Command"), "Names", buffer_string(&names) ?: "", "Ports",
                         buffer_string(&ports) ?: "", "RunningFor", buffer_string(&created) ?: "", "Status",
                         cli_text(row, "Status"), "State", cli_text(row, "State"), "Labels",
                         json_object_get(row, "Labels") ?: json_null());
}

static int print_formatted(ContainersGroup *group, json_t *rows, const char *format, bool whole) {
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                Error error = ERROR_NONE;
                json_t *fields = row_fields(row, whole);
                int r = template_format(str_equals(format, "json") ? "{{json .}}" : format, fields, &text, &error);

                json_decref(fields);
                if (r < 0) {
                        cli_complain(group->program, "%s", error.text[0] ? error.text : strerror(-r));
                        return CLI_FAILED;
                }
                printf("%s\n", buffer_string(&text));
        }
        return CLI_OK;
}

static void print_table(json_t *rows, bool whole, bool header) {
        static const char *const titles[] = {"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"};
        _cleanup_table_ Table table;
        json_t *row;
        size_t i;

        table_init(&table, ARRAY_SIZE(titles));
        for (i = 0; i < ARRAY_SIZE(titles); i++)
                (void)table_add(&table, titles[i]);
        json_array_foreach(rows, i, row)(void) add_row(&table, row, whole);
        table_print(&table, TABLE_WIDE, header);
}

int containers_verb_ps(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        bool all = false, quiet = false, whole = false, no_header = false, last = false;
        _cleanup_free_ char *format = NULL, *output = NULL;
        _cleanup_string_list_ StringList filters = {0}, arguments = {0};
        uint64_t count = 0;
        const Option options[] = {
                {"all", 'a', OPTION_SWITCH, NULL, NULL, "also those that do not run", &all, NULL},
                {"quiet", 'q', OPTION_SWITCH, NULL, NULL, "ids only", &quiet, NULL},
                {"no-trunc", 0, OPTION_SWITCH, NULL, NULL, "whole ids and commands", &whole, NULL},
                {"filter", 'f', OPTION_LIST, "NAME=VALUE", NULL, "only some: by id, name, status, label, ancestor",
                 &filters, NULL},
                {"format", 0, OPTION_STRING, "TEMPLATE", NULL, "such as {{.Names}}, or json", &format, NULL},
                {"output", 'o', OPTION_STRING, "FORM", NULL, "table (default) or json", &output, NULL},
                {"last", 'n', OPTION_U64, "N", NULL, "the N youngest", &count, NULL},
                {"latest", 'l', OPTION_SWITCH, NULL, NULL, "the youngest", &last, NULL},
                {"no-legend", 0, OPTION_SWITCH, NULL, NULL, "no heading", &no_header, NULL},
                {0},
        };
        _cleanup_buffer_ Buffer target = BUFFER_INIT;
        _cleanup_cli_answer_ CliAnswer answer = {0};
        Error error = ERROR_NONE;
        json_t *row;
        size_t i;
        int code;

        if (verb_parse(verb_find(containers_verbs, "ps", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        count = last ? 1 : count;
        (void)buffer_printf(&target, "/containers/json?all=%d", all || count > 0);
        if (count > 0)
                (void)buffer_printf(&target, "&limit=%llu", (unsigned long long)count);
        if (add_filters(&filters, &target, &error) < 0) {
                cli_complain(group->program, "%s", error.text);
                return CLI_USAGE;
        }
        code = buffer_string(&target) ? containers_request(group, "GET", buffer_string(&target), NULL, &answer)
                                      : CLI_FAILED;
        if (code != 0)
                return code;
        if (output && str_equals(output, "json")) {
                printf("%s\n", answer.body);
        } else if (quiet) {
                json_array_foreach(answer.json, i, row) printf(whole ? "%s\n" : "%.12s\n", cli_text(row, "Id"));
        } else if (format && !str_starts_with(format, "table")) {
                return print_formatted(group, answer.json, format, whole);
        } else {
                print_table(answer.json, whole, !no_header);
        }
        return CLI_OK;
}

/* ---- port ---- */

int containers_verb_port(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_free_ char *target = NULL, *wanted = NULL;
        json_t *ports, *list, *one;
        const char *name;
        bool any = false;
        size_t i;
        int code;

        if (verb_parse(verb_find(containers_verbs, "port", false), group->program, NULL, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length < 1 || arguments.length > 2) {
                cli_complain(group->program, "port needs a container, and perhaps one of its ports");
                return CLI_USAGE;
        }
        if (arguments.length == 2)
                wanted = str_printf("%s%s", arguments.items[1], strchr(arguments.items[1], '/') ? "" : "/tcp");
        target = containers_target("containers", arguments.items[0], "/json");
        code = target ? containers_request(group, "GET", target, NULL, &answer) : CLI_FAILED;
        if (code != 0)
                return code;
        ports = json_object_get(json_object_get(answer.json, "NetworkSettings"), "Ports");
        json_object_foreach(ports, name, list) json_array_foreach(list, i, one) {
                if (wanted && !str_equals(wanted, name))
                        continue;
                any = true;
                if (!wanted)
                        printf("%s -> ", name);
                printf("%s:%s\n", cli_text(one, "HostIp"), cli_text(one, "HostPort"));
        }
        if (wanted && !any) {
                cli_complain(group->program, "no public port '%s' published for %s", wanted, arguments.items[0]);
                return CLI_FAILED;
        }
        return CLI_OK;
}

/* ---- inspect ---- */

/* A container of that name, else an image: the first that is there. */
static int inspect_one(ContainersGroup *group, const char *name, const char *type, json_t **ret) {
        static const char *const kinds[][2] = {{"container", "containers"}, {"image", "images"}};

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                _cleanup_free_ char *target = containers_target(kinds[i][1], name, "/json");
                _cleanup_cli_answer_ CliAnswer answer = {0};
                Error error = ERROR_NONE;

                if (type && !str_equals(type, kinds[i][0]))
                        continue;
                if (!target || containers_ask(group, "GET", target, NULL, &answer, &error) < 0)
                        return containers_complain_unreachable(group, &error);
                if (answer.status < 400) {
                        *ret = json_incref(answer.json);
                        return 0;
                }
                if (answer.status != 404)
                        return containers_complain(group, &answer);
        }
        cli_complain(group->program, "Error: No such %s: %s", type ?: "object", name);
        return CLI_FAILED;
}

static int print_inspected(ContainersGroup *group, json_t *found, const char *format) {
        _cleanup_free_ char *whole = NULL;
        json_t *one;
        size_t i;

        if (!format) {
                whole = json_dumps(found, JSON_INDENT(4) | JSON_ENCODE_ANY);
                printf("%s\n", whole ?: "[]");
                return CLI_OK;
        }
        json_array_foreach(found, i, one) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                Error error = ERROR_NONE;

                if (template_format(str_equals(format, "json") ? "{{json .}}" : format, one, &text, &error) < 0) {
                        cli_complain(group->program, "%s", error.text[0] ? error.text : "out of memory");
                        return CLI_FAILED;
                }
                printf("%s\n", buffer_string(&text));
        }
        return CLI_OK;
}

int containers_verb_inspect(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_free_ char *format = NULL, *type = NULL;
        bool size = false;
        const Option options[] = {
                {"format", 'f', OPTION_STRING, "TEMPLATE", NULL, "such as {{.State.Status}}, or json", &format, NULL},
                {"type", 0, OPTION_STRING, "KIND", NULL, "container or image", &type, NULL},
                {"size", 's', OPTION_SWITCH, NULL, NULL, NULL, &size, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        json_t *found = json_array();
        int code, failed = CLI_OK;

        if (verb_parse(verb_find(containers_verbs, "inspect", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0) {
                json_decref(found);
                return code;
        }
        for (size_t i = 0; i < arguments.length; i++) {
                json_t *one = NULL;

                if (inspect_one(group, arguments.items[i], type, &one) == 0)
                        (void)json_array_append_new(found, one);
                else
                        failed = CLI_FAILED;
        }
        code = print_inspected(group, found, format);
        json_decref(found);
        return code != CLI_OK ? code : failed;
}
