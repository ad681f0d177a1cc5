#include "containers/runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "containers/image/image-store.h"
#include "host/file.h"

typedef struct Layers {
        int fds[IMAGE_LAYERS_MAX];
        size_t length;
} Layers;

static void layers_deinit(Layers *layers) {
        for (size_t i = 0; i < layers->length; i++)
                (void)close(layers->fds[i]);
}

/* mount(2) takes one page of options, which the paths of many layers do not fit: they are named by descriptors. */
static int open_layers(const char *lower, Layers *layers, Buffer *options, Error *error) {
        Slice rest = slice_from(lower), part;

        while (slice_split(&rest, ':', &part)) {
                _cleanup_free_ char *path = slice_dup(part);
                int fd;

                if (!path || layers->length >= IMAGE_LAYERS_MAX)
                        return error_set(error, -EINVAL, "the image has more than %d layers", IMAGE_LAYERS_MAX);
                fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0)
                        return error_set_errno(error, -errno, "cannot open the image's layer %s", path);
                layers->fds[layers->length++] = fd;
                (void)buffer_printf(options, "%s/proc/self/fd/%d", layers->length > 1 ? ":" : "lowerdir=", fd);
        }
        return buffer_failed(options);
}

static int open_part(const char *directory, const char *name, int *ret, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", directory, name);
        int r = path ? file_make_folder(path, 0755, error) : -ENOMEM;

        if (r < 0)
                return r;
        *ret = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return *ret < 0 ? error_set_errno(error, -errno, "cannot open %s", path) : 0;
}

int rootfs_mount(const char *directory, const char *lower, Error *error) {
        _cleanup_(layers_deinit) Layers layers = {.length = 0};
        _cleanup_buffer_ Buffer options = BUFFER_INIT;
        _cleanup_close_ int upper = -1, work = -1, merged = -1, empty = -1;
        char target[64];
        int r;

        r = open_part(directory, "upper", &upper, error);
        if (r >= 0)
                r = open_part(directory, "work", &work, error);
        if (r >= 0)
                r = open_part(directory, "merged", &merged, error);
        if (r >= 0 && lower[0] == '\0')
                r = open_part(directory, "empty", &empty, error);
        if (r >= 0)
                r = lower[0] ? open_layers(lower, &layers, &options, error)
                             : buffer_printf(&options, "lowerdir=/proc/self/fd/%d", empty);
        if (r >= 0)
                r = buffer_printf(&options, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", upper, work);
        if (r < 0)
                return r;
        (void)snprintf(target, sizeof(target), "/proc/self/fd/%d", merged);
        if (mount("overlay", target, "overlay", 0, buffer_string(&options)) < 0)
                return error_set_errno(
                        error, -errno,
                        "cannot mount the container's files at %s/merged (the state directory must lie on a file "
                        "system that overlayfs can write to, as ext4 or xfs)",
                        directory);
        return 0;
}

int rootfs_unmount(const char *directory, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/merged", directory);

        if (!path)
                return -ENOMEM;
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
                return error_set_errno(error, -errno, "cannot unmount %s", path);
        return 0;
}

/* ---- files that tell the container of its network ---- */

static void format_entries(const HostFiles *files, const StringList *entries, Buffer *buffer) {
        for (size_t i = 0; entries && i < entries->length; i++) {
                const char *entry = entries->items[i], *colon = strchr(entry, ':'), *address;

                if (!colon)
                        continue;
                address = str_equals(colon + 1, "host-gateway") && files->gateway ? files->gateway : colon + 1;
                (void)buffer_printf(buffer, "%s\t%.*s\n", address, (int)(colon - entry), entry);
        }
}

int hosts_format(const HostFiles *files, Buffer *buffer) {
        (void)buffer_append_string(buffer, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        format_entries(files, files->extra_hosts, buffer);
        format_entries(files, files->links, buffer);
        if (files->domain)
                (void)buffer_printf(buffer, "%s\t%s.%s %s\n", files->address ?: "127.0.1.1", files->host_name,
                                    files->domain, files->host_name);
        else
                (void)buffer_printf(buffer, "%s\t%s\n", files->address ?: "127.0.1.1", files->host_name);
        return buffer_failed(buffer);
}

static bool is_word(Slice line, const char *word) {
        size_t length = strlen(word);

        return line.length > length && strncmp(line.data, word, length) == 0 &&
               (line.data[length] == ' ' || line.data[length] == '\t');
}

static void copy_resolv_line(const HostFiles *files, Slice line, Buffer *buffer) {
        line = slice_trim(line);
        if (is_word(line, "nameserver")) {
                Slice address = slice_trim((Slice){line.data + 10, line.length - 10});

                if (files->dns->length > 0)
                        return;
                if (files->drop_loopback && ((address.length >= 4 && strncmp(address.data, "127.", 4) == 0) ||
                                             slice_equals(address, slice_from("::1"))))
                        return;
        } else if ((is_word(line, "search") || is_word(line, "domain")) && files->dns_search->length > 0) {
                return;
        } else if (is_word(line, "options") && files->dns_options->length > 0) {
                return;
        }
        if (line.length > 0)
                (void)buffer_printf(buffer, "%.*s\n", (int)line.length, line.data);
}

int resolv_format(const HostFiles *files, Buffer *buffer) {
        Slice rest = files->host_resolv, line;

        while (rest.length > 0 && rest.data && slice_split(&rest, '\n', &line))
                copy_resolv_line(files, line, buffer);
        for (size_t i = 0; i < files->dns->length; i++)
                (void)buffer_printf(buffer, "nameserver %s\n", files->dns->items[i]);
        if (files->dns_search->length > 0 && !str_equals(files->dns_search->items[0], ".")) {
                (void)buffer_append_string(buffer, "search");
                for (size_t i = 0; i < files->dns_search->length; i++)
                        (void)buffer_printf(buffer, " %s", files->dns_search->items[i]);
                (void)buffer_append_byte(buffer, '\n');
        }
        for (size_t i = 0; i < files->dns_options->length; i++)
                (void)buffer_printf(buffer, "options %s\n", files->dns_options->items[i]);
        return buffer_failed(buffer);
}

static int write_one(const char *directory, const char *name, Buffer *text, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", directory, name);

        if (!path || buffer_failed(text))
                return -ENOMEM;
        return file_replace(path, 0644, (Slice){buffer_data(text) ?: "", buffer_length(text)}, false, error);
}

int host_files_write(const HostFiles *files, Error *error) {
        _cleanup_buffer_ Buffer hosts = BUFFER_INIT, resolv = BUFFER_INIT, name = BUFFER_INIT;
        int r;

        (void)hosts_format(files, &hosts);
        (void)resolv_format(files, &resolv);
        (void)buffer_printf(&name, "%s\n", files->host_name);
        r = write_one(files->directory, "hosts", &hosts, error);
        if (r >= 0)
                r = write_one(files->directory, "resolv.conf", &resolv, error);
        return r < 0 ? r : write_one(files->directory, "hostname", &name, error);
}
