/* What goes wrong: drawn at random times from the kinds that the seed allows; what lasts has an end of its own. */
#include "world.h"

typedef enum FaultKind {
        FAULT_CRASH,
        FAULT_CRASH_LEADER,
        FAULT_POWER,
        FAULT_LEAVE,
        FAULT_CUT,
        FAULT_CUT_LEADER,
        FAULT_SLOW_LINK,
        FAULT_STORE_REFUSES,
        FAULT_STORE_GONE,
        FAULT_STORE_SILENT,
        FAULT_HISTORY,
        FAULT_UNIT_ENDS,
        FAULT_UNIT_SCRIPT,
        FAULT_KINDS,
} FaultKind;

enum { HISTORY_WRITES = 300 };

uint32_t faults_draw_kinds(Random *random) {
        uint32_t all = ((uint32_t)1 << FAULT_KINDS) - 1;

        switch (random_below(random, 4)) {
        case 0:
                return all;
        case 1: /* few kinds at a time reach other places than all of them together */
                return (uint32_t)random_u64(random) & (uint32_t)random_u64(random) & all;
        default:
                return (uint32_t)random_u64(random) & all;
        }
}

/* One sort only, or none: then each thing that happens must have its reason. */
uint32_t faults_draw_one_sort(Random *random) {
        static const uint32_t sorts[] = {
                0,
                1 << FAULT_CUT | 1 << FAULT_CUT_LEADER,
                1 << FAULT_STORE_REFUSES | 1 << FAULT_STORE_GONE | 1 << FAULT_STORE_SILENT,
                1 << FAULT_CRASH | 1 << FAULT_CRASH_LEADER | 1 << FAULT_POWER,
                1 << FAULT_UNIT_ENDS | 1 << FAULT_UNIT_SCRIPT,
        };

        return sorts[random_below(random, ARRAY_SIZE(sorts))];
}

static Machine *draw_machine(World *world) {
        return &world->machines[random_below(&world->chance, world->plan.machines)];
}

static Machine *draw_leader(World *world) {
        int leader = world_machine(world, world->leader);

        return leader == NOBODY ? draw_machine(world) : &world->machines[leader];
}

/* Short ones are as telling as long ones: some are over before anyone has noticed. */
static Usec draw_length(World *world) {
        static const Usec means[] = {200 * USEC_PER_MSEC, 3 * USEC_PER_SEC, 15 * USEC_PER_SEC, 60 * USEC_PER_SEC};

        return 1 + random_below(&world->chance, means[random_below(&world->chance, ARRAY_SIZE(means))]);
}

/* ---- the store ---- */

static void shake_all(World *world) {
        for (size_t i = 0; i < world->plan.machines; i++)
                link_shake(&world->machines[i].link);
}

static void set_store(World *world, StoreState state) {
        static const char *const words[] = {"answers", "has no leader", "is gone", "is silent"};

        if (world->store_state == state)
                return;
        world_tell(world, NULL, "the store %s", words[state]);
        world->store_state = state;
        world->store_troubled = world->now;
        if (state == STORE_GONE)
                shake_all(world);
        store_run(world);
}

static void on_store_mended(World *world, Timer *timer) {
        (void)timer;
        set_store(world, STORE_WELL);
}

static void strike_store(World *world, StoreState state) {
        if (world->store_state != STORE_WELL)
                return;
        world_count(world, COUNT_STORE_OUTAGES);
        world->store_mend = TIMER_INIT(on_store_mended);
        set_store(world, state);
        world_schedule(world, &world->store_mend, world->now + draw_length(world));
}

static void ignore(void *userdata, const StoreReply *reply) {
        (void)userdata;
        (void)reply;
}

/* Others write, too: events of fleet's own are soon forgotten. */
static void clear_history(World *world) {
        if (world->store_state != STORE_WELL)
                return;
        world_count(world, COUNT_HISTORIES_CLEARED);
        world_tell(world, NULL, "the store's history is overrun");
        for (size_t i = 0; i < HISTORY_WRITES; i++) {
                const StoreRequest request = {.verb = STORE_SET, .key = "/elsewhere", .value = "x"};

                (void)storeclient_send(fake_store_client(world->store), &request, ignore, NULL, NULL);
        }
        store_run(world);
}

/* ---- machines ---- */

static void on_mended(World *world, Timer *timer) {
        Machine *machine = container_of(timer, Machine, mend);

        machine->troubled = machine->at_fault = world->now;
        if (!machine->up) {
                machine_power_on(machine);
                return;
        }
        if (machine->link.cut)
                world_tell(world, machine, "reaches the store again");
        link_set_cut(&machine->link, false);
        machine->link.slow = 0;
}

static void mend_later(World *world, Machine *machine) {
        world_schedule(world, &machine->mend, world->now + draw_length(world));
}

static void cut(World *world, Machine *machine) {
        if (!machine->up)
                return;
        world_count(world, COUNT_CUTS);
        world_tell(world, machine, "is cut off");
        link_set_cut(&machine->link, true);
        mend_later(world, machine);
}

static void crash(World *world, Machine *machine) {
        if (!machine->alive)
                return;
        world_count(world, COUNT_DAEMON_CRASHES);
        machine_crash(machine);
        world_schedule(world, &machine->start, world->now + draw_length(world));
}

static void lose_power(World *world, Machine *machine) {
        if (!machine->up)
                return;
        world_count(world, COUNT_POWER_LOSSES);
        machine_power_off(machine);
        mend_later(world, machine);
}

static void end_unit(World *world, Machine *machine) {
        const char *name = world->units[random_below(&world->chance, world->plan.units)].name;

        if (!machine->up)
                return;
        world_count(world, COUNT_UNIT_ENDS);
        fake_supervisor_unit_exits(machine->fake, name, (int)random_below(&world->chance, 2));
        machine_turn(machine);
}

static void script_unit(World *world, Machine *machine) {
        static const FakeOutcome outcomes[] = {FAKE_RUNS, FAKE_RUNS, FAKE_COMPLETES, FAKE_FAILS, FAKE_FAILS, FAKE_HANGS};
        const char *name = world->units[random_below(&world->chance, world->plan.units)].name;

        if (!machine->up)
                return;
        world_count(world, COUNT_SCRIPTS);
        (void)fake_supervisor_script(machine->fake, name, outcomes[random_below(&world->chance, ARRAY_SIZE(outcomes))], 0);
}

static void strike(World *world, FaultKind kind) {
        switch (kind) {
        case FAULT_CRASH:
                crash(world, draw_machine(world));
                break;
        case FAULT_CRASH_LEADER:
                crash(world, draw_leader(world));
                break;
        case FAULT_POWER:
                lose_power(world, draw_machine(world));
                break;
        case FAULT_LEAVE:
                world_count(world, COUNT_LEAVES);
                machine_leave(draw_machine(world));
                break;
        case FAULT_CUT:
                cut(world, draw_machine(world));
                break;
        case FAULT_CUT_LEADER:
                cut(world, draw_leader(world));
                break;
        case FAULT_SLOW_LINK: {
                Machine *machine = draw_machine(world);

                machine->link.slow = 1 + random_below(&world->chance, 3 * USEC_PER_SEC);
                mend_later(world, machine);
                break;
        }
        case FAULT_STORE_REFUSES:
                strike_store(world, STORE_REFUSES);
                break;
        case FAULT_STORE_GONE:
                strike_store(world, STORE_GONE);
                break;
        case FAULT_STORE_SILENT:
                strike_store(world, STORE_IS_SILENT);
                break;
        case FAULT_HISTORY:
                clear_history(world);
                break;
        case FAULT_UNIT_ENDS:
                end_unit(world, draw_machine(world));
                break;
        case FAULT_UNIT_SCRIPT:
                script_unit(world, draw_machine(world));
                break;
        case FAULT_KINDS:
                break;
        }
}

static void on_fault(World *world, Timer *timer) {
        FaultKind kind = (FaultKind)random_below(&world->chance, FAULT_KINDS);

        if (world->plan.fault_kinds >> kind & 1)
                strike(world, kind);
        world_schedule(world, timer, world->now + world_draw_time(&world->chance, world->plan.fault_interval));
}

void faults_init(World *world) {
        world->fault = TIMER_INIT(on_fault);
        for (size_t i = 0; i < world->plan.machines; i++)
                world->machines[i].mend = TIMER_INIT(on_mended);
        world_schedule(world, &world->fault, world->now + world->plan.fault_interval);
}

static void heal_machine(World *world, Machine *machine) {
        world_cancel(world, &machine->mend);
        if (machine_is_troubled(machine, 0))
                machine->troubled = machine->at_fault = world->now;
        machine->link.slow = 0;
        link_set_cut(&machine->link, false);
        machine_power_on(machine);
        machine_start_daemon(machine);
}

void faults_heal(World *world) {
        world_cancel(world, &world->fault);
        world_cancel(world, &world->store_mend);
        set_store(world, STORE_WELL);
        if (world->plan.loses_machine) {
                Machine *machine = draw_machine(world);

                machine_power_off(machine);
                machine->lost = true;
                world_tell(world, machine, "is lost for ever");
        }
        for (size_t i = 0; i < world->plan.machines; i++)
                heal_machine(world, &world->machines[i]);
}
