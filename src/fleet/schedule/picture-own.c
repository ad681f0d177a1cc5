/* What a unit asks for, and what the picture has beyond fleet 1.0: groups that spread, bans, cordons, capacities; and copies of it. */
#include <errno.h>

#include "fleet/schedule/picture-internal.h"

/* ---- what it asks for ---- */

void picture_free_requirements(PictureUnit *unit) {
        UnitRequirements *own = unit->requirements == &unit_requirements_plain ? NULL : (UnitRequirements *)unit->requirements;

        unit->requirements = &unit_requirements_plain;
        unit->resources = (UnitResources){0};
        if (own)
                unit_requirements_deinit(own);
        free(own);
}

int picture_take_requirements(PictureUnit *unit, UnitRequirements *requirements) {
        UnitRequirements *own;

        if (unit_requirements_are_plain(requirements)) {
                unit->resources = requirements->resources;
                unit_requirements_deinit(requirements);
                return 0;
        }
        own = malloc(sizeof(*own));
        if (!own) {
                unit_requirements_deinit(requirements);
                return -ENOMEM;
        }
        *own = *requirements;
        *requirements = (UnitRequirements){0};
        unit->requirements = own;
        unit->resources = own->resources;
        return 0;
}

int picture_unit_requirements(const PictureUnit *unit, UnitRequirements *ret) {
        int r = unit_requirements_copy(unit->requirements, ret);

        if (r >= 0)
                ret->resources = unit->resources;
        return r;
}

/* ---- groups ---- */

void picture_group_free(PictureGroup *group) {
        free(group->members.items);
        free(group->text);
        free(group);
}

static PictureGroup *intern_group(Picture *picture, const UnitRequirements *requirements) {
        _cleanup_free_ char *text = str_printf("%s %s", requirements->spread, requirements->spread_group);
        PictureGroup *group = text ? map_get(&picture->groups, slice_from(text)) : NULL;

        if (group || !text)
                return group;
        group = calloc(1, sizeof(*group));
        if (!group)
                return NULL;
        group->text = take_ptr(text);
        if (map_put(&picture->groups, slice_from(group->text), group, NULL) < 0) {
                picture_group_free(group);
                return NULL;
        }
        return group;
}

static void maybe_forget_group(Picture *picture, PictureGroup *group) {
        if (group->members.length > 0)
                return;
        (void)map_remove(&picture->groups, slice_from(group->text));
        picture_group_free(group);
}

int picture_join_group(Picture *picture, PictureUnit *unit) {
        PictureGroup *group;
        int r;

        if (!unit->requirements->spread)
                return 0;
        group = intern_group(picture, unit->requirements);
        if (!group)
                return -ENOMEM;
        r = picture_units_add(&group->members, unit);
        if (r < 0) {
                maybe_forget_group(picture, group);
                return r;
        }
        unit->group = group;
        return 0;
}

void picture_leave_group(Picture *picture, PictureUnit *unit) {
        PictureGroup *group = unit->group;

        if (!group)
                return;
        unit->group = NULL;
        picture_units_remove(&group->members, unit);
        maybe_forget_group(picture, group);
}

/* ---- machines ---- */

int picture_set_capacity(Picture *picture, const char *id, uint64_t memory, uint64_t cpu) {
        PictureMachine *machine = picture_machine(picture, id);

        if (!machine)
                return -ENOENT;
        picture_touch_machine(picture, machine);
        machine->memory = memory;
        machine->cpu = cpu;
        machine->memory_used = 0; /* some ask for a part of what there is */
        for (size_t i = 0; i < machine->occupants.length; i++)
                machine->memory_used += unit_resources_memory(&machine->occupants.items[i]->resources, memory);
        return 0;
}

int picture_set_cordon(Picture *picture, const char *id, PictureCordon cordon) {
        PictureMachine *machine = picture_machine(picture, id);

        if (!machine)
                return -ENOENT;
        if (cordon != CORDON_NONE)
                picture_index_remove(picture, machine);
        else if (machine->cordon != CORDON_NONE)
                picture_index_drop(picture);
        machine->cordon = cordon;
        picture_touch_machine(picture, machine);
        return 0;
}

/* ---- bans ---- */

void picture_bans_free(PictureBan *bans, size_t count) {
        for (size_t i = 0; i < count; i++) {
                free(bans[i].machine_id);
                free(bans[i].reason);
        }
        free(bans);
}

int picture_set_bans(Picture *picture, const char *name, const PictureBan *bans, size_t count) {
        PictureUnit *unit = picture_unit(picture, name);
        PictureBan *copy;

        if (!unit)
                return -ENOENT;
        copy = calloc(count + 1, sizeof(*copy));
        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                copy[i] = (PictureBan){strdup(bans[i].machine_id), strdup(bans[i].reason)};
                if (!copy[i].machine_id || !copy[i].reason) {
                        picture_bans_free(copy, i + 1);
                        return -ENOMEM;
                }
        }
        picture_bans_free(unit->bans, unit->n_bans);
        unit->bans = copy;
        picture_touch_unit(picture, unit);
        unit->n_bans = count;
        return 0;
}

int picture_add_ban(Picture *picture, const char *name, const char *machine_id, const char *reason) {
        PictureUnit *unit = picture_unit(picture, name);
        PictureBan *larger, ban;

        if (!unit)
                return -ENOENT;
        larger = reallocarray(unit->bans, unit->n_bans + 1, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        unit->bans = larger;
        ban = (PictureBan){strdup(machine_id), strdup(reason)};
        if (!ban.machine_id || !ban.reason) {
                free(ban.machine_id);
                free(ban.reason);
                return -ENOMEM;
        }
        larger[unit->n_bans++] = ban;
        picture_touch_unit(picture, unit);
        return 0;
}

const PictureBan *picture_ban(const PictureUnit *unit, const PictureMachine *machine) {
        for (size_t i = 0; i < unit->n_bans; i++)
                if (str_equals(unit->bans[i].machine_id, machine->id))
                        return &unit->bans[i];
        return NULL;
}

/* ---- copies ---- */

static int copy_machine(const PictureMachine *machine, Picture *to) {
        int r = picture_put_machine(to, machine->id, machine->address, machine->metadata, machine->n_metadata);

        if (r >= 0)
                r = picture_set_capacity(to, machine->id, machine->memory, machine->cpu);
        return r < 0 ? r : picture_set_cordon(to, machine->id, machine->cordon);
}

static int copy_unit(const PictureUnit *unit, Picture *to) {
        UnitRequirements requirements;
        const char *name = picture_unit_name(unit);
        int r = picture_unit_requirements(unit, &requirements);

        if (r < 0)
                return r;
        r = picture_put_unit(to, name, &requirements, unit->desired, unit->order);
        if (r >= 0)
                r = picture_set_placement(to, name, unit->target ? unit->target->id : NULL, unit->source ? unit->source->id : NULL);
        return r < 0 ? r : picture_set_bans(to, name, unit->bans, unit->n_bans);
}

int picture_copy(const Picture *picture, Picture *ret) {
        Picture copy = {0};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < picture->n_slots; i++)
                if (picture->slots[i] && picture->slots[i]->present)
                        r = copy_machine(picture->slots[i], &copy);
        for (size_t i = 0; r >= 0 && i < picture->units.length; i++)
                r = copy_unit(picture->units.items[i], &copy);
        if (r < 0) {
                picture_deinit(&copy);
                return r;
        }
        *ret = copy;
        return 0;
}
