#include "boot/config/content.h"

#include <errno.h>

#include "base/encode.h"
#include "boot/config/user-data.h"

static bool is_base64(Slice name) {
        return slice_equals(name, slice_from("b64")) || slice_equals(name, slice_from("base64"));
}

static bool is_gzip(Slice name) {
        return slice_equals(name, slice_from("gz")) || slice_equals(name, slice_from("gzip"));
}

/* False: not an encoding that anyone knows. */
static bool split_encoding(Slice encoding, bool *ret_gzip, bool *ret_base64) {
        const char *plus = encoding.length ? memchr(encoding.data, '+', encoding.length) : NULL;
        Slice first = encoding, second = {"", 0};

        if (plus) {
                first.length = (size_t)(plus - encoding.data);
                second = (Slice){plus + 1, encoding.length - first.length - 1};
        }
        *ret_gzip = is_gzip(first);
        *ret_base64 = is_base64(plus ? second : first);
        return encoding.length == 0 || (plus ? *ret_gzip && *ret_base64 : *ret_gzip || *ret_base64);
}

int content_decode(Slice content, Slice encoding, Buffer *to, Error *error) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        bool gzip, base64;

        if (!split_encoding(encoding, &gzip, &base64))
                return error_set(error, -EINVAL, "encoding \"%.*s\" is unknown: b64, gzip and gzip+b64 are known",
                                 (int)min_of(encoding.length, (size_t)64), encoding.data);
        if (base64) {
                if (decode_base64(&bytes, BASE64_STANDARD, content) < 0)
                        return error_set(error, -EINVAL, "the content is not base64");
                content = (Slice){buffer_length(&bytes) ? buffer_data(&bytes) : "", buffer_length(&bytes)};
        }
        if (gzip)
                return gzip_decode(content, CONTENT_MAX, to, error);
        return buffer_append(to, content.data, content.length);
}

char *path_clean(Slice path) {
        _cleanup_buffer_ Buffer clean = BUFFER_INIT;
        Slice part;

        while (path.data && slice_split(&path, '/', &part)) {
                if (part.length == 0 || slice_equals(part, slice_from(".")))
                        continue;
                if (slice_equals(part, slice_from(".."))) {
                        const char *slash =
                                buffer_length(&clean) ? memrchr(buffer_data(&clean), '/', buffer_length(&clean)) : NULL;

                        buffer_truncate(&clean, slash ? (size_t)(slash - buffer_data(&clean)) : 0);
                        continue;
                }
                (void)buffer_append_byte(&clean, '/');
                (void)buffer_append(&clean, part.data, part.length);
        }
        if (buffer_length(&clean) == 0)
                (void)buffer_append_byte(&clean, '/');
        return buffer_steal_string(&clean, NULL);
}

int permissions_parse(Slice text, mode_t *ret) {
        mode_t mode = 0;

        if (text.length == 0) {
                *ret = 0644;
                return 0;
        }
        if (text.length > 8)
                return -EINVAL;
        for (size_t i = 0; i < text.length; i++) {
                if (text.data[i] < '0' || text.data[i] > '7')
                        return -EINVAL;
                mode = mode * 8 + (mode_t)(text.data[i] - '0');
        }
        if (mode > 07777)
                return -EINVAL;
        *ret = mode;
        return 0;
}
