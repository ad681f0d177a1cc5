#pragma once
/* Shared by the files of the systemd supervisor; nobody else includes this. */
#include <systemd/sd-bus.h>
#include <systemd/sd-journal.h>
#include <uv.h>

#include "base/list.h"
#include "base/map.h"
#include "host/systemd-supervisor.h"

typedef struct Systemd Systemd;

/* A unit of ours. */
typedef struct SystemdUnit {
        ListNode link;
        char *name, *path; /* path: of its D-Bus object */
        bool loaded;       /* our file is there */
        bool start_asked;
        bool start_known;  /* it is one of this run: what was asked before is not on disk */
        bool known;        /* its properties have been read */
        bool changed;
        SupervisorState state, told;
        bool was_told;
} SystemdUnit;

typedef enum CallKind {
        CALL_LOAD,
        CALL_UNLOAD,
        CALL_REREAD,
        CALL_START,
        CALL_STOP,
        CALL_RELOAD,
        CALL_KILL,
        CALL_LIST,
        CALL_FAILED, /* only its end is left to tell */
} CallKind;

/* An operation under way: a chain of method calls. */
typedef struct Call {
        ListNode link;
        Systemd *owner;
        CallKind kind;
        char *unit;
        unsigned step;
        bool has_install;
        char *job; /* path of the job whose end is waited for */
        sd_bus_slot *slot;
        SupervisorDone done;
        void (*each)(void *userdata, const SupervisorUnit *unit);
        void *userdata;
        int r;
        Error error;
} Call;

struct SupervisorLog {
        ListNode link;
        Systemd *owner;
        sd_journal *journal;
        uv_poll_t *poll; /* only to follow */
        bool follow, started, closed, ended;
        uint64_t lines;
        const SupervisorLogEvents *events;
        void *userdata;
};

struct Systemd {
        Supervisor base;
        uv_loop_t *loop;
        char *folder;
        sd_bus *bus;
        uv_poll_t *poll;  /* of this connection; NULL: none */
        uv_timer_t timer; /* the bus's time limit; without a connection the next try */
        unsigned retry_msec;
        bool user;
        uv_check_t later;
        uv_idle_t hurry;
        Map by_name, by_path;
        List units;
        List calls;    /* Call: under way */
        List finished; /* Call: to be told */
        List logs;
        unsigned open; /* handles */
        bool lost, closing;
        int lost_r;
        void (*closed)(void *userdata);
        void *closed_data;
};

/* systemd-supervisor.c */
void systemd_wake(Systemd *s);
void systemd_on_later(uv_check_t *check);
int systemd_connect(Systemd *s, Error *error);

/* systemd-bus.c: the bus on the loop */
int systemd_bus_open(Systemd *s, Error *error);
void systemd_bus_retry(Systemd *s); /* lets go of the connection, and makes a new one later */
void systemd_bus_pump(Systemd *s); /* works off what has come, and waits for more */
void systemd_bus_close(Systemd *s);
void systemd_handle_closed(uv_handle_t *handle); /* handle->data: the Systemd */
void systemd_handle_gone(Systemd *s);

/* systemd-state.c: properties of units */
int systemd_state_watch(Systemd *s, Error *error);
int systemd_state_fetch(Systemd *s, SystemdUnit *unit);
void systemd_state_fetch_all(Systemd *s);
void systemd_state_tell(Systemd *s);

/* systemd-log.c */
int systemd_log_open(Supervisor *supervisor, const char *name, size_t lines, bool follow,
                     const SupervisorLogEvents *events, void *userdata, SupervisorLog **ret, Error *error);
void systemd_log_close(Supervisor *supervisor, SupervisorLog *log);
void systemd_logs_turn(Systemd *s);

#define SYSTEMD_DESTINATION "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
