/* The configuration files: the algebra of changes on one tracker. */
#include "commands.h"
#include "print.h"

static void print_set(Buffer *out, const char *name, const RaftIds *ids) {
        if (ids->length == 0)
                return;
        buffer_printf(out, " %s=(", name);
        print_ids(out, ids);
        buffer_append_byte(out, ')');
}

static void print_tracker(Buffer *out, const RaftTracker *tracker) {
        const RaftConfState *config = &tracker->config;

        buffer_append_string(out, "voters=(");
        print_ids(out, &config->voters);
        buffer_append_byte(out, ')');
        if (raft_conf_state_is_joint(config)) {
                buffer_append_string(out, "&&(");
                print_ids(out, &config->voters_outgoing);
                buffer_append_byte(out, ')');
        }
        print_set(out, "learners", &config->learners);
        print_set(out, "learners_next", &config->learners_next);
        if (config->auto_leave)
                buffer_append_string(out, " autoleave");
        buffer_append_byte(out, '\n');
        for (size_t i = 0; i < tracker->length; i++) {
                const RaftProgress *progress = &tracker->members[i];

                print_peer(out, &(RaftPeerStatus){
                                        .id = progress->id,
                                        .state = progress->state,
                                        .match = progress->match,
                                        .next = progress->next,
                                        .learner = progress->learner,
                                        .paused = raft_progress_is_paused(progress),
                                        .active = progress->active,
                                });
        }
}

static int run(ConfchangeFile *file, const Directive *directive, Error *error) {
        RaftConfChange change = {0};
        bool auto_leave = false;
        int r;

        r = parse_changes(directive->input, &change, error);
        if (r != 0)
                return r;
        if (slice_is(directive->command, "simple"))
                return raft_conf_apply_simple(&file->tracker, change.changes, change.length, file->last_index, error);
        if (slice_is(directive->command, "enter-joint")) {
                if (directive->length > 0 && argument_bool(&directive->arguments[0], &auto_leave) < 0)
                        return error_set(error, 1, "autoleave: not a boolean");
                return raft_conf_enter_joint(&file->tracker, auto_leave, change.changes, change.length,
                                             file->last_index, error);
        }
        if (slice_is(directive->command, "leave-joint")) {
                if (change.length > 0)
                        return error_set(error, 1, "this command takes no input");
                return raft_conf_leave_joint(&file->tracker, error);
        }
        return error_set(error, 1, "unknown command");
}

void confchange_run(ConfchangeFile *file, const Directive *directive, Buffer *out) {
        Error error = ERROR_NONE;

        if (run(file, directive, &error) == 0)
                print_tracker(out, &file->tracker);
        else
                buffer_append_string(out, error.text);
        file->last_index++;
}
