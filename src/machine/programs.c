#include "machine/programs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <sys/stat.h>

#include "host/file.h"

enum { COPY_PIECE = 1 << 20 };

#define UNITS "usr/lib/systemd/system"

/* ---- copying and linking ---- */

static int copy_file(const char *from, const char *to, mode_t mode) {
        _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
        ssize_t n;

        if (in < 0)
                return -errno;
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
        if (out < 0)
                return -errno;
        while ((n = copy_file_range(in, NULL, out, NULL, COPY_PIECE, 0)) > 0)
                ;
        if (n < 0)
                return -errno;
        return fchmod(out, mode & 0777) < 0 ? -errno : 0;
}

static int link_file(const FTSENT *entry, const char *to) {
        char target[PATH_MAX];
        ssize_t n;

        if (unlink(to) < 0 && errno != ENOENT)
                return -errno;
        if (entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE) {
                n = readlink(entry->fts_accpath, target, sizeof(target) - 1);
                if (n < 0)
                        return -errno;
                target[n] = '\0';
                return symlink(target, to) < 0 ? -errno : 0;
        }
        if (link(entry->fts_accpath, to) == 0)
                return 0;
        return errno == EXDEV || errno == EPERM || errno == EMLINK
                       ? copy_file(entry->fts_accpath, to, entry->fts_statp->st_mode)
                       : -errno;
}

int programs_link(const char *from, const char *to, Error *error) {
        char *const paths[] = {(char *)(uintptr_t)from, NULL};
        FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        FTSENT *entry;
        int r = 0;

        if (!tree)
                return error_set_errno(error, -errno, "cannot read %s", from);
        while (r >= 0 && (entry = fts_read(tree))) {
                _cleanup_free_ char *path = str_printf("%s%s", to, entry->fts_path + strlen(from));

                if (!path)
                        r = -ENOMEM;
                else if (entry->fts_info == FTS_D)
                        r = file_make_folder(path, 0755, error);
                else if (entry->fts_info == FTS_F || entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE)
                        r = link_file(entry, path);
                else if (entry->fts_info != FTS_DP)
                        r = entry->fts_errno ? -entry->fts_errno : -EINVAL;
                if (r < 0 && !(error && error->text[0]))
                        (void)error_set_errno(error, r, "cannot put %s into %s", entry->fts_path, to);
        }
        (void)fts_close(tree);
        return r;
}

/* ---- gathering ---- */

typedef struct Gathering {
        const char *to;
} Gathering;

static int take(const Gathering *g, const char *from, const char *folder, const char *name, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s/%s", g->to, folder, name);
        struct stat status;
        int r;

        if (!path)
                return -ENOMEM;
        if (stat(from, &status) < 0)
                return errno == ENOENT ? 0 : error_set_errno(error, -errno, "cannot look at %s", from);
        if (!S_ISREG(status.st_mode))
                return 0;
        if (unlink(path) < 0 && errno != ENOENT)
                return error_set_errno(error, -errno, "cannot replace %s", path);
        r = copy_file(from, path, status.st_mode);
        return r < 0 ? error_set_errno(error, r, "cannot copy %s to %s", from, path) : 0;
}

/* All files of a folder whose names begin and end so. */
static int take_all(const Gathering *g, const char *from, const char *prefix, const char *suffix, const char *folder,
                    Error *error) {
        DIR *opened = opendir(from);
        struct dirent *entry;
        int r = 0;

        if (!opened)
                return errno == ENOENT || errno == ENOTDIR ? 0 : error_set_errno(error, -errno, "cannot read %s", from);
        while (r >= 0 && (entry = readdir(opened))) {
                _cleanup_free_ char *path = NULL;

                /* a build tree has FILE.p beside each program */
                if (!str_starts_with(entry->d_name, prefix) || !str_ends_with(entry->d_name, suffix) ||
                    (!*suffix && strchr(entry->d_name, '.')))
                        continue;
                path = str_printf("%s/%s", from, entry->d_name);
                r = path ? take(g, path, folder, entry->d_name, error) : -ENOMEM;
        }
        (void)closedir(opened);
        return r;
}

/* One folder for each of our subjects, the running program in one of them. */
static int gather_from_build(const Gathering *g, const char *own, Error *error) {
        static const char *const subjects[] = {"store", "fleet", "containers", "containers/shim", "host/shim", "boot", "machine"};
        _cleanup_free_ char *cli = str_printf("%s/../cli/faering", own),
                            *units = str_printf("%s/../../data/systemd", own);
        int r = cli && units ? take(g, cli, "usr/bin", "faering", error) : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(subjects); i++) {
                _cleanup_free_ char *path = str_printf("%s/../%s", own, subjects[i]);

                r = path ? take_all(g, path, "faering-", "", "usr/sbin", error) : -ENOMEM;
        }
        return r < 0 ? r : take_all(g, units, "", ".service", UNITS, error);
}

static int gather_from_installation(const Gathering *g, const char *own, Error *error) {
        _cleanup_free_ char *cli = str_printf("%s/../bin/faering", own),
                            *shim = str_printf("%s/../libexec/faering/faering-shim", own),
                            *unit_shim = str_printf("%s/../libexec/faering/faering-unit-shim", own);
        int r = cli && shim && unit_shim ? take(g, cli, "usr/bin", "faering", error) : -ENOMEM;

        if (r >= 0)
                r = take_all(g, own, "faering-", "", "usr/sbin", error);
        if (r >= 0)
                r = take(g, shim, "usr/sbin", "faering-shim", error);
        if (r >= 0)
                r = take(g, unit_shim, "usr/sbin", "faering-unit-shim", error);
        return r < 0 ? r : take_all(g, FAERING_UNITDIR, "faering-", ".service", UNITS, error);
}

/* Names under which old units, scripts and people call ours; in /usr/local/bin too, where the host may have others of that name that would be
 * found first. */
static const struct {
        const char *folder, *name, *target;
} links[] = {
        {"usr/bin", "etcdctl", "faering"},
        {"usr/bin", "fleetctl", "faering"},
        {"usr/bin", "docker", "faering"},
        {"usr/bin", "coreos-cloudinit", "faering"},
        {"usr/local/bin", "etcdctl", "../../bin/faering"},
        {"usr/local/bin", "fleetctl", "../../bin/faering"},
        {"usr/local/bin", "docker", "../../bin/faering"},
        {"usr/local/bin", "coreos-cloudinit", "../../bin/faering"},
        {UNITS, "etcd.service", "faering-store.service"},
        {UNITS, "etcd2.service", "faering-store.service"},
        {UNITS, "fleet.service", "faering-fleet.service"},
        {UNITS, "docker.service", "faering-containers.service"},
};

static bool is_there(const Gathering *g, const char *folder, const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s/%s", g->to, folder, name);

        return path && access(path, F_OK) == 0;
}

static int make_link(const Gathering *g, const char *folder, const char *name, const char *target, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s/%s", g->to, folder, name);

        if (!path)
                return -ENOMEM;
        if (unlink(path) < 0 && errno != ENOENT)
                return error_set_errno(error, -errno, "cannot replace %s", path);
        return symlink(target, path) < 0 ? error_set_errno(error, -errno, "cannot make %s", path) : 0;
}

static int make_links(const Gathering *g, Error *error) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(links); i++)
                if (is_there(g, links[i].folder, links[i].target))
                        r = make_link(g, links[i].folder, links[i].name, links[i].target, error);
        if (r >= 0 && is_there(g, UNITS, "faering-boot.service"))
                r = make_link(g, UNITS "/multi-user.target.wants", "faering-boot.service", "../faering-boot.service",
                              error);
        return r;
}

/* The units name programs where they are installed; a machine has them in /usr/sbin. */
static int link_installed_folder(const Gathering *g, Error *error) {
        _cleanup_free_ char *programs = str_printf("%s/usr/sbin", g->to),
                            *folder = str_printf("%s" FAERING_SBINDIR, g->to);
        struct dirent *entry;
        DIR *opened;
        int r;

        if (str_equals(FAERING_SBINDIR, "/usr/sbin"))
                return 0;
        r = programs && folder ? file_make_folder(folder, 0755, error) : -ENOMEM;
        opened = r >= 0 ? opendir(programs) : NULL;
        while (r >= 0 && opened && (entry = readdir(opened)))
                if (str_starts_with(entry->d_name, "faering-")) {
                        _cleanup_free_ char *target = str_printf("/usr/sbin/%s", entry->d_name);

                        r = target ? make_link(g, &FAERING_SBINDIR[1], entry->d_name, target, error) : -ENOMEM;
                }
        if (opened)
                (void)closedir(opened);
        return r;
}

static int note_missing(const Gathering *g, StringList *missing) {
        static const char *const needed[] = {"faering-init",       "faering-store", "faering-fleet",
                                             "faering-containers", "faering-shim",  "faering-unit-shim",
                                             "faering-boot"};
        int r = is_there(g, "usr/bin", "faering") ? 0 : string_list_add(missing, "faering");

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(needed); i++)
                if (!is_there(g, "usr/sbin", needed[i]))
                        r = string_list_add(missing, needed[i]);
        return r;
}

int programs_gather(const char *to, StringList *missing, Error *error) {
        static const char *const folders[] = {"usr/bin", "usr/sbin", "usr/local/bin", UNITS "/multi-user.target.wants"};
        _cleanup_free_ char *build_mark = NULL;
        Gathering gathering = {.to = to};
        _cleanup_free_ char *own = file_program_folder();
        int r = own ? 0 : error_set(error, -ENOENT, "cannot find the running program (is /proc mounted?)");

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(folders); i++) {
                _cleanup_free_ char *folder = str_printf("%s/%s", to, folders[i]);

                r = folder ? file_make_folder(folder, 0755, error) : -ENOMEM;
        }
        if (r < 0)
                return r;
        build_mark = str_printf("%s/../cli/faering", own);
        if (!build_mark)
                return -ENOMEM;
        r = access(build_mark, F_OK) == 0 ? gather_from_build(&gathering, own, error)
                                          : gather_from_installation(&gathering, own, error);
        if (r >= 0)
                r = make_links(&gathering, error);
        if (r >= 0)
                r = link_installed_folder(&gathering, error);
        return r < 0 ? r : note_missing(&gathering, missing);
}
