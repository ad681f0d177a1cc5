#pragma once
/*
 * One simulated cluster: whole store servers on virtual time. The world owns everything; each part has a file of its
 * own: server.c (life and death of a server, its clocks), network.c, jobs.c (the disk's speed), faults.c, client.c, and
 * the checkers. All chance comes from the seed, so that a seed replays exactly.
 */
#include "base/heap.h"
#include "base/list.h"
#include "base/random.h"
#include "checker-linear.h"
#include "checker-tree.h"
#include "counts.h"
#include "store/log/fake-disk.h"
#include "store/replica/replica.h"

/* Servers that a run has seen, and voters it has at a time. */
enum { SERVERS_MAX = 16, FOUNDERS_MAX = 5, VOTERS_MOST = 7, CLIENTS_MAX = 8, WATCHES_MAX = 6, VIOLATION_MAX = 1024 };

typedef struct World World;
typedef struct Server Server;
typedef struct Client Client;
typedef struct Watch Watch;

/* Something that happens at a point of virtual time; embedded in what it happens to. */
typedef struct Timer Timer;
struct Timer {
        HeapNode heap;
        void (*fire)(World *world, Timer *timer);
};

#define TIMER_INIT(function) ((Timer){.heap = HEAP_NODE_INIT, .fire = (function)})

/* What the seed decides before anything runs. */
typedef struct Plan {
        size_t servers, clients, watches; /* servers: founders */
        uint32_t registers;   /* keys that clients compete for */
        Usec faulty;          /* faults come for so long, then all is healed */
        Usec fault_interval;  /* mean time between faults */
        uint32_t fault_kinds; /* a bit for each FaultKind that may come */
        Usec request_timeout;
        uint64_t snapshot_entries, keep_entries, segment_size, message_size;
        size_t history;             /* events that a tree keeps */
        Usec think;                 /* mean pause of a client between two operations */
        Usec delay;                 /* least of a message */
        Usec jitter;                /* mean of what comes on top */
        uint32_t loss, twice, late; /* chances of a message, out of a million */
        Usec disk;                  /* mean time of a disk job */
        uint32_t flips;             /* FakeDiskFaults.read_flips_bit while servers run */
} Plan;

typedef struct Link {
        uint64_t sent, delivered; /* numbers of the last messages */
        bool cut;
} Link;

/* What a server told others, and must still know after a crash. */
typedef struct Promise {
        uint64_t term, vote;                /* granted */
        uint64_t append_term, append_index; /* acknowledged to the leader of that term */
} Promise;

/* Where an armed crash strikes: between two steps that must not be torn apart. */
typedef enum Moment {
        MOMENT_NONE,
        MOMENT_JOB_BEGUN,
        MOMENT_JOB_DONE, /* the disk has done it, the server does not know yet */
        MOMENT_JOB_REPORTED,
        MOMENT_VOTED,
        MOMENT_APPENDED, /* an append was acknowledged */
        MOMENT_BULK,     /* a piece of a snapshot was sent, or answered */
        MOMENT_ELECTED,
        MOMENT_KINDS,
} Moment;

struct Server {
        World *world;
        uint64_t id;
        Disk *disk;
        Replica *replica; /* NULL: down */
        unsigned life;
        Timer tick, run, start, crash;
        Usec paused_until;
        List jobs;
        Usec clock_origin;         /* of its monotonic clock */
        int64_t drift;             /* of its rate, out of a million */
        WallUsec wall_error;       /* of its wall clock */
        Usec disk_delay;           /* extra, while its disk is slow */
        FakeDiskCounts disk_seen;  /* counted already */
        FakeDiskCounts disk_begun; /* as this life began */
        Moment armed;
        unsigned armed_count;
        Promise promise;
        bool joins, begun; /* it joined later; its log was made */
        bool waits;        /* to be added */
        bool removed;      /* and whoever did it knows */
        bool lost;         /* its disk, for ever */
        bool gone;         /* for ever */
        bool damaged;      /* its disk has lost a write, or put it in another's place */
        ReplicaCounts replica_seen;
        ServerView view;
};

typedef enum AdminStep {
        ADMIN_IDLE,
        ADMIN_ADD,
        ADMIN_REMOVE,
        ADMIN_UPDATE,
} AdminStep;

/* Who changes the membership: one thing at a time. */
typedef struct Admin {
        World *world;
        Timer timer;
        AdminStep step;
        Server *target;
        bool under_way;
} Admin;

/* A write at one server: for the end of a run, when every server must work. */
typedef struct Probe {
        bool under_way, done;
        uint64_t attempts;
} Probe;

struct World {
        uint64_t seed;
        Plan plan;
        Usec now;
        uint64_t sequence; /* of all that happens */
        uint64_t tie;
        Heap timers;
        Random chance; /* of the plan, the servers and the faults */
        Random network_chance, disk_chance, client_chance;
        bool trace, failed, healed, ending;
        char violation[VIOLATION_MAX];
        Server servers[SERVERS_MAX]; /* server with id n is n - 1 */
        size_t length, present;      /* servers so far; those that are not gone */
        Admin admin;
        Probe probes[SERVERS_MAX];
        Link links[SERVERS_MAX][SERVERS_MAX];
        Client *clients[CLIENTS_MAX];
        Watch *watches[WATCHES_MAX];
        Timer fault;
        unsigned storm;   /* that many leaders to come are cut off shortly after their election … */
        Server *cut_next; /* … by `storm_cut` */
        Timer storm_cut;
        List recoveries; /* faults that end later */
        uint32_t loss;   /* at present */
        Usec jitter;
        List parcels;
        Ledger ledger;
        Linear linear;
        uint64_t next_value; /* that a client writes: no two alike */
        uint64_t counts[COUNT_KINDS];
        uint64_t digest; /* of all that happened */
};

#define WORLD_WALL_START ((WallUsec)1767225600 * 1000000)

/* Runs one seed to its end. */
void world_run(World *world, uint64_t seed, bool trace);

void world_schedule(World *world, Timer *timer, Usec at);
void world_cancel(World *world, Timer *timer);

/* The first one ends the run. */
void world_violate(World *world, const char *format, ...) _printf_(2, 3);

/* A line of --trace; `server` may be NULL. */
void world_trace(World *world, const Server *server, const char *format, ...) _printf_(3, 4);

static inline void world_count(World *world, Count count, uint64_t n) {
        world->counts[count] += n;
}

/* A length of time, mostly near the mean, sometimes much longer. */
Usec world_draw_time(Random *random, Usec mean);
WallUsec world_wall(const World *world);

/* ---- server.c ---- */
Server *server_add(World *world); /* the next, not begun yet */
void server_deinit(Server *server);
void server_begin(Server *server);            /* the first start */
void server_wake(Server *server);             /* there is input: it runs soon */
void server_stop(Server *server, bool power); /* at once, in the midst of everything */
void server_start_after(Server *server, Usec delay);
void server_leave(Server *server); /* for ever */
void server_count_disk(Server *server);
bool server_leads(const Server *server);
WallUsec server_wall(const Server *server);

/* A moment has come at which a crash may be armed. */
void server_pass_moment(Server *server, Moment moment);

/* True when the server is paused: the timer then fires again when it goes on. */
bool server_defers(Server *server, Timer *timer);

/* ---- network.c ---- */
void network_send(Server *from, uint64_t to, bool bulk, Slice frame);
void network_deinit(World *world);

/* The server tries its connections to the others: those that have removed it say so. */
void network_dial(Server *server);

/* ---- jobs.c ---- */
void jobs_run(Server *server, DiskJob *job);

/* Ends those under way as a crash does: done, done in part, or not at all. */
void jobs_crash(Server *server);

/* ---- members.c ---- */
void members_init(World *world);
void members_end(World *world); /* all is healed */
void members_add(World *world);
void members_remove(World *world, Server *target);
bool members_can_replace(World *world, const Server *target);
void members_replace(World *world, Server *target);
void members_update(World *world, Server *target);
Server *world_draw_server(World *world, Random *random);
bool server_is_member(const Server *server, const RaftConfState *state);
uint64_t configuration_digest(const RaftConfState *state);
void members_observe(World *world, Server *server);        /* whenever the server has worked */
void check_members_of_tree(World *world, Server *server);

/* ---- faults.c ---- */
void faults_init(World *world);
void faults_heal(World *world); /* all of them, for good */
void faults_elected(Server *leader);
void faults_deinit(World *world);
uint32_t faults_draw_kinds(Random *random);
