#pragma once
/* Making images of archives: one of the files of a root file system (docker import), and those of docker save or an OCI layout (docker load). */
#include "containers/image/image-job.h"

typedef struct ImportOptions {
        const char *name;    /* as people write it; NULL: none */
        const char *message; /* NULL: none */
        const StringList *
                changes; /* lines of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR */
        WallUsec now;
} ImportOptions;

/* `archive`: tar, compressed or not, of the root file system; the file goes to the job, which closes it (also when this fails). The contents are kept as they came. */
int image_import_start(ImageStore *store, int archive, const ImportOptions *options, const ImageJobEvents *events,
                       void *userdata, ImageJob **ret, Error *error);

/* Progress: "Loaded image: NAME" for each. */
int image_load_start(ImageStore *store, int archive, const ImageJobEvents *events, void *userdata, ImageJob **ret,
                     Error *error);
