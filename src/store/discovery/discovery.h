#pragma once
/*
 * etcd's discovery protocol: founders who do not know each other meet below a key, the token, of any v2 store. Each reads how
 * many they shall be (_config/size), writes its name and URLs under its id, and waits until so many have come; the first by
 * createdIndex are the cluster. Pure: says what to ask next and is told the answer; store/found.c carries it to the server.
 */
#include "storeclient/storeclient.h"

/* The largest size that a token may ask for. */
#define DISCOVERY_SIZE_MAX 64

typedef enum DiscoveryOutcome {
        DISCOVERY_ON,    /* ask discovery_next() at once */
        DISCOVERY_FOUND, /* the cluster is known: `cluster` */
        DISCOVERY_FULL,  /* others have filled the token; `cluster` are they */
        DISCOVERY_AGAIN, /* the server is in trouble, `error` says how: ask discovery_next() after a pause */
} DiscoveryOutcome;

typedef enum DiscoveryStep {
        DISCOVERY_STEP_SIZE,
        DISCOVERY_STEP_LIST,
        DISCOVERY_STEP_REGISTER,
        DISCOVERY_STEP_WAIT,
} DiscoveryStep;

typedef struct Discovery {
        const char *url;   /* the token's, for people; borrowed */
        const char *path;  /* its path on the server, without a last '/'; borrowed */
        const char *id;    /* this member's, in hexadecimal digits; borrowed. NULL: only looks who has come */
        const char *value; /* "name=URL,name=URL2" of this member; borrowed */
        DiscoveryStep step;
        uint64_t size;       /* known after the first step */
        uint64_t registered; /* how many have come, as of the last list */
        uint64_t wait_index;
        bool wrote;    /* this member has been registered */
        char *cluster; /* as --initial-cluster; owned */
} Discovery;

/* Texts are owned. */
typedef struct DiscoveryRequest {
        const char *method;
        char *target;
        char *form; /* body of a PUT; NULL: none */
        bool waits; /* the answer may be long in coming */
} DiscoveryRequest;

void discovery_deinit(Discovery *discovery);
void discovery_request_deinit(DiscoveryRequest *request);

/* -ENOMEM. */
int discovery_next(const Discovery *discovery, DiscoveryRequest *ret_request);

/* Takes the answer to what discovery_next() asked; a DiscoveryOutcome. < 0 with `error`: the token cannot be used, and why. */
int discovery_hear(Discovery *discovery, const StoreReply *reply, Error *error);
