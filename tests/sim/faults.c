/* What goes wrong: drawn at random times from the kinds that the seed allows; some end by themselves after a while. */
#include <inttypes.h>

#include "client.h"
#include "world.h"

typedef enum FaultKind {
        FAULT_CRASH,
        FAULT_CRASH_ARMED, /* at the next moment of some kind */
        FAULT_CRASH_LEADER,
        FAULT_CRASH_ALL,
        FAULT_PAUSE,
        FAULT_PARTITION,
        FAULT_PARTITION_ONE_WAY,
        FAULT_ISOLATE_LEADER,
        FAULT_STORM, /* one leader after the other is cut off just after its election */
        FAULT_LOSS,
        FAULT_DELAY,
        FAULT_SLOW_DISK,
        FAULT_WRITES_FAIL,
        FAULT_SYNCS_FAIL,
        FAULT_FULL_DISK,
        FAULT_CLOCK,
        FAULT_HAND_OVER,
        FAULT_ADD,
        FAULT_REMOVE,
        FAULT_REMOVE_LEADER,
        FAULT_REPLACE,
        FAULT_UPDATE,
        FAULT_DISK_LIES,
        FAULT_KINDS,
} FaultKind;

/* The end of a fault. */
typedef struct Recovery {
        Timer timer;
        ListNode link;
        FaultKind kind;
        Server *server; /* or NULL */
} Recovery;

uint32_t faults_draw_kinds(Random *random) {
        uint32_t all = ((uint32_t)1 << FAULT_KINDS) - 1;

        if (random_chance(random, 1, 3)) /* the membership stays */
                all = ((uint32_t)1 << FAULT_ADD) - 1;

        /* few kinds at a time reach other places than all of them together */
        switch (random_below(random, 4)) {
        case 0:
                return all;
        case 1:
                return (uint32_t)random_u64(random) & (uint32_t)random_u64(random) & all;
        default:
                return (uint32_t)random_u64(random) & all;
        }
}

static Server *draw_server(World *world) {
        return world_draw_server(world, &world->chance);
}

static Server *find_leader(World *world) {
        size_t from = random_below(&world->chance, world->length);

        for (size_t i = 0; i < world->length; i++) {
                Server *server = &world->servers[(from + i) % world->length];

                if (server_leads(server))
                        return server;
        }
        return draw_server(world);
}

/* Short ones are as telling as long ones: some are over before anyone has noticed. */
static Usec draw_down_time(World *world) {
        static const Usec means[] = {5 * USEC_PER_MSEC, 100 * USEC_PER_MSEC, USEC_PER_SEC, 8 * USEC_PER_SEC};

        return random_below(&world->chance, means[random_below(&world->chance, ARRAY_SIZE(means))]);
}

/* ---- ends ---- */

static void links_mend(World *world) {
        for (size_t i = 0; i < SERVERS_MAX; i++)
                for (size_t j = 0; j < SERVERS_MAX; j++)
                        world->links[i][j].cut = false;
}

static void recovery_apply(World *world, const Recovery *recovery) {
        FakeDiskFaults *faults = recovery->server ? fake_disk_faults(recovery->server->disk) : NULL;

        switch (recovery->kind) {
        case FAULT_PARTITION:
                links_mend(world);
                break;
        case FAULT_LOSS:
                world->loss = world->plan.loss;
                break;
        case FAULT_DELAY:
                world->jitter = world->plan.jitter;
                break;
        case FAULT_SLOW_DISK:
                recovery->server->disk_delay = 0;
                break;
        case FAULT_WRITES_FAIL:
                faults->write_fails = 0;
                break;
        case FAULT_SYNCS_FAIL:
                faults->sync_fails = 0;
                break;
        case FAULT_FULL_DISK:
                faults->capacity = 0;
                break;
        default:
                break;
        }
}

static void recovery_free(World *world, Recovery *recovery) {
        world_cancel(world, &recovery->timer);
        list_unlink(&recovery->link);
        free(recovery);
}

static void on_recovery(World *world, Timer *timer) {
        Recovery *recovery = container_of(timer, Recovery, timer);

        recovery_apply(world, recovery);
        recovery_free(world, recovery);
}

static void recover_later(World *world, FaultKind kind, Server *server, Usec most) {
        Recovery *recovery = calloc(1, sizeof(*recovery));

        if (!recovery)
                abort();
        *recovery = (Recovery){.timer = TIMER_INIT(on_recovery), .kind = kind, .server = server};
        list_append(&world->recoveries, &recovery->link);
        world_schedule(world, &recovery->timer, world->now + random_below(&world->chance, most));
}

/* ---- beginnings ---- */

static void crash(World *world, Server *server, Usec down) {
        if (!server->replica)
                return;
        server_stop(server, random_chance(&world->chance, 2, 3));
        server_start_after(server, down);
}

static void crash_all(World *world) {
        world_count(world, COUNT_CRASHES_OF_ALL, 1);
        for (size_t i = 0; i < world->length; i++)
                crash(world, &world->servers[i], draw_down_time(world));
}

static void arm(World *world, Server *server) {
        server->armed = (Moment)(1 + random_below(&world->chance, MOMENT_KINDS - 1));
        server->armed_count = (unsigned)random_below(&world->chance, random_chance(&world->chance, 1, 2) ? 2 : 30);
}

static void pause_server(World *world, Server *server) {
        Usec length = draw_down_time(world);

        if (!server->replica)
                return;
        world_trace(world, server, "pauses for %.3f s", (double)length / 1e6);
        world_count(world, COUNT_PAUSES, 1);
        server->paused_until = world->now + length;
}

static void cut(World *world, size_t from, size_t to) {
        if (from != to)
                world->links[from][to].cut = true;
}

static void partition(World *world, uint64_t side, bool one_way) {
        size_t count = world->length;

        world_trace(world, NULL, "%s of servers %" PRIx64 " (by bits)",
                    one_way ? "partition in one direction" : "partition", side);
        world_count(world, one_way ? COUNT_PARTITIONS_ONE_WAY : COUNT_PARTITIONS, 1);
        for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < count; j++)
                        if ((side >> i & 1) && !(side >> j & 1)) {
                                cut(world, i, j);
                                if (!one_way)
                                        cut(world, j, i);
                        }
        recover_later(world, FAULT_PARTITION, NULL, 8 * USEC_PER_SEC);
}

static void isolate_leader(World *world) {
        Server *leader = find_leader(world);

        clients_flock(world, leader);
        partition(world, (uint64_t)1 << (leader->id - 1), random_chance(&world->chance, 1, 3));
}

static uint64_t disk_used(Server *server) {
        _cleanup_string_list_ StringList names = {0};
        uint64_t used = 0;
        size_t length;

        if (server->disk->ops->list(server->disk, &names) < 0)
                abort();
        for (size_t i = 0; i < names.length; i++)
                if (fake_disk_contents(server->disk, names.items[i], &length))
                        used += length;
        return used;
}

static void disk_fails(World *world, FaultKind kind, Server *server) {
        FakeDiskFaults *faults = fake_disk_faults(server->disk);
        uint32_t rate = 1000 + (uint32_t)random_below(&world->chance, 100000);

        world_trace(world, server, "its disk %s",
                    kind == FAULT_SLOW_DISK   ? "is slow"
                    : kind == FAULT_FULL_DISK ? "is full"
                                              : "fails now and then");
        if (kind == FAULT_SLOW_DISK) {
                world_count(world, COUNT_SLOW_DISKS, 1);
                server->disk_delay = 1 + random_below(&world->chance, 2 * USEC_PER_SEC);
        } else if (kind == FAULT_WRITES_FAIL) {
                faults->write_fails = rate;
        } else if (kind == FAULT_SYNCS_FAIL) {
                faults->sync_fails = rate;
        } else {
                faults->capacity = disk_used(server) + random_below(&world->chance, 32768);
        }
        recover_later(world, kind, server, 5 * USEC_PER_SEC);
}

/* Most writes go to the log: those of snapshots would hardly ever be met by chance. */
static void disk_lies(World *world, Server *server) {
        FakeDiskFaults *faults = fake_disk_faults(server->disk);

        if (!server->replica)
                return;
        faults->lies_in = random_chance(&world->chance, 1, 3) ? "unfinished-" : NULL;
        faults->next_write_lies = true;
}

/* The clock that people see; a few seconds mostly, sometimes minutes. */
static void clock_jumps(World *world, Server *server) {
        WallUsec by = (WallUsec)random_below(&world->chance, random_chance(&world->chance, 1, 4) ? 300 * USEC_PER_SEC
                                                                                                 : 10 * USEC_PER_SEC);
        bool back = random_chance(&world->chance, 1, 2);

        world_trace(world, server, "its clock is set %s by %.3f s", back ? "back" : "forward", (double)by / 1e6);
        world_count(world, back ? COUNT_CLOCK_BACK : COUNT_CLOCK_FORWARD, 1);
        server->wall_error += back ? -by : by;
}

static void hand_over(World *world) {
        Server *leader = find_leader(world);

        if (!leader->replica || world->now < leader->paused_until || !replica_hand_over(leader->replica))
                return;
        world_trace(world, leader, "hands leadership over");
        world_count(world, COUNT_HAND_OVERS, 1);
        server_wake(leader);
}

/* The newest leader is alone from now on, all others are together: how logs come to differ most. */
static void on_storm_cut(World *world, Timer *timer) {
        size_t alone = (size_t)world->cut_next->id - 1;

        (void)timer;
        links_mend(world);
        world_trace(world, world->cut_next, "is cut off after its election");
        world_count(world, COUNT_PARTITIONS, 1);
        for (size_t i = 0; i < world->length; i++) {
                cut(world, alone, i);
                cut(world, i, alone);
        }
}

void faults_elected(Server *leader) {
        World *world = leader->world;

        if (world->storm == 0 || world->healed)
                return;
        if (--world->storm == 0)
                recover_later(world, FAULT_PARTITION, NULL, 2 * USEC_PER_SEC);
        world->cut_next = leader;
        world_schedule(world, &world->storm_cut,
                       world->now + world->plan.delay +
                               random_below(&world->chance, 4 * world->jitter + 10 * USEC_PER_MSEC));
}

static void strike(World *world, FaultKind kind) {
        Server *server = draw_server(world);

        switch (kind) {
        case FAULT_CRASH:
                crash(world, server, draw_down_time(world));
                break;
        case FAULT_CRASH_ARMED:
                arm(world, server);
                break;
        case FAULT_CRASH_LEADER:
                crash(world, find_leader(world), draw_down_time(world));
                break;
        case FAULT_CRASH_ALL:
                if (random_chance(&world->chance, 1, 3))
                        crash_all(world);
                break;
        case FAULT_PAUSE:
                pause_server(world, random_chance(&world->chance, 1, 2) ? find_leader(world) : server);
                break;
        case FAULT_PARTITION:
                partition(world, random_u64(&world->chance), false);
                break;
        case FAULT_PARTITION_ONE_WAY:
                partition(world, random_u64(&world->chance), true);
                break;
        case FAULT_ISOLATE_LEADER:
                isolate_leader(world);
                break;
        case FAULT_STORM:
                world->storm = 2 + (unsigned)random_below(&world->chance, 8);
                crash(world, find_leader(world), draw_down_time(world));
                break;
        case FAULT_LOSS:
                world->loss = (uint32_t)random_below(&world->chance, 500000);
                recover_later(world, kind, NULL, 5 * USEC_PER_SEC);
                break;
        case FAULT_DELAY:
                world->jitter = 1 + random_below(&world->chance, USEC_PER_SEC);
                recover_later(world, kind, NULL, 5 * USEC_PER_SEC);
                break;
        case FAULT_SLOW_DISK:
        case FAULT_WRITES_FAIL:
        case FAULT_SYNCS_FAIL:
        case FAULT_FULL_DISK:
                disk_fails(world, kind, server);
                break;
        case FAULT_CLOCK:
                clock_jumps(world, server);
                break;
        case FAULT_HAND_OVER:
                hand_over(world);
                break;
        case FAULT_ADD:
                members_add(world);
                break;
        case FAULT_REMOVE:
                members_remove(world, server);
                break;
        case FAULT_REMOVE_LEADER:
                members_remove(world, find_leader(world));
                break;
        case FAULT_REPLACE:
                members_replace(world, server);
                break;
        case FAULT_UPDATE:
                members_update(world, server);
                break;
        case FAULT_DISK_LIES:
                disk_lies(world, server);
                break;
        case FAULT_KINDS:
                break;
        }
}

static void on_fault(World *world, Timer *timer) {
        FaultKind kind = (FaultKind)random_below(&world->chance, FAULT_KINDS);

        while (!(world->plan.fault_kinds >> kind & 1))
                kind = (kind + 1) % FAULT_KINDS;
        strike(world, kind);
        world_schedule(world, timer, world->now + world_draw_time(&world->chance, world->plan.fault_interval));
}

void faults_init(World *world) {
        world->fault = TIMER_INIT(on_fault);
        world->storm_cut = TIMER_INIT(on_storm_cut);
        for (size_t i = 0; i < world->length; i++)
                fake_disk_faults(world->servers[i].disk)->read_flips_bit = world->plan.flips;
        if (world->plan.fault_kinds != 0)
                world_schedule(world, &world->fault, world->now + random_below(&world->chance, 4 * USEC_PER_SEC));
}

void faults_heal(World *world) {
        world_trace(world, NULL, "all is healed");
        world->healed = true;
        world_cancel(world, &world->fault);
        world_cancel(world, &world->storm_cut);
        list_foreach (&world->recoveries, node)
                on_recovery(world, &container_of(node, Recovery, link)->timer);
        links_mend(world);
        world->loss = 0;
        world->jitter = min_of(world->plan.jitter, (Usec)5000);
        members_end(world);
        for (size_t i = 0; i < world->length; i++) {
                Server *server = &world->servers[i];

                server->armed = MOMENT_NONE;
                server->paused_until = 0;
                server->wall_error = 0;
                fake_disk_faults(server->disk)->read_flips_bit = 0;
                fake_disk_end_lie(server->disk, true);
                if (!server->replica && !server->gone)
                        server_start_after(server, random_below(&world->chance, USEC_PER_SEC));
        }
}

void faults_deinit(World *world) {
        list_foreach (&world->recoveries, node)
                recovery_free(world, container_of(node, Recovery, link));
        world_cancel(world, &world->fault);
        world_cancel(world, &world->storm_cut);
}
