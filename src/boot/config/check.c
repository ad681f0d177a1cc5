/*
 * The report's rules, those of coreos-cloudinit's -validate: the structure against the tables of keys, values against
 * their patterns, contents that must decode, and two places people get wrong. Lines are those of the YAML itself.
 */
#include <ctype.h>
#include <errno.h>

#include "base/suggest.h"
#include "boot/config/content.h"
#include "boot/config/keys.h"
#include "boot/config/multipart.h"
#include "boot/config/report.h"
#include "boot/config/user-data.h"

/* Where the walk over the tree stands. The depth is bounded by the tables, which are flat, and by CONFIG_DEPTH_MAX. */
typedef struct Place {
        const char *name; /* as the report writes it: "units", "units[0]" */
        size_t line, column;
} Place;

static int check_map(Report *report, const ConfigKey *keys, const ConfigNode *map);

/* How a value of the type is written. */
static const char *type_example(KeyType type) {
        static const char *const examples[] = {
                [KEY_STRING] = "write one text, in quotes if in doubt",
                [KEY_INT] = "write a whole number, without quotes",
                [KEY_FLOAT] = "write a number, without quotes",
                [KEY_BOOL] = "write true or false, without quotes",
                [KEY_STRINGS] = "write a list, as [a, b]",
                [KEY_SECTION] = "write keys and values below it, each on a line of its own, set in by two blanks",
                [KEY_SECTIONS] = "write a list below it, each element with \"- \" in front of its first key",
        };

        return examples[type];
}

static int wrong_type(Report *report, const Place *place, KeyType type) {
        int r = report_add(report, REPORT_WARNING, REPORT_BOTH, place->line, place->column,
                           "incorrect type for \"%s\" (want %s)", place->name, config_key_type_name(type));

        return r < 0 ? r : report_hint(report, "%s", type_example(type));
}

enum { KEYS_OF_TABLE_MAX = 64 };

static int unknown_key(Report *report, const ConfigKey *keys, const ConfigEntry *entry) {
        const char *names[KEYS_OF_TABLE_MAX], *nearest;
        size_t length = 0;
        int r = report_add(report, REPORT_WARNING, REPORT_BOTH, entry->line, entry->column, "unrecognized key \"%s\"",
                           entry->name);

        for (const ConfigKey *key = keys; key->name && length < KEYS_OF_TABLE_MAX; key++)
                names[length++] = key->name;
        nearest = suggest_nearest(entry->name, names, length);
        if (r < 0)
                return r;
        return nearest ? report_hint(report, "did you mean \"%s\"?", nearest)
                       : report_hint(report, "nothing comes of it: take it out");
}

static int check_elements(Report *report, const ConfigKey *key, const ConfigNode *sequence) {
        for (size_t i = 0; i < sequence->length; i++) {
                const ConfigEntry *entry = &sequence->entries[i];
                _cleanup_free_ char *name = str_printf("%s[%zu]", key->name, i);
                const Place place = {name, entry->line, entry->column};
                KeyType type = key->type == KEY_STRINGS ? KEY_STRING : KEY_SECTION;
                int r = 0;

                if (!name)
                        return -ENOMEM;
                if (!config_key_fits(type, entry->value))
                        r = wrong_type(report, &place, type);
                else if (type == KEY_SECTION)
                        r = check_map(report, key->keys, entry->value);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_value(Report *report, const ConfigKey *key, const ConfigEntry *entry) {
        const Place place = {key->name, entry->line, entry->column};
        const ConfigNode *value = entry->value;

        if (!config_key_fits(key->type, value))
                return wrong_type(report, &place, key->type);
        if (key->type == KEY_SECTION)
                return check_map(report, key->keys, value);
        if (value->kind == CONFIG_SEQUENCE)
                return check_elements(report, key, value);
        if (!config_key_matches(key, value->text))
                return report_add(report, REPORT_ERROR, REPORT_BOTH, place.line, place.column, "invalid value %s",
                                  value->text.data);
        return 0;
}

static int check_entry(Report *report, const ConfigKey *keys, const ConfigEntry *entry) {
        const ConfigKey *key = config_key_find(keys, entry->name);
        int r = 0;

        if (entry->hidden && entry->merged)
                return 0;
        if (entry->hidden) {
                r = report_add(report, REPORT_WARNING, REPORT_OURS, entry->line, entry->column,
                               "key \"%s\" stands here and again below; only the last one counts", entry->name);
                return r < 0 ? r : report_hint(report, "take one of them out");
        }
        if (!key)
                return unknown_key(report, keys, entry);
        if (key->deprecated)
                r = report_add(report, REPORT_WARNING, key->shipped_here ? REPORT_THEIRS : REPORT_BOTH, entry->line,
                               entry->column, "deprecated key \"%s\" (%s)", key->name, key->deprecated);
        return r < 0 ? r : check_value(report, key, entry);
}

static int check_map(Report *report, const ConfigKey *keys, const ConfigNode *map) {
        for (size_t i = 0; i < map->length; i++) {
                int r = check_entry(report, keys, &map->entries[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* What Go's url.ParseRequestURI takes, roughly: a path, or a scheme and a colon. */
static bool is_request_uri(Slice text) {
        size_t at = 0;

        if (text.length == 0)
                return false;
        if (text.data[0] == '/')
                return true;
        while (at < text.length &&
               (isalnum((unsigned char)text.data[at]) || (at > 0 && strchr("+-.", text.data[at]) && text.data[at])))
                at++;
        return at > 0 && isalpha((unsigned char)text.data[0]) && at < text.length && text.data[at] == ':';
}

static int check_discovery(Report *report, const ConfigNode *coreos) {
        const ConfigEntry *entry = config_entry(config_child(coreos, "etcd"), "discovery");

        if (!entry || (entry->value->kind == CONFIG_SCALAR && is_request_uri(entry->value->text)))
                return 0;
        return report_add(report, REPORT_WARNING, REPORT_BOTH, entry->line, entry->column,
                          "discovery URL is not valid");
}

static int check_content(Report *report, const ConfigNode *file) {
        const ConfigEntry *content = config_entry(file, "content");
        Slice encoding = config_string(file, "encoding");
        _cleanup_buffer_ Buffer decoded = BUFFER_INIT;
        int r;

        if (!content)
                return 0;
        r = content_decode(config_string(file, "content"), encoding, &decoded, NULL);
        if (r >= 0 || r == -ENOMEM)
                return r < 0 ? r : 0;
        return report_add(report, REPORT_ERROR, REPORT_BOTH, content->line, content->column,
                          "content cannot be decoded as \"%s\"", encoding.data);
}

/* As in coreos-cloudinit by the folder's name alone: /usr is read-only there, whatever the machine. */
static int check_read_only(Report *report, const ConfigNode *file) {
        const ConfigEntry *path = config_entry(file, "path");
        _cleanup_free_ char *clean = path_clean(config_string(file, "path"));

        if (!clean)
                return -ENOMEM;
        if (!path || !str_starts_with(clean, "/usr/"))
                return 0;
        return report_add(report, REPORT_ERROR, REPORT_THEIRS, path->line, path->column,
                          "file cannot be written to a read-only filesystem");
}

static int check_files(Report *report, const ConfigNode *files) {
        int r = 0;

        if (!files || files->kind != CONFIG_SEQUENCE)
                return 0;
        for (size_t i = 0; i < files->length && r >= 0; i++) {
                r = check_content(report, files->entries[i].value);
                if (r >= 0)
                        r = check_read_only(report, files->entries[i].value);
        }
        return r;
}

static int check_misplaced_files(Report *report, const ConfigNode *coreos) {
        const ConfigEntry *entry = config_entry(coreos, "write_files");

        return entry ? report_add(report, REPORT_INFO, REPORT_BOTH, entry->line, entry->column,
                                  "write_files doesn't belong under coreos")
                     : 0;
}

int report_check_tree(const ConfigTree *tree, Report *report) {
        const Place top = {"", 0, 0};
        const ConfigNode *coreos;
        int r;

        if (!tree->root || (tree->root->kind == CONFIG_SCALAR && tree->root->type == SCALAR_NULL))
                return 0;
        if (tree->root->kind != CONFIG_MAP)
                return wrong_type(report, &top, KEY_SECTION);
        coreos = config_child(tree->root, "coreos");
        r = check_discovery(report, coreos);
        if (r >= 0)
                r = check_map(report, cloud_config_keys, tree->root);
        if (r >= 0)
                r = check_files(report, config_child(tree->root, "write_files"));
        if (r >= 0)
                r = check_misplaced_files(report, coreos);
        return r;
}

/* coreos-cloudinit takes line numbers from its YAML library, which counts them from 0 and leaves 0 out; and goes on to
 * check the nothing that was read. */
static int report_yaml_problem(Report *report, const YamlProblem *problem, const Error *why) {
        size_t theirs = problem->line ? problem->line : 1;
        int r;

        if (problem->text)
                r = report_add(report, REPORT_ERROR, REPORT_THEIRS, theirs, 0, "%s", problem->text);
        else
                r = report_add(report, REPORT_ERROR, REPORT_THEIRS, 1, 0, "%s", why->text);
        if (r >= 0)
                r = report_add(report, REPORT_WARNING, REPORT_THEIRS, 0, 0, "incorrect type for \"\" (want struct)");
        if (r >= 0)
                r = report_add(report, REPORT_ERROR, REPORT_OURS, problem->line + 1, problem->column + 1, "%s",
                               problem->text ?: why->text);
        return r;
}

static int check_cloud_config(Slice text, Report *report) {
        _cleanup_config_tree_ ConfigTree tree = {0};
        YamlProblem problem = {0};
        Error why = ERROR_NONE;
        int r = config_tree_parse(text, &tree, &problem, &why);

        if (r == -ENOMEM)
                return r;
        return r < 0 ? report_yaml_problem(report, &problem, &why) : report_check_tree(&tree, report);
}

static int check_one(Slice user_data, Report *report) {
        switch (user_data_kind(user_data)) {
        case USER_DATA_CLOUD_CONFIG:
                return check_cloud_config(user_data, report);
        case USER_DATA_UNKNOWN:
                return report_add(report, REPORT_ERROR, REPORT_BOTH, 1, 1,
                                  "must be \"#cloud-config\" or begin with \"#!\"");
        case USER_DATA_EMPTY:
        case USER_DATA_SCRIPT:
        case USER_DATA_IGNITION:
        default:
                return 0;
        }
}

/* coreos-cloudinit 1.14 knows no parts, so its voice says of them what ours does. */
static int check_parts(Slice user_data, Report *report) {
        _cleanup_multipart_ Multipart multipart = {0};
        Error why = ERROR_NONE;
        int r = multipart_split(user_data, &multipart, &why);

        if (r < 0 && r != -ENOMEM)
                return report_add(report, REPORT_ERROR, REPORT_BOTH, 1, 1, "%s", why.text);
        for (size_t i = 0; i < multipart.length && r >= 0; i++) {
                const MultipartPart *part = &multipart.parts[i];
                size_t before = report->length;

                r = check_one(
                        (Slice){buffer_length(&part->text) ? buffer_data(&part->text) : "", buffer_length(&part->text)},
                        report);
                for (size_t j = before; part->line && j < report->length; j++)
                        report->entries[j].line += part->line - 1;
        }
        return r;
}

int report_check(Slice user_data, Report *report) {
        int r = multipart_is(user_data) ? check_parts(user_data, report) : check_one(user_data, report);

        report_sort(report);
        return r;
}

int report_discovery_urls(Slice user_data, StringList *urls) {
        static const char *const sections[] = {"etcd", "etcd2"};
        _cleanup_config_tree_ ConfigTree tree = {0};
        int r = user_data_kind(user_data) == USER_DATA_CLOUD_CONFIG ? config_tree_parse(user_data, &tree, NULL, NULL)
                                                                    : 0;

        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < ARRAY_SIZE(sections) && r >= 0; i++) {
                Slice url = config_string(config_child(config_child(tree.root, "coreos"), sections[i]), "discovery");

                if (url.length > 0)
                        r = string_list_add_slice(urls, url);
        }
        return r;
}
