#include "store/settings-file.h"

#include <errno.h>
#include <yaml.h>

#include "base/suggest.h"
#include "host/file.h"

enum { NAMES_MAX = 192 };

typedef struct File {
        const char *path;
        const Option *options;
        yaml_document_t document;
} File;

/* Keys of client-transport-security and peer-transport-security, and what they are as flags. */
static const struct {
        const char *key, *client, *peer;
} security[] = {
        {"cert-file", "cert-file", "peer-cert-file"},
        {"key-file", "key-file", "peer-key-file"},
        {"client-cert-auth", "client-cert-auth", "peer-client-cert-auth"},
        {"trusted-ca-file", "trusted-ca-file", "peer-trusted-ca-file"},
        {"auto-tls", "auto-tls", "peer-auto-tls"},
        {"ca-file", "ca-file", "peer-ca-file"},
        {"crl-file", "client-crl-file", "peer-crl-file"},
        {"allowed-hostname", "client-cert-allowed-hostname", "peer-cert-allowed-hostname"},
};

static const char client_section[] = "client-transport-security", peer_section[] = "peer-transport-security";

static int wrong(const File *file, const yaml_node_t *node, int r, Error *error) {
        return error_prefix(error, r, "%s, line %zu, column %zu", file->path, node->start_mark.line + 1,
                            node->start_mark.column + 1);
}

static const char *text_of(const yaml_node_t *node) {
        return (const char *)node->data.scalar.value;
}

/* "x:" with nothing behind it, as in the examples that people fill in. */
static bool is_nothing(const yaml_node_t *node) {
        const char *text = node->type == YAML_SCALAR_NODE ? text_of(node) : NULL;

        return text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
               (!*text || str_equals(text, "~") || str_equals(text, "null"));
}

static int check_scalar(const File *file, const yaml_node_t *node, Error *error) {
        if (node->type != YAML_SCALAR_NODE)
                return wrong(file, node, error_set(error, -EINVAL, "a plain value is expected here"), error);
        if (strlen(text_of(node)) != node->data.scalar.length)
                return wrong(file, node, error_set(error, -EINVAL, "the value has a zero byte in it"), error);
        return 0;
}

/* ---- values ---- */

static const Option *find_option(const File *file, const char *name) {
        for (const Option *option = file->options; option->name; option++)
                if (str_equals(option->name, name))
                        return option;
        return NULL;
}

/* YAML's words for true and false that Go's flags do not know. */
static const char *as_switch(const char *text) {
        static const char *const yes[] = {"yes", "Yes", "YES", "on", "On", "ON"}, *const no[] = {"no",  "No",  "NO",
                                                                                                 "off", "Off", "OFF"};

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
                if (str_equals(text, yes[i]))
                        return "true";
                if (str_equals(text, no[i]))
                        return "false";
        }
        return text;
}

/* A list is as its items with commas between: URLs, cipher suites. */
static int join(File *file, const yaml_node_t *list, Buffer *text, Error *error) {
        for (const yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top;
             item++) {
                const yaml_node_t *node = yaml_document_get_node(&file->document, *item);
                int r = check_scalar(file, node, error);

                if (r < 0)
                        return r;
                (void)buffer_printf(text, "%s%s", buffer_length(text) > 0 ? "," : "", text_of(node));
        }
        return buffer_failed(text) ? -ENOMEM : 0;
}

static int set(File *file, const Option *option, const yaml_node_t *value, Error *error) {
        _cleanup_buffer_ Buffer list = BUFFER_INIT;
        const char *text;
        int r;

        if (is_nothing(value))
                return 0;
        if (value->type == YAML_SEQUENCE_NODE && option->type == OPTION_STRING) {
                r = join(file, value, &list, error);
                text = buffer_string(&list) ?: "";
        } else {
                r = check_scalar(file, value, error);
                text = r < 0 ? "" : text_of(value);
        }
        if (r < 0)
                return r;
        r = options_set(file->options, option->name, option->type == OPTION_SWITCH ? as_switch(text) : text, error);
        return r < 0 ? wrong(file, value, r, error) : 0;
}

/* ---- keys ---- */

static int unknown(const File *file, const yaml_node_t *key, const char *const *names, size_t count, Error *error) {
        const char *nearest = suggest_nearest(text_of(key), names, count);
        int r = nearest ? error_set(error, -EINVAL, "unknown key %s; did you mean %s?", text_of(key), nearest)
                        : error_set(error, -EINVAL, "unknown key %s: the keys are the flags, see --help", text_of(key));

        return wrong(file, key, r, error);
}

static int set_security(File *file, const yaml_node_t *key, const yaml_node_t *value, bool peer, Error *error) {
        const char *names[ARRAY_SIZE(security)];

        for (size_t i = 0; i < ARRAY_SIZE(security); i++) {
                names[i] = security[i].key;
                if (str_equals(text_of(key), security[i].key))
                        return set(file, find_option(file, peer ? security[i].peer : security[i].client), value, error);
        }
        return unknown(file, key, names, ARRAY_SIZE(names), error);
}

static int set_top(File *file, const yaml_node_t *key, const yaml_node_t *value, Error *error) {
        const char *names[NAMES_MAX];
        const Option *option = find_option(file, text_of(key));
        size_t count = 0;

        /* what has no variable is for the command line alone, as --help */
        if (option && option->environment && !str_equals(option->name, "config-file"))
                return set(file, option, value, error);
        names[count++] = client_section;
        names[count++] = peer_section;
        for (option = file->options; option->name && count < NAMES_MAX; option++)
                names[count++] = option->name;
        return unknown(file, key, names, count, error);
}

static int check_twice(File *file, const yaml_node_t *map, const yaml_node_pair_t *pair, const yaml_node_t *key,
                       Error *error) {
        for (const yaml_node_pair_t *other = map->data.mapping.pairs.start; other < pair; other++) {
                const yaml_node_t *before = yaml_document_get_node(&file->document, other->key);

                if (str_equals(text_of(before), text_of(key)))
                        return wrong(file, key,
                                     error_set(error, -EINVAL, "%s is there twice, first in line %zu", text_of(key),
                                               before->start_mark.line + 1),
                                     error);
        }
        return 0;
}

typedef enum Section { SECTION_TOP, SECTION_CLIENT, SECTION_PEER } Section;

static int apply(File *file, const yaml_node_t *map, Section section, Error *error);

static int apply_pair(File *file, const yaml_node_t *key, const yaml_node_t *value, Section section, Error *error) {
        if (section != SECTION_TOP)
                return set_security(file, key, value, section == SECTION_PEER, error);
        if (str_equals(text_of(key), client_section))
                return apply(file, value, SECTION_CLIENT, error);
        if (str_equals(text_of(key), peer_section))
                return apply(file, value, SECTION_PEER, error);
        return set_top(file, key, value, error);
}

/* No deeper than two levels: sections have no sections. */
static int apply(File *file, const yaml_node_t *map, Section section, Error *error) {
        if (is_nothing(map))
                return 0;
        if (map->type != YAML_MAPPING_NODE)
                return wrong(file, map, error_set(error, -EINVAL, "KEY: VALUE is expected here"), error);
        for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
                const yaml_node_t *key = yaml_document_get_node(&file->document, pair->key);
                int r = check_scalar(file, key, error);

                if (r >= 0)
                        r = check_twice(file, map, pair, key, error);
                if (r >= 0)
                        r = apply_pair(file, key, yaml_document_get_node(&file->document, pair->value), section, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int settings_file_parse(Slice text, const char *path, const Option *options, Error *error) {
        File file = {.path = path, .options = options};
        const yaml_node_t *root;
        yaml_parser_t parser;
        int r = 0;

        if (!yaml_parser_initialize(&parser))
                return -ENOMEM;
        yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.length);
        if (!yaml_parser_load(&parser, &file.document)) {
                r = error_set(error, -EINVAL, "%s, line %zu, column %zu: %s", path, parser.problem_mark.line + 1,
                              parser.problem_mark.column + 1, parser.problem ? parser.problem : "this is no YAML");
                yaml_parser_delete(&parser);
                return r;
        }
        root = yaml_document_get_root_node(&file.document);
        if (root)
                r = apply(&file, root, SECTION_TOP, error);
        yaml_document_delete(&file.document);
        yaml_parser_delete(&parser);
        return r;
}

int settings_file_read(const char *path, const Option *options, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = file_read(path, SETTINGS_FILE_MAX, &text, error);

        if (r < 0)
                return error_prefix(error, r, "--config-file");
        return settings_file_parse((Slice){buffer_data(&text), buffer_length(&text)}, path, options, error);
}
