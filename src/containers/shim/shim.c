#include "containers/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Relative, since a container's directory may lie deeper than a socket's address has room. */
static int listen_here(Shim *shim) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SHIM_SOCKET};

        (void)unlink(SHIM_SOCKET);
        shim->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (shim->listener < 0)
                return -errno;
        if (bind(shim->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(shim->listener, SHIM_CLIENTS_MAX) < 0)
                return -errno;
        return 0;
}

static int watch_signals(Shim *shim) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        /* whoever wants the container's end must say so to the engine */
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGPIPE);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        shim->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return shim->signals < 0 ? -errno : 0;
}

int shim_init(Shim *shim, const ShimOptions *options, Error *error) {
        int r;

        *shim = (Shim){.options = options,
                       .directory = -1,
                       .listener = -1,
                       .console = -1,
                       .signals = -1,
                       .input = -1,
                       .output = {-1, -1},
                       .theirs = {-1, -1, -1}};
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++)
                shim->clients[i].fd = -1;
        if (chdir(options->directory) < 0)
                return error_set_errno(error, -errno, "cannot enter %s", options->directory);
        shim->directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (shim->directory < 0)
                return error_set_errno(error, -errno, "cannot open %s", options->directory);
        r = listen_here(shim);
        if (r < 0)
                return error_set_errno(error, r, "cannot make the socket %s/" SHIM_SOCKET, options->directory);
        r = watch_signals(shim);
        if (r < 0)
                return error_set_errno(error, r, "cannot take signals");
        if (options->log_files == 0)
                return 0;
        r = log_file_open(&shim->log, shim->directory, SHIM_LOG, options->log_bytes, (unsigned)options->log_files,
                          error);
        shim->has_log = r >= 0;
        return r;
}

enum {
        POLL_LISTENER,
        POLL_SIGNALS,
        POLL_CONSOLE,
        POLL_OUTPUT,
        POLL_ERRORS,
        POLL_INPUT,
        POLL_CLIENTS,
        POLL_ALL = POLL_CLIENTS + SHIM_CLIENTS_MAX
};

static void fill_polls(const Shim *shim, struct pollfd polls[static POLL_ALL]) {
        bool stuck = shim_output_is_stuck(shim), full = buffer_length(&shim->input_pending) > SHIM_INPUT_PENDING_MAX;

        polls[POLL_LISTENER] = (struct pollfd){shim->listener, POLLIN, 0};
        polls[POLL_SIGNALS] = (struct pollfd){shim->signals, POLLIN, 0};
        polls[POLL_CONSOLE] = (struct pollfd){shim->console, POLLIN, 0};
        for (int i = 0; i < 2; i++)
                polls[POLL_OUTPUT + i] = (struct pollfd){stuck ? -1 : shim->output[i], POLLIN, 0};
        polls[POLL_INPUT] = (struct pollfd){buffer_length(&shim->input_pending) > 0 ? shim->input : -1, POLLOUT, 0};
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++) {
                const ShimClient *client = &shim->clients[i];
                bool held = full && client->streams & SHIM_WANTS_STDIN;

                polls[POLL_CLIENTS + i] = (struct pollfd){
                        client->fd, (short)((held ? 0 : POLLIN) | (buffer_length(&client->output) > 0 ? POLLOUT : 0)),
                        0};
        }
}

static void serve_signals(Shim *shim) {
        struct signalfd_siginfo info;

        while (read(shim->signals, &info, sizeof(info)) == sizeof(info))
                ;
        shim_reap(shim);
}

static void serve_clients(Shim *shim, const struct pollfd *polls) {
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++) {
                ShimClient *client = &shim->clients[i];

                if (client->fd < 0 || polls[i].fd != client->fd)
                        continue;
                if (polls[i].revents & POLLOUT)
                        shim_client_flush(shim, client);
                if (client->fd >= 0 && polls[i].revents & (POLLIN | POLLHUP | POLLERR))
                        shim_client_read(shim, client);
        }
}

static void serve(Shim *shim, const struct pollfd *polls) {
        if (polls[POLL_CONSOLE].revents)
                (void)shim_console_accept(shim);
        for (unsigned i = 0; i < 2; i++)
                if (polls[POLL_OUTPUT + i].revents && shim->output[i] >= 0)
                        shim_read_output(shim, i);
        if (polls[POLL_INPUT].revents)
                shim_write_input(shim);
        if (polls[POLL_SIGNALS].revents)
                serve_signals(shim);
        serve_clients(shim, polls + POLL_CLIENTS);
        if (polls[POLL_LISTENER].revents)
                shim_accept(shim);
}

/* What is still to be sent goes before we do; a client that is gone is no reason to stay. */
static bool has_unsent(const Shim *shim) {
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++)
                if (shim->clients[i].fd >= 0 && buffer_length(&shim->clients[i].output) > 0)
                        return true;
        return false;
}

static bool has_engine(const Shim *shim) {
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++)
                if (shim->clients[i].fd >= 0 && shim->clients[i].control)
                        return true;
        return false;
}

void shim_run(Shim *shim) {
        struct pollfd polls[POLL_ALL];
        int n;

        /* what the container leaves behind becomes ours */
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
        (void)shim_make(shim);
        while (shim->stage != SHIM_STAGE_DONE || has_unsent(shim)) {
                bool waits = shim->stage == SHIM_STAGE_MADE && !has_engine(shim);

                fill_polls(shim, polls);
                n = poll(polls, POLL_ALL, waits ? SHIM_CONTROL_WAIT_SEC * 1000 : -1);
                if (n > 0)
                        serve(shim, polls);
                else if (n == 0)
                        shim_undo(shim);
        }
        (void)unlink(SHIM_SOCKET);
}
