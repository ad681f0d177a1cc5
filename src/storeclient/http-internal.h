#pragma once
/* What the files of the HTTP client share. */
#include "base/list.h"
#include "net/http-client.h"
#include "storeclient/event-split.h"
#include "storeclient/http-storeclient.h"

typedef struct HttpStore {
        StoreClient client;
        HttpClient *http;
        Url *endpoints;
        size_t endpoint_count;
        size_t current; /* the endpoint that answered last */
        char *headers;  /* of each request, or NULL */
        char *form_headers; /* the same, of those with a form; NULL: the form's alone */
        List calls;
        List queue;       /* writes that wait for others to end */
        size_t under_way; /* writes that are sent */
        uint64_t numbers; /* calls so far */
        bool busy, dropped; /* calls are ended; it was freed meanwhile */
} HttpStore;

/* The events of a stream that have come and are not told yet. */
typedef struct HttpStream {
        const StoreStreamEvents *events;
        EventSplitter splitter;
        Buffer refusal;   /* the body of an answer that is an error */
        StoreReply *list; /* those that came together */
        size_t length, capacity;
        bool begun;
        uint64_t begin; /* the store's index when it began */
        bool past;      /* an event of the history has come: no more will */
        bool busy, dropped; /* events are handed over; the call was freed meanwhile */
        int failure;    /* of what came last */
} HttpStream;

typedef struct HttpStoreCall {
        StoreCall call;
        ListNode link;
        ListNode queued;
        HttpStore *store;
        HttpCall *http;
        StoreReplied replied; /* NULL: of a stream */
        HttpStream stream;
        void *userdata;
        const char *method;
        char *target;
        const char *headers; /* or NULL */
        char *body;
        size_t body_length;
        Usec timeout;        /* 0: it waits for as long as it takes */
        bool limited;   /* it is one of those of which only so many are under way */
        bool counted;   /* in HttpStore.under_way */
        bool safe;      /* may be sent again after it may have reached a server */
        size_t attempts;
        size_t endpoint; /* that is asked */
        uint64_t number; /* HttpStore.numbers when it came */
        uint64_t sent;   /* HttpStore.numbers when it was sent */
        Error error;    /* of the first endpoint that failed */
} HttpStoreCall;

/* http-storeclient.c: the call is over; tells `reply`, which is emptied. */
void http_store_call_finish(HttpStoreCall *call, StoreReply *reply);
/* An endpoint did not answer, for `r`: asks the next one, or ends the call. Those that wait at the same endpoint end, too. */
void http_store_call_unanswered(HttpStoreCall *call, int r, const Error *error);
/* Of the answer's head; 0: absent. */
uint64_t http_store_index(const HttpCall *http);

/* http-stream.c */
extern const HttpCallOps http_stream_ops;
void http_stream_deinit(HttpStream *stream);
