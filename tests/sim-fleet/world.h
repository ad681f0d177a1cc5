#pragma once
/*
 * One simulated fleet: whole daemons (presence, registry, engine, agent) on virtual time, each with a supervisor in memory,
 * and one store in memory for all. The world owns everything; each part has a file of its own: link.c (the way to the store),
 * machine.c (a daemon's life), units.c (texts of units), people.c (orders), faults.c, watch.c (what must hold at every moment)
 * and end.c (what must hold when the faults are over). All chance comes from the seed, so that a seed replays exactly.
 */
#include "base/heap.h"
#include "base/list.h"
#include "base/random.h"
#include "fleet/agent/agent.h"
#include "fleet/cluster.h"
#include "fleet/engine.h"
#include "fleet/presence.h"
#include "host/fake-supervisor.h"
#include "storeclient/fake/fake-storeclient.h"

enum {
        MACHINES_MAX = 7,
        UNITS_MAX = 16,
        SPECS_MAX = 512,
        PEOPLE = 2,
        NOBODY = -1, /* no machine */
        VIOLATION_MAX = 1024,
        STORY_LINES = 60, /* told with a violation */
        STORY_LINE_MAX = 240,
        REPLIES_LOST_MAX = 100000, /* a million: all */
};

#define WORLD_BEGIN (1000 * USEC_PER_SEC)
/* How long a reason for what an engine or agent does may lie back: watches and writes take their time. */
#define REASON_AGE (30 * USEC_PER_SEC)

typedef struct World World;
typedef struct Machine Machine;

/* Something that happens at a point of virtual time; embedded in what it happens to. */
typedef struct Timer Timer;
struct Timer {
        HeapNode heap;
        void (*fire)(World *world, Timer *timer);
};

#define TIMER_INIT(function) ((Timer){.heap = HEAP_NODE_INIT, .fire = (function)})

typedef enum Count {
        COUNT_EVENTS,
        COUNT_ORDERS,
        COUNT_PLACEMENTS,
        COUNT_HAND_OVERS,
        COUNT_STARTS,
        COUNT_STOPS,
        COUNT_UNIT_ENDS,
        COUNT_LEADERS,
        COUNT_DAEMON_CRASHES,
        COUNT_POWER_LOSSES,
        COUNT_LEAVES,
        COUNT_CUTS,
        COUNT_STORE_OUTAGES,
        COUNT_REQUESTS_LOST,
        COUNT_REPLIES_LOST,
        COUNT_HISTORIES_CLEARED,
        COUNT_SCRIPTS,
        COUNT_DOUBLES,
        COUNT_KINDS,
} Count;

const char *count_name(Count count);

/* What a text of a unit asks for, as the simulation knows it without having to read it. */
typedef struct Spec {
        char hash[UNIT_HASH_HEX_SIZE];
        char *text;
        uint32_t conflicts, replaces, peers; /* bits by unit */
        bool global, stop, no_overlap;
        unsigned move_after;
        int machine; /* of MachineID=, or NOBODY */
        char zone;   /* of MachineMetadata=, or 0 */
} Spec;

/* What the seed decides before anything runs. */
typedef struct FleetPlan {
        size_t machines, units;
        Usec ttl, margin;
        Usec faulty;         /* faults come for so long, then all is healed */
        Usec fault_interval; /* mean time between faults */
        uint32_t fault_kinds;
        Usec think;          /* mean pause of a person between two orders */
        Usec busy;           /* people give orders for so long */
        bool loses_machine;  /* one never comes back */
        Usec delay;          /* mean of a request's or reply's way */
        uint32_t loss;       /* of requests and of replies, out of a million */
        size_t history;      /* events that the store keeps */
        Usec start, stop;    /* most that a unit takes */
} FleetPlan;

/* A way to the store. */
typedef struct Link {
        StoreClient base; /* first */
        World *world;
        Machine *machine; /* NULL: people */
        List calls;
        bool cut;
        Usec slow;        /* on top of the plan's delay */
} Link;

struct Machine {
        World *world;
        int index;
        char id[33], address[24], instance[16];
        MachineRecord record;
        MetadataPair zone;
        int64_t pace;     /* of its clock, in millionths off the store's */
        bool up;          /* has power */
        bool alive;       /* its daemon runs */
        bool lost;        /* for ever */
        bool leaving;     /* and is about to end */
        bool partitioned; /* as FleetServer's */
        bool awake, turning;
        Link link;
        Registry *registry;
        Cluster cluster;
        Engine *engine;
        Agent *agent;
        Presence *presence;
        FakeSupervisor *fake;
        Timer retry, run, units, start, leave, mend;
        void (*retry_expired)(void *registry);
        void *retry_data;
        uint64_t turns, all_turns;
        Usec troubled;    /* when something was last wrong with it, now if it is */
        Usec blind;       /* a daemon has ended; what it knew is known again since then. USEC_INFINITY: not yet */
        const Spec *loaded[UNITS_MAX]; /* the text that the supervisor got last */
        bool running[UNITS_MAX];       /* a process of it may be there */
        Usec failed[UNITS_MAX];        /* when it last failed here */
        Usec unwanted[UNITS_MAX];      /* when the store last said that it is not to run here */
        Usec banned[UNITS_MAX];        /* since when the unit is kept off; 0: it is not */
        Usec at_fault;                 /* when something was last wrong with the machine itself, and not with the store */
        uint64_t turns_seen;
        Usec absent;                   /* when the store last did not know the machine */
        Usec drained;
        Usec rezoned;
        Usec held[UNITS_MAX];          /* when the unit was last placed here */
        Usec left[UNITS_MAX];          /* when its placement went: to be judged a little later; 0: it did not */
        Usec conflict;                 /* since when two that conflict run here; 0: they do not */
};

typedef struct Unit {
        char name[24];
        int place;        /* as the store has it; NOBODY */
        uint32_t placed;  /* bits by machine: all its placements */
        char hash[UNIT_HASH_HEX_SIZE];
        UnitState desired;
        Usec moved;       /* when its placements last changed */
        bool hands_over;
        Usec handed_over; /* when it last had two places */
        Usec ordered;     /* when a move of it was last asked for */
        Usec changed;     /* its text, or what is wanted of it */
        Usec doubled;     /* since when it runs on two machines without excuse; 0: it does not */
        Usec moved_from[MACHINES_MAX]; /* when it was last taken away from a machine that was present */
} Unit;

typedef enum OrderKind {
        ORDER_START,
        ORDER_LOAD,
        ORDER_SUBMIT,
        ORDER_UNLOAD,
        ORDER_REPLACE,
        ORDER_DESTROY,
        ORDER_UPDATE, /* of a global unit: another wording, on some machines first */
        ORDER_CORDON,
        ORDER_DRAIN,
        ORDER_UNCORDON,
        ORDER_REBALANCE,
        ORDER_METADATA,
        ORDER_KINDS,
} OrderKind;

/* Somebody who gives one order after the other. */
typedef struct Person {
        World *world;
        Timer timer;
        OrderKind kind;
        size_t unit, machine;
        const Spec *spec;
        const Spec *before; /* of ORDER_UPDATE: what it had */
        uint32_t updated;   /* machines that get it first */
        bool back, lost;    /* it is taken back; whoever makes it ends in the middle */
        UnitState desired;
        unsigned step, tries;
        bool busy; /* with an order */
        char zone[2];
} Person;

typedef enum StoreState {
        STORE_WELL,
        STORE_REFUSES,   /* no leader: it says so */
        STORE_GONE,      /* nobody listens */
        STORE_IS_SILENT, /* requests run into their time-outs */
} StoreState;

struct World {
        uint64_t seed;
        FleetPlan plan;
        Usec now;
        uint64_t tie;
        Heap timers;
        Random chance, link_chance, people_chance;
        bool verbose, failed, healed, over;
        char violation[VIOLATION_MAX];
        char story[STORY_LINES][STORY_LINE_MAX];
        size_t told;
        FakeStore *store;
        Usec store_time; /* what the store's clock was last set to */
        StoreState store_state;
        Usec store_troubled;
        Timer store_tick, store_mend;
        Registry *seen; /* what the store has, without any delay */
        Cluster cluster;
        Machine machines[MACHINES_MAX];
        Unit units[UNITS_MAX];
        Spec specs[SPECS_MAX];
        size_t n_specs;
        Link people_link;
        Registry *people_registry;
        Person people[PEOPLE];
        Timer fault, look;
        uint64_t writes, turns; /* that reached the store; of all daemons */
        char leader[33];
        uint64_t counts[COUNT_KINDS];
        uint64_t digest;
};

/* Runs one seed to its end. */
void world_run(World *world, uint64_t seed, bool verbose);

void world_schedule(World *world, Timer *timer, Usec at);
void world_cancel(World *world, Timer *timer);

/* The first one ends the run. */
void world_violate(World *world, const char *format, ...) _printf_(2, 3);

/* A line of the story; `machine` may be NULL. */
void world_tell(World *world, const Machine *machine, const char *format, ...) _printf_(3, 4);

static inline void world_count(World *world, Count count) {
        world->counts[count]++;
}

/* A length of time: mostly near the mean, sometimes much longer. */
Usec world_draw_time(Random *random, Usec mean);
int world_unit(const World *world, const char *name);  /* NOBODY: none of ours */
int world_machine(const World *world, const char *id); /* likewise */

/* ---- link.c ---- */
void link_init(Link *link, World *world, Machine *machine);
void link_set_cut(Link *link, bool cut);
void link_shake(Link *link); /* connections break */
/* Who sent requests is gone: what is under way may still be carried out, and nobody hears of it. */
void link_abandon(Link *link);
void link_deinit(Link *link);
/* The store does what has come to it; its clock is set. */
void store_run(World *world);

/* ---- machine.c ---- */
void machine_init(Machine *machine, World *world, int index);
void machine_deinit(Machine *machine);
void machine_power_on(Machine *machine);
void machine_power_off(Machine *machine);
void machine_crash(Machine *machine); /* the daemon alone */
void machine_leave(Machine *machine); /* the daemon ends in order, and takes its units with it */
void machine_start_daemon(Machine *machine);
void machine_turn(Machine *machine);
Usec machine_clock(const Machine *machine);
/* Whether something is wrong with it, or was until a moment ago. */
bool machine_is_troubled(const Machine *machine, Usec since);

/* ---- units.c ---- */
const Spec *spec_draw(World *world, Random *random, size_t unit);

/* Another text that asks for the same. */
const Spec *spec_reword(World *world, const Spec *spec);
const Spec *spec_find(const World *world, const char *hash); /* NULL: none */
void specs_deinit(World *world);
bool specs_conflict(const Spec *a, size_t a_unit, const Spec *b, size_t b_unit);

/* ---- people.c ---- */
void people_init(World *world);
bool people_rest(const World *world); /* nobody is busy */
void people_end(World *world);

/* ---- faults.c ---- */
void faults_init(World *world);
void faults_heal(World *world); /* all of them, for good */
uint32_t faults_draw_kinds(Random *random);
uint32_t faults_draw_one_sort(Random *random);

/* ---- watch.c: at every moment ---- */
extern const RegistryEvents watch_events; /* of world->seen */
void watch_init(World *world); /* begins to look around every second */
void watch_unit_changed(Machine *machine, size_t unit, const SupervisorState *state);
void watch_leaders(Machine *machine); /* it has had a turn */
void watch_stop(Machine *machine, size_t unit); /* the agent stops it, or takes it away */
const Spec *watch_spec(const World *world, size_t unit); /* of the text that the store has; NULL */
const Spec *watch_spec_on(const World *world, const Machine *machine, const RegistryUnit *known); /* of the one for that machine */
bool watch_wants(World *world, const Machine *machine, size_t unit);

/* ---- end.c ---- */
/* Whether all is as it must be at last; otherwise `ret` says what is not. */
bool end_is_reached(World *world, char *ret, size_t size);
