/*
 * A layer from strangers: any archive is unpacked or refused, and nothing of it gets beside its folder. An input that begins with 'A' is
 * the archive, byte for byte; any other has lines of a letter, a name and what it holds or where it leads, of which one is made.
 */
#include <assert.h>

#include "containers/image/layer.h"
#include "containers/image/test-image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { LINES_MAX = 64 };

static void add_entry(struct archive *archive, char kind, const char *name, const char *value) {
        static const char kinds[] = "fdlhcp";
        static const unsigned types[] = {AE_IFREG, AE_IFDIR, AE_IFLNK, AE_IFREG, AE_IFCHR, AE_IFIFO};
        const char *at = kind ? strchr(kinds, kind) : NULL;
        struct archive_entry *entry = archive_entry_new();
        size_t size = kind == 'f' ? strlen(value) : 0;

        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, at ? types[at - kinds] : AE_IFREG);
        archive_entry_set_perm(entry, 0755);
        archive_entry_set_size(entry, (la_int64_t)size);
        archive_entry_xattr_add_entry(entry, "trusted.overlay.opaque", "y", 1);
        if (kind == 'l')
                archive_entry_set_symlink(entry, value);
        if (kind == 'h')
                archive_entry_set_hardlink(entry, value);
        if (archive_write_header(archive, entry) >= ARCHIVE_WARN && size > 0)
                (void)archive_write_data(archive, value, size);
        archive_entry_free(entry);
}

static void write_archive(int fd, Slice lines) {
        struct archive *archive = archive_write_new();
        Slice line, kind, name;

        assert(archive);
        (void)archive_write_set_format_pax_restricted(archive);
        (void)archive_write_open_fd(archive, fd);
        for (size_t i = 0; i < LINES_MAX && lines.length > 0 && slice_split(&lines, '\n', &line); i++) {
                _cleanup_free_ char *path = NULL, *value = NULL;

                if (!slice_split(&line, ' ', &kind) || kind.length == 0 || !line.data || !slice_split(&line, ' ', &name))
                        continue;
                path = slice_dup(name);
                value = slice_dup(line.data ? line : (Slice){"", 0});
                if (path && value && *path)
                        add_entry(archive, kind.data[0], path, value);
        }
        (void)archive_write_close(archive);
        (void)archive_write_free(archive);
}

static bool can_unpack(void) {
        static int known = -1;

        if (known < 0)
                known = test_become_root();
        return known;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        _cleanup_close_ int archive = memfd_create("layer", MFD_CLOEXEC);
        char folder[] = "/dev/shm/fuzz-layer-XXXXXX", root[sizeof(folder) + 8];
        Error error = ERROR_NONE;
        LayerResult result;

        if (length == 0 || !can_unpack())
                return 0;
        assert(archive >= 0 && mkdtemp(folder));
        (void)snprintf(root, sizeof(root), "%s/root", folder);
        assert(mkdir(root, 0755) == 0);
        if (bytes[0] == 'A')
                (void)!write(archive, bytes + 1, length - 1);
        else
                write_archive(archive, (Slice){(const char *)bytes, length});
        (void)lseek(archive, 0, SEEK_SET);
        if (layer_unpack(archive, root, LAYER_WHITEOUTS_TRANSLATE, &result, &error) < 0)
                assert(*error.text);
        else
                assert(*result.diff_id);
        assert(file_remove_tree(root, NULL) == 0);
        assert(rmdir(folder) == 0); /* nothing else is in it */
        return 0;
}
