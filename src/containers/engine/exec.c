#include "containers/engine/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/random.h"
#include "containers/engine/engine.h"
#include "containers/engine/runtime-reason.h"
#include "containers/runtime/json-fields.h"
#include "host/file.h"

#define PROCESS_FILE "process.json"

static void exec_free(Exec *exec) {
        exec->link = shim_link_free(exec->link);
        attachable_over(&exec->attach);
        attachable_deinit(&exec->attach);
        string_list_deinit(&exec->command);
        string_list_deinit(&exec->environment);
        free(exec->user);
        free(exec->working_directory);
        free(exec);
}

CLEANUP_DEFINE(Exec, exec_free)

static void on_sessions_ready(Attachable *attachable) {
        Exec *exec = container_of(attachable, Exec, attach);

        if (exec->link)
                (void)shim_link_start(exec->link);
}

static int parse_body(const json_t *body, Exec *exec, Error *error) {
        const struct {
                const char *key;
                bool *target;
        } switches[] = {
                {"Tty", &exec->tty},
                {"AttachStdin", &exec->wants_stdin},
                {"AttachStdout", &exec->wants_stdout},
                {"AttachStderr", &exec->wants_stderr},
                {"Privileged", &exec->privileged},
        };
        int r = json_is_object(body) ? 0 : error_set(error, -EINVAL, "the body must be a JSON object");

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(switches); i++)
                r = json_field_get_bool(body, switches[i].key, switches[i].target, error);
        if (r >= 0)
                r = json_field_get_list(body, "Cmd", &exec->command, NULL, error);
        if (r >= 0)
                r = json_field_get_list(body, "Env", &exec->environment, NULL, error);
        if (r >= 0)
                r = json_field_get_string(body, "User", &exec->user, error);
        if (r >= 0)
                r = json_field_get_string(body, "WorkingDir", &exec->working_directory, error);
        if (r >= 0 && exec->command.length == 0)
                return error_set(error, -EINVAL, "No exec command specified");
        return r;
}

static bool evict_one(Container *container);

int exec_create(Container *container, const json_t *body, Exec **ret, Error *error) {
        Engine *engine = container->engine;
        _cleanup_(exec_freep) Exec *exec = NULL;
        uint8_t secret[CONTAINER_ID_LENGTH / 2];
        int r;

        if (!container_is_running(container))
                return error_set(error, -ENOTCONN, "container %s is not running", container->id);
        if (container->n_execs >= EXECS_PER_CONTAINER_MAX && !evict_one(container))
                return error_set(error, -ENOSPC, "%d commands are executed in container %.12s already",
                                 EXECS_PER_CONTAINER_MAX, container->id);
        exec = calloc(1, sizeof(*exec));
        if (!exec)
                return -ENOMEM;
        list_init(&exec->calls);
        random_secret(secret, sizeof(secret));
        for (size_t i = 0; i < sizeof(secret); i++)
                (void)snprintf(exec->id + 2 * i, 3, "%02x", secret[i]);
        attachable_init(&exec->attach, engine->loop, &engine->sessions,
                        str_printf("%s/exec/%.32s", container->directory, exec->id), false, on_sessions_ready);
        if (!exec->attach.directory)
                return -ENOMEM;
        r = parse_body(body, exec, error);
        if (r >= 0)
                r = map_put(&engine->execs, slice_from(exec->id), exec, NULL);
        if (r < 0)
                return r;
        exec->attach.tty = exec->tty;
        exec->container = container;
        container->n_execs++;
        *ret = take_ptr(exec);
        return 0;
}

Exec *exec_find(Engine *engine, const char *id) {
        return map_get(&engine->execs, slice_from(id));
}

static void exec_forget(Engine *engine, Exec *exec) {
        Error gone;

        (void)error_set(&gone, -ECANCELED, "the container of exec %.12s is not running any more", exec->id);
        map_remove(&engine->execs, slice_from(exec->id));
        if (exec->container)
                exec->container->n_execs--;
        container_tell_calls(&exec->calls, -ECANCELED, &gone);
        exec_free(exec);
}

/* One that is over makes room. */
static bool evict_one(Container *container) {
        map_foreach (&container->engine->execs, entry) {
                Exec *exec = entry->value;

                if (exec->container == container && exec->over) {
                        exec_forget(container->engine, exec);
                        return true;
                }
        }
        return false;
}

/* ---- what the shim says ---- */

static void exec_over(Exec *exec, int exit_code) {
        exec->link = shim_link_free(exec->link);
        exec->running = false;
        exec->over = true;
        exec->pid = 0;
        exec->exit_code = exit_code;
        attachable_over(&exec->attach);
        (void)file_remove_tree(exec->attach.directory, NULL);
}

static void on_made(void *owner) {
        Exec *exec = owner;

        attachable_made(&exec->attach);
}

static void on_started(void *owner, pid_t pid) {
        Exec *exec = owner;

        exec->running = true;
        exec->pid = pid;
        if (exec->rows > 0)
                (void)shim_link_resize(exec->link, exec->rows, exec->columns);
        container_tell_calls(&exec->calls, 0, NULL);
}

static void on_failed(void *owner, const char *log) {
        Exec *exec = owner;
        char reason[RUNTIME_REASON_MAX];
        bool missing;
        Error error;
        int r;

        runtime_reason_find(log, reason);
        missing = runtime_reason_is_missing(reason);
        r = error_set(&error, missing ? -ENOENT : -EACCES, "OCI runtime exec failed: exec: \"%s\": %s: %.256s",
                      exec->command.items[0], missing ? "executable file not found in $PATH" : "it could not be run",
                      reason);
        exec_over(exec, missing ? 127 : 126);
        container_tell_calls(&exec->calls, r, &error);
}

static void on_exited(void *owner, const ShimExit *exit) {
        Exec *exec = owner;

        exec_over(exec, exit->status);
        container_tell_calls(&exec->calls, 0, NULL);
}

static void on_lost(void *owner, int r) {
        Exec *exec = owner;
        Error error;

        r = error_set_errno(&error, r, "the shim of exec %.12s ended without a word", exec->id);
        exec_over(exec, 137);
        container_tell_calls(&exec->calls, r, &error);
}

static const ShimLinkEvents exec_events = {
        .made = on_made, .started = on_started, .failed = on_failed, .exited = on_exited, .lost = on_lost};

/* ---- starting ---- */

static int write_process(Exec *exec, Error *error) {
        Container *container = exec->container;
        _cleanup_free_ char *file = str_printf("%s/" PROCESS_FILE, exec->attach.directory),
                            *root = str_printf("%s/merged", container->directory), *text = NULL;
        _cleanup_free_ ImageUser *user = calloc(1, sizeof(*user));
        _cleanup_close_ int root_fd = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        _cleanup_json_ json_t *process = NULL;
        const BundleInput input = {.spec = &container->spec,
                                   .host = &container->engine->host,
                                   .id = container->id,
                                   .user = user,
                                   .host_name = container->spec.host_name};
        const BundleExec what = {.command = &exec->command,
                                 .environment = &exec->environment,
                                 .directory = exec->working_directory,
                                 .tty = exec->tty,
                                 .privileged = exec->privileged};
        int r;

        if (!file || !root || !user)
                return -ENOMEM;
        if (root_fd < 0)
                return error_set_errno(error, -errno, "cannot open %s", root);
        r = image_user_find(root_fd, exec->user ?: container->spec.user, &container->spec.group_add, user, error);
        if (r >= 0)
                r = bundle_exec_process(&input, &what, &process, error);
        text = r >= 0 ? json_dumps(process, 0) : NULL;
        if (r >= 0)
                r = text ? file_make_folder(exec->attach.directory, 0700, error) : -ENOMEM;
        return r < 0 ? r : file_replace(file, 0600, slice_from(text), false, error);
}

static int launch(Exec *exec, Error *error) {
        Engine *engine = exec->container->engine;
        const ShimLaunch shim = {
                .program = engine->settings->shim,
                .id = exec->container->id,
                .directory = exec->attach.directory,
                .runtime = engine->runtime,
                .runtime_root = engine->runtime_root,
                .hide = engine->hide,
                .exec = PROCESS_FILE,
                .tty = exec->tty,
                .open_stdin = exec->wants_stdin,
                .stdin_once = true,
                .cgroup_fds = engine->shim_fds,
                .n_cgroup_fds = engine->n_shim_fds,
        };
        int r = write_process(exec, error);

        return r < 0 ? r : shim_link_launch(engine->loop, &shim, &exec_events, exec, &exec->link, error);
}

void exec_start(Exec *exec, EngineCall *call) {
        Error error = ERROR_NONE;
        int r;

        list_init(&call->link);
        if (exec->started || !exec->container || !container_is_running(exec->container)) {
                r = exec->started
                            ? error_set(&error, -EEXIST, "Error: Exec command %s has already run", exec->id)
                            : error_set(&error, -ENOTCONN, "the container of exec %.12s is not running", exec->id);
                call->done(call, r, &error);
                return;
        }
        exec->started = true;
        list_append(&exec->calls, &call->link);
        r = launch(exec, &error);
        if (r < 0) {
                exec_over(exec, 126);
                container_tell_calls(&exec->calls, r, &error);
        }
}

int exec_resize(Exec *exec, uint16_t rows, uint16_t columns) {
        exec->rows = rows;
        exec->columns = columns;
        return exec->running && exec->link ? shim_link_resize(exec->link, rows, columns) : 0;
}

static void drop_all(Engine *engine, Container *container) {
        for (bool again = true; again;) {
                Exec *found = NULL;

                map_foreach (&engine->execs, entry)
                        if (!container || ((Exec *)entry->value)->container == container)
                                found = entry->value;
                again = found != NULL;
                if (found)
                        exec_forget(engine, found);
        }
}

/* The container is ended, and its processes with it; their shims clear up by themselves. */
void execs_drop(Container *container) {
        drop_all(container->engine, container);
}

void execs_close(Engine *engine) {
        drop_all(engine, NULL);
}
