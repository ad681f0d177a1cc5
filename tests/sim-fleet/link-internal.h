#pragma once
/* What the files of the way to the store share. */
#include "world.h"

typedef enum Stage {
        STAGE_SENT,     /* under way to the store */
        STAGE_AT_STORE,
        STAGE_ANSWERED, /* the reply is under way */
} Stage;

typedef struct LinkCall {
        StoreCall base; /* first */
        ListNode node;
        Timer timer, timeout;
        Link *link;
        Stage stage;
        bool lost;    /* it does not come further */
        bool at_fake; /* `inner` stands */
        StoreRequest request;
        char *key, *value, *prev_value;
        StoreReplied replied; /* NULL: nobody waits */
        void *userdata;
        StoreCall *inner;
        StoreReply reply;
        /* of a stream */
        const StoreStreamEvents *events; /* NULL: it is none */
        List parcels;                    /* under way from the store, in their order */
        Usec sent, last;                 /* when it was sent; when the last parcel arrives */
        bool busy, dead;                 /* parcels are given out; it was freed meanwhile */
} LinkCall;

/* ---- link.c ---- */
void link_call_free(LinkCall *call);
void link_copy_reply(const StoreReply *from, StoreReply *to);
Usec link_draw_delay(const Link *link);

/* ---- link-stream.c ---- */
/* The request has come to the store. */
void link_stream_arrive(LinkCall *call);
/* Nobody takes the request. */
void link_stream_refuse(LinkCall *call, int r, int code, const char *text);
/* The connection breaks: of what is under way the last part is lost, or all of it. */
void link_stream_break(LinkCall *call, int r, const char *text);
/* Frees what is under way. */
void link_stream_deinit(LinkCall *call);
