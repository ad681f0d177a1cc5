/* From the options of a unit to a process: environment, user, folders, streams, limits. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "host/embedded-internal.h"
#include "host/file.h"
#include "unitfile/environment-file.h"

static const char search_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* What a process is made from; owns what it holds. */
typedef struct Setup {
        StringList environment, arguments;
        char *path;
        char *home;
        gid_t groups[PROCESS_GROUPS_MAX];
        ProcessLimit limits[PROCESS_LIMITS];
        int fds[3];
        int cgroup_fds[CGROUP_PARTS];
        int passed[PROCESS_FDS_MAX]; /* borrowed: sockets */
        ProcessOptions options;
} Setup;

static void setup_deinit(Setup *setup) {
        string_list_deinit(&setup->environment);
        string_list_deinit(&setup->arguments);
        free(setup->path);
        free(setup->home);
        for (size_t i = 0; i < ARRAY_SIZE(setup->fds); i++)
                if (setup->fds[i] >= 0)
                        (void)close(setup->fds[i]);
        for (size_t i = 0; i < setup->options.n_cgroup_fds; i++)
                (void)close(setup->cgroup_fds[i]);
}

static int set_variable(StringList *list, const char *name, const char *value) {
        return string_list_take(list, str_printf("%s=%s", name, value));
}

static int set_number(StringList *list, const char *name, long long value) {
        return string_list_take(list, str_printf("%s=%lld", name, value));
}

static int append_all(StringList *list, const StringList *more) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < more->length; i++)
                r = string_list_add(list, more->items[i]);
        return r;
}

static bool same_name(const char *a, const char *b) {
        size_t length = strcspn(a, "=");

        return strncmp(a, b, length) == 0 && (b[length] == '=' || b[length] == '\0');
}

/* Of entries with one name the last stays; those of `unset` ("NAME" or "NAME=value") go. */
static int settle_environment(StringList *list, const StringList *unset) {
        _cleanup_string_list_ StringList settled = {0};
        int r = 0;

        for (size_t i = list->length; r >= 0 && i-- > 0;) {
                bool drop = false;

                for (size_t k = 0; !drop && k < settled.length; k++)
                        drop = same_name(list->items[i], settled.items[k]);
                for (size_t k = 0; !drop && k < unset->length; k++)
                        drop = strchr(unset->items[k], '=') ? str_equals(unset->items[k], list->items[i])
                                                            : same_name(list->items[i], unset->items[k]);
                if (!drop)
                        r = string_list_add(&settled, list->items[i]);
        }
        if (r < 0)
                return r;
        string_list_deinit(list);
        *list = settled;
        settled = (StringList){0};
        return 0;
}

static int read_environment_files(const Unit *unit, StringList *list, Error *error) {
        const OptionalPathList *files = &unit->definition.options.environment_files;

        for (size_t i = 0; i < files->length; i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                int r = file_read(files->items[i].path, ENVIRONMENT_FILE_MAX, &text, error);

                if (r == -ENOENT && files->items[i].optional)
                        continue;
                if (r >= 0) {
                        r = environment_file_parse((Slice){buffer_data(&text), buffer_length(&text)}, list, error);
                        if (r < 0)
                                (void)error_prefix(error, r, "%s", files->items[i].path);
                }
                if (r < 0 && !files->items[i].optional)
                        return error_prefix(error, r, "EnvironmentFile=");
        }
        return 0;
}

static const struct {
        const char *variable, *root;
        size_t offset;
} directories[] = {
        {"RUNTIME_DIRECTORY", NULL, offsetof(ServiceOptions, runtime_directory)},
        {"STATE_DIRECTORY", "/var/lib", offsetof(ServiceOptions, state_directory)},
        {"CACHE_DIRECTORY", "/var/cache", offsetof(ServiceOptions, cache_directory)},
        {"LOGS_DIRECTORY", "/var/log", offsetof(ServiceOptions, logs_directory)},
        {"CONFIGURATION_DIRECTORY", "/etc", offsetof(ServiceOptions, configuration_directory)},
};

static const ServiceDirectory *directory_of(const Unit *unit, size_t i) {
        return (const ServiceDirectory *)(const void *)((const char *)&unit->definition.options +
                                                        directories[i].offset);
}

static char *directory_path(const Unit *unit, size_t i, const char *name) {
        return str_printf("%s/%s", directories[i].root ? directories[i].root : unit->owner->runtime_root, name);
}

/* What an earlier user of the unit left in it goes along, as in systemd. */
static int hand_to_user(const char *path, const ProcessOptions *options, Error *error) {
        struct stat status;

        if (stat(path, &status) < 0)
                return error_set_errno(error, -errno, "cannot look at %s", path);
        if (status.st_uid == options->uid && status.st_gid == options->gid)
                return 0;
        return file_give_tree(path, options->uid, options->gid, error);
}

/* Makes RuntimeDirectory= and its kin, for the unit's user, and names them in the environment. */
static int make_directories(const Unit *unit, const ProcessOptions *options, StringList *environment, Error *error) {
        for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
                const ServiceDirectory *directory = directory_of(unit, i);
                _cleanup_buffer_ Buffer all = BUFFER_INIT;

                for (size_t k = 0; k < directory->names.length; k++) {
                        _cleanup_free_ char *path = directory_path(unit, i, directory->names.items[k]);
                        int r;

                        if (!path)
                                return -ENOMEM;
                        r = file_make_folder(path, directory->mode, error);
                        if (r < 0)
                                return r;
                        if (chmod(path, directory->mode) < 0)
                                return error_set_errno(error, -errno, "cannot set the mode of %s", path);
                        if (options->set_user && !str_equals(directories[i].variable, "CONFIGURATION_DIRECTORY")) {
                                r = hand_to_user(path, options, error);
                                if (r < 0)
                                        return r;
                        }
                        (void)buffer_printf(&all, "%s%s", k > 0 ? ":" : "", path);
                }
                if (directory->names.length > 0 &&
                    (!buffer_string(&all) ||
                     set_variable(environment, directories[i].variable, buffer_string(&all)) < 0))
                        return -ENOMEM;
        }
        return 0;
}

void unit_remove_directories(Unit *unit) {
        const ServiceDirectory *directory = &unit->definition.options.runtime_directory;
        ServicePreserve preserve = unit->definition.options.runtime_directory_preserve;

        if (preserve == SERVICE_PRESERVE_YES ||
            (preserve == SERVICE_PRESERVE_RESTART && unit->machine.state == SERVICE_AUTO_RESTART))
                return;
        for (size_t i = 0; i < directory->names.length; i++) {
                _cleanup_free_ char *path = directory_path(unit, 0, directory->names.items[i]);
                Error error = ERROR_NONE;

                if (path && file_remove_tree(path, &error) < 0)
                        unit_note(unit, "%s", error.text);
        }
}

static int find_group(const char *name, gid_t *ret, Error *error) {
        uint64_t number;
        struct group *group;

        if (str_parse_u64(slice_from(name), UINT32_MAX - 1, &number) >= 0) {
                *ret = (gid_t)number;
                return 0;
        }
        group = getgrnam(name);
        if (!group)
                return error_set(error, -ESRCH, "there is no group \"%s\" on this machine", name);
        *ret = group->gr_gid;
        return 0;
}

static int find_user(Setup *setup, const ServiceOptions *options, Error *error) {
        ProcessOptions *process = &setup->options;
        const struct passwd *user = NULL;
        uint64_t number;
        int n = 0, r;

        if (!options->user && !options->group)
                return 0;
        process->set_user = true;
        process->uid = geteuid();
        process->gid = getegid();
        if (options->user) {
                bool is_number = str_parse_u64(slice_from(options->user), UINT32_MAX - 1, &number) >= 0;

                user = is_number ? getpwuid((uid_t)number) : getpwnam(options->user);
                if (!user && !is_number)
                        return error_set(error, -ESRCH, "there is no user \"%s\" on this machine", options->user);
                process->uid = user ? user->pw_uid : (uid_t)number;
                process->gid = user ? user->pw_gid : (gid_t)number;
        }
        if (user) {
                setup->home = strdup(user->pw_dir);
                if (!setup->home || set_variable(&setup->environment, "HOME", user->pw_dir) < 0 ||
                    set_variable(&setup->environment, "USER", user->pw_name) < 0 ||
                    set_variable(&setup->environment, "LOGNAME", user->pw_name) < 0 ||
                    set_variable(&setup->environment, "SHELL", *user->pw_shell ? user->pw_shell : "/bin/sh") < 0)
                        return -ENOMEM;
        }
        if (options->group) {
                r = find_group(options->group, &process->gid, error);
                if (r < 0)
                        return r;
        }
        if (user && geteuid() == 0) {
                n = PROCESS_GROUPS_MAX;
                if (getgrouplist(user->pw_name, process->gid, setup->groups, &n) < 0)
                        return error_set(error, -EINVAL, "user \"%s\" is in too many groups", options->user);
        }
        for (size_t i = 0; i < options->supplementary_groups.length; i++) {
                if (n == PROCESS_GROUPS_MAX)
                        return error_set(error, -EINVAL, "too many supplementary groups");
                r = find_group(options->supplementary_groups.items[i], &setup->groups[n], error);
                if (r < 0)
                        return r;
                n++;
        }
        process->groups = setup->groups;
        process->n_groups = (size_t)n;
        return 0;
}

static int base_environment(const Unit *unit, UnitProcessRole role, StringList *list) {
        const ServiceOptions *o = &unit->definition.options;
        const ServiceMachine *m = &unit->machine;
        bool stopping = m->control_list == &o->stop_post || m->control_list == &o->stop;
        int r;

        r = set_variable(list, "PATH", search_path);
        if (r >= 0)
                r = set_variable(list, "LANG", getenv("LANG") ? getenv("LANG") : "C.UTF-8");
        if (r >= 0)
                r = set_variable(list, "INVOCATION_ID", unit->group.id);
        if (r >= 0 && notify_access(o) != SERVICE_NOTIFY_NONE)
                r = set_variable(list, "NOTIFY_SOCKET", unit->owner->notify_path);
        if (r >= 0 && role == UNIT_PROCESS_MAIN && o->watchdog > 0) {
                r = set_number(list, "WATCHDOG_USEC", (long long)o->watchdog);
                if (r >= 0)
                        r = set_variable(list, "WATCHDOG_PID", process_pid_room);
        }
        if (role != UNIT_PROCESS_CONTROL)
                return r;
        if (r >= 0 && unit->main)
                r = set_number(list, "MAINPID", unit->main->pid);
        if (r >= 0 && stopping)
                r = set_variable(list, "SERVICE_RESULT", service_result_to_string(m->result));
        if (r >= 0 && stopping && m->main_ended) {
                r = set_variable(list, "EXIT_CODE", m->main_code == CLD_EXITED ? "exited"
                                                    : m->main_code == CLD_DUMPED ? "dumped"
                                                                                 : "killed");
                if (r >= 0 && m->main_code == CLD_EXITED)
                        r = set_number(list, "EXIT_STATUS", m->main_status);
                else if (r >= 0)
                        r = set_variable(list, "EXIT_STATUS",
                                         sigabbrev_np(m->main_status) ? sigabbrev_np(m->main_status) : "?");
        }
        return r;
}

/* Who is at the other end of a connection: as systemd tells it. */
static int name_peer(const Unit *unit, StringList *list) {
        struct sockaddr_storage address;
        socklen_t length = sizeof(address);
        char host[NI_MAXHOST], port[NI_MAXSERV];
        int r;

        if (unit->connection < 0 || getpeername(unit->connection, (struct sockaddr *)&address, &length) < 0 ||
            address.ss_family == AF_UNIX ||
            getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
                return 0;
        r = set_variable(list, "REMOTE_ADDR", host);
        return r < 0 ? r : set_variable(list, "REMOTE_PORT", port);
}

/* The sockets that were opened for a service, for the processes of ExecStart=. */
static int pass_sockets(const Unit *unit, UnitProcessRole role, Setup *setup) {
        _cleanup_buffer_ Buffer names = BUFFER_INIT;
        size_t n = 0;
        int r;

        if (role != UNIT_PROCESS_MAIN && unit->machine.control_list != &unit->definition.options.start)
                return 0;
        r = ports_collect(unit, setup->passed, &n, &names);
        if (r < 0 || n == 0)
                return r;
        setup->options.passed_fds = setup->passed;
        setup->options.n_passed_fds = n;
        r = set_number(&setup->environment, "LISTEN_FDS", (long long)n);
        if (r >= 0)
                r = set_variable(&setup->environment, "LISTEN_PID", process_pid_room);
        if (r >= 0)
                r = buffer_string(&names) ? set_variable(&setup->environment, "LISTEN_FDNAMES", buffer_string(&names)) : -ENOMEM;
        return r < 0 ? r : name_peer(unit, &setup->environment);
}

static int make_environment(const Unit *unit, UnitProcessRole role, bool as_user, Setup *setup, Error *error) {
        const ServiceOptions *o = &unit->definition.options;
        StringList *list = &setup->environment;
        int r;

        r = base_environment(unit, role, list);
        if (r >= 0)
                r = pass_sockets(unit, role, setup);
        if (r >= 0 && as_user)
                r = find_user(setup, o, error);
        for (size_t i = 0; r >= 0 && i < o->pass_environment.length; i++) {
                const char *value = getenv(o->pass_environment.items[i]);

                if (value)
                        r = set_variable(list, o->pass_environment.items[i], value);
        }
        if (r >= 0)
                r = make_directories(unit, &setup->options, list, error);
        if (r >= 0)
                r = append_all(list, &o->environment);
        if (r >= 0)
                r = read_environment_files(unit, list, error);
        if (r >= 0)
                r = settle_environment(list, &o->unset_environment);
        return r;
}

static int find_program(const char *path, char **ret, Error *error) {
        Slice rest = slice_from(search_path), folder;

        if (path[0] == '/') {
                *ret = strdup(path);
                return *ret ? 0 : -ENOMEM;
        }
        while (slice_split(&rest, ':', &folder)) {
                _cleanup_free_ char *full = str_printf("%.*s/%s", (int)folder.length, folder.data, path);

                if (!full)
                        return -ENOMEM;
                if (access(full, X_OK) == 0) {
                        *ret = take_ptr(full);
                        return 0;
                }
        }
        return error_set(error, -ENOENT, "no program \"%s\" in %s", path, search_path);
}

static int open_output(const ServiceStream *stream, int *ret, Error *error) {
        int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;

        if (stream->kind == SERVICE_STREAM_APPEND)
                flags |= O_APPEND;
        else if (stream->kind == SERVICE_STREAM_TRUNCATE)
                flags |= O_TRUNC;
        *ret = open(stream->path, flags, 0644);
        if (*ret < 0)
                return error_set_errno(error, -errno, "cannot open %s for output", stream->path);
        return 0;
}

/* A pipe into the unit's log. *ret is the end for the child. */
static int open_log_pipe(UnitProcess *process, SupervisorStream stream, int *ret, Error *error) {
        int pair[2], r;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return error_set_errno(error, -errno, "cannot make a pipe for output");
        r = unit_attach_log(process, stream, pair[0], error);
        if (r < 0) {
                (void)close(pair[1]);
                return r;
        }
        *ret = pair[1];
        return 0;
}

/* StandardInput=socket and the like: there must be one socket, and no doubt which. */
static int open_socket(const Setup *setup, int *ret, Error *error) {
        if (setup->options.n_passed_fds != 1)
                return error_set(error, -EINVAL, "StandardInput=socket needs exactly one socket, and there are %zu",
                                 setup->options.n_passed_fds);
        *ret = fcntl(setup->passed[0], F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? error_set_errno(error, -errno, "cannot pass on the socket") : 0;
}

/* Errors go where output goes, also if that is the log: one pipe for both keeps their order. Output goes where input comes from, if that
 * is a socket. */
static int open_as_before(UnitProcess *process, SupervisorStream number, const Setup *setup, int *ret, Error *error) {
        const ServiceOptions *o = &process->unit->definition.options;
        int before = setup->fds[STDOUT_FILENO];

        if (number == SUPERVISOR_STREAM_OUTPUT)
                return o->input.kind == SERVICE_STREAM_SOCKET ? open_socket(setup, ret, error)
                                                              : open_log_pipe(process, number, ret, error);
        *ret = before < 0 ? -1 : fcntl(before, F_DUPFD_CLOEXEC, 3);
        return 0;
}

static int open_stream(UnitProcess *process, const ServiceStream *stream, SupervisorStream number, const Setup *setup,
                       int *ret, Error *error) {
        switch (stream->kind) {
        case SERVICE_STREAM_NULL:
                *ret = -1;
                return 0;
        case SERVICE_STREAM_FILE:
        case SERVICE_STREAM_APPEND:
        case SERVICE_STREAM_TRUNCATE:
                return open_output(stream, ret, error);
        case SERVICE_STREAM_DEFAULT:
        case SERVICE_STREAM_INHERIT:
                return open_as_before(process, number, setup, ret, error);
        case SERVICE_STREAM_SOCKET:
                return open_socket(setup, ret, error);
        default: /* there is no terminal: the log */
                return number == SUPERVISOR_STREAM_ERROR && process->pipes[SUPERVISOR_STREAM_OUTPUT]
                               ? open_as_before(process, number, setup, ret, error)
                               : open_log_pipe(process, number, ret, error);
        }
}

static int open_streams(UnitProcess *process, Setup *setup, Error *error) {
        const ServiceOptions *o = &process->unit->definition.options;
        int r = 0;

        if (o->input.kind == SERVICE_STREAM_FILE) {
                setup->fds[0] = open(o->input.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
                if (setup->fds[0] < 0)
                        r = error_set_errno(error, -errno, "cannot open %s for input", o->input.path);
        } else if (o->input.kind == SERVICE_STREAM_SOCKET) {
                r = open_socket(setup, &setup->fds[0], error);
        }
        if (r >= 0)
                r = open_stream(process, &o->output, SUPERVISOR_STREAM_OUTPUT, setup, &setup->fds[1], error);
        if (r >= 0)
                r = open_stream(process, &o->error, SUPERVISOR_STREAM_ERROR, setup, &setup->fds[2], error);
        return r;
}

/* Where the child is to write its own id: it is known to nobody before. */
static void find_pid_rooms(const StringList *environment, ProcessOptions *options) {
        static const char *const names[PROCESS_PID_ROOMS] = {"WATCHDOG_PID=", "LISTEN_PID="};

        for (size_t i = 0; i < environment->length; i++)
                for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                        char *value = environment->items[i] + strlen(names[k]);

                        if (str_starts_with(environment->items[i], names[k]) && str_equals(value, process_pid_room) &&
                            options->n_pid_rooms < PROCESS_PID_ROOMS)
                                options->pid_rooms[options->n_pid_rooms++] = value;
                }
}

static int open_groups(const Unit *unit, Setup *setup) {
        _cleanup_cgroup_ Cgroup cgroup = {0};
        int r = unit_group_cgroup(&unit->group, &cgroup);

        return r < 0 ? r : cgroup_open_procs(&cgroup, setup->cgroup_fds, &setup->options.n_cgroup_fds);
}

static void fill_options(const Unit *unit, const ExecCommand *command, bool as_user, Setup *setup) {
        const ServiceOptions *o = &unit->definition.options;
        ProcessOptions *process = &setup->options;

        for (size_t i = 0; o->limits && i < PROCESS_LIMITS; i++)
                setup->limits[i] = (ProcessLimit){
                        .set = o->limits[i].set,
                        .soft = o->limits[i].soft == VALUE_LIMIT_INFINITY ? RLIM_INFINITY : (rlim_t)o->limits[i].soft,
                        .hard = o->limits[i].hard == VALUE_LIMIT_INFINITY ? RLIM_INFINITY : (rlim_t)o->limits[i].hard,
                };
        process->path = setup->path;
        process->argv = (const char *const *)setup->arguments.items;
        process->environment = (const char *const *)setup->environment.items;
        find_pid_rooms(&setup->environment, process);
        process->directory = o->working_directory;
        if (process->directory && str_equals(process->directory, "~"))
                process->directory = setup->home ? setup->home : getenv("HOME");
        process->directory_optional = o->working_directory_optional;
        process->root = command->full_privileges ? NULL : o->root_directory;
        if (!as_user)
                process->set_user = false;
        process->set_umask = true;
        process->umask = (mode_t)o->umask;
        process->set_nice = o->nice_set;
        process->nice = (int)o->nice;
        process->set_oom_score = o->oom_score_adjust_set;
        process->oom_score = (int)o->oom_score_adjust;
        process->limits = o->limits ? setup->limits : NULL;
        for (size_t i = 0; i < ARRAY_SIZE(setup->fds); i++)
                process->fds[i] = setup->fds[i];
        process->new_session = true;
        process->ignore_sigpipe = o->ignore_sigpipe;
        process->no_new_privileges = o->no_new_privileges;
        process->cgroup_fds = setup->cgroup_fds;
}

/* A shim becomes the parent of the process, and has the reading ends of its log's pipes, too. */
static int spawn_through_shim(UnitProcess *process, const ProcessOptions *options, const ProcessEvents *events, Error *error) {
        static const char held_of[] = {[SUPERVISOR_STREAM_OUTPUT] = UNIT_SHIM_OUTPUT, [SUPERVISOR_STREAM_ERROR] = UNIT_SHIM_ERRORS};
        char held[ARRAY_SIZE(process->pipes) + 1] = "";
        int fds[ARRAY_SIZE(process->pipes)], r;
        size_t n = 0;
        pid_t pid;

        for (size_t i = 0; i < ARRAY_SIZE(process->pipes); i++) {
                const LogPipe *pipe = process->pipes[i];

                if (!pipe || pipe->fd < 0)
                        continue;
                held[n] = held_of[i];
                fds[n++] = pipe->fd;
        }
        r = holder_make(process->unit, options, held, fds, n, &pid, error);
        if (r >= 0)
                process_begin_told(&process->process, &process->unit->owner->reaper, pid, events, process);
        return r;
}

static int spawn_process(UnitProcess *process, const ProcessOptions *options, const ProcessEvents *events, Error *error) {
        Embedded *e = process->unit->owner;

        return e->shim ? spawn_through_shim(process, options, events, error)
                       : process_spawn(&process->process, e->loop, &e->reaper, options, events, process, error);
}

int unit_spawn(Unit *unit, const ExecCommand *command, UnitProcessRole role, const ProcessEvents *events,
               UnitProcess *process, Error *error) {
        const ServiceOptions *o = &unit->definition.options;
        _cleanup_(setup_deinit) Setup setup = {.fds = {-1, -1, -1}};
        bool as_user = !command->full_privileges && !command->keep_user &&
                       (role == UNIT_PROCESS_MAIN || !o->root_only_start || unit->machine.control_list == &o->start);
        int r;

        r = make_environment(unit, role, as_user, &setup, error);
        if (r >= 0)
                r = exec_command_expand(command, &setup.environment, &setup.arguments);
        if (r >= 0)
                r = find_program(command->path, &setup.path, error);
        if (r >= 0 && setup.arguments.length == 0)
                r = error_set(error, -EINVAL, "no arguments are left after variables were replaced");
        if (r >= 0)
                r = open_streams(process, &setup, error);
        if (r >= 0 && unit_group_in_cgroup(&unit->group))
                r = open_groups(unit, &setup);
        if (r < 0) {
                if (error && !*error->text)
                        (void)error_set_errno(error, r, "cannot start %s", command->path);
                return r;
        }
        if (notify_access(o) != SERVICE_NOTIFY_NONE)
                notify_keep(unit);
        fill_options(unit, command, as_user, &setup);
        r = spawn_process(process, &setup.options, events, error);
        if (r < 0)
                return r;
        process->pid = process->process.pid;
        process->open++;
        (void)unit_group_add_session(&unit->group, process->pid); /* without memory: the environment tells, too */
        return 0;
}

void unit_process_close_handle(UnitProcess *process) {
        Unit *unit = process->unit;

        if (--process->open > 0)
                return;
        list_unlink(&process->link);
        free(process);
        if (!unit->dirty) {
                unit->dirty = true;
                list_append(&unit->owner->dirty, &unit->dirty_link);
        }
        embedded_wake(unit->owner);
}
