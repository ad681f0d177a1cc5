/* The small process that makes shims and units' processes for us: started when it is needed, and anew when it has ended. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/pass-files.h"
#include "host/embedded-internal.h"

/* It answers as soon as the kernel has made two processes. */
enum { ANSWER_WAIT_SEC = 10 };

struct Spawner {
        Embedded *owner;
        Process process;
        int fd;
};

/* ---- birth and end ---- */

static void on_exited(Process *process, int code, int status) {
        (void)code;
        (void)status;
        process_close(process);
}

/* Shims that it had made are our children from here on. */
static void on_closed(Process *process) {
        Spawner *spawner = process->owner;
        Embedded *e = spawner->owner;

        if (e->spawner == spawner)
                e->spawner = NULL;
        if (spawner->fd >= 0)
                (void)close(spawner->fd);
        free(spawner);
        e->n_spawners--;
        embedded_wake(e);
}

static const ProcessEvents spawner_events = {.exited = on_exited, .closed = on_closed};

static int start(Embedded *e, Spawner *spawner, int theirs, Error *error) {
        char room[UNIT_SHIM_TITLE_MAX];
        const char *argv[] = {"faering-unit-shim", UNIT_SHIM_SPAWNER_WORD, room, NULL};
        const ProcessOptions options = {
                .path = e->shim,
                .argv = argv,
                .fds = {-1, -1, -1},
                .passed_fds = &theirs,
                .n_passed_fds = 1,
                .new_session = true,
        };

        memset(room, ' ', sizeof(room) - 1);
        room[sizeof(room) - 1] = '\0';
        return process_spawn(&spawner->process, e->loop, &e->reaper, &options, &spawner_events, spawner, error);
}

static int spawner_new(Embedded *e, Error *error) {
        const struct timeval wait = {.tv_sec = ANSWER_WAIT_SEC};
        _cleanup_close_ int ours = -1, theirs = -1;
        _cleanup_free_ Spawner *spawner = calloc(1, sizeof(*spawner));
        int pair[2], r;

        if (!spawner)
                return error_set_errno(error, -ENOMEM, "cannot start %s", e->shim);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set_errno(error, -errno, "cannot make a connection to %s", e->shim);
        ours = pair[0];
        theirs = pair[1];
        if (setsockopt(ours, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
                return error_set_errno(error, -errno, "cannot set up a connection to %s", e->shim);
        spawner->owner = e;
        r = start(e, spawner, theirs, error);
        if (r < 0)
                return r;
        spawner->fd = take_fd(ours);
        e->spawner = take_ptr(spawner);
        e->n_spawners++;
        return 0;
}

void spawner_close(Embedded *e) {
        if (e->spawner)
                process_close(&e->spawner->process);
        e->spawner = NULL;
}

/* ---- asking ---- */

/* The files go with the first byte. */
static int send_all(int fd, Slice rest, const int *files, size_t n_files) {
        while (rest.length > 0) {
                ssize_t n = pass_files_send(fd, rest.data, rest.length, files, n_files);

                if (n < 0)
                        return (int)n;
                rest = (Slice){rest.data + n, rest.length - (size_t)n};
                n_files = 0;
        }
        return 0;
}

/* To one that has ended meanwhile nothing was sent: the next one gets it, whole. */
static int ask(Embedded *e, const Buffer *bytes, const int *files, size_t n_files, Error *error) {
        for (int i = 0;; i++) {
                int r = e->spawner ? 0 : spawner_new(e, error);

                if (r < 0)
                        return r;
                r = send_all(e->spawner->fd, (Slice){buffer_data(bytes), buffer_length(bytes)}, files, n_files);
                if (r >= 0)
                        return 0;
                spawner_close(e);
                if (i > 0 || (r != -EPIPE && r != -ECONNRESET))
                        return error_set_errno(error, r, "cannot reach the process that makes processes (%s)", e->shim);
        }
}

/* The first word on the new shim's own connection: its end says for certain that nothing was begun, or nothing is left of it. */
static int hear(int connection, UnitShimMessage *ret) {
        struct pollfd wait = {.fd = connection, .events = POLLIN};
        char text[256];
        ssize_t n;
        int r;

        do
                r = poll(&wait, 1, ANSWER_WAIT_SEC * 1000);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
                return r < 0 ? -errno : -ETIMEDOUT;
        n = recv(connection, text, sizeof(text), MSG_DONTWAIT);
        if (n <= 0)
                return n < 0 ? -errno : -ECONNRESET;
        return unit_shim_message_read((Slice){text, (size_t)n}, ret);
}

int spawner_make(Embedded *e, SpawnRequest *request, int connection, SpawnMade *ret, Error *error) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        int files[SPAWN_FILES_MAX], r;
        UnitShimMessage message = {0};
        size_t n = 0;

        r = spawn_request_write(request, &bytes, files, &n);
        if (r < 0)
                return error_set_errno(error, r, "cannot ask for a process of %s", request->unit);
        r = ask(e, &bytes, files, n, error);
        if (r < 0)
                return r;
        (void)close(take_fd(request->control)); /* or its end would not be seen here */
        r = hear(connection, &message);
        if (r >= 0 && message.kind == UNIT_SHIM_BORN) {
                *ret = (SpawnMade){message.shim, message.child};
                return 0;
        }
        if (r >= 0 && message.kind == UNIT_SHIM_REFUSED)
                return error_set_errno(error, -message.failure, "cannot make a process");
        spawner_close(e); /* of one that is not well nothing comes any more */
        return error_set_errno(error, r < 0 ? r : -EBADMSG, "the process that makes processes (%s) has ended, or does not answer", e->shim);
}
