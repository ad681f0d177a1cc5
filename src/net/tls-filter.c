#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>

#include "net/tls-internal.h"

static const unsigned char alpn_http[] = "\x08http/1.1";

static TlsFilter *filter_of(const SSL *ssl) {
        return SSL_get_app_data(ssl);
}

/* ---- the BIO: OpenSSL reads what came and writes what goes, without a copy of its own in between ---- */

static int on_bio_read(BIO *bio, char *to, size_t size, size_t *ret_read) {
        TlsFilter *filter = BIO_get_data(bio);
        size_t n = min_of(size, filter->input.length);

        BIO_clear_retry_flags(bio);
        if (n == 0) {
                BIO_set_retry_read(bio);
                return 0;
        }
        memcpy(to, filter->input.data, n);
        filter->input.data += n;
        filter->input.length -= n;
        *ret_read = n;
        return 1;
}

static int on_bio_write(BIO *bio, const char *bytes, size_t length, size_t *ret_written) {
        TlsFilter *filter = BIO_get_data(bio);

        BIO_clear_retry_flags(bio);
        if (!filter->wire || buffer_append(filter->wire, bytes, length) < 0)
                return 0;
        *ret_written = length;
        return 1;
}

static long on_bio_control(BIO *bio, int command, long number, void *pointer) {
        (void)bio;
        (void)number;
        (void)pointer;
        return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void) {
        bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        if (!bio_method)
                return;
        (void)BIO_meth_set_read_ex(bio_method, on_bio_read);
        (void)BIO_meth_set_write_ex(bio_method, on_bio_write);
        (void)BIO_meth_set_ctrl(bio_method, on_bio_control);
}

static BIO *filter_bio(TlsFilter *filter) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        BIO *bio;

        (void)pthread_once(&once, make_bio_method);
        bio = bio_method ? BIO_new(bio_method) : NULL;
        if (!bio)
                return NULL;
        BIO_set_data(bio, filter);
        BIO_set_init(bio, 1);
        return bio;
}

/* ---- who the peer is ---- */

static bool common_name(X509 *certificate, char name[static TLS_PEER_NAME_MAX]) {
        const X509_NAME *subject = X509_get_subject_name(certificate);
        int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        unsigned char *text = NULL;
        int length =
                at < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        bool fits = length > 0 && length < TLS_PEER_NAME_MAX && !memchr(text, '\0', (size_t)length);

        if (fits)
                (void)snprintf(name, TLS_PEER_NAME_MAX, "%.*s", length, (const char *)text);
        OPENSSL_free(text);
        return fits;
}

/* What the settings ask of a client's certificate beyond its authority. */
static bool client_is_allowed(TlsFilter *filter, X509 *certificate) {
        const TlsSettings *settings = &filter->context->settings;
        char name[TLS_PEER_NAME_MAX] = "", hosts[512];

        (void)common_name(certificate, name);
        if (settings->allowed_cn && !str_equals(name, settings->allowed_cn)) {
                (void)error_set(&filter->problem, -EPROTO,
                                "the client's certificate is of \"%s\"; only \"%s\" is allowed", name,
                                settings->allowed_cn);
                return false;
        }
        if (settings->allowed_host &&
            X509_check_host(certificate, settings->allowed_host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1 &&
            X509_check_ip_asc(certificate, settings->allowed_host, 0) != 1) {
                tls_text_hosts(certificate, hosts, sizeof(hosts));
                (void)error_set(&filter->problem, -EPROTO, "the client's certificate is for %s; only %s is allowed",
                                *hosts ? hosts : "no host", settings->allowed_host);
                return false;
        }
        return true;
}

int tls_filter_on_verify(int good, X509_STORE_CTX *store) {
        TlsFilter *filter = filter_of(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));

        if (!good) {
                tls_text_verdict(filter, store, &filter->problem);
                return 0;
        }
        if (filter->is_server && X509_STORE_CTX_get_error_depth(store) == 0 &&
            !client_is_allowed(filter, X509_STORE_CTX_get_current_cert(store))) {
                X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
                return 0;
        }
        return 1;
}

/* Only HTTP/1.1 is spoken; who offers other protocols only hears so. */
int tls_filter_on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_length, const unsigned char *offered,
                       unsigned length, void *userdata) {
        unsigned char *chosen;

        (void)ssl;
        (void)userdata;
        if (SSL_select_next_proto(&chosen, ret_length, alpn_http, sizeof(alpn_http) - 1, offered, length) !=
            OPENSSL_NPN_NEGOTIATED)
                return SSL_TLSEXT_ERR_ALERT_FATAL;
        *ret = chosen;
        return SSL_TLSEXT_ERR_OK;
}

/* ---- sessions of clients ---- */

static TlsSession *context_session(TlsContext *context, const char *host, uint16_t port) {
        for (size_t i = 0; i < TLS_SESSIONS_MAX; i++) {
                TlsSession *one = &context->sessions[i];

                if (one->session && one->port == port && str_equals(one->host, host))
                        return one;
        }
        return NULL;
}

int tls_filter_on_session(SSL *ssl, SSL_SESSION *session) {
        TlsFilter *filter = filter_of(ssl);
        TlsContext *context = filter->context;
        TlsSession *one;

        if (filter->is_server || SSL_get_SSL_CTX(ssl) != context->ssl)
                return 0; /* of certificates that are no more */
        one = context_session(context, filter->host, filter->port);
        if (!one)
                one = &context->sessions[context->next_session++ % TLS_SESSIONS_MAX];
        SSL_SESSION_free(one->session);
        one->session = session; /* it is ours now, which 1 says */
        one->port = filter->port;
        (void)snprintf(one->host, sizeof(one->host), "%s", filter->host);
        return 1;
}

/* A session is used once, so that two connections cannot be seen to be of one client. */
static void filter_take_session(TlsFilter *filter) {
        TlsSession *one = context_session(filter->context, filter->host, filter->port);

        if (!one)
                return;
        (void)SSL_set_session(filter->ssl, one->session);
        SSL_SESSION_free(one->session);
        one->session = NULL;
}

/* ---- the filter ---- */

static int filter_fail(TlsFilter *filter, int r) {
        filter->broken = true;
        filter->filter.shakes = false;
        filter->filter.problem = filter->problem.text[0] ? filter->problem.text : NULL;
        return r;
}

/* OpenSSL's result `n` was no success: 0 when it only waits for more input. */
static int filter_judge(TlsFilter *filter, int n) {
        switch (SSL_get_error(filter->ssl, n)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
                return 0;
        case SSL_ERROR_ZERO_RETURN:
                filter->ended = true;
                return 0;
        default:
                return filter_fail(filter, tls_text_failure(filter, &filter->problem));
        }
}

static int filter_encode(TlsFilter *filter, const char *bytes, size_t length) {
        while (length > 0) {
                size_t piece = min_of(length, (size_t)TLS_PIECE), written;

                ERR_clear_error();
                if (SSL_write_ex(filter->ssl, bytes, piece, &written) != 1)
                        return buffer_failed(filter->wire) < 0 ? filter_fail(filter, -ENOMEM)
                                                               : filter_fail(filter, -EPIPE);
                bytes += written;
                length -= written;
        }
        return 0;
}

static int filter_finish_handshake(TlsFilter *filter) {
        X509 *certificate = SSL_get0_peer_certificate(filter->ssl);
        int r;

        filter->filter.shakes = false;
        if (certificate && SSL_get_verify_mode(filter->ssl) != SSL_VERIFY_NONE &&
            SSL_get_verify_result(filter->ssl) == X509_V_OK && common_name(certificate, filter->peer))
                filter->filter.peer = filter->peer;
        r = filter_encode(filter, buffer_data(&filter->pending), buffer_length(&filter->pending));
        buffer_deinit(&filter->pending);
        return r;
}

static int filter_shake(TlsFilter *filter) {
        int n;

        ERR_clear_error();
        n = SSL_do_handshake(filter->ssl);
        return n == 1 ? filter_finish_handshake(filter) : filter_judge(filter, n);
}

static int filter_decode(TlsFilter *filter, Buffer *plain) {
        for (;;) {
                size_t got;
                char *to = buffer_reserve(plain, TLS_PIECE);
                int n;

                if (!to)
                        return filter_fail(filter, -ENOMEM);
                ERR_clear_error();
                n = SSL_read_ex(filter->ssl, to, TLS_PIECE, &got);
                if (n != 1)
                        return filter_judge(filter, n);
                buffer_commit(plain, got);
        }
}

/* Somebody speaks HTTP to the port of https: said in its own words. */
static int filter_refuse_plain(TlsFilter *filter) {
        static const char answer[] =
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
                "Content-Length: 67\r\n\r\n"
                "This port speaks HTTPS, not HTTP: the address begins with https://\n";

        (void)buffer_append(filter->wire, answer, sizeof(answer) - 1);
        (void)error_set(&filter->problem, -EPROTO,
                        "it speaks HTTP to a port of HTTPS; its address must begin with https://");
        return filter_fail(filter, -EPROTO);
}

/* A record of a handshake begins with 22, an alert with 21; a method of HTTP with a capital. */
static bool looks_like_http(char first) {
        return first >= 'A' && first <= 'Z';
}

/* A peer that only asks for new keys, and reads none of the answers, would fill the queue. */
static int filter_count_answers(TlsFilter *filter, size_t length) {
        filter->answered += length;
        if (filter->answered <= TLS_ANSWERED_MAX)
                return 0;
        return filter_fail(filter, error_set(&filter->problem, -EPROTO, "the %s asks for new keys without end",
                                             filter->is_server ? "client" : "server"));
}

static int filter_input(StreamFilter *base, const char *bytes, size_t length, Buffer *plain, Buffer *wire) {
        TlsFilter *filter = container_of(base, TlsFilter, filter);
        bool first = !filter->started && length > 0, shook = filter->filter.shakes;
        size_t before = buffer_length(wire);
        int r = 0;

        if (filter->broken)
                return -EPIPE;
        filter->started = filter->started || first;
        filter->input = (Slice){bytes, length};
        filter->wire = wire;
        if (first && filter->is_server && looks_like_http(bytes[0]))
                r = filter_refuse_plain(filter);
        else if (filter->filter.shakes)
                r = filter_shake(filter);
        if (r >= 0 && !filter->filter.shakes)
                r = filter_decode(filter, plain);
        if (r >= 0 && !shook)
                r = filter_count_answers(filter, buffer_length(wire) - before);
        filter->input = (Slice){NULL, 0};
        filter->wire = NULL;
        return r < 0 ? r : filter->ended;
}

static int filter_output(StreamFilter *base, const char *bytes, size_t length, Buffer *wire) {
        TlsFilter *filter = container_of(base, TlsFilter, filter);
        int r;

        if (filter->broken)
                return -EPIPE;
        filter->wire = wire;
        filter->answered = 0;
        if (!filter->filter.shakes)
                r = filter_encode(filter, bytes, length);
        else if (buffer_append(&filter->pending, bytes, length) < 0)
                r = -ENOBUFS;
        else
                r = filter->is_server ? 0 : filter_shake(filter);
        filter->wire = NULL;
        return r;
}

static int filter_end(StreamFilter *base, Buffer *wire) {
        TlsFilter *filter = container_of(base, TlsFilter, filter);

        if (filter->broken || filter->filter.shakes)
                return 0; /* what it had to say is said */
        filter->wire = wire;
        ERR_clear_error();
        (void)SSL_shutdown(filter->ssl);
        filter->wire = NULL;
        return 0;
}

/* A server's clients often just go; a client must know a whole answer from one that was cut off on its way. */
static int filter_input_end(StreamFilter *base) {
        TlsFilter *filter = container_of(base, TlsFilter, filter);

        if (filter->filter.shakes && filter->is_server && !filter->started)
                return 0; /* looked whether somebody is there */
        if (filter->filter.shakes)
                (void)error_set(&filter->problem, -ECONNRESET,
                                "the %s ended the connection in the middle of the handshake",
                                filter->is_server ? "client" : "server");
        else if (!filter->is_server)
                (void)error_set(&filter->problem, -ECONNRESET, "the connection was cut off");
        else
                return 0;
        return filter_fail(filter, -ECONNRESET);
}

static void filter_free(StreamFilter *base) {
        TlsFilter *filter = container_of(base, TlsFilter, filter);

        if (filter->ssl && !filter->broken) /* else OpenSSL takes the session for broken, too */
                SSL_set_shutdown(filter->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(filter->ssl);
        buffer_deinit(&filter->pending);
        (void)tls_context_free(filter->context);
        free(filter);
}

static int filter_new(TlsContext *context, bool is_server, TlsFilter **ret) {
        static const StreamFilterOps ops = {
                .input = filter_input,
                .output = filter_output,
                .end = filter_end,
                .input_end = filter_input_end,
                .free = filter_free,
        };
        TlsFilter *filter = calloc(1, sizeof(*filter));
        BIO *bio;

        if (!filter)
                return -ENOMEM;
        filter->filter = (StreamFilter){.ops = &ops, .shakes = true};
        filter->context = tls_context_ref(context);
        filter->is_server = is_server;
        filter->pending = BUFFER_INIT_LIMIT(TLS_PENDING_MAX);
        filter->ssl = SSL_new(context->ssl);
        bio = filter_bio(filter);
        if (!filter->ssl || !bio || SSL_set_app_data(filter->ssl, filter) != 1) {
                BIO_free(bio);
                filter_free(&filter->filter);
                return -ENOMEM;
        }
        SSL_set_bio(filter->ssl, bio, bio);
        *ret = filter;
        return 0;
}

int tls_server_filter(TlsContext *context, Usec now, StreamFilter **ret) {
        const TlsSettings *settings = &context->settings;
        TlsFilter *filter;
        int r;

        r = tls_context_look(context, now);
        if (r >= 0)
                r = filter_new(context, true, &filter);
        if (r < 0)
                return r;
        SSL_set_accept_state(filter->ssl);
        if (settings->need_client_cert)
                SSL_set_verify(filter->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, tls_filter_on_verify);
        else if (settings->want_client_cert)
                SSL_set_verify(filter->ssl, SSL_VERIFY_PEER, tls_filter_on_verify);
        *ret = &filter->filter;
        return 0;
}

/* A server's certificate must name its host, or its address. */
static int filter_expect_host(TlsFilter *filter) {
        X509_VERIFY_PARAM *wanted = SSL_get0_param(filter->ssl);
        unsigned char address[16];
        bool is_address =
                inet_pton(AF_INET, filter->host, address) == 1 || inet_pton(AF_INET6, filter->host, address) == 1;

        X509_VERIFY_PARAM_set_hostflags(wanted,
                                        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        if (is_address)
                return X509_VERIFY_PARAM_set1_ip_asc(wanted, filter->host) == 1 ? 0 : -ENOMEM;
        if (X509_VERIFY_PARAM_set1_host(wanted, filter->host, 0) != 1 ||
            SSL_set_tlsext_host_name(filter->ssl, filter->host) != 1)
                return -ENOMEM;
        return 0;
}

int tls_client_filter(TlsContext *context, const char *host, uint16_t port, Usec now, StreamFilter **ret) {
        TlsFilter *filter;
        int r;

        r = tls_context_look(context, now);
        if (r >= 0)
                r = filter_new(context, false, &filter);
        if (r < 0)
                return r;
        SSL_set_connect_state(filter->ssl);
        (void)snprintf(filter->host, sizeof(filter->host), "%s", host);
        filter->port = port;
        r = SSL_set_alpn_protos(filter->ssl, alpn_http, sizeof(alpn_http) - 1) == 0 ? 0 : -ENOMEM;
        if (r >= 0)
                r = filter_expect_host(filter);
        if (r < 0) {
                filter_free(&filter->filter);
                return r;
        }
        if (!context->settings.trust_any_server)
                SSL_set_verify(filter->ssl, SSL_VERIFY_PEER, tls_filter_on_verify);
        filter_take_session(filter);
        *ret = &filter->filter;
        return 0;
}
