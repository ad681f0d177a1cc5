#include "base/pass-files.h"
#include "host/shim/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "host/file.h"

enum { READ_SIZE = 4 * 1024 }; /* most requests are shorter, and their memory stays with the shim */

/* A request as it comes in. */
typedef struct Arrival {
        Buffer bytes;
        int files[SPAWN_FILES_MAX];
        size_t n_files;
} Arrival;

static void close_files(Arrival *arrival) {
        for (size_t i = 0; i < arrival->n_files; i++)
                (void)close(arrival->files[i]);
        arrival->n_files = 0;
}

/* More of it: false at the connection's end. */
static bool receive(int connection, Arrival *arrival, size_t length) {
        void *room = buffer_reserve(&arrival->bytes, length);
        ssize_t n = room ? pass_files_receive(connection, room, length, arrival->files, SPAWN_FILES_MAX, &arrival->n_files) : 0;

        if (n <= 0)
                return false;
        buffer_commit(&arrival->bytes, (size_t)n);
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

static void take_request(Arrival *arrival, ProcessTitle title) {
        static SpawnRequestRead read;
        int r = spawn_request_read(buffer_data(&arrival->bytes) + SPAWN_REQUEST_HEAD,
                                   buffer_length(&arrival->bytes) - SPAWN_REQUEST_HEAD, arrival->files, arrival->n_files, &read);

        if (r >= 0)
                birth_of_shim(&read.request, title);
        if (arrival->n_files > 0)
                refuse(arrival->files[0], -r);
}

/* Waits for a request in the spawner's place. Once it has it, `taken` tells the spawner, and it becomes the shim that was asked for. */
static _Noreturn void be_spare(int connection, int taken, ProcessTitle title) {
        Arrival arrival = {.bytes = BUFFER_INIT_LIMIT(SPAWN_REQUEST_HEAD + SPAWN_REQUEST_MAX + READ_SIZE)};

        if (!receive_request(connection, &arrival))
                _exit(EXIT_SUCCESS);
        (void)file_write_all(taken, (Slice){"", 1}); /* the spawner may have ended: then nobody needs to know */
        (void)close(taken);
        (void)close(connection);
        take_request(&arrival, title);
        _exit(EXIT_FAILURE);
}

/* Where no spare can be made, whoever asks hears why. */
static bool refuse_one(int connection, int error) {
        Arrival arrival = {.bytes = BUFFER_INIT_LIMIT(SPAWN_REQUEST_HEAD + SPAWN_REQUEST_MAX + READ_SIZE)};
        bool received = receive_request(connection, &arrival);

        if (received && arrival.n_files > 0)
                refuse(arrival.files[0], error);
        close_files(&arrival);
        buffer_deinit(&arrival.bytes);
        return received;
}

/* Makes a spare, and waits until it is needed. False: it has ended before, with the connection, or perhaps in the middle of a request. */
static bool make_spare(int connection, ProcessTitle title) {
        _cleanup_close_ int told = -1;
        int pair[2];
        ssize_t n;
        pid_t pid;
        char one;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return refuse_one(connection, errno);
        told = pair[0];
        pid = fork();
        if (pid == 0) {
                (void)close(told);
                be_spare(connection, pair[1], title);
        }
        (void)close(pair[1]);
        if (pid < 0)
                return refuse_one(connection, EAGAIN);
        do
                n = read(told, &one, 1);
        while (n < 0 && errno == EINTR);
        return n == 1;
}

int spawner_run(int connection, ProcessTitle title) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigset_t all;

        (void)sigfillset(&all); /* whoever wants its end closes the connection */
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        (void)sigaction(SIGCHLD, &ignore, NULL); /* shims are reaped by the kernel */
        (void)fcntl(connection, F_SETFD, FD_CLOEXEC);
        while (make_spare(connection, title))
                ;
        return EXIT_SUCCESS;
}
