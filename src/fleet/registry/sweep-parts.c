/* What is left of units that are no more: somebody said what is wanted of a unit while another destroyed it. It would hurt
 * whoever submits a unit of that name next: it would be started at once. */
#include "fleet/registry/internal.h"

static bool is_left_over(const RegistryUnit *unit) {
        return !unit->hash && unit->desired_index != 0;
}

static void remove_part(Registry *registry, const RegistryUnit *unit) {
        (void)registry_remove_desired(registry, unit->name, unit->desired_index);
}

size_t registry_sweep_parts(Registry *registry, Usec now, Usec age, size_t most) {
        size_t count = 0;

        map_foreach (&registry->units, entry) {
                RegistryUnit *unit = entry->value;

                if (!is_left_over(unit))
                        unit->left_since = 0;
                else if (!unit->left_since)
                        unit->left_since = now;
                else if (count < most && now - unit->left_since >= age) {
                        remove_part(registry, unit);
                        count++;
                }
        }
        return count;
}
