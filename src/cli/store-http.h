#pragma once
/*
 * Requests to a list of endpoints, in turn, as etcd's own client makes them: an endpoint that cannot be reached, says nothing
 * within the time for one, or answers 5xx is followed by the next, and the one that answered is asked first the next time.
 * A request that must not be carried out twice goes to one endpoint only. Calls wait; the loop goes on meanwhile.
 */
#include <uv.h>

#include "base/str.h"
#include "net/http-client.h"

enum { STORE_ENDPOINTS_MAX = 256 };

typedef struct StoreHttp StoreHttp;

typedef struct StoreHttpConfig {
        const HttpClientConfig *http; /* TLS; NULL: none */
        Usec timeout;                 /* for one endpoint, from connecting to the answer's head; 0: none */
        Usec total_timeout;           /* for the whole */
        const char *credentials;      /* "name:password" or NULL */
        bool debug;                   /* each request as a curl command on stderr; secrets are left out */
} StoreHttpConfig;

typedef struct StoreHttpRequest {
        const char *method;
        const char *target;       /* encoded */
        const char *content_type; /* or NULL */
        const char *body;         /* NUL-terminated text, or NULL */
        const char *shown_body;   /* what --debug shows of it; NULL: the body */
        bool unshown;             /* --debug says nothing of it */
        bool one_shot;            /* may be sent to one endpoint only */
        bool wait;                /* a watch: has no time limit */
        uint64_t *index;          /* a watch: set to X-Etcd-Index as soon as the answer begins; or NULL */
} StoreHttpRequest;

typedef struct StoreAnswer {
        unsigned status;
        uint64_t index; /* X-Etcd-Index; 0: none */
        char *body;
        size_t length;
} StoreAnswer;

void store_answer_deinit(StoreAnswer *answer);
#define _cleanup_store_answer_ _cleanup_(store_answer_deinit)

/* Why nobody answered. */
typedef struct StoreFailure {
        bool interrupted;   /* store_http_interrupt() */
        bool timed_out;     /* the time for the whole was over */
        bool connection;    /* no endpoint was reached at all, or lost while reading */
        bool unhealthy;     /* an endpoint was reached and answered 5xx */
        bool single;        /* a one-shot request: `causes` has the one cause */
        StringList causes;  /* in etcd's words, one for each endpoint asked */
        StringList reasons; /* in ours, the endpoint in front */
} StoreFailure;

void store_failure_deinit(StoreFailure *failure);
#define _cleanup_store_failure_ _cleanup_(store_failure_deinit)

/* `loop` is borrowed; `config` is copied. -ENOMEM. */
int store_http_new(uv_loop_t *loop, const StoreHttpConfig *config, StoreHttp **ret_http);

/* Memory goes once the loop has run. NULL is allowed; returns NULL. */
StoreHttp *store_http_free(StoreHttp *http);

/* Behind those that are there; one that is there already is left out. `name`: as the user or the member wrote it. -EINVAL with `error`:
 * not a URL, or too many. */
int store_http_add_endpoint(StoreHttp *http, const char *name, Error *error);

size_t store_http_endpoint_count(const StoreHttp *http);
const char *store_http_endpoint(const StoreHttp *http, size_t at);

/* 0: an answer below 500. -EHOSTUNREACH with `failure`: nobody gave one. -ENOMEM. */
int store_http_do(StoreHttp *http, const StoreHttpRequest *request, StoreAnswer *ret_answer, StoreFailure *failure);

/* As above, but asks only the endpoint `name`, which need not be one of the list. -EINVAL: not a URL. */
int store_http_do_at(StoreHttp *http, const char *name, const StoreHttpRequest *request, StoreAnswer *ret_answer,
                     StoreFailure *failure);

/* Ends the request or the pause that is waited for, and all later ones; from a callback of the loop. */
void store_http_interrupt(StoreHttp *http);
bool store_http_is_interrupted(const StoreHttp *http);

/* Lets time pass, and the loop run. */
void store_http_pause(StoreHttp *http, Usec time);

/* What Go's network code calls a failed connection to `url`; `r` is a negative errno. The caller frees. */
char *store_http_cause(const Url *url, int r, bool head_seen);
