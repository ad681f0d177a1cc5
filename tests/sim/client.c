#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { PATH_ROOM = 64, VALUE_ROOM = 32, REGISTERS_MAX = 8, DIRECTORY_KEYS = 12, TTL_KEYS = 6 };

/* The client that only reads: no write ever holds it up, so it is there when a leader loses its followers. */
enum { READER = 1 };

#define NO_OPERATION SIZE_MAX

typedef enum Action {
        ACTION_SET,
        ACTION_CREATE,
        ACTION_SWAP_VALUE,
        ACTION_SWAP_INDEX,
        ACTION_DELETE,
        ACTION_COMPARE_DELETE,
        ACTION_READ_QUORUM,
        ACTION_READ_LOCAL,
        ACTION_IN_ORDER, /* a key named by its index */
        ACTION_TTL_SET,
        ACTION_TTL_REFRESH,
        ACTION_DIRECTORY_SET, /* a key in a directory that goes now and then with all that is in it */
        ACTION_DIRECTORY_DELETE,
        ACTION_KINDS,
} Action;

static const unsigned action_weights[ACTION_KINDS] = {
        [ACTION_SET] = 20,
        [ACTION_CREATE] = 8,
        [ACTION_SWAP_VALUE] = 10,
        [ACTION_SWAP_INDEX] = 8,
        [ACTION_DELETE] = 4,
        [ACTION_COMPARE_DELETE] = 4,
        [ACTION_READ_QUORUM] = 20,
        [ACTION_READ_LOCAL] = 10,
        [ACTION_IN_ORDER] = 2,
        [ACTION_TTL_SET] = 6,
        [ACTION_TTL_REFRESH] = 4,
        [ACTION_DIRECTORY_SET] = 8,
        [ACTION_DIRECTORY_DELETE] = 1,
};

static const char *const action_names[ACTION_KINDS] = {
        [ACTION_SET] = "set",
        [ACTION_CREATE] = "create",
        [ACTION_SWAP_VALUE] = "swap by value",
        [ACTION_SWAP_INDEX] = "swap by index",
        [ACTION_DELETE] = "delete",
        [ACTION_COMPARE_DELETE] = "compare and delete",
        [ACTION_READ_QUORUM] = "quorum read",
        [ACTION_READ_LOCAL] = "local read",
        [ACTION_IN_ORDER] = "create in order",
        [ACTION_TTL_SET] = "set with TTL",
        [ACTION_TTL_REFRESH] = "refresh TTL",
        [ACTION_DIRECTORY_SET] = "set in directory",
        [ACTION_DIRECTORY_DELETE] = "delete directory",
};

/* What a client last saw of a register: to compare with. */
typedef struct Seen {
        uint64_t value, index;
} Seen;

struct Client {
        World *world;
        size_t number;
        Timer next;       /* the next operation */
        Timer impatience; /* the one under way is given up */
        Server *server;
        ReplicaRequest *request; /* NULL: none under way */
        Action action;
        size_t operation; /* in the history of its key, or NO_OPERATION */
        uint32_t key;
        uint64_t floor; /* tree index that someone had been told of when this one was called */
        char path[PATH_ROOM], value[VALUE_ROOM];
        Seen seen[REGISTERS_MAX];
        uint64_t read_index; /* of local reads at this server, in this life */
        unsigned read_life;
};

static Random *chance_of(Client *client) {
        return &client->world->client_chance;
}

static void client_move(Client *client) {
        client->server = world_draw_server(client->world, chance_of(client));
        client->read_life = 0;
}

static void client_rest(Client *client) {
        World *world = client->world;

        world_schedule(world, &client->next, world->now + world_draw_time(chance_of(client), world->plan.think));
}

/* ---- answers ---- */

static Operation *client_operation(Client *client) {
        return client->operation == NO_OPERATION ? NULL : &client->world->linear.operations[client->operation];
}

static void client_return(Client *client, OperationOutcome outcome) {
        Operation *operation = client_operation(client);

        if (!operation)
                return;
        operation->outcome = outcome;
        operation->returned = client->world->sequence;
}

static void client_see(Client *client, uint64_t value, uint64_t index) {
        if (client->operation != NO_OPERATION)
                client->seen[client->key] = (Seen){value, index};
}

/* Real time orders what happens: nothing may take effect before what was answered earlier. */
static void check_floor(Client *client, uint64_t index, bool change) {
        if (index < client->floor || (change && index == client->floor))
                world_violate(client->world,
                              "order: client %zu's %s of %s on server %" PRIu64 " took effect at %" PRIu64
                              ", but before it was called %" PRIu64 " had been answered",
                              client->number, action_names[client->action], client->path, client->server->id, index,
                              client->floor);
}

static void on_write_done(Client *client, const ReplicaResult *result) {
        const Event *event = result->event;
        Operation *operation = client_operation(client);
        Slice path = event_path(event), value = value_slice(event->node.value);
        bool named_by_index = client->action == ACTION_IN_ORDER;
        bool has_value = event->node.has_value && client->action != ACTION_TTL_REFRESH;

        world_count(client->world, COUNT_WRITES_DONE, 1);
        check_floor(client, event_index(event), true);
        ledger_answer(client->world, (LedgerAnswer){result->raft_index, result->raft_term, event_index(event)});
        if ((!named_by_index && !slice_equals(path, slice_from(client->path))) ||
            (has_value && !slice_equals(value, slice_from(client->value)))) {
                world_violate(client->world, "client %zu's %s of %s was answered with %.*s = %.*s", client->number,
                              action_names[client->action], client->path, (int)path.length, path.data,
                              (int)value.length, value.data);
                return;
        }
        if (operation) {
                operation->before = event->has_previous ? ledger_parse_value(value_slice(event->previous.value)) : 0;
                client_see(client, event->node.has_value ? operation->value : 0, event_index(event));
        }
        client_return(client, OUTCOME_DONE);
}

/* "[given != there]": the value that was there; 0 when only the index was compared. */
static uint64_t parse_cause(const TreeError *error) {
        const char *text = buffer_data(&error->cause), *mark;
        size_t length = buffer_length(&error->cause);
        const char *end = text ? memchr(text, ']', length) : NULL;

        if (!end || text[1] != 'v')
                return 0;
        mark = memmem(text, (size_t)(end - text), " != ", 4);
        return mark ? ledger_parse_value((Slice){mark + 4, (size_t)(end - mark - 4)}) : 0;
}

static void on_write_refused(Client *client, const ReplicaResult *result) {
        Operation *operation = client_operation(client);

        world_count(client->world, COUNT_WRITES_REFUSED, 1);
        check_floor(client, result->error->index, false);
        switch (result->code) {
        case TREE_KEY_NOT_FOUND:
                client_see(client, 0, 0);
                client_return(client, OUTCOME_NOT_FOUND);
                break;
        case TREE_KEY_EXISTS:
                client_return(client, OUTCOME_EXISTS);
                break;
        case TREE_COMPARE_FAILED:
                if (operation)
                        operation->before = parse_cause(result->error);
                client_return(client, OUTCOME_COMPARE_FAILED);
                break;
        default:
                if (operation)
                        world_violate(client->world, "client %zu's %s of %s was refused with %d", client->number,
                                      action_names[client->action], client->path, result->code);
        }
}

static void on_read_done(Client *client) {
        Tree *tree = replica_tree(client->server->replica);
        Operation *operation = client_operation(client);
        const Node *node = NULL;
        int r = tree_get(tree, slice_from(client->path), &node, NULL);

        world_count(client->world, COUNT_READS_QUORUM, 1);
        check_floor(client, tree->index, false);
        client->world->ledger.answered_tree = max_of(client->world->ledger.answered_tree, tree->index);
        if (r != 0 && r != TREE_KEY_NOT_FOUND)
                world_violate(client->world, "a read of %s gives %d", client->path, r);
        if (!operation)
                return;
        operation->before = r == 0 ? ledger_parse_value(value_slice(node->value)) : 0;
        client_see(client, operation->before, r == 0 ? node->modified : 0);
        client_return(client, OUTCOME_DONE);
}

static void on_failed(Client *client) {
        bool read = client->action == ACTION_READ_QUORUM;

        world_count(client->world, read ? COUNT_READS_QUORUM_FAILED : COUNT_WRITES_UNKNOWN, 1);
        client_return(client, OUTCOME_UNKNOWN);
        client_move(client);
}

static void on_done(void *userdata, const ReplicaResult *result) {
        Client *client = userdata;
        World *world = client->world;

        client->request = NULL;
        world_cancel(world, &client->impatience);
        world_trace(world, client->server, "client %zu: %s %s %s: r %d, code %d, index %" PRIu64, client->number,
                    action_names[client->action], client->path, client->value, result->r, result->code,
                    result->event ? event_index(result->event) : 0);
        if (result->r == 0 && replica_failure(client->server->replica, NULL) < 0)
                world_violate(world, "server %" PRIu64 " acknowledges an operation after its disk has failed",
                              client->server->id);
        if (result->r < 0)
                on_failed(client);
        else if (client->action == ACTION_READ_QUORUM)
                on_read_done(client);
        else if (result->code != 0)
                on_write_refused(client, result);
        else
                on_write_done(client, result);
        client_rest(client);
}

static void on_impatience(World *world, Timer *timer) {
        Client *client = container_of(timer, Client, impatience);

        if (!client->request)
                return;
        world_trace(world, client->server, "client %zu waits no longer", client->number);
        replica_request_cancel(client->request);
        client->request = NULL;
        on_failed(client);
        client_rest(client);
}

/* ---- operations ---- */

static Action draw_action(Client *client) {
        unsigned total = 0;
        uint64_t drawn;

        if (client->number == READER)
                return ACTION_READ_QUORUM;
        for (size_t i = 0; i < ACTION_KINDS; i++)
                total += action_weights[i];
        drawn = random_below(chance_of(client), total);
        for (size_t i = 0;; i++) {
                if (drawn < action_weights[i])
                        return (Action)i;
                drawn -= action_weights[i];
        }
}

static void _printf_(2, 3) client_name_path(Client *client, const char *format, ...) {
        va_list args;

        va_start(args, format);
        (void)vsnprintf(client->path, sizeof(client->path), format, args);
        va_end(args);
}

static Operation client_call(Client *client, OperationKind kind) {
        client->key = (uint32_t)random_below(chance_of(client), client->world->plan.registers);
        client_name_path(client, "/1/r%u", client->key);
        return (Operation){.key = client->key,
                           .kind = kind,
                           .called = client->world->sequence,
                           .value = client->world->next_value};
}

static void client_expect(Client *client, Operation *operation, Command *command, char *room, size_t size,
                          bool by_index) {
        const Seen *seen = &client->seen[client->key];

        operation->expected = seen->value;
        if (by_index) {
                command->prev_index = seen->index;
                return;
        }
        (void)snprintf(room, size, "v%" PRIu64, seen->value);
        command->prev_value = slice_from(room);
}

static void register_command(Client *client, Command *command, Operation *operation, char *room, size_t size) {
        switch (client->action) {
        case ACTION_CREATE:
                *operation = client_call(client, OPERATION_CREATE);
                command->kind = COMMAND_CREATE;
                break;
        case ACTION_SWAP_VALUE:
        case ACTION_SWAP_INDEX:
                *operation = client_call(client, OPERATION_SWAP);
                command->kind = COMMAND_COMPARE_AND_SWAP;
                break;
        case ACTION_DELETE:
                *operation = client_call(client, OPERATION_DELETE);
                command->kind = COMMAND_DELETE;
                break;
        case ACTION_COMPARE_DELETE:
                *operation = client_call(client, OPERATION_COMPARE_DELETE);
                command->kind = COMMAND_COMPARE_AND_DELETE;
                break;
        default:
                *operation = client_call(client, OPERATION_SET);
                command->kind = COMMAND_SET;
        }
        if (command->kind == COMMAND_COMPARE_AND_SWAP || command->kind == COMMAND_COMPARE_AND_DELETE) {
                /* with nothing seen there is nothing to compare with: then it is written without condition */
                if (client->seen[client->key].value == 0) {
                        operation->kind = OPERATION_SET;
                        command->kind = COMMAND_SET;
                } else
                        client_expect(client, operation, command, room, size, client->action != ACTION_SWAP_VALUE);
        }
        if (command->kind == COMMAND_DELETE || command->kind == COMMAND_COMPARE_AND_DELETE)
                operation->value = 0;
        else
                command->value = slice_from(client->value);
}

static void other_command(Client *client, Command *command) {
        Random *chance = chance_of(client);
        WallUsec ttl = (WallUsec)random_below(chance, 8 * USEC_PER_SEC);

        command->value = slice_from(client->value);
        command->kind = COMMAND_SET;
        switch (client->action) {
        case ACTION_IN_ORDER:
                client_name_path(client, "/1/q");
                command->kind = COMMAND_CREATE;
                command->unique = true;
                command->has_expiry = true; /* else the directory grows for ever */
                command->expiry = command->time + 2 * ttl;
                break;
        case ACTION_TTL_REFRESH:
                client_name_path(client, "/1/t/k%" PRIu64, random_below(chance, TTL_KEYS));
                command->kind = COMMAND_UPDATE;
                command->refresh = true;
                command->value = (Slice){"", 0};
                command->has_expiry = true;
                command->expiry = command->time + ttl;
                break;
        case ACTION_TTL_SET:
                client_name_path(client, "/1/t/k%" PRIu64, random_below(chance, TTL_KEYS));
                command->has_expiry = true;
                command->expiry = command->time + ttl;
                break;
        case ACTION_DIRECTORY_DELETE:
                client_name_path(client, "/1/d/s%" PRIu64, random_below(chance, 2));
                command->kind = COMMAND_DELETE;
                command->dir = command->recursive = true;
                command->value = (Slice){"", 0};
                break;
        default:
                client_name_path(client, "/1/d/s%" PRIu64 "/k%" PRIu64, random_below(chance, 2),
                                 random_below(chance, DIRECTORY_KEYS));
        }
}

static void client_write(Client *client) {
        World *world = client->world;
        Command command = {.time = server_wall(client->server)};
        Operation operation;
        char room[VALUE_ROOM];
        int r;

        world->next_value++;
        (void)snprintf(client->value, sizeof(client->value), "v%" PRIu64, world->next_value);
        client->operation = NO_OPERATION;
        if (client->action <= ACTION_COMPARE_DELETE) {
                register_command(client, &command, &operation, room, sizeof(room));
                client->operation = linear_call(&world->linear, operation);
        } else
                other_command(client, &command);
        command.path = slice_from(client->path);
        r = replica_propose(client->server->replica, &command, on_done, client, &client->request);
        if (r >= 0)
                return;
        client_return(client, OUTCOME_VOID);
        client_move(client);
        client_rest(client);
}

static void client_read_quorum(Client *client) {
        Operation operation = client_call(client, OPERATION_READ);
        int r;

        client->value[0] = '\0';
        client->operation = linear_call(&client->world->linear, operation);
        r = replica_read(client->server->replica, 0, on_done, client, &client->request);
        if (r >= 0)
                return;
        client_return(client, OUTCOME_VOID);
        client_move(client);
        client_rest(client);
}

/* Old, perhaps, but never older than before on the same server, and always something that was written. */
static void client_read_local(Client *client) {
        World *world = client->world;
        Tree *tree = replica_tree(client->server->replica);
        const Node *node = NULL;
        const Event *event;

        client->operation = NO_OPERATION;
        client_name_path(client, "/1/r%" PRIu64, random_below(chance_of(client), world->plan.registers));
        world_count(world, COUNT_READS_LOCAL, 1);
        if (client->read_life == client->server->life && tree->index < client->read_index)
                world_violate(world, "server %" PRIu64 "'s tree went back from %" PRIu64 " to %" PRIu64,
                              client->server->id, client->read_index, tree->index);
        client->read_life = client->server->life;
        client->read_index = tree->index;
        if (tree_get(tree, slice_from(client->path), &node, NULL) == 0) {
                event = ledger_event(&world->ledger, node->modified);
                if (event && (!slice_equals(event_path(event), slice_from(client->path)) ||
                              !slice_equals(value_slice(event->node.value), value_slice(node->value))))
                        world_violate(world,
                                      "server %" PRIu64 " reads %s as of change %" PRIu64
                                      ", which wrote something else",
                                      client->server->id, client->path, node->modified);
        }
        client_rest(client);
}

static void on_next(World *world, Timer *timer) {
        Client *client = container_of(timer, Client, next);
        Server *server = client->server;

        if (!server->replica || random_chance(chance_of(client), 1, 40)) {
                client_move(client);
                client_rest(client);
                return;
        }
        if (server_defers(server, timer))
                return;
        client->action = draw_action(client);
        client->floor = world->ledger.answered_tree;
        if (client->action == ACTION_READ_LOCAL)
                client_read_local(client);
        else if (client->action == ACTION_READ_QUORUM)
                client_read_quorum(client);
        else
                client_write(client);
        if (!client->request)
                return;
        server_wake(server);
        if (random_chance(chance_of(client), 1, 30))
                world_schedule(world, &client->impatience, world->now + random_below(chance_of(client), USEC_PER_SEC));
}

/* ---- all of them ---- */

void clients_begin(World *world) {
        for (size_t i = 0; i < world->plan.clients; i++) {
                Client *client = calloc(1, sizeof(*client));

                if (!client)
                        abort();
                *client = (Client){
                        .world = world,
                        .number = i + 1,
                        .next = TIMER_INIT(on_next),
                        .impatience = TIMER_INIT(on_impatience),
                        .operation = NO_OPERATION,
                };
                world->clients[i] = client;
                client_move(client);
                client_rest(client);
        }
}

void clients_flock(World *world, Server *server) {
        for (size_t i = 0; i < world->plan.clients; i++) {
                Client *client = world->clients[i];

                if (client->request || (client->number != READER && random_chance(chance_of(client), 1, 3)))
                        continue;
                client->server = server;
                client->read_life = 0;
        }
}

static void on_nothing(World *world, Timer *timer) {
        (void)world;
        (void)timer;
}

void clients_end(World *world) {
        for (size_t i = 0; i < world->plan.clients; i++) {
                world_cancel(world, &world->clients[i]->next);
                world->clients[i]->next.fire = on_nothing;
        }
}

void clients_deinit(World *world) {
        for (size_t i = 0; i < world->plan.clients; i++) {
                Client *client = world->clients[i];

                if (!client)
                        continue;
                if (client->request)
                        replica_request_cancel(client->request);
                world_cancel(world, &client->next);
                world_cancel(world, &client->impatience);
                free(client);
                world->clients[i] = NULL;
        }
}

/* ---- probes ---- */

static void on_probe_done(void *userdata, const ReplicaResult *result) {
        Probe *probe = userdata;

        probe->under_way = false;
        if (result->r == 0)
                probe->done = true;
}

void client_probe(Server *server, Probe *probe) {
        const Command command = {
                .kind = COMMAND_SET, .time = server_wall(server), .path = slice_from("/1/probe"), .value = {"x", 1}};

        if (probe->done || probe->under_way || !server->replica)
                return;
        probe->attempts++;
        if (replica_propose(server->replica, &command, on_probe_done, probe, NULL) < 0)
                return;
        probe->under_way = true;
        server_wake(server);
}
