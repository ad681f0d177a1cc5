/* exec: a command in all namespaces and control groups of a machine. */
#include "cli/machine-exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cli/machine.h"
#include "host/file.h"
#include "machine/enter.h"
#include "machine/hierarchy.h"
#include "unitfile/environment-file.h"

typedef struct Exec {
        const MachineGroup *group;
        const char *machine;
        char *const *command;
        bool terminal;
        int groups[HIERARCHIES_MAX]; /* cgroup.procs */
        size_t n_groups;
        StringList environment;
        int master, slave;
} Exec;

static void exec_deinit(Exec *exec) {
        while (exec->n_groups > 0)
                (void)close(exec->groups[--exec->n_groups]);
        string_list_deinit(&exec->environment);
        if (exec->master >= 0)
                (void)close(exec->master);
        if (exec->slave >= 0)
                (void)close(exec->slave);
}

static int complain(const Exec *exec, const Error *error) {
        cli_complain(exec->group->program, "exec: %s: %s", exec->machine,
                     error->text[0] ? error->text : "out of memory");
        return CLI_FAILED;
}

/* ---- going in ---- */

/* Under version 2 the top of a machine's groups holds no process: init's own group does. */
static int open_group(const char *path) {
        _cleanup_free_ char *of_init = str_printf("%s/init.scope/cgroup.procs", path),
                            *top = str_printf("%s/cgroup.procs", path);
        int fd = of_init ? open(of_init, O_WRONLY | O_CLOEXEC) : -1;

        return fd >= 0 || !top ? fd : open(top, O_WRONLY | O_CLOEXEC);
}

static int open_groups(Exec *exec, const json_t *machine, Error *error) {
        json_t *paths = json_object_get(machine, "cgroups"), *path;
        size_t i;

        json_array_foreach(paths, i, path) {
                int fd = exec->n_groups < HIERARCHIES_MAX ? open_group(json_string_value(path) ?: "") : -1;

                if (fd < 0)
                        return error_set_errno(error, -errno, "cannot open its control group %s",
                                               json_string_value(path) ?: "");
                exec->groups[exec->n_groups++] = fd;
        }
        return 0;
}

static int enter_namespaces(pid_t pid, Error *error) {
        const int all = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
        _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

        if (pidfd < 0 || setns(pidfd, all) < 0)
                return error_set_errno(error, -errno, "cannot enter its namespaces");
        return chdir("/") < 0 ? error_set_errno(error, -errno, "cannot enter its root") : 0;
}

/* What a login would have, and what the machine's /etc/environment says. */
static int make_environment(Exec *exec) {
        static const char *const fixed[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                            "HOME=/root", "USER=root", "LANG=C.UTF-8", "container=faering"};
        const char *terminal = getenv("TERM");
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(fixed); i++)
                r = string_list_add(&exec->environment, fixed[i]);
        if (r >= 0 && terminal)
                r = string_list_take(&exec->environment, str_printf("TERM=%s", terminal));
        if (r >= 0 && file_read("/etc/environment", ENVIRONMENT_FILE_MAX, &text, NULL) >= 0 && buffer_length(&text) > 0)
                (void)environment_file_parse((Slice){buffer_data(&text), buffer_length(&text)}, &exec->environment,
                                             NULL);
        return r;
}

/* ---- the child ---- */

_Noreturn static void run_child(const Exec *exec) {
        Error error = ERROR_NONE;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < exec->n_groups; i++)
                if (write(exec->groups[i], "0", 1) < 0)
                        r = error_set_errno(&error, -errno, "cannot enter its control groups");
        if (r >= 0 && exec->slave >= 0 && (r = exec_terminal_enter(exec->slave)) < 0)
                (void)error_set_errno(&error, r, "cannot take the terminal");
        if (r >= 0)
                r = enter_drop_capabilities(&error);
        if (r < 0)
                _exit(complain(exec, &error));
        (void)signal(SIGPIPE, SIG_DFL);
        environ = exec->environment.items;
        (void)execvp(exec->command[0], exec->command);
        r = errno;
        cli_complain(exec->group->program, "exec: %s: cannot execute %s: %s", exec->machine, exec->command[0],
                     strerror(r));
        _exit(r == ENOENT ? MACHINE_EXIT_NOT_FOUND : MACHINE_EXIT_NOT_EXECUTED);
}

/* ---- the parent ---- */

static volatile sig_atomic_t child_pid;

/* Those that a terminal sends reach the child by themselves: it is in our process group. */
static void on_signal(int number, siginfo_t *info, void *context) {
        (void)context;
        if (info->si_code <= 0 && child_pid > 0)
                (void)kill(child_pid, number);
}

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/* One that comes between the fork and the handlers waits for these: the child may have been seen to run already. */
static void hold_signals(sigset_t *before) {
        sigset_t held;

        (void)sigemptyset(&held);
        for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
                (void)sigaddset(&held, forwarded[i]);
        (void)sigprocmask(SIG_BLOCK, &held, before);
}

static void forward_signals(pid_t child) {
        const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

        child_pid = child;
        for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
                (void)sigaction(forwarded[i], &action, NULL);
}

/* As a shell counts: 128 and the signal. */
static int wait_for(pid_t child) {
        int status;

        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return CLI_FAILED;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_command(Exec *exec) {
        sigset_t before;
        pid_t child;

        (void)fflush(stdout);
        hold_signals(&before);
        child = fork();
        if (child < 0) {
                (void)sigprocmask(SIG_SETMASK, &before, NULL);
                cli_complain(exec->group->program, "exec: cannot start a process: %s", strerror(errno));
                return CLI_FAILED;
        }
        if (child == 0) {
                (void)sigprocmask(SIG_SETMASK, &before, NULL);
                run_child(exec);
        }
        forward_signals(child);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        if (exec->master >= 0) {
                _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, child, 0);

                (void)close(take_fd(exec->slave));
                exec_terminal_copy(exec->master, pidfd);
        }
        return wait_for(child);
}

static int enter(Exec *exec, const json_t *machine) {
        pid_t pid = (pid_t)json_integer_value(json_object_get(machine, "pid"));
        Error error = ERROR_NONE;
        int r;

        if (pid <= 0) {
                cli_complain(exec->group->program, "exec: %s is %s; \"faering up %s\" powers it on", exec->machine,
                             cli_text(machine, "power"), exec->machine);
                return CLI_FAILED;
        }
        r = open_groups(exec, machine, &error);
        if (r >= 0)
                r = enter_namespaces(pid, &error);
        if (r >= 0)
                r = make_environment(exec);
        if (r >= 0 && exec->terminal)
                r = exec_terminal_open(&exec->master, &exec->slave, &error);
        r = r < 0 ? complain(exec, &error) : run_command(exec);
        /* Without tidying up: this process lives half in the machine, and whatever it started now (as leak checkers do)
         * would land there. */
        (void)fflush(NULL);
        _exit(r);
}

static int find_and_enter(MachineGroup *group, Exec *exec) {
        _cleanup_free_ char *target = str_printf("machines/%s", exec->machine);
        _cleanup_machine_call_ MachineCall call = {0};
        int r = target ? machine_ask(group, "GET", target, (Slice){NULL, 0}, &call) : -ENOMEM;

        if (r >= 0)
                return enter(exec, call.json);
        cli_complain(group->program, "exec: %s",
                     machine_is_nobody_there(r) ? "there are no local machines; \"faering up\" makes them"
                                                : call.error.text);
        return CLI_FAILED;
}

int machine_verb_exec(void *userdata, int argc, char **argv) {
        MachineGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_(exec_deinit) Exec exec = {.group = group, .master = -1, .slave = -1};
        const Option options[] = {
                MACHINE_DIRECTORY_OPTION(group),
                {"tty", 't', OPTION_SWITCH, NULL, NULL, "a terminal of the machine's own", &exec.terminal, NULL},
                {0},
        };
        Error error = ERROR_NONE;
        unsigned number;
        int code;

        if (machine_parse(group, options, argc, argv, &arguments, &code) < 0)
                return code;
        if (arguments.length < 2) {
                cli_complain(group->program, "exec: which machine, and what? As in: faering exec m1 -- ps ax");
                return CLI_USAGE;
        }
        if (plan_parse_name(arguments.items[0], &number, &error) < 0) {
                cli_complain(group->program, "exec: %s", error.text);
                return CLI_USAGE;
        }
        exec.machine = arguments.items[0];
        exec.command = arguments.items + 1;
        code = machine_open(group, true);
        return code == 0 ? find_and_enter(group, &exec) : code;
}
