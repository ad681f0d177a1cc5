/* Texts of unit files that no unit has any more: old fleet never removed them. */
#include "fleet/registry/internal.h"
#include "fleet/registry/roll.h"

static void mark(Registry *registry, const char *hash) {
        RegistryText *text = map_get(&registry->texts, slice_from(hash));

        if (text)
                text->used = true;
}

static void mark_used(Registry *registry, Usec now) {
        map_foreach (&registry->texts, entry)
                ((RegistryText *)entry->value)->used = false;
        map_foreach (&registry->units, entry) {
                const RegistryUnit *unit = entry->value;
                RegistryText *text = unit->hash ? map_get(&registry->texts, slice_from(unit->hash)) : NULL;

                if (text)
                        text->used = true;
        }
        map_foreach (&registry->rolls, entry) {
                const RegistryRoll *roll = entry->value;

                mark(registry, roll->record.from);
                mark(registry, roll->record.to);
        }
        map_foreach (&registry->texts, entry) {
                RegistryText *text = entry->value;

                if (text->used)
                        text->unused_since = 0;
                else if (!text->unused_since)
                        text->unused_since = now;
        }
}

size_t registry_sweep_texts(Registry *registry, Usec now, Usec age, size_t most) {
        size_t count = 0;

        mark_used(registry, now);
        map_foreach (&registry->texts, entry) {
                const RegistryText *text = entry->value;

                if (count < most && text->unused_since && now - text->unused_since >= age &&
                    registry_remove_text(registry, text->hash, text->index, NULL, NULL) >= 0)
                        count++;
        }
        return count;
}

bool registry_text_is_used(const Registry *registry, const char *hash) {
        if (!map_get(&registry->texts, slice_from(hash)))
                return false;
        map_foreach (&registry->units, entry)
                if (((const RegistryUnit *)entry->value)->hash && str_equals(((const RegistryUnit *)entry->value)->hash, hash))
                        return true;
        return false;
}
