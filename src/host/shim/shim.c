#include "base/pass-files.h"
#include "host/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>


enum { POLL_CONTROL, POLL_LISTENER, POLL_SIGNALS, POLL_HELD, POLL_ALL = POLL_HELD + UNIT_SHIM_FDS_MAX };

static int watch_signals(void) {
        sigset_t set;

        (void)sigfillset(&set); /* whoever wants the unit's end must say so to the supervisor */
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void lose_supervisor(UnitShim *shim) {
        (void)close(take_fd(shim->control));
        shim->empty_told = false;
        unit_shim_log_begin(shim);
        unit_shim_reap(shim); /* nobody has to hear of ends first */
}

void unit_shim_tell(int control, const UnitShimMessage *m, const int *fds, size_t n_fds) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (unit_shim_message_write(m, &text) >= 0) /* who has gone is seen by its hang-up */
                (void)pass_files_send(control, buffer_data(&text), buffer_length(&text), fds, n_fds);
}

/* First what is left of lines, so that who hears hello has all of them. Of a stream that has ended no file is left to hand over. */
static void greet(UnitShim *shim) {
        UnitShimMessage hello = {.kind = UNIT_SHIM_HELLO, .shim = getpid(), .child = shim->options->child};
        int fds[UNIT_SHIM_FDS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < shim->n_held; i++)
                if (shim->held[i] >= 0) {
                        hello.held[n] = shim->options->held[i];
                        fds[n++] = shim->held[i];
                }
        unit_shim_log_end(shim);
        unit_shim_notes_hand_over(shim);
        unit_shim_tell(shim->control, &hello, fds, n);
        unit_shim_reap(shim);
}

/* Only one supervisor can come, as only one may be at its folder: an earlier one is at its end. */
static void accept_supervisor(UnitShim *shim) {
        int fd = accept4(shim->listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
                return;
        if (shim->control >= 0)
                lose_supervisor(shim);
        shim->control = fd;
        greet(shim);
}

static void hear(UnitShim *shim) {
        char text[256];
        ssize_t n = recv(shim->control, text, sizeof(text), MSG_DONTWAIT);
        UnitShimMessage message;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                lose_supervisor(shim);
                return;
        }
        if (unit_shim_message_read((Slice){text, (size_t)n}, &message) < 0)
                return;
        if (message.kind == UNIT_SHIM_REAP)
                unit_shim_let_go(shim, message.end.pid);
        else if (message.kind == UNIT_SHIM_WATCH)
                unit_shim_watch(shim, message.end.pid);
        else if (message.kind == UNIT_SHIM_END)
                shim->ended = true;
}

static void fill_polls(const UnitShim *shim, struct pollfd polls[static POLL_ALL]) {
        bool alone = shim->control < 0;

        polls[POLL_CONTROL] = (struct pollfd){shim->control, POLLIN, 0};
        polls[POLL_LISTENER] = (struct pollfd){shim->listener, POLLIN, 0};
        polls[POLL_SIGNALS] = (struct pollfd){shim->signals, POLLIN, 0};
        for (size_t i = 0; i < shim->n_held; i++)
                polls[POLL_HELD + i] = (struct pollfd){
                        alone && shim->options->held[i] != UNIT_SHIM_SOCKET ? shim->held[i] : -1, POLLIN, 0};
}

static void serve(UnitShim *shim, const struct pollfd *polls) {
        struct signalfd_siginfo info;

        for (size_t i = 0; i < shim->n_held; i++)
                if (polls[POLL_HELD + i].revents && shim->options->held[i] == UNIT_SHIM_NOTIFY)
                        unit_shim_notes_read(shim, shim->held[i]);
                else if (polls[POLL_HELD + i].revents)
                        unit_shim_log_read(shim, i);
        if (polls[POLL_SIGNALS].revents) {
                while (read(shim->signals, &info, sizeof(info)) == sizeof(info))
                        ;
                unit_shim_reap(shim);
        }
        if (polls[POLL_CONTROL].revents)
                hear(shim);
        if (polls[POLL_LISTENER].revents)
                accept_supervisor(shim);
}

/* Without children it holds nothing that anyone could miss, unless it is there for files alone. */
static bool is_done(const UnitShim *shim) {
        return shim->ended || (shim->options->child > 0 && shim->empty && shim->control < 0);
}

void unit_shim_run(UnitShim *shim, const UnitShimOptions *options) {
        struct pollfd polls[POLL_ALL];

        shim->options = options;
        shim->control = options->control;
        shim->listener = options->listener;
        shim->log.fd = -1;
        for (; options->held[shim->n_held]; shim->n_held++)
                shim->held[shim->n_held] = options->held_fds[shim->n_held];
        if (options->child > 0)
                shim->children[shim->n_children++].end.pid = options->child;
        shim->signals = watch_signals();
        unit_shim_reap(shim);
        while (!is_done(shim)) {
                fill_polls(shim, polls);
                if (poll(polls, POLL_HELD + shim->n_held, -1) > 0)
                        serve(shim, polls);
        }
        if (shim->control < 0)
                unit_shim_log_finish(shim);
}
