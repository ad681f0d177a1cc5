#pragma once
/* The texts of transcripts: entries, messages, readies, configurations. Everything is appended to a buffer. */
#include "base/buffer.h"
#include "raft/raft.h"

void print_go_string(Buffer *out, Slice text);
void print_ids(Buffer *out, const RaftIds *ids); /* separated by blanks */
void print_entry(Buffer *out, const RaftEntry *entry);
void print_entries(Buffer *out, const RaftEntries *entries); /* one per line */

/* Each of its lines begins with `indent` blanks but the first; no line end after the last. */
void print_message(Buffer *out, const RaftMessage *message, size_t indent);
void print_ready(Buffer *out, const RaftReady *ready);
void print_peer(Buffer *out, const RaftPeerStatus *peer);

const char *message_type_name(RaftMessageType type);
bool message_type_from_name(Slice name, RaftMessageType *ret_type);
const char *state_name(RaftState state);
