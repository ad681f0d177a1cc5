#pragma once
/*
 * Clients attached to what a shim holds: a container or a command executed in one. A client may attach before the
 * shim is there; its session then waits, and the start waits until every session of this kind hears, so that no byte
 * is missed.
 */
#include "base/list.h"
#include "containers/runtime/shim-connection.h"

enum { ATTACH_SESSIONS_MAX = 32, ATTACH_QUEUE_MAX = 1024 * 1024 };

typedef struct Attachable {
        uv_loop_t *loop;
        char *directory; /* of the shim's socket; owned */
        bool tty;        /* one raw stream, without frames */
        bool live;       /* the shim is there */
        List *all; /* of the engine: sessions outlive what they are attached to until their client has read the end */
        List sessions;
        size_t n_sessions, unready;
        void (*all_ready)(struct Attachable *attachable);
} Attachable;

/* Takes `directory`, borrows `all`. */
void attachable_init(Attachable *attachable, uv_loop_t *loop, List *all, char *directory, bool tty,
                     void (*all_ready)(Attachable *attachable));

/* No session may be left: attachable_over() first, and the loop must run. */
void attachable_deinit(Attachable *attachable);

/* The shim is there: all sessions connect. `all_ready` is called when they have (at once when there are none). */
void attachable_made(Attachable *attachable);

/* The shim was there before the engine. */
void attachable_found(Attachable *attachable);

/* It has ended, or did not come to be: sessions end once they have all output. */
void attachable_over(Attachable *attachable);

/* Takes over the client's connection (which it frees, also on failure): `streams` as ShimStreams, `early` what it has
 * sent already. */
int attachable_attach(Attachable *attachable, Stream *client, Slice early, uint8_t streams, Error *error);

/* Breaks all sessions that `all` lists. */
void attach_close_all(List *all);
