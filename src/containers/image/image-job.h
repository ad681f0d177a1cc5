#pragma once
/*
 * Work on images that takes long: a thread of its own, which tells how far it is, and whose results are registered on the loop when it ends.
 * At most IMAGE_JOBS_MAX run at once.
 */
#include "containers/image/image-store.h"
#include "containers/image/manifest.h"

#define IMAGE_JOBS_MAX 16

typedef struct ImageJob ImageJob;

/* All on the loop's thread, never from within image_job_start(). */
typedef struct ImageJobEvents {
        /* What happens to the part `id` (a layer's short digest, or ""): `total` 0: not known. Texts are borrowed. */
        void (*progress)(void *userdata, const char *id, const char *status, uint64_t current, uint64_t total);
        /* The last call. `image`: the last one that was registered, or NULL. r < 0 with a text for people; -ECANCELED. */
        void (*done)(void *userdata, int r, const Error *error, Image *image);
} ImageJobEvents;

/* What the thread does; it may use only the functions below, its input, the store's Content and paths. */
typedef int (*ImageJobRun)(ImageJob *job, void *input, Error *error);

/* `input` goes to the job, which frees it with `input_free` on the loop's thread, also when this fails. -EBUSY: too many. */
int image_job_start(ImageStore *store, ImageJobRun run, void *input, void (*input_free)(void *input),
                    const ImageJobEvents *events, void *userdata, ImageJob **ret, Error *error);

/* `done` still follows. */
void image_job_cancel(ImageJob *job);

/* ---- on the job's thread ---- */

ImageStore *image_job_store(const ImageJob *job);
bool image_job_is_cancelled(ImageJob *job);
void image_job_say(ImageJob *job, const char *id, const char *status, uint64_t current, uint64_t total);

/* An image whose contents and layers are there: it gets registered with that name (in full; NULL: none). -ENOMEM. */
int image_job_add(ImageJob *job, const char *manifest, const char *name);

/* Unpacks the layer whose archive is in the store's content, unless it is there. `diff_id`: what it must have; "": any, and it is written there. */
int image_job_unpack(ImageJob *job, const char *archive_digest, char diff_id[static DIGEST_TEXT_MAX], Error *error);

/* Writes a manifest of parts that are there. */
int image_job_put_manifest(ImageJob *job, const Manifest *manifest, char ret[static DIGEST_TEXT_MAX], Error *error);
