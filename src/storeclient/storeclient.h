#pragma once
/*
 * A client of etcd's v2 API, with members to fall over to. The seam StoreClientOps has two sides: http-storeclient.h,
 * which speaks to servers, and fake-storeclient.h, a store in memory for tests.
 *
 * All on one loop; each request ends with exactly one reply, and each stream with exactly one end, unless it is cancelled.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

/* etcd's error codes that programs look at. */
enum {
        STORE_KEY_NOT_FOUND = 100,
        STORE_COMPARE_FAILED = 101,
        STORE_NOT_FILE = 102,
        STORE_NOT_DIRECTORY = 104,
        STORE_KEY_EXISTS = 105,
        STORE_DIRECTORY_NOT_EMPTY = 108,
        STORE_UNAUTHORIZED = 110,
        STORE_RAFT_INTERNAL = 300,
        STORE_INDEX_CLEARED = 401,
};

typedef enum StoreVerb {
        STORE_GET,
        STORE_SET,     /* PUT, with what else the request says */
        STORE_CREATE_IN_ORDER, /* POST */
        STORE_DELETE,
        STORE_WATCH,   /* one event, or a stream of them */
} StoreVerb;

typedef enum StoreExist {
        STORE_EXIST_ANY,
        STORE_EXIST_MUST,     /* update */
        STORE_EXIST_MUST_NOT, /* create */
} StoreExist;

/* Borrowed for the call. */
typedef struct StoreRequest {
        StoreVerb verb;
        const char *key;        /* "/a/b", not encoded */
        const char *value;      /* NULL: none */
        const char *prev_value; /* NULL: not compared */
        uint64_t prev_index;    /* 0: not compared */
        StoreExist exist;
        bool has_ttl;
        uint64_t ttl;           /* seconds */
        bool refresh, dir, recursive, sorted, quorum;
        uint64_t wait_index;    /* of WATCH; 0: the next event */
        Usec timeout;           /* 0: 5 s; a WATCH has none */
} StoreRequest;

/* Levels of nodes in one answer, at most: no answer with more is read. */
#define STORE_NODE_DEPTH_MAX 256

typedef struct StoreNode StoreNode;
struct StoreNode {
        char *key;
        char *value; /* NULL: none */
        bool dir;
        uint64_t created, modified;
        int64_t ttl;       /* seconds left; 0: permanent */
        char *expiration;  /* NULL: permanent */
        StoreNode *nodes;  /* children */
        size_t node_count;
};

typedef struct StoreReply {
        int r;              /* 0: the store did it; < 0: nobody could be asked, or nobody answered (`error` says) */
        int code;           /* > 0: the store refused: one of the codes above; r is then -EREMOTEIO */
        Error error;        /* for people, when r < 0 */
        char *message, *cause; /* of a refusal; may be NULL */
        uint64_t index;     /* X-Etcd-Index: of the store at the time; of a refusal what the error says */
        unsigned status;    /* of HTTP */
        char *action;       /* "set", … */
        StoreNode *node, *prev_node; /* may be NULL */
} StoreReply;

/* The reply is borrowed. */
typedef void (*StoreReplied)(void *userdata, const StoreReply *reply);

/* What a stream tells; all is borrowed. */
typedef struct StoreStreamEvents {
        /* The store listens: its events with indices above `index` are coming. */
        void (*begun)(void *userdata, uint64_t index);
        /* Those that have come together, in their order: each has action and node. The call may be cancelled within. */
        void (*events)(void *userdata, const StoreReply *events, size_t count);
        /* Nothing more comes. r == 0: the store has ended it in order, and all up to its last event was told: the next stream goes
         * on from there. Otherwise as any reply, code STORE_INDEX_CLEARED among them. */
        void (*ended)(void *userdata, const StoreReply *reply);
} StoreStreamEvents;

typedef struct StoreClient StoreClient;
typedef struct StoreCall StoreCall;

typedef struct StoreClientOps {
        /* Starts a request. `replied` is never called within. -EINVAL, -ENOMEM. */
        int (*send)(StoreClient *client, const StoreRequest *request, StoreReplied replied, void *userdata, StoreCall **ret_call);
        /* Starts a WATCH that goes on after its first event. `wait_index` in the past: if there has been an event since, this one is
         * told, and the stream ends with r == 0 (a server of etcd's kind sends nothing more then). Nothing is called within.
         * -EINVAL, -ENOMEM. */
        int (*stream)(StoreClient *client, const StoreRequest *request, const StoreStreamEvents *events, void *userdata,
                      StoreCall **ret_call);
        /* No reply will come; a write may be carried out all the same. */
        void (*cancel)(StoreCall *call);
} StoreClientOps;

struct StoreClient {
        const StoreClientOps *ops;
};

struct StoreCall {
        StoreClient *client;
};

static inline int storeclient_send(StoreClient *client, const StoreRequest *request, StoreReplied replied, void *userdata,
                                   StoreCall **ret_call) {
        return client->ops->send(client, request, replied, userdata, ret_call);
}

static inline int storeclient_stream(StoreClient *client, const StoreRequest *request, const StoreStreamEvents *events,
                                     void *userdata, StoreCall **ret_call) {
        return client->ops->stream(client, request, events, userdata, ret_call);
}

/* NULL is allowed; returns NULL. */
static inline StoreCall *store_call_cancel(StoreCall *call) {
        if (call)
                call->client->ops->cancel(call);
        return NULL;
}

/* The node of that key below (or at) `node`, or NULL. */
const StoreNode *store_node_find(const StoreNode *node, const char *key);

/* What stands after the last '/' of the node's key. */
const char *store_node_name(const StoreNode *node);

void store_reply_deinit(StoreReply *reply);
StoreNode *store_node_free(StoreNode *node); /* with all below; NULL is allowed; returns NULL */
