/*
 * Where units do not outlive the supervisor: records of running units, so that what a killed daemon leaves behind is found. units/NAME
 * holds the boot's id and the run's INVOCATION_ID. The next start kills those processes.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "host/embedded-internal.h"
#include "host/file.h"

enum { LEFTOVER_WAIT_MSEC = 5000 };

static char *record_path(const Embedded *e, const char *unit) {
        return str_printf("%s/%s", e->units_directory, unit);
}

int leftovers_record(Unit *unit, Error *error) {
        _cleanup_free_ char *path = record_path(unit->owner, unit->name);
        _cleanup_free_ char *text = str_printf("%s %s\n", unit->owner->boot_id, unit->group.id);

        if (unit->owner->shim) {
                record_save(unit);
                return 0;
        }
        if (!path || !text)
                return error_set_errno(error, -ENOMEM, "cannot note that %s runs", unit->name);
        return file_replace(path, 0600, slice_from(text), false, error);
}

void leftovers_forget(const Unit *unit) {
        _cleanup_free_ char *path = record_path(unit->owner, unit->name);

        if (path && !unit->owner->shim)
                (void)unlink(path);
}

/* Waits for the end of processes that are being killed: they are not our children. */
static void wait_for_end(const PidList *pids) {
        for (size_t i = 0; i < pids->length; i++) {
                struct pollfd wait = {.fd = (int)syscall(SYS_pidfd_open, pids->items[i], 0), .events = POLLIN};

                if (wait.fd < 0)
                        continue;
                (void)poll(&wait, 1, LEFTOVER_WAIT_MSEC);
                (void)close(wait.fd);
        }
}

void leftovers_note(Embedded *e, const char *name, const char *text) {
        UnitLog log;

        unit_log_init(&log, e->logs_directory, name, e->log_size);
        (void)unit_log_write(&log, &(SupervisorLogLine){clock_wall(), 0, SUPERVISOR_STREAM_NOTE, slice_from(text)});
        unit_log_close(&log);
}

static void note_leftovers(Embedded *e, const char *name, size_t n) {
        char text[128];

        (void)snprintf(text, sizeof(text), "killed %zu processes that an earlier run of the supervisor had left behind", n);
        leftovers_note(e, name, text);
}

static int kill_group(const CgroupRoot *root, const char *name, const char *id, size_t *n, Error *error) {
        _cleanup_pid_list_ PidList pids = {0};
        UnitGroup group;
        int r;

        r = unit_group_open(&group, root, name, id, error);
        if (r < 0)
                return r;
        r = unit_group_list(&group, &pids);
        if (r >= 0 && pids.length > 0) {
                (void)unit_group_kill(&group, SIGKILL, 0, 0);
                wait_for_end(&pids);
                *n += pids.length;
        }
        unit_group_close(&group);
        return r < 0 ? error_set_errno(error, r, "cannot look for processes left of %s", name) : 0;
}

/* By cgroup, and by the id: the earlier run may have had no cgroups, or others. */
int leftovers_kill_run(Embedded *e, const char *name, const char *id, size_t *n, Error *error) {
        size_t found = 0;
        int r = 0;

        if (cgroup_root_usable(&e->cgroups))
                r = kill_group(&e->cgroups, name, id, &found, error);
        if (r >= 0)
                r = kill_group(&(CgroupRoot){0}, name, id, &found, error);
        if (r >= 0 && found > 0)
                note_leftovers(e, name, found);
        *n += found;
        return r;
}

static int read_record(Embedded *e, const char *name, char boot[64], char id[UNIT_GROUP_ID_MAX]) {
        _cleanup_free_ char *path = record_path(e, name);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (!path)
                return -ENOMEM;
        if (file_read(path, 256, &text, NULL) < 0 || !buffer_string(&text) ||
            sscanf(buffer_string(&text), "%63s %32s", boot, id) != 2)
                *boot = '\0'; /* torn: as of another boot */
        return 0;
}

int leftovers_kill(Embedded *e, size_t *ret_n, Error *error) {
        DIR *folder = opendir(e->units_directory);
        struct dirent *entry;
        size_t n = 0;
        int r = 0;

        if (!folder)
                return error_set_errno(error, -errno, "cannot read %s", e->units_directory);
        while (r >= 0 && (entry = readdir(folder))) {
                char boot[64] = "", id[UNIT_GROUP_ID_MAX] = "";
                _cleanup_free_ char *path = NULL;

                if (entry->d_name[0] == '.')
                        continue;
                r = read_record(e, entry->d_name, boot, id);
                if (r >= 0 && str_equals(boot, e->boot_id))
                        r = leftovers_kill_run(e, entry->d_name, id, &n, error);
                path = record_path(e, entry->d_name);
                if (r >= 0 && path)
                        (void)unlink(path);
        }
        (void)closedir(folder);
        if (r >= 0)
                *ret_n = n;
        return r;
}
