#include "store/peer/peer-stream.h"

#include <errno.h>

#include "base/crc32c.h"
#include "base/wire.h"

/* A larger buffer is not kept for the next frame. */
enum { GATHERED_KEEP_MAX = 64 * 1024 };

void frame_reader_deinit(FrameReader *reader) {
        buffer_deinit(&reader->gathered);
        *reader = (FrameReader){0};
}

/* Moves bytes to `gathered` until it has `wanted`. 1: it has. */
static int reader_gather(FrameReader *reader, Slice *bytes, size_t wanted) {
        size_t n = min_of(bytes->length, wanted - buffer_length(&reader->gathered));
        int r = buffer_append(&reader->gathered, bytes->data, n);

        if (r < 0)
                return r;
        bytes->data += n;
        bytes->length -= n;
        return buffer_length(&reader->gathered) == wanted;
}

static int reader_begin_frame(FrameReader *reader) {
        WireReader prefix = wire_reader((Slice){buffer_data(&reader->gathered), buffer_length(&reader->gathered)});
        uint32_t length = wire_get_u32(&prefix);

        reader->crc = wire_get_u32(&prefix);
        buffer_clear(&reader->gathered);
        if (length == 0 || length > PEER_FRAME_MAX)
                return -EBADMSG;
        reader->length = length;
        return 0;
}

static int reader_end_frame(FrameReader *reader, const char *data, RaftPayload **ret_frame) {
        int r = crc32c(0, data, reader->length) == reader->crc ? raft_payload_new(data, reader->length, ret_frame) : -EBADMSG;

        reader->length = 0;
        return r < 0 ? r : 1;
}

int frame_reader_next(FrameReader *reader, Slice *bytes, RaftPayload **ret_frame) {
        int r;

        if (reader->length == 0) {
                r = reader_gather(reader, bytes, PEER_FRAME_PREFIX);
                if (r == 1)
                        r = reader_begin_frame(reader);
                if (r < 0 || reader->length == 0)
                        return r;
        }
        if (buffer_length(&reader->gathered) == 0 && bytes->length >= reader->length) {
                const char *data = bytes->data;

                bytes->data += reader->length;
                bytes->length -= reader->length;
                return reader_end_frame(reader, data, ret_frame);
        }
        r = reader_gather(reader, bytes, reader->length);
        if (r <= 0)
                return r;
        r = reader_end_frame(reader, buffer_data(&reader->gathered), ret_frame);
        buffer_clear(&reader->gathered);
        if (reader->gathered.capacity > GATHERED_KEEP_MAX)
                buffer_deinit(&reader->gathered);
        return r;
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
