/* The API of the machines' daemon, at DIR/control.sock. docs/formats/machines-api.md. */
#include <errno.h>

#include "base/json-write.h"
#include "machine/answer.h"
#include "machine/disk.h"
#include "machine/machines.h"
#include "net/url.h"

#define PREFIX "/faering/v1/"

/* ---- answers ---- */

static unsigned status_of(int r) {
        switch (r) {
        case -ENOENT:
                return 404;
        case -EINVAL:
                return 400;
        case -EBUSY:
        case -EADDRINUSE:
        case -ESHUTDOWN:
                return 409;
        default:
                return 500;
        }
}

static void respond_result(HttpRequest *request, int r, const Error *error) {
        if (r < 0)
                answer_error(request, status_of(r), error->text[0] ? error->text : "out of memory");
        else
                answer_empty(request);
}

/* ---- machines as JSON ---- */

static void write_machine(void *userdata, Machine *machine) {
        const StringList *groups = machine_groups(machine);
        JsonWriter *json = userdata;

        json_begin_object(json);
        json_field_string(json, "name", machine->name);
        json_field_string(json, "address", machine->address);
        json_field_string(json, "power", machine_power_name(machine->power));
        json_field_string(json, "why", machine->why.text);
        json_field_i64(json, "pid", machine_pid(machine));
        json_field_i64(json, "since", machine->power == MACHINE_OFF ? 0 : machine->since);
        json_field_strings(json, "cgroups", groups);
        json_end_object(json);
}

static void respond_machine(HttpRequest *request, Machine *machine) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        write_machine(&json, machine);
        answer_json(request, &body);
}

static void write_forwards(JsonWriter *json, const Machines *machines) {
        size_t count;
        const Forward *const *forwards = machines_forwards(machines, &count);

        json_key(json, "forwards");
        json_begin_array(json);
        for (size_t i = 0; i < count; i++) {
                const PlanForward *plan = forward_plan(forwards[i]);

                json_begin_object(json);
                json_field_u64(json, "hostPort", plan->host_port);
                json_field_string(json, "address", plan->address);
                json_field_u64(json, "port", plan->port);
                json_end_object(json);
        }
        json_end_array(json);
}

static void respond_all(Machines *machines, HttpRequest *request) {
        const StringList *missing = machines_missing_programs(machines);
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        _cleanup_free_ char *network = str_printf("/proc/%d/fd/%d", getpid(), machines_network(machines));

        json_begin_object(&json);
        json_field_i64(&json, "pid", getpid());
        json_field_string(&json, "directory", machines_directory(machines));
        json_field_string(&json, "switch", network ?: "");
        json_field_strings(&json, "missingPrograms", missing);
        write_forwards(&json, machines);
        json_key(&json, "machines");
        json_begin_array(&json);
        machines_each(machines, write_machine, &json);
        json_end_array(&json);
        json_end_object(&json);
        answer_json(request, &body);
}

/* ---- waiting ---- */

typedef struct Wait {
        ListNode link;
        HttpRequest *request;
        unsigned number;
        bool for_off;
} Wait;

static void wait_free(Wait *wait) {
        list_unlink(&wait->link);
        free(wait);
}

static void on_wait_gone(HttpRequest *request) {
        wait_free(http_request_data(request));
}

/* "up": no longer starting; "off": off. */
static bool is_over(const Machine *machine, bool for_off) {
        return for_off ? machine->power == MACHINE_OFF : machine->power != MACHINE_STARTING;
}

void machines_api_changed(Machines *machines) {
        list_foreach (machines_waits(machines), node) {
                Wait *wait = container_of(node, Wait, link);
                Machine *machine = machines_find(machines, wait->number);
                HttpRequest *request = wait->request;

                if (machine && !is_over(machine, wait->for_off))
                        continue;
                http_request_set_gone(request, NULL, false);
                wait_free(wait);
                if (machine)
                        respond_machine(request, machine);
                else
                        answer_error(request, 404, "the machine was removed");
        }
}

static void respond_when(Machines *machines, HttpRequest *request, Machine *machine, bool for_off) {
        Wait *wait;

        if (is_over(machine, for_off)) {
                respond_machine(request, machine);
                return;
        }
        wait = calloc(1, sizeof(*wait));
        if (!wait) {
                answer_error(request, 500, "out of memory");
                return;
        }
        *wait = (Wait){.request = request, .number = machine->number, .for_off = for_off};
        list_init(&wait->link);
        list_append(machines_waits(machines), &wait->link);
        http_request_set_data(request, wait);
        http_request_set_gone(request, on_wait_gone, true);
}

/* ---- one machine ---- */

static void handle_create(Machines *machines, HttpRequest *request, unsigned number) {
        Slice body = http_request_body(request);
        Error error = ERROR_NONE;
        Machine *machine;
        int r;

        if (body.length > DISK_USER_DATA_MAX) {
                answer_error(request, 413, "a cloud-config has at most 1 MiB");
                return;
        }
        r = machines_create(machines, number, body.length ? body : (Slice){NULL, 0}, &machine, &error);
        if (r < 0)
                respond_result(request, r, &error);
        else
                respond_machine(request, machine);
}

static void handle_on(Machines *machines, HttpRequest *request, Machine *machine) {
        Error error = ERROR_NONE;
        int r = machines_power_on(machines, machine, &error);

        if (r < 0)
                respond_result(request, r, &error);
        else
                respond_machine(request, machine);
}

static bool query_says(HttpRequest *request, const char *name, const char *value) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        return url_query_get(http_request_query(request), name, &text) > 0 &&
               str_equals(buffer_string(&text) ?: "", value);
}

static void handle_get(Machines *machines, HttpRequest *request, Machine *machine) {
        if (query_says(request, "wait", "up") || query_says(request, "wait", "off"))
                respond_when(machines, request, machine, query_says(request, "wait", "off"));
        else
                respond_machine(request, machine);
}

static void handle_existing(Machines *machines, HttpRequest *request, Machine *machine, Slice verb) {
        HttpMethod method = http_request_method(request);
        Error error = ERROR_NONE;

        if (method == HTTP_METHOD_GET && !verb.data) {
                handle_get(machines, request, machine);
        } else if (method == HTTP_METHOD_DELETE && !verb.data) {
                int r = machines_remove(machines, machine, &error);

                respond_result(request, r, &error);
        } else if (method == HTTP_METHOD_POST && verb.data && slice_equals(verb, slice_from("on"))) {
                handle_on(machines, request, machine);
        } else if (method == HTTP_METHOD_POST && verb.data && slice_equals(verb, slice_from("off"))) {
                machine_power_off(machine, query_says(request, "plug", "1"));
                respond_when(machines, request, machine, true);
        } else {
                answer_error(request, 404,
                             "a machine can be made (POST), powered on (POST …/on) and off (POST …/off), looked at "
                             "(GET) and "
                             "removed (DELETE)");
        }
}

static void handle_machine(Machines *machines, HttpRequest *request, Slice rest) {
        _cleanup_free_ char *name = NULL;
        Error error = ERROR_NONE;
        unsigned number;
        Machine *machine;
        Slice part;

        (void)slice_split(&rest, '/', &part);
        name = slice_dup(part);
        if (!name || plan_parse_name(name, &number, &error) < 0) {
                answer_error(request, 400, error.text);
                return;
        }
        machine = machines_find(machines, number);
        if (http_request_method(request) == HTTP_METHOD_POST && !rest.data)
                handle_create(machines, request, number);
        else if (!machine)
                answer_error(request, 404, "there is no such machine; \"faering up NAME\" makes it");
        else
                handle_existing(machines, request, machine, rest);
}

/* ---- forwards ---- */

static void handle_add_forward(Machines *machines, HttpRequest *request) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;
        PlanForward plan;
        int r;

        (void)url_query_get(http_request_query(request), "spec", &text);
        r = plan_parse_forward(buffer_string(&text) ?: "", &plan, &error);
        if (r >= 0)
                r = machines_add_forward(machines, &plan, &error);
        respond_result(request, r, &error);
}

static void handle_remove_forward(Machines *machines, HttpRequest *request, Slice port_text) {
        Error error = ERROR_NONE;
        uint64_t port;
        int r = str_parse_u64(port_text, UINT16_MAX, &port);

        if (r < 0)
                (void)error_set(&error, r = -EINVAL, "a forward is named by its port on the host");
        else
                r = machines_remove_forward(machines, (uint16_t)port, &error);
        respond_result(request, r, &error);
}

/* ---- routes ---- */

static bool cut_prefix(Slice *path, const char *prefix) {
        size_t length = strlen(prefix);

        if (path->length < length || memcmp(path->data, prefix, length) != 0)
                return false;
        *path = (Slice){path->data + length, path->length - length};
        return true;
}

void machines_api_handle(void *userdata, HttpRequest *request) {
        HttpMethod method = http_request_method(request);
        Slice path = http_request_path(request);
        Machines *machines = userdata;

        if (!cut_prefix(&path, PREFIX)) {
                answer_error(request, 404, "this is the daemon of local machines: its API lies under " PREFIX);
        } else if (cut_prefix(&path, "machines/")) {
                handle_machine(machines, request, path);
        } else if (method == HTTP_METHOD_GET && slice_equals(path, slice_from("machines"))) {
                respond_all(machines, request);
        } else if (method == HTTP_METHOD_POST && slice_equals(path, slice_from("forwards"))) {
                handle_add_forward(machines, request);
        } else if (method == HTTP_METHOD_DELETE && cut_prefix(&path, "forwards/")) {
                handle_remove_forward(machines, request, path);
        } else if (method == HTTP_METHOD_POST && slice_equals(path, slice_from("down"))) {
                machines_down(machines, query_says(request, "keepDisks", "1"));
                answer_empty(request);
        } else {
                answer_error(request, 404,
                             "there is no such thing: machines, machines/NAME, forwards and down are served");
        }
}
