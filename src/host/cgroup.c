#include "host/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "host/file.h"

#define OWN_LEAF "faering-daemon" /* where we go to, below the group that we were started in */

enum {
        KILL_ROUNDS_MAX = 16,
        CPU_PERIOD_USEC = 100000,
        SHARES_PER_WEIGHT_100 = 1024,
};

void pid_list_deinit(PidList *list) {
        free(list->items);
        *list = (PidList){0};
}

int pid_list_add(PidList *list, pid_t pid) {
        if (list->length >= CGROUP_PIDS_MAX)
                return -EMSGSIZE;
        if (list->length == list->capacity) {
                size_t capacity = list->capacity ? list->capacity * 2 : 16;
                pid_t *items = reallocarray(list->items, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                list->items = items;
                list->capacity = capacity;
        }
        list->items[list->length++] = pid;
        return 0;
}

bool pid_list_contains(const PidList *list, pid_t pid) {
        for (size_t i = 0; i < list->length; i++)
                if (list->items[i] == pid)
                        return true;
        return false;
}

/* ---- the root ---- */

static bool unified_has(const char *folder, const char *file, const char *controller) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, file);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice rest, word;

        if (!path || file_read(path, FILE_SMALL_MAX, &text, NULL) < 0 || buffer_length(&text) == 0)
                return false;
        rest = slice_trim((Slice){buffer_data(&text), buffer_length(&text)});
        while (rest.data && slice_split(&rest, ' ', &word))
                if (slice_equals(word, slice_from(controller)))
                        return true;
        return false;
}

/* Whether processes sit in the group itself. The real top may have some and groups with controllers below; it has no cgroup.type. */
static bool unified_is_occupied(const char *folder) {
        _cleanup_free_ char *type = str_printf("%s/cgroup.type", folder),
                            *procs = str_printf("%s/cgroup.procs", folder);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (!type || !procs)
                return true;
        if (access(type, F_OK) < 0)
                return false;
        return file_read(procs, FILE_SMALL_MAX, &text, NULL) < 0 || buffer_length(&text) > 0;
}

/* Lets groups below `folder` use a controller. Where processes sit in it the kernel refuses most (EBUSY), but takes those that can
 * be threaded, and then no process can enter a group below any more: there none is asked for. */
static bool unified_enable(const char *folder, const char *controller) {
        _cleanup_free_ char *path = str_printf("%s/cgroup.subtree_control", folder);
        _cleanup_free_ char *word = str_printf("+%s", controller);

        if (unified_is_occupied(folder))
                return false;
        if (unified_has(folder, "cgroup.subtree_control", controller))
                return true;
        return path && word && unified_has(folder, "cgroup.controllers", controller) && file_write(path, word) >= 0;
}

/* Makes the folder and proves that we may make groups in it. False: this hierarchy is not for us. */
static bool make_folder(const char *path) {
        return (mkdir(path, 0755) == 0 || errno == EEXIST) && access(path, W_OK) == 0;
}

static int take_folder(const CgroupPlace *place, const char *name, bool at_top, CgroupFolder *ret) {
        _cleanup_free_ char *path = NULL;

        if (!place->top)
                return 0;
        path = str_printf("%s/%s", at_top ? place->top : place->own, name);
        if (!path)
                return -ENOMEM;
        if (make_folder(path))
                *ret = (CgroupFolder){take_ptr(path), place->unified};
        return 0;
}

static int copy_folder(CgroupFolder *to, const CgroupFolder *from) {
        to->path = strdup(from->path);
        to->unified = from->unified;
        return to->path ? 0 : -ENOMEM;
}

static const char *const unified_controllers[CGROUP_PARTS] = {
        [CGROUP_MEMORY] = "memory", [CGROUP_PIDS] = "pids", [CGROUP_CPU] = "cpu"};

static bool root_uses(const CgroupRoot *root, const char *path) {
        for (size_t i = 0; i < CGROUP_PARTS; i++)
                if (root->parts[i].path && str_equals(root->parts[i].path, path))
                        return true;
        return false;
}

/* Version 2: when we are alone in our own group, we move to one below it, so that others below can be limited. */
static void unified_leave_own(const char *own) {
        _cleanup_free_ char *procs = str_printf("%s/cgroup.procs", own), *folder = str_printf("%s/" OWN_LEAF, own);
        _cleanup_free_ char *leaf = str_printf("%s/" OWN_LEAF "/cgroup.procs", own),
                            *alone = str_printf("%d\n", getpid());
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (!procs || !folder || !leaf || !alone || !unified_is_occupied(own) ||
            file_read(procs, FILE_SMALL_MAX, &text, NULL) < 0)
                return;
        if (str_equals(buffer_string(&text) ?: "", alone) && make_folder(folder))
                (void)file_write(leaf, alone); /* when that fails, there are no limits below */
}

/* Version 1 where it has the part, version 2 else. */
static int root_fill(CgroupRoot *root, CgroupPlaces *places, const char *name, bool at_top) {
        CgroupFolder unified = {0};
        const char *parent = at_top ? places->unified.top : places->unified.own;
        int r;

        if (places->unified.own && str_ends_with(places->unified.own, "/" OWN_LEAF)) /* of an earlier call */
                places->unified.own[strlen(places->unified.own) - strlen("/" OWN_LEAF)] = '\0';
        r = take_folder(&places->unified, name, at_top, &unified);
        if (unified.path && !at_top && !places->legacy[CGROUP_MEMORY].top)
                unified_leave_own(places->unified.own);
        for (int part = 0; r >= 0 && part < CGROUP_PARTS; part++) {
                r = take_folder(&places->legacy[part], name, at_top, &root->parts[part]);
                if (r < 0 || root->parts[part].path || !unified.path)
                        continue;
                if (part == CGROUP_TRACKING || (unified_enable(parent, unified_controllers[part]) &&
                                                unified_enable(unified.path, unified_controllers[part])))
                        r = copy_folder(&root->parts[part], &unified);
        }
        for (int part = CGROUP_PARTS; r >= 0 && part-- > 0;)
                if (root->parts[part].path && !cgroup_root_usable(root))
                        r = copy_folder(&root->parts[CGROUP_TRACKING], &root->parts[part]);
        if (unified.path && !root_uses(root, unified.path))
                (void)rmdir(unified.path);
        free(unified.path);
        return r;
}

static void folders_free(CgroupFolder *parts) {
        for (size_t i = 0; i < CGROUP_PARTS; i++) {
                free(parts[i].path);
                parts[i] = (CgroupFolder){0};
        }
}

int cgroup_root_open(CgroupRoot *root, const char *name, bool at_top, Error *error) {
        _cleanup_cgroup_places_ CgroupPlaces places = {0};
        _cleanup_buffer_ Buffer mounts = BUFFER_INIT, own = BUFFER_INIT;
        CgroupRoot result = {0};
        int r;

        r = file_read("/proc/self/mountinfo", FILE_SMALL_MAX, &mounts, error);
        if (r < 0)
                return r;
        r = file_read("/proc/self/cgroup", FILE_SMALL_MAX, &own, NULL);
        if (r < 0 && r != -ENOENT)
                return error_set_errno(error, r, "cannot read /proc/self/cgroup");
        r = cgroup_places_read((Slice){buffer_data(&mounts), buffer_length(&mounts)},
                               (Slice){buffer_data(&own), buffer_length(&own)}, &places);
        if (r >= 0)
                r = root_fill(&result, &places, name, at_top);
        if (r < 0) {
                folders_free(result.parts);
                return error_set_errno(error, r, "cannot look for control groups");
        }
        *root = result;
        return 0;
}

void cgroup_root_close(CgroupRoot *root) {
        for (size_t i = 0; i < CGROUP_PARTS; i++)
                if (root->parts[i].path)
                        (void)rmdir(root->parts[i].path);
        folders_free(root->parts);
}

/* ---- one group ---- */

static bool folder_is_repeated(const CgroupFolder *parts, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (parts[k].path && parts[i].path && str_equals(parts[k].path, parts[i].path))
                        return true;
        return false;
}

int cgroup_name(const CgroupRoot *root, const char *name, Cgroup *ret) {
        _cleanup_cgroup_ Cgroup group = {0};

        for (size_t i = 0; i < CGROUP_PARTS; i++) {
                if (!root->parts[i].path)
                        continue;
                group.parts[i].unified = root->parts[i].unified;
                group.parts[i].path = str_printf("%s/%s", root->parts[i].path, name);
                if (!group.parts[i].path)
                        return -ENOMEM;
        }
        *ret = group;
        group = (Cgroup){0};
        return 0;
}

int cgroup_create(const CgroupRoot *root, const char *name, Cgroup *ret, Error *error) {
        _cleanup_cgroup_ Cgroup group = {0};

        if (!cgroup_root_usable(root))
                return error_set(error, -EOPNOTSUPP, "no control group can be made here");
        if (cgroup_name(root, name, &group) < 0)
                return error_set_errno(error, -ENOMEM, "cannot make a control group");
        for (size_t i = 0; i < CGROUP_PARTS; i++)
                if (group.parts[i].path && mkdir(group.parts[i].path, 0755) < 0 && errno != EEXIST) {
                        int r = -errno;

                        (void)error_set_errno(error, r, "cannot make the control group %s", group.parts[i].path);
                        (void)cgroup_remove(&group);
                        return r;
                }
        *ret = group;
        group = (Cgroup){0};
        return 0;
}

void cgroup_deinit(Cgroup *group) {
        folders_free(group->parts);
}

/* Removes a tree of groups, deepest first. */
static int remove_tree(const char *path, unsigned depth) {
        struct dirent *entry;
        DIR *folder;
        int r = 0;

        if (rmdir(path) == 0 || errno == ENOENT)
                return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
                return -errno;
        if (depth >= CGROUP_DEPTH_MAX)
                return -ELOOP;
        folder = opendir(path);
        if (!folder)
                return errno == ENOENT ? 0 : -errno;
        while (r >= 0 && (entry = readdir(folder))) {
                _cleanup_free_ char *below = NULL;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                below = str_printf("%s/%s", path, entry->d_name);
                r = below ? remove_tree(below, depth + 1) : -ENOMEM;
        }
        (void)closedir(folder);
        if (r >= 0 && rmdir(path) < 0 && errno != ENOENT)
                r = -errno;
        return r;
}

int cgroup_remove_folder(const char *path) {
        return remove_tree(path, 0);
}

int cgroup_remove(Cgroup *group) {
        int r = 0;

        for (size_t i = 0; i < CGROUP_PARTS; i++)
                if (group->parts[i].path && !folder_is_repeated(group->parts, i)) {
                        int q = remove_tree(group->parts[i].path, 0);

                        if (q < 0 && r == 0)
                                r = q;
                }
        return r;
}

int cgroup_open_procs(const Cgroup *group, int fds[CGROUP_PARTS], size_t *ret_n) {
        size_t n = 0;

        for (size_t i = 0; i < CGROUP_PARTS; i++) {
                _cleanup_free_ char *path = NULL;

                if (!group->parts[i].path || folder_is_repeated(group->parts, i))
                        continue;
                path = str_printf("%s/cgroup.procs", group->parts[i].path);
                fds[n] = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
                if (fds[n] < 0) {
                        int r = path ? -errno : -ENOMEM;

                        while (n > 0)
                                (void)close(fds[--n]);
                        return r;
                }
                n++;
        }
        *ret_n = n;
        return 0;
}

int cgroup_add(const Cgroup *group, pid_t pid) {
        _cleanup_free_ char *text = str_printf("%d", pid);

        for (size_t i = 0; i < CGROUP_PARTS; i++) {
                _cleanup_free_ char *path = NULL;
                int r;

                if (!group->parts[i].path || folder_is_repeated(group->parts, i))
                        continue;
                path = str_printf("%s/cgroup.procs", group->parts[i].path);
                if (!path || !text)
                        return -ENOMEM;
                r = file_write(path, text);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The kernel counts a folder's own name and ".", and ".." of each one below. */
static bool has_folders(const char *path) {
        struct stat is;

        return stat(path, &is) < 0 || is.st_nlink > 2;
}

static int list_tree(const char *path, unsigned depth, PidList *list) {
        _cleanup_free_ char *procs = str_printf("%s/cgroup.procs", path);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        struct dirent *entry;
        Slice rest, line;
        uint64_t pid;
        DIR *folder;
        int r;

        if (!procs)
                return -ENOMEM;
        r = file_read(procs, FILE_SMALL_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT || r == -ENODEV ? 0 : r;
        rest = (Slice){buffer_data(&text), buffer_length(&text)};
        while (r >= 0 && rest.data && slice_split(&rest, '\n', &line))
                /* 0 stands for a process of another pid namespace */
                if (str_parse_u64(line, INT32_MAX, &pid) >= 0 && pid > 0)
                        r = pid_list_add(list, (pid_t)pid);
        if (r < 0 || depth >= CGROUP_DEPTH_MAX || !has_folders(path))
                return r;
        folder = opendir(path);
        if (!folder)
                return errno == ENOENT ? 0 : -errno;
        while (r >= 0 && (entry = readdir(folder))) {
                _cleanup_free_ char *below = NULL;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                below = str_printf("%s/%s", path, entry->d_name);
                r = below ? list_tree(below, depth + 1, list) : -ENOMEM;
        }
        (void)closedir(folder);
        return r;
}

int cgroup_list_pids(const Cgroup *group, PidList *list) {
        if (!group->parts[CGROUP_TRACKING].path)
                return 0;
        return list_tree(group->parts[CGROUP_TRACKING].path, 0, list);
}

bool cgroup_is_empty(const Cgroup *group) {
        _cleanup_pid_list_ PidList list = {0};

        return cgroup_list_pids(group, &list) >= 0 && list.length == 0;
}

int cgroup_kill(const Cgroup *group, int signal, pid_t except) {
        _cleanup_pid_list_ PidList signalled = {0};
        bool more = true;

        for (int round = 0; more && round < KILL_ROUNDS_MAX; round++) {
                _cleanup_pid_list_ PidList now = {0};
                int r = cgroup_list_pids(group, &now);

                if (r < 0)
                        return r;
                more = false;
                for (size_t i = 0; i < now.length; i++) {
                        if (now.items[i] == except || pid_list_contains(&signalled, now.items[i]))
                                continue;
                        r = pid_list_add(&signalled, now.items[i]);
                        if (r < 0)
                                return r;
                        (void)kill(now.items[i], signal);
                        more = true;
                }
        }
        return (int)signalled.length;
}

/* ---- limits and counters ---- */

static const struct {
        CgroupPart part;
        const char *name;
        const char *legacy_file, *unified_file;
        const char *legacy_none, *unified_none; /* what lifts the limit */
} limit_rows[] = {
        [CGROUP_LIMIT_MEMORY] = {CGROUP_MEMORY, "memory", "memory.limit_in_bytes", "memory.max", "-1", "max"},
        [CGROUP_LIMIT_MEMORY_HIGH] = {CGROUP_MEMORY, "memory (high)", NULL, "memory.high", NULL, "max"},
        [CGROUP_LIMIT_PIDS] = {CGROUP_PIDS, "number of processes", "pids.max", "pids.max", "max", "max"},
        [CGROUP_LIMIT_CPU_WEIGHT] = {CGROUP_CPU, "CPU weight", "cpu.shares", "cpu.weight", "1024", "100"},
        [CGROUP_LIMIT_CPU_QUOTA] = {CGROUP_CPU, "CPU quota", "cpu.cfs_quota_us", "cpu.max", "-1", "max 100000"},
};

static char *limit_text(CgroupLimit limit, bool unified, uint64_t value) {
        if (value == CGROUP_NO_LIMIT)
                return strdup(unified ? limit_rows[limit].unified_none : limit_rows[limit].legacy_none);
        if (limit == CGROUP_LIMIT_CPU_QUOTA) {
                value = min_of(value, UINT64_C(1000000000)) * (CPU_PERIOD_USEC / 1000);
                return unified ? str_printf("%llu %d", (unsigned long long)value, CPU_PERIOD_USEC)
                               : str_printf("%llu", (unsigned long long)value);
        }
        if (limit == CGROUP_LIMIT_CPU_WEIGHT && !unified)
                value = max_of(min_of(value, UINT64_C(10000)) * SHARES_PER_WEIGHT_100 / 100, UINT64_C(2));
        return str_printf("%llu", (unsigned long long)value);
}

int cgroup_set_limit(const Cgroup *group, CgroupLimit limit, uint64_t value, Error *error) {
        const CgroupFolder *folder = &group->parts[limit_rows[limit].part];
        _cleanup_free_ char *path = NULL, *text = NULL;
        const char *file = folder->unified ? limit_rows[limit].unified_file : limit_rows[limit].legacy_file;
        int r;

        if (!folder->path || !file)
                return error_set(error, -EOPNOTSUPP,
                                 "the limit of %s cannot be set: its cgroup controller is not usable here",
                                 limit_rows[limit].name);
        path = str_printf("%s/%s", folder->path, file);
        text = limit_text(limit, folder->unified, value);
        if (!path || !text)
                return error_set_errno(error, -ENOMEM, "cannot set the limit of %s", limit_rows[limit].name);
        r = file_write(path, text);
        if (r == -ENOENT)
                return error_set(error, -EOPNOTSUPP, "the limit of %s cannot be set: the kernel has no %s",
                                 limit_rows[limit].name, path);
        if (r < 0)
                return error_set_errno(error, r, "cannot write \"%s\" to %s", text, path);
        return 0;
}

/* A file that holds one number, or with `key` lines "key number". UINT64_MAX: not known. */
static uint64_t read_number(const CgroupFolder *folder, const char *file, const char *key) {
        _cleanup_free_ char *path = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice rest, line, word;
        uint64_t value;

        if (!folder->path)
                return UINT64_MAX;
        path = str_printf("%s/%s", folder->path, file);
        if (!path || file_read(path, FILE_SMALL_MAX, &text, NULL) < 0)
                return UINT64_MAX;
        rest = (Slice){buffer_data(&text), buffer_length(&text)};
        while (rest.data && slice_split(&rest, '\n', &line)) {
                if (key && (!slice_split(&line, ' ', &word) || !slice_equals(word, slice_from(key)) || !line.data))
                        continue;
                if (str_parse_u64(slice_trim(line), UINT64_MAX, &value) >= 0)
                        return value;
        }
        return UINT64_MAX;
}

void cgroup_read_counters(const Cgroup *group, CgroupCounters *ret) {
        const CgroupFolder *memory = &group->parts[CGROUP_MEMORY], *pids = &group->parts[CGROUP_PIDS];
        bool unified = memory->unified;

        *ret = (CgroupCounters){
                .memory_bytes = read_number(memory, unified ? "memory.current" : "memory.usage_in_bytes", NULL),
                .memory_peak = read_number(memory, unified ? "memory.peak" : "memory.max_usage_in_bytes", NULL),
                .pids = read_number(pids, "pids.current", NULL),
                .oom_kills = read_number(memory, unified ? "memory.events" : "memory.oom_control", "oom_kill"),
        };
}
