#pragma once
/*
 * What the log carries: one change to the tree, with all that it depends on (time above all), so that every replica
 * that applies the same commands in the same order holds the same tree. docs/formats/store-commands.md has the bytes.
 * A Command borrows its slices.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/str.h"

/* Bytes of a value or of a value to compare with: what Go's form parser lets through. */
#define COMMAND_VALUE_MAX ((size_t)10 * 1024 * 1024)

/* Most that an encoded command can take. */
#define COMMAND_ENCODED_MAX ((size_t)64 + 16 * 1024 + 2 * COMMAND_VALUE_MAX)

/* Kinds are for ever: they are in logs on disk. 32 to 63 are set aside for membership, 64 to 95 for authentication. */
typedef enum CommandKind {
        COMMAND_SET = 1,
        COMMAND_CREATE = 2,
        COMMAND_UPDATE = 3,
        COMMAND_COMPARE_AND_SWAP = 4,
        COMMAND_DELETE = 5,
        COMMAND_COMPARE_AND_DELETE = 6,
        COMMAND_SYNC = 7, /* expire what is due at `time` */
} CommandKind;

typedef struct Command {
        CommandKind kind;
        WallUsec time;       /* the proposer's clock when it made the command */
        Slice path;          /* full internal path, checked with path_check(); SYNC: empty */
        Slice value;         /* SET, CREATE, UPDATE, COMPARE_AND_SWAP */
        Slice prev_value;    /* COMPARE_AND_*; empty: not compared */
        uint64_t prev_index; /* COMPARE_AND_*; 0: not compared */
        bool dir;            /* SET, CREATE: make a directory; DELETE: may delete one */
        bool recursive;      /* DELETE */
        bool unique;         /* CREATE: make an in-order key in the directory `path` */
        bool refresh;        /* SET, UPDATE, COMPARE_AND_SWAP: keep the value, wake nobody */
        bool has_expiry;     /* SET, CREATE, UPDATE, COMPARE_AND_SWAP: otherwise the key becomes permanent */
        WallUsec expiry;
        uint64_t max_expired; /* SYNC: at most so many keys expire; what is left is due at the next one. 0: all */
} Command;

/* Appends the encoding. The command must be valid: command_check() is 0. -ENOMEM; the buffer then stays as it was. */
int command_encode(const Command *command, Buffer *buffer);

/* Reads one command that takes up all of `bytes`; its slices point into `bytes`. Strict: each command has exactly one
 * encoding. -EBADMSG when malformed. */
int command_decode(Slice bytes, Command *ret_command);

/* 0 when a command is one that command_decode() could give, -EINVAL otherwise. */
int command_check(const Command *command);
