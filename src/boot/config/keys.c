#include "boot/config/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>

enum { PATTERN_VALUE_MAX = 256 }; /* longer ones match no pattern */

static const char import_deprecated[] =
        "trying to fetch from a remote endpoint introduces too many intermittent errors";

static const ConfigKey user_keys[] = {
        {"name", .type = KEY_STRING},
        {"passwd", .type = KEY_STRING},
        {"ssh_authorized_keys", .type = KEY_STRINGS},
        {"coreos_ssh_import_github", KEY_STRING, .deprecated = import_deprecated},
        {"coreos_ssh_import_github_users", KEY_STRINGS, .deprecated = import_deprecated},
        {"coreos_ssh_import_url", KEY_STRING, .deprecated = import_deprecated},
        {"gecos", .type = KEY_STRING},
        {"homedir", .type = KEY_STRING},
        {"no_create_home", .type = KEY_BOOL},
        {"primary_group", .type = KEY_STRING},
        {"groups", .type = KEY_STRINGS},
        {"no_user_group", .type = KEY_BOOL},
        {"system", .type = KEY_BOOL},
        {"no_log_init", .type = KEY_BOOL},
        {"shell", .type = KEY_STRING},
        {0},
};

static const ConfigKey coreos_keys[] = {
        {"etcd", KEY_SECTION, .keys = etcd_keys, .deprecated = "etcd is no longer shipped in Container Linux"},
        {"etcd2", KEY_SECTION, .keys = etcd2_keys, .deprecated = "etcd2 is no longer shipped in Container Linux",
         .shipped_here = true},
        {"flannel", KEY_SECTION, .keys = flannel_keys},
        {"fleet", KEY_SECTION, .keys = fleet_keys, .deprecated = "fleet is no longer shipped in Container Linux",
         .shipped_here = true},
        {"locksmith", KEY_SECTION, .keys = locksmith_keys},
        {"oem", KEY_SECTION, .keys = oem_keys},
        {"update", KEY_SECTION, .keys = update_keys},
        {"units", KEY_SECTIONS, .keys = unit_keys},
        {0},
};

const ConfigKey cloud_config_keys[] = {
        {"ssh_authorized_keys", KEY_STRINGS, .not_carried_out = true},
        {"coreos", KEY_SECTION, .keys = coreos_keys},
        {"write_files", KEY_SECTIONS, .keys = write_files_keys},
        {"hostname", .type = KEY_STRING},
        {"users", KEY_SECTIONS, .keys = user_keys, .not_carried_out = true},
        {"manage_etc_hosts", .type = KEY_STRING},
        {0},
};

const ConfigKey *config_key_find(const ConfigKey *keys, const char *name) {
        for (const ConfigKey *key = keys; key->name; key++)
                if (str_equals(key->name, name))
                        return key;
        return NULL;
}

const char *config_key_type_name(KeyType type) {
        static const char *const names[] = {
                [KEY_STRING] = "string",    [KEY_INT] = "int",        [KEY_FLOAT] = "float64",     [KEY_BOOL] = "bool",
                [KEY_STRINGS] = "[]string", [KEY_SECTION] = "struct", [KEY_SECTIONS] = "[]struct",
        };

        return names[type];
}

bool config_key_fits(KeyType type, const ConfigNode *node) {
        bool scalar = node->kind == CONFIG_SCALAR;

        switch (type) {
        case KEY_STRING:
                return scalar && node->type != SCALAR_NULL;
        case KEY_INT:
                return scalar && node->type == SCALAR_INT;
        case KEY_FLOAT:
                return scalar && (node->type == SCALAR_INT || node->type == SCALAR_FLOAT);
        case KEY_BOOL:
                return scalar && node->type == SCALAR_BOOL;
        case KEY_STRINGS:
        case KEY_SECTIONS:
                return node->kind == CONFIG_SEQUENCE;
        case KEY_SECTION:
                return node->kind == CONFIG_MAP;
        default:
                return false;
        }
}

bool config_key_matches(const ConfigKey *key, Slice value) {
        regex_t compiled;
        bool matches;

        if (!key->pattern || value.length == 0)
                return true;
        if (value.length > PATTERN_VALUE_MAX || memchr(value.data, '\0', value.length) ||
            regcomp(&compiled, key->pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return false;
        matches = regexec(&compiled, value.data, 0, NULL, 0) == 0;
        regfree(&compiled);
        return matches;
}

Slice config_string(const ConfigNode *map, const char *name) {
        const ConfigNode *node = config_child(map, name);

        return node && config_key_fits(KEY_STRING, node) ? node->text : (Slice){"", 0};
}

bool config_bool(const ConfigNode *map, const char *name) {
        const ConfigNode *node = config_child(map, name);

        return node && config_key_fits(KEY_BOOL, node) && scalar_is_true(node->text);
}

/* The shortest decimal text that reads back as the same number. */
static char *format_float(double number) {
        for (int digits = 1; digits < 17; digits++) {
                char text[64];
                double back;

                (void)snprintf(text, sizeof(text), "%.*g", digits, number);
                if (scalar_parse_float(slice_from(text), &back) >= 0 && !islessgreater(back, number))
                        return strdup(text);
        }
        return str_printf("%.17g", number);
}

/* NULL in *ret_text: the value is empty, 0, false or of the wrong type, and gives no variable. */
static int variable_text(KeyType type, const ConfigNode *node, char **ret_text) {
        int64_t whole;
        double number;

        *ret_text = NULL;
        if (!config_key_fits(type, node))
                return 0;
        if (type == KEY_STRING && node->text.length > 0)
                *ret_text = slice_dup(node->text);
        else if (type == KEY_BOOL && scalar_is_true(node->text))
                *ret_text = strdup("true");
        else if (type == KEY_INT && scalar_parse_int(node->text, &whole) >= 0 && whole != 0)
                *ret_text = str_printf("%" PRId64, whole);
        else if (type == KEY_FLOAT && node->type == SCALAR_INT && scalar_parse_int(node->text, &whole) >= 0 &&
                 whole != 0)
                *ret_text = format_float((double)whole);
        else if (type == KEY_FLOAT && node->type == SCALAR_FLOAT && scalar_parse_float(node->text, &number) >= 0 &&
                 fpclassify(number) != FP_ZERO)
                *ret_text = format_float(number);
        else
                return 0;
        return *ret_text ? 0 : -ENOMEM;
}

int config_variables(const ConfigKey *keys, const ConfigNode *section, StringList *list) {
        for (const ConfigKey *key = keys; key->name; key++) {
                const ConfigNode *node = config_child(section, key->name);
                _cleanup_free_ char *text = NULL;
                int r = node ? variable_text(key->type, node, &text) : 0;

                if (r >= 0 && text)
                        r = string_list_take(list, str_printf("%s=%s", key->variable, text));
                if (r < 0)
                        return r;
        }
        return 0;
}
