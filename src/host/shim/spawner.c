#include "host/shim/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

enum { READ_SIZE = 64 * 1024, KEPT_MAX = 256 * 1024 };

/* A request as it comes in. */
typedef struct Arrival {
        Buffer bytes;
        int files[SPAWN_FILES_MAX];
        size_t n_files;
} Arrival;

static void take_files(struct msghdr *message, Arrival *arrival) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || n > SPAWN_FILES_MAX - arrival->n_files)
                        continue;
                memcpy(arrival->files + arrival->n_files, CMSG_DATA(c), n * sizeof(int));
                arrival->n_files += n;
        }
}

static void close_files(Arrival *arrival) {
        for (size_t i = 0; i < arrival->n_files; i++)
                (void)close(arrival->files[i]);
        arrival->n_files = 0;
}

/* More of it: false at the connection's end. */
static bool receive(int connection, Arrival *arrival, size_t length) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(SPAWN_FILES_MAX * sizeof(int))];
        } control;
        struct iovec vector = {buffer_reserve(&arrival->bytes, length), length};
        struct msghdr message = {
                .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n;

        if (!vector.iov_base)
                return false;
        do
                n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return false;
        buffer_commit(&arrival->bytes, (size_t)n);
        take_files(&message, arrival);
        return true;
}

/* A whole one. The supervisor sends the next when it has heard what became of this, so nothing of that is read here. */
static bool receive_request(int connection, Arrival *arrival) {
        size_t length;

        if (!receive(connection, arrival, READ_SIZE))
                return false;
        while (buffer_length(&arrival->bytes) < SPAWN_REQUEST_HEAD)
                if (!receive(connection, arrival, READ_SIZE))
                        return false;
        length = spawn_request_length(buffer_data(&arrival->bytes));
        while (length > 0 && buffer_length(&arrival->bytes) < SPAWN_REQUEST_HEAD + length)
                if (!receive(connection, arrival, SPAWN_REQUEST_HEAD + length - buffer_length(&arrival->bytes)))
                        return false;
        return length > 0 && buffer_length(&arrival->bytes) == SPAWN_REQUEST_HEAD + length;
}

static void refuse(int control, int error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (unit_shim_message_write(&(UnitShimMessage){.kind = UNIT_SHIM_REFUSED, .failure = error}, &text) >= 0)
                (void)send(control, buffer_data(&text), buffer_length(&text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What is closed here ends with the process that was made, or if there is none: who waits at the other end then knows. */
static void serve(int connection, Arrival *arrival, ProcessTitle title) {
        static SpawnRequestRead read;
        int r = spawn_request_read(buffer_data(&arrival->bytes) + SPAWN_REQUEST_HEAD,
                                   buffer_length(&arrival->bytes) - SPAWN_REQUEST_HEAD, arrival->files, arrival->n_files, &read);
        pid_t pid;

        if (r >= 0) {
                pid = fork();
                if (pid == 0) {
                        (void)close(connection);
                        birth_of_shim(&read.request, title);
                }
                r = pid < 0 ? -errno : 0;
                spawn_request_read_deinit(&read);
        }
        if (r < 0 && arrival->n_files > 0)
                refuse(arrival->files[0], -r);
}

int spawner_run(int connection, ProcessTitle title) {
        Arrival arrival = {.bytes = BUFFER_INIT_LIMIT(SPAWN_REQUEST_HEAD + SPAWN_REQUEST_MAX + READ_SIZE)};
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigset_t all;

        (void)sigfillset(&all); /* whoever wants its end closes the connection */
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        (void)sigaction(SIGCHLD, &ignore, NULL); /* shims are reaped by the kernel */
        (void)fcntl(connection, F_SETFD, FD_CLOEXEC);
        while (receive_request(connection, &arrival)) {
                serve(connection, &arrival, title);
                close_files(&arrival);
                buffer_clear(&arrival.bytes);
                if (arrival.bytes.capacity > KEPT_MAX)
                        buffer_deinit(&arrival.bytes);
        }
        close_files(&arrival);
        buffer_deinit(&arrival.bytes);
        return EXIT_SUCCESS;
}
