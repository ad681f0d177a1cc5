#include "machine/system-units.h"

#include <errno.h>

#include "host/file.h"
#include "unitfile/name.h"

#define DEFAULT_TARGET "multi-user.target"

static void system_unit_free(SystemUnit *unit) {
        free(unit->name);
        string_list_deinit(&unit->aliases);
        unitfile_deinit(&unit->file);
        free(unit->text);
        free(unit->problem);
        string_list_deinit(&unit->after);
        free(unit);
}

CLEANUP_DEFINE(SystemUnit, system_unit_free)

void system_units_deinit(SystemUnits *units) {
        for (size_t i = 0; i < units->length; i++)
                system_unit_free(units->items[i]);
        free(units->items);
        *units = (SystemUnits){0};
}

static SystemUnit *find_own_name(const SystemUnits *units, const char *name) {
        for (size_t i = 0; i < units->length; i++)
                if (str_equals(units->items[i]->name, name))
                        return units->items[i];
        return NULL;
}

SystemUnit *system_units_find(const SystemUnits *units, const char *name) {
        SystemUnit *unit = find_own_name(units, name);

        for (size_t i = 0; !unit && i < units->length; i++)
                if (string_list_contains(&units->items[i]->aliases, name))
                        unit = units->items[i];
        return unit;
}

static const char *own_name(const SystemUnits *units, const char *name) {
        const SystemUnit *unit = system_units_find(units, name);

        return unit ? unit->name : name;
}

/* Takes `unit` over when it succeeds. */
static int add_unit(SystemUnits *units, SystemUnit *unit) {
        if (units->length >= SYSTEM_UNITS_MAX)
                return -EMSGSIZE;
        if (units->length == units->capacity) {
                size_t capacity = units->capacity ? units->capacity * 2 : 16;
                SystemUnit **items = reallocarray(units->items, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                units->items = items;
                units->capacity = capacity;
        }
        units->items[units->length++] = unit;
        return 0;
}

/* ---- merging ---- */

/* Assignments whose words are names of units. */
static bool names_units(const char *option) {
        static const char *const options[] = {"Requires", "Requisite", "Wants",  "BindsTo", "PartOf",
                                              "Upholds",  "Conflicts", "Before", "After",   "OnFailure"};

        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (str_equals(option, options[i]))
                        return true;
        return false;
}

/* The supervisor below knows each unit by one name. */
static int replace_aliases(const SystemUnits *units, const char *value, Buffer *to) {
        _cleanup_buffer_ Buffer joined = BUFFER_INIT;
        Slice rest, word;
        int r;

        r = unitfile_join_value(value, &joined);
        rest = (Slice){buffer_length(&joined) ? buffer_data(&joined) : "", buffer_length(&joined)};
        while (r >= 0 && slice_split(&rest, ' ', &word)) {
                _cleanup_free_ char *name = slice_dup(slice_trim(word));

                if (!name)
                        return -ENOMEM;
                if (*name)
                        r = buffer_printf(to, "%s%s", buffer_length(to) ? " " : "", own_name(units, name));
        }
        return r;
}

static int merge_option(const SystemUnits *units, const UnitFile *from, const UnitOption *option, UnitFile *to,
                        Error *error) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;
        const char *section = unitfile_section_name(from, option);
        Slice text = slice_from(option->value);
        int r = 0;

        if (str_equals(section, "Unit") && names_units(option->name)) {
                r = replace_aliases(units, option->value, &value);
                text = (Slice){buffer_length(&value) ? buffer_data(&value) : "", buffer_length(&value)};
        }
        return r < 0 ? r : unitfile_add(to, slice_from(section), slice_from(option->name), text, error);
}

static int merge_file(const SystemUnits *units, const char *path, UnitFile *to, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        _cleanup_unitfile_ UnitFile file = {0};
        int r;

        r = file_read(path, UNITFILE_TEXT_MAX, &text, error);
        if (r < 0)
                return r;
        r = unitfile_parse(&file, (Slice){buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)}, NULL,
                           error);
        for (size_t i = 0; r >= 0 && i < file.n_options; i++)
                r = merge_option(units, &file, &file.options[i], to, error);
        return r < 0 ? error_prefix(error, r, "%s", path) : 0;
}

/* All names that drop-ins may be kept under: its own, its aliases', and the template's. */
static int dropin_names(const SystemUnit *unit, StringList *names) {
        UnitName split = unit_name_split(slice_from(unit->name));
        int r = string_list_add(names, unit->name);

        for (size_t i = 0; r >= 0 && i < unit->aliases.length; i++)
                r = string_list_add(names, unit->aliases.items[i]);
        if (r >= 0 && split.kind == UNIT_NAME_INSTANCE)
                r = string_list_take(names, unit_name_template(&split));
        return r;
}

static int write_text(SystemUnit *unit) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = unitfile_write(&unit->file, &text);

        unit->text = r >= 0 ? buffer_steal_string(&text, NULL) : NULL;
        return unit->text ? 0 : -ENOMEM;
}

static int merge_unit(const SystemUnits *units, UnitFolders folders, const char *pass, const char *path,
                      SystemUnit *unit, Error *error) {
        _cleanup_string_list_ StringList names = {0}, paths = {0};
        int r;

        r = dropin_names(unit, &names);
        if (r >= 0)
                r = unit_search_dropins(folders, &names, &paths, error);
        /* before all else, so that the unit may take it back with an empty assignment */
        if (r >= 0)
                r = unitfile_add(&unit->file, slice_from("Service"), slice_from("PassEnvironment"), slice_from(pass),
                                 error);
        if (r >= 0)
                r = merge_file(units, path, &unit->file, error);
        for (size_t i = 0; r >= 0 && i < paths.length; i++)
                r = merge_file(units, paths.items[i], &unit->file, error);
        return r < 0 ? r : write_text(unit);
}

/* What is wrong with one unit does not keep others from being read. */
static int read_unit(const SystemUnits *units, UnitFolders folders, const char *pass, SystemUnit *unit) {
        _cleanup_free_ char *name = NULL, *path = NULL;
        Error error = ERROR_NONE;
        int r;

        r = unit_search_resolve(folders, unit->name, &name, &path, &error);
        if (r == UNIT_FOUND_MASKED) {
                unit->masked = true;
                r = error_set(&error, -ENOENT, "%s is masked: it must not run", unit->name);
        } else if (r == UNIT_FOUND_NONE) {
                r = error_set(&error, -ENOENT, "there is no unit file for %s", unit->name);
        } else if (r >= 0) {
                r = merge_unit(units, folders, pass, path, unit, &error);
        }
        if (r >= 0)
                return 0;
        unitfile_deinit(&unit->file);
        unit->problem = strdup(error.text[0] ? error.text : strerror(-r));
        return unit->problem ? 0 : -ENOMEM;
}

/* ---- order ---- */

static int note_after(SystemUnit *unit, const char *other) {
        return string_list_contains(&unit->after, other) ? 0 : string_list_add(&unit->after, other);
}

static int note_order(SystemUnits *units, SystemUnit *unit, const char *option, bool after) {
        int r = 0;

        for (const UnitOption *o = NULL; r >= 0 && (o = unitfile_next(&unit->file, "Unit", option, o));) {
                Slice rest = slice_from(o->value), word;

                while (r >= 0 && slice_split(&rest, ' ', &word)) {
                        _cleanup_free_ char *name = slice_dup(word);
                        SystemUnit *other = name ? find_own_name(units, name) : NULL;

                        if (!name)
                                return -ENOMEM;
                        if (other && other != unit)
                                r = after ? note_after(unit, other->name) : note_after(other, unit->name);
                }
        }
        return r;
}

static int note_orders(SystemUnits *units, SystemUnit *unit) {
        int r = note_order(units, unit, "After", true);

        return r < 0 ? r : note_order(units, unit, "Before", false);
}

bool system_units_is_needed(const SystemUnits *units, const bool *running, size_t unit) {
        const char *name = units->items[unit]->name;

        for (size_t i = 0; i < units->length; i++)
                if (i != unit && running[i] && string_list_contains(&units->items[i]->after, name) &&
                    !string_list_contains(&units->items[unit]->after, units->items[i]->name))
                        return true;
        return false;
}

/* ---- all ---- */

static int add_name(SystemUnits *units, UnitFolders folders, const char *name) {
        _cleanup_free_ char *own = NULL, *path = NULL;
        _cleanup_(system_unit_freep) SystemUnit *fresh = NULL;
        SystemUnit *unit;
        int r;

        r = unit_search_resolve(folders, name, &own, &path, NULL);
        if (r == -ELOOP)
                return 0; /* looks like no unit at all to whoever asks for it */
        if (r < 0)
                return r;
        unit = find_own_name(units, own);
        if (!unit) {
                unit = fresh = calloc(1, sizeof(*fresh));
                if (!fresh || !(fresh->name = strdup(own)))
                        return -ENOMEM;
                r = add_unit(units, fresh);
                if (r < 0)
                        return r;
                (void)take_ptr(fresh);
        }
        return str_equals(own, name) ? 0 : string_list_add(&unit->aliases, name);
}

static bool is_service(const char *name) {
        UnitName split = unit_name_split(slice_from(name));

        return slice_equals(split.type, slice_from("service")) && split.kind != UNIT_NAME_TEMPLATE;
}

static int mark_wanted(SystemUnits *units, UnitFolders folders, const char *pass, Error *error) {
        _cleanup_string_list_ StringList wanted = {0};
        int r = unit_search_wanted(folders, DEFAULT_TARGET, &wanted, error);

        for (size_t i = 0; r >= 0 && i < wanted.length; i++) {
                SystemUnit *unit = system_units_find(units, wanted.items[i]);

                if (!unit && unit_name_split(slice_from(wanted.items[i])).kind == UNIT_NAME_INSTANCE) {
                        r = system_units_add_instance(units, folders, pass, wanted.items[i], &unit, error);
                        if (r == -ENOENT)
                                r = 0;
                }
                if (unit)
                        unit->wanted = true;
        }
        return r;
}

int system_units_read(UnitFolders folders, const char *pass, SystemUnits *ret, Error *error) {
        _cleanup_system_units_ SystemUnits units = {0};
        _cleanup_string_list_ StringList names = {0};
        int r;

        r = unit_search_names(folders, &names, error);
        for (size_t i = 0; r >= 0 && i < names.length; i++)
                if (is_service(names.items[i]))
                        r = add_name(&units, folders, names.items[i]);
        for (size_t i = 0; r >= 0 && i < units.length; i++)
                r = read_unit(&units, folders, pass, units.items[i]);
        for (size_t i = 0; r >= 0 && i < units.length; i++)
                r = note_orders(&units, units.items[i]);
        if (r >= 0)
                r = mark_wanted(&units, folders, pass, error);
        if (r < 0)
                return error && error->text[0] ? r : error_set_errno(error, r, "cannot read the unit files");
        *ret = units;
        units = (SystemUnits){0};
        return 0;
}

int system_units_add_instance(SystemUnits *units, UnitFolders folders, const char *pass, const char *name,
                              SystemUnit **ret, Error *error) {
        _cleanup_free_ char *own = NULL, *path = NULL;
        SystemUnit *unit;
        int r;

        if (!unit_name_is_valid(slice_from(name)) || !is_service(name))
                return error_set(error, -ENOENT, "%s is no service: only services can run here", name);
        r = unit_search_resolve(folders, name, &own, &path, error);
        if (r < 0)
                return r;
        if (r == UNIT_FOUND_NONE || find_own_name(units, own))
                return error_set(error, -ENOENT,
                                 "there is no unit file for %s in /etc/systemd/system, /run/systemd/system or "
                                 "/usr/lib/systemd/system",
                                 name);
        r = add_name(units, folders, name);
        unit = r >= 0 ? find_own_name(units, own) : NULL;
        if (unit)
                r = read_unit(units, folders, pass, unit);
        if (r >= 0 && unit)
                r = note_orders(units, unit);
        if (r < 0 || !unit)
                return error_set_errno(error, r < 0 ? r : -ENOENT, "cannot read %s", name);
        *ret = unit;
        return 0;
}
