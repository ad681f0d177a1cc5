#include "containers/runtime/shim-link.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { ARGS_MAX = 32 };

struct ShimLink {
        uv_loop_t *loop;
        const ShimLinkEvents *events; /* NULL: freed, or over */
        void *owner;
        char *directory;
        Process process; /* the shim's first process, which ends when its socket is ready */
        ShimConnection connection;
        bool has_process, has_connection;
        bool freed;
};

static void link_release(ShimLink *link) {
        if (link->has_process || link->has_connection || !link->freed)
                return;
        free(link->directory);
        free(link);
}

/* ---- the connection ---- */

static const ShimLinkEvents *take_events(ShimLink *link) {
        const ShimLinkEvents *events = link->events;

        link->events = NULL;
        return events;
}

static void on_exit_frame(ShimLink *link, Slice payload) {
        const ShimLinkEvents *events = take_events(link);
        ShimExit exit;

        if (shim_exit_parse(payload, &exit) < 0)
                events->lost(link->owner, -EBADMSG);
        else
                events->exited(link->owner, &exit);
}

static void on_failed_frame(ShimLink *link, Slice payload) {
        const ShimLinkEvents *events = take_events(link);
        _cleanup_free_ char *reason = slice_dup(payload);

        events->failed(link->owner, reason ?: "out of memory");
}

static void on_frame(ShimConnection *connection, uint8_t type, Slice payload) {
        ShimLink *link = container_of(connection, ShimLink, connection);

        if (!link->events)
                return;
        switch (type) {
        case SHIM_MADE:
                link->events->made(link->owner);
                break;
        case SHIM_STARTED:
                link->events->started(link->owner, payload.length == 4 ? (pid_t)shim_u32(payload.data) : 0);
                break;
        case SHIM_FAILED:
                on_failed_frame(link, payload);
                break;
        case SHIM_EXITED:
                on_exit_frame(link, payload);
                break;
        default:
                break;
        }
}

static void on_ended(ShimConnection *connection, int r) {
        ShimLink *link = container_of(connection, ShimLink, connection);
        const ShimLinkEvents *events = take_events(link);

        shim_connection_close(connection);
        if (events)
                events->lost(link->owner, r < 0 ? r : -ECONNRESET);
}

static void on_closed(ShimConnection *connection) {
        ShimLink *link = container_of(connection, ShimLink, connection);

        link->has_connection = false;
        link_release(link);
}

static const ShimConnectionEvents connection_events = {.frame = on_frame, .ended = on_ended, .closed = on_closed};

static int link_connect(ShimLink *link, Error *error) {
        int r = shim_connection_open(&link->connection, link->loop, link->directory, SHIM_CONTROL, (Slice){NULL, 0},
                                     &connection_events, error);

        link->has_connection = r >= 0;
        return r;
}

/* ---- the process ---- */

static void on_executed(Process *process, int r, ProcessStep step) {
        ShimLink *link = process->owner;
        const ShimLinkEvents *events;
        char text[256];

        if (r >= 0 || !link->events)
                return;
        events = take_events(link);
        (void)snprintf(text, sizeof(text), "cannot run faering-shim, %s: %s", process_step_text(step), strerror(-r));
        events->failed(link->owner, text);
}

static void on_process_exited(Process *process, int code, int status) {
        ShimLink *link = process->owner;
        Error error = ERROR_NONE;
        int r = code == CLD_EXITED && status == 0 ? 0 : -ECHILD;

        process_close(process);
        if (!link->events)
                return;
        if (r < 0)
                (void)error_set(&error, r, "faering-shim failed; its own words are in the engine's log");
        else
                r = link_connect(link, &error);
        if (r < 0)
                take_events(link)->failed(link->owner, error.text);
}

static void on_process_closed(Process *process) {
        ShimLink *link = process->owner;

        link->has_process = false;
        link_release(link);
}

static const ProcessEvents process_events = {
        .executed = on_executed, .exited = on_process_exited, .closed = on_process_closed};

static int link_new(uv_loop_t *loop, const char *directory, const ShimLinkEvents *events, void *owner, ShimLink **ret) {
        ShimLink *link = calloc(1, sizeof(*link));

        if (!link)
                return -ENOMEM;
        *link = (ShimLink){.loop = loop, .events = events, .owner = owner, .directory = strdup(directory)};
        if (!link->directory) {
                free(link);
                return -ENOMEM;
        }
        *ret = link;
        return 0;
}

static void add_argument(const char *argv[static ARGS_MAX], size_t *n, const char *option, const char *value) {
        if (!value)
                return;
        argv[(*n)++] = option;
        argv[(*n)++] = value;
}

int shim_link_launch(uv_loop_t *loop, const ShimLaunch *launch, const ShimLinkEvents *events, void *owner,
                     ShimLink **ret, Error *error) {
        const char *argv[ARGS_MAX] = {launch->program},
                   *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
        ProcessOptions options = {.path = launch->program,
                                  .argv = argv,
                                  .environment = environment,
                                  .fds = {-1, -1, STDERR_FILENO},
                                  .new_session = true,
                                  .cgroup_fds = launch->cgroup_fds,
                                  .n_cgroup_fds = launch->n_cgroup_fds};
        char log_bytes[32], log_files[32];
        ShimLink *link;
        size_t n = 1;
        int r;

        (void)snprintf(log_bytes, sizeof(log_bytes), "%llu", (unsigned long long)launch->log_bytes);
        (void)snprintf(log_files, sizeof(log_files), "%llu", (unsigned long long)launch->log_files);
        add_argument(argv, &n, "--id", launch->id);
        add_argument(argv, &n, "--directory", launch->directory);
        add_argument(argv, &n, "--runtime", launch->runtime);
        add_argument(argv, &n, "--runtime-root", launch->runtime_root);
        add_argument(argv, &n, "--hide", launch->hide);
        add_argument(argv, &n, "--memory-group", launch->memory_group);
        add_argument(argv, &n, "--exec", launch->exec);
        add_argument(argv, &n, "--log-bytes", log_bytes);
        add_argument(argv, &n, "--log-files", log_files);
        if (launch->tty)
                argv[n++] = "--tty";
        if (launch->open_stdin)
                argv[n++] = "--stdin";
        if (launch->stdin_once)
                argv[n++] = "--stdin-once";
        r = link_new(loop, launch->directory, events, owner, &link);
        if (r < 0)
                return error_set_errno(error, r, "cannot start faering-shim");
        r = process_spawn(&link->process, loop, NULL, &options, &process_events, link, error);
        if (r < 0) {
                link->freed = true;
                link_release(link);
                return r;
        }
        link->has_process = true;
        *ret = link;
        return 0;
}

int shim_link_reconnect(uv_loop_t *loop, const char *directory, const ShimLinkEvents *events, void *owner,
                        ShimLink **ret, Error *error) {
        ShimLink *link;
        int r = link_new(loop, directory, events, owner, &link);

        if (r < 0)
                return error_set_errno(error, r, "cannot connect to the shim of %s", directory);
        r = link_connect(link, error);
        if (r < 0) {
                link->freed = true;
                link_release(link);
                return r;
        }
        *ret = link;
        return 0;
}

int shim_link_start(ShimLink *link) {
        return link->has_connection ? shim_connection_send(&link->connection, SHIM_START, NULL, 0) : -ENOTCONN;
}

int shim_link_undo(ShimLink *link) {
        return link->has_connection ? shim_connection_send(&link->connection, SHIM_UNDO, NULL, 0) : -ENOTCONN;
}

int shim_link_signal(ShimLink *link, int signal) {
        const uint8_t bytes[4] = {0, 0, 0, (uint8_t)signal};

        return link->has_connection ? shim_connection_send(&link->connection, SHIM_SIGNAL, bytes, sizeof(bytes))
                                    : -ENOTCONN;
}

int shim_link_resize(ShimLink *link, uint16_t rows, uint16_t columns) {
        const uint8_t bytes[4] = {(uint8_t)(rows >> 8), (uint8_t)rows, (uint8_t)(columns >> 8), (uint8_t)columns};

        return link->has_connection ? shim_connection_send(&link->connection, SHIM_RESIZE, bytes, sizeof(bytes))
                                    : -ENOTCONN;
}

ShimLink *shim_link_free(ShimLink *link) {
        if (!link)
                return NULL;
        link->events = NULL;
        link->freed = true;
        if (link->has_connection)
                shim_connection_close(&link->connection);
        link_release(link);
        return NULL;
}

void shim_link_set_events(ShimLink *link, const ShimLinkEvents *events) {
        if (link->events)
                link->events = events;
}
