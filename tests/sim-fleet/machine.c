/* A machine: its daemon, put together and driven as src/fleet/server.c does, and the supervisor below, which outlives it. */
#include <stdio.h>

#include "world.h"

enum { TURNS_AT_ONCE_MAX = 2000, LEAVE_SEC = 60, GRACE_PARTS = 6, GRACE_SEC = 2, LEASE_SEC_MAX = 10 };

/* ---- its clock ---- */

Usec machine_clock(const Machine *machine) {
        Usec now = machine->world->now;

        return now + (Usec)((int64_t)(now / 1000) * machine->pace / 1000);
}

/* When the machine's clock shows `at`: not before. */
static Usec machine_moment(const Machine *machine, Usec at) {
        Usec now = machine_clock(machine);

        if (at >= USEC_INFINITY / 2)
                return USEC_INFINITY;
        if (at <= now)
                return machine->world->now;
        return machine->world->now + (Usec)((int64_t)(at - now) - (int64_t)((at - now) / 1000) * machine->pace / 1000) + USEC_PER_MSEC;
}

bool machine_is_troubled(const Machine *machine, Usec since) {
        const World *world = machine->world;

        return !machine->up || !machine->alive || machine->leaving || machine->link.cut || machine->link.slow || machine->troubled + since > world->now;
}

/* ---- what the parts call ---- */

static void on_retry(World *world, Timer *timer) {
        Machine *machine = container_of(timer, Machine, retry);

        (void)world;
        machine->retry_expired(machine->retry_data);
        machine_turn(machine);
}

static void retry_start(void *userdata, Usec after, void (*expired)(void *registry), void *registry) {
        Machine *machine = userdata;

        machine->retry_expired = expired;
        machine->retry_data = registry;
        world_schedule(machine->world, &machine->retry, machine->world->now + after);
}

static void retry_stop(void *userdata) {
        Machine *machine = userdata;

        world_cancel(machine->world, &machine->retry);
}

static const RegistryTimer retry_timer = {retry_start, retry_stop};

static void on_changed(void *userdata, RegistryChange change, const char *subject) {
        Machine *machine = userdata;

        (void)cluster_update(&machine->cluster, change, subject);
        agent_registry_changed(machine->agent, change, subject);
        if (change == REGISTRY_STATE)
                engine_state_changed(machine->engine, subject);
        else
                engine_touch(machine->engine);
        machine->awake = true;
}

static void on_reachable(void *userdata, int r, const Error *error) {
        world_tell(((Machine *)userdata)->world, userdata, "%s%s", r < 0 ? "the mirror stands still: " : "the mirror goes on", error->text);
}

static void on_note(void *userdata, const char *text) {
        world_tell(((Machine *)userdata)->world, userdata, "%s", text);
}

static void on_wake(void *userdata) {
        ((Machine *)userdata)->awake = true;
}

static bool rests(void *userdata, const RegistryUnit *unit) {
        Machine *machine = userdata;
        const Picture *picture = machine->partitioned ? cluster_picture(&machine->cluster) : NULL;
        const PictureUnit *known = picture ? picture_unit(picture, unit->name) : NULL;

        return known && known->requirements->stop_on_partition;
}

static bool runs_global(void *userdata, const char *unit, bool is_here) {
        Machine *machine = userdata;

        return cluster_runs_global(&machine->cluster, machine->id, unit, is_here);
}

static const RegistryEvents registry_events = {on_changed, on_reachable};
static const EngineEvents engine_events = {.note = on_note, .wake = on_wake};
static const AgentEvents agent_events = {.note = on_note, .wake = on_wake, .rests = rests};
static const PresenceEvents presence_events = {.note = on_note, .wake = on_wake};

/* ---- turns ---- */

static Usec machine_next(const Machine *machine) {
        Usec next = min_of(engine_next(machine->engine), presence_next(machine->presence));

        return min_of(next, agent_next(machine->agent));
}

/* As server_run() in src/fleet/server.c. */
static void machine_run(Machine *machine) {
        Usec now = machine_clock(machine);
        bool partitioned;

        if (machine_next(machine) <= now)
                machine->awake = true;
        while (machine->awake && machine->alive && !machine->world->failed) {
                machine->awake = false;
                if (++machine->turns > TURNS_AT_ONCE_MAX) {
                        world_violate(machine->world, "the daemon of %s wakes itself without end", machine->id);
                        return;
                }
                presence_run(machine->presence, now);
                partitioned = presence_is_partitioned(machine->presence, now);
                if (partitioned != machine->partitioned) {
                        world_tell(machine->world, machine, partitioned ? "has lost the store" : "has the store again");
                        agent_touch_all(machine->agent);
                }
                machine->partitioned = partitioned;
                if (presence_is_troubled(machine->presence, now))
                        engine_doubt(machine->engine, now);
                engine_run(machine->engine, now);
                if (cluster_globals_have_changed(&machine->cluster, machine->id))
                        agent_touch_all(machine->agent);
                agent_run(machine->agent, now);
        }
}

static void machine_arm(Machine *machine) {
        World *world = machine->world;
        Usec next = machine->alive ? machine_moment(machine, machine_next(machine)) : USEC_INFINITY;
        Usec units = machine->fake ? fake_supervisor_next(machine->fake) : USEC_INFINITY;

        world_cancel(world, &machine->run);
        world_cancel(world, &machine->units);
        if (next != USEC_INFINITY)
                world_schedule(world, &machine->run, max_of(next, world->now + USEC_PER_MSEC));
        if (units < USEC_INFINITY / 2)
                world_schedule(world, &machine->units, units);
}

/* What it knew is known again: presence has said so, and the units that it does not want any more have had time to end. */
static void machine_note_sight(Machine *machine) {
        if (machine->alive && machine->blind == USEC_INFINITY && presence_is_registered(machine->presence) && !machine->partitioned)
                machine->blind = machine->world->now;
        if (machine_is_troubled(machine, 0))
                machine->troubled = machine->at_fault = machine->world->now;
}

void machine_turn(Machine *machine) {
        bool again = true;

        if (machine->turning || !machine->up)
                return;
        machine->turning = true;
        machine->turns = 0;
        machine->world->turns++;
        machine->all_turns++;
        while (again && !machine->world->failed) {
                again = machine->fake && fake_supervisor_run(machine->fake, machine->world->now);
                if (!machine->alive)
                        continue;
                machine_run(machine);
                again = again || machine->awake || fake_supervisor_next(machine->fake) <= machine->world->now;
        }
        machine->turning = false;
        machine_note_sight(machine);
        watch_leaders(machine);
        machine_arm(machine);
}

static void on_run(World *world, Timer *timer) {
        Machine *machine = container_of(timer, Machine, run);

        (void)world;
        machine->awake = true;
        machine_turn(machine);
}

static void on_units(World *world, Timer *timer) {
        (void)world;
        machine_turn(container_of(timer, Machine, units));
}

/* ---- the supervisor, and what is watched of it ---- */

static SupervisorOps watched_ops;
static const SupervisorOps *plain_ops;

static Machine *machine_of(const Supervisor *supervisor) {
        return supervisor->userdata;
}

static void watched_load(Supervisor *supervisor, const char *name, Slice text, const char *tag, SupervisorDone done, void *userdata) {
        Machine *machine = machine_of(supervisor);
        int unit = world_unit(machine->world, name);

        if (unit != NOBODY)
                machine->loaded[unit] = spec_find(machine->world, tag);
        world_tell(machine->world, machine, "loads %s (%.6s)", name, tag);
        plain_ops->load(supervisor, name, text, tag, done, userdata);
}

static void watched_start(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        Machine *machine = machine_of(supervisor);

        world_count(machine->world, COUNT_STARTS);
        world_tell(machine->world, machine, "starts %s", name);
        (void)fake_supervisor_script_delay(machine->fake, name, random_below(&machine->world->chance, machine->world->plan.start + 1));
        plain_ops->start(supervisor, name, done, userdata);
}

static void draw_stop(Machine *machine, const char *name, const char *verb, FakeOperation operation) {
        World *world = machine->world;
        int unit = world_unit(world, name);

        world_count(world, COUNT_STOPS);
        world_tell(world, machine, "%s %s", verb, name);
        if (unit != NOBODY && machine->running[unit])
                watch_stop(machine, (size_t)unit);
        fake_supervisor_set_delay(machine->fake, operation, random_below(&world->chance, world->plan.stop + 1));
}

static void watched_stop(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        draw_stop(machine_of(supervisor), name, "stops", FAKE_STOP);
        plain_ops->stop(supervisor, name, done, userdata);
}

static void watched_unload(Supervisor *supervisor, const char *name, SupervisorDone done, void *userdata) {
        draw_stop(machine_of(supervisor), name, "takes away", FAKE_UNLOAD);
        plain_ops->unload(supervisor, name, done, userdata);
}

static void on_unit_changed(void *userdata, const char *name, const SupervisorState *state) {
        Machine *machine = userdata;
        int unit = world_unit(machine->world, name);

        if (unit != NOBODY)
                watch_unit_changed(machine, (size_t)unit, state);
        if (machine->alive)
                agent_supervisor_events.changed(machine->agent, name, state);
}

static const SupervisorEvents unit_events = {.changed = on_unit_changed};

static void machine_make_supervisor(Machine *machine) {
        Supervisor *supervisor;

        machine->fake = fake_supervisor_new(&unit_events, machine);
        if (!machine->fake)
                abort();
        supervisor = fake_supervisor_base(machine->fake);
        plain_ops = supervisor->ops;
        watched_ops = *plain_ops;
        watched_ops.load = watched_load;
        watched_ops.start = watched_start;
        watched_ops.stop = watched_stop;
        watched_ops.unload = watched_unload;
        supervisor->ops = &watched_ops;
        (void)fake_supervisor_run(machine->fake, machine->world->now);
}

static void machine_drop_supervisor(Machine *machine) {
        if (!machine->fake)
                return;
        fake_supervisor_orphan(machine->fake);
        supervisor_close(fake_supervisor_base(machine->fake), NULL, NULL);
        (void)fake_supervisor_run(machine->fake, machine->world->now);
        machine->fake = NULL;
        for (size_t i = 0; i < UNITS_MAX; i++) {
                machine->running[i] = false;
                machine->loaded[i] = NULL;
        }
}

/* ---- life ---- */

void machine_start_daemon(Machine *machine) {
        World *world = machine->world;
        const EngineConfig engine = {
                .machine = machine->id,
                .lease_ttl = min_of(world->plan.ttl, LEASE_SEC_MAX * USEC_PER_SEC),
                .text_age = max_of(4 * world->plan.ttl, 10 * USEC_PER_SEC),
                .grace = world->plan.ttl / GRACE_PARTS + GRACE_SEC * USEC_PER_SEC,
        };
        const PartitionRule rule = {.ttl = world->plan.ttl, .drift = 10, .margin = world->plan.margin};

        if (!machine->up || machine->alive || world->failed)
                return;
        world_tell(world, machine, "the daemon starts");
        machine->alive = true;
        machine->partitioned = false;
        if (registry_new(&machine->link.base, REGISTRY_PREFIX_DEFAULT, &retry_timer, machine, &registry_events, machine, &machine->registry) < 0)
                abort();
        cluster_init(&machine->cluster, machine->registry);
        if (engine_new(&engine, machine->registry, &machine->cluster, &engine_events, machine, &machine->engine) < 0 ||
            agent_new(machine->id, machine->registry, &agent_events, runs_global, machine, &machine->agent) < 0 ||
            presence_new(&machine->record, &rule, machine->registry, &presence_events, machine, &machine->presence) < 0)
                abort();
        agent_start(machine->agent, fake_supervisor_base(machine->fake));
        registry_start(machine->registry);
        machine_turn(machine);
}

static void on_start(World *world, Timer *timer) {
        (void)world;
        machine_start_daemon(container_of(timer, Machine, start));
}

void machine_crash(Machine *machine) {
        if (!machine->alive)
                return;
        world_tell(machine->world, machine, "the daemon ends");
        machine->alive = false;
        machine->leaving = false;
        machine->blind = USEC_INFINITY;
        machine->troubled = machine->at_fault = machine->world->now;
        fake_supervisor_orphan(machine->fake);
        machine->registry = registry_free(machine->registry);
        link_abandon(&machine->link);
        machine->engine = engine_free(machine->engine);
        machine->agent = agent_free(machine->agent);
        machine->presence = presence_free(machine->presence);
        cluster_deinit(&machine->cluster);
        machine_arm(machine);
}

void machine_power_off(Machine *machine) {
        if (!machine->up)
                return;
        machine_crash(machine);
        machine_drop_supervisor(machine);
        machine->up = false;
        world_tell(machine->world, machine, "has no power");
        world_cancel(machine->world, &machine->run);
        world_cancel(machine->world, &machine->units);
        world_cancel(machine->world, &machine->start);
        world_cancel(machine->world, &machine->leave);
}

void machine_power_on(Machine *machine) {
        if (machine->up || machine->lost)
                return;
        machine->up = true;
        machine->blind = 0; /* nothing runs, whatever it does not know */
        machine_make_supervisor(machine);
        machine_start_daemon(machine);
}

/* It comes back some time. */
static void on_leave_over(World *world, Timer *timer) {
        Machine *machine = container_of(timer, Machine, leave);

        if (!machine->leaving)
                return;
        machine_crash(machine);
        world_schedule(world, &machine->start, world->now + random_below(&world->chance, 20 * USEC_PER_SEC));
}

/* As fleet_server_stop(): the lease goes, then the machine. The daemon ends a moment later. */
static void on_left(void *userdata) {
        Machine *machine = userdata;

        engine_release(machine->engine);
        (void)presence_leave(machine->presence, NULL, NULL);
        world_schedule(machine->world, &machine->leave, machine->world->now + 200 * USEC_PER_MSEC);
}

void machine_leave(Machine *machine) {
        if (!machine->alive || machine->leaving)
                return;
        world_tell(machine->world, machine, "the daemon is told to leave");
        machine->leaving = true;
        world_schedule(machine->world, &machine->leave, machine->world->now + LEAVE_SEC * USEC_PER_SEC);
        agent_leave(machine->agent, on_left);
        machine->awake = true;
        machine_turn(machine);
}

void machine_init(Machine *machine, World *world, int index) {
        static char version[] = "1", key[] = "zone";
        static char zones[][2] = {"a", "b", "c"};

        *machine = (Machine){.world = world, .index = index};
        (void)snprintf(machine->id, sizeof(machine->id), "%c%c%c%c%c%c%c%c000000000000000000000000", 'a' + index, 'a' + index, 'a' + index,
                       'a' + index, 'a' + index, 'a' + index, 'a' + index, 'a' + index);
        (void)snprintf(machine->address, sizeof(machine->address), "10.0.0.%d", index + 1);
        (void)snprintf(machine->instance, sizeof(machine->instance), "i%d", index);
        machine->zone = (MetadataPair){key, zones[index % 3]};
        machine->record = (MachineRecord){.id = machine->id,
                                          .address = machine->address,
                                          .version = version,
                                          .instance = machine->instance,
                                          .memory = (uint64_t)1024 << 20,
                                          .cpu = 4000,
                                          .metadata = &machine->zone,
                                          .n_metadata = 1};
        machine->pace = (int64_t)random_below(&world->chance, 18001) - 9000;
        machine->retry = TIMER_INIT(on_retry);
        machine->run = TIMER_INIT(on_run);
        machine->units = TIMER_INIT(on_units);
        machine->start = TIMER_INIT(on_start);
        machine->leave = TIMER_INIT(on_leave_over);
        link_init(&machine->link, world, machine);
}

void machine_deinit(Machine *machine) {
        if (machine->alive)
                machine_crash(machine);
        machine_drop_supervisor(machine);
        link_deinit(&machine->link);
}
