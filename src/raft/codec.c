#include "raft/codec.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum {
        MESSAGE_VERSION = 1,
        MESSAGE_HEADER_BYTES = 72,
        MESSAGE_REJECT = 1 << 0,
        MESSAGE_TRANSFER = 1 << 1,
        MESSAGE_SNAPSHOT = 1 << 2,
        MESSAGE_FLAGS = MESSAGE_REJECT | MESSAGE_TRANSFER | MESSAGE_SNAPSHOT,

        ENTRY_PAYLOAD = 1 << 0,

        CONF_STATE_HEADER_BYTES = 8,
        CONF_STATE_AUTO_LEAVE = 1 << 0,

        SNAPSHOT_HEADER_BYTES = 24,
        SNAPSHOT_PAYLOAD = 1 << 0,
};

/* ---- writing: the room is reserved before ---- */

static char *put_u8(char *to, uint8_t value) {
        *to = (char)value;
        return to + 1;
}

static char *put_u32(char *to, uint32_t value) {
        value = htole32(value);
        memcpy(to, &value, sizeof(value));
        return to + sizeof(value);
}

static char *put_u64(char *to, uint64_t value) {
        value = htole64(value);
        memcpy(to, &value, sizeof(value));
        return to + sizeof(value);
}

static int reserve(Buffer *buffer, size_t length, char **ret_to) {
        *ret_to = buffer_reserve(buffer, length);
        return *ret_to ? 0 : buffer_failed(buffer);
}

int raft_hard_state_encode(const RaftHardState *state, Buffer *buffer) {
        char *to;
        int r;

        r = reserve(buffer, RAFT_HARD_STATE_BYTES, &to);
        if (r < 0)
                return r;
        to = put_u64(to, state->term);
        to = put_u64(to, state->vote);
        (void)put_u64(to, state->commit);
        buffer_commit(buffer, RAFT_HARD_STATE_BYTES);
        return 0;
}

int raft_entry_encode(const RaftEntry *entry, Buffer *buffer) {
        char *to;
        int r;

        r = reserve(buffer, (size_t)RAFT_ENTRY_HEADER_BYTES + entry->length, &to);
        if (r < 0)
                return r;
        to = put_u64(to, entry->term);
        to = put_u64(to, entry->index);
        to = put_u32(to, entry->length);
        to = put_u8(to, entry->type);
        to = put_u8(to, entry->payload ? ENTRY_PAYLOAD : 0);
        to = put_u8(to, 0);
        to = put_u8(to, 0);
        if (entry->length > 0)
                memcpy(to, entry->data, entry->length);
        buffer_commit(buffer, (size_t)RAFT_ENTRY_HEADER_BYTES + entry->length);
        return 0;
}

int raft_conf_state_encode(const RaftConfState *state, Buffer *buffer) {
        const RaftIds *sets[] = {&state->voters, &state->voters_outgoing, &state->learners, &state->learners_next};
        size_t length = CONF_STATE_HEADER_BYTES;
        char *to;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                length += sets[i]->length * sizeof(uint64_t);
        r = reserve(buffer, length, &to);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                to = put_u8(to, (uint8_t)sets[i]->length);
        to = put_u8(to, state->auto_leave ? CONF_STATE_AUTO_LEAVE : 0);
        for (size_t i = 0; i < 3; i++)
                to = put_u8(to, 0);
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                for (size_t j = 0; j < sets[i]->length; j++)
                        to = put_u64(to, sets[i]->items[j]);
        buffer_commit(buffer, length);
        return 0;
}

static int snapshot_encode(const RaftSnapshot *snapshot, Buffer *buffer) {
        size_t length = snapshot->payload ? snapshot->payload->length : 0;
        char *to;
        int r;

        if (length > RAFT_SNAPSHOT_PAYLOAD_MAX)
                return -EMSGSIZE;
        r = reserve(buffer, SNAPSHOT_HEADER_BYTES, &to);
        if (r < 0)
                return r;
        to = put_u64(to, snapshot->index);
        to = put_u64(to, snapshot->term);
        to = put_u32(to, (uint32_t)length);
        (void)put_u32(to, snapshot->payload ? SNAPSHOT_PAYLOAD : 0);
        buffer_commit(buffer, SNAPSHOT_HEADER_BYTES);
        r = raft_conf_state_encode(&snapshot->conf_state, buffer);
        if (r < 0 || length == 0)
                return r;
        return buffer_append(buffer, snapshot->payload->data, length);
}

/* Kinds that travel between members. */
static bool travels(unsigned type) {
        return type >= RAFT_MESSAGE_PROPOSE && type <= RAFT_MESSAGE_READ_INDEX_RESPONSE;
}

int raft_message_encode(const RaftMessage *message, Buffer *buffer) {
        unsigned flags = (message->reject ? MESSAGE_REJECT : 0u) | (message->transfer ? MESSAGE_TRANSFER : 0u) |
                         (message->snapshot ? MESSAGE_SNAPSHOT : 0u);
        char *to;
        int r;

        if (!travels(message->type))
                return -EINVAL;
        if (message->entries.length > UINT32_MAX)
                return -EMSGSIZE;
        r = reserve(buffer, MESSAGE_HEADER_BYTES, &to);
        if (r < 0)
                return r;
        to = put_u8(to, MESSAGE_VERSION);
        to = put_u8(to, (uint8_t)message->type);
        to = put_u8(to, (uint8_t)flags);
        to = put_u8(to, 0);
        to = put_u32(to, (uint32_t)message->entries.length);
        to = put_u64(to, message->from);
        to = put_u64(to, message->to);
        to = put_u64(to, message->term);
        to = put_u64(to, message->log_term);
        to = put_u64(to, message->index);
        to = put_u64(to, message->commit);
        to = put_u64(to, message->reject_hint);
        (void)put_u64(to, message->context);
        buffer_commit(buffer, MESSAGE_HEADER_BYTES);
        if (message->snapshot) {
                r = snapshot_encode(message->snapshot, buffer);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < message->entries.length; i++) {
                r = raft_entry_encode(&message->entries.items[i], buffer);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- reading: the caller has checked that the bytes are there ---- */

static uint8_t take_u8(Slice *bytes) {
        uint8_t value = (uint8_t)bytes->data[0];

        *bytes = (Slice){bytes->data + 1, bytes->length - 1};
        return value;
}

static uint32_t take_u32(Slice *bytes) {
        uint32_t value;

        memcpy(&value, bytes->data, sizeof(value));
        *bytes = (Slice){bytes->data + sizeof(value), bytes->length - sizeof(value)};
        return le32toh(value);
}

static uint64_t take_u64(Slice *bytes) {
        uint64_t value;

        memcpy(&value, bytes->data, sizeof(value));
        *bytes = (Slice){bytes->data + sizeof(value), bytes->length - sizeof(value)};
        return le64toh(value);
}

int raft_hard_state_decode(Slice *bytes, RaftHardState *ret_state) {
        RaftHardState state;
        Slice rest = *bytes;

        if (rest.length < RAFT_HARD_STATE_BYTES)
                return -EBADMSG;
        state.term = take_u64(&rest);
        state.vote = take_u64(&rest);
        state.commit = take_u64(&rest);
        if (state.term > RAFT_INDEX_MAX || state.commit > RAFT_INDEX_MAX)
                return -EBADMSG;
        *ret_state = state;
        *bytes = rest;
        return 0;
}

int raft_entry_decode(Slice *bytes, RaftPayload *frame, RaftEntry *ret_entry) {
        Slice rest = *bytes;
        RaftEntry entry = {0};
        uint8_t flags;

        if (rest.length < RAFT_ENTRY_HEADER_BYTES)
                return -EBADMSG;
        entry.term = take_u64(&rest);
        entry.index = take_u64(&rest);
        entry.length = take_u32(&rest);
        entry.type = take_u8(&rest);
        flags = take_u8(&rest);
        if (take_u8(&rest) != 0 || take_u8(&rest) != 0 || (flags & ~ENTRY_PAYLOAD) != 0 ||
            (entry.length > 0 && flags == 0) || entry.type > RAFT_ENTRY_CONF_CHANGE_V2 ||
            entry.term > RAFT_INDEX_MAX || entry.index > RAFT_INDEX_MAX || entry.length > RAFT_ENTRY_DATA_MAX ||
            entry.length > rest.length)
                return -EBADMSG;
        if (flags & ENTRY_PAYLOAD) {
                entry.payload = raft_payload_ref(frame);
                entry.data = rest.data;
        }
        *ret_entry = entry;
        *bytes = (Slice){rest.data + entry.length, rest.length - entry.length};
        return 0;
}

static int take_ids(Slice *rest, size_t count, RaftIds *ids) {
        for (size_t i = 0; i < count; i++) {
                uint64_t id = take_u64(rest);

                if (i > 0 && id <= ids->items[i - 1])
                        return -EBADMSG;
                ids->items[i] = id;
        }
        ids->length = count;
        return 0;
}

int raft_conf_state_decode(Slice *bytes, RaftConfState *ret_state) {
        RaftConfState state = {0};
        RaftIds *sets[] = {&state.voters, &state.voters_outgoing, &state.learners, &state.learners_next};
        size_t counts[ARRAY_SIZE(sets)], total = 0;
        Slice rest = *bytes;
        uint8_t flags;
        int r;

        if (rest.length < CONF_STATE_HEADER_BYTES)
                return -EBADMSG;
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
                counts[i] = take_u8(&rest);
                total += counts[i];
                if (counts[i] > RAFT_MEMBERS_MAX)
                        return -EBADMSG;
        }
        flags = take_u8(&rest);
        if ((flags & ~CONF_STATE_AUTO_LEAVE) != 0 || take_u8(&rest) != 0 || take_u8(&rest) != 0 ||
            take_u8(&rest) != 0 || total * sizeof(uint64_t) > rest.length)
                return -EBADMSG;
        state.auto_leave = flags & CONF_STATE_AUTO_LEAVE;
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
                r = take_ids(&rest, counts[i], sets[i]);
                if (r < 0)
                        return r;
        }
        if (raft_conf_state_validate(&state) < 0)
                return -EBADMSG;
        *ret_state = state;
        *bytes = rest;
        return 0;
}

static int snapshot_decode(Slice *bytes, RaftSnapshot **ret_snapshot) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        RaftConfState conf_state;
        Slice rest = *bytes;
        uint64_t index, term;
        uint32_t length, flags;
        int r;

        if (rest.length < SNAPSHOT_HEADER_BYTES)
                return -EBADMSG;
        index = take_u64(&rest);
        term = take_u64(&rest);
        length = take_u32(&rest);
        flags = take_u32(&rest);
        if ((flags & ~(uint32_t)SNAPSHOT_PAYLOAD) != 0 || (length > 0 && flags == 0))
                return -EBADMSG;
        r = raft_conf_state_decode(&rest, &conf_state);
        if (r < 0)
                return r;
        if (length > rest.length)
                return -EBADMSG;
        if (length > RAFT_SNAPSHOT_PAYLOAD_MAX)
                return -E2BIG;
        if (flags & SNAPSHOT_PAYLOAD) {
                r = raft_payload_new(rest.data, length, &payload);
                if (r < 0)
                        return r;
        }
        *bytes = (Slice){rest.data + length, rest.length - length};
        return raft_snapshot_new(index, term, &conf_state, payload, ret_snapshot);
}

static int header_decode(Slice *rest, RaftMessage *message, unsigned *ret_flags, uint32_t *ret_count) {
        unsigned type;

        if (rest->length < MESSAGE_HEADER_BYTES || take_u8(rest) != MESSAGE_VERSION)
                return -EBADMSG;
        type = take_u8(rest);
        *ret_flags = take_u8(rest);
        if (!travels(type) || (*ret_flags & ~(unsigned)MESSAGE_FLAGS) != 0 || take_u8(rest) != 0)
                return -EBADMSG;
        *ret_count = take_u32(rest);
        message->type = (RaftMessageType)type;
        message->reject = *ret_flags & MESSAGE_REJECT;
        message->transfer = *ret_flags & MESSAGE_TRANSFER;
        message->from = take_u64(rest);
        message->to = take_u64(rest);
        message->term = take_u64(rest);
        message->log_term = take_u64(rest);
        message->index = take_u64(rest);
        message->commit = take_u64(rest);
        message->reject_hint = take_u64(rest);
        message->context = take_u64(rest);
        return 0;
}

/* What a kind may carry. Term 0 in particular means "local" to the core, and skips the rules of terms. */
static bool kind_agrees(const RaftMessage *message, unsigned flags, uint32_t count) {
        bool of_no_term = message->type == RAFT_MESSAGE_PROPOSE || message->type == RAFT_MESSAGE_READ_INDEX;
        bool has_entries = message->type == RAFT_MESSAGE_PROPOSE || message->type == RAFT_MESSAGE_APPEND;

        return message->from != RAFT_ID_NONE && !raft_id_is_local(message->from) && message->to != RAFT_ID_NONE &&
               !raft_id_is_local(message->to) && (message->term == 0) == of_no_term && (count == 0 || has_entries) &&
               ((flags & MESSAGE_SNAPSHOT) != 0) == (message->type == RAFT_MESSAGE_SNAPSHOT);
}

static int entries_decode(Slice *rest, RaftPayload *frame, uint32_t count, RaftEntries *entries) {
        int r;

        if (count > rest->length / RAFT_ENTRY_HEADER_BYTES)
                return -EBADMSG;
        r = raft_entries_reserve(entries, count);
        for (uint32_t i = 0; i < count && r >= 0; i++) {
                RaftEntry entry;

                r = raft_entry_decode(rest, frame, &entry);
                if (r < 0)
                        return r;
                r = raft_entries_append(entries, &entry);
                raft_entry_deinit(&entry);
        }
        return r;
}

int raft_message_decode(RaftPayload *frame, size_t offset, size_t length, RaftMessage *ret_message) {
        _cleanup_raft_message_ RaftMessage message = {0};
        unsigned flags;
        uint32_t count;
        Slice rest;
        int r;

        if (length > RAFT_MESSAGE_BYTES_MAX)
                return -E2BIG;
        if (offset > frame->length || length > frame->length - offset)
                return -EBADMSG;
        rest = (Slice){frame->data + offset, length};
        r = header_decode(&rest, &message, &flags, &count);
        if (r < 0)
                return r;
        if (!kind_agrees(&message, flags, count))
                return -EBADMSG;
        if (flags & MESSAGE_SNAPSHOT) {
                r = snapshot_decode(&rest, &message.snapshot);
                if (r < 0)
                        return r;
        }
        r = entries_decode(&rest, frame, count, &message.entries);
        if (r < 0)
                return r;
        if (rest.length > 0)
                return -EBADMSG;
        r = raft_message_validate(&message);
        if (r < 0)
                return r;
        *ret_message = message;
        message = (RaftMessage){0};
        return 0;
}
