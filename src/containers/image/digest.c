#include "containers/image/digest.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

bool digest_is_valid(Slice text) {
        if (text.length != DIGEST_LENGTH || memcmp(text.data, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) != 0)
                return false;
        for (size_t i = strlen(DIGEST_PREFIX); i < text.length; i++)
                if (!strchr("0123456789abcdef", text.data[i]) || text.data[i] == '\0')
                        return false;
        return true;
}

static void format(const unsigned char *bytes, char *ret) {
        memcpy(ret, DIGEST_PREFIX, sizeof(DIGEST_PREFIX));
        for (size_t i = 0; i < DIGEST_HEX_LENGTH / 2; i++)
                (void)snprintf(ret + strlen(DIGEST_PREFIX) + 2 * i, 3, "%02x", bytes[i]);
}

int digest_of(Slice bytes, char ret[static DIGEST_TEXT_MAX]) {
        unsigned char sum[EVP_MAX_MD_SIZE];

        if (EVP_Digest(bytes.length ? bytes.data : "", bytes.length, sum, NULL, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        format(sum, ret);
        return 0;
}

int digester_init(Digester *digester) {
        digester->context = EVP_MD_CTX_new();
        if (!digester->context || EVP_DigestInit_ex(digester->context, EVP_sha256(), NULL) != 1) {
                digester_deinit(digester);
                return -ENOMEM;
        }
        return 0;
}

void digester_deinit(Digester *digester) {
        EVP_MD_CTX_free(digester->context);
        digester->context = NULL;
}

void digester_add(Digester *digester, const void *bytes, size_t length) {
        int ok = EVP_DigestUpdate(digester->context, bytes, length);

        assert(ok == 1);
}

void digester_end(Digester *digester, char ret[static DIGEST_TEXT_MAX]) {
        unsigned char sum[EVP_MAX_MD_SIZE];
        int ok = EVP_DigestFinal_ex(digester->context, sum, NULL);

        assert(ok == 1);
        format(sum, ret);
}
