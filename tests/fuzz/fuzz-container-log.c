/* What the engine reads of files and sockets of containers: log lines, exit files, frames, users. */
#include <assert.h>
#include <errno.h>
#include <jansson.h>

#include "containers/runtime/log-read.h"
#include "containers/runtime/user.h"
#include "containers/shim/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_frames(Slice bytes) {
        _cleanup_buffer_ Buffer input = BUFFER_INIT;
        Slice payload;
        uint8_t type;

        if (buffer_append(&input, bytes.data, bytes.length) < 0)
                return;
        while (shim_frame_next(&input, &type, &payload) > 0) {
                assert(payload.length + SHIM_FRAME_HEADER <= buffer_length(&input));
                shim_frame_done(&input, payload);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const Slice bytes = {(const char *)data, size};
        static ImageUser user;
        ShimExit exit;
        LogEntry entry;
        json_t *json;
        int r = log_entry_parse(bytes, &json, &entry);

        assert(r == 0 || r == -EBADMSG);
        if (r == 0)
                json_decref(json);
        r = shim_exit_parse(bytes, &exit);
        assert(r == -EBADMSG || (exit.status >= 0 && exit.status <= 255));
        (void)image_user_resolve("app:extra", NULL, bytes, bytes, &user, NULL);
        assert(user.n_groups <= USER_GROUPS_MAX);
        take_frames(bytes);
        return 0;
}
