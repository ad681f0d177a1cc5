#pragma once
/* docker save: an archive of images that docker load, and what reads OCI layouts, can read. */
#include "containers/image/image-job.h"

#define SAVE_IMAGES_MAX 256

/* Writes to `output`, a file that stays the caller's and that must stay open until the end. `names`: as people write them; each must be there: -ENOENT. */
int image_save_start(ImageStore *store, const StringList *names, int output, const ImageJobEvents *events,
                     void *userdata, ImageJob **ret, Error *error);
