#include "machine/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "host/cgroup.h"
#include "host/file.h"
#include "machine/hierarchy.h"

enum {
        CLEAR_MSEC = 10000,
        CLEAR_STEP_MSEC = 10,
};

static void groups_deinit(Groups *groups) {
        string_list_deinit(&groups->roots);
        string_list_deinit(&groups->given);
        free(take_ptr(groups->top));
}

/* ---- making ---- */

/* A fresh group of cpuset has neither CPUs nor memory, and takes no process, until it is given some. */
static int inherit(const char *folder, const char *file) {
        _cleanup_free_ char *from = str_printf("%s/../%s", folder, file), *to = str_printf("%s/%s", folder, file);
        _cleanup_buffer_ Buffer value = BUFFER_INIT;
        int r;

        if (!from || !to)
                return -ENOMEM;
        r = file_read(from, FILE_SMALL_MAX, &value, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0 || !buffer_string(&value))
                return r < 0 ? r : -ENOMEM;
        return file_write(to, buffer_string(&value));
}

static int make_folder(const char *path, Error *error) {
        int r = 0;

        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                r = -errno;
        if (r >= 0)
                r = inherit(path, "cpuset.cpus");
        if (r >= 0)
                r = inherit(path, "cpuset.mems");
        return r < 0 ? error_set_errno(error, r, "cannot make the control group %s", path) : 0;
}

/* A line for each folder, and "TOP -CONTROLLER" for each controller that is to be taken back. */
static int write_record(const Groups *groups, const char *record, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        for (size_t i = 0; i < groups->roots.length; i++)
                (void)buffer_printf(&text, "%s\n", groups->roots.items[i]);
        for (size_t i = 0; i < groups->given.length; i++)
                (void)buffer_printf(&text, "%s -%s\n", groups->top, groups->given.items[i]);
        if (buffer_failed(&text))
                return error_set_errno(error, -ENOMEM, "cannot write %s", record);
        return file_replace(record, 0600, (Slice){buffer_data(&text), buffer_length(&text)}, false, error);
}

/* Version 1: below our own group. Version 2: at the top, because a group with processes in it (ours) has no
 * controllers to give. */
static int choose_roots(Groups *groups, const Hierarchies *all, const char *name, Error *error) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < all->length; i++) {
                const Hierarchy *one = &all->items[i];

                r = string_list_take(&groups->roots, str_printf("%s/%s", one->unified ? one->top : one->own, name));
                if (r < 0 || !one->unified)
                        continue;
                groups->top = strdup(one->top);
                r = groups->top ? hierarchy_withheld_controllers(groups->top, &groups->given) : -ENOMEM;
        }
        return r < 0 ? error_set_errno(error, r, "cannot look for control groups") : 0;
}

static int give_controllers(const Groups *groups, Error *error) {
        _cleanup_string_list_ StringList withheld = {0};
        int r;

        if (!groups->top)
                return 0;
        r = hierarchy_withheld_controllers(groups->roots.items[0], &withheld);
        if (r < 0)
                return error_set_errno(error, r, "cannot look at the control group %s", groups->roots.items[0]);
        hierarchy_set_controllers(groups->roots.items[0], &withheld, true);
        return 0;
}

int groups_open(Groups *groups, const char *name, const char *record, Error *error) {
        _cleanup_hierarchies_ Hierarchies all = {0};
        int r;

        r = hierarchies_read(&all, error);
        if (r >= 0)
                r = choose_roots(groups, &all, name, error);
        if (r >= 0)
                r = write_record(groups, record, error);
        if (r >= 0 && groups->top)
                hierarchy_set_controllers(groups->top, &groups->given, true);
        for (size_t i = 0; r >= 0 && i < groups->roots.length; i++)
                r = make_folder(groups->roots.items[i], error);
        return r < 0 ? r : give_controllers(groups, error);
}

void groups_close(Groups *groups, const char *record) {
        for (size_t i = 0; i < groups->roots.length; i++)
                (void)rmdir(groups->roots.items[i]);
        if (groups->top)
                hierarchy_set_controllers(groups->top, &groups->given, false);
        groups_deinit(groups);
        (void)unlink(record);
}

int groups_make(const Groups *groups, const char *machine, StringList *paths, Error *error) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < groups->roots.length; i++) {
                r = string_list_take(paths, str_printf("%s/%s", groups->roots.items[i], machine));
                if (r >= 0)
                        r = make_folder(paths->items[i], error);
        }
        return r;
}

int groups_open_procs(const StringList *paths, int *fds, size_t *ret_n, Error *error) {
        size_t n = 0;

        for (; n < paths->length && n < HIERARCHIES_MAX; n++) {
                _cleanup_free_ char *path = str_printf("%s/cgroup.procs", paths->items[n]);

                fds[n] = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
                if (fds[n] < 0) {
                        int r = path ? -errno : -ENOMEM;

                        while (n > 0)
                                (void)close(fds[--n]);
                        return error_set_errno(error, r, "cannot open the control group %s", path ?: "");
                }
        }
        *ret_n = n;
        return 0;
}

/* ---- removing ---- */

int groups_remove(const StringList *paths) {
        int r = 0;

        for (size_t i = 0; i < paths->length; i++) {
                int q = cgroup_remove_folder(paths->items[i]);

                if (q < 0 && r == 0)
                        r = q;
        }
        return r;
}

static void kill_all(const StringList *roots) {
        for (size_t i = 0; i < roots->length; i++) {
                const Cgroup group = {.parts[CGROUP_TRACKING] = {.path = roots->items[i]}};

                (void)cgroup_kill(&group, SIGKILL, 0);
        }
}

static int add_record_line(Groups *groups, Slice line) {
        Slice path;

        (void)slice_split(&line, ' ', &path);
        if (!line.data)
                return path.length > 0 ? string_list_add_slice(&groups->roots, path) : 0;
        if (!groups->top && !(groups->top = slice_dup(path)))
                return -ENOMEM;
        return line.length > 1 && line.data[0] == '-'
                       ? string_list_add_slice(&groups->given, (Slice){line.data + 1, line.length - 1})
                       : 0;
}

static int read_record(const char *record, Groups *groups, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice rest, line;
        int r;

        r = file_read(record, FILE_SMALL_MAX, &text, error);
        if (r < 0)
                return r;
        rest = (Slice){buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)};
        while (r >= 0 && slice_split(&rest, '\n', &line))
                r = add_record_line(groups, line);
        return r < 0 ? error_set_errno(error, r, "cannot read %s", record) : 0;
}

int groups_clear(const char *record, Error *error) {
        _cleanup_(groups_deinit) Groups groups = {0};
        int r;

        r = read_record(record, &groups, error);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        kill_all(&groups.roots);
        /* the kernel tells nobody when the last process of a group of version 1 is gone */
        for (int waited = 0; (r = groups_remove(&groups.roots)) == -EBUSY && waited < CLEAR_MSEC;
             waited += CLEAR_STEP_MSEC)
                (void)poll(NULL, 0, CLEAR_STEP_MSEC);
        if (r < 0)
                return error_set_errno(error, r, "cannot remove the control groups that %s names", record);
        groups_close(&groups, record);
        return 0;
}
