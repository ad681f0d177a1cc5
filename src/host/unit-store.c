#include "host/unit-store.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
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

/* ---- links ---- */

/* Where the link leads. -ENOENT; -EINVAL: it is none. */
static int read_link(const char *path, char target[PATH_MAX]) {
        ssize_t n = readlink(path, target, PATH_MAX - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        return 0;
}

/* In one step: systemd may be reading its folders. */
static int replace_link(const char *links, const char *unit, const char *target, const char *path) {
        _cleanup_free_ char *temporary = str_printf("%s/.#%s", links, unit);

        if (!temporary)
                return -ENOMEM;
        if (unlink(temporary) < 0 && errno != ENOENT)
                return -errno;
        if (symlink(target, temporary) < 0 || rename(temporary, path) < 0)
                return -errno;
        return 0;
}

int unit_store_link(const char *folder, const char *links, const char *unit, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", links, unit), *target = str_printf("%s/%s", folder, unit);
        char found[PATH_MAX];
        int r;

        if (!path || !target)
                return error_set_errno(error, -ENOMEM, "cannot link %s", unit);
        if (symlink(target, path) >= 0)
                return 0;
        r = errno == EEXIST ? read_link(path, found) : -errno;
        if (r == -EINVAL)
                return error_set(error, -EEXIST, "%s is a file that was not made here, and in the way of the unit: remove it, or give the unit another name",
                                 path);
        if (r >= 0 && str_equals(found, target))
                return 0;
        if (r >= 0)
                r = replace_link(links, unit, target, path);
        return r < 0 ? error_set_errno(error, r, "cannot make %s, a link to %s", path, target) : 0;
}

int unit_store_unlink(const char *folder, const char *links, const char *unit, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", links, unit), *target = str_printf("%s/%s", folder, unit);
        char found[PATH_MAX];

        if (!path || !target)
                return error_set_errno(error, -ENOMEM, "cannot remove the link of %s", unit);
        if (read_link(path, found) < 0 || !str_equals(found, target))
                return 0;
        if (unlink(path) < 0 && errno != ENOENT)
                return error_set_errno(error, -errno, "cannot remove %s", path);
        return 0;
}
