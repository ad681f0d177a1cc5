#pragma once
/*
 * Fetching an image: from the engines of peer machines first, then from its registry. One that is here already stays when no
 * registry answers.
 */
#include "containers/image/image-job.h"

#define PULL_PEERS_MAX 64

typedef struct PullOptions {
        const char *name;                /* as people write it */
        const StringList *peers;         /* base URLs of engines that serve images; may be empty */
        const char *username, *password; /* for the registry; NULL: none */
} PullOptions;

/* Copies the options. Progress and end come through `events`: the last lines are docker's "Digest: …" and "Status: …". -EINVAL: not a name. */
int image_pull_start(ImageStore *store, const PullOptions *options, const ImageJobEvents *events, void *userdata,
                     ImageJob **ret, Error *error);
