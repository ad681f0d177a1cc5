#include "fleet/unit/unit.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>

#include "base/encode.h"

int unit_hash(const UnitFile *file, UnitHash *ret) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        unsigned length;
        int r;

        r = unitfile_write(file, &text);
        if (r < 0)
                return r;
        if (EVP_Digest(buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text), ret->bytes, &length,
                       EVP_sha1(), NULL) != 1)
                return -EIO;
        return 0;
}

void unit_hash_to_hex(const UnitHash *hash, char ret[UNIT_HASH_HEX_SIZE]) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < UNIT_HASH_SIZE; i++) {
                ret[2 * i] = digits[hash->bytes[i] >> 4];
                ret[2 * i + 1] = digits[hash->bytes[i] & 15];
        }
        ret[UNIT_HASH_HEX_SIZE - 1] = '\0';
}

int unit_hash_from_hex(Slice text, UnitHash *ret) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        int r;

        if (text.length != 2 * UNIT_HASH_SIZE)
                return -EINVAL;
        r = decode_hex(&bytes, text);
        if (r < 0)
                return r;
        memcpy(ret->bytes, buffer_data(&bytes), UNIT_HASH_SIZE);
        return 0;
}

static const char *const state_names[] = {"inactive", "loaded", "launched"};

const char *unit_state_to_string(UnitState state) {
        return state_names[state];
}

int unit_state_from_string(const char *text, UnitState *ret, Error *error) {
        for (size_t i = 0; i < ARRAY_SIZE(state_names); i++)
                if (str_equals(text, state_names[i])) {
                        *ret = (UnitState)i;
                        return 0;
                }
        return error_set(error, -EINVAL, "invalid value \"%s\" for JobState", text);
}

void unit_requirements_deinit(UnitRequirements *requirements) {
        free(requirements->machine_id);
        string_list_deinit(&requirements->peers);
        string_list_deinit(&requirements->conflicts);
        string_list_deinit(&requirements->replaces);
        for (size_t i = 0; i < requirements->n_metadata; i++) {
                free(requirements->metadata[i].key);
                string_list_deinit(&requirements->metadata[i].values);
        }
        free(requirements->metadata);
        *requirements = (UnitRequirements){0};
}

/* %n %N %p %i by plain replacement: no %%, no unescaping. A name without a '.' has no parts; all then stays. */
static int substitute(Slice text, const char *name, StringList *list) {
        _cleanup_buffer_ Buffer result = BUFFER_INIT;
        UnitName parts;

        if (!name || !strchr(name, '.'))
                return string_list_add_slice(list, text);
        parts = unit_name_split(slice_from(name));
        for (size_t i = 0; i < text.length; i++) {
                char next = text.data[i] == '%' && i + 1 < text.length ? text.data[i + 1] : '\0';
                Slice part = {text.data + i, 1};

                if (next == 'n')
                        part = parts.full;
                else if (next == 'N')
                        part = parts.stem;
                else if (next == 'p')
                        part = parts.prefix;
                else if (next == 'i')
                        part = parts.instance;
                if (part.data != text.data + i)
                        i++;
                if (part.length > 0)
                        (void)buffer_append(&result, part.data, part.length);
        }
        if (buffer_failed(&result) < 0)
                return buffer_failed(&result);
        return string_list_take(list, buffer_steal_string(&result, NULL));
}

/* Several values on a line: only when it begins and ends with a quote. Quotes toggle and go; a blank outside of them
 * ends a value, so that two blanks make an empty one. */
static int split_quoted(const char *value, const char *name, StringList *list) {
        _cleanup_buffer_ Buffer part = BUFFER_INIT;
        size_t length = strlen(value);
        bool quoted = false;
        int r;

        if (length == 0 || value[0] != '"' || value[length - 1] != '"')
                return substitute(slice_from(value), name, list);
        for (size_t i = 0; i <= length; i++) {
                if (i < length && value[i] == '"') {
                        quoted = !quoted;
                        continue;
                }
                if (i < length && (value[i] != ' ' || quoted)) {
                        r = buffer_append_byte(&part, value[i]);
                } else {
                        Slice text = {buffer_length(&part) ? buffer_data(&part) : "", buffer_length(&part)};

                        r = substitute(text, name, list);
                        buffer_clear(&part);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* All values of a key of [X-Fleet]. */
static int read_values(const UnitFile *file, const char *key, const char *name, StringList *list) {
        for (const UnitOption *option = NULL; (option = unitfile_next(file, "X-Fleet", key, option));) {
                int r = split_quoted(option->value, name, list);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* As strings.Fields: words of a list of lines. */
static int add_fields(const StringList *values, StringList *list) {
        for (size_t i = 0; i < values->length; i++)
                for (const char *at = values->items[i]; *at;) {
                        size_t length = strcspn(at, " \t\n\v\f\r");

                        if (length > 0) {
                                int r = string_list_add_slice(list, (Slice){at, length});

                                if (r < 0)
                                        return r;
                        }
                        at += length;
                        at += strspn(at, " \t\n\v\f\r");
                }
        return 0;
}

static int metadata_rule(UnitRequirements *requirements, Slice key, MetadataRule **ret) {
        MetadataRule *larger;

        for (size_t i = 0; i < requirements->n_metadata; i++)
                if (slice_equals(slice_from(requirements->metadata[i].key), key)) {
                        *ret = &requirements->metadata[i];
                        return 0;
                }
        larger = reallocarray(requirements->metadata, requirements->n_metadata + 1, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        requirements->metadata = larger;
        larger[requirements->n_metadata] = (MetadataRule){.key = slice_dup(key)};
        if (!larger[requirements->n_metadata].key)
                return -ENOMEM;
        *ret = &larger[requirements->n_metadata++];
        return 0;
}

/* What has not the form key=value, with exactly one '=' and neither part empty, is passed over. */
static int add_metadata(UnitRequirements *requirements, const StringList *values) {
        for (size_t i = 0; i < values->length; i++) {
                const char *value = values->items[i], *equals = strchr(value, '=');
                MetadataRule *rule;
                int r;

                if (!equals || equals == value || equals[1] == '\0' || strchr(equals + 1, '='))
                        continue;
                r = metadata_rule(requirements, (Slice){value, (size_t)(equals - value)}, &rule);
                if (r < 0)
                        return r;
                if (string_list_contains(&rule->values, equals + 1))
                        continue;
                r = string_list_add(&rule->values, equals + 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool is_truthy(const char *value) {
        static const char *const words[] = {"true", "yes", "1", "on", "t"};

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (strcasecmp(value, words[i]) == 0)
                        return true;
        return false;
}

/* Keys by what they mean. Where several spellings are read into one list, the older comes first. */
typedef struct KeySpellings {
        const char *keys[4];
} KeySpellings;

static const KeySpellings spellings_machine = {{"MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID"}};
static const KeySpellings spellings_peers = {{"X-ConditionMachineOf", "MachineOf"}};
static const KeySpellings spellings_conflicts = {{"X-Conflicts", "Conflicts"}};
static const KeySpellings spellings_replaces = {{"Replaces"}};
static const KeySpellings spellings_metadata = {{"X-ConditionMachineMetadata", "MachineMetadata"}};
static const KeySpellings spellings_global = {{"Global"}};

bool unit_requirement_is_known(const char *key) {
        const KeySpellings *const all[] = {&spellings_machine,  &spellings_peers,    &spellings_conflicts,
                                           &spellings_replaces, &spellings_metadata, &spellings_global};

        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                for (const char *const *spelling = all[i]->keys; *spelling; spelling++)
                        if (str_equals(key, *spelling))
                                return true;
        return false;
}

static int read_spellings(const UnitFile *file, const KeySpellings *spellings, const char *name, StringList *list) {
        for (const char *const *key = spellings->keys; *key; key++) {
                int r = read_values(file, *key, name, list);

                if (r < 0)
                        return r;
        }
        return 0;
}

int unit_requirements_read(const UnitFile *file, const char *name, UnitRequirements *ret) {
        _cleanup_unit_requirements_ UnitRequirements result = {0};
        _cleanup_string_list_ StringList machines = {0}, conflicts = {0}, metadata = {0}, globals = {0};
        int r;

        if ((r = read_spellings(file, &spellings_machine, name, &machines)) < 0 ||
            (r = read_spellings(file, &spellings_peers, name, &result.peers)) < 0 ||
            (r = read_spellings(file, &spellings_conflicts, name, &conflicts)) < 0 ||
            (r = add_fields(&conflicts, &result.conflicts)) < 0 ||
            (r = read_spellings(file, &spellings_replaces, name, &result.replaces)) < 0 ||
            (r = read_spellings(file, &spellings_metadata, name, &metadata)) < 0 ||
            (r = add_metadata(&result, &metadata)) < 0 ||
            (r = read_spellings(file, &spellings_global, name, &globals)) < 0)
                return r;
        if (machines.length > 0)
                result.machine_id = take_ptr(machines.items[0]);
        result.global = globals.length > 0 && is_truthy(globals.items[globals.length - 1]);
        *ret = result;
        result = (UnitRequirements){0};
        return 0;
}

bool machine_id_matches(const char *machine_id, const char *wanted) {
        return str_equals(machine_id, wanted) ||
               (strlen(wanted) == MACHINE_ID_SHORT && strncmp(machine_id, wanted, MACHINE_ID_SHORT) == 0);
}

int unit_name_mangle(const char *argument, char **ret, Error *error) {
        static const char *const types[] = {".service", ".socket", ".timer",    ".path",
                                            ".device",  ".mount",  ".automount"};
        size_t length = strlen(argument);
        const char *start;
        char *name;

        while (length > 0 && argument[length - 1] == '/')
                length--;
        start = length ? memrchr(argument, '/', length) : NULL;
        start = start ? start + 1 : argument;
        length -= (size_t)(start - argument);
        if (length == 0)
                return error_set(error, -EINVAL, "\"%s\" is no name of a unit", argument);
        name = slice_dup((Slice){start, length});
        if (!name)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (str_ends_with(name, types[i])) {
                        *ret = name;
                        return 0;
                }
        *ret = str_printf("%s.service", name);
        free(name);
        return *ret ? 0 : -ENOMEM;
}

const char *unit_description(const UnitFile *file) {
        const UnitOption *option = unitfile_next(file, "Unit", "Description", NULL);

        return option ? option->value : "";
}
