#include "host/fake-supervisor-loop.h"

#include <errno.h>
#include <stdlib.h>

typedef struct FakeLoop {
        FakeSupervisor *fake;
        uv_prepare_t prepare;
        uv_timer_t timer; /* only wakes the loop */
        unsigned open;
} FakeLoop;

static void on_timer(uv_timer_t *timer) {
        (void)timer;
}

static void on_closed(uv_handle_t *handle) {
        FakeLoop *driver = handle->data;

        if (--driver->open == 0)
                free(driver);
}

/* Before the loop sleeps: whatever was asked for in this turn is told, and what comes later sets the alarm. */
static void on_prepare(uv_prepare_t *prepare) {
        FakeLoop *driver = prepare->data;
        Usec now = clock_monotonic(), next;

        while (!fake_supervisor_is_closing(driver->fake) && fake_supervisor_run(driver->fake, now))
                ;
        if (fake_supervisor_is_closing(driver->fake)) {
                (void)fake_supervisor_run(driver->fake, now);
                uv_close((uv_handle_t *)&driver->prepare, on_closed);
                uv_close((uv_handle_t *)&driver->timer, on_closed);
                return;
        }
        next = fake_supervisor_next(driver->fake);
        if (next == USEC_INFINITY)
                (void)uv_timer_stop(&driver->timer);
        else
                (void)uv_timer_start(&driver->timer, on_timer, next > now ? (next - now) / USEC_PER_MSEC + 1 : 0, 0);
}

int fake_supervisor_loop_new(uv_loop_t *loop, const SupervisorEvents *events, void *userdata, Supervisor **ret, Error *error) {
        FakeLoop *driver = calloc(1, sizeof(*driver));

        if (driver)
                driver->fake = fake_supervisor_new(events, userdata);
        if (!driver || !driver->fake) {
                free(driver);
                return error_set_errno(error, -ENOMEM, "cannot make the fake supervisor");
        }
        (void)uv_prepare_init(loop, &driver->prepare);
        (void)uv_timer_init(loop, &driver->timer);
        driver->prepare.data = driver->timer.data = driver;
        driver->open = 2;
        (void)uv_prepare_start(&driver->prepare, on_prepare);
        *ret = fake_supervisor_base(driver->fake);
        return 0;
}
