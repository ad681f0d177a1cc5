#pragma once
/* Passwords as bcrypt hashes, by libcrypt. One hash takes some 50 ms of a processor: only for worker threads. */
#include <stdbool.h>

/* bcrypt's exponent: the time doubles with each. etcd's, too. */
#define PASSWORD_COST 10

/* "$2b$10$" and 53 more, and a NUL. */
#define PASSWORD_HASH_SIZE 64

/* Bytes after these have no part in the hash. */
#define PASSWORD_BYTES_USED 72

/* With a fresh salt, which must be 16 secret bytes or better. -ENOMEM; -EINVAL: libcrypt does not know bcrypt. */
int password_hash(const char *password, const char salt[static 16], char ret_hash[static PASSWORD_HASH_SIZE]);

/* Whether the hash ($2a$, $2b$, $2y$) is that of this password; in constant time beside the hashing. Anything else than a bcrypt
 * hash matches nothing. */
bool password_matches(const char *password, const char *hash);
