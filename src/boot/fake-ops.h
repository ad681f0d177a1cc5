#pragma once
/* The whole seam of boot/ops.h in memory: a journal of what was done, and failures on order. */
#include "boot/ops.h"

typedef struct FakeMachine {
        BootFiles files;
        BootAccounts accounts;
        UnitManager units;
        BootMachine machine;    /* the three of them */
        Buffer journal;         /* a line for each operation: "write /etc/motd 0644 1000:1000 text" */
        const char *missing;    /* a unit that nobody has: -ENOENT */
        const char *failing;    /* a unit whose commands fail */
        const char *unwritable; /* a path that cannot be written: -EROFS */
        const char *slow;       /* a unit whose commands go on longer than anyone waits */
        const char *user;       /* is there, beside "core" and those that were made */
        bool no_core;           /* there is no user "core" */
        const char *not_masked; /* a path that is a real file */
        StringList made;        /* users */
} FakeMachine;

void fake_machine_init(FakeMachine *machine);
void fake_machine_deinit(FakeMachine *machine);
#define _cleanup_fake_machine_ _cleanup_(fake_machine_deinit)
