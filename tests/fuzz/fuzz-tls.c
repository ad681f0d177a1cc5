/*
 * Any bytes come to a filter of TLS in pieces of any size, as a server's or a client's, before, within and behind a
 * handshake. It breaks or goes on; what it gives out is bounded by what came in.
 */
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "net/tls.h"

enum { OUTPUT_MAX = 256 << 10 };

/* How far a handshake with a true peer has come when the bytes arrive. */
typedef enum Stage {
        STAGE_NOTHING,
        STAGE_HELLO, /* the client's first flight */
        STAGE_READY,
        STAGES,
} Stage;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static TlsContext *server_context, *client_context;

static void make_contexts(void) {
        char folder[] = "/tmp/fuzz-tls-XXXXXX", cert[64], key[64];
        _cleanup_string_list_ StringList hosts = {0};
        Error error = ERROR_NONE;
        TlsSettings settings;

        if (!mkdtemp(folder) || string_list_add(&hosts, "localhost") < 0 ||
            tls_make_self_signed(folder, &hosts, &error) < 0)
                abort();
        (void)snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
        (void)snprintf(key, sizeof(key), "%s/key.pem", folder);
        settings = (TlsSettings){.cert_file = cert, .key_file = key, .ca_file = cert, .want_client_cert = true};
        if (tls_context_new(&settings, &server_context, &error) < 0 ||
            tls_context_new(&settings, &client_context, &error) < 0)
                abort();
        (void)unlink(cert);
        (void)unlink(key);
        (void)rmdir(folder);
}

static int take(StreamFilter *filter, Buffer *bytes, Buffer *wire) {
        _cleanup_buffer_ Buffer plain = BUFFER_INIT;
        int r = filter->ops->input(filter, buffer_data(bytes), buffer_length(bytes), &plain, wire);

        buffer_clear(bytes);
        return r;
}

static void shake_until(StreamFilter *client, StreamFilter *server, Stage stage) {
        _cleanup_buffer_ Buffer to_server = BUFFER_INIT, to_client = BUFFER_INIT;

        if (stage == STAGE_NOTHING)
                return;
        assert(client->ops->output(client, "", 0, &to_server) == 0);
        assert(take(server, &to_server, &to_client) == 0);
        while (stage == STAGE_READY && (buffer_length(&to_client) > 0 || buffer_length(&to_server) > 0)) {
                assert(take(client, &to_client, &to_server) == 0);
                assert(take(server, &to_server, &to_client) == 0);
        }
}

static void feed(StreamFilter *filter, Slice bytes, size_t step) {
        _cleanup_buffer_ Buffer plain = BUFFER_INIT, wire = BUFFER_INIT;
        int r = 0;

        for (size_t at = 0; at < bytes.length && r == 0; at += step)
                r = filter->ops->input(filter, bytes.data + at, min_of(step, bytes.length - at), &plain, &wire);
        assert(buffer_length(&plain) <= bytes.length);
        assert(buffer_length(&wire) <= OUTPUT_MAX);
        assert(r >= 0 || filter->ops->output(filter, "x", 1, &wire) < 0);
        (void)filter->ops->end(filter, &wire);
        (void)filter->ops->input_end(filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        StreamFilter *server, *client;
        bool to_client;
        size_t step;
        Stage stage;

        if (!server_context)
                make_contexts();
        if (size < 2)
                return 0;
        to_client = data[0] & 1;
        stage = (Stage)((data[0] >> 1) % STAGES);
        step = data[1] ? data[1] : 65536;
        if (tls_server_filter(server_context, USEC_PER_SEC, &server) < 0 ||
            tls_client_filter(client_context, "localhost", 1, USEC_PER_SEC, &client) < 0)
                abort();
        shake_until(client, server, stage);
        feed(to_client ? client : server, (Slice){(const char *)data + 2, size - 2}, step);
        server->ops->free(server);
        client->ops->free(client);
        return 0;
}
