#pragma once
/* What the files of TLS share: tls-context.c has the files of certificates, tls-filter.c a stream's filter, tls-text.c what
 * is said of failures, tls-self-signed.c makes certificates. */
#include <openssl/ssl.h>

#include "net/tls.h"

enum {
        TLS_SESSIONS_MAX = 32,     /* of servers, that a client may take up again */
        TLS_SESSION_SECONDS = 600, /* so soon a peer shows its certificate again */
        TLS_PENDING_MAX = 1 << 20, /* plain bytes that may wait for the handshake */
        TLS_ANSWERED_MAX =
                1 << 16, /* bytes that a peer may make us send, by asking for new keys, while we have nothing to say */
        TLS_PIECE = 16384,      /* of one record */
        TLS_PEER_NAME_MAX = 65, /* of a CN, by X.509, and NUL */
};

CLEANUP_DEFINE(X509, X509_free)
CLEANUP_DEFINE(SSL_CTX, SSL_CTX_free)
CLEANUP_DEFINE(EVP_PKEY, EVP_PKEY_free)

/* What a file was when it was read. */
typedef struct TlsStamp {
        int64_t seconds, nanoseconds, size;
        uint64_t inode;
} TlsStamp;

enum { TLS_FILE_CERT, TLS_FILE_KEY, TLS_FILE_CA, TLS_FILE_CRL, TLS_FILES };

/* A server's session, to be taken up again. */
typedef struct TlsSession {
        char host[256];
        uint16_t port;
        SSL_SESSION *session; /* NULL: none */
} TlsSession;

struct TlsContext {
        unsigned references;
        TlsSettings settings; /* `files` and the names are owned */
        char *files[TLS_FILES];
        char *allowed_cn, *allowed_host, *ciphers;
        TlsStamp stamps[TLS_FILES];
        Usec looked;
        SSL_CTX *ssl; /* NULL: not read yet */
        TlsSession sessions[TLS_SESSIONS_MAX];
        size_t next_session;
};

typedef struct TlsFilter {
        StreamFilter filter;
        TlsContext *context;
        SSL *ssl;
        Slice input;    /* borrowed while it is read */
        Buffer *wire;   /* borrowed while it is written */
        Buffer pending; /* plain, until the handshake is through */
        char host[256]; /* of clients: the server's */
        uint16_t port;
        size_t answered; /* to what the peer asked of TLS itself, since our own last output */
        bool is_server;
        bool started; /* a byte has come in */
        bool broken, ended;
        char peer[TLS_PEER_NAME_MAX];
        Error problem;
} TlsFilter;

static inline TlsContext *tls_context_ref(TlsContext *context) {
        context->references++;
        return context;
}

/* Reads what was left to the first use, and takes up files that have changed, if it is time to look. Errors only of the former. */
int tls_context_look(TlsContext *context, Usec now);

/* OpenSSL's callbacks, installed in each SSL_CTX. */
int tls_filter_on_verify(int good, X509_STORE_CTX *store);
int tls_filter_on_session(SSL *ssl, SSL_SESSION *session);
int tls_filter_on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_length, const unsigned char *offered,
                       unsigned length, void *userdata);

/* tls-text.c */

/* "CN=a, O=b" of a name; "(no name)". */
void tls_text_name(const X509_NAME *name, char *text, size_t size);

/* "web.example.com, 10.0.0.1" of subjectAltName; "" when there are none. */
void tls_text_hosts(X509 *certificate, char *text, size_t size);

/* "2026-11-25 23:00:00 UTC". */
void tls_text_time(const ASN1_TIME *time, char *text, size_t size);

/* Why the peer's certificate was not accepted, from OpenSSL's verdict at `store`. */
void tls_text_verdict(const TlsFilter *filter, X509_STORE_CTX *store, Error *error);

/* What OpenSSL's queue of errors says of a failure; the queue is empty after. Returns a negative errno. */
int tls_text_failure(TlsFilter *filter, Error *error);

/* The newest entry of OpenSSL's queue of errors as text, for a failure with a file. The queue is empty after. */
const char *tls_text_reason(void);
