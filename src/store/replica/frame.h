#pragma once
/* What members send each other: raft's messages, and snapshots in pieces. docs/formats/peer-frames.md has the bytes. */
#include "base/buffer.h"
#include "raft/types.h"
#include "base/str.h"

typedef enum FrameKind {
        FRAME_RAFT = 1,
        FRAME_SNAPSHOT_PIECE = 2,
        FRAME_SNAPSHOT_ANSWER = 3,
} FrameKind;

typedef enum SnapshotAnswer {
        SNAPSHOT_ANSWER_MORE = 0,   /* `offset` is the next that is wanted */
        SNAPSHOT_ANSWER_DONE = 1,   /* whole, sound and safe */
        SNAPSHOT_ANSWER_FAILED = 2, /* give up */
} SnapshotAnswer;

/* Names the snapshot by index and term in both directions. */
typedef struct SnapshotPiece {
        uint64_t index, term;
        uint64_t offset;
        bool last;
        SnapshotAnswer answer; /* only of an answer */
        Slice bytes;           /* borrowed */
} SnapshotPiece;

typedef struct Frame {
        FrameKind kind;
        RaftMessage message; /* FRAME_RAFT */
        SnapshotPiece piece; /* others */
} Frame;

/* Append to the buffer. -ENOMEM. */
int frame_encode_raft(const RaftMessage *message, Buffer *buffer);
int frame_encode_piece(const SnapshotPiece *piece, Buffer *buffer);
int frame_encode_answer(const SnapshotPiece *piece, Buffer *buffer);

/* The frame takes up the payload, which its entries share. -EBADMSG, -E2BIG, -ENOMEM. */
int frame_decode(RaftPayload *payload, Frame *ret_frame);
void frame_deinit(Frame *frame);
#define _cleanup_frame_ _cleanup_(frame_deinit)
