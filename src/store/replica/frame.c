#include "store/replica/frame.h"

#include <errno.h>

#include "base/wire.h"
#include "raft/codec.h"

int frame_encode_raft(const RaftMessage *message, Buffer *buffer) {
        wire_put_u8(buffer, FRAME_RAFT);
        return raft_message_encode(message, buffer);
}

static int encode_piece(FrameKind kind, const SnapshotPiece *piece, uint8_t last, Buffer *buffer) {
        wire_put_u8(buffer, (uint8_t)kind);
        wire_put_varint(buffer, piece->index);
        wire_put_varint(buffer, piece->term);
        wire_put_varint(buffer, piece->offset);
        wire_put_u8(buffer, last);
        wire_put_bytes(buffer, piece->bytes);
        return buffer_failed(buffer);
}

int frame_encode_piece(const SnapshotPiece *piece, Buffer *buffer) {
        return encode_piece(FRAME_SNAPSHOT_PIECE, piece, piece->last, buffer);
}

int frame_encode_answer(const SnapshotPiece *piece, Buffer *buffer) {
        return encode_piece(FRAME_SNAPSHOT_ANSWER, piece, (uint8_t)piece->answer, buffer);
}

static int decode_piece(WireReader *reader, Frame *frame) {
        SnapshotPiece *piece = &frame->piece;
        uint8_t last;

        piece->index = wire_get_varint(reader);
        piece->term = wire_get_varint(reader);
        piece->offset = wire_get_varint(reader);
        last = wire_get_u8(reader);
        piece->bytes = wire_get_bytes(reader, SIZE_MAX);
        if (!wire_at_end(reader) || piece->index == 0 || piece->index > RAFT_INDEX_MAX || piece->term > RAFT_INDEX_MAX ||
            piece->offset > RAFT_INDEX_MAX || last > (frame->kind == FRAME_SNAPSHOT_PIECE ? 1 : SNAPSHOT_ANSWER_FAILED))
                return -EBADMSG;
        if (frame->kind == FRAME_SNAPSHOT_PIECE)
                piece->last = last;
        else
                piece->answer = (SnapshotAnswer)last;
        return 0;
}

int frame_decode(RaftPayload *payload, Frame *ret_frame) {
        WireReader reader = wire_reader((Slice){payload->data, payload->length});
        Frame frame = {.kind = (FrameKind)wire_get_u8(&reader)};
        int r;

        if (wire_failed(&reader))
                return -EBADMSG;
        if (frame.kind == FRAME_RAFT)
                r = raft_message_decode(payload, 1, payload->length - 1, &frame.message);
        else if (frame.kind == FRAME_SNAPSHOT_PIECE || frame.kind == FRAME_SNAPSHOT_ANSWER)
                r = decode_piece(&reader, &frame);
        else
                r = -EBADMSG;
        if (r < 0)
                return r;
        *ret_frame = frame;
        return 0;
}

void frame_deinit(Frame *frame) {
        if (frame->kind == FRAME_RAFT)
                raft_message_deinit(&frame->message);
}
