#pragma once
/*
 * Frames on a stream between two members: u32 length, u32 CRC-32C, bytes (docs/formats/peer-frames.md). One direction
 * each: the member that dials sends, the other only reads.
 */
#include "net/stream.h"
#include "raft/types.h"

enum { PEER_FRAME_PREFIX = 8 };

/* Bytes of one frame. */
#define PEER_FRAME_MAX ((size_t)256 << 20)

/* Cuts frames out of the bytes that come in. Memory grows with what has come, not with what a prefix announces. */
typedef struct FrameReader {
        Buffer gathered; /* the prefix, then the frame, as far as they are here; unused when a frame comes in one piece */
        size_t length;   /* of the frame; 0: its prefix is not whole yet */
        uint32_t crc;
} FrameReader;

void frame_reader_deinit(FrameReader *reader);

/* Takes bytes off the front of *bytes until a frame is complete: 1 with it (the caller's reference), 0 when all bytes are
 * used up. -EBADMSG: checksum or length wrong; the stream is of no more use. -ENOMEM. */
int frame_reader_next(FrameReader *reader, Slice *bytes, RaftPayload **ret_frame);

/* Queues one frame on the stream. What stream_write() gives. */
int frame_write(Stream *stream, Slice frame);
