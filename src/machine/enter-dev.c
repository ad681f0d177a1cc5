/* A machine's /dev: the devices that belong to nobody, and terminals of its own. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/str.h"
#include "machine/enter.h"

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};

static const struct {
        const char *name, *target;
} links[] = {
        {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
        {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

/* Bound from the host: that needs no right to make devices. */
static int bind_device(const char *path, const char *name, Error *error) {
        _cleanup_free_ char *source = str_printf("/dev/%s", name), *target = str_printf("%s/%s", path, name);
        _cleanup_close_ int fd = -1;

        if (!source || !target)
                return -ENOMEM;
        if (access(source, F_OK) < 0)
                return 0;
        fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
                return error_set_errno(error, -errno, "cannot make %s", target);
        return enter_mount(source, target, NULL, MS_BIND, NULL, error);
}

static int mount_in(const char *path, const char *name, const char *type, unsigned long flags, const char *data,
                    Error *error) {
        _cleanup_free_ char *folder = str_printf("%s/%s", path, name);

        if (!folder)
                return -ENOMEM;
        if (mkdir(folder, 0755) < 0)
                return error_set_errno(error, -errno, "cannot make %s", folder);
        return enter_mount(type, folder, type, flags, data, error);
}

int enter_mount_dev(const char *path, Error *error) {
        int r;

        r = enter_mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755", error);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(devices); i++)
                r = bind_device(path, devices[i], error);
        if (r >= 0)
                r = mount_in(path, "pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5",
                             error);
        if (r >= 0)
                r = mount_in(path, "shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", error);
        if (r >= 0)
                r = mount_in(path, "mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, error);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(links); i++) {
                _cleanup_free_ char *link = str_printf("%s/%s", path, links[i].name);

                if (!link)
                        return -ENOMEM;
                if (symlink(links[i].target, link) < 0)
                        r = error_set_errno(error, -errno, "cannot make %s", link);
        }
        return r;
}
