#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "net/tls-internal.h"

enum { HOSTS_SHOWN = 8, NAME_MAX_SHOWN = 160 };

/* Alerts of the protocol (RFC 8446, section 6). */
enum {
        ALERT_HANDSHAKE_FAILURE = 40,
        ALERT_BAD_CERTIFICATE = 42,
        ALERT_UNSUPPORTED_CERTIFICATE = 43,
        ALERT_CERTIFICATE_REVOKED = 44,
        ALERT_CERTIFICATE_EXPIRED = 45,
        ALERT_CERTIFICATE_UNKNOWN = 46,
        ALERT_UNKNOWN_CA = 48,
        ALERT_PROTOCOL_VERSION = 70,
        ALERT_CERTIFICATE_REQUIRED = 116,
        ALERT_NO_APPLICATION_PROTOCOL = 120,
};

void tls_text_name(const X509_NAME *name, char *text, size_t size) {
        BIO *out = BIO_new(BIO_s_mem());
        int n = -1;

        if (out && name &&
            X509_NAME_print_ex(out, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB & ~XN_FLAG_SPC_EQ) >= 0)
                n = BIO_read(out, text, (int)size - 1);
        BIO_free(out);
        if (n <= 0)
                (void)snprintf(text, size, "(no name)");
        else
                text[n] = '\0';
}

static bool host_text(const GENERAL_NAME *name, char *text, size_t size) {
        const ASN1_STRING *value;
        int type;

        if (name->type == GEN_DNS) {
                value = name->d.dNSName;
                (void)snprintf(text, size, "%.*s", ASN1_STRING_length(value),
                               (const char *)ASN1_STRING_get0_data(value));
                return true;
        }
        if (name->type != GEN_IPADD)
                return false;
        value = name->d.iPAddress;
        type = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;
        if (type == AF_INET6 && ASN1_STRING_length(value) != 16)
                return false;
        return inet_ntop(type, ASN1_STRING_get0_data(value), text, (socklen_t)size) != NULL;
}

void tls_text_hosts(X509 *certificate, char *text, size_t size) {
        GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
        _cleanup_buffer_ Buffer all = BUFFER_INIT;
        char host[256];
        int shown = 0;

        for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
                if (!host_text(sk_GENERAL_NAME_value(names, i), host, sizeof(host)))
                        continue;
                if (shown++ == HOSTS_SHOWN) {
                        (void)buffer_append_string(&all, ", …");
                        break;
                }
                (void)buffer_printf(&all, "%s%s", shown > 1 ? ", " : "", host);
        }
        GENERAL_NAMES_free(names);
        (void)snprintf(text, size, "%s", buffer_string(&all) ?: "");
}

void tls_text_time(const ASN1_TIME *time, char *text, size_t size) {
        struct tm parts;

        if (ASN1_TIME_to_tm(time, &parts) != 1 || strftime(text, size, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
                (void)snprintf(text, size, "a time that makes no sense");
}

const char *tls_text_reason(void) {
        unsigned long code = ERR_peek_last_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;

        ERR_clear_error();
        return reason ?: "no reason given";
}

/* ---- the peer's certificate ---- */

static const char *whose(const TlsFilter *filter) {
        return filter->is_server ? "client" : "server";
}

static void tell_wrong_host(const TlsFilter *filter, X509 *certificate, Error *error) {
        char hosts[512];

        tls_text_hosts(certificate, hosts, sizeof(hosts));
        if (*hosts)
                (void)error_set(error, -EPROTO, "the server's certificate is for %s, not for %s", hosts, filter->host);
        else
                (void)error_set(error, -EPROTO,
                                "the server's certificate names no host in subjectAltName, so it is not for %s: a CN "
                                "alone is not enough",
                                filter->host);
}

static void tell_unknown_authority(const TlsFilter *filter, const char *name, X509 *certificate, Error *error) {
        const TlsSettings *settings = &filter->context->settings;
        char issuer[NAME_MAX_SHOWN];

        tls_text_name(X509_get_issuer_name(certificate), issuer, sizeof(issuer));
        if (settings->ca_file)
                (void)error_set(error, -EPROTO,
                                "the %s's certificate (%s) is signed by an authority (%s) that %s%s%s does not know",
                                whose(filter), name, issuer, settings->ca_option ?: "", settings->ca_option ? " " : "",
                                settings->ca_file);
        else
                (void)error_set(
                        error, -EPROTO,
                        "the %s's certificate (%s) is signed by an authority (%s) that this system does not know%s%s%s",
                        whose(filter), name, issuer, settings->ca_option ? ": " : "", settings->ca_option ?: "",
                        settings->ca_option ? " names a file with others" : "");
}

void tls_text_verdict(const TlsFilter *filter, X509_STORE_CTX *store, Error *error) {
        X509 *certificate = X509_STORE_CTX_get_current_cert(store);
        int verdict = X509_STORE_CTX_get_error(store);
        char name[NAME_MAX_SHOWN] = "?", when[64];

        if (certificate)
                tls_text_name(X509_get_subject_name(certificate), name, sizeof(name));
        switch (certificate ? verdict : X509_V_ERR_UNSPECIFIED) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
                tls_text_time(X509_get0_notAfter(certificate), when, sizeof(when));
                (void)error_set(error, -EPROTO, "the %s's certificate (%s) expired on %s; renew it", whose(filter),
                                name, when);
                break;
        case X509_V_ERR_CERT_NOT_YET_VALID:
                tls_text_time(X509_get0_notBefore(certificate), when, sizeof(when));
                (void)error_set(error, -EPROTO,
                                "the %s's certificate (%s) is valid from %s on only; is this machine's clock right?",
                                whose(filter), name, when);
                break;
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
                tell_wrong_host(filter, certificate, error);
                break;
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
                tell_unknown_authority(filter, name, certificate, error);
                break;
        case X509_V_ERR_CERT_REVOKED:
                (void)error_set(error, -EPROTO, "the %s's certificate (%s) was revoked, says %s", whose(filter), name,
                                filter->context->settings.crl_file);
                break;
        case X509_V_ERR_CRL_HAS_EXPIRED:
        case X509_V_ERR_UNABLE_TO_GET_CRL:
                (void)error_set(error, -EPROTO,
                                "%s says nothing (any more) of certificates by the authority of %s: %s; renew it",
                                filter->context->settings.crl_file, name, X509_verify_cert_error_string(verdict));
                break;
        case X509_V_ERR_INVALID_PURPOSE:
                (void)error_set(error, -EPROTO,
                                "the %s's certificate (%s) is not for %ss: its extendedKeyUsage lacks %sAuth",
                                whose(filter), name, whose(filter), whose(filter));
                break;
        default:
                (void)error_set(error, -EPROTO, "the %s's certificate (%s) is not valid: %s", whose(filter), name,
                                X509_verify_cert_error_string(verdict));
        }
}

/* ---- failures of the connection ---- */

/* The peer has told why it goes. */
static int tell_alert(const TlsFilter *filter, int alert, Error *error) {
        const char *own = filter->context->settings.cert_file;
        const char *peer = filter->is_server ? "client" : "server";

        switch (alert) {
        case ALERT_CERTIFICATE_REQUIRED:
                return error_set(error, -EPROTO, "the %s wants a client's certificate, and this side has none%s", peer,
                                 own ? " that it takes" : " (a certificate and its key can be given)");
        case ALERT_HANDSHAKE_FAILURE:
                return error_set(error, -EPROTO, "the %s refused the handshake%s", peer,
                                 filter->is_server || own
                                         ? ""
                                         : "; perhaps it wants a client's certificate, and this side has none");
        case ALERT_UNKNOWN_CA:
                return error_set(error, -EPROTO,
                                 "the %s does not know the authority that signed this side's certificate%s%s", peer,
                                 own ? ", " : "", own ?: "");
        case ALERT_BAD_CERTIFICATE:
        case ALERT_UNSUPPORTED_CERTIFICATE:
        case ALERT_CERTIFICATE_REVOKED:
        case ALERT_CERTIFICATE_EXPIRED:
        case ALERT_CERTIFICATE_UNKNOWN:
                return error_set(error, -EPROTO, "the %s does not accept this side's certificate%s%s: %s", peer,
                                 own ? ", " : "", own ?: "", SSL_alert_desc_string_long(alert));
        case ALERT_PROTOCOL_VERSION:
                return error_set(error, -EPROTO, "the %s speaks neither TLS 1.2 nor 1.3", peer);
        case ALERT_NO_APPLICATION_PROTOCOL:
                return error_set(error, -EPROTO, "the %s does not speak HTTP/1.1", peer);
        default:
                return error_set(error, -EBADMSG, "the %s ended the connection: %s", peer,
                                 SSL_alert_desc_string_long(alert));
        }
}

int tls_text_failure(TlsFilter *filter, Error *error) {
        unsigned long code = ERR_peek_error();
        int reason = ERR_GET_REASON(code);
        const char *peer = filter->is_server ? "client" : "server";

        ERR_clear_error();
        if (error->text[0])
                return -EPROTO; /* the certificate: it was told of where it was looked at */
        if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET)
                return tell_alert(filter, reason - SSL_AD_REASON_OFFSET, error);
        switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? reason : 0) {
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
                return error_set(
                        error, -EPROTO, "the client showed no certificate; it must show one that %s%s%s has signed",
                        filter->context->settings.ca_option ?: "", filter->context->settings.ca_option ? " " : "",
                        filter->context->settings.ca_file ?: "an authority of this system");
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_UNKNOWN_PROTOCOL:
        case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
                return error_set(error, -EPROTO, "the %s does not speak TLS%s", peer,
                                 filter->is_server ? "" : "; is its address http://, not https://?");
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_VERSION_TOO_LOW:
                return error_set(error, -EPROTO, "the %s speaks neither TLS 1.2 nor 1.3", peer);
        case SSL_R_NO_APPLICATION_PROTOCOL:
                return error_set(error, -EPROTO, "the %s does not speak HTTP/1.1", peer);
        case SSL_R_NO_SHARED_CIPHER:
                return error_set(error, -EPROTO, "the %s has no cipher that is accepted here", peer);
        default:
                return error_set(error, -EBADMSG, "the %s sent what is no TLS: %s", peer,
                                 code ? ERR_reason_error_string(code) ?: "unknown" : "it makes no sense");
        }
}
