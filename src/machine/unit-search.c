#include "machine/unit-search.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "unitfile/name.h"

const char *const unit_folders_system[] = {"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system",
                                           NULL};

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* ---- one name ---- */

/* Looks at one entry. For an alias *ret_target is the name it leads to. 0: there is no such entry. */
static int look_at(const char *path, const char *name, char **ret_target) {
        char link[PATH_MAX];
        struct stat status;
        ssize_t n;

        if (lstat(path, &status) < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        if (!S_ISLNK(status.st_mode))
                return status.st_size == 0 ? UNIT_FOUND_MASKED : UNIT_FOUND_FILE;
        n = readlink(path, link, sizeof(link) - 1);
        if (n < 0)
                return -errno;
        link[n] = '\0';
        if (str_equals(link, "/dev/null"))
                return UNIT_FOUND_MASKED;
        if (str_equals(base_name(link), name) || !unit_name_is_valid(slice_from(base_name(link))))
                return UNIT_FOUND_FILE; /* linked from a place of its own */
        *ret_target = strdup(base_name(link));
        return *ret_target ? UNIT_FOUND_FILE : -ENOMEM;
}

/* As look_at(), in the first folder that has the entry. */
static int look_for(UnitFolders folders, const char *name, char **ret_target, char **ret_path, Error *error) {
        for (; *folders; folders++) {
                _cleanup_free_ char *path = str_printf("%s/%s", *folders, name);
                int r = path ? look_at(path, name, ret_target) : -ENOMEM;

                if (r < 0)
                        return error_set_errno(error, r, "cannot look at %s/%s", *folders, name);
                if (r > 0 && !*ret_target && r == UNIT_FOUND_FILE)
                        *ret_path = take_ptr(path);
                if (r > 0)
                        return r;
        }
        return UNIT_FOUND_NONE;
}

static int look_for_template(UnitFolders folders, const char *name, char **ret_path, Error *error) {
        UnitName split = unit_name_split(slice_from(name));
        _cleanup_free_ char *template = NULL, *target = NULL;
        int r;

        if (split.kind != UNIT_NAME_INSTANCE)
                return UNIT_FOUND_NONE;
        template = unit_name_template(&split);
        if (!template)
                return -ENOMEM;
        r = look_for(folders, template, &target, ret_path, error);
        return r == UNIT_FOUND_FILE && target ? UNIT_FOUND_NONE : r; /* aliases of templates are not followed */
}

int unit_search_resolve(UnitFolders folders, const char *name, char **ret_name, char **ret_path, Error *error) {
        _cleanup_free_ char *now = strdup(name), *path = NULL;
        int r;

        for (int depth = 0; depth < UNIT_SEARCH_ALIAS_DEPTH; depth++) {
                _cleanup_free_ char *target = NULL;

                if (!now)
                        return error_set_errno(error, -ENOMEM, "cannot look for %s", name);
                r = look_for(folders, now, &target, &path, error);
                if (r == UNIT_FOUND_NONE)
                        r = look_for_template(folders, now, &path, error);
                if (r < 0)
                        return r;
                if (!target) {
                        *ret_name = take_ptr(now);
                        *ret_path = take_ptr(path);
                        return r;
                }
                free(now);
                now = take_ptr(target);
        }
        return error_set(error, -ELOOP, "%s is an alias that leads nowhere: its links form a ring", name);
}

/* ---- lists ---- */

static int keep_once(StringList *names, const char *name) {
        if (string_list_contains(names, name))
                return 0;
        return names->length < UNIT_SEARCH_NAMES_MAX ? string_list_add(names, name) : -EMSGSIZE;
}

/* Calls `entry` for each file name in the folder, which need not be there. */
static int each_entry(const char *folder, int (*entry)(void *userdata, const char *folder, const char *name),
                      void *userdata, Error *error) {
        struct dirent *found;
        DIR *opened = opendir(folder);
        int r = 0;

        if (!opened)
                return errno == ENOENT || errno == ENOTDIR ? 0
                                                           : error_set_errno(error, -errno, "cannot read %s", folder);
        while (r >= 0 && (found = readdir(opened)))
                if (found->d_name[0] != '.')
                        r = entry(userdata, folder, found->d_name);
        (void)closedir(opened);
        if (r == -EMSGSIZE)
                return error_set(error, r, "%s has too many entries", folder);
        return r < 0 ? error_set_errno(error, r, "cannot read %s", folder) : 0;
}

static int add_unit_name(void *userdata, const char *folder, const char *name) {
        (void)folder;
        return unit_name_is_valid(slice_from(name)) ? keep_once(userdata, name) : 0;
}

int unit_search_names(UnitFolders folders, StringList *names, Error *error) {
        int r = 0;

        for (; r >= 0 && *folders; folders++)
                r = each_entry(*folders, add_unit_name, names, error);
        string_list_sort(names);
        return r;
}

int unit_search_wanted(UnitFolders folders, const char *target, StringList *names, Error *error) {
        int r = 0;

        for (; r >= 0 && *folders; folders++) {
                _cleanup_free_ char *path = str_printf("%s/%s.wants", *folders, target);

                r = path ? each_entry(path, add_unit_name, names, error) : -ENOMEM;
        }
        string_list_sort(names);
        return r;
}

/* Entries are "FILE\1PATH", so that sorting them sorts by file name. */
static bool has_dropin(const StringList *found, const char *name) {
        size_t length = strlen(name);

        for (size_t i = 0; i < found->length; i++)
                if (strncmp(found->items[i], name, length) == 0 && found->items[i][length] == '\1')
                        return true;
        return false;
}

static int add_dropin(void *userdata, const char *folder, const char *name) {
        StringList *found = userdata;

        if (!str_ends_with(name, ".conf") || strchr(name, '\1') || has_dropin(found, name))
                return 0;
        if (found->length >= UNIT_SEARCH_DROPINS_MAX)
                return -EMSGSIZE;
        return string_list_take(found, str_printf("%s\1%s/%s", name, folder, name));
}

int unit_search_dropins(UnitFolders folders, const StringList *names, StringList *paths, Error *error) {
        _cleanup_string_list_ StringList found = {0};
        int r = 0;

        for (; r >= 0 && *folders; folders++)
                for (size_t i = 0; r >= 0 && i < names->length; i++) {
                        _cleanup_free_ char *path = str_printf("%s/%s.d", *folders, names->items[i]);

                        r = path ? each_entry(path, add_dropin, &found, error) : -ENOMEM;
                }
        string_list_sort(&found);
        for (size_t i = 0; r >= 0 && i < found.length; i++)
                r = string_list_add(paths, strchr(found.items[i], '\1') + 1);
        return r;
}
