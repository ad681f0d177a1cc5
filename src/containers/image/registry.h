#pragma once
/*
 * A client of one registry (OCI distribution-spec, "Pull"), with its log-in by token. Blocks: only for the threads of jobs. Redirects of blobs
 * are followed; credentials stay with the registry's own host.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "containers/image/content.h"

typedef struct Registry Registry;

typedef struct RegistryOptions {
        const char *url;   /* "https://registry-1.docker.io", "http://10.0.0.2:2374" */
        const char *space; /* sent as ?ns=…, for peers and mirrors that serve several registries; NULL: none */
        const char *username, *password; /* NULL: none */
        unsigned connect_seconds; /* longest wait for a connection; 0: 5 */
        /* Asked now and then: true ends the call with -ECANCELED. */
        bool (*cancelled)(void *userdata);
        void *userdata;
} RegistryOptions;

/* Copies what it needs. -ENOMEM. */
int registry_new(const RegistryOptions *options, Registry **ret, Error *error);
Registry *registry_free(Registry *registry);
CLEANUP_DEFINE(Registry, registry_free)

/* The manifest called `reference` (tag or digest) of a repository, appended. -ENOENT: it has none; -EACCES: it does not let us; -EHOSTUNREACH: it does not answer; -EREMOTEIO, -EBADMSG. */
int registry_get_manifest(Registry *registry, const char *repository, const char *reference, Buffer *to, Error *error);

/* The blob goes to the writer, `progress` hears of it; `size` is what it must have. */
int registry_get_blob(Registry *registry, const char *repository, const char *digest, uint64_t size,
                      ContentWriter *writer, void (*progress)(void *userdata, uint64_t current, uint64_t total),
                      void *userdata, Error *error);
