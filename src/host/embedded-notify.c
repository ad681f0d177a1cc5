/* NOTIFY_SOCKET: one datagram socket for all units; the kernel says which process wrote. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "host/embedded-internal.h"
#include "host/file.h"

enum { NOTIFY_BATCH_MAX = 64 };

/* The unit a process belongs to, or NULL. */
static Unit *unit_of(Embedded *e, pid_t pid) {
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);

                if ((unit->main && unit->main->pid == pid) || (unit->control && unit->control->pid == pid))
                        return unit;
        }
        list_foreach(&e->units, node) {
                _cleanup_pid_list_ PidList pids = {0};
                Unit *unit = container_of(node, Unit, link);

                if (unit->group_open && unit_group_list(&unit->group, &pids) >= 0 && pid_list_contains(&pids, pid))
                        return unit;
        }
        return NULL;
}

ServiceNotifyAccess notify_access(const ServiceOptions *options) {
        if (options->notify_access != SERVICE_NOTIFY_DEFAULT)
                return options->notify_access;
        return options->type == SERVICE_NOTIFY || options->watchdog > 0 ? SERVICE_NOTIFY_MAIN : SERVICE_NOTIFY_NONE;
}

static UnitProcessRole role_of(const Unit *unit, pid_t pid) {
        if (unit->main && unit->main->pid == pid)
                return UNIT_PROCESS_MAIN;
        return unit->control && unit->control->pid == pid ? UNIT_PROCESS_CONTROL : UNIT_PROCESS_ABANDONED;
}

/* NotifyAccess=: whom the unit lets speak. */
static bool may_notify(const Unit *unit, UnitProcessRole role) {
        switch (notify_access(&unit->definition.options)) {
        case SERVICE_NOTIFY_DEFAULT:
        case SERVICE_NOTIFY_NONE:
                return false;
        case SERVICE_NOTIFY_MAIN:
                return role == UNIT_PROCESS_MAIN;
        case SERVICE_NOTIFY_EXEC:
                return role != UNIT_PROCESS_ABANDONED;
        case SERVICE_NOTIFY_ALL:
                return true;
        }
        return false;
}

static bool value_of(Slice line, const char *name, Slice *ret) {
        size_t length = strlen(name);

        if (line.length < length || memcmp(line.data, name, length) != 0)
                return false;
        *ret = (Slice){line.data + length, line.length - length};
        return true;
}

static void take_main_pid(Unit *unit, Slice text) {
        _cleanup_pid_list_ PidList pids = {0};
        uint64_t pid;

        if (str_parse_u64(text, INT32_MAX, &pid) < 0 || pid < 2)
                return;
        /* only a process of the unit itself may become what its stop kills */
        if (unit_group_list(&unit->group, &pids) >= 0 && pid_list_contains(&pids, (pid_t)pid))
                unit_set_main_pid(unit, (pid_t)pid);
        else
                unit_note(unit, "MAINPID=%llu is no process of this unit: ignored", (unsigned long long)pid);
}

/* What it says of its own health and of the time it needs. A number that is none is ignored. */
static void take_watchdog(Unit *unit, Slice line) {
        Usec now = clock_monotonic(), span;
        Slice value;

        if (slice_equals(line, slice_from("WATCHDOG=1")))
                service_notified_alive(&unit->machine, now);
        else if (slice_equals(line, slice_from("WATCHDOG=trigger")))
                service_notified_unwell(&unit->machine, now);
        else if (value_of(line, "WATCHDOG_USEC=", &value) && str_parse_u64(value, USEC_INFINITY - 1, &span) >= 0)
                service_notified_watchdog(&unit->machine, span, now);
        else if (value_of(line, "EXTEND_TIMEOUT_USEC=", &value) && str_parse_u64(value, USEC_INFINITY - 1, &span) >= 0)
                service_notified_extend(&unit->machine, span, now);
}

static void take_message(Unit *unit, Slice message) {
        bool ready = false, stopping = false;
        Slice line, value;

        while (message.data && slice_split(&message, '\n', &line)) {
                if (value_of(line, "STATUS=", &value))
                        unit_set_text(unit, "%.*s", (int)min_of(value.length, (size_t)SUPERVISOR_TEXT_MAX), value.data);
                else if (value_of(line, "MAINPID=", &value))
                        take_main_pid(unit, value);
                else if (slice_equals(line, slice_from("READY=1")))
                        ready = true;
                else if (slice_equals(line, slice_from("STOPPING=1")))
                        stopping = true;
                else
                        take_watchdog(unit, line);
        }
        if (ready)
                service_notified_ready(&unit->machine, clock_monotonic());
        if (stopping)
                service_notified_stopping(&unit->machine, clock_monotonic());
        unit_drive(unit);
}

static void hear(Unit *unit, UnitProcessRole role, pid_t pid, Slice text) {
        if (may_notify(unit, role))
                take_message(unit, text);
        else
                unit_note(unit, "a notification of process %d is ignored: NotifyAccess= does not allow it", pid);
}

static void on_notify(uv_poll_t *poll, int status, int events) {
        Embedded *e = container_of(poll, Embedded, notify);
        char text[UNIT_NOTIFY_MESSAGE_MAX];

        (void)events;
        for (int i = 0; status >= 0 && i < NOTIFY_BATCH_MAX; i++) {
                pid_t pid = 0;
                ssize_t n = unit_notify_receive(e->notify_fd, text, &pid);
                Unit *unit;

                if (n < 0)
                        return;
                unit = pid > 0 ? unit_of(e, pid) : NULL;
                if (unit)
                        hear(unit, role_of(unit, pid), pid, (Slice){text, (size_t)n});
        }
}

void notify_take_kept(Embedded *e, Unit *(*find)(void *userdata, const KeptNotice *notice, UnitProcessRole *ret_role), void *userdata) {
        for (size_t i = 0; e->notes && i < e->notes->length; i++) {
                const KeptNotice *note = &e->notes->items[i];
                UnitProcessRole role = UNIT_PROCESS_ABANDONED;
                Unit *unit = find(userdata, note, &role);

                if (!unit) {
                        unit = unit_of(e, note->pid);
                        role = unit ? role_of(unit, note->pid) : role;
                }
                if (unit)
                        hear(unit, role, note->pid, (Slice){note->text, note->length});
        }
        notify_drop_kept(e);
}

void notify_drop_kept(Embedded *e) {
        if (e->notes)
                kept_notices_deinit(e->notes);
        free(take_ptr(e->notes));
}

static void on_notify_closed(uv_handle_t *handle) {
        embedded_handle_closed(container_of((uv_poll_t *)handle, Embedded, notify));
}

static int bind_socket(const Embedded *e, int *ret, Error *error) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int on = 1;

        if (fd < 0)
                return error_set_errno(error, -errno, "cannot make the notification socket");
        if (strlen(e->notify_path) >= sizeof(address.sun_path))
                return error_set(error, -ENAMETOOLONG, "%s is too long a path for a socket", e->notify_path);
        memcpy(address.sun_path, e->notify_path, strlen(e->notify_path) + 1);
        (void)unlink(e->notify_path);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(e->notify_path, 0777) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
                return error_set_errno(error, -errno, "cannot bind the notification socket %s", e->notify_path);
        *ret = take_fd(fd);
        return 0;
}

/* Of an earlier supervisor, with what was said since. */
static int take_over_socket(Embedded *e, int *ret) {
        HolderFound found = {.notes = calloc(1, sizeof(KeptNotices))};
        int r = found.notes ? holder_connect(e, NULL, NOTIFY_HOLDER, &found) : -ENOMEM;

        if (r < 0) {
                if (found.notes)
                        kept_notices_deinit(found.notes);
                free(found.notes);
                return r;
        }
        e->notes = found.notes;
        e->notify_holder = found.holder;
        for (size_t i = 0; i < found.n_fds; i++)
                if (i == 0 && found.held[i] == UNIT_SHIM_NOTIFY)
                        *ret = found.fds[i];
                else
                        (void)close(found.fds[i]);
        if (*ret >= 0)
                return 0;
        holder_end_notify(e); /* it has nothing that is of use */
        return -ENOENT;
}

int notify_open(Embedded *e, Error *error) {
        _cleanup_close_ int fd = -1;
        int r = e->shim ? take_over_socket(e, &fd) : -ENOENT;

        if (r < 0)
                r = bind_socket(e, &fd, error);
        if (r < 0)
                return r;
        r = uv_poll_init(e->loop, &e->notify, fd);
        if (r < 0)
                return error_set_errno(error, r, "cannot watch the notification socket");
        e->notify_fd = take_fd(fd);
        e->open++;
        (void)uv_poll_start(&e->notify, UV_READABLE, on_notify);
        uv_unref((uv_handle_t *)&e->notify);
        return 0;
}

void notify_keep(Unit *unit) {
        Error error = ERROR_NONE;

        if (unit->owner->shim && !unit->owner->notify_holder && holder_keep_notify(unit->owner, &error) < 0)
                unit_note(unit, "what it says to NOTIFY_SOCKET would be lost over a restart of this program: %s", error.text);
}

/* With a holder the socket outlives us, and its path with it. */
void notify_close(Embedded *e) {
        uv_close((uv_handle_t *)&e->notify, on_notify_closed);
        (void)close(take_fd(e->notify_fd));
        if (!e->leaving)
                (void)unlink(e->notify_path);
}
