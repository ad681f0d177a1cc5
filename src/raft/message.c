#include <assert.h>
#include <errno.h>
#include <string.h>

#include "raft/types.h"

enum { MESSAGES_CAPACITY_FIRST = 8 };

void raft_message_deinit(RaftMessage *message) {
        raft_entries_deinit(&message->entries);
        (void)raft_snapshot_unref(message->snapshot);
        raft_messages_deinit(&message->responses);
        *message = (RaftMessage){0};
}

/* Responses carry none of their own, so that this goes one level deep. */
int raft_message_copy(const RaftMessage *message, RaftMessage *ret_copy) {
        _cleanup_raft_message_ RaftMessage copy = *message;
        int r;

        copy.entries = (RaftEntries){0};
        copy.responses = (RaftMessages){0};
        copy.snapshot = raft_snapshot_ref(message->snapshot);
        r = raft_entries_append_all(&copy.entries, message->entries.items, message->entries.length);
        if (r < 0)
                return r;
        for (size_t i = 0; i < message->responses.length; i++) {
                RaftMessage response;

                r = raft_message_copy(&message->responses.items[i], &response);
                if (r < 0)
                        return r;
                r = raft_messages_take(&copy.responses, &response);
                if (r < 0)
                        return r;
        }
        *ret_copy = copy;
        copy = (RaftMessage){0};
        return 0;
}

void raft_messages_clear(RaftMessages *messages) {
        for (size_t i = 0; i < messages->length; i++)
                raft_message_deinit(&messages->items[i]);
        messages->length = 0;
}

void raft_messages_deinit(RaftMessages *messages) {
        raft_messages_clear(messages);
        free(messages->items);
        *messages = (RaftMessages){0};
}

int raft_messages_take(RaftMessages *messages, RaftMessage *message) {
        if (messages->length == messages->capacity) {
                size_t capacity = messages->capacity ? messages->capacity : MESSAGES_CAPACITY_FIRST / 2, size;
                RaftMessage *items = NULL;

                if (!size_mul_overflows(capacity, 2, &capacity) &&
                    !size_mul_overflows(capacity, sizeof(RaftMessage), &size))
                        items = realloc(messages->items, size);
                if (!items) {
                        raft_message_deinit(message);
                        return -ENOMEM;
                }
                messages->items = items;
                messages->capacity = capacity;
        }
        messages->items[messages->length++] = *message;
        *message = (RaftMessage){0};
        return 0;
}

bool raft_message_type_is_local(RaftMessageType type) {
        return type >= RAFT_MESSAGE_STORAGE_APPEND;
}

bool raft_message_type_is_response(RaftMessageType type) {
        switch (type) {
        case RAFT_MESSAGE_APPEND_RESPONSE:
        case RAFT_MESSAGE_VOTE_RESPONSE:
        case RAFT_MESSAGE_PRE_VOTE_RESPONSE:
        case RAFT_MESSAGE_HEARTBEAT_RESPONSE:
        case RAFT_MESSAGE_READ_INDEX_RESPONSE:
        case RAFT_MESSAGE_STORAGE_APPEND_RESPONSE:
        case RAFT_MESSAGE_STORAGE_APPLY_RESPONSE:
                return true;
        default:
                return false;
        }
}

/* The log matching property rests on this (the paper, section 3.5): entries of one append follow each other, and terms
 * never fall from one to the next nor pass the leader's. */
static int validate_append(const RaftMessage *message) {
        uint64_t term = message->log_term;

        for (size_t i = 0; i < message->entries.length; i++) {
                const RaftEntry *entry = &message->entries.items[i];

                if (entry->index != message->index + 1 + i || entry->term < term ||
                    (message->term > 0 && entry->term > message->term))
                        return -EBADMSG;
                term = entry->term;
        }
        return 0;
}

int raft_message_validate(const RaftMessage *message) {
        if (message->term > RAFT_INDEX_MAX || message->log_term > RAFT_INDEX_MAX || message->index > RAFT_INDEX_MAX ||
            message->commit > RAFT_INDEX_MAX || message->reject_hint > RAFT_INDEX_MAX ||
            message->entries.length > RAFT_INDEX_MAX - message->index)
                return -EBADMSG;
        for (size_t i = 0; i < message->entries.length; i++)
                if (message->entries.items[i].type > RAFT_ENTRY_CONF_CHANGE_V2)
                        return -EBADMSG;
        if (message->snapshot &&
            (message->snapshot->index > RAFT_INDEX_MAX || message->snapshot->term > RAFT_INDEX_MAX ||
             raft_conf_state_validate(&message->snapshot->conf_state) < 0))
                return -EBADMSG;
        switch (message->type) {
        case RAFT_MESSAGE_PROPOSE:
                return message->entries.length > 0 ? 0 : -EBADMSG;
        case RAFT_MESSAGE_APPEND:
                return validate_append(message);
        case RAFT_MESSAGE_SNAPSHOT:
                return message->snapshot ? 0 : -EBADMSG;
        default:
                return 0;
        }
}
