#include "store/api/password.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* A cost above this would hold up a worker for a minute: no server writes such. */
#define PASSWORD_COST_MAX 18

static void crypt_data_free(struct crypt_data *data) {
        OPENSSL_cleanse(data, sizeof(*data));
        free(data);
}

int password_hash(const char *password, const char salt[static 16], char ret_hash[static PASSWORD_HASH_SIZE]) {
        struct crypt_data *data = calloc(1, sizeof(*data));
        char setting[CRYPT_GENSALT_OUTPUT_SIZE];
        const char *hash = NULL;
        int r = -ENOMEM;

        if (!data)
                return -ENOMEM;
        if (crypt_gensalt_rn("$2b$", PASSWORD_COST, salt, 16, setting, sizeof(setting)))
                hash = crypt_r(password, setting, data);
        if (!hash || hash[0] != '$' || strlen(hash) >= PASSWORD_HASH_SIZE)
                r = -EINVAL;
        else {
                memcpy(ret_hash, hash, strlen(hash) + 1);
                r = 0;
        }
        crypt_data_free(data);
        return r;
}

static bool is_bcrypt(const char *hash) {
        return strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' && strchr("aby", hash[2]) && hash[3] == '$' &&
               hash[6] == '$' && atoi(hash + 4) <= PASSWORD_COST_MAX;
}

bool password_matches(const char *password, const char *hash) {
        struct crypt_data *data;
        const char *found;
        bool matches;

        if (!is_bcrypt(hash))
                return false;
        data = calloc(1, sizeof(*data));
        if (!data)
                return false;
        found = crypt_r(password, hash, data);
        matches = found && strlen(found) == strlen(hash) && CRYPTO_memcmp(found, hash, strlen(hash)) == 0;
        crypt_data_free(data);
        return matches;
}
