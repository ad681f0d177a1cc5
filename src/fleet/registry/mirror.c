/* The mirror: keys of the store become machines, units, placements and states. */
#include <errno.h>

#include "fleet/registry/internal.h"

enum { KEY_PARTS_MAX = 5 };

typedef struct KeyParts {
        char *parts[KEY_PARTS_MAX];
        size_t length;
        char *memory;
} KeyParts;

static void key_parts_deinit(KeyParts *key) {
        free(key->memory);
}

/* What stands behind the prefix, cut at the slashes. False: not ours. */
static bool key_split(const Registry *registry, const char *text, KeyParts *ret) {
        char *save = NULL;

        *ret = (KeyParts){0};
        if (!str_starts_with(text, registry->prefix))
                return false;
        ret->memory = strdup(text + strlen(registry->prefix));
        if (!ret->memory)
                return false;
        for (char *part = strtok_r(ret->memory, "/", &save); part && ret->length < KEY_PARTS_MAX; part = strtok_r(NULL, "/", &save))
                ret->parts[ret->length++] = part;
        return true;
}

void mirror_tell(Registry *registry, bool quiet, RegistryChange change, const char *subject) {
        if (!quiet)
                registry->events->changed(registry->userdata, change, subject);
}

/* ---- machines ---- */

static void state_free(RegistryState *state) {
        free(state->unit);
        state_record_deinit(&state->record);
        free(state);
}

static void machine_clear_states(RegistryMachine *machine) {
        map_foreach(&machine->states, entry)
                state_free(entry->value);
        map_deinit(&machine->states);
}

static void machine_free(RegistryMachine *machine) {
        machine_clear_states(machine);
        machine_record_deinit(&machine->record);
        metadata_pairs_free(machine->changed, machine->n_changed);
        free(machine->id);
        free(machine);
}

static RegistryMachine *machine_get(Registry *registry, const char *id) {
        RegistryMachine *machine = registry_machine(registry, id);

        if (machine)
                return machine;
        machine = calloc(1, sizeof(*machine));
        if (!machine)
                return NULL;
        machine->id = strdup(id);
        if (!machine->id || map_put(&registry->machines, slice_from(machine->id), machine, NULL) < 0) {
                free(machine->id);
                free(machine);
                return NULL;
        }
        return machine;
}

static int mirror_machine(Registry *registry, const char *id, const char *value, bool quiet) {
        RegistryMachine *machine;
        MachineRecord record;
        int r;

        r = machine_record_read(value, &record);
        if (r < 0)
                return r == -EBADMSG ? 0 : r; /* what somebody else wrote there is no machine */
        machine = machine_get(registry, id);
        if (!machine) {
                machine_record_deinit(&record);
                return -ENOMEM;
        }
        machine_record_deinit(&machine->record);
        machine->record = record;
        machine->present = true;
        mirror_tell(registry, quiet, REGISTRY_MACHINE, id);
        return 0;
}

static int mirror_metadata(Registry *registry, const char *id, const char *key, const char *value, bool quiet) {
        RegistryMachine *machine = machine_get(registry, id);
        MetadataPair *pairs;
        char *copy;

        if (!machine)
                return -ENOMEM;
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < machine->n_changed; i++)
                if (str_equals(machine->changed[i].key, key)) {
                        free(machine->changed[i].value);
                        machine->changed[i].value = copy;
                        mirror_tell(registry, quiet, REGISTRY_MACHINE, id);
                        return 0;
                }
        pairs = reallocarray(machine->changed, machine->n_changed + 1, sizeof(*pairs));
        if (pairs)
                machine->changed = pairs;
        if (!pairs || !(pairs[machine->n_changed].key = strdup(key))) {
                free(copy);
                return -ENOMEM;
        }
        pairs[machine->n_changed++].value = copy;
        mirror_tell(registry, quiet, REGISTRY_MACHINE, id);
        return 0;
}

static int mirror_cordon(Registry *registry, const char *id, const char *value, bool quiet) {
        RegistryMachine *machine = machine_get(registry, id);

        if (!machine)
                return -ENOMEM;
        if (cordon_read(value, &machine->cordon) < 0)
                machine->cordon = CORDON_CLOSED; /* a mark of a later version: to keep off is the safe side */
        mirror_tell(registry, quiet, REGISTRY_MACHINE, id);
        return 0;
}

static void cordon_gone(Registry *registry, const char *id, bool quiet) {
        RegistryMachine *machine = registry_machine(registry, id);

        if (!machine)
                return;
        machine->cordon = CORDON_NONE;
        mirror_tell(registry, quiet, REGISTRY_MACHINE, id);
}

static int mirror_state(Registry *registry, const char *id, const char *unit, const char *value, bool quiet) {
        RegistryMachine *machine = machine_get(registry, id);
        RegistryState *state;
        StateRecord record;
        int r;

        if (!machine)
                return -ENOMEM;
        r = state_record_read(value, &record);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        state = map_get(&machine->states, slice_from(unit));
        if (!state) {
                state = calloc(1, sizeof(*state));
                if (state)
                        state->unit = strdup(unit);
                if (!state || !state->unit || map_put(&machine->states, slice_from(state->unit), state, NULL) < 0) {
                        if (state)
                                state_free(state);
                        state_record_deinit(&record);
                        return -ENOMEM;
                }
        }
        state_record_deinit(&state->record);
        state->record = record;
        mirror_tell(registry, quiet, REGISTRY_STATE, unit);
        return 0;
}

/* ---- units ---- */

static void unit_free(RegistryUnit *unit) {
        free(unit->name);
        mirror_unit_drop_text(unit);
        free(unit->hash);
        mirror_clear_placements(unit);
        free(unit);
}

static RegistryUnit *unit_get(Registry *registry, const char *name) {
        RegistryUnit *unit = registry_unit(registry, name);

        if (unit)
                return unit;
        unit = calloc(1, sizeof(*unit));
        if (!unit)
                return NULL;
        list_init(&unit->lacking);
        unit->name = strdup(name);
        if (!unit->name || map_put(&registry->units, slice_from(unit->name), unit, NULL) < 0) {
                unit_free(unit);
                return NULL;
        }
        return unit;
}

static int mirror_unit(Registry *registry, const char *name, const char *what, const char *value, uint64_t created, bool quiet) {
        RegistryUnit *unit = unit_get(registry, name);
        int r = 0;

        if (!unit)
                return -ENOMEM;
        if (str_equals(what, "object")) {
                free(unit->hash);
                unit->hash = strdup(value);
                if (!unit->hash)
                        return -ENOMEM;
                unit->order = created;
                mirror_unit_fill_text(registry, unit);
        } else if (str_equals(what, "target-state")) {
                (void)unit_state_from_string(value, &unit->desired, NULL); /* nonsense changes nothing */
                unit->desired_index = created; /* a set makes the node anew */
        }
        if (r >= 0)
                mirror_tell(registry, quiet, REGISTRY_UNIT, name);
        return r;
}

static int mirror_placement(Registry *registry, const char *machine, const char *name, const char *value, uint64_t created,
                            bool quiet) {
        RegistryUnit *unit = unit_get(registry, name);
        int r = unit ? mirror_add_placement(registry, unit, machine, value, created) : -ENOMEM;

        if (r >= 0)
                mirror_tell(registry, quiet, REGISTRY_PLACEMENT, name);
        return r;
}

static void placement_gone(Registry *registry, const char *machine, const char *name, bool quiet) {
        RegistryUnit *unit = registry_unit(registry, name);

        if (!unit)
                return;
        mirror_remove_placement(registry, unit, machine);
        if (!unit->hash && unit->n_placements == 0 && !unit->desired_index) { /* it was destroyed before */
                (void)map_remove(&registry->units, slice_from(name));
                unit_free(unit);
        }
        mirror_tell(registry, quiet, REGISTRY_PLACEMENT, name);
}

/* A unit without an object is only the shadow of a placement. */
static void unit_gone(Registry *registry, const char *name, const char *what, bool quiet) {
        RegistryUnit *unit = registry_unit(registry, name);
        _cleanup_free_ char *kept = NULL;

        if (!unit)
                return;
        if (what && str_equals(what, "target-state") && (unit->hash || unit->n_placements > 0)) {
                unit->desired = UNIT_INACTIVE;
                unit->desired_index = 0;
                mirror_tell(registry, quiet, REGISTRY_UNIT, name);
                return;
        }
        kept = strdup(name);
        if (unit->n_placements > 0) {
                mirror_unit_drop_text(unit);
                free(unit->hash);
                unit->hash = NULL;
                unit->desired = UNIT_INACTIVE;
                unit->desired_index = 0;
        } else {
                (void)map_remove(&registry->units, slice_from(name));
                unit_free(unit);
        }
        if (kept)
                mirror_tell(registry, quiet, REGISTRY_UNIT, kept);
}

/* ---- keys ---- */

static int mirror_lease(Registry *registry, const char *value, bool quiet) {
        char *machine;
        int r = lease_read(value, &machine);

        if (r < 0)
                return r;
        free(registry->leader);
        registry->leader = machine;
        mirror_tell(registry, quiet, REGISTRY_LEASE, machine);
        return 0;
}

/* What is ordered for a unit: bans, moves, another text step by step. */
static int mirror_order(Registry *registry, const KeyParts *key, const char *value, bool quiet) {
        const char *kind = key->parts[0], *unit = key->parts[1];
        int r;

        if (str_equals(kind, "ban") && key->length == 3)
                r = mirror_ban(registry, unit, key->parts[2], value);
        else if (str_equals(kind, "move") && key->length == 2)
                r = mirror_move(registry, unit, value);
        else if (str_equals(kind, "roll") && key->length == 2)
                r = mirror_roll(registry, unit, value);
        else
                return 0;
        if (r >= 0)
                mirror_tell(registry, quiet, REGISTRY_UNIT, unit);
        return r;
}

int mirror_node(Registry *registry, const char *text, const char *value, uint64_t created, bool quiet) {
        _cleanup_(key_parts_deinit) KeyParts key;
        char **part = key.parts;

        if (!key_split(registry, text, &key) || key.length < 2 || !value)
                return 0;
        if (str_equals(part[0], "machines") && key.length == 3 && str_equals(part[2], "object"))
                return mirror_machine(registry, part[1], value, quiet);
        if (str_equals(part[0], "machines") && key.length == 4 && str_equals(part[2], "metadata"))
                return mirror_metadata(registry, part[1], part[3], value, quiet);
        if (str_equals(part[0], "unit") && key.length == 2)
                return mirror_text(registry, part[1], value, created, quiet); /* a set makes the node anew */
        if (str_equals(part[0], "job") && key.length == 3)
                return mirror_unit(registry, part[1], part[2], value, created, quiet);
        if (str_equals(part[0], "schedule") && key.length == 3)
                return mirror_placement(registry, part[1], part[2], value, created, quiet);
        if (str_equals(part[0], "states") && key.length == 3)
                return mirror_state(registry, part[1], part[2], value, quiet);
        if (str_equals(part[0], "cordon") && key.length == 2)
                return mirror_cordon(registry, part[1], value, quiet);
        if (str_equals(part[0], "lease") && str_equals(part[1], "engine-leader"))
                return mirror_lease(registry, value, quiet);
        return mirror_order(registry, &key, value, quiet);
}

static void machine_gone(Registry *registry, const char *id, const char *what, const char *key, bool quiet) {
        RegistryMachine *machine = registry_machine(registry, id);

        if (!machine)
                return;
        if (!what || str_equals(what, "object"))
                machine->present = false;
        if (!what || str_equals(what, "metadata"))
                for (size_t i = machine->n_changed; i > 0; i--) {
                        MetadataPair *pair = &machine->changed[i - 1];

                        if (key && !str_equals(pair->key, key))
                                continue;
                        free(pair->key);
                        free(pair->value);
                        *pair = machine->changed[--machine->n_changed];
                }
        mirror_tell(registry, quiet, REGISTRY_MACHINE, id);
}

static void states_gone(Registry *registry, const char *id, const char *unit, bool quiet) {
        RegistryMachine *machine = registry_machine(registry, id);
        RegistryState *state;

        if (!machine)
                return;
        if (!unit) {
                machine_clear_states(machine);
                mirror_tell(registry, quiet, REGISTRY_STATE, NULL);
                return;
        }
        state = map_remove(&machine->states, slice_from(unit));
        if (state)
                state_free(state);
        mirror_tell(registry, quiet, REGISTRY_STATE, unit);
}

static void lease_gone(Registry *registry, bool quiet) {
        free(registry->leader);
        registry->leader = NULL;
        mirror_tell(registry, quiet, REGISTRY_LEASE, NULL);
}

static void order_gone(Registry *registry, const KeyParts *key, bool quiet) {
        const char *kind = key->parts[0], *unit = key->parts[1];

        if (str_equals(kind, "ban"))
                mirror_ban_gone(registry, unit, key->length > 2 ? key->parts[2] : NULL);
        else if (str_equals(kind, "move"))
                mirror_move_gone(registry, unit);
        else if (str_equals(kind, "roll"))
                mirror_roll_gone(registry, unit);
        else
                return;
        mirror_tell(registry, quiet, REGISTRY_UNIT, unit);
}

/* A directory's going is that of all below it; of those above the first level only a person's hand does that, and the
 * mirror is then loaded anew. */
void mirror_gone(Registry *registry, const char *text, bool quiet) {
        _cleanup_(key_parts_deinit) KeyParts key;
        char **part = key.parts;

        if (!key_split(registry, text, &key) || key.length < 2)
                return;
        if (str_equals(part[0], "machines"))
                machine_gone(registry, part[1], key.length > 2 ? part[2] : NULL, key.length > 3 ? part[3] : NULL, quiet);
        else if (str_equals(part[0], "unit"))
                mirror_text_gone(registry, part[1]);
        else if (str_equals(part[0], "job"))
                unit_gone(registry, part[1], key.length > 2 ? part[2] : NULL, quiet);
        else if (str_equals(part[0], "schedule") && key.length == 3)
                placement_gone(registry, part[1], part[2], quiet);
        else if (str_equals(part[0], "cordon"))
                cordon_gone(registry, part[1], quiet);
        else if (str_equals(part[0], "states"))
                states_gone(registry, part[1], key.length > 2 ? part[2] : NULL, quiet);
        else if (str_equals(part[0], "lease"))
                lease_gone(registry, quiet);
        else
                order_gone(registry, &key, quiet);
}

void mirror_clear(Registry *registry) {
        mirror_clear_orders(registry);
        mirror_clear_rolls(registry);
        map_foreach(&registry->machines, entry)
                machine_free(entry->value);
        map_deinit(&registry->machines);
        map_foreach(&registry->units, entry)
                unit_free(entry->value);
        map_deinit(&registry->units);
        mirror_clear_texts(registry);
        registry->split = 0;
        free(registry->leader);
        registry->leader = NULL;
}
