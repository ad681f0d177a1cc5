/* Virtual time, what the seed decides, and the run from its beginning to its end. */
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { EVENTS_MAX = 3000000 };

/* After the last fault: until all is as it must be (moves come one after the other, and each may take two minutes); and how
 * long it must stay so, and quiet. */
#define TIME_TO_SETTLE (300 * USEC_PER_SEC)
#define TIME_TO_MOVE (3600 * USEC_PER_SEC)
#define TIME_OF_QUIET (20 * USEC_PER_SEC)
#define TIME_TO_CALM (5 * USEC_PER_SEC) /* mirrors catch up, and engines see who leads */

const char *count_name(Count count) {
        static const char *const names[COUNT_KINDS] = {
                [COUNT_EVENTS] = "events simulated",
                [COUNT_ORDERS] = "orders of people",
                [COUNT_PLACEMENTS] = "placements",
                [COUNT_HAND_OVERS] = "hand-overs",
                [COUNT_STARTS] = "units started",
                [COUNT_STOPS] = "units stopped",
                [COUNT_UNIT_ENDS] = "units ended by themselves",
                [COUNT_LEADERS] = "engines that took the lease",
                [COUNT_DAEMON_CRASHES] = "daemons crashed",
                [COUNT_POWER_LOSSES] = "machines without power",
                [COUNT_LEAVES] = "machines that left",
                [COUNT_CUTS] = "machines cut off",
                [COUNT_STORE_OUTAGES] = "outages of the store",
                [COUNT_REQUESTS_LOST] = "requests lost",
                [COUNT_REPLIES_LOST] = "replies lost",
                [COUNT_HISTORIES_CLEARED] = "histories cleared",
                [COUNT_SCRIPTS] = "units made to fail, hang or complete",
                [COUNT_DOUBLES] = "units seen on two machines",
        };

        return names[count];
}

/* ---- time ---- */

void world_schedule(World *world, Timer *timer, Usec at) {
        heap_remove(&world->timers, &timer->heap);
        timer->heap.key = max_of(at, world->now);
        timer->heap.tie = ++world->tie;
        if (heap_insert(&world->timers, &timer->heap) < 0)
                abort();
}

void world_cancel(World *world, Timer *timer) {
        if (timer->fire)
                heap_remove(&world->timers, &timer->heap);
}

Usec world_draw_time(Random *random, Usec mean) {
        Usec time = random_below(random, mean + 1) + random_below(random, mean + 1);

        if (random_chance(random, 1, 50))
                time *= 1 + random_below(random, 20);
        return time;
}

/* ---- names ---- */

int world_unit(const World *world, const char *name) {
        for (size_t i = 0; name && i < world->plan.units; i++)
                if (str_equals(world->units[i].name, name))
                        return (int)i;
        return NOBODY;
}

int world_machine(const World *world, const char *id) {
        for (size_t i = 0; id && i < world->plan.machines; i++)
                if (str_equals(world->machines[i].id, id))
                        return (int)i;
        return NOBODY;
}

/* ---- what is told ---- */

static void digest(World *world, const char *text) {
        for (; *text; text++)
                world->digest = (world->digest ^ (uint8_t)*text) * 0x100000001b3u;
}

void world_tell(World *world, const Machine *machine, const char *format, ...) {
        char *line = world->story[world->told % STORY_LINES];
        va_list args;
        int length;

        if (world->over)
                return;
        world->told++;
        length = snprintf(line, STORY_LINE_MAX, "%11.6f %-5.4s ", (double)(world->now - WORLD_BEGIN) / 1e6, machine ? machine->id : "");
        va_start(args, format);
        (void)vsnprintf(line + length, (size_t)(STORY_LINE_MAX - length), format, args);
        va_end(args);
        digest(world, line);
        if (world->verbose)
                printf("%s\n", line);
}

void world_violate(World *world, const char *format, ...) {
        va_list args;

        if (world->failed)
                return;
        world->failed = true;
        va_start(args, format);
        (void)vsnprintf(world->violation, sizeof(world->violation), format, args);
        va_end(args);
        world_tell(world, NULL, "VIOLATION: %s", world->violation);
}

/* ---- the seed ---- */

/* Each seed is another fleet: some calm, some wild, with few kinds of faults or with all. */
static void plan_draw(FleetPlan *plan, Random *random) {
        static const Usec ttls[] = {5, 10, 30};

        *plan = (FleetPlan){
                .machines = 3 + random_below(random, MACHINES_MAX - 2),
                .units = 4 + random_below(random, UNITS_MAX - 3),
                .ttl = ttls[random_below(random, ARRAY_SIZE(ttls))] * USEC_PER_SEC,
                .faulty = (40 + random_below(random, 120)) * USEC_PER_SEC,
                .fault_interval = (500 + random_below(random, 5000)) * USEC_PER_MSEC,
                .fault_kinds = faults_draw_kinds(random),
                .think = (300 + random_below(random, 4000)) * USEC_PER_MSEC,
                .delay = 200 + random_below(random, random_chance(random, 1, 3) ? 20000 : 2000),
                .loss = random_chance(random, 1, 2) ? 0 : (uint32_t)random_below(random, REPLIES_LOST_MAX),
                .history = 20 + random_below(random, 300),
        };
        if (random_chance(random, 1, 3)) { /* little happens, and that is judged the more sharply */
                plan->fault_kinds = faults_draw_one_sort(random);
                plan->loss = 0;
                plan->faulty = 400 * USEC_PER_SEC;
                plan->fault_interval = 3 * USEC_PER_SEC;
                plan->think = 15 * USEC_PER_SEC;
        }
        plan->busy = random_chance(random, 1, 2) ? plan->faulty : 20 * USEC_PER_SEC; /* then a fleet at rest, but for faults */
        plan->loses_machine = plan->machines > 3 && random_chance(random, 1, 4);
        plan->margin = plan->ttl / 4;
        plan->start = random_below(random, random_chance(random, 1, 3) ? 15 * USEC_PER_SEC : USEC_PER_SEC);
        plan->stop = random_below(random, plan->margin * 8 / 10);
}

static void timer_start(void *userdata, Usec after, void (*expired)(void *registry), void *registry) {
        world_violate(userdata, "the simulation itself has lost the store");
        (void)after;
        (void)expired;
        (void)registry;
}

static void timer_stop(void *userdata) {
        (void)userdata;
}

static void on_store_tick(World *world, Timer *timer) {
        store_run(world);
        world_schedule(world, timer, world->now + 200 * USEC_PER_MSEC);
}

static void world_init(World *world, uint64_t seed, bool verbose) {
        static const RegistryTimer none = {timer_start, timer_stop};

        *world = (World){.seed = seed, .verbose = verbose, .digest = 0xcbf29ce484222325u ^ seed, .now = WORLD_BEGIN, .store_time = WORLD_BEGIN};
        random_seed(&world->chance, seed);
        random_seed(&world->link_chance, seed ^ (uint64_t)1 << 40);
        random_seed(&world->people_chance, seed ^ (uint64_t)2 << 40);
        plan_draw(&world->plan, &world->chance);
        world->store = fake_store_new(world->plan.history);
        if (!world->store || registry_new(fake_store_client(world->store), REGISTRY_PREFIX_DEFAULT, &none, world, &watch_events, world, &world->seen) < 0)
                abort();
        cluster_init(&world->cluster, world->seen);
        for (size_t i = 0; i < UNITS_MAX; i++) {
                world->units[i].place = NOBODY;
                (void)snprintf(world->units[i].name, sizeof(world->units[i].name), "u%zu.service", i);
        }
        registry_start(world->seen);
        store_run(world);
        world_tell(world, NULL, "seed %" PRIu64 ": %zu machines, %zu units, TTL %.0f s, faults of kinds %x for %.0f s", seed,
                   world->plan.machines, world->plan.units, (double)world->plan.ttl / 1e6, world->plan.fault_kinds,
                   (double)world->plan.faulty / 1e6);
        for (size_t i = 0; i < world->plan.machines; i++)
                machine_init(&world->machines[i], world, (int)i);
        for (size_t i = 0; i < world->plan.machines; i++)
                machine_power_on(&world->machines[i]);
        world->store_tick = TIMER_INIT(on_store_tick);
        world_schedule(world, &world->store_tick, world->now);
        people_init(world);
        faults_init(world);
        watch_init(world);
}

static void world_deinit(World *world) {
        for (size_t i = 0; i < world->plan.machines; i++)
                machine_deinit(&world->machines[i]);
        people_end(world);
        world->seen = registry_free(world->seen);
        cluster_deinit(&world->cluster);
        world->store = fake_store_free(world->store);
        specs_deinit(world);
        heap_deinit(&world->timers);
}

/* ---- the run ---- */

static void world_pass(World *world, Usec until) {
        HeapNode *first;

        while (!world->failed && (first = heap_first(&world->timers)) && first->key <= until) {
                Timer *timer = container_of(first, Timer, heap);

                heap_remove(&world->timers, first);
                world->now = first->key;
                world_count(world, COUNT_EVENTS);
                if (world->counts[COUNT_EVENTS] > EVENTS_MAX)
                        world_violate(world, "the run does not come to an end: something is repeated without pause");
                else
                        timer->fire(world, timer);
        }
        if (!world->failed)
                world->now = until;
}

static bool moves_are_due(World *world) {
        for (size_t i = 0; i < world->plan.machines; i++) {
                const RegistryMachine *machine = registry_machine(world->seen, world->machines[i].id);

                if (machine && machine->cordon == CORDON_DRAINING)
                        return true;
        }
        return registry_moves(world->seen)->length > 0;
}

static void check_settles(World *world) {
        Usec end = world->now + (moves_are_due(world) ? TIME_TO_MOVE : TIME_TO_SETTLE);
        char text[VIOLATION_MAX / 2] = "";

        while (!world->failed) {
                world_pass(world, world->now + USEC_PER_SEC);
                if (world->failed || end_is_reached(world, text, sizeof(text)))
                        return;
                if (world->now > end)
                        world_violate(world, "after the faults: %s", text);
        }
}

/* An idle fleet renews its keys and its lease, and does nothing else. */
static void check_is_quiet(World *world) {
        uint64_t writes = world->writes, turns = world->turns, machines = world->plan.machines;
        Usec lease = min_of(world->plan.ttl, 10 * USEC_PER_SEC);
        uint64_t renewals = machines * (TIME_OF_QUIET / (world->plan.ttl / 2) + 1), leases = TIME_OF_QUIET / (lease / 3) + 1;
        char text[VIOLATION_MAX / 2];
        bool banned = registry_bans(world->seen)->length > 0; /* a ban's end is a reason to do something */

        world_pass(world, world->now + TIME_OF_QUIET);
        if (world->failed || banned)
                return;
        if (!end_is_reached(world, text, sizeof(text)))
                world_violate(world, "it was well after the faults, and is not any more: %s", text);
        else if (world->writes - writes > renewals + leases + 4)
                world_violate(world, "an idle fleet of %" PRIu64 " machines wrote %" PRIu64 " times in %.0f s", machines, world->writes - writes,
                              (double)TIME_OF_QUIET / 1e6);
        else if (world->turns - turns > 4 * (renewals + leases) + 20 * machines)
                world_violate(world, "the daemons of an idle fleet of %" PRIu64 " machines woke %" PRIu64 " times in %.0f s", machines,
                              world->turns - turns, (double)TIME_OF_QUIET / 1e6);
}

void world_run(World *world, uint64_t seed, bool verbose) {
        world_init(world, seed, verbose);
        world_pass(world, world->now + world->plan.faulty);
        if (!world->failed) {
                world_tell(world, NULL, "the faults are over");
                world->healed = true;
                faults_heal(world);
                check_settles(world);
        }
        if (!world->failed)
                world_pass(world, world->now + TIME_TO_CALM);
        if (!world->failed)
                check_is_quiet(world);
        world->over = true;
        world_deinit(world);
}
