#include "host/unit-usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/cgroup.h"
#include "host/file.h"

enum { TEXT_MAX = 64 * 1024, MOUNTINFO_MAX = 4 * 1024 * 1024 };

/* ---- texts of the kernel ---- */

int usage_parse_stat(const char *text, uint64_t *ret_ticks, uint64_t *ret_pages) {
        const char *rest = strrchr(text, ')'); /* the name may have anything in it */
        uint64_t own, system, pages;
        int64_t children, children_system;

        if (!rest || sscanf(rest + 1,
                            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64
                            " %*d %*d %*d %*d %*u %*u %" SCNu64,
                            &own, &system, &children, &children_system, &pages) != 5)
                return -EBADMSG;
        *ret_ticks =
                own + system + (uint64_t)max_of(children, (int64_t)0) + (uint64_t)max_of(children_system, (int64_t)0);
        *ret_pages = pages;
        return 0;
}

int usage_parse_cpu_stat(const char *text, uint64_t *ret_usec) {
        const char *at = strstr(text, "usage_usec ");

        if (!at || (at != text && at[-1] != '\n') || sscanf(at, "usage_usec %" SCNu64, ret_usec) != 1)
                return -EBADMSG;
        return 0;
}

Slice usage_unit_folder(const char *path, const char *unit) {
        size_t length = strlen(unit);

        for (const char *at = path; (at = strstr(at, unit)); at += length)
                if (at > path && at[-1] == '/' && (at[length] == '/' || at[length] == '\0'))
                        return (Slice){path, (size_t)(at - path) + length};
        return slice_from(path);
}

/* ---- reading ---- */

static int read_text(const char *path, size_t max, char **ret) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = file_read(path, max, &text, NULL);

        if (r < 0)
                return r;
        *ret = buffer_length(&text) ? buffer_steal_string(&text, NULL) : strdup("");
        return *ret ? 0 : -ENOMEM;
}

static int read_places(const UsageReader *reader, const char *groups_of, CgroupPlaces *ret) {
        _cleanup_free_ char *groups = NULL;
        int r = read_text(groups_of, TEXT_MAX, &groups);

        return r < 0 ? r : cgroup_places_read(slice_from(reader->mountinfo), slice_from(groups), ret);
}

int usage_reader_init(UsageReader *reader) {
        int r;

        *reader = (UsageReader){0};
        r = read_text("/proc/self/mountinfo", MOUNTINFO_MAX, &reader->mountinfo);
        if (r >= 0)
                r = read_places(reader, "/proc/self/cgroup", &reader->own);
        if (r < 0)
                usage_reader_deinit(reader);
        return r;
}

void usage_reader_deinit(UsageReader *reader) {
        cgroup_places_deinit(&reader->own);
        free(reader->mountinfo);
        *reader = (UsageReader){0};
}

/* The unit's folder in one hierarchy, or NULL where it shares a group with us or with all. */
static char *unit_folder(const CgroupPlace *place, const CgroupPlace *own, const char *unit) {
        if (!place->top || !place->own || str_equals(place->own, place->top) ||
            (own->own && str_equals(place->own, own->own)))
                return NULL;
        return slice_dup(usage_unit_folder(place->own, unit));
}

static int read_number(const char *folder, const char *file, uint64_t *ret) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, file), *text = NULL;
        int r = path ? read_text(path, TEXT_MAX, &text) : -ENOMEM;

        return r < 0 ? r : str_parse_u64(slice_trim(slice_from(text)), UINT64_MAX, ret);
}

static int read_cpu(const char *folder, bool unified, uint64_t *ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        uint64_t nsec;
        int r;

        if (!unified) {
                r = read_number(folder, "cpuacct.usage", &nsec);
                if (r >= 0)
                        *ret = nsec / 1000;
                return r;
        }
        path = str_printf("%s/cpu.stat", folder);
        r = path ? read_text(path, TEXT_MAX, &text) : -ENOMEM;
        return r < 0 ? r : usage_parse_cpu_stat(text, ret);
}

/* What the kernel counts for the group. */
static void read_counters(const char *folder, bool unified, CgroupPart part, UnitUsage *usage) {
        if (part == CGROUP_CPU || unified)
                (void)read_cpu(folder, unified, &usage->cpu);
        if (part == CGROUP_MEMORY || unified)
                (void)read_number(folder, unified ? "memory.current" : "memory.usage_in_bytes", &usage->memory);
}

/* Over its processes: those that have ended are not in it, unless another has waited for them. */
static void add_up(const PidList *pids, UnitUsage *usage) {
        uint64_t ticks = 0, pages = 0, second = (uint64_t)sysconf(_SC_CLK_TCK), page = (uint64_t)sysconf(_SC_PAGESIZE);
        bool any = false;

        for (size_t i = 0; i < pids->length; i++) {
                char path[64];
                _cleanup_free_ char *text = NULL;
                uint64_t own_ticks, own_pages;

                (void)snprintf(path, sizeof(path), "/proc/%d/stat", pids->items[i]);
                if (read_text(path, TEXT_MAX, &text) < 0 || usage_parse_stat(text, &own_ticks, &own_pages) < 0)
                        continue;
                ticks += own_ticks;
                pages += own_pages;
                any = true;
        }
        if (!any)
                return;
        if (usage->cpu == UNIT_USAGE_UNKNOWN)
                usage->cpu = ticks * (USEC_PER_SEC / second);
        if (usage->memory == UNIT_USAGE_UNKNOWN)
                usage->memory = pages * page;
}

static void read_processes(char *folder, bool unified, UnitUsage *usage) {
        const Cgroup group = {.parts[CGROUP_TRACKING] = {folder, unified}};
        _cleanup_pid_list_ PidList pids = {0};

        if (cgroup_list_pids(&group, &pids) < 0)
                return;
        usage->tasks = pids.length;
        if (usage->cpu == UNIT_USAGE_UNKNOWN || usage->memory == UNIT_USAGE_UNKNOWN)
                add_up(&pids, usage);
}

int usage_read(const UsageReader *reader, const char *unit, pid_t main_pid, UnitUsage *ret) {
        UnitUsage usage = {UNIT_USAGE_UNKNOWN, UNIT_USAGE_UNKNOWN, UNIT_USAGE_UNKNOWN};
        _cleanup_cgroup_places_ CgroupPlaces places = {0};
        _cleanup_free_ char *tracking = NULL, *unified = NULL;
        char path[64];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", main_pid);
        r = read_places(reader, path, &places);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        unified = unit_folder(&places.unified, &reader->own.unified, unit);
        if (unified)
                read_counters(unified, true, CGROUP_TRACKING, &usage);
        for (int part = 0; part < CGROUP_PARTS; part++) {
                _cleanup_free_ char *folder = unit_folder(&places.legacy[part], &reader->own.legacy[part], unit);

                if (!folder)
                        continue;
                read_counters(folder, false, (CgroupPart)part, &usage);
                if (part == CGROUP_TRACKING || !tracking) {
                        free(tracking);
                        tracking = strdup(folder);
                }
        }
        if (!tracking && !unified)
                return -ENODATA;
        read_processes(unified ?: tracking, unified, &usage);
        *ret = usage;
        return 0;
}
