#include "machine/machines.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "host/file.h"
#include "machine/disk.h"
#include "machine/groups.h"
#include "machine/programs.h"
#include "machine/switch.h"

enum { SOCKET_MODE = 0600 };

struct Machines {
        uv_loop_t *loop;
        char *directory, *programs, *record;
        MachineHost host;
        Groups groups;
        int network;
        StringList missing;
        Machine *items[PLAN_MACHINES_MAX + 1]; /* by number */
        Forward *forwards[FORWARDS_MAX];
        size_t n_forwards;
        HttpServer *http;
        List waits;
        uv_timer_t later;
        bool owner; /* of the directory: we serve its socket */
        bool down, keep_disks, closed;
};

Machine *machines_find(Machines *machines, unsigned number) {
        return number <= PLAN_MACHINES_MAX ? machines->items[number] : NULL;
}

void machines_each(Machines *machines, void (*each)(void *userdata, Machine *machine), void *userdata) {
        for (size_t i = 0; i < ARRAY_SIZE(machines->items); i++)
                if (machines->items[i])
                        each(userdata, machines->items[i]);
}

const Forward *const *machines_forwards(const Machines *machines, size_t *ret_count) {
        *ret_count = machines->n_forwards;
        return (const Forward *const *)machines->forwards;
}

int machines_network(const Machines *machines) {
        return machines->network;
}

const char *machines_directory(const Machines *machines) {
        return machines->directory;
}

const StringList *machines_missing_programs(const Machines *machines) {
        return &machines->missing;
}

List *machines_waits(Machines *machines) {
        return &machines->waits;
}

/* ---- going down ---- */

/* What we made beside the machines. The socket goes last: while it is there, somebody may ask. */
static void remove_own(const char *directory) {
        static const char *const names[] = {"programs", "machines.log", "control.sock"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_free_ char *path = str_printf("%s/%s", directory, names[i]);

                if (path)
                        (void)file_remove_tree(path, NULL);
        }
        (void)rmdir(directory); /* when disks were kept it stays */
}

static void close_all(Machines *machines) {
        if (machines->closed)
                return;
        machines->closed = true;
        while (machines->n_forwards > 0)
                forward_close(machines->forwards[--machines->n_forwards]);
        if (machines->http)
                http_server_close(machines->http, NULL, NULL);
        machines->http = NULL;
        uv_close((uv_handle_t *)&machines->later, NULL);
        if (!machines->owner)
                return;
        groups_close(&machines->groups, machines->record);
        remove_own(machines->directory);
}

/* Removes the machines that are off; when all are gone, everything else. */
static void down_step(Machines *machines) {
        bool left = false;

        for (size_t i = 0; i < ARRAY_SIZE(machines->items); i++) {
                Machine *machine = machines->items[i];
                Error error = ERROR_NONE;

                if (!machine)
                        continue;
                if (machine->power != MACHINE_OFF) {
                        left = true;
                        continue;
                }
                if (!machines->keep_disks && disk_remove(machines->directory, machine->name, &error) < 0)
                        log_warning("%s", error.text);
                machines->items[i] = machine_free(machine);
        }
        if (left)
                return;
        close_all(machines);
}

static void on_later(uv_timer_t *timer) {
        Machines *machines = timer->data;

        for (size_t i = 0; i < ARRAY_SIZE(machines->items); i++)
                if (machines->items[i])
                        machine_power_off(machines->items[i], !machines->keep_disks);
        down_step(machines);
}

/* In the loop's next turn: who asked for it through the API gets the answer first. */
void machines_down(Machines *machines, bool keep_disks) {
        if (machines->down)
                return;
        machines->down = true;
        machines->keep_disks = keep_disks;
        (void)uv_timer_start(&machines->later, on_later, 1, 0);
}

static void on_changed(void *userdata, Machine *machine) {
        Machines *machines = userdata;

        log_info("%s is %s%s%s", machine->name, machine_power_name(machine->power), machine->why.text[0] ? ": " : "",
                 machine->why.text);
        machines_api_changed(machines);
        if (machines->down && machine->power == MACHINE_OFF)
                down_step(machines);
}

/* ---- machines ---- */

int machines_create(Machines *machines, unsigned number, Slice user_data, Machine **ret, Error *error) {
        Machine *machine = machines->items[number];
        int r = 0;

        if (machines->down)
                return error_set(error, -ESHUTDOWN, "everything is going down");
        if (!machine) {
                machine = machine_new(&machines->host, number);
                if (!machine)
                        return error_set_errno(error, -ENOMEM, "cannot make machine %u", number);
                if (!disk_exists(machines->directory, machine->name))
                        r = disk_create(machines->directory, machine->name, machine->address, error);
                if (r < 0) {
                        (void)machine_free(machine);
                        return r;
                }
                machines->items[number] = machine;
        }
        if (user_data.data)
                r = disk_put_user_data(machines->directory, machine->name, user_data, error);
        *ret = machine;
        return r;
}

int machines_power_on(Machines *machines, Machine *machine, Error *error) {
        int r;

        if (machines->down)
                return error_set(error, -ESHUTDOWN, "everything is going down");
        if (machine->power == MACHINE_STOPPING)
                return error_set(error, -EBUSY, "%s is just being powered off: try again when it is off",
                                 machine->name);
        if (machine->power != MACHINE_OFF)
                return 0;
        r = disk_put_programs(machines->directory, machine->name, machines->programs, error);
        return r < 0 ? r : machine_power_on(machine, error);
}

int machines_remove(Machines *machines, Machine *machine, Error *error) {
        int r;

        if (machine->power != MACHINE_OFF)
                return error_set(error, -EBUSY, "%s is not off", machine->name);
        r = disk_remove(machines->directory, machine->name, error);
        if (r < 0)
                return r;
        machines->items[machine->number] = NULL;
        (void)machine_free(machine);
        return 0;
}

/* ---- forwards ---- */

int machines_add_forward(Machines *machines, const PlanForward *plan, Error *error) {
        int r;

        for (size_t i = 0; i < machines->n_forwards; i++)
                if (memcmp(forward_plan(machines->forwards[i]), plan, sizeof(*plan)) == 0)
                        return 0;
        if (machines->n_forwards >= FORWARDS_MAX)
                return error_set(error, -ENOBUFS, "there are %d ports forwarded already", FORWARDS_MAX);
        r = forward_new(machines->loop, machines->network, plan, &machines->forwards[machines->n_forwards], error);
        if (r < 0)
                return r;
        machines->n_forwards++;
        return 0;
}

int machines_remove_forward(Machines *machines, uint16_t host_port, Error *error) {
        for (size_t i = 0; i < machines->n_forwards; i++)
                if (forward_plan(machines->forwards[i])->host_port == host_port) {
                        forward_close(machines->forwards[i]);
                        machines->forwards[i] = machines->forwards[--machines->n_forwards];
                        return 0;
                }
        return error_set(error, -ENOENT, "port %u is not forwarded", host_port);
}

/* ---- what an earlier daemon left ---- */

static int clear_groups(const char *directory, Error *error) {
        _cleanup_free_ char *record = str_printf("%s/cgroups", directory);

        return record ? groups_clear(record, error) : -ENOMEM;
}

int machines_clear(const char *directory, bool keep_disks, Error *error) {
        int r;

        if (access(directory, F_OK) < 0)
                return 0;
        r = clear_groups(directory, error);
        for (unsigned i = 1; r >= 0 && !keep_disks && i <= PLAN_MACHINES_MAX; i++) {
                char name[PLAN_NAME_MAX];

                plan_name(i, name);
                r = disk_remove(directory, name, error);
        }
        if (r < 0)
                return r;
        remove_own(directory);
        return 1;
}

/* ---- birth ---- */

/* Machines whose disks were kept. */
static int find_disks(Machines *machines) {
        for (unsigned i = 1; i <= PLAN_MACHINES_MAX; i++) {
                char name[PLAN_NAME_MAX];

                plan_name(i, name);
                if (disk_exists(machines->directory, name) && !(machines->items[i] = machine_new(&machines->host, i)))
                        return -ENOMEM;
        }
        return 0;
}

/* One name for one directory, also when several hosts' roots share the control groups. */
static char *group_name(const char *directory) {
        struct stat status;

        if (stat(directory, &status) < 0)
                return NULL;
        return str_printf("faering-local-%llx-%llx", (unsigned long long)status.st_dev,
                          (unsigned long long)status.st_ino);
}

static int listen_control(Machines *machines, Error *error) {
        static const HttpServerOps ops = {.handle = machines_api_handle};
        Url url = {.scheme = URL_UNIX};

        if (snprintf(url.host, sizeof(url.host), "%s/control.sock", machines->directory) >= (int)sizeof(url.host))
                return error_set(error, -ENAMETOOLONG, "the directory's path is too long: %s", machines->directory);
        machines->http = http_server_new(machines->loop, &ops, machines, NULL);
        if (!machines->http)
                return error_set_errno(error, -ENOMEM, "cannot serve the API");
        return http_server_listen(machines->http, &url, SOCKET_MODE, NULL, NULL, error);
}

static int gather_programs(Machines *machines, const char *given, Error *error) {
        int r;

        machines->programs = given ? strdup(given) : str_printf("%s/programs", machines->directory);
        if (!machines->programs)
                return -ENOMEM;
        r = given ? 0 : programs_gather(machines->programs, &machines->missing, error);
        for (size_t i = 0; r >= 0 && i < machines->missing.length; i++)
                log_warning("%s is not there: machines are without it", machines->missing.items[i]);
        return r;
}

static int prepare(Machines *machines, const MachinesOptions *options, Error *error) {
        _cleanup_free_ char *group = NULL;
        int r;

        r = file_make_folder(options->directory, 0700, error);
        if (r < 0)
                return r;
        machines->directory = realpath(options->directory, NULL);
        machines->record = str_printf("%s/cgroups", machines->directory ?: "");
        group = group_name(options->directory);
        if (!machines->directory || !machines->record || !group)
                return -ENOMEM;
        machines->host.directory = machines->directory;
        r = disk_check_directory(machines->directory, error);
        /* listening comes first: it tells whether another daemon has this directory */
        if (r >= 0)
                r = listen_control(machines, error);
        machines->owner = r >= 0;
        if (r >= 0)
                r = clear_groups(machines->directory, error);
        if (r >= 0)
                r = gather_programs(machines, options->programs, error);
        if (r >= 0)
                r = groups_open(&machines->groups, group, machines->record, error);
        if (r >= 0)
                r = switch_new(&machines->network, error);
        machines->host.network = machines->network;
        return r < 0 ? r : find_disks(machines);
}

int machines_new(uv_loop_t *loop, const MachinesOptions *options, Machines **ret, Error *error) {
        Machines *machines = calloc(1, sizeof(*machines));
        int r;

        if (!machines)
                return error_set_errno(error, -ENOMEM, "cannot begin");
        *machines = (Machines){.loop = loop, .network = -1};
        machines->host = (MachineHost){
                .loop = loop, .groups = &machines->groups, .network = -1, .changed = on_changed, .userdata = machines};
        list_init(&machines->waits);
        (void)uv_timer_init(loop, &machines->later); /* cannot fail */
        machines->later.data = machines;
        *ret = machines;
        r = prepare(machines, options, error);
        return r < 0 && error && !error->text[0] ? error_set_errno(error, r, "cannot begin") : r;
}

Machines *machines_free(Machines *machines) {
        if (!machines)
                return NULL;
        close_all(machines);
        (void)uv_run(machines->loop, UV_RUN_DEFAULT);
        for (size_t i = 0; i < ARRAY_SIZE(machines->items); i++)
                (void)machine_free(machines->items[i]);
        if (machines->network >= 0)
                (void)close(machines->network);
        string_list_deinit(&machines->missing);
        free(machines->directory);
        free(machines->programs);
        free(machines->record);
        free(machines);
        return NULL;
}
