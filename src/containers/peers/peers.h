#pragma once
/*
 * The engines of other machines that serve images. Each tells the store where it does, at /_faering/containers/images/MACHINE, in a key that runs out
 * when the machine dies; whoever misses an image asks there first. Without a store there are no peers, and nothing else is lost.
 */
#include <uv.h>

#include "base/error.h"
#include "base/str.h"
#include "net/tls.h"
#include "net/url.h"

#define PEERS_MAX 64
#define PEERS_KEY "/_faering/containers/images"

typedef struct Peers Peers;
typedef struct PeersQuery PeersQuery;

typedef struct PeersOptions {
        const Url *servers; /* of the store; copied */
        size_t server_count;
        TlsContext *tls;     /* for those at https; borrowed, may be NULL */
        const char *machine; /* our id */
        const char *url;     /* where we serve images, "http://10.0.0.1:2374"; NULL: we do not */
} PeersOptions;

int peers_new(uv_loop_t *loop, const PeersOptions *options, Peers **ret, Error *error);

/* Takes our key away, if the store still answers; the loop must run until it is done (half a second at most). NULL is allowed; returns NULL. */
Peers *peers_free(Peers *peers);

/* Asks for the others' addresses; `found` gets them (borrowed), none when the store does not answer in a second. Never called within. NULL without memory. */
PeersQuery *peers_find(Peers *peers, void (*found)(void *userdata, const StringList *urls), void *userdata);

/* `found` will not be called. */
void peers_query_cancel(PeersQuery *query);
