/* top: what units use of their machines, as these count it: two looks at each, and what lies between. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "cli/fleet-live.h"
#include "fleet/unit/resources.h"

enum {
        INTERVAL_SEC = 2,
        FIRST_MSEC = 500, /* between the first two looks */
        CONNECT_MSEC = 3000,
        ANSWER_MSEC = 10000, /* the daemon asked another machine's, which has less */
        INTERVAL_SEC_MAX = 3600,
};

typedef enum TopOrder { BY_CPU, BY_MEMORY, BY_NAME } TopOrder;

/* One unit on one machine. Borrows its strings from the answers. */
typedef struct TopRow {
        const char *unit, *machine;
        double cpu;               /* processors; negative: not known */
        json_int_t memory, tasks; /* negative: not known */
} TopRow;

/* What one machine has answered. */
typedef struct TopLook {
        json_t *answer; /* NULL: nothing */
        char *why;      /* nothing, and why */
} TopLook;

typedef struct TopMachine {
        struct Top *top;
        const char *id; /* borrowed from top->machines */
        TopLook before, now;
        bool asked; /* an answer is awaited */
        bool complained;
} TopMachine;

typedef struct Top {
        FleetGroup *group;
        json_t *listed; /* of the API */
        TopMachine *machines;
        size_t n_machines;
        TopRow *rows;
        size_t n_rows;
        TopOrder order;
        uint64_t rounds, interval, most; /* 0: no end, no limit */
        bool json;
        bool failed; /* a machine has not told once */
} Top;

/* ---- asking all machines at once ---- */

static void look_deinit(TopLook *look) {
        json_decref(look->answer);
        free(look->why);
        *look = (TopLook){0};
}

static void on_done(HttpCall *call, int r, const Error *error) {
        TopMachine *machine = http_call_userdata(call);
        Slice body = http_call_body(call);
        json_t *answer = r < 0 ? NULL : json_loadb(body.length ? body.data : "", body.length, 0, NULL);

        machine->asked = false;
        if (r >= 0 && http_call_status(call) == 200 && json_is_object(answer)) {
                machine->now.answer = answer;
                return;
        }
        machine->now.why = strdup(r < 0 ? error->text : cli_text(json_object_get(answer, "error"), "message"));
        json_decref(answer);
}

static const HttpCallOps top_ops = {.done = on_done};

static bool is_awaited(const Top *top) {
        for (size_t i = 0; i < top->n_machines; i++)
                if (top->machines[i].asked)
                        return true;
        return false;
}

static void ask_machine(TopMachine *machine) {
        FleetGroup *group = machine->top->group;
        _cleanup_free_ char *target = str_printf("/faering/v1/usage?machine=%s", machine->id);
        const HttpCallSpec spec = {
                .url = &group->endpoint,
                .target = target,
                .connect_timeout = CONNECT_MSEC * USEC_PER_MSEC,
                .head_timeout = ANSWER_MSEC * USEC_PER_MSEC,
                .idle_timeout = ANSWER_MSEC * USEC_PER_MSEC,
        };

        look_deinit(&machine->before);
        machine->before = machine->now;
        machine->now = (TopLook){0};
        machine->asked = target && http_client_call(group->http, &spec, &top_ops, machine, NULL) >= 0;
        if (!machine->asked)
                machine->now.why = strdup("it cannot be asked");
}

static void ask_all(Top *top) {
        for (size_t i = 0; i < top->n_machines; i++)
                ask_machine(&top->machines[i]);
        while (is_awaited(top))
                (void)uv_run(&top->group->loop, UV_RUN_ONCE);
        for (size_t i = 0; i < top->n_machines; i++) {
                TopMachine *machine = &top->machines[i];

                if (machine->now.why && !machine->complained)
                        fleet_complain(top->group, "machine %.8s... does not tell: %s", machine->id, machine->now.why);
                machine->complained = machine->now.why;
                top->failed = top->failed || machine->complained;
        }
}

static void forget_machines(TopMachine *machines, size_t count) {
        for (size_t i = 0; i < count; i++) {
                look_deinit(&machines[i].before);
                look_deinit(&machines[i].now);
        }
        free(machines);
}

/* What was known of a machine, which is known no more under its old place. */
static TopMachine take_machine(Top *top, const char *id) {
        for (size_t i = 0; i < top->n_machines; i++)
                if (str_equals(top->machines[i].id, id)) {
                        TopMachine known = top->machines[i];

                        top->machines[i].before = top->machines[i].now = (TopLook){0};
                        return known;
                }
        return (TopMachine){.top = top};
}

/* Machines come and go. */
static int list_machines(Top *top) {
        json_t *listed = NULL, *machine;
        int code = fleet_list(top->group, "machines", "machines", &listed);
        TopMachine *machines = calloc(json_array_size(listed) + 1, sizeof(*machines));
        size_t i;

        if (code != 0 || !machines) {
                json_decref(listed);
                free(machines);
                return code ?: CLI_FAILED;
        }
        json_array_foreach (listed, i, machine) {
                machines[i] = take_machine(top, cli_text(machine, "id"));
                machines[i].id = cli_text(machine, "id");
        }
        forget_machines(top->machines, top->n_machines);
        json_decref(top->listed);
        top->listed = listed;
        top->machines = machines;
        top->n_machines = json_array_size(listed);
        return 0;
}

/* ---- rows ---- */

static json_int_t number_of(json_t *object, const char *key) {
        json_t *number = json_object_get(object, key);

        return json_is_integer(number) ? json_integer_value(number) : -1;
}

static json_t *find_unit(json_t *answer, const char *name) {
        json_t *unit;
        size_t i;

        json_array_foreach (json_object_get(answer, "units"), i, unit)
                if (str_equals(cli_text(unit, "unit"), name))
                        return unit;
        return NULL;
}

/* A unit that was started anew in between begins to count from 0. */
static double cpu_of(const TopMachine *machine, json_t *unit, json_t *before) {
        json_int_t used = number_of(unit, "cpuUsec"), used_before = number_of(before, "cpuUsec");
        json_int_t time = number_of(machine->now.answer, "time") - number_of(machine->before.answer, "time");

        return used < 0 || used_before < 0 || used < used_before || time <= 0
                       ? -1
                       : (double)(used - used_before) / (double)time;
}

static void add_rows(Top *top, const TopMachine *machine) {
        json_t *units = json_object_get(machine->now.answer, "units"),
               *units_before = json_object_get(machine->before.answer, "units"), *unit;
        size_t i;

        json_array_foreach (units, i, unit) {
                json_t *before = json_array_get(units_before, i); /* in the same place, if nothing has come or gone */

                if (!str_equals(cli_text(before, "unit"), cli_text(unit, "unit")))
                        before = find_unit(machine->before.answer, cli_text(unit, "unit"));
                top->rows[top->n_rows++] = (TopRow){
                        .unit = cli_text(unit, "unit"),
                        .machine = machine->id,
                        .cpu = cpu_of(machine, unit, before),
                        .memory = number_of(unit, "memory"),
                        .tasks = number_of(unit, "tasks"),
                };
        }
}

static int compare_names(const TopRow *x, const TopRow *y) {
        int r = strverscmp(x->unit, y->unit);

        return r ?: strcmp(x->machine, y->machine);
}

static int by_cpu(const void *a, const void *b) {
        const TopRow *x = a, *y = b;

        return x->cpu != y->cpu ? (x->cpu > y->cpu ? -1 : 1) : compare_names(x, y);
}

static int by_memory(const void *a, const void *b) {
        const TopRow *x = a, *y = b;

        return x->memory != y->memory ? (x->memory > y->memory ? -1 : 1) : compare_names(x, y);
}

static int by_name(const void *a, const void *b) {
        return compare_names(a, b);
}

static int make_rows(Top *top) {
        static int (*const orders[])(const void *,
                                     const void *) = {[BY_CPU] = by_cpu, [BY_MEMORY] = by_memory, [BY_NAME] = by_name};
        size_t count = 0;

        for (size_t i = 0; i < top->n_machines; i++)
                count += json_array_size(json_object_get(top->machines[i].now.answer, "units"));
        free(top->rows);
        top->n_rows = 0;
        top->rows = calloc(count + 1, sizeof(*top->rows));
        if (!top->rows)
                return CLI_FAILED;
        for (size_t i = 0; i < top->n_machines; i++)
                add_rows(top, &top->machines[i]);
        if (top->n_rows > 1)
                qsort(top->rows, top->n_rows, sizeof(*top->rows), orders[top->order]);
        if (top->most > 0)
                top->n_rows = min_of(top->n_rows, (size_t)top->most);
        return 0;
}

/* ---- printing ---- */

static void add_cells(Table *table, const TopRow *row) {
        _cleanup_buffer_ Buffer memory = BUFFER_INIT;
        char machine[32], cpu[32] = "-", tasks[32] = "-";

        (void)snprintf(machine, sizeof(machine), "%.8s...", row->machine);
        if (row->cpu >= 0)
                (void)snprintf(cpu, sizeof(cpu), "%.1f", row->cpu * 100);
        if (row->memory >= 0)
                unit_format_memory((uint64_t)row->memory, &memory);
        if (row->tasks >= 0)
                (void)snprintf(tasks, sizeof(tasks), "%" JSON_INTEGER_FORMAT, row->tasks);
        (void)table_add(table, row->unit);
        (void)table_add(table, machine);
        (void)table_add(table, cpu);
        (void)table_add(table, buffer_length(&memory) > 0 ? buffer_string(&memory) ?: "-" : "-");
        (void)table_add(table, tasks);
}

static void print_table(const Top *top) {
        static const char *const names[] = {"UNIT", "MACHINE", "CPU%", "MEMORY", "TASKS"};
        _cleanup_table_ Table table = {0};

        table_init(&table, ARRAY_SIZE(names));
        table.most = fleet_live_lines();
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                (void)table_add(&table, names[i]);
        for (size_t i = 0; i < top->n_rows; i++)
                add_cells(&table, &top->rows[i]);
        fleet_live_clear();
        table_print(&table, TABLE_SPACES, true);
}

static void print_json(const Top *top) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        json_begin_array(&json);
        for (size_t i = 0; i < top->n_rows; i++) {
                const TopRow *row = &top->rows[i];

                json_begin_object(&json);
                json_field_string(&json, "unit", row->unit);
                json_field_string(&json, "machine", row->machine);
                json_key(&json, "cpuPercent");
                if (row->cpu >= 0)
                        json_write_double(&json, row->cpu * 100);
                else
                        json_write_null(&json);
                json_key(&json, "memory");
                if (row->memory >= 0)
                        json_write_i64(&json, row->memory);
                else
                        json_write_null(&json);
                json_key(&json, "tasks");
                if (row->tasks >= 0)
                        json_write_i64(&json, row->tasks);
                else
                        json_write_null(&json);
                json_end_object(&json);
        }
        json_end_array(&json);
        printf("%s\n", buffer_string(&text) ?: "");
}

static int print_round(Top *top) {
        int code = make_rows(top);

        if (code != 0)
                return code;
        if (top->json)
                print_json(top);
        else
                print_table(top);
        fleet_live_printed();
        return 0;
}

static int run(Top *top) {
        int code = list_machines(top);

        if (code != 0)
                return code;
        ask_all(top);
        (void)usleep(FIRST_MSEC * 1000);
        for (uint64_t round = 1; code == 0; round++) {
                code = list_machines(top);
                if (code != 0)
                        return code;
                ask_all(top);
                code = print_round(top);
                if (top->rounds > 0 && round >= top->rounds)
                        break;
                (void)usleep((useconds_t)(top->interval * USEC_PER_SEC));
        }
        return code != 0 || !top->failed ? code : CLI_FAILED;
}

static void top_deinit(Top *top) {
        forget_machines(top->machines, top->n_machines);
        free(top->rows);
        json_decref(top->listed);
}

static int read_order(FleetGroup *group, const char *text, TopOrder *ret) {
        static const char *const words[] = {[BY_CPU] = "cpu", [BY_MEMORY] = "memory", [BY_NAME] = "unit"};

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (str_equals(text, words[i])) {
                        *ret = (TopOrder)i;
                        return 0;
                }
        fleet_complain(group, "--sort is \"%s\": it takes cpu, memory or unit", text);
        return CLI_USAGE;
}

int fleet_verb_top(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_(top_deinit)
                Top top = {.group = group, .rounds = isatty(STDOUT_FILENO) ? 0 : 1, .interval = INTERVAL_SEC};
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *sort = NULL;
        const Option options[] = {
                {"rounds", 'n', OPTION_U64, "N", NULL,
                 "end after N pictures (default: 1 when the output is no terminal)", &top.rounds, NULL},
                {"interval", 'd', OPTION_U64, "SECONDS", NULL, "from one to the next (default: 2)", &top.interval,
                 NULL},
                {"sort", 's', OPTION_STRING, "KEY", NULL, "cpu, memory or unit (default: cpu)", &sort, NULL},
                {"units", 'u', OPTION_U64, "N", NULL, "only the first N units", &top.most, NULL},
                FLEET_FORM_OPTION(top.json),
                {0}};
        int code;

        if (verb_parse(verb_find(fleet_verbs, "top", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (top.interval == 0 || top.interval > INTERVAL_SEC_MAX) {
                fleet_complain(group, "--interval takes seconds from 1 to %d", INTERVAL_SEC_MAX);
                return CLI_USAGE;
        }
        code = sort ? read_order(group, sort, &top.order) : 0;
        if (code != 0)
                return code;
        fleet_live_begin(group);
        code = run(&top);
        fleet_live_end();
        return code;
}
