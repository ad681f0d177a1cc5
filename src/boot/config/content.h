#pragma once
/* The contents and paths of write_files. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define CONTENT_MAX ((size_t)16 * 1024 * 1024) /* of one file, decoded */

/* Appends the content: encoding "" as it is; b64, base64; gz, gzip; gz+b64 and so on. -EINVAL: unknown encoding or no
 * base64; -EBADMSG: no gzip; -EMSGSIZE. */
int content_decode(Slice content, Slice encoding, Buffer *to, Error *error);

/* An absolute path without "//", "." and "..", as from "/"; the caller frees it. NULL: no memory. */
char *path_clean(Slice path);

/* "0644", "644": base 8, at most 07777. Empty: 0644. -EINVAL. */
int permissions_parse(Slice text, mode_t *ret);
