#pragma once
/*
 * Expected outcomes of the tree's functions, numbered as clients of the v2 protocol know them. Functions return the
 * code (above zero) and fill a TreeError with what goes into the answer. A zeroed TreeError is empty and valid.
 */
#include "base/buffer.h"
#include "base/str.h"

typedef enum TreeCode {
        TREE_KEY_NOT_FOUND = 100,
        TREE_COMPARE_FAILED = 101,
        TREE_NOT_FILE = 102,
        TREE_NOT_DIRECTORY = 104,
        TREE_KEY_EXISTS = 105,
        TREE_ROOT_READ_ONLY = 107,
        TREE_DIRECTORY_NOT_EMPTY = 108,
        TREE_INVALID_FIELD = 209,
        TREE_WATCHER_CLEARED = 400,
        TREE_INDEX_CLEARED = 401,
} TreeCode;

typedef struct TreeError {
        int code;       /* a TreeCode, or 0 */
        Buffer cause;   /* full internal path, or the text for the code; may hold any bytes */
        uint64_t index; /* the tree's index when the command failed */
} TreeError;

void tree_error_deinit(TreeError *error);
#define _cleanup_tree_error_ _cleanup_(tree_error_deinit)

/* Replaces what is there and returns `code`, or -ENOMEM. `error` may be NULL. */
int tree_error_set(TreeError *error, TreeCode code, uint64_t index, Slice cause);
