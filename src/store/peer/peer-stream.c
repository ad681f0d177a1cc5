#include "store/peer/peer-stream.h"

#include <errno.h>

#include "base/crc32c.h"
#include "base/wire.h"

void frame_reader_deinit(FrameReader *reader) {
        buffer_deinit(&reader->head);
        raft_payload_unref(reader->payload);
        *reader = (FrameReader){0};
}

static size_t take(Slice *bytes, size_t wanted) {
        size_t n = min_of(bytes->length, wanted);

        bytes->data += n;
        bytes->length -= n;
        return n;
}

static int reader_begin_frame(FrameReader *reader) {
        WireReader prefix = wire_reader((Slice){buffer_data(&reader->head), buffer_length(&reader->head)});
        uint32_t length = wire_get_u32(&prefix);

        reader->crc = wire_get_u32(&prefix);
        buffer_clear(&reader->head);
        reader->filled = 0;
        if (length == 0 || length > PEER_FRAME_MAX)
                return -EBADMSG;
        return raft_payload_new(NULL, length, &reader->payload);
}

int frame_reader_next(FrameReader *reader, Slice *bytes, RaftPayload **ret_frame) {
        const char *from;
        size_t n;
        int r;

        if (!reader->payload) {
                from = bytes->data;
                n = take(bytes, PEER_FRAME_PREFIX - buffer_length(&reader->head));
                r = buffer_append(&reader->head, from, n);
                if (r < 0 || buffer_length(&reader->head) < PEER_FRAME_PREFIX)
                        return r;
                r = reader_begin_frame(reader);
                if (r < 0)
                        return r;
        }
        from = bytes->data;
        n = take(bytes, reader->payload->length - reader->filled);
        if (n)
                memcpy(reader->payload->data + reader->filled, from, n);
        reader->filled += n;
        if (reader->filled < reader->payload->length)
                return 0;
        if (crc32c(0, reader->payload->data, reader->payload->length) != reader->crc)
                return -EBADMSG;
        *ret_frame = take_ptr(reader->payload);
        return 1;
}

int frame_write(Stream *stream, Slice frame) {
        _cleanup_buffer_ Buffer prefix = BUFFER_INIT;
        int r;

        wire_put_u32(&prefix, (uint32_t)frame.length);
        wire_put_u32(&prefix, crc32c(0, frame.data, frame.length));
        r = buffer_failed(&prefix);
        if (r >= 0)
                r = stream_write(stream, buffer_data(&prefix), buffer_length(&prefix));
        return r < 0 ? r : stream_write(stream, frame.data, frame.length);
}
