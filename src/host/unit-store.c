#include "host/unit-store.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/buffer.h"
#include "host/file.h"
#include "unitfile/name.h"

static const char tag_line[] = "\n# faering-tag: ";

int unit_store_write(const char *folder, const char *unit, Slice text, const char *tag, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, unit);
        _cleanup_buffer_ Buffer whole = BUFFER_INIT;

        if (!path || buffer_append(&whole, text.data, text.length) < 0 ||
            buffer_printf(&whole, "%s%s\n", tag_line, tag) < 0)
                return error_set_errno(error, -ENOMEM, "cannot write %s", unit);
        return file_replace(path, 0644, (Slice){buffer_data(&whole), buffer_length(&whole)}, false, error);
}

int unit_store_remove(const char *folder, const char *unit, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, unit);

        if (!path)
                return error_set_errno(error, -ENOMEM, "cannot remove %s", unit);
        if (unlink(path) < 0 && errno != ENOENT)
                return error_set_errno(error, -errno, "cannot remove %s", path);
        return 0;
}

/* Where our line begins: the last one of its kind, at the very end. SIZE_MAX: there is none. */
static size_t find_tag(Slice text) {
        size_t length = sizeof(tag_line) - 1;

        for (size_t at = text.length < length ? 0 : text.length - length + 1; at-- > 0;)
                if (memcmp(text.data + at, tag_line, length) == 0)
                        return at;
        return SIZE_MAX;
}

int unit_store_read(const char *folder, const char *unit, char **ret_text, char **ret_tag, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, unit), *text = NULL, *tag = NULL;
        _cleanup_buffer_ Buffer whole = BUFFER_INIT;
        Slice all, label = {"", 0};
        size_t at;
        int r;

        if (!path)
                return error_set_errno(error, -ENOMEM, "cannot read %s", unit);
        r = file_read(path, UNIT_STORE_TEXT_MAX, &whole, error);
        if (r < 0)
                return r;
        all = (Slice){buffer_length(&whole) ? buffer_data(&whole) : "", buffer_length(&whole)};
        at = find_tag(all);
        if (at != SIZE_MAX) {
                size_t after = at + sizeof(tag_line) - 1;

                label = slice_trim((Slice){all.data + after, all.length - after});
                all.length = at;
        }
        text = slice_dup(all);
        tag = slice_dup(label);
        if (!text || !tag)
                return error_set_errno(error, -ENOMEM, "cannot read %s", path);
        *ret_text = take_ptr(text);
        *ret_tag = take_ptr(tag);
        return 0;
}

int unit_store_list(const char *folder, StringList *list, Error *error) {
        DIR *opened = opendir(folder);
        struct dirent *entry;
        int r = 0;

        if (!opened)
                return errno == ENOENT ? 0 : error_set_errno(error, -errno, "cannot read %s", folder);
        while (r >= 0 && (entry = readdir(opened)))
                if (entry->d_name[0] != '.' && unit_name_is_valid(slice_from(entry->d_name)))
                        r = string_list_add(list, entry->d_name);
        (void)closedir(opened);
        if (r < 0)
                return error_set_errno(error, r, "cannot list %s", folder);
        string_list_sort(list);
        return 0;
}
