#pragma once
/*
 * A shim: holds one container, or one command executed in one, from its making to its end. It keeps the streams and
 * the log, serves attached clients, and writes down how it ended; the engine may come and go meanwhile. Small on
 * purpose: one thread, poll(2).
 */
#include <sys/types.h>

#include "containers/shim/log-file.h"
#include "containers/shim/protocol.h"

enum {
        SHIM_CLIENTS_MAX = 64,
        SHIM_CLIENT_OUTPUT_MAX = 262144, /* a client that lags by more stops the container's output */
        SHIM_INPUT_PENDING_MAX = 131072,
        SHIM_EARLY_MAX = 16, /* processes that end before we know which is ours */
        SHIM_REASON_MAX = 8192,
        SHIM_CONTROL_WAIT_SEC = 60, /* for the engine to say start */
};

typedef struct ShimOptions {
        char *id;        /* of the container */
        char *directory; /* where socket, log and exit file are; the bundle is in it unless it is an exec */
        char *runtime;   /* full path */
        char *runtime_root;
        char *hide;         /* mount that the runtime must not see */
        char *memory_group; /* cgroup directory that tells of kills for memory */
        char *exec; /* file with the process to execute in the container; NULL: the shim of the container itself */
        bool tty, open_stdin, stdin_once;
        uint64_t log_bytes, log_files; /* log_files 0: no log */
        bool help;
} ShimOptions;

typedef enum ShimStage {
        SHIM_STAGE_MAKING,
        SHIM_STAGE_MADE,
        SHIM_STAGE_STARTING,
        SHIM_STAGE_RUNNING,
        SHIM_STAGE_CLEARING,
        SHIM_STAGE_DONE,
} ShimStage;

typedef struct ShimClient {
        int fd; /* -1: free */
        Buffer input, output;
        bool control;
        uint8_t streams; /* ShimStreams; 0 until it has said */
} ShimClient;

typedef struct Shim {
        const ShimOptions *options;
        int directory, listener, console, signals;
        LogFile log;
        bool has_log;

        ShimStage stage;
        pid_t runtime; /* the call under way */
        pid_t process; /* the container's first process, or the executed one */
        bool process_ended, failed, undo;
        char reason[SHIM_REASON_MAX]; /* why it failed: the runtime's log */
        ShimExit exit;
        struct {
                pid_t pid;
                int status;
        } early[SHIM_EARLY_MAX];
        size_t n_early;

        int input;     /* writing end of its standard input, or the terminal; -1: closed */
        int output[2]; /* reading ends; the terminal is output[0] */
        int theirs[3]; /* the other ends, until the runtime has them */
        Buffer input_pending;
        bool input_ended;
        uint16_t rows, columns;

        ShimClient clients[SHIM_CLIENTS_MAX];
} Shim;

/* Makes the socket, so that the engine can connect once this returns. */
int shim_init(Shim *shim, const ShimOptions *options, Error *error);

/* To the end. */
void shim_run(Shim *shim);

/* ---- shim-stage.c: what happens one after the other ---- */

int shim_make(Shim *shim);
int shim_start(Shim *shim);
void shim_reap(Shim *shim);
void shim_undo(Shim *shim);

/* ---- shim-streams.c ---- */

int shim_open_streams(Shim *shim);
void shim_close_theirs(Shim *shim);
int shim_console_accept(Shim *shim);
void shim_read_output(Shim *shim, unsigned stream);
void shim_write_input(Shim *shim);
void shim_end_input(Shim *shim);
void shim_resize(Shim *shim);

/* ---- shim-clients.c ---- */

void shim_accept(Shim *shim);
void shim_client_close(Shim *shim, ShimClient *client);
void shim_client_read(Shim *shim, ShimClient *client);
void shim_client_flush(Shim *shim, ShimClient *client);
void shim_tell(ShimClient *client, ShimFrame type, const void *payload, size_t length);

/* To all control connections. */
void shim_tell_engine(Shim *shim, ShimFrame type, const void *payload, size_t length);
void shim_tell_u32(Shim *shim, ShimFrame type, uint32_t value);
bool shim_output_is_stuck(const Shim *shim);
