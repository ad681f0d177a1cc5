/* status: a table of the local machines; without any, the daemons of this host. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "cli/machine.h"

#define PROBE_TIMEOUT (2 * USEC_PER_SEC)

enum { STORE_PORT = 2379 };

typedef struct Status {
        MachineGroup *group;
        bool no_legend;
        bool json;
} Status;

/* What is asked of one machine. */
typedef struct Probe {
        MachineCall store, fleet;
        char id[64]; /* of the machine in fleet */
} Probe;

static bool is_on(const json_t *machine) {
        const char *power = cli_text(machine, "power");

        return str_equals(power, "on") || str_equals(power, "starting");
}

/* ---- asking ---- */

/* From here on this process is at the switch; sockets of the file system are reached from anywhere. */
static int go_to_switch(const json_t *answer) {
        _cleanup_close_ int network = open(cli_text(answer, "switch"), O_RDONLY | O_CLOEXEC);

        return network >= 0 && setns(network, CLONE_NEWNET) == 0 ? 0 : -errno;
}

static void read_machine_id(pid_t pid, char *id, size_t size) {
        _cleanup_free_ char *path = str_printf("/proc/%d/root/etc/machine-id", pid);
        FILE *file = path ? fopen(path, "re") : NULL;

        id[0] = '\0';
        if (file && fgets(id, (int)size, file))
                id[strcspn(id, "\n")] = '\0';
        if (file)
                (void)fclose(file);
}

static void probe_machine(MachineGroup *group, const json_t *machine, Probe *probe) {
        pid_t pid = (pid_t)json_integer_value(json_object_get(machine, "pid"));
        Url store = {.scheme = URL_HTTP, .port = STORE_PORT}, fleet = {.scheme = URL_UNIX};
        _cleanup_free_ char *target = NULL;

        read_machine_id(pid, probe->id, sizeof(probe->id));
        (void)snprintf(store.host, sizeof(store.host), "%s", cli_text(machine, "address"));
        (void)snprintf(fleet.host, sizeof(fleet.host), "/proc/%d/root/run/faering/fleet.sock", pid);
        target = str_printf("/fleet/v1/state?machineID=%s", probe->id);
        machine_call_url(group, &store, "/health", PROBE_TIMEOUT, &probe->store);
        machine_call_url(group, &fleet, target ?: "/", PROBE_TIMEOUT, &probe->fleet);
}

static void await_probes(MachineGroup *group, const Probe *probes, size_t count) {
        for (size_t i = 0; i < count; i++) {
                const MachineCall *calls[] = {&probes[i].store, &probes[i].fleet};

                for (size_t k = 0; k < ARRAY_SIZE(calls); k++)
                        while (calls[k]->http)
                                (void)uv_run(&group->loop, UV_RUN_ONCE);
        }
}

/* ---- what it means ---- */

static const char *store_word(const MachineCall *call) {
        const json_t *health = json_object_get(call->json, "health");
        const char *word = json_string_value(health);

        if (!call->done)
                return "-";
        if (!call->json || !health)
                return "down";
        return json_is_true(health) || (word && str_equals(word, "true")) ? "healthy" : "no quorum";
}

/* Active units on the machine; -1: fleet does not say. */
static int fleet_units(const Probe *probe) {
        json_t *states = json_object_get(probe->fleet.json, "states"), *state;
        int count = 0;
        size_t i;

        if (!probe->fleet.done || probe->fleet.r < 0)
                return -1;
        json_array_foreach(states, i, state) count += str_equals(cli_text(state, "systemdActiveState"), "active");
        return count;
}

static void format_age(WallUsec since, char *text, size_t size) {
        WallUsec age = (clock_wall() - since) / (WallUsec)USEC_PER_SEC;

        if (since <= 0 || age < 0)
                (void)snprintf(text, size, "-");
        else if (age < 120)
                (void)snprintf(text, size, "%llds", (long long)age);
        else if (age < 7200)
                (void)snprintf(text, size, "%lldm", (long long)age / 60);
        else
                (void)snprintf(text, size, "%lldh%02lldm", (long long)age / 3600, (long long)age / 60 % 60);
}

/* The reason that matters most: the machine's, then the store's. */
static const char *why_not(const json_t *machine, const Probe *probe) {
        const char *why = cli_text(machine, "why");

        if (*why || !is_on(machine))
                return why;
        return probe->store.r < 0 ? probe->store.error.text : "";
}

/* ---- printing ---- */

static int add_row(Table *table, const json_t *machine, const Probe *probe) {
        char pid[16], age[32], units[16];
        long long first = json_integer_value(json_object_get(machine, "pid"));
        int count = fleet_units(probe);
        const char *cells[] = {cli_text(machine, "name"),
                               cli_text(machine, "address"),
                               cli_text(machine, "power"),
                               pid,
                               store_word(&probe->store),
                               units,
                               age,
                               why_not(machine, probe)};
        int r = 0;

        (void)snprintf(pid, sizeof(pid), first ? "%lld" : "-", first);
        (void)snprintf(units, sizeof(units), count < 0 ? "-" : "%d", count);
        format_age((WallUsec)json_integer_value(json_object_get(machine, "since")), age, sizeof(age));
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(cells); i++)
                r = table_add(table, cells[i]);
        return r;
}

static void print_table(const json_t *machines, const Probe *probes, bool legend) {
        static const char *const titles[] = {"MACHINE", "ADDRESS", "POWER", "PID", "STORE", "UNITS", "UP", "WHY"};
        _cleanup_table_ Table table;
        json_t *machine;
        size_t i;

        table_init(&table, ARRAY_SIZE(titles));
        for (i = 0; i < ARRAY_SIZE(titles); i++)
                (void)table_add(&table, titles[i]);
        json_array_foreach(machines, i, machine)(void) add_row(&table, machine, &probes[i]);
        table_print(&table, TABLE_SPACES, legend);
}

/* Takes `object`. */
static void print_object(json_t *object) {
        (void)json_dumpf(object, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
        json_decref(object);
}

static void print_json(json_t *machines, const Probe *probes) {
        json_t *machine;
        size_t i;

        json_array_foreach(machines, i, machine) {
                int units = fleet_units(&probes[i]);

                (void)json_object_set_new(machine, "store", json_string(store_word(&probes[i].store)));
                (void)json_object_set_new(machine, "units", units < 0 ? json_null() : json_integer(units));
                (void)json_object_set_new(machine, "why", json_string(why_not(machine, &probes[i])));
        }
        print_object(json_pack("{s:O}", "machines", machines));
}

static int print_machines(Status *status, const json_t *answer) {
        json_t *machines = json_object_get(answer, "machines"), *machine;
        MachineGroup *group = status->group;
        Probe *probes = calloc(json_array_size(machines) + 1, sizeof(*probes));
        size_t i;

        if (!probes)
                return CLI_FAILED;
        if (go_to_switch(answer) < 0)
                cli_complain(group->program, "status: cannot go to the switch, so no store is asked: %s",
                             strerror(errno));
        else
                json_array_foreach(machines, i, machine) if (is_on(machine)) probe_machine(group, machine, &probes[i]);
        await_probes(group, probes, json_array_size(machines));
        if (status->json)
                print_json(machines, probes);
        else
                print_table(machines, probes, !status->no_legend);
        for (i = 0; i < json_array_size(machines); i++) {
                machine_call_deinit(&probes[i].store);
                machine_call_deinit(&probes[i].fleet);
        }
        free(probes);
        return CLI_OK;
}

/* ---- this host ---- */

static const struct {
        const char *name;
        Url url;
        const char *target;
} daemons[] = {
        {"store", {.scheme = URL_HTTP, .host = "127.0.0.1", .port = STORE_PORT}, "/health"},
        {"fleet", {.scheme = URL_UNIX, .host = "/run/faering/fleet.sock"}, "/fleet/v1/machines"},
        {"containers", {.scheme = URL_UNIX, .host = "/run/faering/containers.sock"}, "/_ping"},
};

static void print_host_json(const MachineCall *calls) {
        json_t *all = json_object();

        for (size_t i = 0; i < ARRAY_SIZE(daemons); i++)
                (void)json_object_set_new(all, daemons[i].name,
                                          json_pack("{s:b, s:s}", "up", calls[i].r >= 0, "why",
                                                    calls[i].r < 0 ? calls[i].error.text : ""));
        print_object(json_pack("{s:[], s:o}", "machines", "host", all));
}

static int print_host(Status *status) {
        MachineCall calls[ARRAY_SIZE(daemons)] = {{0}};
        _cleanup_table_ Table table;

        for (size_t i = 0; i < ARRAY_SIZE(daemons); i++)
                machine_call_url(status->group, &daemons[i].url, daemons[i].target, PROBE_TIMEOUT, &calls[i]);
        machine_await(status->group, calls, ARRAY_SIZE(calls));
        table_init(&table, 3);
        (void)(table_add(&table, "DAEMON") < 0 || table_add(&table, "STATE") < 0 || table_add(&table, "WHY") < 0);
        for (size_t i = 0; i < ARRAY_SIZE(daemons); i++)
                (void)(table_add(&table, daemons[i].name) < 0 ||
                       table_add(&table, calls[i].r < 0 ? "down" : "up") < 0 ||
                       table_add(&table, calls[i].r < 0 ? calls[i].error.text : "") < 0);
        if (status->json)
                print_host_json(calls);
        else
                table_print(&table, TABLE_SPACES, !status->no_legend);
        if (!status->json && !status->no_legend)
                printf("\nThere are no local machines; these are the daemons of this host. \"faering up\" makes "
                       "machines.\n");
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
                machine_call_deinit(&calls[i]);
        return CLI_OK;
}

int machine_verb_status(void *userdata, int argc, char **argv) {
        MachineGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *output = NULL;
        _cleanup_machine_call_ MachineCall machines = {0};
        Status status = {.group = group};
        const Option options[] = {
                MACHINE_DIRECTORY_OPTION(group),
                {"output", 'o', OPTION_STRING, "table|json", NULL, "how to print (default: table)", &output, NULL},
                {"no-legend", 0, OPTION_SWITCH, NULL, NULL, "no heading", &status.no_legend, NULL},
                {0},
        };
        int code, r;

        if (machine_parse(group, options, argc, argv, &arguments, &code) < 0)
                return code;
        status.json = output && str_equals(output, "json");
        if (arguments.length > 0 || (output && !status.json && !str_equals(output, "table"))) {
                cli_complain(group->program, "status: takes no arguments, and --output is table or json");
                return CLI_USAGE;
        }
        code = machine_open(group, false);
        if (code != 0)
                return code;
        r = machine_ask(group, "GET", "machines", (Slice){NULL, 0}, &machines);
        if (machine_is_nobody_there(r) || (r == -EACCES && geteuid() != 0))
                return print_host(&status);
        if (r < 0) {
                cli_complain(group->program, "status: cannot ask the daemon of local machines: %s",
                             machines.error.text);
                return CLI_FAILED;
        }
        return print_machines(&status, machines.json);
}
