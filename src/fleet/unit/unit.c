/* The digest itself, and not through EVP: what that loads for it would be a quarter of a daemon's memory. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "fleet/unit/unit.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/sha.h>

#include "base/encode.h"
#include "base/suggest.h"
#include "fleet/unit/resources.h"

int unit_hash(const UnitFile *file, UnitHash *ret) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        SHA_CTX context;
        int r = unitfile_write(file, &text);

        if (r < 0)
                return r;
        if (SHA1_Init(&context) != 1 || SHA1_Update(&context, buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)) != 1 ||
            SHA1_Final(ret->bytes, &context) != 1)
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
        string_list_deinit(&requirements->avoids);
        free(requirements->spread);
        free(requirements->spread_group);
        free(requirements->health_check);
        *requirements = (UnitRequirements){0};
}

static int copy_text(const char *text, char **ret) {
        *ret = text ? strdup(text) : NULL;
        return text && !*ret ? -ENOMEM : 0;
}

static int copy_list(const StringList *from, StringList *to) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < from->length; i++)
                r = string_list_add(to, from->items[i]);
        return r;
}

const UnitRequirements unit_requirements_plain = {
        .failures_within = UNIT_FAILURES_WITHIN_DEFAULT,
        .health_interval = UNIT_HEALTH_INTERVAL_DEFAULT,
        .health_timeout = UNIT_HEALTH_TIMEOUT_DEFAULT,
};

bool unit_requirements_are_plain(const UnitRequirements *requirements) {
        const UnitRequirements *plain = &unit_requirements_plain;

        return !requirements->global && !requirements->machine_id && requirements->peers.length == 0 && requirements->conflicts.length == 0 &&
               requirements->replaces.length == 0 && requirements->n_metadata == 0 && requirements->avoids.length == 0 &&
               !requirements->spread && requirements->move_after == 0 && requirements->failures_within == plain->failures_within &&
               !requirements->stop_on_partition && !requirements->no_overlap && !requirements->health_check &&
               requirements->health_interval == plain->health_interval && requirements->health_timeout == plain->health_timeout;
}

int unit_requirements_copy(const UnitRequirements *from, UnitRequirements *ret) {
        _cleanup_unit_requirements_ UnitRequirements result = {
                .global = from->global,
                .resources = from->resources,
                .move_after = from->move_after,
                .failures_within = from->failures_within,
                .stop_on_partition = from->stop_on_partition,
                .no_overlap = from->no_overlap,
                .health_interval = from->health_interval,
                .health_timeout = from->health_timeout,
        };
        int r;

        if ((r = copy_text(from->machine_id, &result.machine_id)) < 0 || (r = copy_text(from->spread, &result.spread)) < 0 ||
            (r = copy_text(from->spread_group, &result.spread_group)) < 0 || (r = copy_text(from->health_check, &result.health_check)) < 0 ||
             (r = copy_list(&from->peers, &result.peers)) < 0 ||
            (r = copy_list(&from->conflicts, &result.conflicts)) < 0 || (r = copy_list(&from->replaces, &result.replaces)) < 0 ||
            (r = copy_list(&from->avoids, &result.avoids)) < 0)
                return r;
        result.metadata = calloc(from->n_metadata + 1, sizeof(*result.metadata));
        if (!result.metadata)
                return -ENOMEM;
        for (size_t i = 0; i < from->n_metadata; i++) {
                result.n_metadata++;
                if ((r = copy_text(from->metadata[i].key, &result.metadata[i].key)) < 0 ||
                    (r = copy_list(&from->metadata[i].values, &result.metadata[i].values)) < 0)
                        return r;
        }
        *ret = result;
        result = (UnitRequirements){0};
        return 0;
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
static const KeySpellings spellings_avoids = {{"Avoids"}};
static const KeySpellings spellings_spread = {{"Spread"}};
static const KeySpellings spellings_memory = {{"Memory"}};
static const KeySpellings spellings_cpu = {{"CPU"}};
static const KeySpellings spellings_move = {{"MoveAfterFailures"}};
static const KeySpellings spellings_within = {{"FailuresWithin"}};
static const KeySpellings spellings_partition = {{"OnPartition"}};
static const KeySpellings spellings_overlap = {{"Overlap"}};
static const KeySpellings spellings_health = {{"HealthCheck"}};
static const KeySpellings spellings_health_interval = {{"HealthInterval"}};
static const KeySpellings spellings_health_timeout = {{"HealthTimeout"}};

static const KeySpellings *const spellings_all[] = {
        &spellings_machine,  &spellings_peers,    &spellings_conflicts, &spellings_replaces, &spellings_metadata,
        &spellings_global,   &spellings_avoids,   &spellings_spread,    &spellings_memory,   &spellings_cpu,
        &spellings_move,     &spellings_within,   &spellings_partition, &spellings_overlap,
        &spellings_health,   &spellings_health_interval, &spellings_health_timeout,
};

bool unit_requirement_is_known(const char *key) {
        for (size_t i = 0; i < ARRAY_SIZE(spellings_all); i++)
                for (const char *const *spelling = spellings_all[i]->keys; *spelling; spelling++)
                        if (str_equals(key, *spelling))
                                return true;
        return false;
}

const char *unit_requirement_near(const char *key) {
        const char *names[ARRAY_SIZE(spellings_all)];

        for (size_t i = 0; i < ARRAY_SIZE(spellings_all); i++) {
                const char *const *spelling = spellings_all[i]->keys;

                while (str_starts_with(*spelling, "X-")) /* the present one */
                        spelling++;
                names[i] = *spelling;
                if (strcasecmp(key, names[i]) == 0)
                        return names[i];
        }
        return suggest_nearest(key, names, ARRAY_SIZE(names));
}

static int read_spellings(const UnitFile *file, const KeySpellings *spellings, const char *name, StringList *list) {
        for (const char *const *key = spellings->keys; *key; key++) {
                int r = read_values(file, *key, name, list);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- keys of our own: the last line counts, and a value that cannot be read is as none ---- */

static int read_last(const UnitFile *file, const KeySpellings *spellings, const char *name, char **ret) {
        _cleanup_string_list_ StringList values = {0};
        int r = read_spellings(file, spellings, name, &values);

        if (r < 0)
                return r;
        *ret = values.length > 0 ? take_ptr(values.items[values.length - 1]) : NULL;
        return 0;
}

/* "zone" or "zone GROUP". */
static int read_spread(const UnitFile *file, const char *name, UnitRequirements *result) {
        _cleanup_free_ char *text = NULL;
        _cleanup_string_list_ StringList words = {0}, values = {0};
        int r = read_last(file, &spellings_spread, name, &text);

        if (r < 0 || !text)
                return r;
        r = string_list_take(&values, take_ptr(text));
        if (r >= 0)
                r = add_fields(&values, &words);
        if (r < 0 || words.length == 0)
                return r;
        result->spread = take_ptr(words.items[0]);
        if (words.length > 1)
                result->spread_group = take_ptr(words.items[1]);
        else if (name && strchr(name, '@') && strchr(name, '.'))
                result->spread_group = str_printf("%.*s%s", (int)(strchr(name, '@') + 1 - name), name, strrchr(name, '.'));
        else
                result->spread_group = strdup(name ?: "");
        return result->spread_group ? 0 : -ENOMEM;
}

static const char *service_value(const UnitFile *file, const char *key) {
        const char *value = NULL;

        for (const UnitOption *option = NULL; (option = unitfile_next(file, "Service", key, option));)
                value = option->value;
        return value;
}

static int read_resources(const UnitFile *file, const char *name, UnitRequirements *result) {
        _cleanup_free_ char *memory = NULL, *cpu = NULL;
        const char *limit;
        int r = read_last(file, &spellings_memory, name, &memory);

        if (r >= 0)
                r = read_last(file, &spellings_cpu, name, &cpu);
        if (r < 0)
                return r;
        limit = memory ?: service_value(file, "MemoryMax");
        if (limit)
                (void)unit_parse_memory(limit, &result->resources);
        limit = cpu ?: service_value(file, "CPUQuota");
        if (limit)
                (void)unit_parse_cpu(limit, &result->resources.cpu);
        return 0;
}

static bool is_word(const char *value, const char *word) {
        return value && strcasecmp(value, word) == 0;
}

static int read_own(const UnitFile *file, const char *name, UnitRequirements *result) {
        _cleanup_free_ char *move = NULL, *within = NULL, *partition = NULL, *overlap = NULL;
        _cleanup_string_list_ StringList avoids = {0};
        int r;

        if ((r = read_spellings(file, &spellings_avoids, name, &avoids)) < 0 || (r = add_fields(&avoids, &result->avoids)) < 0 ||
            (r = read_spread(file, name, result)) < 0 || (r = read_resources(file, name, result)) < 0 ||
            (r = read_last(file, &spellings_move, name, &move)) < 0 ||
            (r = read_last(file, &spellings_within, name, &within)) < 0 ||
            (r = read_last(file, &spellings_partition, name, &partition)) < 0 ||
            (r = read_last(file, &spellings_overlap, name, &overlap)) < 0)
                return r;
        if (move)
                (void)str_parse_u64(slice_from(move), UINT32_MAX, &result->move_after);
        result->failures_within = UNIT_FAILURES_WITHIN_DEFAULT;
        if (within)
                (void)str_parse_duration(slice_from(within), &result->failures_within);
        result->stop_on_partition = is_word(partition, "stop");
        result->no_overlap = overlap && !is_truthy(overlap);
        return 0;
}

static int read_time(const UnitFile *file, const KeySpellings *spellings, const char *name, Usec otherwise, Usec *ret) {
        _cleanup_free_ char *text = NULL;
        int r = read_last(file, spellings, name, &text);

        *ret = otherwise;
        if (r >= 0 && text && str_parse_duration(slice_from(text), ret) >= 0)
                *ret = max_of(*ret, UNIT_HEALTH_TIME_MIN);
        return r;
}

static int read_health(const UnitFile *file, const char *name, UnitRequirements *result) {
        int r = read_last(file, &spellings_health, name, &result->health_check);

        if (r >= 0)
                r = read_time(file, &spellings_health_interval, name, UNIT_HEALTH_INTERVAL_DEFAULT, &result->health_interval);
        if (r >= 0)
                r = read_time(file, &spellings_health_timeout, name, UNIT_HEALTH_TIMEOUT_DEFAULT, &result->health_timeout);
        return r;
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
            (r = read_spellings(file, &spellings_global, name, &globals)) < 0 || (r = read_own(file, name, &result)) < 0 ||
            (r = read_health(file, name, &result)) < 0)
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
