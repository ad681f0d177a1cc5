#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "checker-watch.h"
#include "client.h"
#include "store/replica/internal.h"

enum {
        EVENTS_MAX = 20000000, /* of one run: more means that something goes round in circles */
        TRACE_TEXT_MAX = 512,
};

/* After the last fault: to find together again, for the last writes of every server, and until all is quiet. */
#define TIME_TO_RECOVER (30 * USEC_PER_SEC)
#define TIME_TO_SETTLE (20 * USEC_PER_SEC)

/* ---- time ---- */

void world_schedule(World *world, Timer *timer, Usec at) {
        heap_remove(&world->timers, &timer->heap);
        timer->heap.key = max_of(at, world->now);
        timer->heap.tie = ++world->tie;
        if (heap_insert(&world->timers, &timer->heap) < 0)
                abort();
}

void world_cancel(World *world, Timer *timer) {
        heap_remove(&world->timers, &timer->heap);
}

Usec world_draw_time(Random *random, Usec mean) {
        Usec time = random_below(random, mean + 1) + random_below(random, mean + 1);

        if (random_chance(random, 1, 50))
                time *= 1 + random_below(random, 20);
        return time;
}

WallUsec world_wall(const World *world) {
        return WORLD_WALL_START + (WallUsec)world->now;
}

/* ---- what is told ---- */

static void world_digest(World *world, uint64_t word) {
        world->digest = (world->digest ^ word) * 0x9e3779b97f4a7c15u;
        world->digest ^= world->digest >> 29;
}

void world_trace(World *world, const Server *server, const char *format, ...) {
        char text[TRACE_TEXT_MAX];
        va_list args;

        va_start(args, format);
        if (world->trace) {
                (void)vsnprintf(text, sizeof(text), format, args);
                if (server)
                        printf("%10.6f  server %" PRIu64 "  %s\n", (double)world->now / 1e6, server->id, text);
                else
                        printf("%10.6f            %s\n", (double)world->now / 1e6, text);
        }
        va_end(args);
        world_digest(world, world->now ^ (server ? server->id << 56 : 0));
}

void world_violate(World *world, const char *format, ...) {
        va_list args;

        if (world->failed)
                return;
        world->failed = true;
        va_start(args, format);
        (void)vsnprintf(world->violation, sizeof(world->violation), format, args);
        va_end(args);
        world_trace(world, NULL, "VIOLATION: %s", world->violation);
}

/* ---- the seed ---- */

static uint32_t draw_rate(Random *random, uint32_t most) {
        return random_chance(random, 1, 3) ? 0 : (uint32_t)random_below(random, most);
}

/* Each seed is another world: some calm, some wild, with few kinds of faults or with all. */
static void plan_draw(Plan *plan, Random *random) {
        static const size_t sizes[] = {1, 3, 3, 3, 3, 5, 5};

        *plan = (Plan){
                .servers = sizes[random_below(random, ARRAY_SIZE(sizes))],
                .clients = 2 + random_below(random, CLIENTS_MAX - 1),
                .watches = 1 + random_below(random, WATCHES_MAX),
                .registers = 1 + (uint32_t)random_below(random, 6),
                .faulty = (30 + random_below(random, 90)) * USEC_PER_SEC,
                .fault_interval = (200 + random_below(random, 3000)) * USEC_PER_MSEC,
                .fault_kinds = faults_draw_kinds(random),
                .request_timeout = (500 + random_below(random, 6000)) * USEC_PER_MSEC,
                .snapshot_entries = 20 + random_below(random, random_chance(random, 1, 2) ? 100 : 600),
                .keep_entries = 1 + random_below(random, 100),
                .segment_size = (uint64_t)4096 << random_below(random, 4),
                .message_size = random_chance(random, 1, 3) ? 1 + random_below(random, 300) : 0,
                .history = 20 + random_below(random, 300),
                .think = (5 + random_below(random, 100)) * USEC_PER_MSEC,
                .delay = 20 + random_below(random, 2000),
                .jitter = 1 + random_below(random, random_chance(random, 1, 3) ? 50000 : 2000),
                .loss = draw_rate(random, 50000),
                .twice = draw_rate(random, 50000),
                .late = draw_rate(random, 20000),
                .disk = 50 + random_below(random, random_chance(random, 1, 3) ? 30000 : 2000),
                .flips = random_chance(random, 1, 4) ? 20000 : 0,
        };
}

static void world_init(World *world, uint64_t seed, bool trace) {
        *world = (World){.seed = seed, .trace = trace, .digest = seed};
        random_seed(&world->chance, seed);
        random_seed(&world->network_chance, seed ^ (uint64_t)1 << 40);
        random_seed(&world->disk_chance, seed ^ (uint64_t)2 << 40);
        random_seed(&world->client_chance, seed ^ (uint64_t)3 << 40);
        plan_draw(&world->plan, &world->chance);
        world->loss = world->plan.loss;
        world->jitter = world->plan.jitter;
        list_init(&world->recoveries);
        list_init(&world->parcels);
        members_init(world);
        for (size_t i = 0; i < world->plan.servers; i++)
                (void)server_add(world);
        world_trace(world, NULL, "seed %" PRIu64 ": %zu servers, %zu clients on %u keys, faults of kinds %x for %.0f s",
                    seed, world->plan.servers, world->plan.clients, world->plan.registers, world->plan.fault_kinds,
                    (double)world->plan.faulty / 1e6);
}

static void world_deinit(World *world) {
        clients_deinit(world);
        for (size_t i = 0; i < world->length; i++)
                server_deinit(&world->servers[i]);
        watches_deinit(world);
        network_deinit(world);
        faults_deinit(world);
        ledger_deinit(&world->ledger);
        linear_deinit(&world->linear);
        heap_deinit(&world->timers);
}

/* ---- the run ---- */

static void world_pass(World *world, Usec until) {
        HeapNode *first;

        while (!world->failed && (first = heap_first(&world->timers)) && first->key <= until) {
                Timer *timer = container_of(first, Timer, heap);

                heap_remove(&world->timers, first);
                world->now = first->key;
                world->sequence++;
                world_count(world, COUNT_EVENTS, 1);
                if (world->counts[COUNT_EVENTS] > EVENTS_MAX) {
                        world_violate(world, "the run does not come to an end: something is repeated without pause");
                        return;
                }
                timer->fire(world, timer);
        }
        if (!world->failed)
                world->now = until;
}

/* Of the newest term. */
static Server *world_leader(World *world) {
        Server *leader = NULL;

        for (size_t i = 0; i < world->length; i++) {
                Server *server = &world->servers[i];

                if (server_leads(server) && (!leader || raft_basic_status(replica_raft(server->replica)).hard_state.term >
                                                                raft_basic_status(replica_raft(leader->replica)).hard_state.term))
                        leader = server;
        }
        return leader;
}

/* Whether the newest leader counts the server among the members; with `voter` only if it votes. */
static bool takes_part(World *world, const Server *server, bool voter) {
        Server *leader = world_leader(world);
        const RaftConfState *state = leader ? raft_configuration(replica_raft(leader->replica)) : NULL;

        return state && !server->lost && (voter ? raft_ids_contain(&state->voters, server->id) : server_is_member(server, state));
}

/* Liveness: with all faults healed every member takes a write, within a time that depends on nothing else. */
static void check_all_write(World *world) {
        Usec end = world->now + TIME_TO_RECOVER;
        bool done = false;

        while (!world->failed && !done && world->now < end) {
                world_pass(world, world->now + 50 * USEC_PER_MSEC);
                done = world_leader(world) != NULL;
                for (size_t i = 0; i < world->length; i++) {
                        if (!takes_part(world, &world->servers[i], false))
                                continue;
                        client_probe(&world->servers[i], &world->probes[i]);
                        done = done && world->probes[i].done;
                }
        }
        if (!done && !world_leader(world))
                world_violate(world, "liveness: %.0f s after the last fault there is no leader", (double)TIME_TO_RECOVER / 1e6);
        for (size_t i = 0; i < world->length && !done && !world->failed; i++)
                if (takes_part(world, &world->servers[i], false) && !world->probes[i].done)
                        world_violate(world,
                                      "liveness: %.0f s after the last fault server %zu%s has not carried out a write "
                                      "(%" PRIu64 " attempts)",
                                      (double)TIME_TO_RECOVER / 1e6, i + 1, world->servers[i].replica ? "" : " (down)",
                                      world->probes[i].attempts);
}

/* Whether a removed server can hear of it and leave: it asks whom it knows as members, and these may have been removed
 * and have left before it asked. Of two voters (itself and another) the other one must say it: replica_may_leave(). */
static bool can_leave(World *world, const Server *server) {
        const RaftConfState *state = replica_configuration(server->replica);
        bool pair = state->voters.length == 2 && raft_ids_contain(&state->voters, server->id);

        for (size_t i = 0; i < world->length; i++) {
                const Server *other = &world->servers[i];
                bool known = pair ? raft_ids_contain(&state->voters, other->id) : server_is_member(other, state);

                if (other != server && other->replica && (known || state->voters.length == 0))
                        return true;
        }
        return false;
}

static bool one_is_still_there(World *world) {
        Server *leader = world_leader(world);

        for (size_t i = 0; leader && i < world->length; i++)
                if (world->servers[i].replica && members_find_removed(leader->replica, world->servers[i].id) > 0 &&
                    can_leave(world, &world->servers[i]))
                        return true;
        return false;
}

/* A change that was long under way may remove a server in the very moment of the end: it lingers, and leaves. */
static void wait_for_the_last_to_leave(World *world) {
        Usec end = world->now + REPLICA_REMOVED_LINGER + 5 * USEC_PER_SEC;

        while (!world->failed && world->now < end && one_is_still_there(world))
                world_pass(world, world->now + 50 * USEC_PER_MSEC);
}

/* At the end everyone knows the part it has. */
static void check_parts(World *world) {
        Server *leader = world_leader(world);

        if (!leader) {
                world_violate(world, "at the end there is no leader");
                return;
        }
        for (size_t i = 0; i < world->length && !world->failed; i++) {
                Server *server = &world->servers[i];

                if (server->replica && members_find_removed(leader->replica, server->id) > 0 &&
                    can_leave(world, server))
                        world_violate(world, "server %zu was removed, but is still there at the end", i + 1);
                else if (server->replica && takes_part(world, server, false) && !takes_part(world, server, true))
                        world_violate(world, "server %zu has caught up, but is no voter at the end", i + 1);
        }
}

static void check_trees_equal(World *world) {
        Server *first = world_leader(world);

        for (size_t i = 0; i < world->length && !world->failed; i++) {
                Server *other = &world->servers[i];
                _cleanup_free_ char *where = NULL;
                uint64_t a = replica_counts(first->replica).applied_index, b;

                if (other == first || !takes_part(world, other, false))
                        continue;
                b = replica_counts(other->replica).applied_index;

                world_count(world, COUNT_TREES_COMPARED, 1);
                if (a != b)
                        world_violate(world, "at the end the leader has applied %" PRIu64 " and server %zu %" PRIu64, a,
                                      i + 1, b);
                else if (!tree_equal(replica_tree(first->replica), replica_tree(other->replica), &where))
                        world_violate(world, "at the end the trees of the leader and server %zu differ at %s", i + 1,
                                      where ? where : "?");
        }
        if (!world->failed && replica_counts(first->replica).applied_index < world->ledger.answered_index)
                world_violate(world, "acknowledged writes are lost: entry %" PRIu64 " was, the log ends at %" PRIu64,
                              world->ledger.answered_index, replica_counts(first->replica).applied_index);
}

static bool all_have_applied(World *world) {
        Server *leader = world_leader(world);

        for (size_t i = 0; leader && i < world->length; i++)
                if (takes_part(world, &world->servers[i], false) &&
                    (!world->servers[i].replica || replica_counts(world->servers[i].replica).applied_index !=
                                                           replica_counts(leader->replica).applied_index))
                        return false;
        return leader;
}

/* A key may expire in the very moment of the end: the others hear of it at once. */
static void wait_for_the_last_entry(World *world) {
        for (int i = 0; i < 20 && !world->failed && !all_have_applied(world); i++)
                world_pass(world, world->now + 50 * USEC_PER_MSEC);
}

/* What is due has gone: the clocks are right again, and there was time. */
static void check_all_expired(World *world) {
        WallUsec due;

        for (size_t i = 0; i < world->length && !world->failed; i++)
                if (takes_part(world, &world->servers[i], false) &&
                    tree_next_expiry(replica_tree(world->servers[i].replica), &due) &&
                    due < world_wall(world) - 3 * (WallUsec)USEC_PER_SEC)
                        world_violate(world, "server %zu still holds a key that should have expired %.1f s ago", i + 1,
                                      (double)(world_wall(world) - due) / 1e6);
}

/* No queue, file or list may have grown with the run. */
static void check_sizes(World *world) {
        for (size_t i = 0; i < world->length && !world->failed; i++) {
                Server *server = &world->servers[i];
                _cleanup_string_list_ StringList names = {0};
                size_t segments = 0, snapshots = 0, unfinished = 0;

                if (!takes_part(world, server, false))
                        continue;
                if (server->disk->ops->list(server->disk, &names) < 0)
                        abort();
                for (size_t n = 0; n < names.length; n++) {
                        segments += str_starts_with(names.items[n], "log-");
                        snapshots += str_starts_with(names.items[n], "snapshot-");
                        unfinished += str_starts_with(names.items[n], "unfinished-");
                }
                if (snapshots > 4)
                        world_violate(world, "server %zu keeps %zu snapshots", i + 1, snapshots);
                if (unfinished > 2)
                        world_violate(world, "server %zu keeps %zu unfinished snapshots", i + 1, unfinished);
                if (segments > 200)
                        world_violate(world, "server %zu keeps %zu segments of its log", i + 1, segments);
        }
}

static bool took_effect(void *userdata, uint64_t value) {
        World *world = userdata;

        return ledger_has_value(&world->ledger, value);
}

/* Where changes were overlooked nothing can be left out. */
static bool may_have_taken_effect(void *userdata, uint64_t value) {
        (void)userdata;
        (void)value;
        return true;
}

/* All that happened to one key, for a person to look at: what the servers agree on, then what clients saw. */
static void trace_key(World *world, uint32_t key) {
        char path[32];

        (void)snprintf(path, sizeof(path), "/1/r%u", key);
        for (uint64_t index = 0; index < world->ledger.events_length; index++) {
                const Event *event = ledger_event(&world->ledger, index);

                if (event && slice_equals(event_path(event), slice_from(path)))
                        world_trace(world, NULL, "change %" PRIu64 ": %s, value v%" PRIu64, index,
                                    event_action_name(event->action),
                                    ledger_parse_value(value_slice(event->node.value)));
        }
        for (size_t i = 0; i < world->linear.length; i++) {
                const Operation *operation = &world->linear.operations[i];

                if (operation->key == key)
                        world_trace(world, NULL,
                                    "operation %" PRIu64 "-%" PRIu64 ": kind %d, outcome %d, writes v%" PRIu64
                                    ", expects v%" PRIu64 ", saw v%" PRIu64,
                                    operation->called, operation->returned, operation->kind, operation->outcome,
                                    operation->value, operation->expected, operation->before);
        }
}

static void check_linear(World *world) {
        bool complete = ledger_is_complete(&world->ledger);

        for (uint32_t key = 0; key < world->plan.registers && !world->failed; key++) {
                const Operation *stuck;
                LinearVerdict verdict = linear_check(&world->linear, key,
                                                     complete ? took_effect : may_have_taken_effect, world, &stuck);

                world_count(world, COUNT_HISTORIES, 1);
                if (verdict == LINEAR_UNDECIDED)
                        world_count(world, COUNT_HISTORIES_UNDECIDED, 1);
                else if (verdict == LINEAR_NO) {
                        world_violate(
                                world,
                                "linearizability: no order of the operations on /1/r%u explains what clients saw: "
                                "not operation %" PRIu64 "-%" PRIu64 " (--trace lists them)",
                                key, stuck->called, stuck->returned);
                        trace_key(world, key);
                }
        }
}

static void world_end(World *world) {
        world->ending = true;
        faults_heal(world);
        check_all_write(world);
        clients_end(world);
        if (!world->failed)
                world_pass(world, world->now + TIME_TO_SETTLE);
        wait_for_the_last_to_leave(world);
        wait_for_the_last_entry(world);
        if (!world->failed && !world_leader(world))
                world_violate(world, "liveness: there is no leader %.0f s after the last fault",
                              (double)(TIME_TO_RECOVER + TIME_TO_SETTLE) / 1e6);
        if (!world->failed)
                check_parts(world);
        if (!world->failed)
                check_trees_equal(world);
        if (!world->failed)
                check_all_expired(world);
        if (!world->failed)
                watches_check_end(world);
        if (!world->failed)
                check_sizes(world);
        if (!world->failed)
                check_linear(world);
}

void world_run(World *world, uint64_t seed, bool trace) {
        world_init(world, seed, trace);
        for (size_t i = 0; i < world->length && !world->failed; i++)
                server_begin(&world->servers[i]);
        clients_begin(world);
        watches_begin(world);
        faults_init(world);
        world_pass(world, world->plan.faulty);
        if (!world->failed)
                world_end(world);
        for (size_t i = 0; i < world->length; i++)
                server_count_disk(&world->servers[i]);
        world_deinit(world);
}
