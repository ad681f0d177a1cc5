#pragma once
/*
 * The parent of a unit's process: reaps it and what it leaves behind, holds the files that must outlive the supervisor, and writes the
 * unit's log while no supervisor is there. Small on purpose: one thread, poll(2), and no memory while it has nothing to say.
 */
#include "host/unit-log.h"
#include "host/unit-notify.h"
#include "host/unit-shim.h"

enum { UNIT_SHIM_ORPHANS_MAX = 8 }; /* latest ends of children that nobody had asked for */

typedef struct UnitShimOptions {
        pid_t child;           /* 0: only holds files */
        int control, listener; /* the connection to the supervisor that asked for it, and the socket for later ones */
        const char *held;      /* UNIT_SHIM_OUTPUT and so on, one for each file */
        const int *held_fds;
        const char *ends_path; /* where ends are written down */
        const char *logs, *unit;
        uint64_t log_size;
} UnitShimOptions;

typedef struct UnitShimChild {
        UnitShimEnd end; /* code 0: it runs */
        bool reaped;
} UnitShimChild;

typedef struct UnitShim {
        const UnitShimOptions *options;
        int control, listener, signals; /* control -1: no supervisor is there */
        int held[UNIT_SHIM_FDS_MAX];    /* -1: at its end */
        size_t n_held;
        UnitShimChild children[UNIT_SHIM_ENDS_MAX];
        size_t n_children;
        UnitShimEnd orphans[UNIT_SHIM_ORPHANS_MAX];
        size_t n_orphans;
        bool empty, empty_told, ended;
        UnitLog log;
        Buffer output, errors; /* lines that have not ended */
        KeptNotices notes;       /* what was said to NOTIFY_SOCKET */
} UnitShim;

/* To the end. `shim` is zeroed. */
void unit_shim_run(UnitShim *shim, const UnitShimOptions *options);

/* ---- shim-children.c ---- */

void unit_shim_reap(UnitShim *shim);
void unit_shim_watch(UnitShim *shim, pid_t pid);
void unit_shim_let_go(UnitShim *shim, pid_t pid); /* it may be reaped */
void unit_shim_tell(int control, const UnitShimMessage *message, const int *fds, size_t n_fds);

/* ---- shim-log.c: while no supervisor is there ---- */

void unit_shim_log_begin(UnitShim *shim);
void unit_shim_log_end(UnitShim *shim); /* hands over what is left of lines */
void unit_shim_log_read(UnitShim *shim, size_t i);
void unit_shim_log_finish(UnitShim *shim); /* writes what is in the pipes */

/* ---- shim-notes.c: the same ---- */

void unit_shim_notes_read(UnitShim *shim, int fd);
void unit_shim_notes_hand_over(UnitShim *shim);
