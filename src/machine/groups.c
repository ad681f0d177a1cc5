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

static int write_record(const StringList *roots, const char *record, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        for (size_t i = 0; i < roots->length; i++)
                (void)buffer_printf(&text, "%s\n", roots->items[i]);
        if (buffer_failed(&text))
                return error_set_errno(error, -ENOMEM, "cannot write %s", record);
        return file_replace(record, 0600, (Slice){buffer_data(&text), buffer_length(&text)}, false, error);
}

int groups_open(Groups *groups, const char *name, const char *record, Error *error) {
        _cleanup_hierarchies_ Hierarchies all = {0};
        int r;

        r = hierarchies_read(&all, error);
        /* version 1: below our own group; version 2: at the top, because a group with processes in it (ours) has no
         * controllers to give */
        for (size_t i = 0; r >= 0 && i < all.length; i++)
                r = string_list_take(&groups->roots,
                                     str_printf("%s/%s", all.items[i].unified ? all.items[i].top : all.items[i].own, name));
        if (r >= 0)
                r = write_record(&groups->roots, record, error);
        for (size_t i = 0; r >= 0 && i < all.length; i++) {
                if (all.items[i].unified)
                        hierarchy_give_controllers(all.items[i].top);
                r = make_folder(groups->roots.items[i], error);
                if (r >= 0 && all.items[i].unified)
                        hierarchy_give_controllers(groups->roots.items[i]);
        }
        return r;
}

void groups_close(Groups *groups, const char *record) {
        for (size_t i = 0; i < groups->roots.length; i++)
                (void)rmdir(groups->roots.items[i]);
        string_list_deinit(&groups->roots);
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

static int read_record(const char *record, StringList *roots, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice rest, line;
        int r;

        r = file_read(record, FILE_SMALL_MAX, &text, error);
        if (r < 0)
                return r;
        rest = (Slice){buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)};
        while (r >= 0 && slice_split(&rest, '\n', &line))
                if (line.length > 0)
                        r = string_list_add_slice(roots, line);
        return r < 0 ? error_set_errno(error, r, "cannot read %s", record) : 0;
}

int groups_clear(const char *record, Error *error) {
        _cleanup_string_list_ StringList roots = {0};
        int r;

        r = read_record(record, &roots, error);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        kill_all(&roots);
        /* the kernel tells nobody when the last process of a group of version 1 is gone */
        for (int waited = 0; (r = groups_remove(&roots)) == -EBUSY && waited < CLEAR_MSEC; waited += CLEAR_STEP_MSEC)
                (void)poll(NULL, 0, CLEAR_STEP_MSEC);
        if (r < 0)
                return error_set_errno(error, r, "cannot remove the control groups that %s names", record);
        (void)unlink(record);
        return 0;
}
