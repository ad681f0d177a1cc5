#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

#include "net/tls-internal.h"

enum { LOOK_EVERY_SEC = 1 };

#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"

/* ---- reading the files ---- */

/* Nobody is asked for a password of a key: a daemon has no terminal. */
static int on_password(char *to, int size, int writing, void *userdata) {
        (void)to;
        (void)size;
        (void)writing;
        (void)userdata;
        return 0;
}

static int open_pem(const char *path, BIO **ret, Error *error) {
        errno = 0;
        *ret = BIO_new_file(path, "r");
        if (*ret)
                return 0;
        ERR_clear_error();
        return error_set_errno(error, errno ? -errno : -ENOMEM, "cannot read %s", path);
}

/* For files that OpenSSL opens by itself, whose own words for it say less. */
static int check_readable(const char *path, Error *error) {
        return access(path, R_OK) < 0 ? error_set_errno(error, -errno, "cannot read %s", path) : 0;
}

static int check_dates(X509 *certificate, const char *path, Error *error) {
        char when[64];

        if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
                tls_text_time(X509_get0_notAfter(certificate), when, sizeof(when));
                return error_set(error, -EKEYEXPIRED, "the certificate %s: expired on %s; renew it", path, when);
        }
        if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
                tls_text_time(X509_get0_notBefore(certificate), when, sizeof(when));
                return error_set(error, -EKEYEXPIRED,
                                 "the certificate %s: is valid from %s on only; is this machine's clock right?", path,
                                 when);
        }
        return 0;
}

static int load_certificate(SSL_CTX *ssl, const char *path, Error *error) {
        int r = check_readable(path, error);

        if (r < 0)
                return r;
        ERR_clear_error();
        if (SSL_CTX_use_certificate_chain_file(ssl, path) != 1)
                return error_set(error, -EINVAL, "the certificate %s: is no certificate in PEM form (%s)", path,
                                 tls_text_reason());
        return check_dates(SSL_CTX_get0_certificate(ssl), path, error);
}

static int load_key(SSL_CTX *ssl, const char *path, const char *certificate, Error *error) {
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
        BIO *file;
        int r = open_pem(path, &file, error);

        if (r < 0)
                return r;
        ERR_clear_error();
        key = PEM_read_bio_PrivateKey(file, NULL, on_password, NULL);
        BIO_free(file);
        if (!key)
                return error_set(
                        error, -EINVAL,
                        "the key %s: is no private key in PEM form, or has a password, which must be taken off (%s)",
                        path, tls_text_reason());
        if (X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) != 1) {
                ERR_clear_error();
                return error_set(error, -EINVAL, "the key %s does not belong to the certificate %s", path, certificate);
        }
        if (SSL_CTX_use_PrivateKey(ssl, key) != 1)
                return error_set(error, -EINVAL, "the key %s: %s", path, tls_text_reason());
        return 0;
}

static int load_authorities(SSL_CTX *ssl, const char *path, bool is_server, Error *error) {
        STACK_OF(X509_NAME) * names;
        int r = check_readable(path, error);

        if (r < 0)
                return r;
        ERR_clear_error();
        /* who is named in the file is believed, also when it is signed by another that is not */
        (void)X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl), X509_V_FLAG_PARTIAL_CHAIN);
        if (SSL_CTX_load_verify_file(ssl, path) != 1)
                return error_set(error, -EINVAL, "the authorities %s: hold no certificate in PEM form (%s)", path,
                                 tls_text_reason());
        if (!is_server)
                return 0;
        names = SSL_load_client_CA_file(path); /* what a client's certificate may be signed by: it chooses by that */
        if (!names)
                return error_set(error, -EINVAL, "the authorities %s: %s", path, tls_text_reason());
        SSL_CTX_set_client_CA_list(ssl, names);
        return 0;
}

static int load_revoked(SSL_CTX *ssl, const char *path, Error *error) {
        X509_STORE *store = SSL_CTX_get_cert_store(ssl);
        BIO *file;
        int found = 0, r = open_pem(path, &file, error);
        X509_CRL *list;

        if (r < 0)
                return r;
        while ((list = PEM_read_bio_X509_CRL(file, NULL, on_password, NULL))) {
                found += X509_STORE_add_crl(store, list) == 1;
                X509_CRL_free(list);
        }
        BIO_free(file);
        ERR_clear_error();
        if (found == 0)
                return error_set(error, -EINVAL, "the list of revoked certificates %s: holds none in PEM form", path);
        (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
        return 0;
}

static int load_all(TlsContext *context, SSL_CTX *ssl, Error *error) {
        const TlsSettings *settings = &context->settings;
        int r = 0;

        if (settings->cert_file)
                r = load_certificate(ssl, settings->cert_file, error);
        if (r >= 0 && settings->key_file)
                r = load_key(ssl, settings->key_file, settings->cert_file, error);
        if (r >= 0 && settings->ca_file)
                r = load_authorities(ssl, settings->ca_file, settings->want_client_cert || settings->need_client_cert,
                                     error);
        else if (r >= 0 && (SSL_CTX_set_default_verify_file(ssl) != 1 || SSL_CTX_set_default_verify_dir(ssl) != 1))
                r = error_set(error, -EINVAL, "the system's authorities: %s", tls_text_reason());
        if (r >= 0 && settings->crl_file)
                r = load_revoked(ssl, settings->crl_file, error);
        return r;
}

static void configure(SSL_CTX *ssl, const char *ciphers) {
        static const unsigned char session_context[] = "faering";

        (void)SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
        (void)SSL_CTX_set_cipher_list(ssl, ciphers ?: CIPHERS_TLS12);
        (void)SSL_CTX_set_options(ssl,
                                  SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
        /* the chain is in the file of the certificate: to search for it costs more than all else of a handshake */
        (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
        SSL_CTX_set_default_passwd_cb(ssl, on_password);
        SSL_CTX_set_alpn_select_cb(ssl, tls_filter_on_alpn, NULL);
        (void)SSL_CTX_set_session_id_context(ssl, session_context, sizeof(session_context) - 1);
        (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_BOTH | SSL_SESS_CACHE_NO_INTERNAL);
        (void)SSL_CTX_set_timeout(ssl, TLS_SESSION_SECONDS);
        (void)SSL_CTX_set_num_tickets(ssl, 1);
        SSL_CTX_sess_set_new_cb(ssl, tls_filter_on_session);
}

static int load(TlsContext *context, SSL_CTX **ret, Error *error) {
        _cleanup_(SSL_CTX_freep) SSL_CTX *ssl = SSL_CTX_new(TLS_method());
        int r;

        if (!ssl)
                return error_set(error, -ENOMEM, "no memory for TLS");
        configure(ssl, context->settings.ciphers);
        r = load_all(context, ssl, error);
        if (r < 0)
                return r;
        *ret = take_ptr(ssl);
        return 0;
}

/* ---- changes of the files ---- */

/* A file that is not there has no stamp: its coming is a change. */
static void stamp_files(const TlsContext *context, TlsStamp stamps[static TLS_FILES]) {
        struct stat status;

        for (size_t i = 0; i < TLS_FILES; i++) {
                stamps[i] = (TlsStamp){0};
                if (context->files[i] && stat(context->files[i], &status) == 0)
                        stamps[i] = (TlsStamp){status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size,
                                               status.st_ino};
        }
}

static void forget_sessions(TlsContext *context) {
        for (size_t i = 0; i < TLS_SESSIONS_MAX; i++) {
                SSL_SESSION_free(context->sessions[i].session);
                context->sessions[i] = (TlsSession){0};
        }
}

static void tell(const TlsContext *context, bool bad, const char *text) {
        if (context->settings.note)
                context->settings.note(context->settings.userdata, bad, text);
}

static void reload(TlsContext *context) {
        const TlsSettings *settings = &context->settings;
        char text[ERROR_TEXT_MAX + 128];
        Error error = ERROR_NONE;
        SSL_CTX *fresh;

        if (load(context, &fresh, &error) < 0) {
                (void)snprintf(text, sizeof(text), "%s; until then what was read before goes on", error.text);
                tell(context, true, text);
                return;
        }
        forget_sessions(context);
        SSL_CTX_free(context->ssl);
        context->ssl = fresh;
        (void)snprintf(text, sizeof(text), "%s changed: new connections use it",
                       settings->cert_file ?: settings->ca_file ?: "a file of certificates");
        tell(context, false, text);
}

int tls_context_look(TlsContext *context, Usec now) {
        TlsStamp stamps[TLS_FILES];

        if (!context->ssl)
                return load(context, &context->ssl, NULL);
        if (context->looked && now - context->looked < LOOK_EVERY_SEC * USEC_PER_SEC)
                return 0;
        context->looked = now;
        stamp_files(context, stamps);
        if (memcmp(stamps, context->stamps, sizeof(stamps)) == 0)
                return 0;
        memcpy(context->stamps, stamps, sizeof(stamps)); /* a bad one is told of once */
        reload(context);
        return 0;
}

/* ---- life ---- */

static int copy_text(char **to, const char **ret, const char *from) {
        *to = from && *from ? strdup(from) : NULL;
        *ret = *to;
        return *to || !from || !*from ? 0 : -ENOMEM;
}

static int copy_settings(TlsContext *context, const TlsSettings *settings) {
        TlsSettings *own = &context->settings;
        int r;

        *own = *settings;
        own->cert_file = own->key_file = own->ca_file = own->crl_file = own->allowed_cn = own->allowed_host = own->ciphers = NULL;
        r = copy_text(&context->files[TLS_FILE_CERT], &own->cert_file, settings->cert_file);
        if (r >= 0)
                r = copy_text(&context->files[TLS_FILE_KEY], &own->key_file, settings->key_file);
        if (r >= 0)
                r = copy_text(&context->files[TLS_FILE_CA], &own->ca_file, settings->ca_file);
        if (r >= 0)
                r = copy_text(&context->files[TLS_FILE_CRL], &own->crl_file, settings->crl_file);
        if (r >= 0)
                r = copy_text(&context->allowed_cn, &own->allowed_cn, settings->allowed_cn);
        if (r >= 0)
                r = copy_text(&context->allowed_host, &own->allowed_host, settings->allowed_host);
        if (r >= 0)
                r = copy_text(&context->ciphers, &own->ciphers, settings->ciphers);
        return r;
}

static bool names_a_file(const TlsContext *context) {
        for (size_t i = 0; i < TLS_FILES; i++)
                if (context->files[i])
                        return true;
        return false;
}

TlsContext *tls_context_free(TlsContext *context) {
        if (!context || --context->references > 0)
                return NULL;
        forget_sessions(context);
        SSL_CTX_free(context->ssl);
        for (size_t i = 0; i < TLS_FILES; i++)
                free(context->files[i]);
        free(context->allowed_cn);
        free(context->allowed_host);
        free(context->ciphers);
        free(context);
        return NULL;
}

CLEANUP_DEFINE(TlsContext, tls_context_free)

int tls_context_new(const TlsSettings *settings, TlsContext **ret_context, Error *error) {
        _cleanup_(tls_context_freep) TlsContext *context = calloc(1, sizeof(*context));
        int r;

        if (!context)
                return error_set(error, -ENOMEM, "no memory for TLS");
        context->references = 1;
        r = copy_settings(context, settings);
        if (r < 0)
                return error_set(error, r, "no memory for TLS");
        settings = &context->settings;
        if (!settings->cert_file != !settings->key_file)
                return error_set(error, -EINVAL, "%s needs its %s: a certificate and its key are given together",
                                 settings->cert_file ?: settings->key_file,
                                 settings->cert_file ? "key" : "certificate");
        stamp_files(context, context->stamps);
        /* without a file nothing can be wrong: the system's authorities, a quarter of a megabyte, are read at the first use */
        r = names_a_file(context) ? load(context, &context->ssl, error) : 0;
        if (r < 0)
                return r;
        *ret_context = take_ptr(context);
        return 0;
}

bool tls_context_can_serve(const TlsContext *context) {
        return context->settings.cert_file != NULL;
}
