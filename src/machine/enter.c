#include "machine/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "machine/switch.h"

#define INIT "/usr/sbin/faering-init"

/* What reaches beyond a machine's namespaces: the kernel's modules, clock, ports, log and security policy. */
static const int dropped[] = {
        CAP_SYS_MODULE, CAP_SYS_TIME, CAP_SYS_BOOT, CAP_SYS_RAWIO, CAP_SYSLOG, CAP_MAC_ADMIN, CAP_MAC_OVERRIDE,
};

int enter_drop_capabilities(Error *error) {
        for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
                /* EINVAL: a kernel that does not know it */
                if (prctl(PR_CAPBSET_DROP, dropped[i], 0, 0, 0) < 0 && errno != EINVAL)
                        return error_set_errno(error, -errno, "cannot give up capability %d", dropped[i]);
        return 0;
}

static int wait_for_cable(const Enter *enter, Error *error) {
        char byte;
        ssize_t n;

        do
                n = read(enter->go, &byte, 1);
        while (n < 0 && errno == EINTR);
        if (n != 1)
                return error_set(error, -EPIPE, "the machine was given up before it was made");
        return 0;
}

/* Back from a chroot to the root of the own mount namespace: entering a mount namespace does that, also the own one. */
static int leave_chroot(Error *error) {
        _cleanup_close_ int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

        return own < 0 || setns(own, CLONE_NEWNS) < 0
                       ? error_set_errno(error, -errno, "cannot enter the own mount namespace anew")
                       : 0;
}

/* The machine's root becomes that of the namespace, and not only of this process: whoever enters the namespace later
 * (exec, container runtimes) must find the machine there, also when all this began in a chroot. */
static int change_root(const char *root, Error *error) {
        _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return error_set_errno(error, -errno, "cannot open %s", root);
        r = leave_chroot(error);
        if (r < 0)
                return r;
        if (fchdir(fd) < 0)
                return error_set_errno(error, -errno, "cannot enter %s", root);
        /* with the old root on top of the new one, from where it is taken away: no folder is needed for it */
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                return error_set_errno(error, -errno, "cannot make %s the root", root);
        if (umount2(".", MNT_DETACH) < 0)
                return error_set_errno(error, -errno, "cannot let go of the host's root");
        return chdir("/") < 0 ? error_set_errno(error, -errno, "cannot enter the machine's root") : 0;
}

static int become_init(const Enter *enter, Error *error) {
        _cleanup_free_ char *fd = str_printf("%d", enter->status);
        char *const arguments[] = {(char *)(uintptr_t) "faering-init", (char *)(uintptr_t) "--status-fd", fd, NULL};
        char *const environment[] = {(char *)(uintptr_t) "container=faering", NULL};

        if (!fd)
                return -ENOMEM;
        if (fcntl(enter->status, F_SETFD, 0) < 0)
                return error_set_errno(error, -errno, "cannot hand on the status pipe");
        (void)execve(INIT, arguments, environment);
        return error_set_errno(error, -errno, "cannot execute " INIT);
}

int enter_run(const Enter *enter, Error *error) {
        _cleanup_free_ char *root = str_printf("%s/%s/root", enter->directory, enter->machine);
        int r;

        if (!root)
                return -ENOMEM;
        r = wait_for_cable(enter, error);
        if (r < 0)
                return r;
        /* only now: the top of the namespace is the group that we are in at this moment */
        if (unshare(CLONE_NEWCGROUP) < 0)
                return error_set_errno(error, -errno, "cannot make a control group namespace");
        if (sethostname(enter->machine, strlen(enter->machine)) < 0)
                return error_set_errno(error, -errno, "cannot set the host name");
        r = switch_configure_machine(enter->address, error);
        if (r >= 0)
                r = enter_mount_all(enter, root, error);
        if (r >= 0)
                r = change_root(root, error);
        if (r >= 0)
                r = enter_drop_capabilities(error);
        return r < 0 ? r : become_init(enter, error);
}
