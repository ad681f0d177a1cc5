#pragma once
/*
 * One local machine: its disk, and while it is powered on its first process, in namespaces and control groups of its
 * own. The power's moves are a table in machine.c.
 */
#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "machine/groups.h"
#include "machine/plan.h"

typedef enum MachinePower {
        MACHINE_OFF,
        MACHINE_STARTING, /* its init has not said yet that it is up */
        MACHINE_ON,
        MACHINE_STOPPING, /* asked to end, or killed and not all gone */
} MachinePower;

const char *machine_power_name(MachinePower power);

typedef struct MachineRun MachineRun;

typedef struct Machine {
        ListNode link; /* the owner's */
        unsigned number;
        char name[PLAN_NAME_MAX];
        char address[PLAN_ADDRESS_MAX];
        MachinePower power;
        Error why;       /* of what is not as it should be; empty when all is well */
        WallUsec since;  /* when it was powered on */
        MachineRun *run; /* NULL while off */
        const struct MachineHost *host;
} Machine;

/* What all machines share; borrowed by each. */
typedef struct MachineHost {
        uv_loop_t *loop;
        const char *directory;
        int network; /* the switch */
        const Groups *groups;
        /* The power or the reason of a machine has changed. */
        void (*changed)(void *userdata, Machine *machine);
        void *userdata;
} MachineHost;

/* The disk must be there. NULL without memory. */
Machine *machine_new(const MachineHost *host, unsigned number);

/* Only when off. */
Machine *machine_free(Machine *machine);

/* Only when off; `changed` follows. On failure it stays off, and `why` says why, too. */
int machine_power_on(Machine *machine, Error *error);

/* `plug`: kills the first process, and with it all others. Otherwise asks init to end, and pulls the plug when it has
 * not done so in time. Does nothing when off. */
void machine_power_off(Machine *machine, bool plug);

/* Process id on the host of the first process; 0: none. */
pid_t machine_pid(const Machine *machine);

/* The control groups; empty when off. */
const StringList *machine_groups(const Machine *machine);
