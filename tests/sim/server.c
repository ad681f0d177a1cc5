/* The life of one simulated server: its clocks, its work, its end and its next beginning. */
#include <errno.h>
#include <inttypes.h>

#include "checker-watch.h"
#include "store/replica/internal.h"
#include "world.h"

enum {
        TICK = 100 * 1000,
        ELECTION_TICKS = 10,
        DRIFT_MAX = 20000, /* 2 %: worse than any quartz */
        RUN_DELAY = 150,   /* input of so many microseconds is carried out together */
        RESTART_RETRY = 300 * 1000,
        CLUSTER = 7,
};

/* ---- clocks ---- */

static Usec server_clock(const Server *server) {
        int64_t now = (int64_t)server->world->now;

        return server->clock_origin + (Usec)(now + now / 1000000 * server->drift);
}

WallUsec server_wall(const Server *server) {
        return world_wall(server->world) + server->wall_error;
}

bool server_defers(Server *server, Timer *timer) {
        if (server->world->now >= server->paused_until)
                return false;
        world_schedule(server->world, timer, server->paused_until);
        return true;
}

bool server_leads(const Server *server) {
        return server->replica && raft_basic_status(replica_raft(server->replica)).soft_state.state == RAFT_LEADER;
}

/* ---- what the replica asks for ---- */

static void on_run_job(void *userdata, DiskJob *job) {
        jobs_run(userdata, job);
}

static void on_send(void *userdata, uint64_t to, bool bulk, Slice frame) {
        network_send(userdata, to, bulk, frame);
}

static const ReplicaOps server_ops = {.run_job = on_run_job, .send = on_send};

static void server_start(Server *server);

/* ---- work ---- */

static bool disk_was_bad(const Server *server) {
        const FakeDiskCounts *now = fake_disk_counts(server->disk), *then = &server->disk_begun;

        return now->failed_writes != then->failed_writes || now->failed_syncs != then->failed_syncs ||
               now->full != then->full || now->flips != then->flips;
}

static void server_count_replica(Server *server) {
        ReplicaCounts now = replica_counts(server->replica), *then = &server->replica_seen;
        World *world = server->world;

        if (now.snapshots_made != then->snapshots_made)
                world_trace(world, server, "made a snapshot");
        if (now.snapshots_sent != then->snapshots_sent)
                world_trace(world, server, "sent a snapshot");
        if (now.snapshots_received != then->snapshots_received)
                world_trace(world, server, "received a snapshot");
        world_count(world, COUNT_SNAPSHOTS_MADE, now.snapshots_made - then->snapshots_made);
        world_count(world, COUNT_SNAPSHOTS_SENT, now.snapshots_sent - then->snapshots_sent);
        world_count(world, COUNT_SNAPSHOTS_INSTALLED, now.snapshots_received - then->snapshots_received);
        *then = now;
}

/* It has stopped itself. Only a disk that failed is a reason; then it comes back with what is safe. */
static void server_failed(Server *server) {
        World *world = server->world;
        Error error = ERROR_NONE;
        int r = replica_failure(server->replica, &error);

        if (!disk_was_bad(server)) {
                world_violate(world, "server %" PRIu64 " stopped by itself although its disk was well: %s (%d)",
                              server->id, error.text, r);
                return;
        }
        world_trace(world, server, "stopped: %s", error.text);
        world_count(world, COUNT_STOPPED_BY_DISK, 1);
        server_stop(server, random_chance(&world->chance, 1, 2));
        server_start_after(server, random_below(&world->chance, 2 * USEC_PER_SEC));
}

/* The disk lied, and the server knows nothing of it: it is started anew at once, to see whether it notices. Where nobody can
 * take its place the lie is none. */
static void server_lied_to(Server *server) {
        World *world = server->world;
        const FakeDiskCounts *now = fake_disk_counts(server->disk);

        if (!members_can_replace(world, server)) {
                fake_disk_end_lie(server->disk, true);
                return;
        }
        world_trace(world, server, "its disk has %s", now->misdirected != server->disk_seen.misdirected ? "misdirected a write" : "lost a write");
        server->damaged = true;
        server_stop(server, random_chance(&world->chance, 1, 2));
        server_start(server);
}

/* A damaged snapshot is looked for later: meanwhile it may be sent to others, and the log behind it may go. */
static bool lie_is_ripe(Server *server) {
        return !fake_disk_lie_is_in(server->disk, "snapshot-") || random_chance(&server->world->disk_chance, 1, 100);
}

static void server_work(Server *server) {
        World *world = server->world;
        bool more;

        if (fake_disk_has_lied(server->disk) && !server->damaged && lie_is_ripe(server)) {
                server_lied_to(server);
                return;
        }
        world->ledger.wall_top = max_of(world->ledger.wall_top, server_wall(server));
        replica_tick(server->replica, server_clock(server), server_wall(server));
        more = replica_run(server->replica);
        ledger_observe(world, server);
        watches_check(world, server);
        server_count_replica(server);
        if (world->failed)
                return;
        if (replica_failure(server->replica, NULL) < 0)
                server_failed(server);
        else if (replica_may_leave(server->replica))
                server_leave(server);
        else if (more)
                server_wake(server);
}

static void on_run(World *world, Timer *timer) {
        Server *server = container_of(timer, Server, run);

        (void)world;
        if (!server_defers(server, timer))
                server_work(server);
}

static void on_tick(World *world, Timer *timer) {
        Server *server = container_of(timer, Server, tick);

        if (server_defers(server, timer))
                return;
        world_schedule(world, timer, world->now + TICK);
        if (random_chance(&world->network_chance, 1, 5))
                network_dial(server);
        server_work(server);
}

void server_wake(Server *server) {
        World *world = server->world;

        if (server->replica && server->run.heap.position == HEAP_UNLINKED)
                world_schedule(world, &server->run, world->now + random_below(&world->network_chance, RUN_DELAY));
}

/* ---- beginning ---- */

static ReplicaConfig server_config(Server *server) {
        const Plan *plan = &server->world->plan;
        ReplicaConfig config = {
                .id = server->id,
                .cluster = CLUSTER,
                .tick = TICK,
                .election_ticks = ELECTION_TICKS,
                .request_timeout = plan->request_timeout,
                .snapshot_entries = plan->snapshot_entries,
                .keep_entries = plan->keep_entries,
                .segment_size = plan->segment_size,
                .message_size = plan->message_size,
                .tree = {.history_capacity = plan->history},
        };

        random_seed(&config.random, random_u64(&server->world->chance));
        return config;
}

/* What a server has told others is on its disk: the paper, section 3.8. */
static void check_promise(Server *server) {
        const Promise *promise = &server->promise;
        RaftHardState state = server->replica->storage.hard_state;
        uint64_t last = raft_last_index(replica_raft(server->replica));

        if (state.term < promise->term || state.term < promise->append_term)
                world_violate(server->world,
                              "server %" PRIu64 " has acted in term %" PRIu64
                              ", but after a restart knows only of term %" PRIu64,
                              server->id, max_of(promise->term, promise->append_term), state.term);
        else if (state.term == promise->term && state.vote != promise->vote)
                world_violate(server->world,
                              "server %" PRIu64 " voted for %" PRIu64 " in term %" PRIu64
                              ", but after a restart for %" PRIu64,
                              server->id, promise->vote, promise->term, state.vote);
        else if (state.term == promise->append_term && last < promise->append_index)
                world_violate(server->world,
                              "server %" PRIu64 " acknowledged entry %" PRIu64 " in term %" PRIu64
                              ", but after a restart its log ends at %" PRIu64,
                              server->id, promise->append_index, promise->append_term, last);
}

static void server_start(Server *server) {
        World *world = server->world;
        ReplicaConfig config = server_config(server);
        FakeDiskFaults *faults = fake_disk_faults(server->disk);
        Error error = ERROR_NONE;
        int r = 0;

        faults->read_flips_bit = 0; /* damage at rest is refused with a message: that is not what is tried here */
        server->disk_begun = *fake_disk_counts(server->disk);
        if (server->joins && !server->begun) {
                r = log_exists(server->disk); /* an earlier attempt may have failed after all was written */
                if (r == 0)
                        r = replica_join(server->disk, &config, &error);
        }
        server->begun = server->begun || r >= 0;
        if (r >= 0)
                r = replica_open(&config, server->disk, &server_ops, server, &server->replica, &error);
        faults->read_flips_bit = world->healed ? 0 : world->plan.flips;
        if (server->damaged) {
                server->damaged = false;
                world_count(world, r < 0 ? COUNT_DAMAGE_REFUSED : COUNT_DAMAGE_HARMLESS, 1);
                if (r == -EBADMSG && fake_disk_lie_is_in(server->disk, "snapshot-"))
                        world_violate(world,
                                      "server %" PRIu64 " does not start for one damaged snapshot, although the one before it "
                                      "and the log would do: %s",
                                      server->id, error.text);
                if (r == -EBADMSG) {
                        world_trace(world, server, "refuses to start: %s", error.text);
                        fake_disk_end_lie(server->disk, true);
                        members_replace(world, server);
                        return;
                }
                fake_disk_end_lie(server->disk, false);
        }
        if (r < 0 && !disk_was_bad(server)) {
                world_violate(world, "server %" PRIu64 " cannot start although its disk is well: %s (%d)", server->id,
                              error.text, r);
                return;
        }
        if (r < 0) {
                world_trace(world, server, "cannot start: %s", error.text);
                server_start_after(server, RESTART_RETRY);
                return;
        }
        server->life++;
        server->replica_seen = (ReplicaCounts){0};
        server->view = (ServerView){0};
        world_trace(world, server, "starts: snapshot %" PRIu64 ", %zu entries, term %" PRIu64,
                    replica_recovery(server->replica)->snapshot_index, replica_recovery(server->replica)->entries,
                    server->replica->storage.hard_state.term);
        check_promise(server);
        world_schedule(world, &server->tick, world->now + random_below(&world->chance, TICK));
        server_wake(server);
}

static void on_start(World *world, Timer *timer) {
        Server *server = container_of(timer, Server, start);

        if (server->replica || server->gone || server->waits)
                return;
        world_count(world, COUNT_RESTARTS, 1);
        server_start(server);
}

void server_start_after(Server *server, Usec delay) {
        world_schedule(server->world, &server->start, server->world->now + delay);
}

void server_begin(Server *server) {
        static const char attributes[] = "{\"peerURLs\":[\"http://10.0.0.1:2380\"]}";
        ReplicaMember members[FOUNDERS_MAX];
        ReplicaConfig config = server_config(server);
        Error error = ERROR_NONE;
        size_t count = server->world->plan.servers;

        for (size_t i = 0; i < count; i++)
                members[i] = (ReplicaMember){server->world->servers[i].id, attributes};
        if (replica_bootstrap(server->disk, &config, members, count, &error) < 0)
                world_violate(server->world, "server %" PRIu64 " cannot begin: %s", server->id, error.text);
        else
                server_start(server);
}

/* ---- the end ---- */

static uint64_t grown(uint64_t now, uint64_t then) {
        return now - then;
}

void server_count_disk(Server *server) {
        const FakeDiskCounts *now = fake_disk_counts(server->disk), *then = &server->disk_seen;
        World *world = server->world;

        world_count(world, COUNT_TORN_SECTORS, grown(now->torn, then->torn));
        world_count(world, COUNT_NAMES_LOST, grown(now->lost_names, then->lost_names));
        world_count(world, COUNT_FAILED_WRITES, grown(now->failed_writes, then->failed_writes));
        world_count(world, COUNT_FAILED_SYNCS, grown(now->failed_syncs, then->failed_syncs));
        world_count(world, COUNT_FLIPPED_BITS, grown(now->flips, then->flips));
        world_count(world, COUNT_FULL_DISK, grown(now->full, then->full));
        world_count(world, COUNT_LOST_WRITES, grown(now->lies, then->lies) - grown(now->misdirected, then->misdirected));
        world_count(world, COUNT_MISDIRECTED_WRITES, grown(now->misdirected, then->misdirected));
        server->disk_seen = *now;
}

void server_stop(Server *server, bool power) {
        World *world = server->world;

        if (!server->replica)
                return;
        world_trace(world, server, power ? "loses power" : "is killed");
        world_count(world, power ? COUNT_POWER_LOSSES : COUNT_KILLS, 1);
        world_cancel(world, &server->tick);
        world_cancel(world, &server->run);
        world_cancel(world, &server->crash);
        server->armed = MOMENT_NONE;
        server->paused_until = 0;
        jobs_crash(server);
        if (!server->damaged)
                fake_disk_end_lie(server->disk, true);
        watches_leave(world, server);
        server->replica = replica_free(server->replica, true);
        if (power)
                fake_disk_crash(server->disk);
}

void server_leave(Server *server) {
        World *world = server->world;

        if (server->gone)
                return;
        if (server->replica) {
                world_trace(world, server, "was removed and leaves");
                world_count(world, COUNT_MEMBERS_LEFT, 1);
                server_stop(server, false);
        }
        world_cancel(world, &server->start);
        server->gone = true;
        world->present--;
}

static void on_crash(World *world, Timer *timer) {
        Server *server = container_of(timer, Server, crash);
        Usec delay = random_chance(&world->chance, 2, 3) ? random_below(&world->chance, 40 * USEC_PER_MSEC)
                                                         : random_below(&world->chance, 4 * USEC_PER_SEC);

        if (!server->replica)
                return;
        server_stop(server, random_chance(&world->chance, 3, 4));
        server_start_after(server, delay);
}

void server_pass_moment(Server *server, Moment moment) {
        if (server->armed != moment || server->armed_count-- > 0 || !server->replica)
                return;
        server->armed = MOMENT_NONE;
        world_schedule(server->world, &server->crash, server->world->now);
}

Server *server_add(World *world) {
        Server *server = &world->servers[world->length];
        Random random;

        world->length++;
        world->present++;
        *server = (Server){
                .world = world,
                .id = world->length,
                .tick = TIMER_INIT(on_tick),
                .run = TIMER_INIT(on_run),
                .start = TIMER_INIT(on_start),
                .crash = TIMER_INIT(on_crash),
                .clock_origin = random_below(&world->chance, 1000 * USEC_PER_SEC),
                .drift = (int64_t)random_below(&world->chance, 2 * DRIFT_MAX) - DRIFT_MAX,
                .wall_error =
                        (WallUsec)random_below(&world->chance, 400 * USEC_PER_MSEC) - 200 * (WallUsec)USEC_PER_MSEC,
        };
        list_init(&server->jobs);
        random_seed(&random, random_u64(&world->disk_chance));
        server->disk = fake_disk_new(&random);
        if (!server->disk)
                abort();
        return server;
}

void server_deinit(Server *server) {
        server_stop(server, false);
        server->disk = fake_disk_free(server->disk);
}
