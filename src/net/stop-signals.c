#include "net/stop-signals.h"

#include <signal.h>

static void on_signal(uv_signal_t *handle, int number) {
        StopSignals *signals = handle->data;

        stop_signals_close(signals);
        signals->stop(signals->userdata, number == SIGINT);
}

void stop_signals_init(StopSignals *signals, uv_loop_t *loop, void (*stop)(void *userdata, bool interrupted), void *userdata) {
        static const int numbers[] = {SIGTERM, SIGINT};

        signals->stop = stop;
        signals->userdata = userdata;
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                (void)uv_signal_init(loop, &signals->handles[i]);
                signals->handles[i].data = signals;
                (void)uv_signal_start(&signals->handles[i], on_signal, numbers[i]);
                uv_unref((uv_handle_t *)&signals->handles[i]);
        }
}

void stop_signals_close(StopSignals *signals) {
        for (size_t i = 0; i < ARRAY_SIZE(signals->handles); i++)
                if (!uv_is_closing((uv_handle_t *)&signals->handles[i]))
                        uv_close((uv_handle_t *)&signals->handles[i], NULL);
}
