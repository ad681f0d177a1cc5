#include "host/unit-group.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "host/file.h"

enum {
        KILL_ROUNDS_MAX = 16,
        LOOKS_MAX = 16,
        STAT_ENV_END = 51, /* proc(5): (51) env_end */
        EXEC_LOOKS_MAX = 2000,
        EXEC_LOOK_USEC = 100,
};

/* A process as /proc/PID/stat tells it. */
typedef struct Seen {
        pid_t pid, parent, session;
        bool executing; /* in the middle of execve(2), without an environment; also kernel threads, which never have one */
        bool member;
} Seen;

typedef struct SeenList {
        Seen *items;
        size_t length, capacity;
        PidList ended; /* listed, but at their end when they were looked at */
} SeenList;

static void seen_list_deinit(SeenList *list) {
        free(list->items);
        pid_list_deinit(&list->ended);
}

int unit_group_open(UnitGroup *group, const CgroupRoot *root, const char *name, const char *id, Error *error) {
        _cleanup_cgroup_ Cgroup cgroup = {0};
        UnitGroup opened = {0};
        int r;

        (void)snprintf(opened.id, sizeof(opened.id), "%s", id);
        if (cgroup_root_usable(root)) {
                r = cgroup_create(root, name, &cgroup, error);
                if (r < 0)
                        return r;
                opened.root = root;
                opened.name = name;
        }
        *group = opened;
        return 0;
}

int unit_group_cgroup(const UnitGroup *group, Cgroup *ret) {
        return cgroup_name(group->root, group->name, ret);
}

void unit_group_close(UnitGroup *group) {
        _cleanup_cgroup_ Cgroup cgroup = {0};

        if (unit_group_in_cgroup(group) && unit_group_cgroup(group, &cgroup) >= 0)
                (void)cgroup_remove(&cgroup);
        unit_group_leave(group);
}

void unit_group_leave(UnitGroup *group) {
        pid_list_deinit(&group->sessions);
        pid_list_deinit(&group->parents);
        *group = (UnitGroup){0};
}

/* In a list that keeps the latest: the oldest have long ended. */
static int add_latest(PidList *list, pid_t pid) {
        if (list->length >= UNIT_GROUP_SESSIONS_MAX)
                memmove(list->items, list->items + 1, --list->length * sizeof(*list->items));
        return pid_list_add(list, pid);
}

int unit_group_add_parent(UnitGroup *group, pid_t pid) {
        return add_latest(&group->parents, pid);
}

static bool is_parent(const UnitGroup *group, pid_t pid) {
        return pid == getpid() || pid_list_contains(&group->parents, pid);
}

int unit_group_add_session(UnitGroup *group, pid_t leader) {
        if (unit_group_in_cgroup(group))
                return 0;
        return add_latest(&group->sessions, leader); /* children of older ones still carry the id */
}

/* Field `number` of /proc/PID/stat, counted as proc(5) does; `after` begins at the third. */
static uint64_t stat_field(const char *after, int number) {
        Slice rest = slice_from(after), field = {0};
        uint64_t value = 0;

        for (int i = 3; i <= number; i++)
                if (!slice_split(&rest, ' ', &field))
                        return 0;
        return str_parse_u64(slice_trim(field), UINT64_MAX, &value) < 0 ? 0 : value;
}

/* "PID (name) state parent group session …": the name may hold anything, so what follows its last ')' counts. */
static bool read_stat(pid_t pid, Seen *ret) {
        char path[64], state;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const char *after;
        int parent, group, session;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (file_read(path, FILE_SMALL_MAX, &text, NULL) < 0 || !buffer_string(&text))
                return false;
        after = strrchr(buffer_string(&text), ')');
        if (!after || sscanf(after + 1, " %c %d %d %d", &state, &parent, &group, &session) != 4)
                return false;
        if (state == 'Z' || state == 'X')
                return false;
        *ret = (Seen){.pid = pid, .parent = parent, .session = session, .executing = stat_field(after + 2, STAT_ENV_END) == 0};
        return true;
}

/* Whether the environment has the id. 1: yes. 0: no. -ENODATA: there is no environment, or none yet. */
static int look_at_environment(pid_t pid, const char *id) {
        char path[64], entry[64];
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice rest, one;

        (void)snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        (void)snprintf(entry, sizeof(entry), "INVOCATION_ID=%s", id);
        if (file_read(path, FILE_SMALL_MAX, &text, NULL) < 0)
                return 0;
        if (buffer_length(&text) == 0)
                return -ENODATA;
        rest = (Slice){buffer_data(&text), buffer_length(&text)};
        while (rest.data && slice_split(&rest, '\0', &one))
                if (slice_equals(one, slice_from(entry)))
                        return 1;
        return 0;
}

/*
 * An orphan that the kernel is just giving another program has no environment for a moment, and if it has made a session of its own
 * nothing else tells whose it is. The kernel is at it: the moment is waited for, within a bound.
 */
static bool carries_id(const UnitGroup *group, const Seen *seen) {
        const char *id = group->id;
        bool was_whole = false;

        for (int i = 0; *id && i < EXEC_LOOKS_MAX; i++) {
                Seen now;
                int r = look_at_environment(seen->pid, id);

                if (r >= 0)
                        return r > 0;
                if (!is_parent(group, seen->parent) || !read_stat(seen->pid, &now) || (was_whole && !now.executing))
                        return false; /* not ours to judge; ended; without an environment */
                was_whole = !now.executing;
                (void)usleep(EXEC_LOOK_USEC);
        }
        return false;
}

static int see_all(SeenList *list) {
        struct dirent *entry;
        DIR *proc = opendir("/proc");
        int r = 0;

        if (!proc)
                return -errno;
        while (r >= 0 && (entry = readdir(proc))) {
                uint64_t pid;
                Seen seen;

                if (str_parse_u64(slice_from(entry->d_name), INT32_MAX, &pid) < 0 || (pid_t)pid == getpid())
                        continue;
                if (!read_stat((pid_t)pid, &seen)) {
                        r = pid_list_add(&list->ended, (pid_t)pid);
                        continue;
                }
                if (list->length == list->capacity) {
                        size_t capacity = list->capacity ? list->capacity * 2 : 256;
                        Seen *items = reallocarray(list->items, capacity, sizeof(*items));

                        if (!items) {
                                r = -ENOMEM;
                                break;
                        }
                        list->items = items;
                        list->capacity = capacity;
                }
                list->items[list->length++] = seen;
        }
        (void)closedir(proc);
        return r;
}

/* Children of members are members, too, until nothing changes. */
static void spread(SeenList *list) {
        bool more = true;

        while (more) {
                more = false;
                for (size_t i = 0; i < list->length; i++)
                        for (size_t k = 0; !list->items[i].member && k < list->length; k++)
                                if (list->items[k].member && list->items[k].pid == list->items[i].parent)
                                        list->items[i].member = more = true;
        }
}

static int look_once(const UnitGroup *group, SeenList *seen, PidList *list) {
        int r = see_all(seen);

        for (size_t i = 0; r >= 0 && i < seen->length; i++)
                seen->items[i].member =
                        pid_list_contains(&group->sessions, seen->items[i].session) || carries_id(group, &seen->items[i]);
        spread(seen);
        for (size_t i = 0; r >= 0 && i < seen->length; i++)
                if (seen->items[i].member)
                        r = pid_list_add(list, seen->items[i].pid);
        return r;
}

static bool has_new(const PidList *now, const PidList *before) {
        for (size_t i = 0; i < now->length; i++)
                if (!pid_list_contains(before, now->items[i]))
                        return true;
        return false;
}

/*
 * A process may be listed, make another, which is not listed, and end before it is looked at: then neither is seen. So "none" counts
 * only when no process has ended under our eyes; else the next look sees the other.
 */
static int list_traced(const UnitGroup *group, PidList *list) {
        _cleanup_pid_list_ PidList before = {0};
        bool again = *group->id || group->sessions.length > 0;
        int r = 0;

        for (int i = 0; again && i < LOOKS_MAX; i++) {
                _cleanup_(seen_list_deinit) SeenList seen = {0};

                r = look_once(group, &seen, list);
                again = r >= 0 && list->length == 0 && has_new(&seen.ended, &before);
                pid_list_deinit(&before);
                before = seen.ended;
                seen.ended = (PidList){0};
        }
        return r;
}

int unit_group_list(const UnitGroup *group, PidList *list) {
        _cleanup_cgroup_ Cgroup cgroup = {0};
        int r;

        if (!unit_group_in_cgroup(group))
                return list_traced(group, list);
        r = unit_group_cgroup(group, &cgroup);
        return r < 0 ? r : cgroup_list_pids(&cgroup, list);
}

static bool is_zombie(pid_t pid) {
        Seen seen;

        return !read_stat(pid, &seen);
}

/* As with looking: who was listed may have made another before it ended. A cgroup lists those that have ended until they are reaped,
 * so it is empty when it lists the same of them twice. */
bool unit_group_is_empty(const UnitGroup *group) {
        _cleanup_pid_list_ PidList before = {0};

        for (int i = 0; i < LOOKS_MAX; i++) {
                _cleanup_pid_list_ PidList list = {0};

                if (unit_group_list(group, &list) < 0)
                        return false;
                for (size_t k = 0; k < list.length; k++)
                        if (!is_zombie(list.items[k]))
                                return false;
                if (!has_new(&list, &before))
                        return true;
                pid_list_deinit(&before);
                before = list;
                list = (PidList){0};
        }
        return false;
}

pid_t unit_group_find(const UnitGroup *group, pid_t except_one, pid_t except_other) {
        _cleanup_pid_list_ PidList list = {0};

        if (unit_group_list(group, &list) < 0)
                return 0;
        for (size_t i = 0; i < list.length; i++)
                if (list.items[i] != except_one && list.items[i] != except_other && !is_zombie(list.items[i]))
                        return list.items[i];
        return 0;
}

int unit_group_kill(const UnitGroup *group, int signal, pid_t except_one, pid_t except_other) {
        _cleanup_pid_list_ PidList signalled = {0};
        bool more = true;

        for (int round = 0; more && round < KILL_ROUNDS_MAX; round++) {
                _cleanup_pid_list_ PidList now = {0};
                int r = unit_group_list(group, &now);

                if (r < 0)
                        return r;
                more = false;
                for (size_t i = 0; i < now.length; i++) {
                        pid_t pid = now.items[i];

                        if (pid == except_one || pid == except_other || pid_list_contains(&signalled, pid) ||
                            is_zombie(pid))
                                continue;
                        r = pid_list_add(&signalled, pid);
                        if (r < 0)
                                return r;
                        (void)kill(pid, signal);
                        more = true;
                }
        }
        return (int)signalled.length;
}

pid_t unit_group_guess_main(const UnitGroup *group) {
        _cleanup_pid_list_ PidList list = {0};
        pid_t found = 0;

        if (unit_group_list(group, &list) < 0)
                return 0;
        for (size_t i = 0; i < list.length; i++) {
                Seen seen;

                if (!read_stat(list.items[i], &seen) || !is_parent(group, seen.parent))
                        continue;
                if (found)
                        return 0;
                found = seen.pid;
        }
        return found;
}
