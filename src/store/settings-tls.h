#pragma once
/* etcd's flags for TLS: one set for clients, one for the other members. */
#include "base/options.h"
#include "net/tls.h"
#include "net/url.h"

enum { SETTINGS_TLS_OPTIONS = 18 };

/* One side's. Texts are owned; NULL: not given. */
typedef struct SettingsTls {
        char *cert_file, *key_file;
        char *trusted_ca_file;
        char *ca_file; /* etcd 2's older word: as trusted_ca_file with client_cert_auth */
        char *crl_file;
        char *allowed_cn, *allowed_host;
        bool client_cert_auth;
        bool automatic; /* a certificate that vouches for itself */
} SettingsTls;

typedef struct Settings Settings;

/* Fills in the table; returns how many. */
size_t settings_tls_options(Settings *settings, Option options[static SETTINGS_TLS_OPTIONS]);
void settings_tls_deinit(SettingsTls *tls);

/* After the URLs are known. -EINVAL with `error`: says which flag is missing. */
int settings_tls_check(Settings *settings, Error *error);

/* The context of one side; *ret NULL when nothing there has to do with TLS. May make a certificate in the data directory.
 * Errors with `error`. */
int settings_tls_context(const Settings *settings, bool peer, void (*note)(void *userdata, bool bad, const char *text),
                         TlsContext **ret, Error *error);
