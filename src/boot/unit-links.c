/* Enabling by hand where no systemd does it: the links that a unit file's [Install] section asks for. */
#include <errno.h>

#include "boot/root-files.h"
#include "unitfile/name.h"
#include "unitfile/unitfile.h"

static const char *const unit_folders[] = {
        "/etc/systemd/system",     "/run/systemd/system", "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system", "/lib/systemd/system",
};

/* The unit's file, or that of its template. */
static int find_unit_file(const RootFiles *files, const char *unit, const char *file, char **ret_path, Buffer *text,
                          Error *error) {
        for (size_t i = 0; i < ARRAY_SIZE(unit_folders); i++) {
                _cleanup_free_ char *path = str_printf("%s/%s", unit_folders[i], file);
                int r = path ? root_files_read(files, path, UNITFILE_TEXT_MAX, text, error) : -ENOMEM;

                if (r == -ENOENT)
                        continue;
                if (r >= 0)
                        *ret_path = take_ptr(path);
                return r;
        }
        return error_set(error, -ENOENT, "there is no unit file of %s", unit);
}

typedef struct LinkKind {
        const char *option, *suffix; /* suffix NULL: the name itself becomes the link */
} LinkKind;

static const LinkKind kinds[] = {{"WantedBy", ".wants"}, {"RequiredBy", ".requires"}, {"Alias", NULL}};

static int make_links(const RootFiles *files, const LinkKind *kind, const char *value, const char *unit,
                      const char *target, const char *folder, Error *error) {
        Slice rest = slice_from(value), name;
        int same = BOOT_SAME;

        while (slice_split(&rest, ' ', &name)) {
                _cleanup_free_ char *path = NULL;
                int r;

                name = slice_trim(name);
                if (name.length == 0)
                        continue;
                if (!unit_name_is_valid(name))
                        return error_set(error, -EINVAL, "%s= of %s names \"%.*s\", which is no unit", kind->option,
                                         unit, (int)name.length, name.data);
                path = kind->suffix
                               ? str_printf("%s/%.*s%s/%s", folder, (int)name.length, name.data, kind->suffix, unit)
                               : str_printf("%s/%.*s", folder, (int)name.length, name.data);
                r = path ? root_files_link(files, path, target, error) : -ENOMEM;
                if (r < 0)
                        return r;
                same = min_of(same, r);
        }
        return same;
}

int root_files_enable(const RootFiles *files, const char *unit, bool runtime, Error *error) {
        const UnitName name = unit_name_split(slice_from(unit));
        _cleanup_free_ char *template = name.kind == UNIT_NAME_INSTANCE ? unit_name_template(&name) : NULL,
                            *path = NULL;
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r, same = BOOT_SAME;

        r = find_unit_file(files, unit, template ?: unit, &path, &text, error);
        if (r >= 0)
                r = unitfile_parse(&file, (Slice){buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)},
                                   NULL, error);
        for (size_t i = 0; i < ARRAY_SIZE(kinds) && r >= 0; i++)
                for (const UnitOption *option = NULL;
                     r >= 0 && (option = unitfile_next(&file, "Install", kinds[i].option, option));) {
                        _cleanup_buffer_ Buffer value = BUFFER_INIT;

                        if (unitfile_join_value(option->value, &value) < 0 || !buffer_string(&value))
                                return -ENOMEM;
                        r = make_links(files, &kinds[i], buffer_string(&value), unit, path,
                                       runtime ? "/run/systemd/system" : "/etc/systemd/system", error);
                        same = min_of(same, r);
                }
        return r < 0 ? r : same;
}
