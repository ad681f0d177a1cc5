#include "containers/shim/runtime-call.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"

/* crun refuses to work where version 2 of the cgroups lies, with controllers, beside version 1. In a mount namespace
 * without it, it sees version 1 alone. Unmounts still come through from outside, so that no container's root stays
 * behind here. */
static int hide_mount(const char *path) {
        if (unshare(CLONE_NEWNS) < 0)
                return -errno;
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return -errno;
        if (umount2(path, MNT_DETACH) < 0)
                return errno == EINVAL || errno == ENOENT ? 0 : -errno; /* it need not be there */
        /* crun still makes a folder there for what /proc/self/cgroup has of version 2, and the place may be read-only */
        return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=64k") < 0 ? -errno : 0;
}

static int place_fds(const int fds[3]) {
        int kept[3];

        /* out of the way first: one of them may be 0, 1 or 2 itself */
        for (int i = 0; i < 3; i++) {
                kept[i] = fds[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : fds[i];
                kept[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, 3);
                if (kept[i] < 0)
                        return -errno;
        }
        for (int i = 0; i < 3; i++)
                if (dup2(kept[i], i) < 0)
                        return -errno;
        return 0;
}

int runtime_call_exec(const RuntimeCall *call) {
        sigset_t none;
        int r = 0;

        if (call->hide)
                r = hide_mount(call->hide);
        if (r >= 0)
                r = place_fds(call->fds);
        if (r < 0)
                return r;
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGPIPE, SIG_DFL);
        (void)execv(call->argv[0], call->argv);
        return -errno;
}

int runtime_call_start(const RuntimeCall *call, pid_t *ret_pid, Error *error) {
        pid_t pid = fork();

        if (pid < 0)
                return error_set_errno(error, -errno, "cannot start %s", call->argv[0]);
        if (pid == 0) {
                (void)runtime_call_exec(call);
                _exit(127); /* as a shell says that there is no such program */
        }
        *ret_pid = pid;
        return 0;
}
