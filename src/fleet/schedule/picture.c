#include "fleet/schedule/picture-internal.h"

#include <assert.h>
#include <errno.h>

#include "fleet/unit/glob.h"

PictureMachine *picture_machine(const Picture *picture, const char *id) {
        return map_get(&picture->machines, slice_from(id));
}

PictureUnit *picture_unit(const Picture *picture, const char *name) {
        PictureName *entry = map_get(&picture->names, slice_from(name));

        return entry ? entry->unit : NULL;
}

const char *picture_machine_metadata(const PictureMachine *machine, const char *key) {
        for (size_t i = 0; i < machine->n_metadata; i++)
                if (str_equals(machine->metadata[i].key, key))
                        return machine->metadata[i].value;
        return NULL;
}

bool picture_occupies(const PictureUnit *unit, const PictureMachine *machine) {
        if (unit->runs_on)
                return unit->runs_on[machine->slot];
        return unit->counted && (unit->target == machine || unit->source == machine);
}

bool picture_admits(const PictureMachine *machine, const UnitRequirements *requirements) {
        if (requirements->machine_id && !machine_id_matches(machine->id, requirements->machine_id))
                return false;
        for (size_t i = 0; i < requirements->n_metadata; i++) {
                const char *value = picture_machine_metadata(machine, requirements->metadata[i].key);

                if (!value || !string_list_contains(&requirements->metadata[i].values, value))
                        return false;
        }
        return true;
}

/* Enters the unit's patterns into the machine's counters, or takes them out (by = -1). */
static void count(const PictureUnit *unit, const PictureMachine *machine, int by) {
        for (size_t i = 0; i < unit->matched.length; i++)
                unit->matched.items[i]->counts[machine->slot].matching += (uint32_t)by;
        for (size_t i = 0; i < unit->conflicts.length; i++)
                unit->conflicts.items[i]->counts[machine->slot].conflicting += (uint32_t)by;
        for (size_t i = 0; i < unit->replaces.length; i++)
                unit->replaces.items[i]->counts[machine->slot].replacing += (uint32_t)by;
}

static int occupy(Picture *picture, PictureUnit *unit, PictureMachine *machine) {
        int r = picture_units_add(&machine->occupants, unit);

        if (r < 0)
                return r;
        count(unit, machine, 1);
        picture_index_load(picture, machine, 1);
        if (unit->matched.length > 0 || unit->conflicts.length > 0 || unit->replaces.length > 0)
                picture_touch_machine(picture, machine); /* others may have to leave */
        machine->memory_used += unit_resources_memory(&unit->resources, machine->memory);
        machine->cpu_used += unit->resources.cpu;
        return 0;
}

static void vacate(Picture *picture, PictureUnit *unit, PictureMachine *machine) {
        picture_units_remove(&machine->occupants, unit);
        count(unit, machine, -1);
        picture_index_load(picture, machine, -1);
        if (unit->name->followers.length > 0)
                picture_touch_machine(picture, machine); /* these must leave, too */
        machine->memory_used -= unit_resources_memory(&unit->resources, machine->memory);
        machine->cpu_used -= unit->resources.cpu;
}

/* For a unit that is not on the machine. */
static bool has_conflict(const PictureUnit *unit, const PictureMachine *machine) {
        for (size_t i = 0; i < unit->conflicts.length; i++)
                if (unit->conflicts.items[i]->counts[machine->slot].matching > 0)
                        return true;
        for (size_t i = 0; i < unit->matched.length; i++)
                if (unit->matched.items[i]->counts[machine->slot].conflicting > 0)
                        return true;
        return false;
}

/* Works out anew which globals run on a machine: all leave, then each in the order of names enters if it may. */
static int settle_globals(Picture *picture, PictureMachine *machine) {
        _cleanup_free_ bool *before = picture->globals.length ? calloc(picture->globals.length, sizeof(*before)) : NULL;

        if (picture->globals.length && !before)
                return -ENOMEM;
        for (size_t i = 0; i < picture->globals.length; i++) {
                PictureUnit *unit = picture->globals.items[i];

                before[i] = unit->runs_on[machine->slot];
                if (!before[i])
                        continue;
                vacate(picture, unit, machine);
                unit->runs_on[machine->slot] = false;
        }
        for (size_t i = 0; i < picture->globals.length && machine->present; i++) {
                PictureUnit *unit = picture->globals.items[i];
                int r;

                if (unit->desired == UNIT_INACTIVE || !picture_admits(machine, unit->requirements) ||
                    has_conflict(unit, machine))
                        continue;
                r = occupy(picture, unit, machine);
                if (r < 0)
                        return r;
                unit->runs_on[machine->slot] = true;
        }
        for (size_t i = 0; i < picture->globals.length; i++)
                machine->globals_changed += picture->globals.items[i]->runs_on[machine->slot] != before[i];
        return 0;
}

static int settle_globals_everywhere(Picture *picture) {
        for (size_t i = 0; i < picture->n_slots; i++) {
                int r = picture->slots[i] ? settle_globals(picture, picture->slots[i]) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Machines */

static void machine_set_metadata(PictureMachine *machine, MetadataPair *metadata, size_t n) {
        for (size_t i = 0; i < machine->n_metadata; i++) {
                free(machine->metadata[i].key);
                free(machine->metadata[i].value);
        }
        free(machine->metadata);
        machine->metadata = metadata;
        machine->n_metadata = n;
}

static void machine_free(PictureMachine *machine) {
        machine_set_metadata(machine, NULL, 0);
        free(machine->occupants.items);
        free(machine->id);
        free(machine->address);
        free(machine);
}

/* More slots: every pattern and every global has an entry for each. */
static int grow_slots(Picture *picture) {
        size_t old = picture->capacity_slots, capacity = old ? old * 2 : 8;
        PictureMachine **slots = reallocarray(picture->slots, capacity, sizeof(*slots));

        if (!slots)
                return -ENOMEM;
        picture->slots = slots;
        for (size_t i = 0; i < picture->patterns.length; i++) {
                PicturePattern *pattern = picture->patterns.items[i];
                PatternCount *counts = reallocarray(pattern->counts, capacity, sizeof(*counts));

                if (!counts)
                        return -ENOMEM;
                pattern->counts = counts;
                memset(counts + old, 0, (capacity - old) * sizeof(*counts));
        }
        for (size_t i = 0; i < picture->globals.length; i++) {
                PictureUnit *unit = picture->globals.items[i];
                bool *runs_on = reallocarray(unit->runs_on, capacity, sizeof(*runs_on));

                if (!runs_on)
                        return -ENOMEM;
                unit->runs_on = runs_on;
                memset(runs_on + old, 0, capacity - old);
        }
        picture->capacity_slots = capacity;
        return 0;
}

static int take_slot(Picture *picture, size_t *ret) {
        int r;

        for (size_t i = 0; i < picture->n_slots; i++)
                if (!picture->slots[i]) {
                        *ret = i;
                        return 0;
                }
        if (picture->n_slots >= PICTURE_MACHINES_MAX)
                return -EMSGSIZE;
        if (picture->n_slots == picture->capacity_slots) {
                r = grow_slots(picture);
                if (r < 0)
                        return r;
        }
        picture->slots[picture->n_slots] = NULL;
        *ret = picture->n_slots++;
        return 0;
}

/* The machine of an ID; an unknown one is made, and is not present. */
static int intern_machine(Picture *picture, const char *id, PictureMachine **ret) {
        PictureMachine *machine = picture_machine(picture, id);
        size_t slot;
        int r;

        if (machine) {
                *ret = machine;
                return 0;
        }
        r = take_slot(picture, &slot);
        if (r < 0)
                return r;
        machine = calloc(1, sizeof(*machine));
        if (!machine)
                return -ENOMEM;
        machine->slot = slot;
        machine->id = strdup(id);
        machine->address = strdup("");
        r = machine->id && machine->address ? map_put(&picture->machines, slice_from(machine->id), machine, NULL)
                                            : -ENOMEM;
        if (r < 0) {
                machine_free(machine);
                return r;
        }
        picture->slots[slot] = machine;
        *ret = machine;
        return 0;
}

/* Forgets a machine that is gone and on which nothing is placed any more. */
static void maybe_forget_machine(Picture *picture, PictureMachine *machine) {
        if (!machine || machine->present || machine->placed > 0)
                return;
        assert(machine->occupants.length == 0);
        picture_untouch_machine(picture, machine);
        (void)map_remove(&picture->machines, slice_from(machine->id));
        picture->slots[machine->slot] = NULL;
        machine_free(machine);
}

static int copy_metadata(const MetadataPair *metadata, size_t n, MetadataPair **ret) {
        MetadataPair *copy = calloc(n ? n : 1, sizeof(*copy));

        for (size_t i = 0; copy && i < n; i++) {
                copy[i] = (MetadataPair){strdup(metadata[i].key), strdup(metadata[i].value)};
                if (copy[i].key && copy[i].value)
                        continue;
                for (size_t j = 0; j <= i; j++) {
                        free(copy[j].key);
                        free(copy[j].value);
                }
                free(copy);
                return -ENOMEM;
        }
        *ret = copy;
        return copy ? 0 : -ENOMEM;
}

int picture_put_machine(Picture *picture, const char *id, const char *address, const MetadataPair *metadata,
                        size_t n_metadata) {
        _cleanup_free_ char *address_copy = strdup(address);
        PictureMachine *machine;
        MetadataPair *copy;
        int r;

        if (!address_copy)
                return -ENOMEM;
        r = intern_machine(picture, id, &machine);
        if (r < 0)
                return r;
        r = copy_metadata(metadata, n_metadata, &copy);
        if (r < 0) {
                maybe_forget_machine(picture, machine);
                return r;
        }
        machine_set_metadata(machine, copy, n_metadata);
        free(machine->address);
        machine->address = take_ptr(address_copy);
        machine->present = true;
        picture_index_drop(picture);
        picture_touch_machine(picture, machine);
        return settle_globals(picture, machine);
}

int picture_remove_machine(Picture *picture, const char *id) {
        PictureMachine *machine = picture_machine(picture, id);
        int r;

        if (!machine)
                return 0;
        machine->present = false;
        picture_index_remove(picture, machine);
        picture_touch_machine(picture, machine);
        r = settle_globals(picture, machine);
        if (r < 0)
                return r;
        maybe_forget_machine(picture, machine);
        return 0;
}

/* Names */

static int intern_name(Picture *picture, const char *text, PictureName **ret) {
        PictureName *name = map_get(&picture->names, slice_from(text));
        int r;

        if (name) {
                *ret = name;
                return 0;
        }
        name = calloc(1, sizeof(*name) + strlen(text) + 1);
        if (!name)
                return -ENOMEM;
        memcpy(name->text, text, strlen(text));
        r = map_put(&picture->names, slice_from(name->text), name, NULL);
        if (r < 0) {
                free(name);
                return r;
        }
        *ret = name;
        return 0;
}

static void name_free(PictureName *name) {
        free(name->followers.items);
        free(name);
}

static void maybe_forget_name(Picture *picture, PictureName *name) {
        if (name->unit || name->followers.length > 0)
                return;
        (void)map_remove(&picture->names, slice_from(name->text));
        name_free(name);
}

static int follow_peers(Picture *picture, PictureUnit *unit) {
        for (size_t i = 0; i < unit->requirements->peers.length; i++) {
                PictureName *name;
                int r = intern_name(picture, unit->requirements->peers.items[i], &name);

                if (r < 0)
                        return r;
                r = picture_units_add(&name->followers, unit);
                if (r < 0) {
                        maybe_forget_name(picture, name);
                        return r;
                }
        }
        return 0;
}

static void unfollow_peers(Picture *picture, PictureUnit *unit) {
        for (size_t i = 0; i < unit->requirements->peers.length; i++) {
                PictureName *name = map_get(&picture->names, slice_from(unit->requirements->peers.items[i]));

                if (!name)
                        continue;
                picture_units_remove(&name->followers, unit);
                maybe_forget_name(picture, name);
        }
}

/* Units */

/* Takes the unit out of all counters: out of its machine, or of all if it is global. */
static void unit_leave(Picture *picture, PictureUnit *unit) {
        for (size_t slot = 0; unit->runs_on && slot < picture->n_slots; slot++)
                if (unit->runs_on[slot]) {
                        vacate(picture, unit, picture->slots[slot]);
                        unit->runs_on[slot] = false;
                }
        if (!unit->counted)
                return;
        vacate(picture, unit, unit->target);
        if (unit->source)
                vacate(picture, unit, unit->source);
        unit->counted = false;
}

/* Puts a unit that is in no counter where it belongs; globals are settled around it. */
static int unit_enter(Picture *picture, PictureUnit *unit) {
        int r;

        if (unit->requirements->global)
                return settle_globals_everywhere(picture);
        if (!unit->target || unit->desired == UNIT_INACTIVE)
                return 0;
        r = occupy(picture, unit, unit->target);
        if (r >= 0 && unit->source) {
                r = occupy(picture, unit, unit->source);
                if (r < 0)
                        vacate(picture, unit, unit->target);
        }
        if (r < 0)
                return r;
        unit->counted = true;
        r = settle_globals(picture, unit->target);
        return r < 0 || !unit->source ? r : settle_globals(picture, unit->source);
}

static int globals_insert(Picture *picture, PictureUnit *unit) {
        PictureUnits *globals = &picture->globals;
        size_t at = 0;
        int r;

        unit->runs_on = calloc(picture->capacity_slots ? picture->capacity_slots : 1, sizeof(*unit->runs_on));
        if (!unit->runs_on)
                return -ENOMEM;
        r = picture_units_add(globals, unit);
        if (r < 0) {
                free(unit->runs_on);
                unit->runs_on = NULL;
                return r;
        }
        while (at < globals->length - 1 && strcmp(globals->items[at]->name->text, unit->name->text) < 0)
                at++;
        memmove(&globals->items[at + 1], &globals->items[at], (globals->length - 1 - at) * sizeof(PictureUnit *));
        globals->items[at] = unit;
        return 0;
}

static void globals_remove(Picture *picture, PictureUnit *unit) {
        PictureUnits *globals = &picture->globals;

        for (size_t i = 0; i < globals->length; i++)
                if (globals->items[i] == unit) {
                        globals->length--;
                        memmove(&globals->items[i], &globals->items[i + 1],
                                (globals->length - i) * sizeof(PictureUnit *));
                        break;
                }
        free(unit->runs_on);
        unit->runs_on = NULL;
}

/* Empties what the requirements brought about. The unit is in no counter after. */
static void unit_drop_requirements(Picture *picture, PictureUnit *unit) {
        unit_leave(picture, unit);
        if (unit->runs_on)
                globals_remove(picture, unit);
        unfollow_peers(picture, unit);
        picture_withdraw(picture, &unit->conflicts);
        picture_withdraw(picture, &unit->replaces);
        picture_withdraw(picture, &unit->avoids);
        picture_leave_group(picture, unit);
        picture_leave_class(picture, unit);
        picture_free_requirements(unit);
}

static int unit_take_requirements(Picture *picture, PictureUnit *unit, UnitRequirements *requirements) {
        int r = picture_take_requirements(unit, requirements);

        if (r < 0)
                return r;
        if (unit->requirements->global) {
                r = globals_insert(picture, unit);
                if (r < 0) {
                        picture_free_requirements(unit); /* so that it is not taken for one that has runs_on */
                        return r;
                }
        }
        r = follow_peers(picture, unit);
        if (r < 0)
                return r;
        r = picture_declare(picture, &unit->requirements->conflicts, &unit->conflicts);
        if (r >= 0)
                r = picture_declare(picture, &unit->requirements->replaces, &unit->replaces);
        if (r >= 0)
                r = picture_declare(picture, &unit->requirements->avoids, &unit->avoids);
        if (r >= 0)
                r = picture_join_class(picture, unit);
        return r < 0 ? r : picture_join_group(picture, unit);
}

static void unit_free(PictureUnit *unit) {
        picture_free_requirements(unit);
        picture_bans_free(unit->bans, unit->n_bans);
        free(unit->avoids.items);
        free(unit->conflicts.items);
        free(unit->replaces.items);
        free(unit->matched.items);
        free(unit->runs_on);
        free(unit);
}

/* A new unit finds the patterns that match its name. */
static int unit_match_all(Picture *picture, PictureUnit *unit) {
        Slice name = slice_from(unit->name->text);
        PicturePattern *same = map_get(&picture->pattern_by_text, name);
        int r;

        if (same && same->literal) {
                r = picture_match_unit(same, unit);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < picture->patterns.length; i++) {
                PicturePattern *pattern = picture->patterns.items[i];

                if (pattern->literal || !glob_matches(slice_from(pattern->text), name))
                        continue;
                r = picture_match_unit(pattern, unit);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_unit(Picture *picture, const char *name, PictureUnit **ret) {
        PictureUnit *unit;
        PictureName *entry;
        int r;

        if (picture->units.length >= PICTURE_UNITS_MAX)
                return -EMSGSIZE;
        r = intern_name(picture, name, &entry);
        if (r < 0)
                return r;
        unit = calloc(1, sizeof(*unit));
        r = unit ? picture_units_add(&picture->units, unit) : -ENOMEM;
        if (r < 0) {
                free(unit);
                maybe_forget_name(picture, entry);
                return r;
        }
        unit->name = entry;
        unit->requirements = &unit_requirements_plain;
        unit->position = picture->units.length - 1;
        entry->unit = unit;
        r = unit_match_all(picture, unit);
        if (r < 0) {
                picture_remove_unit(picture, name);
                return r;
        }
        *ret = unit;
        return 0;
}

int picture_put_unit(Picture *picture, const char *name, UnitRequirements *requirements, UnitState desired,
                     uint64_t order) {
        PictureUnit *unit = picture_unit(picture, name);
        bool was_global = unit && unit->requirements->global;
        PictureMachine *left[] = {unit ? unit->target : NULL, unit ? unit->source : NULL};
        int r = 0;

        if (!unit)
                r = add_unit(picture, name, &unit);
        else
                unit_drop_requirements(picture, unit);
        if (r < 0) {
                unit_requirements_deinit(requirements);
                return r;
        }
        r = unit_take_requirements(picture, unit, requirements);
        if (r < 0)
                return r;
        unit->desired = desired;
        unit->order = order;
        picture_touch_unit(picture, unit);
        r = unit_enter(picture, unit);
        if (r >= 0 && was_global && !unit->requirements->global)
                r = settle_globals_everywhere(picture);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(left); i++)
                if (left[i])
                        r = settle_globals(picture, left[i]);
        return r;
}

void picture_remove_unit(Picture *picture, const char *name) {
        PictureUnit *unit = picture_unit(picture, name);
        PictureMachine *left[2];
        bool was_global;

        if (!unit)
                return;
        left[0] = unit->target;
        left[1] = unit->source;
        was_global = unit->requirements->global;
        unit_drop_requirements(picture, unit);
        for (size_t i = 0; i < ARRAY_SIZE(left); i++)
                if (left[i])
                        left[i]->placed--;
        for (size_t i = 0; i < unit->matched.length; i++)
                picture_units_remove(&unit->matched.items[i]->matches, unit);
        picture_touch_unit(picture, unit); /* for its followers */
        picture_untouch_unit(picture, unit);
        picture->units.items[unit->position] = picture->units.items[--picture->units.length];
        picture->units.items[unit->position]->position = unit->position;
        picture->moving -= unit->source != NULL;
        unit->name->unit = NULL;
        maybe_forget_name(picture, unit->name);
        unit_free(unit);
        /* globals that had given way may come; a machine that has no memory for that stays as it is */
        if (was_global)
                (void)settle_globals_everywhere(picture);
        for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
                if (left[i] && !was_global)
                        (void)settle_globals(picture, left[i]);
                maybe_forget_machine(picture, left[i]);
        }
}

int picture_set_desired(Picture *picture, const char *name, UnitState desired) {
        PictureUnit *unit = picture_unit(picture, name);
        int r;

        if (!unit)
                return -ENOENT;
        if (unit->desired == desired)
                return 0;
        picture_touch_unit(picture, unit);
        unit_leave(picture, unit);
        unit->desired = desired;
        r = unit_enter(picture, unit);
        if (r >= 0 && unit->target && !unit->requirements->global)
                r = settle_globals(picture, unit->target);
        return r;
}

/* What a unit no longer runs on may be free for a global, or for nobody. */
static int settle_left(Picture *picture, PictureMachine *machine) {
        int r = machine ? settle_globals(picture, machine) : 0;

        maybe_forget_machine(picture, machine);
        return r;
}

int picture_set_placement(Picture *picture, const char *name, const char *machine_id, const char *source_id) {
        PictureUnit *unit = picture_unit(picture, name);
        PictureMachine *machine = NULL, *source = NULL, *left, *left_source;
        int r = 0;

        if (!unit)
                return -ENOENT;
        if (machine_id)
                r = intern_machine(picture, machine_id, &machine);
        if (r >= 0 && machine_id && source_id && !unit->requirements->global)
                r = intern_machine(picture, source_id, &source);
        if (r < 0)
                return r;
        if (source == machine)
                source = NULL;
        left = unit->target;
        left_source = unit->source;
        if (left == machine && left_source == source)
                return 0;
        picture_touch_unit(picture, unit);
        if (!unit->requirements->global)
                unit_leave(picture, unit);
        unit->target = machine;
        picture->moving += source != NULL;
        picture->moving -= left_source != NULL;
        unit->source = source;
        if (machine)
                machine->placed++;
        if (source)
                source->placed++;
        if (left)
                left->placed--;
        if (left_source)
                left_source->placed--;
        r = unit->requirements->global ? 0 : unit_enter(picture, unit);
        if (left_source == left)
                left_source = NULL;
        if (r >= 0)
                r = settle_left(picture, left);
        return r < 0 ? r : settle_left(picture, left_source);
}

int picture_set_target(Picture *picture, const char *name, const char *machine_id) {
        return picture_set_placement(picture, name, machine_id, NULL);
}

void picture_deinit(Picture *picture) {
        map_foreach(&picture->names, entry)
                name_free(entry->value);
        map_foreach(&picture->machines, entry)
                machine_free(entry->value);
        for (size_t i = 0; i < picture->units.length; i++)
                unit_free(picture->units.items[i]);
        for (size_t i = 0; i < picture->patterns.length; i++)
                picture_pattern_free(picture->patterns.items[i]);
        map_foreach(&picture->groups, entry)
                picture_group_free(entry->value);
        map_deinit(&picture->groups);
        map_foreach(&picture->classes, entry)
                picture_class_free(entry->value);
        map_deinit(&picture->classes);
        picture_index_drop(picture);
        free(picture->touched.items);
        free(picture->touched_machines);
        map_deinit(&picture->names);
        map_deinit(&picture->machines);
        map_deinit(&picture->pattern_by_text);
        free(picture->units.items);
        free(picture->globals.items);
        free(picture->patterns.items);
        free(picture->slots);
        *picture = (Picture){0};
}
