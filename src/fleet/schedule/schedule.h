#pragma once
/*
 * Where a unit may run, and why not elsewhere. Pure: answers depend on the picture alone.
 *
 * schedule_decide() reads the picture's counters and is meant for the engine; schedule_explain() looks at every unit on
 * every machine by name and tells all reasons, for people. The two are written apart and must agree.
 */
#include "fleet/schedule/picture.h"

/* What keeps a unit off a machine, in the order in which they are told. */
typedef enum ObstacleKind {
        OBSTACLE_GONE,     /* the machine is not in the cluster */
        OBSTACLE_MACHINE,  /* MachineID= names another one */
        OBSTACLE_METADATA, /* MachineMetadata= does not admit it */
        OBSTACLE_CORDONED, /* people keep new units off it */
        OBSTACLE_FAILED,   /* the unit has failed there lately */
        OBSTACLE_PEER,     /* a unit of MachineOf= is not there */
        OBSTACLE_CONFLICT, /* a unit there conflicts, either way */
        OBSTACLE_REPLACED, /* a unit there replaces this one */
        OBSTACLE_MEMORY,   /* too little is left there */
        OBSTACLE_CPU,
        OBSTACLE_KINDS,
} ObstacleKind;

/* Of all machines that were refused: how many for this reason first, and one of them. */
typedef struct Refusal {
        size_t count;
        const PictureMachine *example;
} Refusal;

typedef struct Decision {
        PictureMachine *machine; /* NULL: none may run it */
        size_t machines;         /* how many there are */
        size_t eligible;         /* how many may run it */
        size_t load;             /* units on the chosen machine, without this one */
        size_t avoided;          /* units there that it avoids */
        size_t spread;           /* others of its group on machines of the same value; SPREAD_NO_VALUE: it has none */
        bool quick;              /* the others were not looked at */
        const char *spreads;     /* the key of Spread=, borrowed from the unit; NULL without */
        Refusal refusals[OBSTACLE_KINDS];
} Decision;

#define SPREAD_NO_VALUE SIZE_MAX

/* Of the machines that may run the unit: those with the fewest units that it avoids, of these those whose value of Spread=
 * has the fewest of its group, then the one with the fewest units, then with the least ID. Where the unit is now does not
 * count. For units that are not global; the desired state is not looked at. */
Decision schedule_decide(const Picture *picture, const PictureUnit *unit);

/* The same choice for one that is placed nowhere, without looking at every machine: by the picture's index. Tells of no
 * refusals, and how many machines admit the unit as `eligible`. Is schedule_decide() in small clusters, and for units that
 * wish for something. */
Decision schedule_decide_quickly(Picture *picture, const PictureUnit *unit);

/* Clusters of fewer machines are looked through whole, for the sake of better reasons. */
#define SCHEDULE_QUICK_MACHINES 64

/* Whether the unit may be on a machine, leaving itself aside. Otherwise ret_kind (may be NULL) gets the first obstacle. */
bool schedule_is_able(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine,
                      ObstacleKind *ret_kind);

/* Whether the unit may stay where it is: a cordon, its own failures, and too much that was promised of the machine's
 * memory or CPUs keep others out, but drive nobody away. */
bool schedule_may_stay(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine,
                       ObstacleKind *ret_kind);

/* Whether MachineOf= binds the unit to the other one, also by way of others. */
bool schedule_must_join(const Picture *picture, const PictureUnit *unit, const PictureUnit *other);

/* Whether `by` makes the unit leave a machine. Not if that one replaces it in turn, itself or by way of others (fleet has it
 * so of two: it is so of any ring), or if `by` must join it: they would drive each other away without end. */
bool schedule_replaces(const Picture *picture, const PictureUnit *by, const PictureUnit *unit);

/* Units on such a way; what lies behind more of them is not seen. */
#define SCHEDULE_CHAIN_MAX 128

/* Whether the wishes of the unit, Avoids= and Spread=, are met on a machine at least as well as on another. */
bool schedule_is_no_worse(const PictureUnit *unit, const PictureMachine *here, const PictureMachine *there);

/* What is left of a machine's memory and CPUs for the unit, leaving itself aside. */
uint64_t schedule_memory_left(const PictureUnit *unit, const PictureMachine *machine);
uint64_t schedule_cpu_left(const PictureUnit *unit, const PictureMachine *machine);

/* A decision in one line, such as "least loaded of 3 machines (2 units)" or "no machine may run it: 2 conflict (m1)". */
int schedule_describe(const Decision *decision, Buffer *to);

/* Full explanations */

typedef struct Obstacle {
        ObstacleKind kind;
        char *subject; /* the unit, or the metadata key, that it is about; "" for the machine itself */
        char *text;    /* why */
        char *remedy;  /* what would have to change */
} Obstacle;

typedef struct MachineVerdict {
        const PictureMachine *machine;
        Obstacle *obstacles; /* none: it may run there, or for a global unit: it does */
        size_t n_obstacles, capacity_obstacles;
} MachineVerdict;

typedef struct Explanation {
        char *summary; /* about the unit itself: where it is, or why it is nowhere */
        MachineVerdict *machines; /* by ID */
        size_t n_machines;
} Explanation;

void explanation_deinit(Explanation *explanation);
#define _cleanup_explanation_ _cleanup_(explanation_deinit)

/* All machines, with all reasons. Borrows machines of the picture: valid until its next change. -ENOMEM. */
int schedule_explain(const Picture *picture, const PictureUnit *unit, Explanation *ret);

/* Whether a global unit runs on a machine; if not, all reasons. For the agent of that machine. -ENOMEM. */
int schedule_explain_global(const PictureUnit *unit, const PictureMachine *machine, MachineVerdict *ret);
void machine_verdict_deinit(MachineVerdict *verdict);

/* One pass of the engine */

typedef enum PlanKind {
        PLAN_UNSCHEDULE,
        PLAN_SCHEDULE,
        PLAN_HAND_OVER, /* placed on machine_id, and still running on `from` until that is taken away */
} PlanKind;

typedef struct PlanStep {
        PlanKind kind;
        char *unit;
        char *machine_id;
        char *reason;
        char *from; /* of PLAN_HAND_OVER; else NULL */
} PlanStep;

typedef struct Plan {
        PlanStep *steps; /* to be carried out in this order */
        size_t length, capacity;
        StringList waiting; /* wanted units that no machine may run, by age; schedule_decide() tells why */
} Plan;

void plan_deinit(Plan *plan);
#define _cleanup_plan_ _cleanup_(plan_deinit)

/* Takes the reason, which may be NULL for want of memory. -ENOMEM. */
int plan_add_step(Plan *plan, PlanKind kind, const PictureUnit *unit, const PictureMachine *machine, char *reason);

/*
 * Takes away what is not wanted, what is on a machine that is gone, and what may not be where it is (the youngest first,
 * so that of two that conflict the older stays); then places, the oldest first. A unit that follows another by MachineOf=
 * is looked at again when that one moves. A unit that another one replaces leaves the machine when that one comes. At last
 * units leave machines that they have failed on (picture_set_bans()), if there is another for them.
 *
 * Of a unit that moves, the machine that it comes from is taken away here only when it is gone, and the one it goes to when
 * that one cannot have it: the unit stays then where it was.
 *
 * The picture is changed as if all steps had succeeded: when one cannot be carried out, the caller puts the target back
 * with picture_set_target(). -ENOMEM: the plan holds the steps that the picture has seen so far.
 */
int schedule_plan(Picture *picture, Plan *ret);
