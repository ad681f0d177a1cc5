/*
 * Snapshots between members. The sender's file travels piece by piece, each answered before the next; when the receiver
 * has it whole, checked and safe, raft's own message follows and the receiver installs it.
 */
#include <errno.h>

#include "store/replica/internal.h"

enum { SENDING_ATTEMPTS = 10 };

/* ---- sending ---- */

bool transfer_is_sending(const Replica *replica) {
        for (size_t i = 0; i < REPLICA_TRANSFERS_MAX; i++)
                if (replica->sendings[i].to != RAFT_ID_NONE)
                        return true;
        return false;
}

static Sending *sending_find(Replica *replica, uint64_t to) {
        for (size_t i = 0; i < REPLICA_TRANSFERS_MAX; i++)
                if (replica->sendings[i].to == to)
                        return &replica->sendings[i];
        return NULL;
}

static void sending_free(Sending *sending) {
        raft_message_deinit(&sending->message);
        buffer_deinit(&sending->read.bytes);
        *sending = (Sending){0};
}

static void sending_end(Sending *sending, bool success) {
        Replica *replica = sending->replica;
        int r;

        if (sending->lost)
                return;
        if (success) {
                replica_send_message(replica, &sending->message);
                replica->counts.snapshots_sent++;
        }
        r = raft_report_snapshot(replica->raft, sending->to, success);
        if (r < 0)
                replica_fail(replica, r, "the consensus core failed");
        if (sending->reading) {
                sending->lost = true; /* freed when its job is done */
                return;
        }
        sending_free(sending);
        compact_purge(replica);
}

/* The file may be damaged, and would be refused for ever: a new one is made if there is anything newer to put in. */
static void sending_end_failed(Sending *sending) {
        sending->replica->snapshot_wanted = true;
        sending_end(sending, false);
}

static void sending_read(Sending *sending, uint64_t offset) {
        Replica *replica = sending->replica;
        char name[SNAPSHOT_NAME_MAX];

        snapshot_name(sending->message.snapshot->index, sending->message.snapshot->term, name);
        buffer_deinit(&sending->read.bytes);
        snapshot_read_init(&sending->read, replica->disk, name, offset, REPLICA_PIECE);
        sending->offset = offset;
        sending->reading = true;
        replica->ops->run_job(replica->userdata, &sending->read.job);
}

static void sending_send(Sending *sending) {
        Replica *replica = sending->replica;
        _cleanup_buffer_ Buffer frame = BUFFER_INIT;
        SnapshotPiece piece = {
                .index = sending->message.snapshot->index,
                .term = sending->message.snapshot->term,
                .offset = sending->offset,
                .last = sending->last,
                .bytes = {buffer_data(&sending->read.bytes), buffer_length(&sending->read.bytes)},
        };

        sending->attempts++;
        sending->retry = replica->now + replica->config.tick * replica->config.election_ticks;
        if (frame_encode_piece(&piece, &frame) >= 0)
                replica_send_frame(replica, sending->to, true, (Slice){buffer_data(&frame), buffer_length(&frame)});
}

static bool snapshot_knows(const RaftSnapshot *snapshot, uint64_t id) {
        return raft_ids_contain(&snapshot->conf_state.voters, id) || raft_ids_contain(&snapshot->conf_state.learners, id);
}

void transfer_send(Replica *replica, RaftMessage *message) {
        Sending *sending = sending_find(replica, message->to);
        int r;

        if (!message->snapshot || sending)
                return; /* one is on its way to that member */
        if (!snapshot_knows(message->snapshot, message->to)) {
                /* made before that member came: it would refuse it, as a configuration that is not meant for it */
                replica->snapshot_wanted = true;
                r = raft_report_snapshot(replica->raft, message->to, false);
                if (r < 0)
                        replica_fail(replica, r, "the consensus core failed");
                return;
        }
        sending = sending_find(replica, RAFT_ID_NONE);
        if (!sending)
                return;
        *sending = (Sending){.to = message->to, .replica = replica, .message = *message};
        *message = (RaftMessage){0};
        sending_read(sending, 0);
}

static void sending_job_done(Sending *sending, int r) {
        Replica *replica = sending->replica;

        sending->reading = false;
        if (sending->lost) {
                sending_free(sending);
                compact_purge(replica);
                return;
        }
        if (r < 0) {
                sending_end_failed(sending);
                return;
        }
        sending->last = buffer_length(&sending->read.bytes) < sending->read.length;
        sending->attempts = 0;
        sending_send(sending);
}

static void receiving_abandon(Receiving *receiving) {
        if (receiving->busy) {
                receiving->abandoned = true;
                return;
        }
        snapshot_writer_free(receiving->writer);
        *receiving = (Receiving){0};
}

/* A sender that went away must not hold up the snapshots made here for ever. */
static void receiving_expire(Replica *replica) {
        Receiving *receiving = &replica->receiving;
        Usec patience = replica->config.tick * replica->config.election_ticks * SENDING_ATTEMPTS;

        if (receiving->writer && !receiving->busy &&
            (receiving->index <= replica->counts.applied_index || replica->now - receiving->seen >= patience))
                receiving_abandon(receiving);
}

void transfer_tick(Replica *replica) {
        receiving_expire(replica);
        for (size_t i = 0; i < REPLICA_TRANSFERS_MAX; i++) {
                Sending *sending = &replica->sendings[i];

                if (sending->to == RAFT_ID_NONE || sending->reading || sending->lost || replica->now < sending->retry)
                        continue;
                if (sending->attempts >= SENDING_ATTEMPTS ||
                    raft_basic_status(replica->raft).soft_state.state != RAFT_LEADER)
                        sending_end(sending, false);
                else
                        sending_send(sending);
        }
}

void transfer_receive_answer(Replica *replica, uint64_t from, const SnapshotPiece *piece) {
        Sending *sending = from == RAFT_ID_NONE ? NULL : sending_find(replica, from);

        if (!sending || sending->lost || sending->reading || piece->index != sending->message.snapshot->index ||
            piece->term != sending->message.snapshot->term)
                return;
        switch (piece->answer) {
        case SNAPSHOT_ANSWER_MORE:
                /* wherever the receiver stands: it may have lost its beginning, or have one from an earlier attempt. What is on
                 * its way already was answered late or twice. */
                if (piece->offset != sending->offset)
                        sending_read(sending, piece->offset);
                break;
        case SNAPSHOT_ANSWER_DONE:
                sending_end(sending, true);
                break;
        case SNAPSHOT_ANSWER_FAILED:
                sending_end_failed(sending);
                break;
        }
}

/* ---- receiving ---- */

static void answer(Replica *replica, uint64_t to, uint64_t index, uint64_t term, SnapshotAnswer what, uint64_t offset) {
        _cleanup_buffer_ Buffer frame = BUFFER_INIT;
        SnapshotPiece piece = {.index = index, .term = term, .offset = offset, .answer = what, .bytes = {"", 0}};

        if (frame_encode_answer(&piece, &frame) >= 0)
                replica_send_frame(replica, to, true, (Slice){buffer_data(&frame), buffer_length(&frame)});
}

/* What is known here covers it already, or it has been received. */
static bool snapshot_is_known(const Replica *replica, uint64_t index, uint64_t term) {
        return index <= replica->counts.applied_index || (index == replica->received_index && term == replica->received_term);
}

void transfer_receive_piece(Replica *replica, uint64_t from, const SnapshotPiece *piece) {
        Receiving *receiving = &replica->receiving;
        DiskJob *job;
        int r;

        if (snapshot_is_known(replica, piece->index, piece->term)) {
                answer(replica, from, piece->index, piece->term, SNAPSHOT_ANSWER_DONE, 0);
                return;
        }
        if (receiving->abandoned || replica->install.snapshot)
                return; /* comes again */
        if (receiving->writer && (receiving->from != from || receiving->index != piece->index || receiving->term != piece->term)) {
                receiving_abandon(receiving);
                if (receiving->busy)
                        return;
        }
        if (!receiving->writer) {
                if (piece->offset != 0) {
                        answer(replica, from, piece->index, piece->term, SNAPSHOT_ANSWER_MORE, 0);
                        return;
                }
                r = snapshot_writer_new_received(replica->disk, piece->index, piece->term, &receiving->writer);
                if (r < 0)
                        return;
                receiving->from = from;
                receiving->index = piece->index;
                receiving->term = piece->term;
                receiving->next = 0;
        }
        receiving->seen = replica->now;
        if (receiving->busy || receiving->last)
                return;
        if (piece->offset != receiving->next) {
                answer(replica, from, piece->index, piece->term, SNAPSHOT_ANSWER_MORE, receiving->next);
                return;
        }
        r = snapshot_writer_add(receiving->writer, piece->bytes);
        if (r >= 0)
                r = snapshot_writer_begin(receiving->writer, piece->last, &job);
        if (r < 0) {
                receiving_abandon(receiving);
                return;
        }
        receiving->busy = true;
        receiving->job = job;
        receiving->last = piece->last;
        receiving->next = piece->offset + piece->bytes.length;
        replica->ops->run_job(replica->userdata, job);
}

static void receiving_job_done(Replica *replica, int r) {
        Receiving *receiving = &replica->receiving;

        receiving->busy = false;
        receiving->job = NULL;
        r = snapshot_writer_end(receiving->writer, r);
        if (receiving->abandoned) {
                receiving_abandon(receiving);
        } else if (r < 0) {
                answer(replica, receiving->from, receiving->index, receiving->term, SNAPSHOT_ANSWER_FAILED, 0);
                receiving_abandon(receiving);
        } else if (receiving->last) {
                replica->received_index = receiving->index;
                replica->received_term = receiving->term;
                replica->counts.snapshots_received++;
                answer(replica, receiving->from, receiving->index, receiving->term, SNAPSHOT_ANSWER_DONE, 0);
                receiving_abandon(receiving);
        } else {
                answer(replica, receiving->from, receiving->index, receiving->term, SNAPSHOT_ANSWER_MORE, receiving->next);
        }
}

int transfer_receive_message(Replica *replica, RaftMessage *message) {
        const RaftSnapshot *snapshot = message->snapshot;

        if (!snapshot)
                return -EBADMSG;
        /* raft would install what is not here: the leader will send it again */
        if (!snapshot_is_known(replica, snapshot->index, snapshot->term))
                return 0;
        return raft_step(replica->raft, message);
}

/* ---- installing ---- */

static int install_read(DiskJob *job) {
        Install *install = container_of(job, Install, job);
        char name[SNAPSHOT_NAME_MAX];
        Slice payload;
        int r = 1;

        if (!install->file) {
                snapshot_name(install->snapshot->index, install->snapshot->term, name);
                r = snapshot_file_open(install->disk, name, &install->file, &install->error);
                if (r < 0)
                        return r;
                r = 1;
        }
        while (r > 0 && buffer_length(&install->payload) < REPLICA_SNAPSHOT_QUEUE) {
                r = snapshot_file_next(install->file, &payload, &install->error);
                if (r > 0 && buffer_append(&install->payload, payload.data, payload.length) < 0)
                        return -ENOMEM;
        }
        if (r == 0)
                install->end = true;
        return r < 0 ? r : 0;
}

/* Takes the reference. */
int install_begin(Replica *replica, RaftSnapshot *snapshot) {
        Install *install = &replica->install;
        int r;

        compact_abandon(replica);
        *install = (Install){.job = {install_read}, .snapshot = snapshot, .disk = replica->disk};
        r = snapshot_reader_new(&replica->config.tree, &install->reader);
        if (r < 0)
                return r;
        install->running = true;
        replica->ops->run_job(replica->userdata, &install->job);
        return 0;
}

static void install_clear(Install *install) {
        install->snapshot = raft_snapshot_unref(install->snapshot);
        install->file = snapshot_file_close(install->file);
        install->reader = snapshot_reader_free(install->reader);
        buffer_deinit(&install->payload);
        *install = (Install){0};
}

static void install_complete(Replica *replica) {
        Install *install = &replica->install;
        Error error = ERROR_NONE;
        int r;

        r = snapshot_reader_finish(install->reader, &replica->tree, &error);
        if (r < 0) {
                replica_fail(replica, r, "the snapshot of the leader cannot be installed: %s", error.text);
                return;
        }
        replica->counts.applied_index = install->snapshot->index;
        replica->counts.applied_term = install->snapshot->term;
        replica->configuration = install->snapshot->conf_state;
        replica->previous_snapshot_index = install->snapshot->index;
        replica->bytes_since_snapshot = 0;
        replica->last_removal = 0; /* the snapshot has it, for good */
        if (members_find_removed(replica, replica->config.id) > 0)
                removal_noticed(replica);
        log_release(replica->log, install->snapshot->index);
        install_clear(install);
        compact_purge(replica);
        if (replica->ops->members_changed)
                replica->ops->members_changed(replica->userdata);
}

/* True: there is more to feed right now. */
bool install_run(Replica *replica) {
        Install *install = &replica->install;
        Error error = ERROR_NONE;
        size_t piece;
        int r;

        if (!install->snapshot || install->running)
                return false;
        piece = min_of(buffer_length(&install->payload), (size_t)REPLICA_INSTALL_STEP);
        if (piece > 0) {
                r = snapshot_reader_feed(install->reader, (Slice){buffer_data(&install->payload), piece}, &error);
                if (r < 0) {
                        replica_fail(replica, r, "the snapshot of the leader cannot be read: %s", error.text);
                        return false;
                }
                buffer_consume(&install->payload, piece);
                return true;
        }
        if (install->end) {
                install_complete(replica);
                return true; /* what waited for it goes on */
        }
        install->running = true;
        replica->ops->run_job(replica->userdata, &install->job);
        return false;
}

bool transfer_job_done(Replica *replica, DiskJob *job, int r) {
        if (replica->install.running && job == &replica->install.job) {
                replica->install.running = false;
                if (r < 0)
                        replica_fail(replica, r, "the snapshot of the leader cannot be read: %s", replica->install.error.text);
                return true;
        }
        if (replica->receiving.job && job == replica->receiving.job) {
                receiving_job_done(replica, r);
                return true;
        }
        for (size_t i = 0; i < REPLICA_TRANSFERS_MAX; i++)
                if (replica->sendings[i].reading && job == &replica->sendings[i].read.job) {
                        sending_job_done(&replica->sendings[i], r);
                        return true;
                }
        return false;
}

void transfer_deinit(Replica *replica) {
        install_clear(&replica->install);
        snapshot_writer_free(replica->receiving.writer);
        for (size_t i = 0; i < REPLICA_TRANSFERS_MAX; i++)
                sending_free(&replica->sendings[i]);
}
