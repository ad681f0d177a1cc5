/* An OCI runtime's log, which repeats what images and clients say: a reason that fits, and an error of one of three kinds. */
#include <assert.h>
#include <errno.h>

#include "base/str.h"
#include "containers/engine/runtime-reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        _cleanup_free_ char *log = slice_dup((Slice){(const char *)bytes, length});
        char reason[RUNTIME_REASON_MAX];
        Error error = ERROR_NONE;
        int r;

        if (!log)
                return 0;
        runtime_reason_find(log, reason);
        assert(memchr(reason, '\0', sizeof(reason)));
        r = runtime_reason_tell(reason, "frob", &error);
        assert((r == -ENOENT || r == -EACCES || r == -EIO) && *error.text);
        return 0;
}
