#include "containers/shim/protocol.h"

#include <errno.h>

int shim_exit_parse(Slice text, ShimExit *ret) {
        uint64_t numbers[3];
        Slice part;

        text = slice_trim(text);
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                if (!slice_split(&text, ' ', &part) || str_parse_u64(part, INT64_MAX, &numbers[i]) < 0)
                        return -EBADMSG;
        if (text.data || numbers[0] > 255 || numbers[1] > 1)
                return -EBADMSG;
        *ret = (ShimExit){.status = (int)numbers[0], .oom = numbers[1] == 1, .at = (int64_t)numbers[2]};
        return 0;
}

int shim_exit_format(const ShimExit *exit, Buffer *buffer) {
        return buffer_printf(buffer, "%d %d %lld\n", exit->status, exit->oom, (long long)exit->at);
}

void shim_frame_header(uint8_t header[static SHIM_FRAME_HEADER], uint8_t type, uint32_t length) {
        const uint8_t bytes[SHIM_FRAME_HEADER] = {
                type,           0, 0, 0, (uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8),
                (uint8_t)length};

        memcpy(header, bytes, sizeof(bytes));
}

int shim_frame_next(const Buffer *input, uint8_t *ret_type, Slice *ret_payload) {
        const uint8_t *bytes = (const uint8_t *)buffer_data(input);
        uint32_t length;

        if (buffer_length(input) < SHIM_FRAME_HEADER)
                return 0;
        length = shim_u32(bytes + 4);
        if (bytes[1] || bytes[2] || bytes[3] || length > SHIM_PAYLOAD_MAX)
                return -EBADMSG;
        if (buffer_length(input) < SHIM_FRAME_HEADER + length)
                return 0;
        *ret_type = bytes[0];
        *ret_payload = (Slice){(const char *)bytes + SHIM_FRAME_HEADER, length};
        return 1;
}

void shim_frame_done(Buffer *input, Slice payload) {
        buffer_consume(input, SHIM_FRAME_HEADER + payload.length);
}
