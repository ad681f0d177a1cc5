/* Cipher suites of TLS 1.2 by the names that Go, and so etcd's flag, gives them. */
#include <errno.h>

#include "base/suggest.h"
#include "net/tls.h"

static const struct {
        const char *name;
        const char *openssl; /* NULL: of TLS 1.3, which always has all of its own */
} suites[] = {
        {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
        {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
        {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256"},
        {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
        {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
        {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
        {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
        {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"},
        {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
        {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"},
        {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
        {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
        {"TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"},
        {"TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"},
        {"TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256"},
        {"TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"},
        {"TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"},
        {"TLS_AES_128_GCM_SHA256", NULL},
        {"TLS_AES_256_GCM_SHA384", NULL},
        {"TLS_CHACHA20_POLY1305_SHA256", NULL},
};

static int add_suite(Buffer *list, Slice name, Error *error) {
        const char *names[ARRAY_SIZE(suites)], *nearest;
        _cleanup_free_ char *word = slice_dup(name);

        if (!word)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
                names[i] = suites[i].name;
                if (!str_equals(word, suites[i].name))
                        continue;
                return suites[i].openssl
                               ? buffer_printf(list, "%s%s", buffer_length(list) ? ":" : "", suites[i].openssl)
                               : 0;
        }
        nearest = suggest_nearest(word, names, ARRAY_SIZE(names));
        if (nearest)
                return error_set(error, -EINVAL, "unknown cipher suite %s; did you mean %s?", word, nearest);
        return error_set(
                error, -EINVAL,
                "unknown cipher suite %s: Go's names are meant, such as %s (those of RC4 and 3DES are not here)", word,
                suites[0].name);
}

int tls_cipher_list(const char *names, Buffer *list, Error *error) {
        Slice rest = slice_from(names), part;
        int r = 0;

        while (r >= 0 && slice_split(&rest, ',', &part))
                r = add_suite(list, slice_trim(part), error);
        if (r >= 0 && buffer_length(list) == 0)
                r = error_set(error, -EINVAL,
                              "no cipher suite of TLS 1.2 is among %s: clients without TLS 1.3 could not come", names);
        return r;
}
