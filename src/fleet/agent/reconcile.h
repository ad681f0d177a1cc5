#pragma once
/*
 * What an agent has to do: the difference between the units that should be on its machine and those that are. Pure.
 *
 * No task waits for one of another unit: when one fails, only tasks of the same unit that build on it are void
 * (ReconcileTask.after), and the next reconcile tries again.
 */
#include "fleet/unit/unit.h"

typedef enum TaskKind {
        TASK_UNLOAD, /* stop it and take its file away */
        TASK_LOAD,   /* give its file to the supervisor */
        TASK_RELOAD, /* the supervisor reads its files anew: one for all units, when anything was loaded or unloaded */
        TASK_STOP,
        TASK_START,
        TASK_NONE,   /* in ReconcileCurrent.in_flight: nothing */
} TaskKind;

typedef enum ActiveState {
        ACTIVE_INACTIVE,
        ACTIVE_ACTIVATING,
        ACTIVE_ACTIVE,
        ACTIVE_RELOADING,
        ACTIVE_DEACTIVATING,
        ACTIVE_FAILED,
} ActiveState;

/* A unit that is to be here: placed here by the engine, or global and running here. Borrows the name. */
typedef struct ReconcileDesired {
        const char *name;
        UnitHash hash;
        UnitState state;
} ReconcileDesired;

/* A unit that the supervisor has from us. Borrows the name. */
typedef struct ReconcileCurrent {
        const char *name;
        UnitHash hash;      /* of the file it was loaded from */
        ActiveState active;
        bool start_asked;   /* it has been started since it was loaded or stopped: one that ended or failed since is the
                             * supervisor's to restart, not ours */
        TaskKind in_flight; /* a task whose end has not been reported */
} ReconcileCurrent;

#define RECONCILE_INDEPENDENT SIZE_MAX

typedef struct ReconcileTask {
        TaskKind kind;
        const char *unit;   /* borrowed from desired or current; NULL for TASK_RELOAD */
        const char *reason; /* a constant text */
        size_t after;       /* index of the task without whose success this one is void, or RECONCILE_INDEPENDENT */
} ReconcileTask;

typedef struct ReconcilePlan {
        ReconcileTask *tasks; /* all unloads, loads, one reload, stops, starts; by name within a kind */
        size_t length, capacity;
} ReconcilePlan;

void reconcile_plan_deinit(ReconcilePlan *plan);
#define _cleanup_reconcile_plan_ _cleanup_(reconcile_plan_deinit)

/*
 * Works out the tasks. The lists may be in any order; each name stands at most once in each. -ENOMEM.
 *
 *   not desired, or desired inactive     unload
 *   not loaded                           load, and start if launched is desired
 *   loaded from another text             unload, load, and start if launched is desired
 *   launched desired, not started        start
 *   loaded desired, started              stop
 *
 * A task in flight is not given twice. While a unit is being loaded, unloaded or stopped it gets no other task: the
 * report of the end brings the next reconcile. A start in flight may be cut short by a stop or an unload.
 */
int reconcile(const ReconcileDesired *desired, size_t n_desired, const ReconcileCurrent *current, size_t n_current,
              ReconcilePlan *ret);

/*
 * A timer, socket or path unit is started only after its service is loaded, if that one is to be here; services are started
 * before all else. Whether `starter` ("x.timer") starts `service` ("x.service"): by their names.
 */
bool reconcile_is_started_by(const char *starter, const char *service);

const char *task_kind_to_string(TaskKind kind);
