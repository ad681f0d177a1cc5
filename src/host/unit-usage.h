#pragma once
/*
 * What a unit uses of its machine, by the control group of its main process: as the kernel counts it for the group, or where it
 * does not, added up over the group's processes.
 */
#include "host/cgroup-place.h"

#define UNIT_USAGE_UNKNOWN UINT64_MAX

typedef struct UnitUsage {
        uint64_t cpu;    /* microseconds since the group was made */
        uint64_t memory; /* bytes */
        uint64_t tasks;  /* processes */
} UnitUsage;

/* Where groups are, and which is the asking program's own: read once for any number of units. */
typedef struct UsageReader {
        char *mountinfo;
        CgroupPlaces own;
} UsageReader;

int usage_reader_init(UsageReader *reader);
void usage_reader_deinit(UsageReader *reader);
#define _cleanup_usage_reader_ _cleanup_(usage_reader_deinit)

/* What is not known is UNIT_USAGE_UNKNOWN. -ESRCH: the process is gone; -ENODATA: it has no group of its own. */
int usage_read(const UsageReader *reader, const char *unit, pid_t main_pid, UnitUsage *ret);

/* The unit's own folder in a path that may lead to a group below it: "…/web.service/sub" → "…/web.service". Pure. */
Slice usage_unit_folder(const char *path, const char *unit);

/* Of /proc/PID/stat: processor time in clock ticks, its own and that of children that it has waited for. -EBADMSG. Pure. */
int usage_parse_stat(const char *text, uint64_t *ret_ticks, uint64_t *ret_pages);

/* Of a cgroup's cpu.stat. -EBADMSG. Pure. */
int usage_parse_cpu_stat(const char *text, uint64_t *ret_usec);
