/*
 * users, and ssh_authorized_keys of the top. A user that is new is made with the options of useradd that its keys stand
 * for; of one that is there already only password and SSH keys are set.
 */
#include <errno.h>
#include <jansson.h>

#include "boot/config/keys.h"
#include "boot/config/plan.h"

static const char import_deprecated[] =
        "trying to fetch from a remote endpoint introduces too many intermittent errors";

const ConfigKey user_keys[] = {
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

enum { NAME_MAX_BYTES = 255 };

/* ---- what may be in a field ---- */

/* Of /etc/passwd and its kin: ':' ends a field, and a line end the record. */
static bool fits_field(Slice text) {
        for (size_t i = 0; i < text.length; i++)
                if (text.data[i] == ':' || (unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
                        return false;
        return true;
}

static int check_name(Planner *planner, unsigned line, const char *what, Slice name) {
        if (!fits_field(name) || name.length > NAME_MAX_BYTES || name.data[0] == '-' || name.data[0] == '.' ||
            memchr(name.data, '/', name.length) || memchr(name.data, ' ', name.length))
                return error_set(
                        planner->error, -EINVAL,
                        "line %u: \"%.*s\" cannot be the name of a %s: no blanks, ':' or '/', no '-' or '.' in "
                        "front",
                        line, (int)min_of(name.length, (size_t)64), name.data, what);
        return 0;
}

/* The value is not shown: it may be a password. */
static int check_field(Planner *planner, unsigned line, const char *key, Slice user, Slice value) {
        return fits_field(value) ? 0
                                 : error_set(planner->error, -EINVAL,
                                             "line %u: %s of the user %s has a ':', a line end or another control "
                                             "character in it",
                                             line, key, user.data);
}

/* ---- options of useradd ---- */

typedef struct UserOption {
        const char *key, *option;
} UserOption;

static int add_text_options(Planner *planner, const ConfigNode *user, StringList *options) {
        static const UserOption texts[] = {
                {"gecos", "--comment"}, {"homedir", "--home-dir"}, {"primary_group", "--gid"}, {"shell", "--shell"}};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(texts) && r >= 0; i++) {
                Slice value = config_string(user, texts[i].key);

                if (value.length == 0)
                        continue;
                r = check_field(planner, user->line, texts[i].key, config_string(user, "name"), value);
                if (r >= 0)
                        r = string_list_add(options, texts[i].option);
                if (r >= 0)
                        r = string_list_add(options, value.data);
        }
        return r;
}

static int add_groups(Planner *planner, const ConfigNode *user, StringList *options) {
        _cleanup_string_list_ StringList groups = {0};
        _cleanup_buffer_ Buffer joined = BUFFER_INIT;
        int r = config_strings(user, "groups", &groups);

        for (size_t i = 0; i < groups.length && r >= 0; i++) {
                r = check_name(planner, user->line, "group", slice_from(groups.items[i]));
                (void)buffer_printf(&joined, "%s%s", i ? "," : "", groups.items[i]);
        }
        if (r < 0 || groups.length == 0)
                return r;
        r = string_list_add(options, "--groups");
        return r < 0 ? r : string_list_take(options, buffer_steal_string(&joined, NULL));
}

static int add_switches(const ConfigNode *user, StringList *options) {
        static const UserOption switches[] = {
                {"no_user_group", "--no-user-group"}, {"system", "--system"}, {"no_log_init", "--no-log-init"}};
        int r = string_list_add(options, config_bool(user, "no_create_home") ? "--no-create-home" : "--create-home");

        for (size_t i = 0; i < ARRAY_SIZE(switches) && r >= 0; i++)
                if (config_bool(user, switches[i].key))
                        r = string_list_add(options, switches[i].option);
        return r;
}

static int add_options(Planner *planner, const ConfigNode *user, StringList *options) {
        int r = add_text_options(planner, user, options);

        if (r >= 0)
                r = add_groups(planner, user, options);
        return r < 0 ? r : add_switches(user, options);
}

/* ---- SSH keys ---- */

/* As lines; what is empty makes none. NULL: no memory. */
static char *join_keys(const StringList *keys) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        for (size_t i = 0; i < keys->length; i++) {
                Slice key = slice_trim(slice_from(keys->items[i]));

                (void)buffer_append(&text, key.data, key.length);
                (void)buffer_append_byte(&text, '\n');
        }
        return buffer_steal_string(&text, NULL);
}

static int collect_keys(json_t *json, StringList *keys) {
        json_t *one;
        size_t i;
        int r = 0;

        json_array_foreach (json, i, one) {
                const char *key = json_string_value(json_object_get(one, "key"));

                if (r >= 0 && key)
                        r = i < METADATA_KEYS_MAX ? string_list_add(keys, key) : -EMSGSIZE;
        }
        return r;
}

int keys_parse_list(Slice text, char **ret, Error *error) {
        json_t *json = json_loadb(text.data, text.length, 0, NULL);
        _cleanup_string_list_ StringList keys = {0};
        int r = json_is_array(json) ? collect_keys(json, &keys)
                                    : error_set(error, -EINVAL, "what came is no JSON list of keys");

        json_decref(json);
        if (r == -EMSGSIZE)
                return error_set(error, r, "more than %zu keys came", METADATA_KEYS_MAX);
        if (r >= 0)
                *ret = join_keys(&keys);
        return r < 0 || *ret ? r : -ENOMEM;
}

/* Takes `text`, or `url` (the other NULL). */
static int add_keys(Planner *planner, unsigned line, const char *user, char *key_name, char *text, char *url) {
        const Step step = {.kind = STEP_KEYS,
                           .line = line,
                           .user = strdup(user),
                           .key_name = key_name,
                           .text = text,
                           .text_length = text ? strlen(text) : 0,
                           .url = url};

        return planner_add(planner, step, step.user && key_name && (text || url));
}

static const char *key_name(const Planner *planner) {
        return planner->facts->key_name ?: PLAN_KEY_NAME;
}

static int add_github_keys(Planner *planner, unsigned line, const char *user, Slice github) {
        int r;

        if (github.length == 0)
                return 0;
        r = check_name(planner, line, "user of GitHub", github);
        return r < 0 ? r
                     : add_keys(planner, line, user, str_printf("github-%s", github.data), NULL,
                                str_printf("https://api.github.com/users/%s/keys", github.data));
}

static int add_imported_keys(Planner *planner, const ConfigNode *user, const char *name) {
        Slice url = config_string(user, "coreos_ssh_import_url");
        _cleanup_string_list_ StringList users = {0};
        int r = add_github_keys(planner, user->line, name, config_string(user, "coreos_ssh_import_github"));

        if (r >= 0)
                r = config_strings(user, "coreos_ssh_import_github_users", &users);
        for (size_t i = 0; i < users.length && r >= 0; i++)
                r = add_github_keys(planner, user->line, name, slice_from(users.items[i]));
        if (r < 0 || url.length == 0)
                return r;
        return add_keys(planner, user->line, name, str_printf("coreos-cloudinit-%s", name), NULL, slice_dup(url));
}

/* ---- all of it ---- */

static int add_user(Planner *planner, const ConfigNode *user, Slice name) {
        Slice password = config_string(user, "passwd");
        Step step = {.kind = STEP_USER, .line = user->line, .text_length = password.length};
        int r = check_field(planner, user->line, "passwd", name, password);

        if (r >= 0)
                r = add_options(planner, user, &step.options);
        if (r < 0) {
                string_list_deinit(&step.options);
                return r;
        }
        step.user = slice_dup(name);
        step.text = password.length ? slice_dup(password) : NULL;
        return planner_add(planner, step, step.user && (step.text || !password.length));
}

static int plan_user(Planner *planner, const ConfigNode *user) {
        _cleanup_string_list_ StringList keys = {0};
        Slice name = config_string(user, "name");
        int r;

        if (name.length == 0)
                return planner_warn(planner, "line %u: a user without a name is passed over", user->line);
        r = check_name(planner, user->line, "user", name);
        if (r >= 0)
                r = add_user(planner, user, name);
        if (r >= 0)
                r = config_strings(user, "ssh_authorized_keys", &keys);
        if (r >= 0 && keys.length > 0)
                r = add_keys(planner, user->line, name.data, strdup(key_name(planner)), join_keys(&keys), NULL);
        return r < 0 ? r : add_imported_keys(planner, user, name.data);
}

int plan_users(Planner *planner) {
        const ConfigNode *users = config_child(planner->root, "users");
        int r = 0;

        if (!users || users->kind != CONFIG_SEQUENCE)
                return 0;
        for (size_t i = 0; i < users->length && r >= 0; i++)
                if (users->entries[i].value->kind == CONFIG_MAP)
                        r = plan_user(planner, users->entries[i].value);
        return r;
}

/* The step of another part of the user-data, or NULL. */
static Step *find_keys(const Planner *planner, const char *user, const char *name) {
        for (size_t i = 0; i < planner->plan->length; i++) {
                Step *step = &planner->plan->steps[i];

                if (step->kind == STEP_KEYS && step->text && str_equals(step->user, user) &&
                    str_equals(step->key_name, name))
                        return step;
        }
        return NULL;
}

static int append_keys(Step *step, char *more) {
        _cleanup_free_ char *text = more;
        char *both = text ? str_printf("%s%s", step->text, text) : NULL;

        if (!both)
                return -ENOMEM;
        free(step->text);
        step->text = both;
        step->text_length = strlen(both);
        return 0;
}

int plan_core_keys(Planner *planner) {
        const ConfigEntry *entry = config_entry(planner->root, "ssh_authorized_keys");
        Step *other = find_keys(planner, PLAN_CORE_USER, key_name(planner));
        const Metadata *metadata = planner->facts->metadata;
        _cleanup_string_list_ StringList keys = {0};
        int r = config_strings(planner->root, "ssh_authorized_keys", &keys);

        for (size_t i = 0; !other && metadata && i < metadata->keys.length && r >= 0; i++)
                r = string_list_add(&keys, metadata->keys.items[i]);
        if (r < 0 || keys.length == 0)
                return r;
        if (other)
                return append_keys(other, join_keys(&keys));
        return add_keys(planner, entry ? entry->line : 0, PLAN_CORE_USER, strdup(key_name(planner)), join_keys(&keys),
                        NULL);
}
