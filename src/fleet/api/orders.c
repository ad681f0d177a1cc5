/* What people order of machines: cordon, drain, rebalance; and how far it is. */
#include <errno.h>
#include <jansson.h>

#include "fleet/api/handlers.h"
#include "fleet/schedule/move.h"

/* ---- machines ---- */

static void write_left(JsonWriter *json, const Picture *picture, const PictureMachine *machine) {
        json_key(json, "left");
        json_begin_array(json);
        for (size_t i = 0; i < machine->occupants.length; i++) {
                const PictureUnit *unit = machine->occupants.items[i];
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                Decision decision;

                if (unit->requirements->global)
                        continue;
                decision = schedule_decide(picture, unit);
                (void)schedule_describe(&decision, &text);
                json_begin_object(json);
                json_field_string(json, "unit", picture_unit_name(unit));
                /* what is to follow another unit moves when that one has */
                json_field_bool(json, "home", decision.machine || unit->source || unit->requirements->peers.length > 0);
                json_field_string(json, "why", buffer_string(&text) ?: "");
                json_end_object(json);
        }
        json_end_array(json);
}

static void write_machine(JsonWriter *json, const Picture *picture, const PictureMachine *machine, bool whole) {
        json_begin_object(json);
        json_field_string(json, "id", machine->id);
        json_field_string(json, "ip", machine->address);
        json_field_string(json, "state", cordon_to_string(machine->cordon));
        json_field_u64(json, "units", picture_machine_load(machine));
        json_field_u64(json, "memory", machine->memory);
        json_field_u64(json, "memoryPromised", machine->memory_used);
        json_field_u64(json, "milliCPU", machine->cpu);
        json_field_u64(json, "milliCPUPromised", machine->cpu_used);
        if (whole)
                write_left(json, picture, machine);
        json_end_object(json);
}

static int compare_machines(const void *a, const void *b) {
        return strcmp((*(PictureMachine *const *)a)->id, (*(PictureMachine *const *)b)->id);
}

static void list_machines(HttpRequest *request, const Picture *picture) {
        _cleanup_free_ PictureMachine **machines = calloc(picture->n_slots + 1, sizeof(*machines));
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        size_t count = 0;

        for (size_t i = 0; machines && i < picture->n_slots; i++)
                if (picture->slots[i] && picture->slots[i]->present)
                        machines[count++] = picture->slots[i];
        if (count > 1)
                qsort(machines, count, sizeof(*machines), compare_machines);
        json_begin_object(&json);
        json_key(&json, "machines");
        json_begin_array(&json);
        for (size_t i = 0; i < count; i++)
                write_machine(&json, picture, machines[i], false);
        json_end_array(&json);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}

/* ---- writes that one request waits for ---- */

typedef struct Orders {
        FleetApi *api;
        HttpRequest *request; /* NULL: the client is gone */
        size_t pending;
        uint64_t written; /* the highest index */
        Buffer body;      /* the answer; empty: 204 */
        bool failed;
} Orders;

static void orders_gone(HttpRequest *request) {
        ((Orders *)http_request_data(request))->request = NULL;
}

static Orders *orders_new(FleetApi *api, HttpRequest *request) {
        Orders *orders = calloc(1, sizeof(*orders));

        if (!orders)
                return NULL;
        *orders = (Orders){.api = api, .request = request, .pending = 1};
        http_request_set_data(request, orders);
        http_request_set_gone(request, orders_gone, false);
        return orders;
}

static void on_orders_mirrored(void *userdata, int r) {
        Orders *orders = userdata;

        (void)r; /* at the registry's end the request is gone long since */
        if (orders->request) {
                http_request_set_gone(orders->request, NULL, false);
                if (buffer_length(&orders->body) > 0)
                        fleet_respond_json(orders->request, &orders->body);
                else
                        fleet_respond_empty(orders->request, 204);
        }
        buffer_deinit(&orders->body);
        free(orders);
}

/* The last one answers, when a reading would show what was ordered. */
static void orders_release(Orders *orders) {
        if (--orders->pending > 0)
                return;
        if (!orders->failed && registry_reach(orders->api->registry, orders->written, on_orders_mirrored, orders) >= 0)
                return;
        if (orders->request) {
                http_request_set_gone(orders->request, NULL, false);
                fleet_fail(orders->request, 500, "the store did not take all of it; ask again");
        }
        buffer_deinit(&orders->body);
        free(orders);
}

static void on_order_written(void *userdata, const StoreReply *reply) {
        Orders *orders = userdata;

        if (reply->r < 0 && reply->code != STORE_KEY_NOT_FOUND)
                orders->failed = true;
        else if (reply->node && reply->node->modified > orders->written)
                orders->written = reply->node->modified;
        orders_release(orders);
}

static void put_cordon(FleetApi *api, HttpRequest *request, const PictureMachine *machine) {
        Slice text = http_request_body(request);
        json_t *body = json_loadb(text.data, text.length, 0, NULL);
        const char *state = json_string_value(json_object_get(body, "state"));
        PictureCordon cordon;
        Orders *orders;

        if (!state || cordon_from_string(state, &cordon) < 0) {
                fleet_fail(request, 400, "the body must be {\"state\": …} with active, cordoned or draining");
                json_decref(body);
                return;
        }
        json_decref(body);
        orders = orders_new(api, request);
        if (!orders) {
                fleet_fail(request, 500, "out of memory");
                return;
        }
        orders->pending++;
        if (registry_set_cordon(api->registry, machine->id, cordon, on_order_written, orders) < 0) {
                orders->failed = true;
                orders->pending--;
        }
        orders_release(orders);
}

void fleet_own_machines_handle(FleetApi *api, HttpRequest *request, const char *path) {
        Picture *picture = api->picture(api->userdata);
        const PictureMachine *machine = picture && *path ? picture_machine(picture, path) : NULL;
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        if (!picture) {
                fleet_fail(request, 500, "out of memory");
        } else if (*path && !machine) {
                fleet_fail(request, 404, "machine does not exist");
        } else if (http_request_method(request) == HTTP_METHOD_PUT && machine) {
                put_cordon(api, request, machine);
        } else if (http_request_method(request) != HTTP_METHOD_GET) {
                fleet_fail(request, 405, "only GET, and PUT of one machine, supported against this resource");
        } else if (!machine) {
                list_machines(request, picture);
        } else {
                write_machine(&json, picture, machine, true);
                fleet_respond_json(request, &body);
        }
}

/* ---- moves ---- */

static void write_moves(Buffer *body, const Moves *moves) {
        JsonWriter json = json_writer(body);

        json_begin_object(&json);
        json_key(&json, "moves");
        json_begin_array(&json);
        for (size_t i = 0; i < moves->length; i++) {
                json_begin_object(&json);
                json_field_string(&json, "unit", moves->items[i].unit);
                json_field_string(&json, "from", moves->items[i].from);
                json_field_string(&json, "to", moves->items[i].to);
                json_field_string(&json, "reason", moves->items[i].reason);
                json_end_object(&json);
        }
        json_end_array(&json);
        json_end_object(&json);
}

static int plan_rebalance(const Picture *picture, Moves *ret) {
        Picture copy = {0};
        int r = picture_copy(picture, &copy);

        if (r >= 0)
                r = schedule_rebalance(&copy, ret);
        picture_deinit(&copy);
        return r;
}

static void order_moves(FleetApi *api, HttpRequest *request, const Moves *moves) {
        Orders *orders = orders_new(api, request);

        if (!orders) {
                fleet_fail(request, 500, "out of memory");
                return;
        }
        write_moves(&orders->body, moves);
        for (size_t i = 0; i < moves->length; i++) {
                const MoveRecord record = {moves->items[i].from, moves->items[i].to, moves->items[i].reason};

                orders->pending++;
                if (registry_put_move(api->registry, moves->items[i].unit, &record, on_order_written, orders) >= 0)
                        continue;
                orders->failed = true;
                orders->pending--;
        }
        orders_release(orders);
}

void fleet_rebalance_handle(FleetApi *api, HttpRequest *request, const char *path) {
        Picture *picture = api->picture(api->userdata);
        _cleanup_moves_ Moves moves = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;

        (void)path;
        if (!picture || plan_rebalance(picture, &moves) < 0) {
                fleet_fail(request, 500, "out of memory");
        } else if (http_request_method(request) == HTTP_METHOD_POST) {
                order_moves(api, request, &moves);
        } else if (http_request_method(request) == HTTP_METHOD_GET) {
                write_moves(&body, &moves);
                fleet_respond_json(request, &body);
        } else {
                fleet_fail(request, 405, "only GET and POST supported against this resource");
        }
}

/* Those that were ordered and are not over. */
void fleet_moves_handle(FleetApi *api, HttpRequest *request, const char *path) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        (void)path;
        json_begin_object(&json);
        json_key(&json, "moves");
        json_begin_array(&json);
        map_foreach(registry_moves(api->registry), entry) {
                const RegistryMove *move = entry->value;
                const RegistryUnit *unit = registry_unit(api->registry, move->unit);

                json_begin_object(&json);
                json_field_string(&json, "unit", move->unit);
                json_field_string(&json, "from", move->record.from);
                json_field_string(&json, "to", move->record.to);
                json_field_bool(&json, "underWay", unit && unit->source);
                json_end_object(&json);
        }
        json_end_array(&json);
        json_end_object(&json);
        fleet_respond_json(request, &body);
}
