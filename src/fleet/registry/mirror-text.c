/* Texts of unit files: each is held once, however many units have it. Of a unit its text may come after its name, or before it. */
#include <errno.h>

#include "fleet/registry/internal.h"

static void text_free(RegistryText *text) {
        free(text->hash);
        free(text->text);
        free(text);
}

static void text_unref(RegistryText *text) {
        if (text && --text->users == 0)
                text_free(text);
}

static RegistryText *text_new(const char *hash, char *raw, uint64_t index) {
        RegistryText *text = calloc(1, sizeof(*text));
        char *copy = strdup(hash);

        if (!text || !copy) {
                free(text);
                free(copy);
                free(raw);
                return NULL;
        }
        *text = (RegistryText){.hash = copy, .text = raw, .index = index, .users = 1};
        return text;
}

void mirror_unit_drop_text(RegistryUnit *unit) {
        list_unlink(&unit->lacking);
        text_unref(unit->shared);
        unit->shared = NULL;
        unit->text = NULL;
}

static void unit_take_text(RegistryUnit *unit, RegistryText *text) {
        mirror_unit_drop_text(unit);
        unit->shared = text;
        unit->text = text->text;
        text->users++;
}

void mirror_unit_fill_text(Registry *registry, RegistryUnit *unit) {
        RegistryText *text = map_get(&registry->texts, slice_from(unit->hash));

        if (text) {
                unit_take_text(unit, text);
                return;
        }
        mirror_unit_drop_text(unit);
        list_append(&registry->lacking, &unit->lacking);
}

/* Those that have waited for it are complete. */
static void give_text(Registry *registry, RegistryText *text, bool quiet) {
        list_foreach(&registry->lacking, node) {
                RegistryUnit *unit = container_of(node, RegistryUnit, lacking);

                if (!str_equals(unit->hash, text->hash))
                        continue;
                unit_take_text(unit, text);
                mirror_tell(registry, quiet, REGISTRY_UNIT, unit->name);
        }
}

int mirror_text(Registry *registry, const char *hash, const char *value, uint64_t index, bool quiet) {
        RegistryText *text = map_get(&registry->texts, slice_from(hash));
        char *raw;
        int r;

        if (text) { /* the same hash is the same text */
                text->index = index;
                text->unused_since = 0;
                return 0;
        }
        r = unit_text_read(value, &raw);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        text = text_new(hash, raw, index);
        if (!text)
                return -ENOMEM;
        r = map_put(&registry->texts, slice_from(text->hash), text, NULL);
        if (r < 0) {
                text_unref(text);
                return r;
        }
        give_text(registry, text, quiet);
        return 0;
}

void mirror_text_gone(Registry *registry, const char *hash) {
        text_unref(map_remove(&registry->texts, slice_from(hash)));
}

void mirror_clear_texts(Registry *registry) {
        map_foreach(&registry->texts, entry)
                text_unref(entry->value);
        map_deinit(&registry->texts);
}
