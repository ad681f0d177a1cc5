/*
 * Changes as bytes: numbered fields of base-128 numbers and of byte runs, readable by what reads the change entries of
 * etcd's raft (Protocol Buffers). docs/formats/raft-messages.md has the table.
 */
#include <errno.h>
#include <string.h>

#include "raft/confchange.h"
#include "raft/varint.h"

enum {
        WIRE_NUMBER = 0,
        WIRE_BYTES = 2,

        SINGLE_ID = 1, /* of the change; always 0 here */
        SINGLE_OPERATION = 2,
        SINGLE_MEMBER = 3,
        SINGLE_CONTEXT = 4,

        CHANGE_TRANSITION = 1,
        CHANGE_ITEM = 2,
        CHANGE_CONTEXT = 3,

        ITEM_OPERATION = 1,
        ITEM_MEMBER = 2,
};

bool raft_conf_change_is_leave(const RaftConfChange *change) {
        return change->transition == RAFT_CONF_AUTO && change->length == 0;
}

bool raft_conf_change_is_joint(const RaftConfChange *change, bool *ret_auto_leave) {
        if (change->transition == RAFT_CONF_AUTO && change->length <= 1)
                return false;
        *ret_auto_leave = change->transition != RAFT_CONF_JOINT_EXPLICIT;
        return true;
}

static char *write_number(char *to, unsigned field, uint64_t value) {
        *to++ = (char)(field << 3 | WIRE_NUMBER);
        return raft_varint_write(to, value);
}

static char *write_bytes(char *to, unsigned field, Slice bytes) {
        *to++ = (char)(field << 3 | WIRE_BYTES);
        to = raft_varint_write(to, bytes.length);
        memcpy(to, bytes.data, bytes.length);
        return to + bytes.length;
}

static size_t single_length(const RaftConfSingle *single) {
        return 2 + raft_varint_length(single->operation) + raft_varint_length(single->id);
}

static int encode_single(const RaftConfChange *change, RaftPayload **ret_payload) {
        const RaftConfSingle *single = &change->changes[0];
        size_t length = 2 + single_length(single);
        RaftPayload *payload;
        char *to;
        int r;

        if (change->length != 1 || change->transition != RAFT_CONF_AUTO)
                return -EINVAL;
        if (change->context.length > 0)
                length += 1 + raft_varint_length(change->context.length) + change->context.length;
        r = raft_payload_new(NULL, length, &payload);
        if (r < 0)
                return r;
        to = write_number(payload->data, SINGLE_ID, 0);
        to = write_number(to, SINGLE_OPERATION, single->operation);
        to = write_number(to, SINGLE_MEMBER, single->id);
        if (change->context.length > 0)
                to = write_bytes(to, SINGLE_CONTEXT, change->context);
        *ret_payload = payload;
        return 0;
}

static int encode_set(const RaftConfChange *change, RaftPayload **ret_payload) {
        size_t length = 1 + raft_varint_length(change->transition);
        RaftPayload *payload;
        char *to;
        int r;

        for (size_t i = 0; i < change->length; i++) {
                size_t item = single_length(&change->changes[i]);

                length += 1 + raft_varint_length(item) + item;
        }
        if (change->context.length > 0)
                length += 1 + raft_varint_length(change->context.length) + change->context.length;
        r = raft_payload_new(NULL, length, &payload);
        if (r < 0)
                return r;
        to = write_number(payload->data, CHANGE_TRANSITION, change->transition);
        for (size_t i = 0; i < change->length; i++) {
                *to++ = (char)(CHANGE_ITEM << 3 | WIRE_BYTES);
                to = raft_varint_write(to, single_length(&change->changes[i]));
                to = write_number(to, ITEM_OPERATION, change->changes[i].operation);
                to = write_number(to, ITEM_MEMBER, change->changes[i].id);
        }
        if (change->context.length > 0)
                to = write_bytes(to, CHANGE_CONTEXT, change->context);
        *ret_payload = payload;
        return 0;
}

int raft_conf_change_encode(const RaftConfChange *change, bool single, RaftPayload **ret_payload) {
        if (change->length > RAFT_CONF_CHANGES_MAX || change->context.length > RAFT_CONF_CONTEXT_MAX)
                return -EINVAL;
        return single ? encode_single(change, ret_payload) : encode_set(change, ret_payload);
}

static int read_varint(Slice *bytes, uint64_t *ret_value) {
        uint64_t value = 0;

        for (size_t i = 0; i < bytes->length && i < RAFT_VARINT_MAX; i++) {
                uint64_t digit = (unsigned char)bytes->data[i];

                if (i == RAFT_VARINT_MAX - 1 && digit > 1)
                        return -EBADMSG;
                value |= (digit & 0x7f) << (7 * i);
                if (digit < 0x80) {
                        *bytes = (Slice){bytes->data + i + 1, bytes->length - i - 1};
                        *ret_value = value;
                        return 0;
                }
        }
        return -EBADMSG;
}

typedef struct Field {
        unsigned number;
        bool is_bytes;
        uint64_t value;
        Slice bytes;
} Field;

static int read_field(Slice *bytes, Field *ret_field) {
        uint64_t tag, value;
        int r;

        r = read_varint(bytes, &tag);
        if (r < 0)
                return r;
        if (tag > 0xff || ((tag & 7) != WIRE_NUMBER && (tag & 7) != WIRE_BYTES))
                return -EBADMSG;
        r = read_varint(bytes, &value);
        if (r < 0)
                return r;
        *ret_field = (Field){.number = (unsigned)tag >> 3, .is_bytes = (tag & 7) == WIRE_BYTES, .value = value};
        if (!ret_field->is_bytes)
                return 0;
        if (value > bytes->length)
                return -EBADMSG;
        ret_field->bytes = (Slice){bytes->data, value};
        *bytes = (Slice){bytes->data + value, bytes->length - value};
        return 0;
}

static int set_operation(const Field *field, RaftConfSingle *single) {
        if (field->is_bytes || field->value > RAFT_CONF_ADD_LEARNER)
                return -EBADMSG;
        single->operation = (RaftConfOperation)field->value;
        return 0;
}

static int set_member(const Field *field, RaftConfSingle *single) {
        if (field->is_bytes)
                return -EBADMSG;
        single->id = field->value;
        return 0;
}

static int decode_single(Slice bytes, RaftConfChange *change) {
        Field field;
        int r;

        change->length = 1;
        while (bytes.length > 0) {
                r = read_field(&bytes, &field);
                if (r < 0)
                        return r;
                if (field.number == SINGLE_OPERATION)
                        r = set_operation(&field, &change->changes[0]);
                else if (field.number == SINGLE_MEMBER)
                        r = set_member(&field, &change->changes[0]);
                else if (field.number == SINGLE_CONTEXT && field.is_bytes)
                        change->context = field.bytes;
                else if (field.number != SINGLE_ID || field.is_bytes)
                        r = -EBADMSG;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int decode_item(Slice bytes, RaftConfChange *change) {
        RaftConfSingle *single;
        Field field;
        int r;

        if (change->length == RAFT_CONF_CHANGES_MAX)
                return -E2BIG;
        single = &change->changes[change->length++];
        *single = (RaftConfSingle){0};
        while (bytes.length > 0) {
                r = read_field(&bytes, &field);
                if (r < 0)
                        return r;
                if (field.number == ITEM_OPERATION)
                        r = set_operation(&field, single);
                else if (field.number == ITEM_MEMBER)
                        r = set_member(&field, single);
                else
                        r = -EBADMSG;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int decode_set(Slice bytes, RaftConfChange *change) {
        Field field;
        int r;

        while (bytes.length > 0) {
                r = read_field(&bytes, &field);
                if (r < 0)
                        return r;
                if (field.number == CHANGE_TRANSITION && !field.is_bytes && field.value <= RAFT_CONF_JOINT_EXPLICIT)
                        change->transition = (RaftConfTransition)field.value;
                else if (field.number == CHANGE_ITEM && field.is_bytes)
                        r = decode_item(field.bytes, change);
                else if (field.number == CHANGE_CONTEXT && field.is_bytes)
                        change->context = field.bytes;
                else
                        r = -EBADMSG;
                if (r < 0)
                        return r;
        }
        return 0;
}

int raft_conf_change_decode(const RaftEntry *entry, RaftConfChange *ret_change) {
        Slice bytes = {entry->data, entry->length};

        *ret_change = (RaftConfChange){0};
        switch (entry->type) {
        case RAFT_ENTRY_CONF_CHANGE:
                return decode_single(bytes, ret_change);
        case RAFT_ENTRY_CONF_CHANGE_V2:
                return decode_set(bytes, ret_change);
        default:
                return -EBADMSG;
        }
}
