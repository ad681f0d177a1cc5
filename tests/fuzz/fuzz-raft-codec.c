/* Any bytes as a message, an entry, a configuration, a change. What decodes must encode to the same bytes. */
#include <assert.h>
#include <stdint.h>

#include "raft/codec.h"
#include "raft/confchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_message(RaftPayload *frame) {
        _cleanup_raft_message_ RaftMessage message = {0};
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;

        if (raft_message_decode(frame, 0, frame->length, &message) < 0)
                return;
        assert(raft_message_encode(&message, &buffer) == 0);
        assert(buffer_length(&buffer) == frame->length);
        assert(memcmp(buffer_data(&buffer), frame->data, frame->length) == 0);
}

static void try_parts(RaftPayload *frame) {
        Slice bytes = {frame->data, frame->length};
        RaftConfState conf_state;
        RaftConfChange change;
        RaftHardState state;
        RaftEntry entry;

        (void)raft_hard_state_decode(&bytes, &state);
        bytes = (Slice){frame->data, frame->length};
        (void)raft_conf_state_decode(&bytes, &conf_state);
        bytes = (Slice){frame->data, frame->length};
        if (raft_entry_decode(&bytes, frame, &entry) >= 0) {
                (void)raft_conf_change_decode(&entry, &change);
                raft_entry_deinit(&entry);
        }
        entry = (RaftEntry){.data = frame->data, .length = (uint32_t)frame->length};
        for (entry.type = RAFT_ENTRY_CONF_CHANGE; entry.type <= RAFT_ENTRY_CONF_CHANGE_V2; entry.type++)
                if (raft_conf_change_decode(&entry, &change) >= 0 && change.context.length <= RAFT_CONF_CONTEXT_MAX) {
                        _cleanup_raft_payload_ RaftPayload *payload = NULL;

                        assert(raft_conf_change_encode(&change, entry.type == RAFT_ENTRY_CONF_CHANGE, &payload) == 0);
                }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_raft_payload_ RaftPayload *frame = NULL;

        if (size > UINT32_MAX || raft_payload_new(data, size, &frame) < 0)
                return 0;
        try_message(frame);
        try_parts(frame);
        return 0;
}
