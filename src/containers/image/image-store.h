#pragma once
/*
 * The images of this machine: contents by digest, layers unpacked for overlayfs, names. Lives in one directory:
 *
 *   sha256/HEX      manifests, configurations and layers' archives, as they were fetched or made
 *   layers/HEX16/   one layer's files (HEX16: 16 digits of its diff id), with overlayfs's whiteouts; "size" beside it
 *   images.json     names and the images that they stand for; replaced as a whole
 *   tmp/            what is half made; emptied at start
 *
 * All here is called on the loop's thread. What takes long is an ImageJob (image-job.h), which works on a thread of its own and
 * hands what it made to image_store_add() at its end.
 */
#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "containers/image/content.h"
#include "containers/image/image-config.h"

#define IMAGES_MAX 4096
#define IMAGE_NAMES_MAX 256 /* of one image */

typedef struct ImageStore ImageStore;

/* Owned by its store; valid until it is removed. */
typedef struct Image {
        char id[DIGEST_TEXT_MAX];       /* digest of its configuration */
        char manifest[DIGEST_TEXT_MAX]; /* digest of its manifest */
        ImageConfig config;             /* its diff_ids are the layers, lowest first */
        StringList names;               /* references in full: "docker.io/library/busybox:latest" */
        uint64_t size;                  /* bytes of its layers' files */
        unsigned users;                 /* containers made of it: it is not removed while there are any */
} Image;

/* Reads what is there; what a crash left half made is removed. Blocks. -errno with `error`. */
int image_store_open(uv_loop_t *loop, const char *directory, ImageStore **ret, Error *error);
ImageStore *image_store_free(ImageStore *store);

const Content *image_store_content(const ImageStore *store);
uv_loop_t *image_store_loop(const ImageStore *store);

/* By name ("busybox", "busybox:1", "host:5000/a/b:c", "name@sha256:…"), by id, or by an unambiguous beginning of an id (4 digits
 * or more). -ENOENT; -EINVAL: not a name; -ENOTUNIQ: several begin so. With a text for people. */
int image_store_find(const ImageStore *store, const char *name, Image **ret, Error *error);

/* Iteration, youngest first: `at` from 0 on; NULL at the end. */
Image *image_store_at(const ImageStore *store, size_t at);

/* The directories of the image's layers as overlayfs's "lowerdir=" wants them: topmost first, parted by ':'. "" of an image without
 * layers. The caller frees; NULL without memory. They stay as long as the image is there. */
char *image_lower_directories(const ImageStore *store, const Image *image);

/* Registers an image whose contents and layers are there, or finds the one that is, and gives it `name` (in full; NULL: none),
 * taking that from the image that had it. -EBADMSG, -ENOENT, -ENOSPC above the limits; then nothing changed. */
int image_store_add(ImageStore *store, const char *manifest, const char *name, Image **ret, Error *error);

/* Gives an image one more name, as people write it. */
int image_store_tag(ImageStore *store, Image *image, const char *name, Error *error);

/* Takes a name away, or with an id the image; the image goes with its last name. `removed` gets the lines of docker rmi: "Untagged:
 * NAME", "Deleted: ID". -ENOENT; -EBUSY: a container uses it, or without `force` it has several names and was given by id. */
int image_store_remove(ImageStore *store, const char *name, bool force, StringList *removed, Error *error);

/* ---- for jobs ---- */

/* While a job is under way nothing is removed from the disk that no image needs yet. */
void image_store_job_begin(ImageStore *store);
void image_store_job_end(ImageStore *store);

/* Paths for a job, which may read nothing else of the store; the caller frees. NULL without memory. */
char *image_store_layer_path(const ImageStore *store, const char *diff_id);
char *image_store_temporary_path(const ImageStore *store, const char *name);
