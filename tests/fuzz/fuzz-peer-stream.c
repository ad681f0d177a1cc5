/* The reader of frames takes any bytes in pieces of any size; what it gives out has the right checksum. */
#include "base/crc32c.h"
#include "store/peer/peer-stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FrameReader reader = {0};
        size_t step = size ? data[0] % 17 + 1 : 1;

        for (size_t at = 0; at < size; at += step) {
                Slice piece = {(const char *)data + at, min_of(step, size - at)};
                RaftPayload *frame;
                int r;

                while ((r = frame_reader_next(&reader, &piece, &frame)) > 0)
                        raft_payload_unref(frame);
                if (r < 0)
                        break;
        }
        frame_reader_deinit(&reader);
        return 0;
}
