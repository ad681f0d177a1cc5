#include "store/replica/replica.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "store/replica/internal.h"

enum {
        RAFT_MESSAGE_SIZE = 1 << 20, /* unless configured */
        RAFT_COMMITTED_SIZE = 4 << 20,
        RAFT_INFLIGHT_MESSAGES = 256,
        RAFT_INFLIGHT_BYTES = 64 << 20,
        TICKS_AT_ONCE = 2, /* after a stall the missed ticks are dropped: time that nobody could use is no silence */
        CONF_CHANGES_BOOTSTRAP_TERM = 1,
};

static void config_set_defaults(ReplicaConfig *config) {
        config->snapshot_entries = config->snapshot_entries ?: 10000;
        config->snapshot_bytes = config->snapshot_bytes ?: (uint64_t)64 << 20;
        config->keep_entries = config->keep_entries ?: 5000;
        config->message_size = config->message_size ?: RAFT_MESSAGE_SIZE;
}

void replica_fail(Replica *replica, int r, const char *format, ...) {
        char what[ERROR_TEXT_MAX / 2];
        va_list args;

        if (replica->failure)
                return;
        replica->failure = r;
        va_start(args, format);
        (void)vsnprintf(what, sizeof(what), format, args);
        va_end(args);
        (void)error_set_errno(&replica->error, r, "%s", what);
}

int replica_failure(const Replica *replica, Error *error) {
        if (replica->failure && error)
                *error = replica->error;
        return replica->failure;
}

/* ---- the beginning ---- */

static int bootstrap_entry(Log *log, const ReplicaMember *member, uint64_t index) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        RaftConfChange change = {
                .length = 1,
                .changes = {{RAFT_CONF_ADD_VOTER, member->id}},
                .context = slice_from(member->attributes),
        };
        RaftEntry entry;
        int r;

        r = raft_conf_change_encode(&change, true, &payload);
        if (r < 0)
                return r;
        entry = (RaftEntry){
                .term = CONF_CHANGES_BOOTSTRAP_TERM,
                .index = index,
                .payload = payload,
                .data = payload->data,
                .length = (uint32_t)payload->length,
                .type = RAFT_ENTRY_CONF_CHANGE,
        };
        return log_append_entry(log, &entry);
}

int replica_bootstrap(Disk *disk, const ReplicaConfig *config, const ReplicaMember *members, size_t count, Error *error) {
        LogOptions options = {.segment_size = config->segment_size, .random = config->random};
        _cleanup_(log_freep) Log *log = NULL;
        DiskJob *job;
        int r;

        r = log_exists(disk);
        if (r < 0)
                return error_set_errno(error, r, "cannot read the data directory");
        if (r > 0)
                return error_set(error, -EEXIST, "the data directory holds a member's log already");
        /* all in one batch: a crash leaves a member that is whole, or none */
        r = log_create(disk, &(LogIdentity){config->cluster, config->id}, &options, &log);
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = bootstrap_entry(log, &members[i], i + 1);
        if (r >= 0)
                r = log_append_hard_state(log, &(RaftHardState){.term = CONF_CHANGES_BOOTSTRAP_TERM, .commit = count});
        if (r >= 0)
                r = log_begin_write(log, &job);
        if (r >= 0)
                r = log_end_write(log, job->run(job));
        return r < 0 ? error_set_errno(error, r, "cannot write the first entries of the log") : 0;
}

static int load_snapshot(Replica *replica, const char *name, RaftSnapshot **ret_snapshot, Error *error) {
        _cleanup_(snapshot_file_closep) SnapshotFile *file = NULL;
        _cleanup_(snapshot_reader_freep) SnapshotReader *reader = NULL;
        const SnapshotMeta *meta;
        Slice payload;
        int r;

        r = snapshot_file_open(replica->disk, name, &file, error);
        if (r < 0)
                return r;
        r = snapshot_reader_new(&replica->config.tree, &reader);
        if (r < 0)
                return r;
        while ((r = snapshot_file_next(file, &payload, error)) > 0) {
                r = snapshot_reader_feed(reader, payload, error);
                if (r < 0)
                        return error_prefix(error, r, "%s", name);
        }
        if (r < 0)
                return r;
        r = snapshot_reader_finish(reader, &replica->tree, error);
        if (r < 0)
                return error_prefix(error, r, "%s", name);
        meta = snapshot_file_meta(file);
        return raft_snapshot_new(meta->index, meta->term, &meta->conf_state, NULL, ret_snapshot);
}

/* The newest that is sound. A damaged one is passed over: the log reaches back behind the one before it. */
static int load_newest_snapshot(Replica *replica, RaftSnapshot **ret_snapshot, StringList *damaged, Error *error) {
        _cleanup_string_list_ StringList names = {0};
        int r;

        r = snapshot_list(replica->disk, &names);
        if (r < 0)
                return error_set_errno(error, r, "cannot list the snapshots");
        for (size_t i = 0; i < names.length; i++) {
                r = load_snapshot(replica, names.items[i], ret_snapshot, error);
                if (r >= 0 || r != -EBADMSG)
                        return r;
                if (string_list_add(damaged, names.items[i]) < 0)
                        return -ENOMEM;
        }
        return r < 0 ? r : 0;
}

/* Once the server can do without them. They would be counted among those that are kept, in the place of sound ones. */
static void remove_damaged_snapshots(Replica *replica, const StringList *damaged) {
        /* one that stays is found again at the next start */
        for (size_t i = 0; i < damaged->length; i++)
                (void)replica->disk->ops->unlink(replica->disk, damaged->items[i]);
}

static int fill_storage(Replica *replica, RaftSnapshot *snapshot, LogRecovery *found) {
        RaftMemoryStorage *storage = &replica->storage;
        int r = 0;

        storage->hard_state = found->hard_state;
        replica->durable_commit = found->hard_state.commit;
        for (size_t i = 0; i < found->entries.length; i++)
                if (raft_entry_is_conf_change(&found->entries.items[i]))
                        replica->change_index = found->entries.items[i].index;
        if (snapshot) {
                r = raft_memory_storage_apply_snapshot(storage, snapshot);
                storage->conf_state = replica->configuration = snapshot->conf_state;
        }
        if (r >= 0)
                r = raft_memory_storage_append(storage, found->entries.items, found->entries.length);
        if (replica->config.all_is_committed)
                storage->hard_state.commit = raft_memory_storage_last_index(storage);
        return r;
}

static int start_core(Replica *replica, Error *error) {
        const ReplicaConfig *config = &replica->config;
        RaftConfig raft = {
                .id = config->id,
                .election_ticks = config->election_ticks,
                .heartbeat_ticks = 1,
                .storage = raft_memory_storage_ops(&replica->storage),
                .applied = replica->counts.applied_index,
                .random = replica->random,
                .max_message_size = config->message_size,
                .max_committed_size = RAFT_COMMITTED_SIZE,
                .max_inflight_messages = RAFT_INFLIGHT_MESSAGES,
                .max_inflight_bytes = RAFT_INFLIGHT_BYTES,
                .max_uncommitted_size = REPLICA_PROPOSAL_BYTES_MAX,
                .async_storage_writes = true,
                .check_quorum = true,
                .pre_vote = true,
                .read_only = RAFT_READ_ONLY_SAFE,
                .votes_tell_commit = true,
                .campaign_after_append = true,
        };

        /* the core takes a copy; draw on, so that two users never share a sequence */
        (void)random_u64(&replica->random);
        return raft_new(&raft, &replica->raft, error);
}

static int replica_recover(Replica *replica, Error *error) {
        LogOptions options = {.segment_size = replica->config.segment_size, .random = replica->random};
        _cleanup_raft_snapshot_ RaftSnapshot *snapshot = NULL;
        _cleanup_(log_recovery_deinit) LogRecovery found = {0};
        _cleanup_string_list_ StringList damaged = {0};
        Error damage = ERROR_NONE;
        int r;

        (void)random_u64(&replica->random);
        r = load_newest_snapshot(replica, &snapshot, &damaged, &damage);
        if (r < 0 && r != -EBADMSG)
                return error_set(error, r, "%s", damage.text);
        r = log_open(replica->disk, &options, snapshot ? snapshot->index : 0, snapshot ? snapshot->term : 0, &replica->log,
                     &found, error);
        if (r < 0)
                return damage.text[0] ? error_prefix(error, r, "%s; then", damage.text) : r;
        if (replica->config.id == RAFT_ID_NONE) {
                replica->config.id = found.identity.member;
                replica->config.cluster = found.identity.cluster;
        }
        if (found.identity.member != replica->config.id || found.identity.cluster != replica->config.cluster)
                return error_set(error, -EBADMSG,
                                 "the data directory belongs to member %" PRIx64 " of cluster %" PRIx64 ", not to member %" PRIx64
                                 " of cluster %" PRIx64 ": name another --data-dir, or correct --name, --initial-cluster and "
                                 "--initial-cluster-token",
                                 found.identity.member, found.identity.cluster, replica->config.id, replica->config.cluster);
        replica->counts.applied_index = snapshot ? snapshot->index : 0;
        replica->counts.applied_term = snapshot ? snapshot->term : 0;
        replica->previous_snapshot_index = replica->counts.applied_index;
        r = members_find_removed(replica, replica->config.id);
        if (r < 0)
                return r;
        if (r > 0)
                removal_noticed(replica);
        replica->recovery = (ReplicaRecovery){
                .snapshot_index = replica->counts.applied_index,
                .entries = found.entries.length,
                .commit = found.hard_state.commit,
                .cut_bytes = found.cut_bytes,
                .cut_offset = found.cut_offset,
        };
        memcpy(replica->recovery.cut_segment, found.cut_segment, sizeof(found.cut_segment));
        remove_damaged_snapshots(replica, &damaged);
        r = fill_storage(replica, snapshot, &found);
        return r < 0 ? r : start_core(replica, error);
}

int replica_open(const ReplicaConfig *config, Disk *disk, const ReplicaOps *ops, void *userdata, Replica **ret_replica,
                 Error *error) {
        Replica *replica = calloc(1, sizeof(*replica));
        int r;

        if (!replica)
                return -ENOMEM;
        *replica = (Replica){
                .config = *config, .disk = disk, .ops = ops, .userdata = userdata, .random = config->random};
        config_set_defaults(&replica->config);
        r = tree_init(&replica->tree, &config->tree);
        if (r < 0) {
                free(replica);
                return r;
        }
        requests_init(replica);
        changes_init(replica);
        r = replica_recover(replica, error);
        if (r < 0) {
                (void)replica_free(replica, false);
                return r;
        }
        *ret_replica = replica;
        return 0;
}

Replica *replica_free(Replica *replica, bool crash) {
        if (!replica)
                return NULL;
        requests_deinit(replica);
        changes_deinit(replica);
        transfer_deinit(replica);
        compact_abandon(replica);
        snapshot_writer_free(replica->snapshot_writer);
        persist_deinit(replica, crash);
        raft_ready_deinit(&replica->ready);
        raft_free(replica->raft);
        raft_memory_storage_deinit(&replica->storage);
        tree_deinit(&replica->tree);
        free(replica);
        return NULL;
}

/* ---- input ---- */

void replica_tick(Replica *replica, Usec now, WallUsec wall) {
        unsigned ticks = 0;
        int r = 0;

        replica->now = now;
        replica->wall = wall;
        if (!replica->ticked) {
                replica->ticked = true;
                replica->last_tick = now;
                compact_purge(replica); /* the last life may have ended before it did so */
        }
        while (r >= 0 && now - replica->last_tick >= replica->config.tick && ticks < TICKS_AT_ONCE) {
                replica->last_tick += replica->config.tick;
                ticks++;
                r = replica->failure ? 0 : raft_tick(replica->raft);
        }
        if (r < 0)
                replica_fail(replica, r, "the consensus core failed at a tick");
        if (now - replica->last_tick >= replica->config.tick)
                replica->last_tick = now;
        if (ticks == 0)
                return;
        requests_expire(replica);
        changes_tick(replica);
        transfer_tick(replica);
}

static int replica_step(Replica *replica, RaftMessage *message) {
        int r;

        follow_answered(replica, message);
        if (message->type == RAFT_MESSAGE_SNAPSHOT)
                r = transfer_receive_message(replica, message);
        else if (message->type == RAFT_MESSAGE_PROPOSE)
                r = changes_step_proposal(replica, message);
        else
                r = raft_step(replica->raft, message);
        if (r == -EBADMSG)
                return r;
        if (r < 0)
                replica_fail(replica, r, "the consensus core failed at a message");
        return 0;
}

void replica_note_time(Replica *replica, Usec now) {
        replica->now = max_of(replica->now, now);
}

/* Only who is in no configuration here is looked for among the removed. */
static bool sender_was_removed(const Replica *replica, uint64_t from) {
        const RaftConfState *state = raft_configuration(replica->raft);

        return !raft_ids_contain(&state->voters, from) && !raft_ids_contain(&state->learners, from) &&
               replica_is_removed(replica, from);
}

int replica_receive(Replica *replica, uint64_t from, RaftPayload *payload) {
        _cleanup_frame_ Frame frame = {0};
        int r;

        if (replica->failure)
                return 0;
        replica->counts.frames_received++;
        if (sender_was_removed(replica, from))
                return -EPERM;
        r = frame_decode(payload, &frame);
        if (r >= 0 && frame.kind == FRAME_RAFT && frame.message.to != replica->config.id)
                r = -EBADMSG;
        if (r >= 0) {
                if (frame.kind == FRAME_RAFT && frame.message.type == RAFT_MESSAGE_APPEND)
                        rate_window_add(&replica->appends_received, replica->now, payload->length);
                if (frame.kind == FRAME_RAFT)
                        r = replica_step(replica, &frame.message);
                else if (frame.kind == FRAME_SNAPSHOT_PIECE)
                        transfer_receive_piece(replica, from, &frame.piece);
                else
                        transfer_receive_answer(replica, from, &frame.piece);
        }
        if (r == -EBADMSG || r == -E2BIG)
                replica->counts.frames_bad++;
        return r;
}

void replica_report_unreachable(Replica *replica, uint64_t to) {
        int r = replica->failure ? 0 : raft_report_unreachable(replica->raft, to);

        follow_failed(replica, to);
        if (r < 0)
                replica_fail(replica, r, "the consensus core failed");
}

void replica_job_done(Replica *replica, DiskJob *job, int r) {
        if (!persist_job_done(replica, job, r) && !compact_job_done(replica, job, r) && !transfer_job_done(replica, job, r))
                assert(!"a job that is not ours");
}

bool replica_is_quiet(const Replica *replica) {
        return replica->proposal_count == 0 && replica->change_count == 0 && replica->held_count == 0;
}

size_t replica_pending(const Replica *replica) {
        return replica->proposal_count;
}

bool replica_append_rates(Replica *replica, bool sent, Rate *ret_rate) {
        return rate_window_read(sent ? &replica->appends_sent : &replica->appends_received, replica->now, ret_rate);
}

bool replica_hand_over(Replica *replica) {
        RaftStatus status;
        const RaftPeerStatus *best = NULL;

        if (replica->failure)
                return false;
        raft_status(replica->raft, &status);
        for (size_t i = 0; i < status.length; i++) {
                const RaftPeerStatus *peer = &status.peers[i];

                if (peer->id != replica->config.id && !peer->learner && peer->active && (!best || peer->match > best->match))
                        best = peer;
        }
        return best && raft_transfer_leader(replica->raft, best->id) >= 0;
}

/* ---- work ---- */

void replica_send_frame(Replica *replica, uint64_t to, bool bulk, Slice frame) {
        replica->counts.frames_sent++;
        replica->ops->send(replica->userdata, to, bulk, frame);
}

void replica_send_message(Replica *replica, const RaftMessage *message) {
        _cleanup_buffer_ Buffer frame = BUFFER_INIT;
        int r = frame_encode_raft(message, &frame);

        if (r < 0) /* as if lost on the way: the core sends it again */
                return;
        follow_sent(replica, message);
        if (message->type == RAFT_MESSAGE_APPEND)
                rate_window_add(&replica->appends_sent, replica->now, buffer_length(&frame));
        replica_send_frame(replica, message->to, false, (Slice){buffer_data(&frame), buffer_length(&frame)});
}

void replica_deliver(Replica *replica, RaftMessages *responses) {
        for (size_t i = 0; i < responses->length; i++) {
                RaftMessage *message = &responses->items[i];

                if (message->to != replica->config.id)
                        replica_send_message(replica, message);
                else if (raft_messages_take(&replica->local, message) < 0)
                        replica_fail(replica, -ENOMEM, "no memory for an answer of the disk");
        }
        raft_messages_clear(responses);
}

/* What the disk and the tree have done is news for the core, which may make more work of it. */
static void step_local(Replica *replica) {
        RaftMessages local = replica->local;

        replica->local = (RaftMessages){0};
        for (size_t i = 0; i < local.length && !replica->failure; i++) {
                int r = raft_step(replica->raft, &local.items[i]);

                if (r < 0)
                        replica_fail(replica, r, "the consensus core failed");
        }
        raft_messages_deinit(&local);
}

/* Hands a ready's messages of one destination class to their workers. */
static void carry_out_messages(Replica *replica, uint64_t to) {
        RaftMessages *messages = &replica->ready.messages;

        for (size_t i = 0; i < messages->length && !replica->failure; i++) {
                RaftMessage *message = &messages->items[i];
                uint64_t class = raft_id_is_local(message->to) ? message->to : RAFT_ID_NONE;
                int r = 0;

                if (class != to)
                        continue;
                if (to == RAFT_ID_APPEND_THREAD)
                        r = persist_add(replica, message);
                else if (to == RAFT_ID_APPLY_THREAD)
                        r = apply_message(replica, message);
                else if (message->type == RAFT_MESSAGE_SNAPSHOT)
                        transfer_send(replica, message);
                else
                        replica_send_message(replica, message);
                if (r < 0)
                        replica_fail(replica, r, "cannot carry out what the core asks for");
        }
}

/*
 * One ready, in the order that safety asks for. Entries, term and vote go to the disk as one batch, which runs beside all
 * that follows; what depends on it (answers to a leader, votes, the leader's own count) waits among the batch's responses.
 * Appends to the others leave at once (the paper, section 10.2.1). Only committed entries reach the tree, and only the
 * tree's results reach clients.
 */
static void carry_out_ready(Replica *replica) {
        carry_out_messages(replica, RAFT_ID_APPEND_THREAD);
        (void)persist_run(replica);
        carry_out_messages(replica, RAFT_ID_NONE);
        for (size_t i = 0; i < replica->ready.read_states.length; i++)
                requests_read_state(replica, &replica->ready.read_states.items[i]);
        carry_out_messages(replica, RAFT_ID_APPLY_THREAD);
        requests_serve_reads(replica);
}

static bool votes_alone(const RaftConfState *state, uint64_t id) {
        return state->voters.length == 1 && state->voters_outgoing.length == 0 && state->voters.items[0] == id;
}

/* Who votes alone has no leader to hear of: it stands for election as soon as it has applied what it knows to be committed,
 * once; should that not do, the clock goes on. True when there is something to do now. */
static bool stand_alone(Replica *replica) {
        const RaftConfState *state = raft_configuration(replica->raft);
        int r;

        if (replica->stood_alone || !replica->ticked)
                return false;
        replica->stood_alone = true;
        if (!votes_alone(state, replica->config.id))
                return false;
        r = raft_campaign(replica->raft);
        if (r < 0)
                replica_fail(replica, r, "the consensus core failed when it began an election");
        return true;
}

bool replica_run(Replica *replica) {
        bool more = false;
        int r;

        if (replica->failure)
                return false;
        requests_sync(replica);
        changes_run(replica);
        for (;;) {
                step_local(replica);
                requests_propose(replica);
                requests_read(replica);
                (void)persist_run(replica);
                if (replica->failure)
                        return false;
                if (raft_has_ready(replica->raft)) {
                        r = raft_ready(replica->raft, &replica->ready);
                        if (r < 0) {
                                replica_fail(replica, r, "the consensus core failed");
                                return false;
                        }
                        carry_out_ready(replica);
                } else if (replica->local.length == 0 && !stand_alone(replica)) {
                        if (!hub_has_ready(&replica->tree.hub))
                                break;
                        /* who has its event may ask the next thing at once */
                        hub_dispatch(&replica->tree.hub);
                }
        }
        more = install_run(replica);
        compact_consider(replica);
        more = compact_run(replica) || more;
        more = hub_has_ready(&replica->tree.hub) || more;
        return more && !replica->failure;
}

/* ---- looking in ---- */

Tree *replica_tree(Replica *replica) {
        return &replica->tree;
}

const Raft *replica_raft(const Replica *replica) {
        return replica->raft;
}

const RaftConfState *replica_configuration(const Replica *replica) {
        return &replica->configuration;
}

uint64_t replica_id(const Replica *replica) {
        return replica->config.id;
}

uint64_t replica_cluster(const Replica *replica) {
        return replica->config.cluster;
}

const ReplicaRecovery *replica_recovery(const Replica *replica) {
        return &replica->recovery;
}

ReplicaCounts replica_counts(const Replica *replica) {
        ReplicaCounts counts = replica->counts;
        LogStats log = log_stats(replica->log);

        counts.batches = log.batches;
        counts.batch_bytes = log.bytes;
        return counts;
}
