/* Decoders of contents and of user-data; the first byte says which. What is too long is refused, and never grows beyond its limit. */
#include <assert.h>

#include "boot/config/content.h"
#include "boot/config/multipart.h"
#include "boot/config/plan.h"
#include "boot/config/user-data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_content(Slice text, const char *encoding) {
        _cleanup_buffer_ Buffer content = BUFFER_INIT;
        Error error = ERROR_NONE;
        int r = content_decode(text, slice_from(encoding), &content, &error);

        assert(r >= 0 || error.text[0]);
        assert(buffer_length(&content) <= max_of(CONTENT_MAX, text.length));
}

static void check_gzip(Slice text) {
        _cleanup_buffer_ Buffer content = BUFFER_INIT;
        Error error = ERROR_NONE;
        int r = gzip_decode(text, 4096, &content, &error);

        assert(r >= 0 || error.text[0]);
        assert(buffer_length(&content) <= 4096);
}

static void check_multipart(Slice text) {
        _cleanup_multipart_ Multipart multipart = {0};
        Error error = ERROR_NONE;
        size_t length = 0;

        if (!multipart_is(text))
                return;
        assert(multipart_split(text, &multipart, &error) >= 0 || error.text[0]);
        assert(multipart.length <= MULTIPART_PARTS_MAX);
        for (size_t i = 0; i < multipart.length; i++)
                length += buffer_length(&multipart.parts[i].text);
        assert(length <= text.length);
}

static void check_keys(Slice text) {
        char *lines = NULL;
        Error error = ERROR_NONE;

        if (keys_parse_list(text, &lines, &error) >= 0)
                assert(lines);
        else
                assert(error.text[0]);
        free(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        static const char *const encodings[] = {"", "b64", "gzip", "gz+base64"};
        Slice text;

        if (length == 0)
                return 0;
        text = (Slice){(const char *)bytes + 1, length - 1};
        switch (bytes[0] % 7) {
        case 4:
                check_gzip(text);
                break;
        case 5:
                check_multipart(text);
                break;
        case 6:
                check_keys(text);
                break;
        default:
                check_content(text, encodings[bytes[0] % 7]);
        }
        return 0;
}
