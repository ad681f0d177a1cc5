/* Frames between members: any bytes decode to a frame or to an error, and a frame encodes to something that decodes. */
#include "store/replica/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL, *again = NULL;
        _cleanup_frame_ Frame frame = {0}, second = {0};
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        int r;

        if (raft_payload_new(data, size, &payload) < 0 || frame_decode(payload, &frame) < 0)
                return 0;
        if (frame.kind == FRAME_RAFT)
                r = frame_encode_raft(&frame.message, &bytes);
        else if (frame.kind == FRAME_SNAPSHOT_PIECE)
                r = frame_encode_piece(&frame.piece, &bytes);
        else
                r = frame_encode_answer(&frame.piece, &bytes);
        if (r < 0 || raft_payload_new(buffer_data(&bytes), buffer_length(&bytes), &again) < 0 || frame_decode(again, &second) < 0)
                abort();
        return 0;
}
