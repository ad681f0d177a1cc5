#include "fleet/agent/touched.h"

#include <stdlib.h>
#include <string.h>

/* Where more are touched, looking at all is no dearer. */
enum { TOUCHED_MAX = 4096 };

void touched_deinit(Touched *touched) {
        map_foreach(&touched->names, entry)
                free(entry->value);
        map_deinit(&touched->names);
        *touched = (Touched){0};
}

static void touched_make_all(Touched *touched) {
        touched_deinit(touched);
        touched->all = true;
}

/* Takes over the name. */
static bool add_name(Touched *touched, char *name) {
        if (name && map_get(&touched->names, slice_from(name))) {
                free(name);
                return true;
        }
        if (!name || touched->names.length == TOUCHED_MAX || map_put(&touched->names, slice_from(name), name, NULL) < 0) {
                free(name);
                return false;
        }
        return true;
}

void touched_add(Touched *touched, const char *unit) {
        static const char *const suffixes[] = {".service", ".socket", ".timer", ".path"};
        const char *dot = unit ? strrchr(unit, '.') : NULL;
        bool added = unit != NULL, starts = false;

        if (touched->all)
                return;
        for (size_t i = 0; dot && i < ARRAY_SIZE(suffixes); i++)
                starts = starts || str_equals(dot, suffixes[i]);
        if (unit && !starts)
                added = add_name(touched, strdup(unit));
        for (size_t i = 0; added && starts && i < ARRAY_SIZE(suffixes); i++)
                added = add_name(touched, str_printf("%.*s%s", (int)(dot - unit), unit, suffixes[i]));
        if (!added)
                touched_make_all(touched);
}
