/* NOTIFY_SOCKET: one datagram socket for all units; the kernel says which process wrote. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "host/embedded-internal.h"
#include "host/file.h"

enum { NOTIFY_MESSAGE_MAX = 4096, NOTIFY_BATCH_MAX = 64 };

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

/* NotifyAccess=: whom the unit lets speak. */
static bool may_notify(const Unit *unit, pid_t pid) {
        const ServiceOptions *o = &unit->definition.options;
        bool main = unit->main && unit->main->pid == pid, control = unit->control && unit->control->pid == pid;

        switch (notify_access(o)) {
        case SERVICE_NOTIFY_DEFAULT:
        case SERVICE_NOTIFY_NONE:
                return false;
        case SERVICE_NOTIFY_MAIN:
                return main;
        case SERVICE_NOTIFY_EXEC:
                return main || control;
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

/* Files that come along are closed at once; nobody asked for them. */
static pid_t sender(struct msghdr *message) {
        pid_t pid = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
                        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                        for (size_t i = 0; i < n; i++) {
                                int fd;

                                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                                (void)close(fd);
                        }
                } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
                        struct ucred credentials;

                        memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
                        pid = credentials.pid;
                }
        }
        return pid;
}

static void on_notify(uv_poll_t *poll, int status, int events) {
        Embedded *e = container_of(poll, Embedded, notify);

        (void)events;
        for (int i = 0; status >= 0 && i < NOTIFY_BATCH_MAX; i++) {
                char text[NOTIFY_MESSAGE_MAX];
                union {
                        struct cmsghdr align;
                        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(253 * sizeof(int))];
                } control;
                struct iovec vector = {text, sizeof(text)};
                struct msghdr message = {.msg_iov = &vector,
                                         .msg_iovlen = 1,
                                         .msg_control = &control,
                                         .msg_controllen = sizeof(control)};
                ssize_t n = recvmsg(e->notify_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
                Unit *unit;
                pid_t pid;

                if (n < 0)
                        return;
                pid = sender(&message);
                if (pid <= 0 || message.msg_flags & MSG_TRUNC)
                        continue;
                unit = unit_of(e, pid);
                if (unit && may_notify(unit, pid))
                        take_message(unit, (Slice){text, (size_t)n});
                else if (unit)
                        unit_note(unit, "a notification of process %d is ignored: NotifyAccess= does not allow it",
                                  pid);
        }
}

static void on_notify_closed(uv_handle_t *handle) {
        embedded_handle_closed(container_of((uv_poll_t *)handle, Embedded, notify));
}

int notify_open(Embedded *e, Error *error) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int on = 1, r;

        if (fd < 0)
                return error_set_errno(error, -errno, "cannot make the notification socket");
        if (strlen(e->notify_path) >= sizeof(address.sun_path))
                return error_set(error, -ENAMETOOLONG, "%s is too long a path for a socket", e->notify_path);
        memcpy(address.sun_path, e->notify_path, strlen(e->notify_path) + 1);
        (void)unlink(e->notify_path);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(e->notify_path, 0777) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
                return error_set_errno(error, -errno, "cannot bind the notification socket %s", e->notify_path);
        r = uv_poll_init(e->loop, &e->notify, fd);
        if (r < 0)
                return error_set_errno(error, r, "cannot watch the notification socket");
        e->notify_fd = take_fd(fd);
        e->open++;
        (void)uv_poll_start(&e->notify, UV_READABLE, on_notify);
        uv_unref((uv_handle_t *)&e->notify);
        return 0;
}

void notify_close(Embedded *e) {
        uv_close((uv_handle_t *)&e->notify, on_notify_closed);
        (void)close(take_fd(e->notify_fd));
        (void)unlink(e->notify_path);
}
