#pragma once
/* Digests of contents: "sha256:" and 64 lower-case hexadecimal digits. */
#include <openssl/evp.h>

#include "base/str.h"

#define DIGEST_PREFIX "sha256:"
#define DIGEST_HEX_LENGTH 64
#define DIGEST_LENGTH 71
#define DIGEST_TEXT_MAX (DIGEST_LENGTH + 1)

bool digest_is_valid(Slice text);

/* What stands behind "sha256:". */
static inline const char *digest_hex(const char *digest) {
        return digest + sizeof(DIGEST_PREFIX) - 1;
}

/* Of bytes that are there. -ENOMEM. */
int digest_of(Slice bytes, char ret[static DIGEST_TEXT_MAX]);

/* Of bytes that come in pieces. */
typedef struct Digester {
        EVP_MD_CTX *context;
} Digester;

int digester_init(Digester *digester); /* -ENOMEM */
void digester_deinit(Digester *digester);
#define _cleanup_digester_ _cleanup_(digester_deinit)

void digester_add(Digester *digester, const void *bytes, size_t length);
void digester_end(Digester *digester, char ret[static DIGEST_TEXT_MAX]);
