#include "containers/image/image-changes.h"

#include <errno.h>
#include <strings.h>

static int set(json_t *object, const char *key, json_t *value) {
        return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

/* The exec form is a JSON list; the shell form is a line for /bin/sh -c. */
static int change_command(json_t *config, const char *key, const char *rest, Error *error) {
        json_t *list, *item;
        size_t i;

        if (rest[0] != '[')
                return set(config, key, json_pack("[s, s, s]", "/bin/sh", "-c", rest));
        list = json_loads(rest, 0, NULL);
        json_array_foreach(list, i, item) if (!json_is_string(item)) {
                json_decref(list);
                list = NULL;
                break;
        }
        if (!json_is_array(list)) {
                json_decref(list);
                return error_set(error, -EINVAL, "\"%s\" is not a JSON list of strings", rest);
        }
        return set(config, key, list);
}

/* The next word, without its quotes; the rest begins behind it. */
static int next_word(const char **rest, char **ret, Error *error) {
        const char *at = *rest + strspn(*rest, " \t");
        char *word = malloc(strlen(at) + 1), quote = '\0';
        size_t length = 0;

        if (!word)
                return error_set_errno(error, -ENOMEM, "cannot read the change");
        for (; *at && (quote || (*at != ' ' && *at != '\t')); at++) {
                if (quote ? *at == quote : (*at == '"' || *at == '\''))
                        quote = quote ? '\0' : *at;
                else
                        word[length++] = *at;
        }
        word[length] = '\0';
        if (quote) {
                free(word);
                return error_set(error, -EINVAL, "a %c is not closed", quote);
        }
        *rest = at + strspn(at, " \t");
        *ret = word;
        return 0;
}

static json_t *child(json_t *config, const char *key, json_t *(*make)(void)) {
        json_t *there = json_object_get(config, key);

        if (there)
                return there;
        return set(config, key, make()) < 0 ? NULL : json_object_get(config, key);
}

/* "A=b C=d", or "A b c" */
static int change_pairs(json_t *config, const char *key, const char *rest, bool as_list, Error *error) {
        const char *first_blank = strpbrk(rest, " \t");
        bool old_form = first_blank && !memchr(rest, '=', (size_t)(first_blank - rest));
        json_t *to = child(config, key, as_list ? json_array : json_object);
        int r = 0;

        if (!to)
                return error_set_errno(error, -ENOMEM, "cannot read the change");
        while (r >= 0 && *rest) {
                _cleanup_free_ char *pair = NULL;
                char *equals;

                if (old_form) {
                        pair = str_printf("%.*s=%s", (int)(first_blank - rest), rest,
                                          first_blank + strspn(first_blank, " \t"));
                        rest = "";
                } else {
                        r = next_word(&rest, &pair, error);
                }
                equals = pair ? strchr(pair, '=') : NULL;
                if (r >= 0 && (!equals || equals == pair))
                        r = error_set(error, -EINVAL, "\"%s\" is not NAME=VALUE", pair ?: "");
                if (r < 0)
                        return r;
                if (as_list) {
                        r = json_array_append_new(to, json_string(pair)) < 0 ? -ENOMEM : 0;
                } else {
                        *equals = '\0';
                        r = set(to, pair, json_string(equals + 1));
                }
                if (r < 0)
                        r = error_set(error, -EINVAL, "what it says is not UTF-8, or there is no memory");
        }
        return r;
}

/* Words that become members of an object. */
static int change_members(json_t *config, const char *key, const char *rest, const char *suffix, Error *error) {
        json_t *to = child(config, key, json_object);
        int r = to ? 0 : error_set_errno(error, -ENOMEM, "cannot read the change");

        while (r >= 0 && *rest) {
                _cleanup_free_ char *word = NULL, *name = NULL;

                r = next_word(&rest, &word, error);
                if (r < 0)
                        return r;
                name = str_printf("%s%s", word, strchr(word, '/') ? "" : suffix);
                if (!name || set(to, name, json_object()) < 0)
                        r = error_set(error, -EINVAL, "what it says is not UTF-8, or there is no memory");
        }
        return r;
}

static int change_string(json_t *config, const char *key, const char *rest, Error *error) {
        if (*rest == '\0')
                return error_set(error, -EINVAL, "it says nothing");
        return set(config, key, json_string(rest)) < 0 ? error_set(error, -EINVAL, "what it says is not UTF-8") : 0;
}

static int apply(json_t *config, Slice word, const char *rest, Error *error) {
        char name[16] = "";

        memcpy(name, word.data, min_of(word.length, sizeof(name) - 1));
        if (strcasecmp(name, "CMD") == 0)
                return change_command(config, "Cmd", rest, error);
        if (strcasecmp(name, "ENTRYPOINT") == 0)
                return change_command(config, "Entrypoint", rest, error);
        if (strcasecmp(name, "ENV") == 0)
                return change_pairs(config, "Env", rest, true, error);
        if (strcasecmp(name, "LABEL") == 0)
                return change_pairs(config, "Labels", rest, false, error);
        if (strcasecmp(name, "EXPOSE") == 0)
                return change_members(config, "ExposedPorts", rest, "/tcp", error);
        if (strcasecmp(name, "VOLUME") == 0)
                return change_members(config, "Volumes", rest, "", error);
        if (strcasecmp(name, "USER") == 0)
                return change_string(config, "User", rest, error);
        if (strcasecmp(name, "WORKDIR") == 0)
                return change_string(config, "WorkingDir", rest, error);
        if (strcasecmp(name, "STOPSIGNAL") == 0)
                return change_string(config, "StopSignal", rest, error);
        return error_set(error, -EINVAL,
                         "%.*s is not one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR",
                         (int)word.length, word.data);
}

int image_change_apply(json_t *config, const char *line, Error *error) {
        const char *start = line + strspn(line, " \t");
        size_t length = strcspn(start, " \t");
        const char *rest = start + length + strspn(start + length, " \t");
        int r = apply(config, (Slice){start, length}, rest, error);

        return r < 0 ? error_prefix(error, r, "the change \"%s\"", line) : 0;
}
