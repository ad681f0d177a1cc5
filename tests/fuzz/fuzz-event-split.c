/* A stream of events, cut at places that the first byte decides: what is found does not depend on the cuts. */
#include <stdlib.h>

#include "storeclient/event-split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is found, each object with its end marked. */
static int split(Slice bytes, size_t step, Buffer *found) {
        EventSplitter splitter = {0};
        int r = 0;

        while (r >= 0 && bytes.length > 0) {
                Slice piece = {bytes.data, bytes.length < step ? bytes.length : step}, text;

                bytes.data += piece.length;
                bytes.length -= piece.length;
                while ((r = event_splitter_next(&splitter, &piece, &text)) > 0)
                        if (buffer_append(found, text.data, text.length) < 0 || buffer_append_byte(found, '\n') < 0)
                                abort();
        }
        event_splitter_deinit(&splitter);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_buffer_ Buffer whole = BUFFER_INIT, cut = BUFFER_INIT;
        Slice bytes;
        int r;

        if (size == 0)
                return 0;
        bytes = (Slice){(const char *)data + 1, size - 1};
        r = split(bytes, bytes.length + 1, &whole);
        if (split(bytes, data[0] % 16 + 1, &cut) != r || buffer_length(&whole) != buffer_length(&cut) ||
            (buffer_length(&whole) > 0 && memcmp(buffer_data(&whole), buffer_data(&cut), buffer_length(&whole)) != 0))
                abort();
        return 0;
}
