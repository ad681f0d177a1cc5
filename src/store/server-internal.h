#pragma once
/* What the files of the server share: server.c has its life and its loop, server-backend.c what the API asks for,
 * server-members.c what it knows of the members and tells them. */
#include <uv.h>

#include "net/http-server.h"
#include "store/api/api.h"
#include "store/beginning.h"
#include "store/members.h"
#include "store/peer/peers.h"
#include "store/replica/replica.h"
#include "store/server.h"
#include "store/service-manager.h"
#include "store/turns.h"

typedef struct ServerPeer {
        uint64_t id; /* 0: free */
        uint64_t sent_bytes, received_bytes, failures;
} ServerPeer;

struct Server {
        uv_loop_t *loop;
        const Settings *settings;
        Disk *disk;
        Beginning beginning;
        Replica *replica; /* of the beginning */
        TlsContext *client_tls, *peer_tls; /* NULL: nothing there is of TLS */
        Peers *peers;
        HttpServer *clients;      /* serves clients */
        HttpServer *members_http; /* serves other members */
        HttpServer *metrics_http; /* serves those who watch over it; NULL: only `clients` do */
        Api api;
        Members members;
        bool members_stale;
        size_t voters, standbys; /* as logged last */
        Watcher *members_watch;
        StringList advertised;
        ServiceManager manager;
        Turns turns;
        uv_check_t check;
        uv_idle_t idle;
        uv_timer_t tick;
        uv_timer_t stop;
        unsigned open_handles;
        unsigned works;           /* on worker threads */
        bool stopping, closing;
        bool handing_over;
        bool last_turn;
        bool removal_logged, urls_checked;
        Usec leader_changed;
        bool in_run;
        bool published, publishing;
        Usec publish_retry;
        Usec slow_told; /* when the log heard last of work that took long */
        uint64_t leader;
        WallUsec started, leader_since;
        uint64_t leader_changes;
        ServerPeer peer_counts[RAFT_MEMBERS_MAX];
        Error failure;
        int failed;
};

/* server-backend.c */
extern const StoreBackend server_backend;

ServerPeer *server_peer(Server *server, uint64_t id); /* NULL: no room */

/* server-members.c */
int server_parse_urls(const StringList *texts, Url **ret_urls); /* how many; the caller frees */
void server_refresh_members(Server *server);                    /* takes up what is new in the tree */
void server_publish(Server *server);                            /* tells the cluster this member's name and client URLs */
