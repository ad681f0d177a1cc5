#include "machine/hierarchy.h"

#include <errno.h>

#include "host/cgroup-place.h"
#include "host/file.h"

void hierarchies_deinit(Hierarchies *hierarchies) {
        for (size_t i = 0; i < hierarchies->length; i++) {
                free(hierarchies->items[i].controllers);
                free(hierarchies->items[i].top);
                free(hierarchies->items[i].own);
        }
        *hierarchies = (Hierarchies){0};
}

typedef struct Mount {
        Slice root, point, type, options;
} Mount;

/* "36 35 98:0 /root /mount/point rw,noatime master:1 - cgroup cgroup rw,memory" */
static bool parse_mount(Slice line, Mount *ret) {
        Slice fields[5], field;

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (!line.data || !slice_split(&line, ' ', &fields[i]))
                        return false;
        do
                if (!line.data || !slice_split(&line, ' ', &field))
                        return false;
        while (!slice_equals(field, slice_from("-")));
        if (!line.data || !slice_split(&line, ' ', &ret->type) || !line.data || !slice_split(&line, ' ', &field) ||
            !line.data)
                return false;
        ret->root = fields[3];
        ret->point = fields[4];
        ret->options = line;
        return true;
}

static bool has_word(Slice list, Slice word) {
        Slice part;

        while (slice_split(&list, ',', &part))
                if (slice_equals(part, word))
                        return true;
        return false;
}

/* Whether the mount shows the hierarchy of these controllers ("": version 2). */
static bool shows(const Mount *mount, Slice controllers) {
        Slice word;

        if (controllers.length == 0)
                return slice_equals(mount->type, slice_from("cgroup2"));
        return slice_equals(mount->type, slice_from("cgroup")) && slice_split(&controllers, ',', &word) &&
               has_word(mount->options, word);
}

static int add(Hierarchies *all, Slice controllers, const Mount *mount, Slice path) {
        Slice rest = cgroup_below_mount(path, mount->root);
        Hierarchy *one = &all->items[all->length++];

        *one = (Hierarchy){
                .controllers = slice_dup(controllers),
                .top = slice_dup(mount->point),
                .own = str_printf("%.*s%.*s", (int)mount->point.length, mount->point.data, (int)rest.length, rest.data),
                .unified = controllers.length == 0,
        };
        return one->controllers && one->top && one->own ? 0 : -ENOMEM;
}

/* One line "N:controllers:path" with the last mount that shows it, if any. */
static int add_line(Hierarchies *all, Slice line, Slice mountinfo) {
        Slice number, controllers, mount_line;
        Mount mount, found;
        bool any = false;

        if (!slice_split(&line, ':', &number) || !line.data || !slice_split(&line, ':', &controllers) || !line.data)
                return 0;
        while (mountinfo.data && slice_split(&mountinfo, '\n', &mount_line))
                /* one with an escape in its path is at no usual place, and not looked at */
                if (parse_mount(mount_line, &mount) && shows(&mount, controllers) &&
                    !memchr(mount.point.data, '\\', mount.point.length)) {
                        found = mount;
                        any = true;
                }
        return any && all->length < HIERARCHIES_MAX ? add(all, controllers, &found, line) : 0;
}

static void drop_unified(Hierarchies *all) {
        size_t kept = 0;

        for (size_t i = 0; i < all->length; i++) {
                Hierarchy *one = &all->items[i];

                if (one->unified) {
                        free(one->controllers);
                        free(one->top);
                        free(one->own);
                } else {
                        all->items[kept++] = *one;
                }
        }
        all->length = kept;
}

int hierarchies_parse(Slice mountinfo, Slice self_cgroup, Hierarchies *ret) {
        _cleanup_hierarchies_ Hierarchies all = {0};
        bool legacy = false;
        Slice line;
        int r = 0;

        while (r >= 0 && self_cgroup.data && slice_split(&self_cgroup, '\n', &line))
                r = add_line(&all, line, mountinfo);
        for (size_t i = 0; i < all.length; i++)
                legacy |= !all.items[i].unified;
        if (r < 0)
                return r;
        /* both side by side: the container runtimes refuse that, so version 2 is left out */
        if (legacy)
                drop_unified(&all);
        *ret = all;
        all = (Hierarchies){0};
        return 0;
}

int hierarchies_read(Hierarchies *ret, Error *error) {
        _cleanup_buffer_ Buffer mounts = BUFFER_INIT, own = BUFFER_INIT;
        int r;

        r = file_read("/proc/self/mountinfo", FILE_SMALL_MAX, &mounts, error);
        if (r >= 0)
                r = file_read("/proc/self/cgroup", FILE_SMALL_MAX, &own, error);
        if (r < 0)
                return r;
        r = hierarchies_parse((Slice){buffer_data(&mounts), buffer_length(&mounts)},
                              (Slice){buffer_data(&own), buffer_length(&own)}, ret);
        return r < 0 ? error_set_errno(error, r, "cannot look for control groups") : 0;
}

/* The words of a file of the group. */
static int read_words(const char *folder, const char *file, StringList *words) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, file);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice rest, word;
        int r = path ? file_read(path, FILE_SMALL_MAX, &text, NULL) : -ENOMEM;

        rest = slice_trim((Slice){buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)});
        while (r >= 0 && slice_split(&rest, ' ', &word))
                if (word.length > 0)
                        r = string_list_add_slice(words, word);
        return r;
}

int hierarchy_withheld_controllers(const char *folder, StringList *ret) {
        _cleanup_string_list_ StringList all = {0}, used = {0};
        int r = read_words(folder, "cgroup.controllers", &all);

        if (r >= 0)
                r = read_words(folder, "cgroup.subtree_control", &used);
        for (size_t i = 0; r >= 0 && i < all.length; i++)
                if (!string_list_contains(&used, all.items[i]))
                        r = string_list_add(ret, all.items[i]);
        return r;
}

void hierarchy_set_controllers(const char *folder, const StringList *controllers, bool use) {
        _cleanup_free_ char *path = str_printf("%s/cgroup.subtree_control", folder);

        for (size_t i = 0; path && i < controllers->length; i++) {
                _cleanup_free_ char *text = str_printf("%c%s", use ? '+' : '-', controllers->items[i]);

                if (text)
                        (void)file_write(path, text);
        }
}
