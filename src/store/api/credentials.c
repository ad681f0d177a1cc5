#include "store/api/credentials.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "base/buffer.h"
#include "base/random.h"

typedef struct Credential {
        CredentialDigest digest;
        ListNode node;
} Credential;

void credentials_init(Credentials *credentials) {
        SipKey seed;

        *credentials = (Credentials){0};
        random_secret(&seed, sizeof(seed));
        map_set_seed(&credentials->map, seed);
        list_init(&credentials->used);
        random_secret(credentials->key, sizeof(credentials->key));
}

static void credential_drop(Credentials *credentials, Credential *credential) {
        (void)map_remove(&credentials->map, (Slice){credential->digest.bytes, sizeof(credential->digest.bytes)});
        list_unlink(&credential->node);
        free(credential);
}

void credentials_deinit(Credentials *credentials) {
        list_foreach (&credentials->used, node)
                credential_drop(credentials, container_of(node, Credential, node));
        map_deinit(&credentials->map);
        OPENSSL_cleanse(credentials->key, sizeof(credentials->key));
}

int credentials_digest(const Credentials *credentials, Slice user, Slice password, const char *hash,
                       CredentialDigest *ret_digest) {
        Slice parts[] = {user, password, slice_from(hash)};
        size_t lengths[] = {user.length, password.length, strlen(hash)};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        unsigned length = sizeof(ret_digest->bytes);
        const unsigned char *made;

        /* all at once: growing would leave copies of the secret behind */
        if (!buffer_reserve(&text, sizeof(lengths) + lengths[0] + lengths[1] + lengths[2]))
                return -ENOMEM;
        (void)buffer_append(&text, lengths, sizeof(lengths));
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                (void)buffer_append(&text, parts[i].data, parts[i].length);
        made = HMAC(EVP_sha256(), credentials->key, sizeof(credentials->key), (const unsigned char *)buffer_data(&text),
                    buffer_length(&text), (unsigned char *)ret_digest->bytes, &length);
        OPENSSL_cleanse(text.memory, text.capacity);
        return made ? 0 : -ENOMEM;
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
