/* A watch that streams: the events of a chunked answer, as they come. */
#include <errno.h>

#include "storeclient/http-internal.h"
#include "storeclient/reply.h"

enum { LIST_FIRST = 8, REFUSAL_MAX = 64 << 10, HTTP_OK = 200 };

static void list_clear(HttpStream *stream) {
        for (size_t i = 0; i < stream->length; i++)
                store_reply_deinit(&stream->list[i]);
        stream->length = 0;
}

void http_stream_deinit(HttpStream *stream) {
        event_splitter_deinit(&stream->splitter);
        buffer_deinit(&stream->refusal);
        list_clear(stream);
        free(stream->list);
        stream->list = NULL;
}

/* As many as one reading of the connection brings, which is bounded. */
static int list_grow(HttpStream *stream) {
        size_t capacity = stream->capacity ? stream->capacity * 2 : LIST_FIRST;
        StoreReply *larger;

        if (stream->length < stream->capacity)
                return 0;
        larger = reallocarray(stream->list, capacity, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        stream->list = larger;
        stream->capacity = capacity;
        return 0;
}

static int stream_add(HttpStream *stream, Slice text) {
        int r = list_grow(stream);
        StoreReply *reply;

        if (r < 0)
                return r;
        reply = &stream->list[stream->length];
        r = reply_parse(text, HTTP_OK, 0, reply);
        if (r < 0)
                return r;
        stream->length++;
        if (!reply->node)
                return -EBADMSG;
        stream->past = reply->node->modified <= stream->begin;
        return 0;
}

static int stream_read(HttpStream *stream, Slice bytes) {
        Slice text;
        int r = 0;

        while (r >= 0 && (r = event_splitter_next(&stream->splitter, &bytes, &text)) > 0)
                r = stream_add(stream, text);
        return r;
}

/* False: the receiver has cancelled the call. */
static bool stream_hand_over(HttpStoreCall *call) {
        HttpStream *stream = &call->stream;
        StoreReply *list = take_ptr(stream->list);
        size_t length = stream->length;
        bool dropped;

        stream->length = stream->capacity = 0; /* the list is the receiver's for now, who may cancel the call */
        stream->busy = true;
        if (length > 0)
                stream->events->events(call->userdata, list, length);
        stream->busy = false;
        dropped = stream->dropped;
        for (size_t i = 0; i < length; i++)
                store_reply_deinit(&list[i]);
        free(list);
        if (dropped)
                free(call);
        return !dropped;
}

/* The answer is not read on. */
static void stream_stop(HttpStoreCall *call, int r, const char *why) {
        StoreReply reply = {.r = r, .status = HTTP_OK};

        if (r < 0)
                (void)error_set_errno(&reply.error, r, "the stream of events is of no use: %s", why);
        if (call->http)
                http_call_cancel(call->http);
        call->http = NULL;
        http_store_call_finish(call, &reply);
}

static void on_head(HttpCall *http) {
        HttpStoreCall *call = http_call_userdata(http);

        if (http_call_status(http) != HTTP_OK)
                return;
        call->stream.begun = true;
        call->stream.begin = http_store_index(http);
        call->stream.events->begun(call->userdata, call->stream.begin);
}

static void on_body(HttpCall *http, Slice bytes) {
        HttpStoreCall *call = http_call_userdata(http);
        HttpStream *stream = &call->stream;

        if (stream->failure < 0)
                return;
        if (http_call_status(http) != HTTP_OK)
                stream->failure = buffer_length(&stream->refusal) + bytes.length > REFUSAL_MAX
                                          ? -EMSGSIZE
                                          : buffer_append(&stream->refusal, bytes.data, bytes.length);
        else
                stream->failure = stream_read(stream, bytes);
}

static const char *failure_text(int r) {
        return r == -EMSGSIZE ? "an event is too large" : "what came is no event";
}

static void on_paused(HttpCall *http) {
        HttpStoreCall *call = http_call_userdata(http);

        if (!stream_hand_over(call))
                return;
        if (call->stream.failure < 0)
                stream_stop(call, call->stream.failure, failure_text(call->stream.failure));
        else if (call->stream.past)
                stream_stop(call, 0, NULL);
}

static void on_done(HttpCall *http, int r, const Error *error) {
        HttpStoreCall *call = http_call_userdata(http);
        HttpStream *stream = &call->stream;
        StoreReply reply = {0};
        unsigned status = http_call_status(http);

        call->http = NULL;
        if (!stream_hand_over(call))
                return;
        if (r < 0) {
                http_store_call_unanswered(call, r, error);
                return;
        }
        if (stream->failure >= 0 && status == HTTP_OK && event_splitter_is_whole(&stream->splitter)) {
                stream_stop(call, 0, NULL);
                return;
        }
        if (stream->failure >= 0 && status != HTTP_OK &&
            reply_parse((Slice){buffer_data(&stream->refusal), buffer_length(&stream->refusal)}, status, 0, &reply) >= 0)
                http_store_call_finish(call, &reply);
        else
                stream_stop(call, stream->failure < 0 ? stream->failure : -EBADMSG, failure_text(stream->failure));
}

const HttpCallOps http_stream_ops = {.head = on_head, .body = on_body, .paused = on_paused, .done = on_done};
