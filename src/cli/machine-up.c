/* up: makes machines or powers them on, and waits until each is up. */
#include <errno.h>
#include <signal.h>

#include "cli/machine-daemon.h"
#include "cli/machine.h"
#include "host/file.h"
#include "machine/disk.h"

enum { MACHINES_DEFAULT = 3 };

typedef struct Up {
        MachineGroup *group;
        char *cloud_config, *programs;
        StringList forwards;
        StringList names;
        size_t count;                 /* all are asked for, by number; 0: by name */
        bool made[PLAN_MACHINES_MAX]; /* by this call, by place in names */
        bool powered[PLAN_MACHINES_MAX];
        Buffer user_data;
        int starter; /* -1: the daemon was there before */
        uv_signal_t signals[2];
} Up;

static void up_deinit(Up *up) {
        free(up->cloud_config);
        free(up->programs);
        string_list_deinit(&up->forwards);
        string_list_deinit(&up->names);
        buffer_deinit(&up->user_data);
        for (size_t i = 0; i < ARRAY_SIZE(up->signals); i++)
                if (up->signals[i].loop)
                        uv_close((uv_handle_t *)&up->signals[i], NULL);
        (void)uv_run(&up->group->loop, UV_RUN_NOWAIT);
}

/* ---- which machines ---- */

static int add_numbered(Up *up, uint64_t count) {
        up->count = count;
        for (unsigned i = 1; i <= count; i++) {
                char name[PLAN_NAME_MAX];

                plan_name(i, name);
                if (string_list_add(&up->names, name) < 0)
                        return CLI_FAILED;
        }
        return 0;
}

static int choose(Up *up, const StringList *arguments) {
        const char *program = up->group->program;
        uint64_t count = MACHINES_DEFAULT;
        Error error = ERROR_NONE;
        unsigned number;

        if (arguments->length == 0)
                return add_numbered(up, count);
        if (arguments->length == 1 && str_parse_u64(slice_from(arguments->items[0]), UINT32_MAX, &count) >= 0) {
                if (count >= 1 && count <= PLAN_MACHINES_MAX)
                        return add_numbered(up, count);
                cli_complain(program, "up: there can be 1 to %d local machines", PLAN_MACHINES_MAX);
                return CLI_USAGE;
        }
        for (size_t i = 0; i < arguments->length; i++) {
                if (plan_parse_name(arguments->items[i], &number, &error) < 0) {
                        cli_complain(program, "up: %s", error.text);
                        return CLI_USAGE;
                }
                if (!string_list_contains(&up->names, arguments->items[i]) &&
                    string_list_add(&up->names, arguments->items[i]) < 0)
                        return CLI_FAILED;
        }
        return 0;
}

/* ---- the cloud-config ---- */

/* The example is for three machines; its list of members becomes that of all. */
static int fit_members(Up *up) {
        _cleanup_buffer_ Buffer three = BUFFER_INIT, all = BUFFER_INIT, fitted = BUFFER_INIT;
        const char *text = buffer_string(&up->user_data), *found;

        if (plan_initial_cluster(MACHINES_DEFAULT, &three) < 0 || plan_initial_cluster((unsigned)up->count, &all) < 0 ||
            !text || !buffer_string(&three))
                return -ENOMEM;
        found = strstr(text, buffer_string(&three));
        if (!found || up->count == 0 || up->count == MACHINES_DEFAULT)
                return 0;
        if (buffer_append(&fitted, text, (size_t)(found - text)) < 0 ||
            buffer_append(&fitted, buffer_data(&all), buffer_length(&all)) < 0 ||
            buffer_append_string(&fitted, found + buffer_length(&three)) < 0)
                return -ENOMEM;
        buffer_clear(&up->user_data);
        return buffer_append(&up->user_data, buffer_data(&fitted), buffer_length(&fitted));
}

/* Where the example is: in the build tree, or installed. */
static int read_example(Buffer *to) {
        static const char *const places[] = {"/../../data/examples/cluster.yml",
                                             "/../share/faering/examples/cluster.yml"};
        _cleanup_free_ char *own = file_program_folder();

        if (!own)
                return -ENOENT;
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
                _cleanup_free_ char *path = str_printf("%s%s", own, places[i]);

                if (path && file_read(path, DISK_USER_DATA_MAX, to, NULL) >= 0)
                        return 0;
        }
        return -ENOENT;
}

static int read_cloud_config(Up *up) {
        Error error = ERROR_NONE;
        int r;

        if (up->cloud_config) {
                r = file_read(up->cloud_config, DISK_USER_DATA_MAX, &up->user_data, &error);
        } else {
                r = read_example(&up->user_data);
                if (r >= 0)
                        r = fit_members(up);
                if (r < 0)
                        (void)error_set_errno(&error, r,
                                              "cannot read the example of a cloud-config, data/examples/cluster.yml; "
                                              "--cloud-config names another");
        }
        if (r >= 0)
                return 0;
        cli_complain(up->group->program, "up: %s", error.text);
        return CLI_FAILED;
}

/* ---- the daemon ---- */

/* Fills `machines` with what is there. */
static int reach_daemon(Up *up, MachineCall *machines) {
        MachineGroup *group = up->group;
        Error error = ERROR_NONE;
        int r = machine_ask(group, "GET", "machines", (Slice){NULL, 0}, machines);

        if (machine_is_nobody_there(r)) {
                machine_call_deinit(machines);
                r = machine_daemon_start(group->directory, up->programs, &up->starter, &error);
                if (r < 0) {
                        cli_complain(group->program, "up: %s", error.text);
                        return CLI_FAILED;
                }
                r = machine_ask(group, "GET", "machines", (Slice){NULL, 0}, machines);
        }
        if (r >= 0)
                return 0;
        cli_complain(group->program, "up: cannot ask the daemon of local machines: %s", machines->error.text);
        return CLI_FAILED;
}

static void say_what_is_missing(const Up *up, const json_t *answer) {
        json_t *missing = json_object_get(answer, "missingPrograms"), *name;
        size_t i;

        json_array_foreach(missing, i, name)
                cli_complain(up->group->program, "note: %s is not there, and the machines are without it",
                             json_string_value(name) ?: "");
}

/* ---- making ---- */

static int make_one(Up *up, size_t i, const json_t *machines) {
        _cleanup_free_ char *make = str_printf("machines/%s", up->names.items[i]),
                            *on = str_printf("machines/%s/on", up->names.items[i]);
        const json_t *known = machine_in(machines, up->names.items[i]);
        _cleanup_machine_call_ MachineCall made = {0}, powered = {0};
        Slice user_data = {buffer_data(&up->user_data), buffer_length(&up->user_data)};

        if (!make || !on)
                return CLI_FAILED;
        if (known && !up->cloud_config)
                user_data = (Slice){NULL, 0};
        if (machine_ask(up->group, "POST", make, user_data, &made) < 0) {
                cli_complain(up->group->program, "up: %s", made.error.text);
                return CLI_FAILED;
        }
        up->made[i] = !known;
        up->powered[i] = str_equals(cli_text(made.json, "power"), "off");
        if (machine_ask(up->group, "POST", on, (Slice){NULL, 0}, &powered) >= 0)
                return 0;
        cli_complain(up->group->program, "up: %s", powered.error.text);
        return CLI_FAILED;
}

static int add_forwards(Up *up) {
        for (size_t i = 0; i < up->forwards.length; i++) {
                _cleanup_free_ char *target = str_printf("forwards?spec=%s", up->forwards.items[i]);
                _cleanup_machine_call_ MachineCall call = {0};

                if (!target || machine_ask(up->group, "POST", target, (Slice){NULL, 0}, &call) < 0) {
                        cli_complain(up->group->program, "up: %s", call.error.text);
                        return CLI_FAILED;
                }
        }
        return 0;
}

/* ---- waiting ---- */

static void print_outcome(const MachineCall *call, const char *name) {
        const char *why = cli_text(call->json, "why"), *power = cli_text(call->json, "power");

        if (call->r < 0)
                printf("%-4s %s\n", name, call->error.text);
        else if (str_equals(power, "on"))
                printf("%-4s %-12s up%s%s\n", name, cli_text(call->json, "address"), *why ? ", but: " : "", why);
        else
                printf("%-4s %-12s %s: %s\n", name, cli_text(call->json, "address"), power, why);
}

static bool is_well(const MachineCall *call) {
        return call->r >= 0 && str_equals(cli_text(call->json, "power"), "on") && !*cli_text(call->json, "why");
}

static void print_progress(const Up *up, const MachineCall *calls) {
        size_t count = 0;

        for (size_t i = 0; i < up->names.length; i++)
                count += calls[i].done;
        printf("\r%zu of %zu machines are up", count, up->names.length);
        (void)fflush(stdout);
}

static bool all_done(const MachineCall *calls, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (!calls[i].done)
                        return false;
        return true;
}

static int wait_for_all(Up *up, MachineCall *calls) {
        bool terminal = isatty(STDOUT_FILENO);
        MachineGroup *group = up->group;
        int code = CLI_OK;

        for (size_t i = 0; i < up->names.length; i++) {
                _cleanup_free_ char *target = str_printf("machines/%s?wait=up", up->names.items[i]);

                machine_call(group, "GET", target ?: "", (Slice){NULL, 0}, &calls[i]);
        }
        while (!all_done(calls, up->names.length) && !group->interrupted) {
                if (terminal)
                        print_progress(up, calls);
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        }
        if (terminal)
                printf("\r\033[K");
        if (group->interrupted)
                return MACHINE_EXIT_INTERRUPTED;
        for (size_t i = 0; i < up->names.length; i++) {
                print_outcome(&calls[i], up->names.items[i]);
                if (!is_well(&calls[i]))
                        code = CLI_FAILED;
        }
        return code;
}

static int make_all(Up *up, const json_t *machines) {
        MachineCall calls[PLAN_MACHINES_MAX] = {{0}};
        int code = 0;

        for (size_t i = 0; code == 0 && i < up->names.length && !up->group->interrupted; i++) {
                code = make_one(up, i, machines);
                (void)uv_run(&up->group->loop, UV_RUN_NOWAIT); /* for the signals */
        }
        if (code == 0)
                code = add_forwards(up);
        if (code == 0)
                code = up->group->interrupted ? MACHINE_EXIT_INTERRUPTED : wait_for_all(up, calls);
        for (size_t i = 0; i < up->names.length; i++)
                machine_call_deinit(&calls[i]);
        return code;
}

/* ---- giving up ---- */

static void on_signal(uv_signal_t *signal, int number) {
        Up *up = signal->data;

        (void)number;
        up->group->interrupted = true;
}

static void watch_signals(Up *up) {
        static const int numbers[] = {SIGINT, SIGTERM};

        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                (void)uv_signal_init(&up->group->loop, &up->signals[i]);
                up->signals[i].data = up;
                (void)uv_signal_start(&up->signals[i], on_signal, numbers[i]);
                uv_unref((uv_handle_t *)&up->signals[i]);
        }
}

/* What this call has made goes; what was there before is as it was. */
static void undo(Up *up) {
        for (size_t i = 0; i < up->names.length; i++) {
                _cleanup_free_ char *off = str_printf("machines/%s/off?plug=1", up->names.items[i]);
                _cleanup_free_ char *gone = str_printf("machines/%s", up->names.items[i]);
                _cleanup_machine_call_ MachineCall first = {0}, second = {0};

                if (off && up->powered[i])
                        (void)machine_ask(up->group, "POST", off, (Slice){NULL, 0}, &first);
                if (gone && up->made[i])
                        (void)machine_ask(up->group, "DELETE", gone, (Slice){NULL, 0}, &second);
        }
}

static void give_up(Up *up) {
        cli_complain(up->group->program, "up: interrupted; what was made is removed");
        if (up->starter < 0) {
                up->group->interrupted = false;
                undo(up);
                return;
        }
        machine_daemon_abandon(up->starter);
        up->starter = -1;
}

static int run(Up *up) {
        _cleanup_machine_call_ MachineCall machines = {0};
        int code = read_cloud_config(up);

        if (code == 0)
                code = reach_daemon(up, &machines);
        if (code != 0)
                return code;
        watch_signals(up);
        say_what_is_missing(up, machines.json);
        code = make_all(up, machines.json);
        if (code == MACHINE_EXIT_INTERRUPTED)
                give_up(up);
        if (up->starter >= 0)
                machine_daemon_release(up->starter);
        return code;
}

static int check_forwards(const Up *up) {
        for (size_t i = 0; i < up->forwards.length; i++) {
                Error error = ERROR_NONE;
                PlanForward plan;

                if (plan_parse_forward(up->forwards.items[i], &plan, &error) < 0) {
                        cli_complain(up->group->program, "up: %s", error.text);
                        return CLI_USAGE;
                }
        }
        return 0;
}

int machine_verb_up(void *userdata, int argc, char **argv) {
        MachineGroup *group = userdata;
        _cleanup_(up_deinit) Up up = {.group = group, .starter = -1};
        _cleanup_string_list_ StringList arguments = {0};
        const Option options[] = {
                MACHINE_DIRECTORY_OPTION(group),
                {"cloud-config", 0, OPTION_STRING, "FILE", NULL,
                 "what every machine boots with (default: an example of a cluster)", &up.cloud_config, NULL},
                {"forward", 0, OPTION_LIST, "HOSTPORT:MACHINE:PORT", NULL, "lead a port of 127.0.0.1 to a machine",
                 &up.forwards, NULL},
                {"programs", 0, OPTION_STRING, "DIR", "FAERING_LOCAL_PROGRAMS",
                 "what is laid over each machine's root (default: the programs beside this one)", &up.programs, NULL},
                {0},
        };
        int code;

        if (machine_parse(group, options, argc, argv, &arguments, &code) < 0)
                return code;
        code = choose(&up, &arguments);
        if (code == 0)
                code = check_forwards(&up);
        if (code == 0)
                code = machine_open(group, true);
        return code == 0 ? run(&up) : code;
}
