#pragma once
/*
 * Paths inside the tree: "/" or "/a/b", components of any bytes but '/'. Keys of clients live below "/1", what the
 * store keeps about itself below "/0"; the layers above add and trim these prefixes.
 */
#include "base/str.h"

/* Longest path and most components. A listing repeats each key's whole path, so depth times length must stay small. */
#define TREE_PATH_MAX ((size_t)16 * 1024)
#define TREE_DEPTH_MAX ((size_t)1024)

typedef enum PathFault {
        PATH_OK,
        PATH_MALFORMED, /* not absolute, an empty, "." or ".." component, a slash at the end */
        PATH_TOO_LONG,
        PATH_TOO_DEEP,
} PathFault;

/* With room for so many more bytes and components below it. */
PathFault path_check_room(Slice path, size_t extra_bytes, size_t extra_depth);

static inline PathFault path_check(Slice path) {
        return path_check_room(path, 0, 0);
}

/* The name of an in-order key: its index in 20 digits. */
#define PATH_UNIQUE_NAME_LENGTH ((size_t)20)

/* As path_check(), for a directory that is to get an in-order key. */
static inline PathFault path_check_unique(Slice path) {
        return path_check_room(path, PATH_UNIQUE_NAME_LENGTH + 1, 1);
}

/* The fault as a text for people, such as "key is longer than 16384 bytes". Not for PATH_OK. */
const char *path_fault_text(PathFault fault);

/* Cuts the first component off the front of *rest (a checked path, or what an earlier call left of one). False at the
 * end. */
bool path_next(Slice *rest, Slice *ret_name);

/* The path without its last component ("/" for "/a"), and that component. Not for "/". */
Slice path_parent(Slice path);
Slice path_name(Slice path);

/* True when `path` is `directory` or lies below it. */
bool path_is_within(Slice path, Slice directory);

/* True when a watch of `watched` must not see `key`, a path within it: a component after `watched` starts with '_'. */
bool path_is_hidden_from(Slice watched, Slice key);
