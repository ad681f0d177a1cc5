/* down: removes everything, or powers named machines off. */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>

#include "cli/machine.h"

enum { DOWN_WAIT_MSEC = 90000 };

/* ---- all ---- */

/* Until the daemon has ended. */
static int wait_for_end(const MachineGroup *group, pid_t pid, int pidfd) {
        struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
        int n;

        do
                n = poll(&poll_fd, 1, DOWN_WAIT_MSEC);
        while (n < 0 && errno == EINTR);
        if (n > 0)
                return CLI_OK;
        cli_complain(group->program,
                     "down: the daemon (process %d) has not ended within %d s; %s/machines.log may say why", pid,
                     DOWN_WAIT_MSEC / 1000, group->directory);
        return CLI_FAILED;
}

/* One that was killed: its machines died with it, but files and control groups are left. */
static int clear(const MachineGroup *group, bool keep_disks) {
        Error error = ERROR_NONE;
        int r = machines_clear(group->directory, keep_disks, &error);

        if (r < 0) {
                cli_complain(group->program, "down: %s", error.text);
                return CLI_FAILED;
        }
        if (r == 0)
                printf("there are no local machines\n");
        return CLI_OK;
}

static int down_all(MachineGroup *group, bool keep_disks) {
        _cleanup_machine_call_ MachineCall machines = {0}, down = {0};
        _cleanup_close_ int pidfd = -1;
        pid_t pid;
        int r = machine_ask(group, "GET", "machines", (Slice){NULL, 0}, &machines);

        if (machine_is_nobody_there(r))
                return clear(group, keep_disks);
        if (r < 0) {
                cli_complain(group->program, "down: cannot ask the daemon of local machines: %s", machines.error.text);
                return CLI_FAILED;
        }
        pid = (pid_t)json_integer_value(json_object_get(machines.json, "pid"));
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0) {
                cli_complain(group->program, "down: cannot watch the daemon (process %d): %s", pid, strerror(errno));
                return CLI_FAILED;
        }
        if (machine_ask(group, "POST", keep_disks ? "down?keepDisks=1" : "down", (Slice){NULL, 0}, &down) < 0) {
                cli_complain(group->program, "down: %s", down.error.text);
                return CLI_FAILED;
        }
        return wait_for_end(group, pid, pidfd);
}

/* ---- some ---- */

static int down_named(MachineGroup *group, const StringList *names, bool plug) {
        MachineCall calls[PLAN_MACHINES_MAX] = {{0}};
        int code = CLI_OK;

        for (size_t i = 0; i < names->length; i++) {
                _cleanup_free_ char *target = str_printf("machines/%s/off%s", names->items[i], plug ? "?plug=1" : "");

                machine_call(group, "POST", target ?: "", (Slice){NULL, 0}, &calls[i]);
        }
        machine_await(group, calls, names->length);
        for (size_t i = 0; i < names->length; i++) {
                if (calls[i].r < 0) {
                        cli_complain(group->program, "down: %s: %s", names->items[i],
                                     machine_is_nobody_there(calls[i].r)
                                             ? "there are no local machines; \"faering up\" makes them"
                                             : calls[i].error.text);
                        code = CLI_FAILED;
                }
                machine_call_deinit(&calls[i]);
        }
        return code;
}

static int check_names(const MachineGroup *group, const StringList *names) {
        Error error = ERROR_NONE;
        unsigned number;

        if (names->length > PLAN_MACHINES_MAX) {
                cli_complain(group->program, "down: there are at most %d machines", PLAN_MACHINES_MAX);
                return CLI_USAGE;
        }
        for (size_t i = 0; i < names->length; i++)
                if (plan_parse_name(names->items[i], &number, &error) < 0) {
                        cli_complain(group->program, "down: %s", error.text);
                        return CLI_USAGE;
                }
        return 0;
}

int machine_verb_down(void *userdata, int argc, char **argv) {
        MachineGroup *group = userdata;
        _cleanup_string_list_ StringList names = {0};
        bool plug = false, keep_disks = false;
        const Option options[] = {
                MACHINE_DIRECTORY_OPTION(group),
                {"plug", 0, OPTION_SWITCH, NULL, NULL, "pull the plug of the named machines: kill their first process",
                 &plug, NULL},
                {"keep-disks", 0, OPTION_SWITCH, NULL, NULL, "power all off, but keep their disks for the next \"up\"",
                 &keep_disks, NULL},
                {0},
        };
        int code;

        if (machine_parse(group, options, argc, argv, &names, &code) < 0)
                return code;
        if (plug && names.length == 0) {
                cli_complain(group->program,
                             "down: --plug goes with names of machines; without names everything is removed anyway");
                return CLI_USAGE;
        }
        if (keep_disks && names.length > 0) {
                cli_complain(group->program,
                             "down: --keep-disks goes without names: named machines keep their disks always");
                return CLI_USAGE;
        }
        code = check_names(group, &names);
        if (code == 0)
                code = machine_open(group, true);
        if (code != 0)
                return code;
        return names.length > 0 ? down_named(group, &names, plug) : down_all(group, keep_disks);
}
