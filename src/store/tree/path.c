#include "store/tree/path.h"

#include <assert.h>

PathFault path_check_room(Slice path, size_t extra_bytes, size_t extra_depth) {
        size_t depth = 0;
        Slice rest, name;

        if (path.length == 0 || path.data[0] != '/')
                return PATH_MALFORMED;
        if (path.length > TREE_PATH_MAX - extra_bytes)
                return PATH_TOO_LONG;
        if (path.length == 1)
                return PATH_OK;
        rest = (Slice){path.data + 1, path.length - 1};
        while (slice_split(&rest, '/', &name)) {
                if (name.length == 0 || slice_equals(name, slice_from(".")) || slice_equals(name, slice_from("..")))
                        return PATH_MALFORMED;
                depth++;
        }
        return depth > TREE_DEPTH_MAX - extra_depth ? PATH_TOO_DEEP : PATH_OK;
}

const char *path_fault_text(PathFault fault) {
        switch (fault) {
        case PATH_OK:
                break;
        case PATH_MALFORMED:
                return "key is not a clean absolute path";
        case PATH_TOO_LONG:
                return "key is longer than 16384 bytes";
        case PATH_TOO_DEEP:
                return "key has more than 1024 components";
        }
        return NULL;
}

bool path_next(Slice *rest, Slice *ret_name) {
        if (rest->length > 0 && rest->data[0] == '/') {
                rest->data++;
                rest->length--;
        }
        if (rest->length == 0)
                return false;
        (void)slice_split(rest, '/', ret_name);
        return true;
}

static size_t path_last_slash(Slice path) {
        size_t at = path.length;

        assert(path.length > 1);
        while (path.data[at - 1] != '/')
                at--;
        return at - 1;
}

Slice path_parent(Slice path) {
        size_t slash = path_last_slash(path);

        return (Slice){path.data, slash ? slash : 1};
}

Slice path_name(Slice path) {
        size_t slash = path_last_slash(path);

        return (Slice){path.data + slash + 1, path.length - slash - 1};
}

bool path_is_within(Slice path, Slice directory) {
        if (directory.length == 1)
                return true;
        return path.length >= directory.length && memcmp(path.data, directory.data, directory.length) == 0 &&
               (path.length == directory.length || path.data[directory.length] == '/');
}

bool path_is_hidden_from(Slice watched, Slice key) {
        /* a '_' right after a slash; the slash of "/" itself counts when the root is watched */
        for (size_t i = watched.length == 1 ? 0 : watched.length; i + 1 < key.length; i++)
                if (key.data[i] == '/' && key.data[i + 1] == '_')
                        return true;
        return false;
}
