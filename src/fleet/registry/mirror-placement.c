/* Where a unit is placed: more than one place while it is handed over, and when something was left over. */
#include <errno.h>

#include "fleet/registry/internal.h"

static RegistryPlacement *find(RegistryUnit *unit, const char *machine) {
        for (size_t i = 0; i < unit->n_placements; i++)
                if (str_equals(unit->placements[i].machine, machine))
                        return &unit->placements[i];
        return NULL;
}

/* The newest counts: it was written last, whatever the order in which the mirror came to know of them. */
static void settle(RegistryUnit *unit) {
        const RegistryPlacement *newest = NULL, *source;

        for (size_t i = 0; i < unit->n_placements; i++)
                if (!newest || unit->placements[i].created > newest->created)
                        newest = &unit->placements[i];
        unit->machine = newest ? newest->machine : NULL;
        unit->reason = newest ? newest->record.reason : NULL;
        source = newest && newest->record.from ? find(unit, newest->record.from) : NULL;
        unit->source = source && source != newest ? source->machine : NULL;
}

static RegistryPlacement *make(RegistryUnit *unit, const char *machine) {
        RegistryPlacement *larger = reallocarray(unit->placements, unit->n_placements + 1, sizeof(*larger));
        char *copy;

        if (!larger)
                return NULL;
        unit->placements = larger;
        copy = strdup(machine);
        if (!copy)
                return NULL;
        larger[unit->n_placements] = (RegistryPlacement){.machine = copy};
        return &larger[unit->n_placements++];
}

int mirror_add_placement(Registry *registry, RegistryUnit *unit, const char *machine, const char *value, uint64_t created) {
        RegistryPlacement *placement = find(unit, machine);
        PlacementRecord record = {0};
        bool new = !placement;

        if (placement_read(value, &record) < 0) /* nonsense: it is placed there all the same */
                record = (PlacementRecord){.reason = strdup("")};
        if (!placement && record.reason)
                placement = make(unit, machine);
        if (!record.reason || !placement) {
                placement_record_deinit(&record);
                return -ENOMEM;
        }
        placement_record_deinit(&placement->record);
        placement->record = record;
        placement->created = created;
        settle(unit);
        registry->split += new && unit->n_placements == 2;
        return 0;
}

static void placement_free(RegistryPlacement *placement) {
        free(placement->machine);
        placement_record_deinit(&placement->record);
}

void mirror_remove_placement(Registry *registry, RegistryUnit *unit, const char *machine) {
        RegistryPlacement *placement = find(unit, machine);

        if (!placement)
                return;
        placement_free(placement);
        *placement = unit->placements[--unit->n_placements];
        registry->split -= unit->n_placements == 1;
        settle(unit);
}

void mirror_clear_placements(RegistryUnit *unit) {
        for (size_t i = 0; i < unit->n_placements; i++)
                placement_free(&unit->placements[i]);
        free(unit->placements);
        unit->placements = NULL;
        unit->n_placements = 0;
}
