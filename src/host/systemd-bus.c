/* The D-Bus connection on the libuv loop: its file descriptor, its wishes and its time limit decide when to process. */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "host/systemd-internal.h"

static void fail(Systemd *s, int r) {
        if (s->lost)
                return;
        s->lost = true;
        s->lost_r = r;
        if (s->poll_open)
                (void)uv_poll_stop(&s->poll);
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

static int arm(Systemd *s) {
        int events = sd_bus_get_events(s->bus), r;
        uint64_t due;
        Usec now;

        if (events < 0)
                return events;
        r = uv_poll_start(&s->poll,
                          (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0) | UV_DISCONNECT,
                          on_readable);
        if (r < 0)
                return r;
        r = sd_bus_get_timeout(s->bus, &due);
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
        while ((r = sd_bus_process(s->bus, NULL)) > 0)
                any = true;
        if (r >= 0)
                r = arm(s);
        if (r < 0)
                fail(s, r);
        if (any)
                systemd_wake(s);
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        (void)message;
        (void)error;
        fail(userdata, -ECONNRESET);
        return 0;
}

int systemd_bus_open(Systemd *s, bool user, Error *error) {
        int fd, r;

        r = user ? sd_bus_open_user(&s->bus) : sd_bus_open_system(&s->bus);
        if (r < 0)
                return error_set_errno(error, r, "cannot connect to the %s D-Bus; is dbus running?",
                                       user ? "user's" : "system");
        (void)sd_bus_set_exit_on_disconnect(s->bus, 0);
        r = sd_bus_match_signal(s->bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, s);
        if (r < 0)
                return error_set_errno(error, r, "cannot watch the D-Bus connection");
        fd = sd_bus_get_fd(s->bus);
        if (fd < 0)
                return error_set_errno(error, fd, "the D-Bus connection has no file descriptor");
        r = uv_poll_init(s->loop, &s->poll, fd);
        if (r < 0)
                return error_set_errno(error, r, "cannot watch the D-Bus connection");
        s->poll.data = s;
        s->poll_open = true;
        s->open++;
        return 0;
}

void systemd_handle_closed(uv_handle_t *handle) {
        systemd_handle_gone(handle->data);
}

/* What is queued still goes out: a stop asked for just before the end must not be lost. */
void systemd_bus_close(Systemd *s) {
        if (s->bus && !s->lost)
                (void)sd_bus_flush(s->bus);
        if (s->poll_open)
                uv_close((uv_handle_t *)&s->poll, systemd_handle_closed);
        s->bus = sd_bus_close_unref(s->bus);
}
