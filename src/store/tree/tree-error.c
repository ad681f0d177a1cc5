#include "store/tree/tree-error.h"

#include <errno.h>

void tree_error_deinit(TreeError *error) {
        buffer_deinit(&error->cause);
        *error = (TreeError){0};
}

int tree_error_set(TreeError *error, TreeCode code, uint64_t index, Slice cause) {
        int r;

        if (!error)
                return (int)code;
        buffer_clear(&error->cause);
        r = buffer_append(&error->cause, cause.data, cause.length);
        if (r < 0)
                return r;
        error->code = (int)code;
        error->index = index;
        return (int)code;
}
