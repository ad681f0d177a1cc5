#include "store/tree/command.h"

#include <errno.h>

#include "base/wire.h"
#include "store/tree/path.h"

enum {
        FLAG_DIR = 1 << 0,
        FLAG_RECURSIVE = 1 << 1,
        FLAG_UNIQUE = 1 << 2,
        FLAG_REFRESH = 1 << 3,
        FLAG_EXPIRY = 1 << 4,
        FLAG_PREV_VALUE = 1 << 5,
        FLAG_PREV_INDEX = 1 << 6,
};

/* What each kind may carry. */
static const struct {
        uint8_t flags;
        bool path, value, compares;
} kinds[] = {
        [COMMAND_SET] = {FLAG_DIR | FLAG_REFRESH | FLAG_EXPIRY, .path = true, .value = true},
        [COMMAND_CREATE] = {FLAG_DIR | FLAG_UNIQUE | FLAG_EXPIRY, .path = true, .value = true},
        [COMMAND_UPDATE] = {FLAG_REFRESH | FLAG_EXPIRY, .path = true, .value = true},
        [COMMAND_COMPARE_AND_SWAP] = {FLAG_REFRESH | FLAG_EXPIRY | FLAG_PREV_VALUE | FLAG_PREV_INDEX, .path = true,
                                      .value = true, .compares = true},
        [COMMAND_DELETE] = {FLAG_DIR | FLAG_RECURSIVE, .path = true},
        [COMMAND_COMPARE_AND_DELETE] = {FLAG_PREV_VALUE | FLAG_PREV_INDEX, .path = true, .compares = true},
        [COMMAND_SYNC] = {0},
};

static bool kind_is_known(unsigned kind) {
        return kind >= COMMAND_SET && kind < ARRAY_SIZE(kinds);
}

static uint8_t command_flags(const Command *command) {
        uint8_t flags = 0;

        if (command->dir)
                flags |= FLAG_DIR;
        if (command->recursive)
                flags |= FLAG_RECURSIVE;
        if (command->unique)
                flags |= FLAG_UNIQUE;
        if (command->refresh)
                flags |= FLAG_REFRESH;
        if (command->has_expiry)
                flags |= FLAG_EXPIRY;
        if (command->prev_value.length > 0)
                flags |= FLAG_PREV_VALUE;
        if (command->prev_index > 0)
                flags |= FLAG_PREV_INDEX;
        return flags;
}

static bool path_is_right(const Command *command) {
        if (!kinds[command->kind].path)
                return command->path.length == 0;
        return (command->unique ? path_check_unique(command->path) : path_check(command->path)) == PATH_OK;
}

int command_check(const Command *command) {
        uint8_t flags = command_flags(command);

        if (!kind_is_known((unsigned)command->kind) || (flags & ~kinds[command->kind].flags) != 0)
                return -EINVAL;
        if (!path_is_right(command))
                return -EINVAL;
        if (command->value.length > COMMAND_VALUE_MAX || command->prev_value.length > COMMAND_VALUE_MAX)
                return -EINVAL;
        /* a directory has no value, and a refresh keeps the one that is there */
        if (command->value.length > 0 && (!kinds[command->kind].value || command->dir || command->refresh))
                return -EINVAL;
        if (kinds[command->kind].compares && !(flags & (FLAG_PREV_VALUE | FLAG_PREV_INDEX)))
                return -EINVAL;
        if (!command->has_expiry && command->expiry != 0)
                return -EINVAL;
        if (command->kind != COMMAND_SYNC && command->max_expired != 0)
                return -EINVAL;
        return 0;
}

int command_encode(const Command *command, Buffer *buffer) {
        uint8_t flags = command_flags(command);
        size_t before = buffer_length(buffer);

        wire_put_u8(buffer, (uint8_t)command->kind);
        wire_put_u8(buffer, flags);
        wire_put_u64(buffer, (uint64_t)command->time);
        if (kinds[command->kind].path)
                wire_put_bytes(buffer, command->path);
        if (kinds[command->kind].value)
                wire_put_bytes(buffer, command->value);
        if (flags & FLAG_EXPIRY)
                wire_put_u64(buffer, (uint64_t)command->expiry);
        if (flags & FLAG_PREV_VALUE)
                wire_put_bytes(buffer, command->prev_value);
        if (flags & FLAG_PREV_INDEX)
                wire_put_varint(buffer, command->prev_index);
        if (command->kind == COMMAND_SYNC)
                wire_put_varint(buffer, command->max_expired);
        if (buffer_failed(buffer)) {
                buffer_truncate(buffer, before);
                return buffer_failed(buffer);
        }
        return 0;
}

int command_decode(Slice bytes, Command *ret_command) {
        WireReader reader = wire_reader(bytes);
        Command command = {0};
        uint8_t kind = wire_get_u8(&reader), flags = wire_get_u8(&reader);

        if (wire_failed(&reader) || !kind_is_known(kind) || (flags & ~kinds[kind].flags) != 0)
                return -EBADMSG;
        command.kind = (CommandKind)kind;
        command.dir = flags & FLAG_DIR;
        command.recursive = flags & FLAG_RECURSIVE;
        command.unique = flags & FLAG_UNIQUE;
        command.refresh = flags & FLAG_REFRESH;
        command.has_expiry = flags & FLAG_EXPIRY;
        command.time = (WallUsec)wire_get_u64(&reader);
        if (kinds[kind].path)
                command.path = wire_get_bytes(&reader, TREE_PATH_MAX);
        if (kinds[kind].value)
                command.value = wire_get_bytes(&reader, COMMAND_VALUE_MAX);
        if (flags & FLAG_EXPIRY)
                command.expiry = (WallUsec)wire_get_u64(&reader);
        if (flags & FLAG_PREV_VALUE)
                command.prev_value = wire_get_bytes(&reader, COMMAND_VALUE_MAX);
        if (flags & FLAG_PREV_INDEX)
                command.prev_index = wire_get_varint(&reader);
        if (kind == COMMAND_SYNC)
                command.max_expired = wire_get_varint(&reader);
        /* the flags again: one whose field is empty would be a second form of the same command */
        if (!wire_at_end(&reader) || command_flags(&command) != flags || command_check(&command) < 0)
                return -EBADMSG;
        *ret_command = command;
        return 0;
}
