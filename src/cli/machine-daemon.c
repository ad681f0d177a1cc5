#include "cli/machine-daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "host/file.h"

enum { STARTER_FD = 3, LOG_MAX = 64 * 1024 };

/* Beside us in a build tree, or in the installation's sbin. */
static int find_machines(char **ret, Error *error) {
        static const char *const places[] = {"../machine/faering-machines", "../sbin/faering-machines", "faering-machines"};

        *ret = file_beside_program(places, ARRAY_SIZE(places));
        if (!*ret)
                return error_set(error, -ENOENT, "faering-machines is neither beside this program nor in ../sbin from there; is the package whole?");
        return 0;
}

/* In the child's child: nothing of the terminal but the socket. */
_Noreturn static void become_daemon(const char *path, char *const *argv, int log, int socket) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        /* above the numbers that are given out */
        int lifted = fcntl(socket, F_DUPFD_CLOEXEC, STARTER_FD + 1),
            lifted_log = fcntl(log, F_DUPFD_CLOEXEC, STARTER_FD + 1);

        if (null >= 0 && lifted >= 0 && lifted_log >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
            dup2(lifted_log, STDOUT_FILENO) >= 0 && dup2(lifted_log, STDERR_FILENO) >= 0 &&
            dup2(lifted, STARTER_FD) >= 0 && chdir("/") == 0)
                (void)execv(path, argv);
        _exit(CHAR_MAX);
}

/* Twice a child, so that it is nobody's zombie, in a session of its own. */
static int launch(const char *path, char *const *argv, int log, int socket, Error *error) {
        pid_t child = fork();
        int status;

        if (child < 0)
                return error_set_errno(error, -errno, "cannot start faering-machines");
        if (child == 0) {
                (void)setsid();
                child = fork();
                if (child == 0)
                        become_daemon(path, argv, log, socket);
                _exit(child < 0);
        }
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return error_set_errno(error, -errno, "cannot start faering-machines");
        return status == 0 ? 0
                           : error_set(error, -EAGAIN, "cannot start faering-machines: there are too many processes");
}

/* The daemon's last words, of its log. */
static void last_words(const char *log, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice rest, line, last = {"it ended without a word", strlen("it ended without a word")};

        if (file_read(log, LOG_MAX, &text, NULL) >= 0 && buffer_length(&text) > 0) {
                rest = (Slice){buffer_data(&text), buffer_length(&text)};
                while (slice_split(&rest, '\n', &line))
                        if (line.length > 0)
                                last = line;
        }
        (void)error_set(error, 0, "%.*s", (int)last.length, last.data);
}

static int wait_until_ready(int socket) {
        char byte;
        ssize_t n;

        do
                n = read(socket, &byte, 1);
        while (n < 0 && errno == EINTR);
        if (n == 1) {
                char rest[16];

                (void)recv(socket, rest, sizeof(rest), MSG_DONTWAIT); /* of the word */
                return 0;
        }
        return -EREMOTEIO;
}

static int start(const char *directory, const char *programs, const char *log_path, int *ret_starter, Error *error) {
        _cleanup_close_ int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        _cleanup_close_ int ours = -1, theirs = -1;
        _cleanup_free_ char *path = NULL;
        const char *argv[8] = {"faering-machines", "--dir", directory,
                               "--starter-fd",     "3",     programs ? "--programs" : NULL,
                               programs,           NULL};
        int pair[2], r;

        if (log < 0)
                return error_set_errno(error, -errno, "cannot write %s", log_path);
        r = find_machines(&path, error);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set_errno(error, -errno, "cannot make a socket");
        ours = pair[0];
        theirs = pair[1];
        r = launch(path, (char *const *)(uintptr_t)argv, log, theirs, error);
        if (r < 0)
                return r;
        (void)close(take_fd(theirs));
        r = wait_until_ready(ours);
        if (r < 0) {
                last_words(log_path, error);
                return r;
        }
        *ret_starter = take_fd(ours);
        return 0;
}

/* By another daemon, which came first. */
static bool is_served(const char *directory) {
        _cleanup_free_ char *path = str_printf("%s/control.sock", directory);

        return path && access(path, F_OK) == 0;
}

int machine_daemon_start(const char *directory, const char *programs, int *ret_starter, Error *error) {
        _cleanup_free_ char *log_path = str_printf("%s/machines.log", directory);
        int r;

        if (!log_path)
                return error_set_errno(error, -ENOMEM, "cannot start faering-machines");
        r = file_make_folder(directory, 0700, error);
        if (r < 0)
                return r;
        r = start(directory, programs, log_path, ret_starter, error);
        if (r < 0 && !is_served(directory)) {
                (void)unlink(log_path);
                (void)rmdir(directory); /* if it is empty */
        }
        return r;
}

void machine_daemon_release(int starter) {
        (void)send(starter, "k", 1, MSG_NOSIGNAL);
        (void)close(starter);
}

void machine_daemon_abandon(int starter) {
        char byte;
        ssize_t n;

        (void)shutdown(starter, SHUT_WR);
        do
                n = read(starter, &byte, 1);
        while (n > 0 || (n < 0 && errno == EINTR));
        (void)close(starter);
}
