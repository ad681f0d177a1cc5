#include "containers/engine/attach.h"

#include <errno.h>

#include "net/http-server.h"

typedef struct AttachSession {
        Attachable *attachable; /* NULL: that is gone */
        ListNode link;
        ListNode all_link;
        ShimConnection shim;
        Stream *client; /* NULL: closed */
        Buffer input;   /* what came before the shim was there */
        uint8_t streams;
        bool tty;
        bool shim_open;
        bool waits; /* counted in unready */
        bool input_ended, ending;
} AttachSession;

static void session_release(AttachSession *session) {
        if (session->shim_open || session->client)
                return;
        list_unlink(&session->all_link);
        buffer_deinit(&session->input);
        free(session);
}

static void session_ready(AttachSession *session) {
        Attachable *attachable = session->attachable;

        if (!session->waits)
                return;
        session->waits = false;
        if (attachable && --attachable->unready == 0 && attachable->live)
                attachable->all_ready(attachable);
}

static void session_unlink(AttachSession *session) {
        if (!session->attachable)
                return;
        list_unlink(&session->link);
        session->attachable->n_sessions--;
        session->attachable = NULL;
}

/* Nothing more is to come of either side. */
static void session_close(AttachSession *session) {
        session_ready(session);
        session_unlink(session);
        if (session->shim_open)
                shim_connection_close(&session->shim);
        if (session->client)
                stream_close(session->client);
}

/* All output is given: the client reads it and the end. */
static void session_end(AttachSession *session) {
        session_ready(session);
        session_unlink(session);
        if (session->shim_open)
                shim_connection_close(&session->shim);
        if (session->client && !session->ending) {
                session->ending = true;
                stream_end(session->client);
        }
}

/* ---- the shim's side ---- */

static void deliver(AttachSession *session, uint8_t type, Slice payload) {
        uint8_t header[SHIM_FRAME_HEADER];

        if (!session->client || session->ending)
                return;
        stream_cork(session->client);
        if (!session->tty) {
                shim_frame_header(header, type, (uint32_t)payload.length);
                (void)stream_write(session->client, (const char *)header, sizeof(header));
        }
        (void)stream_write(session->client, payload.data, payload.length);
        stream_uncork(session->client);
        if (session->client && stream_queued(session->client) > ATTACH_QUEUE_MAX && session->shim_open)
                shim_connection_pause(&session->shim, true);
}

static void on_frame(ShimConnection *connection, uint8_t type, Slice payload) {
        AttachSession *session = container_of(connection, AttachSession, shim);

        switch (type) {
        case SHIM_ATTACHED:
                session_ready(session);
                break;
        case SHIM_STDOUT:
        case SHIM_STDERR:
                deliver(session, type, payload);
                break;
        case SHIM_EXITED:
                session_end(session);
                break;
        default:
                break;
        }
}

static void on_shim_ended(ShimConnection *connection, int r) {
        (void)r;
        session_end(container_of(connection, AttachSession, shim));
}

static void on_shim_drained(ShimConnection *connection) {
        AttachSession *session = container_of(connection, AttachSession, shim);

        if (session->client && !session->input_ended)
                (void)stream_start_reading(session->client);
}

static void on_shim_closed(ShimConnection *connection) {
        AttachSession *session = container_of(connection, AttachSession, shim);

        session->shim_open = false;
        session_release(session);
}

static const ShimConnectionEvents shim_events = {
        .frame = on_frame, .ended = on_shim_ended, .drained = on_shim_drained, .closed = on_shim_closed};

static void send_input(AttachSession *session, const char *bytes, size_t length) {
        while (length > 0) {
                size_t piece = min_of(length, (size_t)SHIM_PAYLOAD_MAX);

                (void)shim_connection_send(&session->shim, SHIM_STDIN, bytes, piece);
                bytes += piece;
                length -= piece;
        }
}

static void session_connect(AttachSession *session) {
        const char wanted = (char)session->streams;

        if (shim_connection_open(&session->shim, session->attachable->loop, session->attachable->directory, SHIM_ATTACH,
                                 (Slice){&wanted, 1}, &shim_events, NULL) < 0) {
                session_close(session);
                return;
        }
        session->shim_open = true;
        if (session->streams & SHIM_WANTS_STDIN) {
                send_input(session, buffer_data(&session->input), buffer_length(&session->input));
                buffer_deinit(&session->input);
                if (session->input_ended)
                        (void)shim_connection_send(&session->shim, SHIM_INPUT_END, NULL, 0);
        }
        if (session->client && !session->input_ended)
                (void)stream_start_reading(session->client);
}

/* ---- the client's side ---- */

static void on_input(Stream *stream, const char *bytes, size_t length) {
        AttachSession *session = stream->owner;

        if (!(session->streams & SHIM_WANTS_STDIN))
                return;
        if (!session->shim_open) {
                if (buffer_append(&session->input, bytes, length) < 0)
                        session_close(session);
                else if (buffer_length(&session->input) > SHIM_PAYLOAD_MAX)
                        stream_stop_reading(stream);
                return;
        }
        send_input(session, bytes, length);
        if (stream_queued(&session->shim.stream) > ATTACH_QUEUE_MAX)
                stream_stop_reading(stream);
}

/* Clients without input end their side at once; that says nothing of their interest in the output. */
static void on_input_end(Stream *stream) {
        AttachSession *session = stream->owner;

        session->input_ended = true;
        if (session->ending) {
                session_close(session);
                return;
        }
        if (session->streams & SHIM_WANTS_STDIN && session->shim_open)
                (void)shim_connection_send(&session->shim, SHIM_INPUT_END, NULL, 0);
}

static void on_drained(Stream *stream) {
        AttachSession *session = stream->owner;

        if (session->shim_open)
                shim_connection_pause(&session->shim, false);
}

static void on_failed(Stream *stream, int r) {
        (void)r;
        session_close(stream->owner);
}

/* The client reads to the end and then closes; one that ended its side long ago is not waited for. */
static void on_ended(Stream *stream) {
        AttachSession *session = stream->owner;

        if (session->input_ended)
                session_close(session);
        else
                (void)stream_start_reading(stream);
}

static void on_closed(Stream *stream) {
        AttachSession *session = stream->owner;

        session->client = NULL;
        http_upgraded_free(stream);
        if (session->shim_open)
                shim_connection_close(&session->shim);
        session_release(session);
}

static const StreamEvents client_events = {.input = on_input,
                                           .input_end = on_input_end,
                                           .drained = on_drained,
                                           .failed = on_failed,
                                           .ended = on_ended,
                                           .closed = on_closed};

/* ---- attachables ---- */

void attachable_init(Attachable *attachable, uv_loop_t *loop, List *all, char *directory, bool tty,
                     void (*all_ready)(Attachable *attachable)) {
        *attachable =
                (Attachable){.loop = loop, .all = all, .directory = directory, .tty = tty, .all_ready = all_ready};
        list_init(&attachable->sessions);
}

void attachable_deinit(Attachable *attachable) {
        free(attachable->directory);
        attachable->directory = NULL;
}

void attachable_made(Attachable *attachable) {
        attachable->live = true;
        attachable->unready = attachable->n_sessions + 1; /* one for us, so that it is reached once, at the end */
        list_foreach (&attachable->sessions, node)
                container_of(node, AttachSession, link)->waits = true;
        list_foreach (&attachable->sessions, node)
                session_connect(container_of(node, AttachSession, link));
        if (--attachable->unready == 0)
                attachable->all_ready(attachable);
}

void attachable_found(Attachable *attachable) {
        attachable->live = true;
}

/* Sessions that are connected hear of the end from the shim, behind its last output. */
void attachable_over(Attachable *attachable) {
        attachable->live = false;
        list_foreach (&attachable->sessions, node) {
                AttachSession *session = container_of(node, AttachSession, link);

                session->waits = false;
                if (session->shim_open)
                        session_unlink(session);
                else
                        session_end(session);
        }
        attachable->unready = 0;
}

int attachable_attach(Attachable *attachable, Stream *client, Slice early, uint8_t streams, Error *error) {
        AttachSession *session = calloc(1, sizeof(*session));
        int r = session ? 0 : -ENOMEM;

        if (session) {
                *session = (AttachSession){
                        .attachable = attachable, .client = client, .streams = streams, .tty = attachable->tty};
                r = buffer_append(&session->input, early.data, streams & SHIM_WANTS_STDIN ? early.length : 0);
                list_append(&attachable->sessions, &session->link);
                list_append(attachable->all, &session->all_link);
                attachable->n_sessions++;
                stream_set_events(client, &client_events, session);
        }
        if (r < 0) {
                if (session)
                        session_close(session);
                return error_set_errno(error, r, "cannot attach");
        }
        if (attachable->live)
                session_connect(session);
        else
                (void)stream_start_reading(client);
        return 0;
}

/* Their memory goes in later turns: the list does not change meanwhile. */
void attach_close_all(List *all) {
        list_foreach (all, node)
                session_close(container_of(node, AttachSession, all_link));
}
