#pragma once
/*
 * Manifests of images: Docker's schema 2 and OCI's, and the lists of both that name one for each platform. Pure. Source: OCI image-spec
 * (manifest.md, image-index.md), "Image Manifest V 2, Schema 2".
 */
#include "base/buffer.h"
#include "base/error.h"
#include "containers/image/digest.h"
#include "containers/image/image-config.h"

#define MANIFEST_TYPE_DOCKER "application/vnd.docker.distribution.manifest.v2+json"
#define MANIFEST_TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MANIFEST_TYPE_OCI "application/vnd.oci.image.manifest.v1+json"
#define MANIFEST_TYPE_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MANIFEST_TYPE_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MANIFEST_TYPE_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"

#define MANIFEST_SIZE_MAX ((size_t)4 * 1024 * 1024)
#define MANIFEST_LAYER_SIZE_MAX (UINT64_C(64) << 30)

typedef struct ManifestPart {
        char digest[DIGEST_TEXT_MAX];
        uint64_t size;
} ManifestPart;

typedef struct Manifest {
        char digest[DIGEST_TEXT_MAX]; /* its own */
        bool is_list;
        ManifestPart chosen; /* of a list: the manifest for this platform */
        ManifestPart config;
        ManifestPart layers[IMAGE_LAYERS_MAX];
        size_t layer_count;
} Manifest;

/* `architecture` and `os` in Go's words ("amd64", "linux") choose from a list. -EBADMSG: not a manifest; -ENOENT: the list has none for the platform. */
int manifest_parse(Slice json, const char *architecture, const char *os, Manifest *ret, Error *error);

/* This machine's in Go's words: "amd64", "arm64", … */
const char *manifest_architecture(void);

/* An OCI manifest of these parts. -ENOMEM. */
int manifest_write(const Manifest *manifest, Buffer *to);

/* The media type that a stored manifest says it has, or OCI's. Borrows nothing. */
const char *manifest_media_type(Slice json);
