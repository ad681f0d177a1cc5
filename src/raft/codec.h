#pragma once
/*
 * Bytes of entries, hard states and messages, for peers and for the log on disk: docs/formats/raft-messages.md. Numbers
 * are little-endian. Decoding trusts nothing: every length is checked against what is there, and no memory is taken
 * beyond what the bytes themselves justify.
 */
#include "base/buffer.h"
#include "base/str.h"
#include "raft/types.h"

/* Bytes of one message with all its entries. */
#define RAFT_MESSAGE_BYTES_MAX ((size_t)256 << 20)

/* Bytes of the payload of a snapshot within a message: what the receiver needs to fetch it, not the state itself. */
#define RAFT_SNAPSHOT_PAYLOAD_MAX ((uint32_t)1 << 20)

#define RAFT_HARD_STATE_BYTES 24
#define RAFT_ENTRY_HEADER_BYTES 24

/* Appends to the buffer. -EMSGSIZE, -ENOMEM; the buffer may then hold a part. */
int raft_hard_state_encode(const RaftHardState *state, Buffer *buffer);
int raft_entry_encode(const RaftEntry *entry, Buffer *buffer);
int raft_conf_state_encode(const RaftConfState *state, Buffer *buffer);

/* Takes one off the front of *bytes. -EBADMSG: no such thing there; *bytes then stays. The entry shares `frame`, in
 * which *bytes must lie. */
int raft_hard_state_decode(Slice *bytes, RaftHardState *ret_state);
int raft_entry_decode(Slice *bytes, RaftPayload *frame, RaftEntry *ret_entry);
int raft_conf_state_decode(Slice *bytes, RaftConfState *ret_state);

/* A message to another member. -EINVAL: one of those that stay within a member. */
int raft_message_encode(const RaftMessage *message, Buffer *buffer);

/* One whole message of `length` bytes at `offset` of `frame`, whose bytes its entries share from then on. -EBADMSG: the
 * bytes are no message, something is left over, raft_message_validate() refuses it, or it is of a kind that never
 * travels or of no term though its kind has one; -E2BIG: beyond a limit; -ENOMEM. */
int raft_message_decode(RaftPayload *frame, size_t offset, size_t length, RaftMessage *ret_message);
