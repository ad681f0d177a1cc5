/* Conditions of a unit that look at files. */
#include <sys/stat.h>

#include "machine/system-units.h"

static bool path_exists(const char *path) {
        return access(path, F_OK) == 0;
}

static bool file_not_empty(const char *path) {
        struct stat status;

        return stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
}

static const struct {
        const char *name;
        bool (*holds)(const char *path);
} conditions[] = {
        {"ConditionPathExists", path_exists},
        {"ConditionFileNotEmpty", file_not_empty},
};

typedef struct Verdict {
        bool all;                        /* of those that must hold */
        bool any_triggered, any_trigger; /* of those marked with '|' at least one must */
} Verdict;

static void look_at_one(const UnitOption *option, bool (*holds)(const char *path), Verdict *verdict, Buffer *why) {
        const char *path = option->value;
        bool trigger = *path == '|', negate, held;

        path += trigger;
        negate = *path == '!';
        path += negate;
        held = holds(path) != negate;
        verdict->any_trigger |= trigger;
        verdict->any_triggered |= trigger && held;
        if (!trigger)
                verdict->all = verdict->all && held;
        if (!held && buffer_length(why) == 0)
                (void)buffer_printf(why, "%s=%s does not hold", option->name, option->value);
}

bool system_unit_conditions_hold(const SystemUnit *unit, Buffer *why, StringList *unknown) {
        Verdict verdict = {.all = true};
        bool hold;

        for (size_t i = 0; i < unit->file.n_options; i++) {
                const UnitOption *option = &unit->file.options[i];
                bool known = false;

                if (!str_starts_with(option->name, "Condition") && !str_starts_with(option->name, "Assert"))
                        continue;
                for (size_t k = 0; k < ARRAY_SIZE(conditions); k++)
                        if (str_equals(option->name, conditions[k].name) && *option->value) {
                                look_at_one(option, conditions[k].holds, &verdict, why);
                                known = true;
                        }
                if (!known && unknown)
                        (void)string_list_add(unknown, option->name); /* only for a note */
        }
        hold = verdict.all && (!verdict.any_trigger || verdict.any_triggered);
        if (hold)
                buffer_clear(why);
        return hold;
}
