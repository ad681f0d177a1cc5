#include "fleet/registry/registry.h"

#include <errno.h>

#include "fleet/registry/internal.h"

int registry_new(StoreClient *client, const char *prefix, const RegistryTimer *timer, void *timer_data,
                 const RegistryEvents *events, void *userdata, Registry **ret_registry) {
        Registry *registry = calloc(1, sizeof(*registry));

        if (!registry)
                return -ENOMEM;
        *registry = (Registry){
                .client = client, .timer = timer, .timer_data = timer_data, .events = events, .userdata = userdata};
        list_init(&registry->reaches);
        list_init(&registry->lacking);
        registry->prefix =
                str_printf("%s%s%s", prefix[0] == '/' ? "" : "/", prefix, str_ends_with(prefix, "/") ? "" : "/");
        if (!registry->prefix) {
                free(registry);
                return -ENOMEM;
        }
        *ret_registry = registry;
        return 0;
}

/* ---- waiting for the mirror ---- */

typedef struct RegistryReach {
        ListNode node; /* first: found by its address */
        uint64_t index;
        RegistryReached reached;
        void *userdata;
} RegistryReach;

void registry_settle_reaches(Registry *registry, uint64_t index, int r) {
        list_foreach (&registry->reaches, node) {
                RegistryReach reach = *(RegistryReach *)node;

                if (reach.index > index)
                        continue;
                list_unlink(node);
                free(node);
                reach.reached(reach.userdata, r);
        }
}

bool registry_has_reached(const Registry *registry, uint64_t index) {
        return registry->loaded && index < registry->next_index;
}

int registry_reach(Registry *registry, uint64_t index, RegistryReached reached, void *userdata) {
        RegistryReach *reach;

        if (registry_has_reached(registry, index)) {
                reached(userdata, 0);
                return 0;
        }
        reach = calloc(1, sizeof(*reach));
        if (!reach)
                return -ENOMEM;
        *reach = (RegistryReach){.index = index, .reached = reached, .userdata = userdata};
        list_append(&registry->reaches, &reach->node);
        return 0;
}

Registry *registry_free(Registry *registry) {
        if (!registry)
                return NULL;
        registry_let_go(registry);
        registry->timer->stop(registry->timer_data);
        registry_settle_reaches(registry, UINT64_MAX, -ECANCELED);
        mirror_clear(registry);
        free(registry->prefix);
        free(registry);
        return NULL;
}

/* ---- looking in ---- */

bool registry_is_loaded(const Registry *registry) {
        return registry->loaded;
}

bool registry_is_readable(const Registry *registry) {
        return registry->readable;
}

const Map *registry_machines(const Registry *registry) {
        return &registry->machines;
}

const Map *registry_units(const Registry *registry) {
        return &registry->units;
}

RegistryMachine *registry_machine(const Registry *registry, const char *id) {
        return map_get(&registry->machines, slice_from(id));
}

RegistryUnit *registry_unit(const Registry *registry, const char *name) {
        return map_get(&registry->units, slice_from(name));
}

const RegistryState *registry_state(const Registry *registry, const char *machine, const char *unit) {
        const RegistryMachine *found = registry_machine(registry, machine);

        return found ? map_get(&found->states, slice_from(unit)) : NULL;
}

const char *registry_leader(const Registry *registry) {
        return registry->leader;
}

const Map *registry_bans(const Registry *registry) {
        return &registry->bans;
}

const Map *registry_moves(const Registry *registry) {
        return &registry->moves;
}

size_t registry_split_units(const Registry *registry) {
        return registry->split;
}

bool registry_placement_is_stray(const RegistryUnit *unit, const RegistryPlacement *placement) {
        return placement->machine != unit->machine && placement->machine != unit->source;
}

void metadata_pairs_free(MetadataPair *pairs, size_t count) {
        for (size_t i = 0; i < count; i++) {
                free(pairs[i].key);
                free(pairs[i].value);
        }
        free(pairs);
}

static int compare_pairs(const void *a, const void *b) {
        return strcmp(((const MetadataPair *)a)->key, ((const MetadataPair *)b)->key);
}

static const char *metadata_changed(const RegistryMachine *machine, const char *key) {
        for (size_t i = 0; i < machine->n_changed; i++)
                if (str_equals(machine->changed[i].key, key))
                        return machine->changed[i].value;
        return NULL;
}

static int pairs_add(MetadataPair *pairs, size_t *count, const char *key, const char *value) {
        pairs[*count] = (MetadataPair){strdup(key), strdup(value)};
        (*count)++;
        return pairs[*count - 1].key && pairs[*count - 1].value ? 0 : -ENOMEM;
}

int registry_machine_metadata(const RegistryMachine *machine, MetadataPair **ret, size_t *ret_count) {
        MetadataPair *pairs = calloc(machine->record.n_metadata + machine->n_changed + 1, sizeof(*pairs));
        size_t count = 0;
        int r = pairs ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < machine->record.n_metadata; i++)
                if (!metadata_changed(machine, machine->record.metadata[i].key))
                        r = pairs_add(pairs, &count, machine->record.metadata[i].key,
                                      machine->record.metadata[i].value);
        for (size_t i = 0; r >= 0 && i < machine->n_changed; i++)
                if (*machine->changed[i].value)
                        r = pairs_add(pairs, &count, machine->changed[i].key, machine->changed[i].value);
        if (r < 0) {
                metadata_pairs_free(pairs, count);
                return r;
        }
        qsort(pairs, count, sizeof(*pairs), compare_pairs);
        *ret = pairs;
        *ret_count = count;
        return 0;
}
