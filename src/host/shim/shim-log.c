/* The unit's log while no supervisor is there: the same files in the same form, so that it goes on in one piece. */
#include <errno.h>
#include <unistd.h>

#include "host/shim/shim.h"
#include "host/unit-part.h"

enum { READ_SIZE = 4096, FINAL_READS_MAX = 64 };

typedef struct LineOf {
        UnitShim *shim;
        SupervisorStream stream;
} LineOf;

static void give_line(void *userdata, Slice text) {
        const LineOf *of = userdata;

        (void)unit_log_write(&of->shim->log,
                             &(SupervisorLogLine){clock_wall(), of->shim->options->child, of->stream, text});
}

static Buffer *part_of(UnitShim *shim, size_t i) {
        return shim->options->held[i] == UNIT_SHIM_OUTPUT ? &shim->output : &shim->errors;
}

static bool is_stream(const UnitShim *shim, size_t i) {
        return shim->options->held[i] == UNIT_SHIM_OUTPUT || shim->options->held[i] == UNIT_SHIM_ERRORS;
}

static void split(UnitShim *shim, size_t i, bool all) {
        LineOf of = {shim,
                     shim->options->held[i] == UNIT_SHIM_OUTPUT ? SUPERVISOR_STREAM_OUTPUT : SUPERVISOR_STREAM_ERROR};
        Buffer *part = part_of(shim, i);

        unit_log_split(part, all, give_line, &of);
        if (buffer_length(part) == 0)
                buffer_deinit(part);
}

/* The line that the supervisor was at goes on. */
void unit_shim_log_begin(UnitShim *shim) {
        unit_log_init(&shim->log, shim->options->logs, shim->options->unit, shim->options->log_size);
        for (size_t i = 0; i < shim->n_held; i++)
                if (is_stream(shim, i))
                        unit_part_take(shim->options->ends_path, shim->options->held[i], part_of(shim, i));
}

void unit_shim_log_end(UnitShim *shim) {
        for (size_t i = 0; i < shim->n_held; i++) {
                Buffer *part = part_of(shim, i);

                if (!is_stream(shim, i) || buffer_length(part) == 0)
                        continue;
                unit_part_keep(shim->options->ends_path, shim->options->held[i], (Slice){buffer_data(part), buffer_length(part)});
                unit_shim_tell(shim->control,
                               &(UnitShimMessage){.kind = UNIT_SHIM_PART,
                                                  .stream = shim->options->held[i],
                                                  .part = {buffer_data(part), buffer_length(part)}},
                               NULL, 0);
                buffer_deinit(part);
        }
        unit_log_close(&shim->log);
}

/* A full disk, or no memory, costs lines, never the unit: the pipe is read in any case. */
void unit_shim_log_read(UnitShim *shim, size_t i) {
        char bytes[READ_SIZE];
        ssize_t n = read(shim->held[i], bytes, sizeof(bytes));

        if (n > 0) {
                (void)buffer_append(part_of(shim, i), bytes, (size_t)n);
                split(shim, i, false);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                split(shim, i, true);
                (void)close(take_fd(shim->held[i]));
        }
}

void unit_shim_log_finish(UnitShim *shim) {
        for (size_t i = 0; i < shim->n_held; i++) {
                if (!is_stream(shim, i))
                        continue;
                for (int k = 0; k < FINAL_READS_MAX && shim->held[i] >= 0; k++)
                        unit_shim_log_read(shim, i);
                split(shim, i, true);
        }
}
