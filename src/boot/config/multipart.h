#pragma once
/* A user-data of several, as a MIME multipart message: cloud-configs and scripts one after the other. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define MULTIPART_PARTS_MAX 64
#define MULTIPART_HEADERS_MAX 64

/* Whether the text begins with headers that say so. */
bool multipart_is(Slice text);

typedef struct MultipartPart {
        unsigned line; /* of the user-data, that the part's text begins on; 0: it was encoded */
        Buffer text;
} MultipartPart;

typedef struct Multipart {
        MultipartPart parts[MULTIPART_PARTS_MAX];
        size_t length;
} Multipart;

void multipart_deinit(Multipart *multipart);
#define _cleanup_multipart_ _cleanup_(multipart_deinit)

/* Takes the message apart into a zeroed Multipart; parts in base64 are decoded. -EINVAL with `error`, -EMSGSIZE, -ENOMEM. */
int multipart_split(Slice text, Multipart *multipart, Error *error);
