#pragma once
/*
 * What an image says of the containers made of it: the "config" of an OCI or Docker image configuration (OCI image-spec,
 * config.md). Owns its strings. Lists with length 0 are absent.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

typedef struct ImageConfig {
        WallUsec created;
        char *architecture, *os;
        StringList entrypoint, command;
        bool has_entrypoint;    /* an empty list also takes away */
        StringList environment; /* "NAME=value" */
        char *user;             /* "name", "uid:gid", …; NULL: root */
        char *directory;        /* NULL: / */
        char *stop_signal;      /* "SIGTERM"; NULL: none given */
        StringList ports;       /* exposed: "80/tcp" */
        StringList volumes;
        StringList labels;   /* "name=value" */
        StringList diff_ids; /* of its layers, lowest first: "sha256:…" */
} ImageConfig;

#define IMAGE_LAYERS_MAX 64 /* their directories are one mount option of at most a page */

void image_config_deinit(ImageConfig *config);
#define _cleanup_image_config_ _cleanup_(image_config_deinit)

/* Reads a configuration. -EBADMSG with `error`: not one, and what is wrong where. Limits: IMAGE_LAYERS_MAX layers, 64 KiB a string. */
int image_config_parse(Slice json, ImageConfig *ret, Error *error);
