#include "store/settings-tls.h"

#include <errno.h>

#include "store/settings.h"

size_t settings_tls_options(Settings *s, Option options[static SETTINGS_TLS_OPTIONS]) {
        SettingsTls *c = &s->client_tls, *p = &s->peer_tls;
        const Option table[] = {
                {"cert-file", 0, OPTION_STRING, "FILE", "ETCD_CERT_FILE",
                 "what clients are shown at https:// addresses", &c->cert_file, NULL},
                {"key-file", 0, OPTION_STRING, "FILE", "ETCD_KEY_FILE", "its key", &c->key_file, NULL},
                {"trusted-ca-file", 0, OPTION_STRING, "FILE", "ETCD_TRUSTED_CA_FILE",
                 "authorities: clients must show a certificate that one of them signed", &c->trusted_ca_file, NULL},
                {"client-cert-auth", 0, OPTION_SWITCH, NULL, "ETCD_CLIENT_CERT_AUTH",
                 "clients must show a certificate; needs --trusted-ca-file, which means it already",
                 &c->client_cert_auth, NULL},
                {"client-crl-file", 0, OPTION_STRING, "FILE", "ETCD_CLIENT_CRL_FILE", "revoked certificates of clients",
                 &c->crl_file, NULL},
                {"client-cert-allowed-hostname", 0, OPTION_STRING, "HOST", "ETCD_CLIENT_CERT_ALLOWED_HOSTNAME",
                 "clients' certificates must be for it", &c->allowed_host, NULL},
                {"auto-tls", 0, OPTION_SWITCH, NULL, "ETCD_AUTO_TLS",
                 "show clients a certificate that vouches for itself", &c->automatic, NULL},
                {"ca-file", 0, OPTION_STRING, "FILE", "ETCD_CA_FILE", NULL, &c->ca_file, NULL},
                {"peer-cert-file", 0, OPTION_STRING, "FILE", "ETCD_PEER_CERT_FILE",
                 "what other members are shown, and it shows them", &p->cert_file, NULL},
                {"peer-key-file", 0, OPTION_STRING, "FILE", "ETCD_PEER_KEY_FILE", "its key", &p->key_file, NULL},
                {"peer-trusted-ca-file", 0, OPTION_STRING, "FILE", "ETCD_PEER_TRUSTED_CA_FILE",
                 "authorities: other members must show a certificate that one of them signed", &p->trusted_ca_file,
                 NULL},
                {"peer-client-cert-auth", 0, OPTION_SWITCH, NULL, "ETCD_PEER_CLIENT_CERT_AUTH",
                 "other members must show a certificate; needs --peer-trusted-ca-file, which means it already",
                 &p->client_cert_auth, NULL},
                {"peer-crl-file", 0, OPTION_STRING, "FILE", "ETCD_PEER_CRL_FILE", "revoked certificates of members",
                 &p->crl_file, NULL},
                {"peer-cert-allowed-cn", 0, OPTION_STRING, "NAME", "ETCD_PEER_CERT_ALLOWED_CN",
                 "members' certificates must be of it", &p->allowed_cn, NULL},
                {"peer-cert-allowed-hostname", 0, OPTION_STRING, "HOST", "ETCD_PEER_CERT_ALLOWED_HOSTNAME",
                 "members' certificates must be for it", &p->allowed_host, NULL},
                {"peer-auto-tls", 0, OPTION_SWITCH, NULL, "ETCD_PEER_AUTO_TLS",
                 "show other members a certificate that vouches for itself, and believe theirs", &p->automatic, NULL},
                {"cipher-suites", 0, OPTION_STRING, "NAME,…", "ETCD_CIPHER_SUITES",
                 "of TLS 1.2, as Go names them (default: ECDHE with AES-GCM or ChaCha20)", &s->cipher_suites, NULL},
                {"peer-ca-file", 0, OPTION_STRING, "FILE", "ETCD_PEER_CA_FILE", NULL, &p->ca_file, NULL},
        };

        _Static_assert(ARRAY_SIZE(table) == SETTINGS_TLS_OPTIONS, "room for all options");
        memcpy(options, table, sizeof(table));
        return ARRAY_SIZE(table);
}

void settings_tls_deinit(SettingsTls *tls) {
        char *strings[] = {tls->cert_file, tls->key_file,   tls->trusted_ca_file, tls->ca_file,
                           tls->crl_file,  tls->allowed_cn, tls->allowed_host};

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        *tls = (SettingsTls){0};
}

/* ---- checking ---- */

/* "" stands for what was not given, as in a unit's Environment=. */
static bool given(const char *text) {
        return text && *text;
}

static int check_files(SettingsTls *tls, const char *prefix, Error *error) {
        if (given(tls->cert_file) && !given(tls->key_file))
                return error_set(error, -EINVAL, "--%scert-file is given without --%skey-file", prefix, prefix);
        if (given(tls->key_file) && !given(tls->cert_file))
                return error_set(error, -EINVAL, "--%skey-file is given without --%scert-file", prefix, prefix);
        if (given(tls->ca_file) && !given(tls->trusted_ca_file)) {
                free(tls->trusted_ca_file);
                tls->trusted_ca_file = tls->ca_file;
                tls->ca_file = NULL;
                tls->client_cert_auth = true;
        }
        if (tls->client_cert_auth && !given(tls->trusted_ca_file))
                return error_set(error, -EINVAL, "--%sclient-cert-auth needs --%strusted-ca-file: who signs %s", prefix,
                                 prefix, *prefix ? "members' certificates" : "clients' certificates");
        if ((given(tls->crl_file) || given(tls->allowed_cn) || given(tls->allowed_host)) &&
            !given(tls->trusted_ca_file))
                return error_set(error, -EINVAL,
                                 "--%strusted-ca-file is missing: without it no certificate of a %s is looked at, "
                                 "whatever else is given",
                                 prefix, *prefix ? "member" : "client");
        return 0;
}

static int check_urls(const SettingsTls *tls, const char *prefix, const char *option, const UrlList *urls,
                      Error *error) {
        char text[URL_TEXT_MAX];

        if (given(tls->cert_file) || tls->automatic)
                return 0;
        for (size_t i = 0; i < urls->length; i++) {
                if (urls->items[i].scheme != URL_HTTPS)
                        continue;
                url_format(&urls->items[i], text);
                return error_set(error, -EINVAL,
                                 "--%s has %s: https needs --%scert-file and --%skey-file, or --%sauto-tls", option,
                                 text, prefix, prefix, prefix);
        }
        return 0;
}

static int check_ciphers(const Settings *s, Error *error) {
        _cleanup_buffer_ Buffer list = BUFFER_INIT;
        int r = given(s->cipher_suites) ? tls_cipher_list(s->cipher_suites, &list, error) : 0;

        return r < 0 ? error_prefix(error, r, "--cipher-suites") : 0;
}

int settings_tls_check(Settings *s, Error *error) {
        int r = check_files(&s->client_tls, "", error);

        if (r >= 0)
                r = check_ciphers(s, error);

        if (r >= 0)
                r = check_files(&s->peer_tls, "peer-", error);
        if (r >= 0)
                r = check_urls(&s->client_tls, "", "listen-client-urls", &s->listen_client, error);
        if (r >= 0)
                r = check_urls(&s->client_tls, "", "advertise-client-urls", &s->advertise_client, error);
        if (r >= 0)
                r = check_urls(&s->client_tls, "", "listen-metrics-urls", &s->listen_metrics, error);
        if (r >= 0)
                r = check_urls(&s->peer_tls, "peer-", "listen-peer-urls", &s->listen_peer, error);
        if (r >= 0)
                r = check_urls(&s->peer_tls, "peer-", "initial-advertise-peer-urls", &s->advertise_peer, error);
        return r;
}

/* ---- the context ---- */

static int make_automatic(const Settings *s, bool peer, char **ret_cert, char **ret_key, Error *error) {
        const UrlList *lists[] = {peer ? &s->listen_peer : &s->listen_client,
                                  peer ? &s->advertise_peer : &s->advertise_client};
        _cleanup_free_ char *folder = str_printf("%s/fixtures/%s", s->data_dir, peer ? "peer" : "client");
        _cleanup_string_list_ StringList hosts = {0};
        int r = folder ? 0 : -ENOMEM;

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; r >= 0 && k < lists[i]->length; k++)
                        if (!string_list_contains(&hosts, lists[i]->items[k].host))
                                r = string_list_add(&hosts, lists[i]->items[k].host);
        if (r >= 0)
                r = tls_make_self_signed(folder, &hosts, error);
        if (r < 0)
                return r;
        *ret_cert = str_printf("%s/cert.pem", folder);
        *ret_key = str_printf("%s/key.pem", folder);
        return *ret_cert && *ret_key ? 0 : -ENOMEM;
}

static bool any_https(const UrlList *urls) {
        for (size_t i = 0; i < urls->length; i++)
                if (urls->items[i].scheme == URL_HTTPS)
                        return true;
        return false;
}

/* The founders' URLs may be of TLS although this member's own are not. */
static bool others_have_https(const Settings *s) {
        for (size_t i = 0; i < s->bootstrap.count; i++)
                for (size_t k = 0; k < s->bootstrap.members[i].url_count; k++)
                        if (s->bootstrap.members[i].urls[k].scheme == URL_HTTPS)
                                return true;
        return false;
}

static bool is_wanted(const Settings *s, bool peer) {
        const SettingsTls *tls = peer ? &s->peer_tls : &s->client_tls;

        if (given(tls->cert_file) || given(tls->trusted_ca_file))
                return true;
        return peer ? any_https(&s->listen_peer) || others_have_https(s) : any_https(&s->listen_client) || any_https(&s->listen_metrics);
}

int settings_tls_context(const Settings *s, bool peer, void (*note)(void *userdata, bool bad, const char *text),
                         TlsContext **ret, Error *error) {
        const SettingsTls *tls = peer ? &s->peer_tls : &s->client_tls;
        _cleanup_free_ char *made_cert = NULL, *made_key = NULL;
        _cleanup_buffer_ Buffer ciphers = BUFFER_INIT;
        bool automatic = tls->automatic && !given(tls->cert_file);
        TlsSettings settings = {
                .cert_file = tls->cert_file,
                .key_file = tls->key_file,
                .ca_file = tls->trusted_ca_file,
                .crl_file = tls->crl_file,
                .ca_option = peer ? "--peer-trusted-ca-file" : "--trusted-ca-file",
                .need_client_cert = given(tls->trusted_ca_file),
                .allowed_cn = tls->allowed_cn,
                .allowed_host = tls->allowed_host,
                .trust_any_server = automatic,
                .note = note,
        };
        int r;

        *ret = NULL;
        if (!is_wanted(s, peer))
                return 0;
        if (given(s->cipher_suites)) {
                r = tls_cipher_list(s->cipher_suites, &ciphers, error);
                if (r < 0)
                        return r;
                settings.ciphers = buffer_string(&ciphers);
        }
        if (automatic) {
                r = make_automatic(s, peer, &made_cert, &made_key, error);
                if (r < 0)
                        return r;
                settings.cert_file = made_cert;
                settings.key_file = made_key;
        }
        return tls_context_new(&settings, ret, error);
}
