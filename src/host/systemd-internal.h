#pragma once
/* Shared by the files of the systemd supervisor; nobody else includes this. */
#include <uv.h>

#include "base/list.h"
#include "base/map.h"
#include "host/kept-state.h"
#include "host/libsystemd.h"
#include "host/systemd-supervisor.h"

typedef struct Systemd Systemd;
typedef struct Request Request;

/* A unit of ours. */
typedef struct SystemdUnit {
        ListNode link;
        Systemd *owner;
        char *name, *path; /* path: of its D-Bus object */
        bool loaded;       /* our file is there */
        bool start_asked;
        bool start_known;  /* it is one of this run: what was asked before is not on disk */
        bool has_install;  /* its file has [Install], or one that was loaded before it did */
        bool was_known;    /* systemd had it in memory before its file was linked */
        unsigned fetches;  /* under way */
        ListNode changed_link; /* in owner->changed: its state is to be told */
        ListNode unseen_link;  /* in owner->unseen: nobody has asked systemd for its state yet */
        KeptState state, told;
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
        ListNode batch_link;
        unsigned step;
        bool has_install;
        bool alone; /* the batch that it was in has failed */
        char *job; /* path of the job whose end is waited for */
        Request *request;
        SupervisorDone done;
        void (*each)(void *userdata, const SupervisorUnit *unit);
        void *userdata;
        int r;
        Error error;
} Call;

#define FILE_BATCH_MAX 256

typedef enum FileStep {
        FILES_IDLE,
        FILES_FIND,   /* which of them systemd knows already */
        FILES_LINK,
        FILES_INSTALL,
        FILES_RELOAD, /* if it knows any, or any is installed for another one */
        FILES_END,
} FileStep;

/* Calls that add links of unit files, or take away what [Install] has brought about: those under way, and those that came meanwhile. */
typedef struct FileBatch {
        Systemd *owner;
        bool unlinks;
        List waiting, calls; /* Call, by batch_link */
        FileStep step;
        size_t finds; /* answers that are awaited */
        Request *request;
} FileBatch;

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
        char *links; /* where systemd finds unit files of this boot */
        sd_bus *bus;
        uv_poll_t *poll;  /* of this connection; NULL: none */
        uv_timer_t timer; /* the bus's time limit; without a connection the next try */
        unsigned retry_msec;
        bool user;
        uv_check_t later;
        uv_idle_t hurry;
        Map by_name, by_path;
        Words words; /* of states */
        Map by_job; /* Call, by the path of its job */
        List units;
        List changed; /* SystemdUnit */
        List unseen;  /* SystemdUnit */
        uv_timer_t look;
        List outbox, sent; /* Request */
        size_t n_sent;
        FileBatch linking, unlinking;
        bool stale; /* systemd is to read its units anew */
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
SystemdUnit *systemd_unit(Systemd *s, const char *name); /* made when it is new; NULL without memory */
void systemd_call_linked(Call *call); /* its batch is through */
void systemd_call_failed(Call *call, int r); /* its error says why */
void systemd_call_refused(Call *call, int r, const sd_bus_error *error); /* `error` may be NULL */

/* systemd-request.c: calls to systemd. A request ends with its answer, or by being cancelled or dropped */
int systemd_request(Systemd *s, sd_bus_message *message, sd_bus_message_handler_t answered, void *userdata, Request **ret);
Request *systemd_request_cancel(Request *request); /* returns NULL */
void systemd_requests_send(Systemd *s);
void systemd_requests_send_rest(Systemd *s); /* without waiting for answers */
void systemd_requests_drop(Systemd *s);

/* systemd-files.c: links of unit files */
char *systemd_files_links(bool user); /* where they are made; the caller's */
void systemd_files_init(Systemd *s);
void systemd_files_add(Systemd *s, Call *call); /* a load, a reread, or an unload of what has [Install] */
void systemd_files_turn(Systemd *s);
void systemd_files_drop(Systemd *s);

/* systemd-bus.c: the bus on the loop */
int systemd_bus_open(Systemd *s, Error *error);
void systemd_bus_fail(Systemd *s, int r);
void systemd_bus_retry(Systemd *s); /* lets go of the connection, and makes a new one later */
void systemd_bus_pump(Systemd *s); /* works off what has come, and waits for more */
void systemd_bus_close(Systemd *s);
void systemd_handle_closed(uv_handle_t *handle); /* handle->data: the Systemd */
void systemd_handle_gone(Systemd *s);

/* systemd-state.c: properties of units */
int systemd_state_watch(Systemd *s, Error *error);
int systemd_state_fetch(Systemd *s, SystemdUnit *unit);
void systemd_state_fetch_later(Systemd *s, SystemdUnit *unit); /* unless it is started by then: that tells */
void systemd_state_drop(Systemd *s); /* with the connection, on which the answers would come */
void systemd_state_fetch_all(Systemd *s);
void systemd_state_changed(Systemd *s, SystemdUnit *unit);
void systemd_state_tell(Systemd *s);

/* systemd-log.c */
int systemd_log_open(Supervisor *supervisor, const char *name, size_t lines, bool follow,
                     const SupervisorLogEvents *events, void *userdata, SupervisorLog **ret, Error *error);
void systemd_log_close(Supervisor *supervisor, SupervisorLog *log);
void systemd_logs_turn(Systemd *s);

#define SYSTEMD_DESTINATION "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
