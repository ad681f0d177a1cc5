/* The machine's file systems. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/str.h"
#include "host/file.h"
#include "machine/enter.h"
#include "machine/hierarchy.h"

int enter_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data,
                Error *error) {
        if (mount(source, target, type, flags, data) == 0)
                return 0;
        return error_set_errno(error, -errno, "cannot mount %s (%s) at %s", source ?: "anew", type ?: "bind", target);
}

static int mount_below(const char *root, const char *source, const char *target, const char *type, unsigned long flags,
                       const char *data, Error *error) {
        _cleanup_free_ char *path = str_printf("%s%s", root, target);

        return path ? enter_mount(source, path, type, flags, data, error) : -ENOMEM;
}

static int mount_root(const Enter *enter, const char *root, Error *error) {
        _cleanup_free_ char *data = str_printf("lowerdir=/,upperdir=%s/%s/upper,workdir=%s/%s/work", enter->directory,
                                               enter->machine, enter->directory, enter->machine);
        _cleanup_free_ char *var = str_printf("%s/%s/var", enter->directory, enter->machine);
        int r;

        if (!data || !var)
                return -ENOMEM;
        r = enter_mount("overlay", root, "overlay", 0, data, error);
        return r < 0 ? r : mount_below(root, var, "/var", NULL, MS_BIND, NULL, error);
}

/* ---- /proc ---- */

/* What acts on the whole host: seen, not written. Absence is fine. */
static const char *const read_only_proc[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"};
/* What shows the whole host's memory. */
static const char *const hidden_proc[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list"};

static int make_read_only(const char *root, const char *path, Error *error) {
        _cleanup_free_ char *full = str_printf("%s%s", root, path);
        int r;

        if (!full)
                return -ENOMEM;
        if (access(full, F_OK) < 0)
                return 0;
        r = enter_mount(full, full, NULL, MS_BIND, NULL, error);
        return r < 0 ? r
                     : enter_mount(NULL, full, NULL,
                                   MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, error);
}

/* The settings of the own network stay the machine's. */
static int free_network_settings(const char *root, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/proc/sys/net", root);
        int r = path ? enter_mount(path, path, NULL, MS_BIND, NULL, error) : -ENOMEM;

        return r < 0 ? r
                     : enter_mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL,
                                   error);
}

static int mount_proc(const char *root, Error *error) {
        int r;

        r = mount_below(root, "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, error);
        if (r >= 0)
                r = make_read_only(root, "/proc/sys", error);
        if (r >= 0)
                r = free_network_settings(root, error);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(read_only_proc); i++)
                r = make_read_only(root, read_only_proc[i], error);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(hidden_proc); i++) {
                _cleanup_free_ char *path = str_printf("%s%s", root, hidden_proc[i]);

                if (!path)
                        return -ENOMEM;
                if (access(path, F_OK) == 0)
                        r = enter_mount("/dev/null", path, NULL, MS_BIND, NULL, error);
        }
        return r;
}

/* ---- /sys ---- */

static int mount_sys(const char *root, Error *error) {
        _cleanup_free_ char *cgroups = str_printf("%s/sys/fs/cgroup", root);
        int r;

        if (!cgroups)
                return -ENOMEM;
        r = mount_below(root, "sysfs", "/sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, error);
        return r < 0 ? r : enter_mount_cgroups(cgroups, error);
}

/* "cpu,cpuacct" is mounted under that name; cpu and cpuacct lead to it. */
static int link_controllers(const char *path, const char *controllers, Error *error) {
        Slice rest = slice_from(controllers), word;

        if (!strchr(controllers, ','))
                return 0;
        while (slice_split(&rest, ',', &word)) {
                _cleanup_free_ char *link = str_printf("%s/%.*s", path, (int)word.length, word.data);

                if (!link)
                        return -ENOMEM;
                if (symlink(controllers, link) < 0)
                        return error_set_errno(error, -errno, "cannot make %s", link);
        }
        return 0;
}

static int mount_legacy(const char *path, const Hierarchy *hierarchy, Error *error) {
        bool named = str_starts_with(hierarchy->controllers, "name=");
        const char *name = hierarchy->controllers + (named ? strlen("name=") : 0);
        _cleanup_free_ char *folder = str_printf("%s/%s", path, name);
        _cleanup_free_ char *data = str_printf("%s%s", named ? "none," : "", hierarchy->controllers);
        int r;

        if (!folder || !data)
                return -ENOMEM;
        if (mkdir(folder, 0755) < 0)
                return error_set_errno(error, -errno, "cannot make %s", folder);
        r = enter_mount("cgroup", folder, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, data, error);
        return r < 0 ? r : link_controllers(path, hierarchy->controllers, error);
}

int enter_mount_cgroups(const char *path, Error *error) {
        _cleanup_hierarchies_ Hierarchies all = {0};
        const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
        int r;

        r = hierarchies_read(&all, error);
        if (r < 0 || all.length == 0)
                return r;
        if (all.items[0].unified)
                return enter_mount("cgroup2", path, "cgroup2", flags, NULL, error);
        r = enter_mount("tmpfs", path, "tmpfs", flags, "mode=755", error);
        for (size_t i = 0; r >= 0 && i < all.length; i++)
                r = mount_legacy(path, &all.items[i], error);
        return r < 0 ? r : enter_mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL, error);
}

/* ---- all ---- */

static int make_folder(const char *root, const char *path, mode_t mode, Error *error) {
        _cleanup_free_ char *full = str_printf("%s%s", root, path);

        if (!full)
                return -ENOMEM;
        return mkdir(full, mode) < 0 && errno != EEXIST ? error_set_errno(error, -errno, "cannot make %s", full) : 0;
}

/* The other machines' disks lie on the host's root, which shines through. */
static int hide_disks(const Enter *enter, const char *root, Error *error) {
        _cleanup_free_ char *path = str_printf("%s%s", root, enter->directory);

        if (!path)
                return -ENOMEM;
        if (access(path, F_OK) < 0)
                return 0; /* below /var, /tmp or /run, which are the machine's own */
        return enter_mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=000,size=4k", error);
}

int enter_mount_all(const Enter *enter, const char *root, Error *error) {
        static const char *const points[] = {"/var", "/proc", "/sys", "/dev", "/run", "/tmp"};
        _cleanup_free_ char *dev = str_printf("%s/dev", root), *upper = NULL;
        int r;

        upper = str_printf("%s/%s/upper", enter->directory, enter->machine);
        if (!dev || !upper)
                return -ENOMEM;
        r = enter_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL, error);
        /* mount points that a bare host root may lack */
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(points); i++)
                if (access(points[i], F_OK) < 0)
                        r = make_folder(upper, points[i], 0755, error);
        if (r >= 0)
                r = mount_root(enter, root, error);
        if (r >= 0)
                r = mount_proc(root, error);
        if (r >= 0)
                r = mount_sys(root, error);
        if (r >= 0)
                r = enter_mount_dev(dev, error);
        if (r >= 0)
                r = mount_below(root, "tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755", error);
        if (r >= 0)
                r = make_folder(root, "/run/lock", 01777, error);
        if (r >= 0)
                r = mount_below(root, "tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", error);
        return r < 0 ? r : hide_disks(enter, root, error);
}
