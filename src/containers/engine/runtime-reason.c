#include "containers/engine/runtime-reason.h"

#include <errno.h>
#include <stdio.h>

#include "containers/runtime/json-fields.h"

void runtime_reason_find(const char *log, char ret[static RUNTIME_REASON_MAX]) {
        Slice rest = slice_from(log), line;

        (void)snprintf(ret, RUNTIME_REASON_MAX, "%s", log);
        while (rest.data && slice_split(&rest, '\n', &line)) {
                _cleanup_json_ json_t *entry = json_loadb(line.data, line.length, 0, NULL);

                if (json_text(entry, "msg")[0])
                        (void)snprintf(ret, RUNTIME_REASON_MAX, "%s", json_text(entry, "msg"));
        }
}

bool runtime_reason_is_missing(const char *reason) {
        return strcasestr(reason, "not found") || strcasestr(reason, "no such file");
}

static bool is_refused(const char *reason) {
        return strcasestr(reason, "is not a regular file") || /* crun 1.21 */
               (strcasestr(reason, "exec") && (strcasestr(reason, "permission denied") || strcasestr(reason, "not permitted")));
}

#define FAILED "failed to create task for container: OCI runtime create failed: "

int runtime_reason_tell(const char *reason, const char *command, Error *error) {
        if (is_refused(reason))
                return error_set(error, -EACCES, FAILED "exec: \"%s\": permission denied: %s", command, reason);
        if (strcasestr(reason, "exec") && runtime_reason_is_missing(reason)) /* "executable" is one of them */
                return error_set(error, -ENOENT, FAILED "exec: \"%s\": executable file not found in $PATH: %s", command, reason);
        return error_set(error, -EIO, FAILED "%s", reason);
}
