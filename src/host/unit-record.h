#pragma once
/*
 * What the embedded supervisor writes down of a unit, so that another one can go on where it was (docs/formats/unit-shim.md): its
 * state, its processes and the shims that hold them. The unit's text stands beside it. Pure.
 */
#include "base/buffer.h"
#include "host/service-state.h"
#include "host/supervisor.h"
#include "host/trigger-state.h"
#include "host/unit-group.h"

#define UNIT_RECORD_BOOT_MAX 64
#define UNIT_RECORD_SHIMS_MAX 16
#define UNIT_RECORD_TEXT_MAX ((size_t)16 * 1024)
#define UNIT_RECORD_LISTENER_MAX 320

/* Which commands the control process is of. */
typedef enum UnitRecordList {
        UNIT_RECORD_NO_LIST,
        UNIT_RECORD_START_PRE,
        UNIT_RECORD_START,
        UNIT_RECORD_START_POST,
        UNIT_RECORD_RELOAD,
        UNIT_RECORD_STOP,
        UNIT_RECORD_STOP_POST,
        UNIT_RECORD_LISTS,
} UnitRecordList;

typedef struct UnitRecord {
        char boot[UNIT_RECORD_BOOT_MAX]; /* id of the machine's boot: of another one nothing runs any more */
        char run[UNIT_GROUP_ID_MAX];     /* INVOCATION_ID; "": none */
        bool start_asked, queued;
        char listener[UNIT_RECORD_LISTENER_MAX]; /* the socket that started it; "": none */
        char active[SUPERVISOR_WORD_MAX];
        WallUsec since;
        Usec active_at, inactive_at;
        char text[SUPERVISOR_TEXT_MAX];
        ServiceMachine service;       /* what of it can be written: no options, no actions */
        UnitRecordList control_list;
        TriggerMachine trigger;       /* the same */
        pid_t main_pid, control_pid;  /* 0: none */
        uint64_t shims[UNIT_RECORD_SHIMS_MAX];
        size_t n_shims;
        pid_t sessions[UNIT_RECORD_SHIMS_MAX]; /* the latest, where processes are traced without a cgroup */
        size_t n_sessions;
} UnitRecord;

/* Appends. -ENOMEM. */
int unit_record_write(const UnitRecord *record, Buffer *to);

/* -EBADMSG: torn, or of another version; the error says which line. What is read of `boot` and `run` by then is in *ret. */
int unit_record_read(Slice text, UnitRecord *ret, Error *error);
