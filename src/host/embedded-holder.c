/* Shims: started with a unit's processes or for its sockets, found again by a later supervisor, and let go. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/pass-files.h"
#include "host/embedded-internal.h"
#include "host/file.h"
#include "host/unit-part.h"

enum { HELLO_WAIT_SEC = 5, HELLO_PACKETS_MAX = KEPT_NOTICES_MAX + 4, LISTEN_BACKLOG = 4 };

/* ---- files ---- */

static char *socket_path(const Embedded *e, uint64_t number) {
        return str_printf("%s/%llu", e->shims_directory, (unsigned long long)number);
}

static char *ends_path(const Embedded *e, uint64_t number) {
        return str_printf("%s/%llu.ends", e->shims_directory, (unsigned long long)number);
}

static void remove_files(const Embedded *e, uint64_t number) {
        _cleanup_free_ char *socket = socket_path(e, number), *ends = ends_path(e, number);

        if (socket)
                (void)unlink(socket);
        if (!ends)
                return;
        (void)unlink(ends);
        unit_part_drop(ends, UNIT_SHIM_OUTPUT);
        unit_part_drop(ends, UNIT_SHIM_ERRORS);
}

static int fill_address(const Embedded *e, uint64_t number, struct sockaddr_un *ret) {
        _cleanup_free_ char *path = socket_path(e, number);

        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (!path)
                return -ENOMEM;
        if (strlen(path) >= sizeof(ret->sun_path))
                return -ENAMETOOLONG;
        memcpy(ret->sun_path, path, strlen(path) + 1);
        return 0;
}

/* ---- the end of one ---- */

static void holder_settle(UnitHolder *holder) {
        Embedded *e = holder->owner;

        if (holder->open || holder->unit)
                return;
        list_unlink(&holder->link);
        free(holder);
        embedded_wake(e);
}

static void on_poll_closed(uv_handle_t *handle) {
        UnitHolder *holder = container_of((uv_poll_t *)handle, UnitHolder, poll);

        holder->open = false;
        holder_settle(holder);
}

static void close_connection(UnitHolder *holder) {
        if (holder->fd < 0)
                return;
        uv_close((uv_handle_t *)&holder->poll, on_poll_closed);
        (void)close(take_fd(holder->fd));
}

static void tell(const UnitHolder *holder, UnitShimKind kind, pid_t pid) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (holder->fd >= 0 && unit_shim_message_write(&(UnitShimMessage){.kind = kind, .end.pid = pid}, &text) >= 0)
                (void)send(holder->fd, buffer_data(&text), buffer_length(&text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void tell_end(UnitHolder *holder) {
        holder->told_end = true;
        tell(holder, UNIT_SHIM_END, 0);
}

/* What it was the parent of is ours, if we are above it; else nobody hears how that ends. */
static void holder_lost(UnitHolder *holder) {
        Embedded *e = holder->owner;
        Unit *unit = holder->unit;

        close_connection(holder);
        if (holder == e->notify_holder)
                e->notify_holder = NULL; /* the next unit that wants it makes another */
        process_reaper_teller_gone(&e->reaper);
        if (!unit)
                return;
        if (!holder->told_end && !e->closing)
                unit_note(unit, "the shim (process %d) that would have kept it over a restart of this program has gone",
                          holder->pid);
        unit_check_empty(unit);
        unit_mark_dirty(unit);
}

static void holder_empty(UnitHolder *holder) {
        tell_end(holder);
        if (holder->unit)
                unit_check_empty(holder->unit);
}

static void child_ended(UnitHolder *holder, const UnitShimEnd *end) {
        UnitProcess *process = holder->unit ? unit_find_process(holder->unit, end->pid) : NULL;

        if (process)
                process_tell_end(&process->process, end->code, end->status);
        tell(holder, UNIT_SHIM_REAP, end->pid);
}

/* When none of those that were asked knows it, somebody else has reaped it: how it ended is not known. */
static void child_unknown(const UnitHolder *holder, pid_t pid) {
        UnitProcess *process = holder->unit ? unit_find_process(holder->unit, pid) : NULL;

        if (process && process->asked > 0 && --process->asked == 0)
                process_tell_end(&process->process, CLD_EXITED, 0);
}

/* Its own child, of which there is one. */
static void child_executed(const UnitHolder *holder, const UnitShimMessage *message) {
        UnitProcess *process = holder->unit ? unit_find_process(holder->unit, holder->child) : NULL;

        if (process)
                process_tell_executed(&process->process, -message->failure, (ProcessStep)message->step);
}

static void hear(UnitHolder *holder, const UnitShimMessage *message) {
        switch (message->kind) {
        case UNIT_SHIM_EXECUTED:
        case UNIT_SHIM_FAILED:
                child_executed(holder, message);
                break;
        case UNIT_SHIM_ENDED:
                child_ended(holder, &message->end);
                break;
        case UNIT_SHIM_UNKNOWN:
                child_unknown(holder, message->end.pid);
                break;
        case UNIT_SHIM_EMPTY:
                holder_empty(holder);
                break;
        default:
                break;
        }
}

static void on_packet(uv_poll_t *poll, int status, int events) {
        UnitHolder *holder = container_of(poll, UnitHolder, poll);
        char text[256];

        (void)status;
        (void)events;
        while (holder->fd >= 0) {
                ssize_t n = recv(holder->fd, text, sizeof(text), MSG_DONTWAIT);
                UnitShimMessage message;

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0)
                        holder_lost(holder);
                else if (unit_shim_message_read((Slice){text, (size_t)n}, &message) >= 0)
                        hear(holder, &message);
        }
}

/* ---- starting one ---- */

static int open_listener(const Embedded *e, uint64_t number, int *ret, Error *error) {
        _cleanup_close_ int fd = -1;
        struct sockaddr_un address;
        int r = fill_address(e, number, &address);

        if (r < 0)
                return error_set_errno(error, r, "cannot make a socket in %s", e->shims_directory);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)unlink(address.sun_path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
                return error_set_errno(error, -errno, "cannot make the socket %s", address.sun_path);
        *ret = take_fd(fd);
        return 0;
}

/* `unit` NULL: of none. */
static UnitHolder *holder_new(Embedded *e, Unit *unit, uint64_t number, int fd) {
        UnitHolder *holder = calloc(1, sizeof(*holder));

        if (!holder)
                return NULL;
        holder->owner = e;
        holder->unit = unit;
        holder->number = number;
        holder->fd = fd;
        list_append(&e->holders, &holder->link);
        list_init(&holder->unit_link);
        if (unit)
                list_append(&unit->holders, &holder->unit_link);
        return holder;
}

static void holder_discard(UnitHolder *holder) {
        remove_files(holder->owner, holder->number);
        (void)close(holder->fd);
        list_unlink(&holder->link);
        list_unlink(&holder->unit_link);
        free(holder);
}

static int holder_begin(UnitHolder *holder, const SpawnMade *made) {
        int r = uv_poll_init(holder->owner->loop, &holder->poll, holder->fd);

        if (r < 0)
                return r;
        holder->pid = made->shim;
        holder->child = made->child;
        holder->sockets = made->child == 0;
        holder->open = true;
        if (holder->unit)
                (void)unit_group_add_parent(&holder->unit->group, made->shim); /* without memory: the environment tells, too */
        uv_unref((uv_handle_t *)&holder->poll);
        return uv_poll_start(&holder->poll, UV_READABLE | UV_DISCONNECT, on_packet);
}

static int make(UnitHolder *holder, SpawnRequest *request, SpawnMade *ret, Error *error) {
        int r = spawner_make(holder->owner, request, holder->fd, ret, error);

        if (r < 0)
                return r;
        r = holder_begin(holder, ret);
        if (r < 0) {
                if (ret->child > 0)
                        (void)kill(ret->child, SIGKILL); /* its shim, when the connection ends, does not stay either */
                return error_set_errno(error, r, "cannot listen to the shim of %s", request->unit);
        }
        return 0;
}

/* Takes what is in the request to ask for, and gives it the files of its own. */
static int holder_ask(Embedded *e, Unit *unit, uint64_t number, SpawnRequest *request, SpawnMade *ret, UnitHolder **ret_holder,
                      Error *error) {
        _cleanup_free_ char *ends = ends_path(e, number);
        _cleanup_close_ int listener = -1;
        UnitHolder *holder;
        int pair[2], r;

        r = open_listener(e, number, &listener, error);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set_errno(error, -errno, "cannot make a connection to the shim of %s", request->unit);
        request->ends_path = ends;
        request->logs = e->logs_directory;
        request->log_size = e->log_size;
        request->listener = listener;
        request->control = pair[1];
        holder = ends ? holder_new(e, unit, number, pair[0]) : NULL;
        r = holder ? make(holder, request, ret, error) : error_set_errno(error, -ENOMEM, "cannot make the shim of %s", request->unit);
        if (request->control >= 0)
                (void)close(request->control);
        if (r < 0 && holder)
                holder_discard(holder);
        else if (!holder)
                (void)close(pair[0]);
        else
                *ret_holder = holder;
        return r;
}

int holder_make(Unit *unit, const ProcessOptions *options, const char *held, const int *fds, size_t n_fds, pid_t *ret_child,
                Error *error) {
        SpawnRequest request = {.unit = unit->name};
        UnitHolder *holder;
        SpawnMade made;
        int r;

        if (n_fds > UNIT_SHIM_FDS_MAX)
                return error_set(error, -E2BIG, "%s has more than %d sockets", unit->name, UNIT_SHIM_FDS_MAX);
        if (options)
                request.process = *options;
        (void)snprintf(request.held, sizeof(request.held), "%s", held);
        memcpy(request.held_fds, fds, n_fds * sizeof(int));
        r = holder_ask(unit->owner, unit, ++unit->owner->n_holders, &request, &made, &holder, error);
        if (r >= 0)
                *ret_child = made.child;
        return r;
}

/* ---- the notification socket ---- */

int holder_keep_notify(Embedded *e, Error *error) {
        SpawnRequest request = {.unit = "notify", .held = {UNIT_SHIM_NOTIFY}, .held_fds = {e->notify_fd}};
        SpawnMade made;

        return holder_ask(e, NULL, NOTIFY_HOLDER, &request, &made, &e->notify_holder, error);
}

void holder_end_notify(Embedded *e) {
        UnitHolder *holder = take_ptr(e->notify_holder);

        if (!holder)
                return;
        tell_end(holder);
        remove_files(e, holder->number);
        close_connection(holder);
}

/* ---- sockets ---- */

void holder_end_sockets(const Unit *unit) {
        list_foreach (&unit->holders, node) {
                UnitHolder *holder = container_of(node, UnitHolder, unit_link);

                if (holder->sockets)
                        tell_end(holder);
        }
}

/* ---- found again ---- */

static int connect_to(const Embedded *e, uint64_t number, int *ret) {
        const struct timeval wait = {.tv_sec = HELLO_WAIT_SEC};
        _cleanup_close_ int fd = -1;
        struct sockaddr_un address;
        int r = fill_address(e, number, &address);

        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
            connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        *ret = take_fd(fd);
        return 0;
}

static int receive(int fd, HolderFound *ret, UnitShimMessage *message, char text[static UNIT_SHIM_PACKET_MAX]) {
        ssize_t n = pass_files_receive(fd, text, UNIT_SHIM_PACKET_MAX, ret->fds, UNIT_SHIM_FDS_MAX, &ret->n_fds);

        if (n <= 0)
                return n < 0 ? (int)n : -ENOTCONN;
        return unit_shim_message_read((Slice){text, (size_t)n}, message);
}

static void keep_notice(KeptNotices *notes, const UnitShimMessage *message) {
        char run[UNIT_NOTIFY_RUN_MAX];

        (void)snprintf(run, sizeof(run), "%.*s", (int)message->run.length, message->run.length ? message->run.data : "");
        (void)kept_notices_add(notes, message->end.pid, run, message->part);
}

/* Its words up to hello. */
static int hear_hello(int fd, HolderFound *ret, pid_t *ret_shim) {
        char text[UNIT_SHIM_PACKET_MAX];

        for (int i = 0; i < HELLO_PACKETS_MAX; i++) {
                UnitShimMessage message;
                int r = receive(fd, ret, &message, text);

                if (r < 0)
                        return r;
                if (message.kind == UNIT_SHIM_NOTE && ret->notes)
                        keep_notice(ret->notes, &message);
                if (message.kind == UNIT_SHIM_PART)
                        (void)buffer_append(&ret->parts[message.stream == UNIT_SHIM_ERRORS], message.part.data,
                                            message.part.length);
                if (message.kind != UNIT_SHIM_HELLO)
                        continue;
                if (strlen(message.held) != ret->n_fds)
                        return -EBADMSG;
                memcpy(ret->held, message.held, sizeof(ret->held));
                ret->child = message.child;
                *ret_shim = message.shim;
                return 0;
        }
        return -EBADMSG;
}

static void drop_found(HolderFound *found) {
        for (size_t i = 0; i < found->n_fds; i++)
                (void)close(found->fds[i]);
        found->n_fds = 0;
        for (size_t i = 0; i < ARRAY_SIZE(found->parts); i++)
                buffer_deinit(&found->parts[i]);
}

int holder_connect(Embedded *e, Unit *unit, uint64_t number, HolderFound *ret) {
        pid_t shim = 0;
        int fd = -1, r;

        e->n_holders = max_of(e->n_holders, number);
        r = connect_to(e, number, &fd);
        if (r >= 0)
                r = hear_hello(fd, ret, &shim);
        if (r >= 0) {
                ret->holder = holder_new(e, unit, number, fd);
                r = ret->holder ? 0 : -ENOMEM;
        }
        if (r < 0) {
                drop_found(ret);
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        return holder_begin(ret->holder, &(SpawnMade){shim, ret->child});
}

size_t holder_read_ends(const Embedded *e, uint64_t number, UnitShimEnd ends[UNIT_SHIM_ENDS_MAX]) {
        _cleanup_free_ char *path = ends_path(e, number);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (!path || file_read(path, UNIT_SHIM_ENDS_TEXT_MAX, &text, NULL) < 0)
                return 0;
        return unit_shim_ends_read((Slice){buffer_data(&text), buffer_length(&text)}, ends, UNIT_SHIM_ENDS_MAX);
}

static bool is_known(const Embedded *e, uint64_t number) {
        list_foreach (&e->holders, node)
                if (container_of(node, UnitHolder, link)->number == number)
                        return true;
        return false;
}

static void end_stray(Embedded *e, uint64_t number) {
        static const UnitShimMessage end = {.kind = UNIT_SHIM_END};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        _cleanup_close_ int fd = -1;
        HolderFound found = {0};
        pid_t shim = 0;

        if (connect_to(e, number, &fd) >= 0 && hear_hello(fd, &found, &shim) >= 0) {
                if (found.child > 0 && holder_read_ends(e, number, (UnitShimEnd[UNIT_SHIM_ENDS_MAX]){0}) == 0)
                        (void)kill(found.child, SIGKILL);
                if (unit_shim_message_write(&end, &text) >= 0)
                        (void)send(fd, buffer_data(&text), buffer_length(&text), MSG_NOSIGNAL);
        }
        drop_found(&found);
        remove_files(e, number);
}

void holders_remove_strays(Embedded *e) {
        DIR *folder = opendir(e->shims_directory);
        const struct dirent *entry;

        while (folder && (entry = readdir(folder))) {
                const Slice name = {entry->d_name, strcspn(entry->d_name, ".")}; /* N, N.ends and so on */
                uint64_t number;

                if (str_parse_u64(name, UINT64_MAX, &number) < 0)
                        continue;
                e->n_holders = max_of(e->n_holders, number);
                if (!is_known(e, number))
                        end_stray(e, number);
        }
        if (folder)
                (void)closedir(folder);
}

/* ---- all of them ---- */

void holders_watch(const Unit *unit, pid_t pid) {
        list_foreach (&unit->holders, node) {
                const UnitHolder *holder = container_of(node, UnitHolder, unit_link);

                if (!holder->sockets)
                        tell(holder, UNIT_SHIM_WATCH, pid);
        }
}

static void leave_unit(UnitHolder *holder) {
        holder->unit = NULL;
        list_unlink(&holder->unit_link);
        holder_settle(holder);
}

void holders_forget(Unit *unit) {
        list_foreach (&unit->holders, node) {
                UnitHolder *holder = container_of(node, UnitHolder, unit_link);

                if (holder->fd >= 0)
                        continue;
                remove_files(unit->owner, holder->number);
                leave_unit(holder);
        }
}

void holders_unit_gone(Unit *unit) {
        Embedded *e = unit->owner;

        list_foreach (&unit->holders, node) {
                UnitHolder *holder = container_of(node, UnitHolder, unit_link);

                if (!e->leaving) {
                        tell_end(holder);
                        remove_files(e, holder->number);
                }
                leave_unit(holder);
        }
}

void holders_leave(Embedded *e) {
        e->notify_holder = NULL;
        list_foreach (&e->holders, node) {
                UnitHolder *holder = container_of(node, UnitHolder, link);

                close_connection(holder);
                holder_settle(holder);
        }
}

/* Of a process that has gone: whether somebody is there who may have seen its end, and will answer. */
bool holders_ask(UnitProcess *process) {
        process->asked = 0;
        list_foreach (&process->unit->holders, node) {
                const UnitHolder *holder = container_of(node, UnitHolder, unit_link);

                if (holder->sockets || holder->fd < 0)
                        continue;
                tell(holder, UNIT_SHIM_WATCH, process->pid);
                process->asked++;
        }
        return process->asked > 0;
}

char *holders_find_ends(const UnitProcess *process) {
        list_foreach (&process->unit->holders, node) {
                const UnitHolder *holder = container_of(node, UnitHolder, unit_link);

                if (holder->child == process->pid && !holder->sockets)
                        return ends_path(process->unit->owner, holder->number);
        }
        return NULL;
}

bool holders_tell_of(const Unit *unit, pid_t shim) {
        list_foreach (&unit->holders, node) {
                const UnitHolder *holder = container_of(node, UnitHolder, unit_link);

                if (holder->pid == shim && shim > 0 && holder->fd >= 0)
                        return true;
        }
        return false;
}
