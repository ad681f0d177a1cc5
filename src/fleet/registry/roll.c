#include "fleet/registry/roll.h"

#include <errno.h>
#include <jansson.h>

#include "base/json-write.h"
#include "fleet/registry/internal.h"

/* ---- the record ---- */

void roll_record_deinit(RollRecord *record) {
        free(record->from);
        free(record->to);
        string_list_deinit(&record->machines);
        *record = (RollRecord){0};
}

int roll_write(const RollRecord *record, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_field_string(&json, "from", record->from);
        json_field_string(&json, "to", record->to);
        json_field_strings(&json, "machines", &record->machines);
        json_end_object(&json);
        return buffer_failed(to);
}

static int copy_hash(json_t *object, const char *key, char **ret) {
        const char *text = json_string_value(json_object_get(object, key));

        if (!text || !*text)
                return -EBADMSG;
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

int roll_read(const char *text, RollRecord *ret) {
        json_t *object = json_loads(text, 0, NULL), *machine;
        _cleanup_roll_record_ RollRecord record = {0};
        int r = copy_hash(object, "from", &record.from);
        size_t i;

        if (r >= 0)
                r = copy_hash(object, "to", &record.to);
        json_array_foreach (json_object_get(object, "machines"), i, machine)
                if (r >= 0 && json_is_string(machine))
                        r = string_list_add(&record.machines, json_string_value(machine));
        json_decref(object);
        if (r < 0)
                return r;
        *ret = record;
        record = (RollRecord){0};
        return 0;
}

/* ---- the mirror ---- */

static void roll_free(RegistryRoll *roll) {
        free(roll->unit);
        roll_record_deinit(&roll->record);
        free(roll);
}

int mirror_roll(Registry *registry, const char *unit, const char *value) {
        RegistryRoll *roll = calloc(1, sizeof(*roll));
        void *old = NULL;
        int r;

        if (!roll)
                return -ENOMEM;
        roll->unit = strdup(unit);
        r = roll->unit ? roll_read(value, &roll->record) : -ENOMEM;
        if (r >= 0)
                r = map_put(&registry->rolls, slice_from(roll->unit), roll, &old);
        if (r < 0)
                roll_free(roll);
        if (old)
                roll_free(old);
        return r == -EBADMSG ? 0 : r;
}

void mirror_roll_gone(Registry *registry, const char *unit) {
        RegistryRoll *roll = map_remove(&registry->rolls, slice_from(unit));

        if (roll)
                roll_free(roll);
}

void mirror_clear_rolls(Registry *registry) {
        map_foreach (&registry->rolls, entry)
                roll_free(entry->value);
        map_deinit(&registry->rolls);
}

const Map *registry_rolls(const Registry *registry) {
        return &registry->rolls;
}

const RegistryRoll *registry_roll(const Registry *registry, const char *unit) {
        return map_get(&registry->rolls, slice_from(unit));
}

bool registry_roll_holds(const RegistryRoll *roll, const RegistryUnit *unit) {
        return unit->hash && (str_equals(unit->hash, roll->record.from) || str_equals(unit->hash, roll->record.to));
}

const char *registry_text(const Registry *registry, const char *hash) {
        const RegistryText *text = map_get(&registry->texts, slice_from(hash));

        return text ? text->text : NULL;
}

const char *registry_unit_hash_on(const Registry *registry, const RegistryUnit *unit, const char *machine) {
        const RegistryRoll *roll = registry_roll(registry, unit->name);

        if (!roll || !registry_roll_holds(roll, unit) || !string_list_contains(&roll->record.machines, machine) ||
            !registry_text(registry, roll->record.to))
                return unit->hash;
        return roll->record.to;
}

size_t registry_sweep_rolls(Registry *registry, size_t most) {
        size_t count = 0;

        map_foreach (&registry->rolls, entry) {
                const RegistryRoll *roll = entry->value;

                if (count < most && !registry_unit(registry, roll->unit) &&
                    registry_drop_roll(registry, roll->unit, NULL, NULL) >= 0)
                        count++;
        }
        return count;
}
