#pragma once
/*
 * Contents by digest in one directory, sha256/HEX. What is there is whole and has that digest: it comes in through a temporary
 * file that is checked before it gets its name. May be used on any thread.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "containers/image/digest.h"

typedef struct Content {
        char *directory; /* with "sha256/" and "tmp/" in it */
} Content;

/* Makes what is missing, removes temporary files that a crash left. */
int content_open(Content *content, const char *directory, Error *error);
void content_deinit(Content *content);

/* Path of a digest's file, there or not; the caller frees. NULL without memory. */
char *content_path(const Content *content, const char *digest);
bool content_has(const Content *content, const char *digest, uint64_t *ret_size);

/* All of it, at most `max` bytes, appended. -ENOENT, -EMSGSIZE. */
int content_read(const Content *content, const char *digest, size_t max, Buffer *to, Error *error);

/* Something new. */
typedef struct ContentWriter {
        const Content *content;
        Digester digester;
        char *path;
        int fd;
        uint64_t size;
        uint64_t limit;
} ContentWriter;

/* `limit`: most bytes it may have. */
int content_write_begin(ContentWriter *writer, const Content *content, uint64_t limit, Error *error);
/* -EMSGSIZE above the limit, -ENOSPC … */
int content_write(ContentWriter *writer, Slice bytes, Error *error);

/* Syncs, and gives it its name. `expected` (NULL: any): the digest that it must have, else -EBADMSG and it is gone. */
int content_write_end(ContentWriter *writer, const char *expected, char ret[static DIGEST_TEXT_MAX], Error *error);
/* Drops what was not ended. Always allowed. */
void content_write_deinit(ContentWriter *writer);
#define _cleanup_content_writer_ _cleanup_(content_write_deinit)

/* A whole one at once. */
int content_put(const Content *content, Slice bytes, char ret[static DIGEST_TEXT_MAX], Error *error);

/* All that can be read from a file, at most `limit` bytes. */
int content_put_file(const Content *content, int from, uint64_t limit, char ret[static DIGEST_TEXT_MAX],
                     uint64_t *ret_size, Error *error);
