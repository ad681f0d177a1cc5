#pragma once
/* SIGTERM and SIGINT of a daemon: the first of them asks it to stop, once. They do not keep the loop alive. */
#include <uv.h>

#include "base/util.h"

typedef struct StopSignals {
        uv_signal_t handles[2];
        /* `interrupted`: SIGINT, from a terminal. */
        void (*stop)(void *userdata, bool interrupted);
        void *userdata;
} StopSignals;

void stop_signals_init(StopSignals *signals, uv_loop_t *loop, void (*stop)(void *userdata, bool interrupted), void *userdata);

/* The loop must run once more before `signals` may go. May follow the stop. */
void stop_signals_close(StopSignals *signals);
