#include "boot/config/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>

enum { PATTERN_VALUE_MAX = 256 }; /* longer ones match no pattern */

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
        {"ssh_authorized_keys", .type = KEY_STRINGS},
        {"coreos", KEY_SECTION, .keys = coreos_keys},
        {"write_files", KEY_SECTIONS, .keys = write_files_keys},
        {"hostname", .type = KEY_STRING},
        {"users", KEY_SECTIONS, .keys = user_keys},
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

int config_strings(const ConfigNode *map, const char *name, StringList *list) {
        const ConfigNode *node = config_child(map, name);
        int r = 0;

        if (!node || !config_key_fits(KEY_STRINGS, node))
                return 0;
        for (size_t i = 0; i < node->length && r >= 0; i++)
                if (config_key_fits(KEY_STRING, node->entries[i].value))
                        r = string_list_add_slice(list, node->entries[i].value->text);
        return r;
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
