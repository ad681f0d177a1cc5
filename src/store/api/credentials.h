#pragma once
/*
 * Passwords that were found right, so that the next request with one costs no hashing. An entry is a keyed hash of name, password and
 * the record's bcrypt hash: when the record changes or goes, whoever asks asks for another entry, and the old one is dead.
 */
#include "base/list.h"
#include "base/map.h"

/* Entries kept; then the one not asked for longest goes. */
#define CREDENTIALS_MAX ((size_t)4096)

typedef struct CredentialDigest {
        char bytes[32];
} CredentialDigest;

typedef struct Credentials {
        Map map;
        List used;                  /* the one asked for longest ago first */
        struct evp_mac_ctx_st *mac; /* has a secret key that no one knows */
} Credentials;

int credentials_init(Credentials *credentials); /* -ENOMEM */
void credentials_deinit(Credentials *credentials);

/* -ENOMEM. */
int credentials_digest(Credentials *credentials, Slice user, Slice password, const char *hash,
                       CredentialDigest *ret_digest);

bool credentials_has(Credentials *credentials, const CredentialDigest *digest);

/* Without memory it is not kept. */
void credentials_add(Credentials *credentials, const CredentialDigest *digest);
