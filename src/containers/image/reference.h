#pragma once
/*
 * Names of images, as Docker writes them: [HOST[:PORT]/]PATH[:TAG][@DIGEST]. Pure. A name without a host is of docker.io, one
 * of a single part there of docker.io/library; without tag and digest it is "latest". The grammar is that of the
 * distribution project's reference package.
 */
#include "base/error.h"
#include "base/str.h"
#include "containers/image/digest.h"

#define REFERENCE_TEXT_MAX 512
#define REFERENCE_HOST_DEFAULT "docker.io"

typedef struct Reference {
        char host[256];               /* "docker.io", "localhost:5000" */
        char path[256];               /* "library/busybox" */
        char tag[129];                /* ""; only with a digest */
        char digest[DIGEST_TEXT_MAX]; /* "": none */
} Reference;

/* -EINVAL with `error`: what is wrong with it. */
int reference_parse(const char *text, Reference *ret, Error *error);

/* In full: "docker.io/library/busybox:latest". */
void reference_format(const Reference *reference, char text[static REFERENCE_TEXT_MAX]);

/* As people write it: "busybox:latest". */
void reference_format_short(const Reference *reference, char text[static REFERENCE_TEXT_MAX]);

/* As reference_format_short(), without tag and digest: "busybox". */
void reference_format_repository(const Reference *reference, char text[static REFERENCE_TEXT_MAX]);
