#pragma once
/*
 * The links to the other members. Each member dials every other one twice, by an HTTP upgrade at its peer URLs: one
 * connection for messages, one for pieces of snapshots, which must not hold the messages up. What cannot be sent now is
 * dropped: the consensus core sends again.
 */
#include <uv.h>

#include "net/http-client.h"
#include "net/http-server.h"
#include "raft/types.h"

/* Where the upgrade is asked for. */
#define PEERS_PATH "/faering/v1/peer"

/* Output that may wait on one connection; beyond it frames are dropped. */
#define PEERS_QUEUE_MAX ((size_t)64 << 20)

typedef struct Peers Peers;

typedef struct PeersOps {
        /* A frame has come; borrowed. -EBADMSG ends the connection. */
        int (*frame)(void *userdata, uint64_t from, RaftPayload *frame);
        /* A frame could not be sent; at most once a second for each member. */
        void (*unreachable)(void *userdata, uint64_t to);
        /* TLS to that member does not come about, and why, each time that this changes. */
        void (*troubled)(void *userdata, uint64_t to, const char *why);
        /* Whether that member was removed: it is told so, and not listened to. */
        bool (*is_removed)(void *userdata, uint64_t id);
        /* Member `by` says that it has removed this one. */
        void (*removed)(void *userdata, uint64_t by);
} PeersOps;

typedef struct PeersConfig {
        uint64_t cluster;
        uint64_t member; /* this one */
        TlsContext *tls; /* for URLs of https; borrowed, may be NULL */
} PeersConfig;

/* `ops` and `userdata` are borrowed. NULL without memory. */
Peers *peers_new(uv_loop_t *loop, const PeersConfig *config, const PeersOps *ops, void *userdata);

/* Closes all; memory goes, and `closed` is called, when the loop has run. */
void peers_close(Peers *peers, void (*closed)(void *userdata), void *userdata);

/* Adds a member, or gives it new URLs, tried in turn. The list is copied. -ENOMEM. */
int peers_set(Peers *peers, uint64_t id, const Url *urls, size_t count);

/* Forgets all members for which `keep` is false. */
void peers_keep_only(Peers *peers, const uint64_t *ids, size_t count);

/* Frames gather until peers_flush(), to leave as one write for each member. */
void peers_send(Peers *peers, uint64_t to, bool bulk, Slice frame);
void peers_flush(Peers *peers);

/* Answers a request at PEERS_PATH, and takes the connection over if it comes from a member. */
void peers_handle(Peers *peers, HttpRequest *request);

/* Whether the connection for messages to `id` stands. */
bool peers_connected(const Peers *peers, uint64_t id);
