/* ssh, --tunnel, fd-forward: other machines through the system's ssh, with its keys and its configuration. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/fleet.h"

#define USER_DEFAULT "core"
#define TIMEOUT_DEFAULT "10"

/* ---- command lines of ssh ---- */

/* "HOST[:PORT]", "[ADDRESS]:PORT" → host and port ("22"). */
static int split_host(const char *text, char **ret_host, char **ret_port) {
        const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
        const char *colon = strrchr(bracket ?: text, ':');
        size_t length = bracket                               ? (size_t)(bracket - text - 1)
                        : colon && strchr(text, ':') == colon ? (size_t)(colon - text)
                                                              : strlen(text);

        *ret_host = str_printf("%.*s", (int)length, bracket ? text + 1 : text);
        *ret_port = strdup(colon && (bracket || strchr(text, ':') == colon) ? colon + 1 : "22");
        return *ret_host && *ret_port ? 0 : -ENOMEM;
}

static int add_option(StringList *command, const char *name, const char *value) {
        int r = string_list_add(command, "-o");

        return r < 0 ? r : string_list_take(command, str_printf("%s=%s", name, value));
}

/* For the shell, in single quotes, and for ssh, which replaces %x. */
static int append_quoted(Buffer *buffer, const char *text) {
        int r = buffer_append_byte(buffer, '\'');

        for (; *text && r >= 0; text++)
                r = *text == '\''  ? buffer_append_string(buffer, "'\\''")
                    : *text == '%' ? buffer_append_string(buffer, "%%")
                                   : buffer_append_byte(buffer, (uint8_t)*text);
        return r < 0 ? r : buffer_append_byte(buffer, '\'');
}

/* Through the tunnel that is open: -J would ask for the tunnel's host anew, and without our options. */
static int add_jump(const char *tunnel_folder, StringList *command) {
        _cleanup_free_ char *control = str_printf("%s/control", tunnel_folder);
        _cleanup_buffer_ Buffer proxy = BUFFER_INIT;
        int r = control ? buffer_append_string(&proxy, "ssh -q -S ") : -ENOMEM;

        if (r >= 0)
                r = append_quoted(&proxy, control);
        if (r >= 0)
                r = buffer_append_string(&proxy, " -W [%h]:%p tunnel");
        return r < 0 || !buffer_string(&proxy) ? -ENOMEM : add_option(command, "ProxyCommand", buffer_string(&proxy));
}

/* What all calls of ssh have in common. `tunnel_folder`: through that tunnel; or NULL. */
static int begin_command(const FleetSsh *ssh, const char *port, const char *tunnel_folder, StringList *command) {
        int whole = atoi(ssh->timeout ?: TIMEOUT_DEFAULT), r;
        _cleanup_free_ char *timeout = str_printf("%d", whole > 0 ? whole : 1);

        r = timeout ? string_list_add(command, "ssh") : -ENOMEM;
        if (r >= 0)
                r = add_option(command, "ConnectTimeout", timeout);
        if (r >= 0)
                r = add_option(command, "StrictHostKeyChecking", ssh->strict ? "ask" : "no");
        if (r >= 0 && ssh->known_hosts)
                r = add_option(command, "UserKnownHostsFile", ssh->known_hosts);
        if (r >= 0 && tunnel_folder)
                r = add_jump(tunnel_folder, command);
        if (r >= 0)
                r = string_list_add(command, "-p");
        if (r >= 0)
                r = string_list_add(command, port);
        return r;
}

static int add_host(const FleetSsh *ssh, const char *host, StringList *command) {
        return string_list_take(command, strchr(host, '@') ? strdup(host)
                                                           : str_printf("%s@%s", ssh->user ?: USER_DEFAULT, host));
}

static int no_memory(FleetGroup *group) {
        fleet_complain(group, "out of memory");
        return CLI_FAILED;
}

/* Runs a command to its end. Its exit status, or 255. */
static int run_command(FleetGroup *group, const StringList *command) {
        pid_t child = fork();
        int status;

        if (child == 0) {
                (void)execvp(command->items[0], command->items);
                fleet_complain(group, "cannot run %s: %s; is OpenSSH's client installed?", command->items[0],
                               strerror(errno));
                _exit(255);
        }
        while (child < 0 || waitpid(child, &status, 0) < 0)
                if (child < 0 || errno != EINTR)
                        return 255;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* ---- --tunnel: ssh leads a socket of ours to the API over there ---- */

/* The socket's folder is ours alone. ssh goes to the background once the socket is there; -O exit ends it. */
static int tunnel_command(FleetGroup *group, StringList *command) {
        _cleanup_free_ char *host = NULL, *port = NULL, *forward = NULL, *control = NULL;
        int r = split_host(group->ssh.tunnel, &host, &port);

        if (r >= 0) {
                control = str_printf("%s/control", group->tunnel_folder);
                forward = group->endpoint.scheme == URL_UNIX
                                  ? str_printf("%s/api:%s", group->tunnel_folder, group->endpoint.host)
                                  : str_printf("%s/api:%s:%u", group->tunnel_folder, group->endpoint.host,
                                               group->endpoint.port);
                r = control && forward ? begin_command(&group->ssh, port, NULL, command) : -ENOMEM;
        }
        for (size_t i = 0; r >= 0 && i < 3; i++)
                r = string_list_add(command, (const char *const[]){"-f", "-N", "-M"}[i]);
        if (r >= 0)
                r = add_option(command, "ExitOnForwardFailure", "yes");
        if (r >= 0)
                r = string_list_add(command, "-S");
        if (r >= 0)
                r = string_list_add(command, control);
        if (r >= 0)
                r = string_list_add(command, "-L");
        if (r >= 0)
                r = string_list_add(command, forward);
        return r < 0 ? r : add_host(&group->ssh, host, command);
}

int fleet_tunnel_open(FleetGroup *group) {
        _cleanup_string_list_ StringList command = {0};
        const char *temporary = getenv("TMPDIR");
        _cleanup_free_ char *text = NULL;
        Error error = ERROR_NONE;

        if (!group->ssh.tunnel || !*group->ssh.tunnel)
                return 0;
        group->tunnel_folder = str_printf("%s/fleetctl-XXXXXX", temporary && *temporary ? temporary : "/tmp");
        if (!group->tunnel_folder)
                return no_memory(group);
        if (!mkdtemp(group->tunnel_folder)) {
                fleet_complain(group, "cannot make a folder for the tunnel, %s: %s", group->tunnel_folder,
                               strerror(errno));
                free(group->tunnel_folder);
                group->tunnel_folder = NULL;
                return CLI_FAILED;
        }
        if (tunnel_command(group, &command) < 0)
                return no_memory(group);
        if (run_command(group, &command) != 0) {
                fleet_complain(group, "cannot open the tunnel through %s: see what ssh says above", group->ssh.tunnel);
                return CLI_FAILED;
        }
        text = str_printf("unix://%s/api", group->tunnel_folder);
        if (!text || url_parse(text, 0, &group->endpoint, &error) < 0) {
                fleet_complain(group, "%s", text ? error.text : "out of memory");
                return CLI_FAILED;
        }
        return 0;
}

void fleet_tunnel_close(FleetGroup *group) {
        _cleanup_free_ char *control = NULL, *api = NULL;

        if (!group->tunnel_folder)
                return;
        control = str_printf("%s/control", group->tunnel_folder);
        api = str_printf("%s/api", group->tunnel_folder);
        if (control && access(control, F_OK) == 0) {
                char *const words[] = {(char[]){"ssh"}, (char[]){"-q"}, (char[]){"-O"},     (char[]){"exit"},
                                       (char[]){"-S"},  control,        (char[]){"tunnel"}, NULL};
                StringList command = {.items = (char **)(uintptr_t)words, .length = ARRAY_SIZE(words) - 1};

                (void)run_command(group, &command); /* what cannot be ended has ended */
        }
        if (control)
                (void)unlink(control);
        if (api)
                (void)unlink(api);
        (void)rmdir(group->tunnel_folder);
        free(group->tunnel_folder);
        group->tunnel_folder = NULL;
}

/* ---- ssh ---- */

/* The addresses of machines whose ID begins so. */
static size_t find_machines(json_t *machines, const char *prefix, const char **ret_address) {
        json_t *machine;
        size_t count = 0, i;

        json_array_foreach (machines, i, machine)
                if (*prefix && str_starts_with(cli_text(machine, "id"), prefix)) {
                        *ret_address = cli_text(machine, "primaryIP");
                        count++;
                }
        return count;
}

static int complain_machines(FleetGroup *group, const char *prefix, size_t count) {
        if (count == 0 && group->old)
                fleet_complain(group, "Unable to proceed: machine does not exist");
        else if (count == 0)
                fleet_complain(group, "Unable to proceed: could not find a machine whose ID begins with %s", prefix);
        else
                fleet_complain(group, "Unable to proceed: %zu machines have IDs that begin with %s: give more of it",
                               count, prefix);
        return CLI_FAILED;
}

/* Where the unit runs. 0, or the exit code; *ret_address "" when it is nowhere. `of_unit`: it must exist. */
static int find_unit(FleetGroup *group, json_t *machines, const char *argument, bool of_unit, const char **ret_address) {
        _cleanup_free_ char *name = NULL;
        Error error = ERROR_NONE;
        json_t *unit = NULL;
        int code;

        *ret_address = "";
        if (unit_name_mangle(argument, &name, &error) < 0) {
                fleet_complain(group, "%s", error.text);
                return CLI_USAGE;
        }
        code = fleet_get_unit(group, name, &unit);
        if (code == 0 && !unit && of_unit) {
                fleet_complain(group, "Unable to proceed: unit does not exist");
                code = CLI_FAILED;
        }
        if (code == 0 && unit && *cli_text(unit, "machineID"))
                (void)find_machines(machines, cli_text(unit, "machineID"), ret_address);
        json_decref(unit);
        return code;
}

static int find_either(FleetGroup *group, json_t *machines, const char *argument, const char **ret_address) {
        const char *of_machine = "", *of_unit = "";
        size_t count = find_machines(machines, argument, &of_machine);
        int code = find_unit(group, machines, argument, false, &of_unit);

        if (code != 0)
                return code;
        if (count > 1)
                return complain_machines(group, argument, count);
        if (count == 1 && *of_unit) {
                fleet_complain(group,
                               "Unable to proceed: %s is a machine and a unit: say which with --machine or --unit",
                               argument);
                return CLI_FAILED;
        }
        *ret_address = count == 1 ? of_machine : of_unit;
        if (**ret_address)
                return 0;
        fleet_complain(group, "Unable to proceed: could not find matching unit or machine");
        return CLI_FAILED;
}

typedef struct SshArguments {
        char *machine, *unit;
        uint64_t port;
        bool forward_agent;
} SshArguments;

static int find_address(FleetGroup *group, json_t *machines, const SshArguments *ssh, StringList *arguments,
                        size_t *ret_used, const char **ret_address) {
        size_t count;
        int code;

        *ret_used = 0;
        if (ssh->machine && ssh->unit) {
                fleet_complain(group, "Both machine and unit flags provided, please specify only one.");
                return CLI_FAILED;
        }
        if (ssh->machine) {
                count = find_machines(machines, ssh->machine, ret_address);
                return count == 1 ? 0 : complain_machines(group, ssh->machine, count);
        }
        if (ssh->unit) {
                code = find_unit(group, machines, ssh->unit, true, ret_address);
                if (code == 0 && !**ret_address) {
                        fleet_complain(group, "Unable to proceed: requested unit %s does not appear to be running",
                                       ssh->unit);
                        code = CLI_FAILED;
                }
                return code;
        }
        if (arguments->length == 0) {
                fleet_complain(group, "ssh needs a machine or a unit");
                return CLI_USAGE;
        }
        *ret_used = 1;
        return find_either(group, machines, arguments->items[0], ret_address);
}

static int ssh_command(FleetGroup *group, const SshArguments *ssh, const char *address, StringList *words, size_t first,
                       StringList *command) {
        _cleanup_free_ char *port = str_printf("%u", (unsigned)min_of(ssh->port, (uint64_t)UINT16_MAX));
        int r = port ? begin_command(&group->ssh, port, group->tunnel_folder, command) : -ENOMEM;

        if (r >= 0 && ssh->forward_agent)
                r = string_list_add(command, "-A");
        if (r >= 0)
                r = add_host(&group->ssh, address, command);
        if (r >= 0 && first < words->length && str_equals(words->items[first], "--"))
                first++;
        for (size_t i = first; r >= 0 && i < words->length; i++)
                r = string_list_add(command, words->items[i]);
        return r;
}

/* The remote command's exit status is ours. */
int fleet_verb_ssh(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0}, command = {0};
        SshArguments ssh = {.port = 22};
        const Option options[] = {
                {"machine", 'm', OPTION_STRING, "ID", NULL, "the machine whose ID begins so", &ssh.machine, NULL},
                {"unit", 'u', OPTION_STRING, "UNIT", NULL, "the machine where the unit is", &ssh.unit, NULL},
                {"forward-agent", 'A', OPTION_SWITCH, NULL, NULL, "let the machine use this one's ssh-agent",
                 &ssh.forward_agent, NULL},
                {"A", 0, OPTION_SWITCH, NULL, NULL, NULL, &ssh.forward_agent, NULL},
                {"ssh-port", 0, OPTION_U64, "PORT", NULL, "of the machine's ssh server (default: 22)", &ssh.port, NULL},
                {0},
        };
        const char *address = "";
        json_t *machines = NULL;
        size_t used = 0;
        int code;

        if (verb_parse(verb_find(fleet_verbs, "ssh", false), group->program, options, OPTIONS_STOP_AT_ARGUMENT, argc,
                       argv, &arguments, &code) < 0)
                return code;
        code = fleet_list(group, "machines", "machines", &machines);
        if (code == 0)
                code = find_address(group, machines, &ssh, &arguments, &used, &address);
        if (code == 0)
                code = ssh_command(group, &ssh, address, &arguments, used, &command) < 0 ? no_memory(group)
                                                                                         : run_command(group, &command);
        json_decref(machines);
        free(ssh.machine);
        free(ssh.unit);
        return code;
}

/* ---- fd-forward: what an old fleetctl runs at the other end of its tunnel ---- */

static int dial(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t length = strlen(path);
        int fd;

        if (length >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, length);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
                int r = -errno;

                (void)close(fd);
                return r;
        }
        return fd;
}

/* One piece. 0 at the end of the input, which is passed on. */
static int copy_piece(int from, int to) {
        char bytes[16384];
        ssize_t got = read(from, bytes, sizeof(bytes));

        if (got < 0 && (errno == EINTR || errno == EAGAIN))
                return 1;
        for (ssize_t at = 0; at < got;) {
                ssize_t put = write(to, bytes + at, (size_t)(got - at));

                if (put < 0 && errno != EINTR)
                        return 0;
                at += put > 0 ? put : 0;
        }
        if (got <= 0)
                (void)shutdown(to, SHUT_WR);
        return got > 0;
}

int fleet_verb_fd_forward(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
        const char *path = argc > 1 ? argv[1] : NULL;

        if (!path || argc > 2) {
                fleet_complain(group, "fd-forward needs the path of one socket");
                return CLI_USAGE;
        }
        fds[1].fd = dial(path);
        if (fds[1].fd < 0) {
                fleet_complain(group, "Failed dialing remote address: dial unix %s: %s", path, strerror(-fds[1].fd));
                return CLI_FAILED;
        }
        while (poll(fds, ARRAY_SIZE(fds), -1) >= 0 || errno == EINTR) {
                if (fds[1].revents && !copy_piece(fds[1].fd, STDOUT_FILENO))
                        break;
                if (fds[0].revents && !copy_piece(STDIN_FILENO, fds[1].fd))
                        fds[0].fd = -1;
        }
        (void)close(fds[1].fd);
        return CLI_OK;
}

int fleet_verb_verify(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;

        (void)argc;
        (void)argv;
        fleet_complain(group, "verify does nothing: signed units were given up by fleet 1.0");
        return CLI_USAGE;
}
