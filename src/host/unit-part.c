#include "host/unit-part.h"

#include <unistd.h>

#include "host/file.h"
#include "host/unit-log.h"

static char *part_path(const char *ends_path, char stream) {
        return str_printf("%s.%c", ends_path, stream);
}

void unit_part_keep(const char *ends_path, char stream, Slice part) {
        _cleanup_free_ char *path = part_path(ends_path, stream);

        if (path)
                (void)file_overwrite(path, 0600, part, NULL); /* without room the log lacks it if we are killed now, and not otherwise */
}

void unit_part_drop(const char *ends_path, char stream) {
        _cleanup_free_ char *path = part_path(ends_path, stream);

        if (path)
                (void)unlink(path);
}

void unit_part_take(const char *ends_path, char stream, Buffer *to) {
        _cleanup_free_ char *path = part_path(ends_path, stream);

        if (!path || file_read(path, UNIT_LOG_LINE_MAX, to, NULL) < 0)
                return;
        (void)unlink(path);
}
