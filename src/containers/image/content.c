#include "containers/image/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"

enum { COPY_SIZE = 65536 };

#define WRITER_NONE ((ContentWriter){.fd = -1})

int content_open(Content *content, const char *directory, Error *error) {
        _cleanup_free_ char *sums = str_printf("%s/sha256", directory), *temporary = str_printf("%s/tmp", directory);
        int r;

        content->directory = strdup(directory);
        if (!content->directory || !sums || !temporary)
                return error_set_errno(error, -ENOMEM, "cannot open %s", directory);
        r = file_remove_tree(temporary, error);
        if (r >= 0)
                r = file_make_folder(sums, 0700, error);
        if (r >= 0)
                r = file_make_folder(temporary, 0700, error);
        return r;
}

void content_deinit(Content *content) {
        free(content->directory);
        content->directory = NULL;
}

char *content_path(const Content *content, const char *digest) {
        return str_printf("%s/sha256/%s", content->directory, digest_hex(digest));
}

bool content_has(const Content *content, const char *digest, uint64_t *ret_size) {
        _cleanup_free_ char *path = content_path(content, digest);
        struct stat status;

        if (!path || stat(path, &status) < 0)
                return false;
        if (ret_size)
                *ret_size = (uint64_t)status.st_size;
        return true;
}

int content_read(const Content *content, const char *digest, size_t max, Buffer *to, Error *error) {
        _cleanup_free_ char *path = content_path(content, digest);

        return path ? file_read(path, max, to, error) : error_set_errno(error, -ENOMEM, "cannot read %s", digest);
}

/* ---- writing ---- */

int content_write_begin(ContentWriter *writer, const Content *content, uint64_t limit, Error *error) {
        *writer = WRITER_NONE;
        writer->content = content;
        writer->limit = limit;
        writer->path = str_printf("%s/tmp/XXXXXX", content->directory);
        if (!writer->path || digester_init(&writer->digester) < 0)
                return error_set_errno(error, -ENOMEM, "cannot write to %s", content->directory);
        writer->fd = mkostemp(writer->path, O_CLOEXEC);
        if (writer->fd < 0) {
                int r = error_set_errno(error, -errno, "cannot make a file in %s/tmp", content->directory);

                free(take_ptr(writer->path));
                return r;
        }
        return 0;
}

int content_write(ContentWriter *writer, Slice bytes, Error *error) {
        if (bytes.length > writer->limit - writer->size)
                return error_set(error, -EMSGSIZE, "it is larger than the %llu bytes that are allowed",
                                 (unsigned long long)writer->limit);
        digester_add(&writer->digester, bytes.data, bytes.length);
        while (bytes.length > 0) {
                ssize_t n = write(writer->fd, bytes.data, bytes.length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set_errno(error, -errno, "cannot write to %s", writer->path);
                bytes = (Slice){bytes.data + n, bytes.length - (size_t)n};
                writer->size += (uint64_t)n;
        }
        return 0;
}

int content_write_end(ContentWriter *writer, const char *expected, char ret[static DIGEST_TEXT_MAX], Error *error) {
        _cleanup_free_ char *path = NULL;

        digester_end(&writer->digester, ret);
        if (expected && !str_equals(expected, ret))
                return error_set(error, -EBADMSG,
                                 "its digest is %s and not %s: it was damaged on the way, or is not what was asked for",
                                 ret, expected);
        path = content_path(writer->content, ret);
        if (!path)
                return error_set_errno(error, -ENOMEM, "cannot keep %s", ret);
        if (fsync(writer->fd) < 0 || rename(writer->path, path) < 0)
                return error_set_errno(error, -errno, "cannot keep %s", path);
        free(take_ptr(writer->path));
        return 0;
}

void content_write_deinit(ContentWriter *writer) {
        if (writer->fd >= 0)
                (void)close(writer->fd);
        if (writer->path)
                (void)unlink(writer->path);
        free(writer->path);
        digester_deinit(&writer->digester);
        *writer = WRITER_NONE;
}

int content_put(const Content *content, Slice bytes, char ret[static DIGEST_TEXT_MAX], Error *error) {
        _cleanup_content_writer_ ContentWriter writer = WRITER_NONE;
        int r;

        r = content_write_begin(&writer, content, bytes.length, error);
        if (r >= 0)
                r = content_write(&writer, bytes, error);
        if (r >= 0)
                r = content_write_end(&writer, NULL, ret, error);
        return r;
}

int content_put_file(const Content *content, int from, uint64_t limit, char ret[static DIGEST_TEXT_MAX],
                     uint64_t *ret_size, Error *error) {
        _cleanup_content_writer_ ContentWriter writer = WRITER_NONE;
        char block[COPY_SIZE];
        ssize_t n;
        int r;

        r = content_write_begin(&writer, content, limit, error);
        if (r < 0)
                return r;
        while ((n = read(from, block, sizeof(block))) > 0) {
                r = content_write(&writer, (Slice){block, (size_t)n}, error);
                if (r < 0)
                        return r;
        }
        if (n < 0)
                return error_set_errno(error, -errno, "cannot read the archive");
        *ret_size = writer.size;
        return content_write_end(&writer, NULL, ret, error);
}
