/* Notes of what has changed. */
#include "fleet/schedule/picture-touch.h"

#include <errno.h>

#include "fleet/schedule/picture-internal.h"

void picture_touch_machine(Picture *picture, PictureMachine *machine) {
        if (machine->touched)
                return;
        if (picture->n_touched_machines == picture->capacity_touched_machines) {
                size_t capacity = picture->capacity_touched_machines ? picture->capacity_touched_machines * 2 : 64;
                PictureMachine **larger = reallocarray(picture->touched_machines, capacity, sizeof(*larger));

                if (!larger) {
                        picture->touched_all = true;
                        return;
                }
                picture->touched_machines = larger;
                picture->capacity_touched_machines = capacity;
        }
        picture->touched_machines[picture->n_touched_machines++] = machine;
        machine->touched = true;
}

void picture_keep_touched(Picture *picture, PictureUnit *unit) {
        if (unit->touched)
                return;
        if (picture_units_add(&picture->touched, unit) < 0)
                picture->touched_all = true;
        else
                unit->touched = true;
}

void picture_touch_unit(Picture *picture, PictureUnit *unit) {
        picture_keep_touched(picture, unit);
        for (size_t i = 0; i < unit->name->followers.length; i++)
                picture_keep_touched(picture, unit->name->followers.items[i]);
}

void picture_untouch_unit(Picture *picture, PictureUnit *unit) {
        if (unit->touched)
                picture_units_remove(&picture->touched, unit);
        unit->touched = false;
}

void picture_untouch_machine(Picture *picture, PictureMachine *machine) {
        for (size_t i = 0; machine->touched && i < picture->n_touched_machines; i++)
                if (picture->touched_machines[i] == machine) {
                        picture->touched_machines[i] = picture->touched_machines[--picture->n_touched_machines];
                        break;
                }
        machine->touched = false;
}

static size_t count_at_most(const Picture *picture) {
        size_t count = picture->touched.length;

        for (size_t i = 0; i < picture->n_touched_machines; i++)
                count += picture->touched_machines[i]->occupants.length;
        return picture->touched_all ? picture->units.length : min_of(count, picture->units.length);
}

int picture_take_touched(Picture *picture, PictureUnit ***ret, size_t *ret_count) {
        size_t most = count_at_most(picture), count = 0;
        PictureUnit **units = calloc(most + 1, sizeof(*units));

        if (!units)
                return -ENOMEM;
        for (size_t i = 0; i < picture->n_touched_machines; i++) {
                const PictureUnits *occupants = &picture->touched_machines[i]->occupants;

                for (size_t j = 0; j < occupants->length && !picture->touched_all; j++)
                        if (!occupants->items[j]->touched) {
                                occupants->items[j]->touched = true; /* here: it is taken */
                                units[count++] = occupants->items[j];
                        }
                picture->touched_machines[i]->touched = false;
        }
        for (size_t i = 0; i < picture->touched.length && !picture->touched_all; i++)
                units[count++] = picture->touched.items[i];
        for (size_t i = 0; i < picture->units.length && picture->touched_all; i++)
                units[count++] = picture->units.items[i];
        for (size_t i = 0; i < count; i++)
                units[i]->touched = false;
        picture->touched.length = picture->n_touched_machines = 0;
        picture->touched_all = false;
        *ret = units;
        *ret_count = count;
        return 0;
}
