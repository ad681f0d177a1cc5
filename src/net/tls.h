#pragma once
/*
 * TLS for streams: a TlsContext is made of files with certificates and makes filters (net/stream.h), for servers and for
 * clients. TLS 1.2 and 1.3, without renegotiation and compression; ALPN http/1.1; sessions are taken up again.
 *
 * The files are looked at again when a filter is made, at most once a second, and taken up when they have changed. Files that
 * make no sense together leave what was there, and are told of once. Streams that stand keep what they began with.
 */
#include "base/clock.h"
#include "base/error.h"
#include "net/stream.h"

typedef struct TlsContext TlsContext;

/* Files are PEM. All text is copied. "" is as NULL. */
typedef struct TlsSettings {
        const char *cert_file, *key_file; /* what this side shows of itself, with its chain; servers need both */
        const char *ca_file;              /* authorities of the other side; NULL: the system's */
        const char *crl_file;             /* of revoked certificates of the other side; NULL: none */
        const char
                *ca_option; /* what people call ca_file here, as "--ca-file"; borrowed. NULL: only its name is told */
        bool want_client_cert;    /* of a server: a client that shows a certificate shows a valid one … */
        bool need_client_cert;    /* … and must show one */
        const char *allowed_cn;   /* of a client's certificate: its CN; NULL: any */
        const char *allowed_host; /* of a client's certificate: a name of its subjectAltName; NULL: any */
        const char *ciphers;      /* of TLS 1.2, as OpenSSL lists them (tls_cipher_list()); NULL: those with forward secrecy and AEAD */
        bool trust_any_server;    /* of a client: does not look at who the server is */
        /* May be NULL. A text for the log: files were taken up, or could not be. */
        void (*note)(void *userdata, bool bad, const char *text);
        void *userdata;
} TlsSettings;

/* A `note` for daemons: into the log. */
void tls_log_note(void *userdata, bool bad, const char *text);

/* -ENOENT, -EACCES, -EINVAL, -EKEYEXPIRED, -ENOMEM with `error`: names the file and what is wrong with it. */
int tls_context_new(const TlsSettings *settings, TlsContext **ret_context, Error *error);

/* Appends the cipher suites that a list of Go's names ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,…") means, as OpenSSL lists them.
 * -EINVAL with `error`: one is not known, and what may have been meant. */
int tls_cipher_list(const char *names, Buffer *list, Error *error);

/* Filters that were made may live on. NULL is allowed; returns NULL. */
TlsContext *tls_context_free(TlsContext *context);

/* Whether it can serve: it has a certificate. */
bool tls_context_can_serve(const TlsContext *context);

/* A filter for an accepted stream. `now`: monotonic. -ENOMEM. */
int tls_server_filter(TlsContext *context, Usec now, StreamFilter **ret);

/* A filter for a stream that connects to `host`, a name or an address, which the server's certificate must be for. -ENOMEM. */
int tls_client_filter(TlsContext *context, const char *host, uint16_t port, Usec now, StreamFilter **ret);

/* Makes a key and a certificate that it signs itself, for `hosts`, as DIR/cert.pem and DIR/key.pem (0600), unless both are there.
 * Errors with `error`. */
int tls_make_self_signed(const char *directory, const StringList *hosts, Error *error);
