#pragma once
/* A connection to a shim's socket, in frames. Embedded in its owner, who keeps it until `closed`. */
#include <uv.h>

#include "base/error.h"
#include "containers/shim/protocol.h"
#include "net/stream.h"

typedef struct ShimConnection ShimConnection;

typedef struct ShimConnectionEvents {
        void (*frame)(ShimConnection *connection, uint8_t type, Slice payload);
        /* The other side is gone, or was never there: -errno, 0 for an orderly end. Comes once; the owner closes it,
         * here or later. */
        void (*ended)(ShimConnection *connection, int r);
        void (*drained)(ShimConnection *connection); /* may be NULL */
        void (*closed)(ShimConnection *connection);
} ShimConnectionEvents;

struct ShimConnection {
        const ShimConnectionEvents *events;
        Stream stream;
        uv_connect_t connect;
        Buffer input;
        bool connected, ended, closing, paused;
};

/* Begins to connect to the shim of `directory`. `hello`: the first frame's type, with its payload. -errno. */
int shim_connection_open(ShimConnection *connection, uv_loop_t *loop, const char *directory, ShimFrame hello,
                         Slice payload, const ShimConnectionEvents *events, Error *error);
int shim_connection_send(ShimConnection *connection, ShimFrame type, const void *payload, size_t length);
void shim_connection_pause(ShimConnection *connection, bool pause);
void shim_connection_close(ShimConnection *connection);
