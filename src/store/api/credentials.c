#include "store/api/credentials.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/random.h"

typedef struct Credential {
        CredentialDigest digest;
        ListNode node;
} Credential;

/* Made and keyed once: looking the algorithm up costs more than all the rest of a request. */
static EVP_MAC_CTX *make_mac(void) {
        char digest[] = "SHA256";
        const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                         OSSL_PARAM_END};
        EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
        EVP_MAC_CTX *mac = algorithm ? EVP_MAC_CTX_new(algorithm) : NULL;
        unsigned char key[32];

        EVP_MAC_free(algorithm); /* the context holds it */
        random_secret(key, sizeof(key));
        if (mac && !EVP_MAC_init(mac, key, sizeof(key), parameters)) {
                EVP_MAC_CTX_free(mac);
                mac = NULL;
        }
        OPENSSL_cleanse(key, sizeof(key));
        return mac;
}

int credentials_init(Credentials *credentials) {
        SipKey seed;

        *credentials = (Credentials){.mac = make_mac()};
        random_secret(&seed, sizeof(seed));
        map_set_seed(&credentials->map, seed);
        list_init(&credentials->used);
        return credentials->mac ? 0 : -ENOMEM;
}

static void credential_drop(Credentials *credentials, Credential *credential) {
        (void)map_remove(&credentials->map, (Slice){credential->digest.bytes, sizeof(credential->digest.bytes)});
        list_unlink(&credential->node);
        free(credential);
}

void credentials_deinit(Credentials *credentials) {
        if (!credentials->mac) /* nothing was ever added */
                return;
        list_foreach(&credentials->used, node)
                credential_drop(credentials, container_of(node, Credential, node));
        map_deinit(&credentials->map);
        EVP_MAC_CTX_free(credentials->mac); /* wipes the key */
}

int credentials_digest(Credentials *credentials, Slice user, Slice password, const char *hash,
                       CredentialDigest *ret_digest) {
        const Slice parts[] = {user, password, slice_from(hash)};
        bool fine = EVP_MAC_init(credentials->mac, NULL, 0, NULL); /* anew, with the same key */
        size_t length;

        for (size_t i = 0; i < ARRAY_SIZE(parts) && fine; i++) {
                uint64_t count = parts[i].length; /* so that no byte can be taken for another part's */

                fine = EVP_MAC_update(credentials->mac, (const unsigned char *)&count, sizeof(count)) &&
                       EVP_MAC_update(credentials->mac, (const unsigned char *)parts[i].data, parts[i].length);
        }
        fine = fine &&
               EVP_MAC_final(credentials->mac, (unsigned char *)ret_digest->bytes, &length, sizeof(ret_digest->bytes));
        return fine ? 0 : -ENOMEM;
}

static Slice digest_slice(const CredentialDigest *digest) {
        return (Slice){digest->bytes, sizeof(digest->bytes)};
}

bool credentials_has(Credentials *credentials, const CredentialDigest *digest) {
        Credential *credential = map_get(&credentials->map, digest_slice(digest));

        if (!credential)
                return false;
        list_unlink(&credential->node);
        list_append(&credentials->used, &credential->node);
        return true;
}

void credentials_add(Credentials *credentials, const CredentialDigest *digest) {
        Credential *credential;

        if (credentials_has(credentials, digest))
                return;
        if (credentials->map.length >= CREDENTIALS_MAX)
                credential_drop(credentials, container_of(credentials->used.next, Credential, node));
        credential = malloc(sizeof(*credential));
        if (!credential)
                return;
        credential->digest = *digest;
        list_init(&credential->node);
        if (map_put(&credentials->map, digest_slice(&credential->digest), credential, NULL) < 0) {
                free(credential);
                return;
        }
        list_append(&credentials->used, &credential->node);
}
