#pragma once
/*
 * What a .socket, .timer or .path unit asks for: systemd.socket(5), systemd.timer(5), systemd.path(5). Each starts another
 * unit when something happens. Its [Unit] and [Install] are read by service_options_read_unit().
 *
 * A TriggerOptions owns everything in it.
 */
#include "unitfile/calendar.h"
#include "unitfile/specifier.h"
#include "unitfile/unitfile.h"

#define TRIGGER_ITEMS_MAX 64 /* Listen…=, On…= or Path…= of one unit */
#define SOCKET_BACKLOG_DEFAULT 4096
#define SOCKET_CONNECTIONS_DEFAULT 64
#define TIMER_ACCURACY_DEFAULT (60 * USEC_PER_SEC)

typedef enum TriggerKind { TRIGGER_SOCKET, TRIGGER_TIMER, TRIGGER_PATH } TriggerKind;

typedef enum ListenKind { LISTEN_STREAM, LISTEN_DATAGRAM, LISTEN_SEQUENTIAL } ListenKind;

typedef enum ListenFamily {
        LISTEN_UNIX,     /* `where` is the path; "@name": abstract */
        LISTEN_IP,       /* `where` is the address */
        LISTEN_ANY_HOST, /* a bare port: all addresses */
} ListenFamily;

typedef struct SocketListen {
        ListenKind kind;
        ListenFamily family;
        char *where; /* NULL for LISTEN_ANY_HOST */
        uint16_t port;
} SocketListen;

typedef enum TimerBase {
        TIMER_ON_ACTIVE, /* since the timer was started */
        TIMER_ON_BOOT,
        TIMER_ON_STARTUP,       /* since the supervisor began */
        TIMER_ON_UNIT_ACTIVE,   /* since its unit was last started */
        TIMER_ON_UNIT_INACTIVE, /* since its unit last ended */
        TIMER_ON_CALENDAR,
} TimerBase;

typedef struct TimerValue {
        TimerBase base;
        Usec span;
        CalendarSpec calendar;
} TimerValue;

typedef enum PathKind { PATH_EXISTS, PATH_EXISTS_GLOB, PATH_CHANGED, PATH_MODIFIED, PATH_NOT_EMPTY } PathKind;

typedef struct PathValue {
        PathKind kind;
        char *path;
} PathValue;

typedef struct TriggerOptions {
        TriggerKind kind;
        char *unit; /* what it starts: Unit=, Service=; or its own name with .service. With Accept=yes a template */
        Usec limit_interval; /* more than limit_burst starts within it are too many; 0: never */
        uint64_t limit_burst;

        /* [Socket] */
        SocketListen *listens;
        size_t n_listens;
        bool accept;
        uint64_t backlog, connections;
        unsigned socket_mode;
        char *user, *group; /* NULL: the supervisor's */
        bool remove_on_stop;
        StringList symlinks;
        char *descriptor_name; /* NULL: the unit's name */
        bool keep_alive, no_delay, reuse_port, free_bind, ipv6_only, ipv6_only_set, pass_credentials;
        uint64_t receive_buffer, send_buffer; /* 0: not set */

        /* [Timer] */
        TimerValue *timers;
        size_t n_timers;
        Usec accuracy, randomized_delay;
        bool persistent, remain_after_elapse;

        /* [Path] */
        PathValue *paths;
        size_t n_paths;
        bool make_directory;

        unsigned directory_mode; /* of a socket's or path's folders */
        UnitNoteList notes;      /* what was not understood or has no effect, with its place */
} TriggerOptions;

void trigger_options_deinit(TriggerOptions *options);
#define _cleanup_trigger_options_ _cleanup_(trigger_options_deinit)

/* The kind of a unit by the type in its name. False: another type. */
bool trigger_kind_of(const char *unit, TriggerKind *ret);

/* "Socket", "Timer", "Path": its section. */
const char *trigger_kind_section(TriggerKind kind);

/* Reads a unit file of the type that the name `unit` has. As service_options_read(): what is not understood becomes a note. -EINVAL:
 * it cannot run as it stands. */
int trigger_options_read(const UnitFile *file, const char *unit, const SpecifierSource *source, TriggerOptions *ret,
                         Error *error);

/* An address of Listen…= as systemd has it: a path, @name, PORT, IPV4:PORT, [IPV6]:PORT. -EINVAL, -ENOMEM. */
int socket_listen_parse(Slice text, SocketListen *ret, Error *error);
