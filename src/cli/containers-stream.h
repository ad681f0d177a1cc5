#pragma once
/*
 * A container's input and output on this program's own: over an upgraded connection (attach, exec), or only the output (logs). Without a
 * terminal output comes in frames (8 bytes: stream, 0, 0, 0, length in network order), with one raw.
 */
#include <termios.h>

#include "cli/containers.h"

/* Sorts frames to standard output and standard error. Zeroed is ready. */
typedef struct OutputSorter {
        bool raw;
        unsigned char header[8];
        size_t header_length;
        uint32_t left; /* of the frame */
} OutputSorter;

/* Writes at once, and waits while the reader of our output does. -EPIPE: nobody reads it. */
int output_sorter_feed(OutputSorter *sorter, Slice bytes);

typedef struct ContainersStream {
        ContainersGroup *group;
        HttpCall *call;
        Stream *stream; /* once upgraded */
        OutputSorter output;
        bool connected, ended; /* ended: the other side has, all output is written */
        bool input;            /* standard input is passed on */
        bool tty;
        int r;
        Error error;
        char *refusal; /* body of an answer that is no upgrade */
        unsigned status;

        uv_poll_t poll; /* of standard input */
        uv_idle_t idle; /* when it is a file */
        bool polling, idling, handles_open;
        struct termios saved;
        bool raw_mode;
} ContainersStream;

/* Asks for the upgrade. `stream` stays until containers_stream_close(). 0 once connected, or the exit code after saying why. `body`: JSON or NULL. */
int containers_stream_open(ContainersStream *stream, ContainersGroup *group, const char *target, json_t *body,
                           bool input, bool tty);

/* Begins to pass standard input on; on a terminal (tty) that one is set to raw mode. */
void containers_stream_start_input(ContainersStream *stream);

/* Gives the terminal back and closes; the loop is run until that is done. */
void containers_stream_close(ContainersStream *stream);

/* The terminal's size, for resize requests; false: standard output is none. */
bool containers_terminal_size(unsigned *ret_rows, unsigned *ret_columns);
