#pragma once
/*
 * The images of this machine: contents by digest, layers unpacked for overlayfs, names. Lives in one directory:
 *
 *   content/sha256/HEX     manifests, configurations and compressed layers, as they were fetched or made
 *   layers/HEX/            one layer's files (HEX: of its diff id), with overlayfs's whiteouts
 *   images.json            names and the images they stand for; replaced as a whole
 *
 * Everything here is called on the loop's thread; what takes long is started by image-import.h and image-pull.h, which work on
 * other threads and hand their result to image_store_add() at the end.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "base/str.h"
#include "containers/image/image-config.h"

#define IMAGE_ID_LENGTH 71 /* "sha256:" and 64 hexadecimal digits */
#define IMAGE_LAYERS_MAX 127
#define IMAGES_MAX 4096
#define IMAGE_NAMES_MAX 256 /* of one image */

typedef struct ImageStore ImageStore;

/* Owned by its store; valid until it is removed. */
typedef struct Image {
        char id[IMAGE_ID_LENGTH + 1];       /* digest of its configuration */
        char manifest[IMAGE_ID_LENGTH + 1]; /* digest of its manifest */
        ImageConfig config;
        StringList names;   /* "docker.io/library/busybox:latest", as references in full */
        StringList diff_ids; /* layers, lowest first */
        uint64_t size;      /* bytes of its layers' files */
        unsigned users;     /* containers made of it: it cannot be removed while there are any */
} Image;

/* Reads what is there; what a crash left half made is removed. Blocks. -errno with `error`. */
int image_store_open(const char *directory, ImageStore **ret, Error *error);
ImageStore *image_store_free(ImageStore *store);

/* By name ("busybox", "busybox:1", "host:5000/a/b:c", "name@sha256:…"), by id, or by an unambiguous beginning of an id (4 digits or more). -ENOENT;
 * -EINVAL: not a name; -ENOTUNIQ: several begin so. With a text for people. */
int image_store_find(const ImageStore *store, const char *name, Image **ret, Error *error);

/* Iteration in order of time, youngest first: `at` from 0 on; NULL at the end. */
Image *image_store_at(const ImageStore *store, size_t at);

/* The directories of the image's layers as overlayfs's "lowerdir=" wants them: topmost first, parted by ':'. "" of an image without layers. The caller frees; NULL
 * without memory. They stay as long as the image is there. */
char *image_lower_directories(const ImageStore *store, const Image *image);

/* Gives an image one more name, taking it from the image that had it. */
int image_store_tag(ImageStore *store, Image *image, const char *name, Error *error);

/* Takes a name away, or with an id the image; the image goes with its last name. Each `removed` line is what docker rmi prints: "Untagged: …", "Deleted: …". -ENOENT;
 * -EBUSY: a container uses it (without `force`), or it has several names and was given by id. */
int image_store_remove(ImageStore *store, const char *name, bool force, StringList *removed, Error *error);
