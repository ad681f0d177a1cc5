/* Texts of units: drawn, and remembered by their hash together with what they ask for. */
#include <stdio.h>

#include "world.h"

static void add_names(Buffer *text, const char *key, uint32_t units) {
        for (size_t i = 0; i < UNITS_MAX; i++)
                if (units >> i & 1)
                        (void)buffer_printf(text, "%s=u%zu.service\n", key, i);
}

static uint32_t draw_units(const World *world, Random *random, size_t but) {
        uint32_t bits = (uint32_t)1 << random_below(random, world->plan.units);

        if (random_chance(random, 1, 3))
                bits |= (uint32_t)1 << random_below(random, world->plan.units);
        return bits & ~((uint32_t)1 << but);
}

static Spec draw(const World *world, Random *random, size_t unit) {
        Spec spec = {.machine = NOBODY};

        if (random_chance(random, 1, 6)) {
                spec.global = true;
                if (random_chance(random, 1, 2))
                        spec.zone = (char)('a' + random_below(random, 3));
                return spec;
        }
        if (random_chance(random, 1, 4))
                spec.conflicts = draw_units(world, random, unit);
        if (random_chance(random, 1, 8))
                spec.replaces = draw_units(world, random, unit);
        if (random_chance(random, 1, 8) && unit > 0) /* of units before it: no rings */
                spec.peers = (uint32_t)1 << random_below(random, unit);
        if (random_chance(random, 1, 8))
                spec.zone = (char)('a' + random_below(random, 3));
        if (random_chance(random, 1, 16))
                spec.machine = (int)random_below(random, world->plan.machines);
        spec.stop = random_chance(random, 1, 2);
        spec.no_overlap = random_chance(random, 1, 3);
        if (random_chance(random, 1, 4))
                spec.move_after = 1 + (unsigned)random_below(random, 3);
        return spec;
}

static void write_text(const World *world, Random *random, const Spec *spec, Buffer *text) {
        (void)buffer_printf(text, "[Service]\nExecStart=/bin/true %u\n[X-Fleet]\n", (unsigned)random_below(random, 4));
        if (spec->global)
                (void)buffer_append_string(text, "Global=true\n");
        add_names(text, "Conflicts", spec->conflicts);
        add_names(text, "Replaces", spec->replaces);
        add_names(text, "MachineOf", spec->peers);
        if (spec->zone)
                (void)buffer_printf(text, "MachineMetadata=zone=%c\n", spec->zone);
        if (spec->machine != NOBODY)
                (void)buffer_printf(text, "MachineID=%s\n", world->machines[spec->machine].id);
        if (spec->stop)
                (void)buffer_append_string(text, "OnPartition=stop\n");
        if (spec->no_overlap)
                (void)buffer_append_string(text, "Overlap=no\n");
        if (spec->move_after)
                (void)buffer_printf(text, "MoveAfterFailures=%u\n", spec->move_after);
        if (!spec->global && random_chance(random, 1, 4))
                (void)buffer_printf(text, "Memory=%uM\n", 100 + 100 * (unsigned)random_below(random, 5));
        if (!spec->global && random_chance(random, 1, 8))
                (void)buffer_append_string(text, "Spread=zone all\n");
        if (!spec->global && random_chance(random, 1, 8))
                (void)buffer_printf(text, "Avoids=u%u.service\n", (unsigned)random_below(random, world->plan.units));
}

const Spec *spec_find(const World *world, const char *hash) {
        for (size_t i = 0; i < world->n_specs; i++)
                if (str_equals(world->specs[i].hash, hash))
                        return &world->specs[i];
        return NULL;
}

/* Takes the text. */
static const Spec *keep(World *world, Spec spec) {
        _cleanup_unitfile_ UnitFile file = {0};
        const Spec *known;
        UnitHash hash;

        if (!spec.text || unitfile_parse(&file, slice_from(spec.text), NULL, NULL) < 0 || unit_hash(&file, &hash) < 0)
                abort();
        unit_hash_to_hex(&hash, spec.hash);
        known = spec_find(world, spec.hash);
        if (known) {
                free(spec.text);
                return known;
        }
        world->specs[world->n_specs] = spec;
        return &world->specs[world->n_specs++];
}

const Spec *spec_draw(World *world, Random *random, size_t unit) {
        Spec spec = draw(world, random, unit);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (world->n_specs == SPECS_MAX)
                return &world->specs[random_below(random, SPECS_MAX)];
        write_text(world, random, &spec, &text);
        spec.text = buffer_steal_string(&text, NULL);
        return keep(world, spec);
}

const Spec *spec_reword(World *world, const Spec *spec) {
        Spec other = *spec;
        char *digit;

        if (world->n_specs == SPECS_MAX)
                return spec;
        other.text = strdup(spec->text);
        digit = other.text ? strstr(other.text, "/bin/true ") : NULL;
        if (!digit)
                abort();
        digit += strlen("/bin/true ");
        *digit = (char)('0' + (*digit - '0' + 1) % 8);
        return keep(world, other);
}

void specs_deinit(World *world) {
        for (size_t i = 0; i < world->n_specs; i++)
                free(world->specs[i].text);
}

bool specs_conflict(const Spec *a, size_t a_unit, const Spec *b, size_t b_unit) {
        return (a->conflicts >> b_unit & 1) || (b->conflicts >> a_unit & 1);
}
