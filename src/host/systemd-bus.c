/* The D-Bus connection on the libuv loop: its file descriptor, its wishes and its time limit decide when to process. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "host/systemd-internal.h"

enum { RETRY_MSEC = 500, RETRY_MSEC_MAX = 10000 };

/* The connection is let go of in the next turn: we may be called from within it. */
void systemd_bus_fail(Systemd *s, int r) {
        if (s->lost)
                return;
        s->lost = true;
        s->lost_r = r;
        if (s->poll)
                (void)uv_poll_stop(s->poll);
        (void)uv_timer_stop(&s->timer);
        systemd_wake(s);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
        Systemd *s = poll->data;

        (void)status; /* an error of the descriptor comes out of processing */
        (void)events;
        systemd_bus_pump(s);
}

static void on_timeout(uv_timer_t *timer) {
        systemd_bus_pump(timer->data);
}

static void on_retry(uv_timer_t *timer) {
        Systemd *s = timer->data;

        if (systemd_connect(s, NULL) >= 0) {
                s->lost = false;
                s->retry_msec = 0;
                systemd_state_fetch_all(s);
                systemd_bus_pump(s);
        } else {
                systemd_bus_retry(s);
        }
}

void systemd_bus_retry(Systemd *s) {
        systemd_bus_close(s);
        s->retry_msec = s->retry_msec ? min_of(s->retry_msec * 2, (unsigned)RETRY_MSEC_MAX) : RETRY_MSEC;
        (void)uv_timer_start(&s->timer, on_retry, s->retry_msec, 0);
}

static int arm(Systemd *s) {
        int events = libsystemd.sd_bus_get_events(s->bus), r;
        uint64_t due;
        Usec now;

        if (events < 0)
                return events;
        r = uv_poll_start(s->poll,
                          (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0) | UV_DISCONNECT,
                          on_readable);
        if (r < 0)
                return r;
        r = libsystemd.sd_bus_get_timeout(s->bus, &due);
        if (r < 0)
                return r;
        if (due == UINT64_MAX)
                return uv_timer_stop(&s->timer);
        now = clock_monotonic();
        uv_update_time(s->loop);
        return uv_timer_start(&s->timer, on_timeout, due > now ? (due - now + 999) / 1000 : 0, 0);
}

void systemd_bus_pump(Systemd *s) {
        bool any = false;
        int r;

        if (s->lost || s->closing)
                return;
        while ((r = libsystemd.sd_bus_process(s->bus, NULL)) > 0)
                any = true;
        if (r >= 0)
                r = arm(s);
        if (r < 0)
                systemd_bus_fail(s, r);
        if (any)
                systemd_wake(s);
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void)message;
        (void)error;
        systemd_bus_fail(userdata, -ECONNRESET);
        return 0;
}

static int open_poll(Systemd *s, int fd) {
        int r;

        s->poll = calloc(1, sizeof(*s->poll));
        if (!s->poll)
                return -ENOMEM;
        r = uv_poll_init(s->loop, s->poll, fd);
        if (r < 0) {
                free(take_ptr(s->poll));
                return r;
        }
        s->poll->data = s;
        s->open++;
        return 0;
}

int systemd_bus_open(Systemd *s, Error *error) {
        bool user = s->user;
        int fd, r;

        r = user ? libsystemd.sd_bus_open_user(&s->bus) : libsystemd.sd_bus_open_system(&s->bus);
        if (r < 0)
                return error_set_errno(error, r, "cannot connect to the %s D-Bus; is dbus running?",
                                       user ? "user's" : "system");
        (void)libsystemd.sd_bus_set_exit_on_disconnect(s->bus, 0);
        r = libsystemd.sd_bus_match_signal(s->bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, s);
        if (r < 0)
                return error_set_errno(error, r, "cannot watch the D-Bus connection");
        fd = libsystemd.sd_bus_get_fd(s->bus);
        if (fd < 0)
                return error_set_errno(error, fd, "the D-Bus connection has no file descriptor");
        r = open_poll(s, fd);
        return r < 0 ? error_set_errno(error, r, "cannot watch the D-Bus connection") : 0;
}

static void on_poll_closed(uv_handle_t *handle) {
        Systemd *s = handle->data;

        free(handle);
        systemd_handle_gone(s);
}

void systemd_handle_closed(uv_handle_t *handle) {
        systemd_handle_gone(handle->data);
}

/* What is queued still goes out: a stop asked for just before the end must not be lost. */
void systemd_bus_close(Systemd *s) {
        systemd_files_drop(s);
        systemd_state_drop(s);
        systemd_requests_drop(s);
        if (s->bus && !s->lost)
                (void)libsystemd.sd_bus_flush(s->bus);
        if (s->poll)
                uv_close((uv_handle_t *)take_ptr(s->poll), on_poll_closed);
        s->bus = libsystemd.sd_bus_close_unref(s->bus);
}
