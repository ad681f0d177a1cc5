#include "machine/disk.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "base/encode.h"
#include "base/random.h"
#include "host/file.h"
#include "machine/plan.h"
#include "machine/programs.h"
#include "machine/users.h"

int disk_check_directory(const char *directory, Error *error) {
        struct statfs system;
        struct stat root, usr;

        if (strpbrk(directory, ",:\\\"") || directory[0] != '/')
                return error_set(error, -EINVAL,
                                 "%s cannot hold machines' disks: its path must begin with / and have no comma, colon, "
                                 "backslash or "
                                 "quote; --dir names another place",
                                 directory);
        if (statfs(directory, &system) < 0 || stat("/", &root) < 0 || stat("/usr", &usr) < 0)
                return error_set_errno(error, -errno, "cannot look at %s", directory);
        if (root.st_dev != usr.st_dev)
                return error_set(error, -EOPNOTSUPP,
                                 "/usr is a file system of its own on this host: a local machine shows only what "
                                 "lies on the host's root, and would be without programs");
        if ((unsigned long)system.f_type == OVERLAYFS_SUPER_MAGIC)
                return error_set(error, -EINVAL,
                                 "%s lies on an overlay, as in a container, and an overlay cannot be the disk of "
                                 "another: name a "
                                 "directory of a volume or a real file system with --dir",
                                 directory);
        return 0;
}

bool disk_exists(const char *directory, const char *machine) {
        _cleanup_free_ char *path = str_printf("%s/%s/upper", directory, machine);

        return path && access(path, F_OK) == 0;
}

/* ---- folders ---- */

static const struct {
        const char *path;
        mode_t mode;
} folders[] = {
        {"upper", 0755},
        {"upper/etc", 0755},
        {"upper/etc/systemd", 0755},
        {"upper/etc/systemd/system", 0755},
        {"upper/usr", 0755},
        {"upper/usr/lib", 0755},
        {"upper/usr/lib/systemd", 0755},
        {"upper/usr/lib/systemd/system", 0755},
        {"work", 0755},
        {"root", 0755},
        {"var", 0755},
        {"var/cache", 0755},
        {"var/lib", 0755},
        {"var/lib/faering", 0755},
        {"var/lib/faering/boot", 0700},
        {"var/log", 0755},
        {"var/spool", 0755},
        {"var/tmp", 01777},
};

/* What the host has here does not show through: its units are not those of a machine. */
static const char *const opaque[] = {"upper/etc/systemd/system", "upper/usr/lib/systemd/system"};

static int make_folders(const char *disk, Error *error) {
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                _cleanup_free_ char *path = str_printf("%s/%s", disk, folders[i].path);

                if (!path)
                        return -ENOMEM;
                if ((mkdir(path, 0700) < 0 && errno != EEXIST) || chmod(path, folders[i].mode) < 0)
                        return error_set_errno(error, -errno, "cannot make %s", path);
        }
        for (size_t i = 0; i < ARRAY_SIZE(opaque); i++) {
                _cleanup_free_ char *path = str_printf("%s/%s", disk, opaque[i]);

                if (!path)
                        return -ENOMEM;
                if (setxattr(path, "trusted.overlay.opaque", "y", 1, 0) < 0)
                        return error_set_errno(error, -errno,
                                               "cannot mark %s for the overlay: the file system must keep trusted "
                                               "extended attributes; --dir names another place",
                                               path);
        }
        return 0;
}

static int make_link(const char *disk, const char *name, const char *target, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", disk, name);

        if (!path)
                return -ENOMEM;
        return symlink(target, path) < 0 && errno != EEXIST ? error_set_errno(error, -errno, "cannot make %s", path)
                                                            : 0;
}

/* ---- files ---- */

static int put_text(const char *disk, const char *name, const char *text, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", disk, name);

        return path && text ? file_replace(path, 0644, slice_from(text), false, error) : -ENOMEM;
}

static int put_machine_id(const char *disk, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        uint8_t id[16];

        random_secret(id, sizeof(id));
        /* as systemd draws them: a version 4 UUID */
        id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
        id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
        if (encode_hex(&text, id, sizeof(id)) < 0 || buffer_append_byte(&text, '\n') < 0)
                return -ENOMEM;
        return put_text(disk, "upper/etc/machine-id", buffer_string(&text), error);
}

static int put_hosts(const char *disk, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)buffer_append_string(&text, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
        for (unsigned i = 1; i <= PLAN_MACHINES_MAX; i++) {
                char name[PLAN_NAME_MAX], address[PLAN_ADDRESS_MAX];

                plan_name(i, name);
                plan_address(i, address);
                (void)buffer_printf(&text, "%s %s\n", address, name);
        }
        return buffer_failed(&text) ? -ENOMEM : put_text(disk, "upper/etc/hosts", buffer_string(&text), error);
}

static int put_files(const char *disk, const char *machine, const char *address, Error *error) {
        _cleanup_free_ char *hostname = str_printf("%s\n", machine);
        _cleanup_free_ char *environment =
                str_printf("COREOS_PRIVATE_IPV4=%s\nCOREOS_PUBLIC_IPV4=%s\n", address, address);
        int r;

        r = put_text(disk, "upper/etc/hostname", hostname, error);
        if (r >= 0)
                r = put_text(disk, "upper/etc/environment", environment, error);
        if (r >= 0)
                r = put_hosts(disk, error);
        return r < 0 ? r : put_machine_id(disk, error);
}

int disk_create(const char *directory, const char *machine, const char *address, Error *error) {
        _cleanup_free_ char *disk = str_printf("%s/%s", directory, machine);
        int r;

        if (!disk)
                return error_set_errno(error, -ENOMEM, "cannot make the disk of %s", machine);
        r = file_make_folder(disk, 0700, error);
        if (r >= 0)
                r = make_folders(disk, error);
        if (r >= 0)
                r = make_link(disk, "var/run", "/run", error);
        if (r >= 0)
                r = make_link(disk, "var/lock", "/run/lock", error);
        if (r >= 0)
                r = put_files(disk, machine, address, error);
        if (r >= 0)
                return 0;
        (void)file_remove_tree(disk, NULL);
        return error && error->text[0] ? r : error_set_errno(error, r, "cannot make the disk of %s", machine);
}

int disk_put_programs(const char *directory, const char *machine, const char *programs, Error *error) {
        _cleanup_free_ char *upper = str_printf("%s/%s/upper", directory, machine);

        int r = upper ? programs_link(programs, upper, error) : -ENOMEM;

        return r < 0 ? r : users_add(upper, error);
}

int disk_put_user_data(const char *directory, const char *machine, Slice text, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s/var/lib/faering/boot/user-data", directory, machine);

        return path ? file_replace(path, 0600, text, false, error) : -ENOMEM;
}

int disk_remove(const char *directory, const char *machine, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", directory, machine);

        return path ? file_remove_tree(path, error) : -ENOMEM;
}
