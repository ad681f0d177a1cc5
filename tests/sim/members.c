/*
 * Changes of the membership while all else goes wrong: someone adds members, removes them, and replaces those whose disks are
 * lost. Like a careful person they do one thing at a time, ask again until they know how it ended, and never take away what a
 * majority needs.
 */
#include <inttypes.h>
#include <stdio.h>

#include "store/replica/internal.h"
#include "world.h"

enum { ASK_AGAIN = 700 * 1000, JOIN_DELAY = 2 * 1000 * 1000 };

/* ---- who takes part ---- */

/* The configuration of whoever has applied most: NULL when all are down. */
static const RaftConfState *newest_configuration(World *world) {
        Server *newest = NULL;

        for (size_t i = 0; i < world->length; i++) {
                Server *server = &world->servers[i];

                if (server->replica && (!newest || replica_counts(server->replica).applied_index >
                                                           replica_counts(newest->replica).applied_index))
                        newest = server;
        }
        return newest ? replica_configuration(newest->replica) : NULL;
}

/* Voters that are not known to be removed: what was seen may be old. */
static size_t count_voters(World *world, const RaftConfState *state) {
        size_t count = 0;

        for (size_t i = 0; i < state->voters.length; i++)
                count += !world->servers[state->voters.items[i] - 1].removed;
        return count;
}

/* Whether someone else knows for good of three voters, the target among them. A configuration that only the target has heard to
 * be committed would be lost with it: what it was before counts then. */
static bool may_be_lost(World *world, const Server *target) {
        for (size_t i = 0; i < world->length; i++) {
                const Server *server = &world->servers[i];
                const RaftConfState *state = server->replica ? replica_configuration(server->replica) : NULL;

                if (state && server != target && !server->removed && raft_ids_contain(&state->voters, target->id) &&
                    raft_ids_contain(&state->voters, server->id) && count_voters(world, state) >= 3 &&
                    server->replica->durable_commit >= server->replica->change_index)
                        return true;
        }
        return false;
}

bool server_is_member(const Server *server, const RaftConfState *state) {
        return raft_ids_contain(&state->voters, server->id) || raft_ids_contain(&state->learners, server->id);
}

Server *world_draw_server(World *world, Random *random) {
        Server *server;

        do
                server = &world->servers[random_below(random, world->length)];
        while (server->gone && world->present > 0);
        return server;
}

/* ---- the person ---- */

static void admin_finish(Admin *admin) {
        admin->step = ADMIN_IDLE;
        world_cancel(admin->world, &admin->timer);
}

static void admin_begin(Admin *admin, AdminStep step, Server *target) {
        admin->step = step;
        admin->target = target;
        world_schedule(admin->world, &admin->timer, admin->world->now);
}

/* A place for the next member, before anyone has agreed to it. */
static Server *world_add_server(World *world) {
        Server *server = server_add(world);

        server->joins = true;
        server->waits = true;
        return server;
}

static void admin_added(Admin *admin) {
        Server *server = admin->target;

        world_count(admin->world, COUNT_MEMBERS_ADDED, 1);
        server->waits = false;
        world_schedule(admin->world, &server->start,
                       admin->world->now + random_below(&admin->world->chance, JOIN_DELAY));
        admin_finish(admin);
}

static void admin_removed(Admin *admin) {
        World *world = admin->world;
        Server *target = admin->target;

        world_count(world, COUNT_MEMBERS_REMOVED, 1);
        target->removed = true;
        admin_finish(admin);
        if (target->lost && world->length < SERVERS_MAX)
                admin_begin(admin, ADMIN_ADD, world_add_server(world));
}

static void on_admin_done(void *userdata, const ReplicaResult *result) {
        Admin *admin = userdata;
        bool known = result->r == 0;

        admin->under_way = false;
        if (admin->world->ending)
                return;
        world_trace(admin->world, NULL, "the change of server %" PRIu64 " ends with %d, %d", admin->target->id,
                    result->r, result->code);
        if (!known) {
                world_count(admin->world, COUNT_MEMBERS_UNKNOWN, 1);
                return; /* the timer asks again */
        }
        switch (admin->step) {
        case ADMIN_ADD:
                if (result->code == 0 || result->code == REPLICA_MEMBER_EXISTS)
                        admin_added(admin);
                else
                        world_violate(admin->world, "adding server %" PRIu64 " was refused: %d", admin->target->id,
                                      result->code);
                break;
        case ADMIN_REMOVE:
                if (result->code == 0 || result->code == REPLICA_MEMBER_GONE || result->code == REPLICA_MEMBER_UNKNOWN)
                        admin_removed(admin);
                else
                        world_violate(admin->world, "removing server %" PRIu64 " was refused: %d", admin->target->id,
                                      result->code);
                break;
        default:
                admin_finish(admin);
        }
}

static void on_admin(World *world, Timer *timer) {
        Admin *admin = container_of(timer, Admin, timer);
        Server *at = world_draw_server(world, &world->chance);
        ReplicaChange change = {.id = admin->target->id};
        char attributes[64];

        world_schedule(world, timer, world->now + ASK_AGAIN);
        if (admin->under_way || !at->replica || at == admin->target || world->now < at->paused_until)
                return;
        (void)snprintf(attributes, sizeof(attributes), "{\"peerURLs\":[\"http://10.0.%u.%" PRIu64 ":2380\"]}",
                       admin->step == ADMIN_UPDATE ? 1U + (unsigned)random_below(&world->chance, 200) : 0U, change.id);
        change.attributes = attributes;
        change.kind = admin->step == ADMIN_ADD      ? REPLICA_CHANGE_ADD
                      : admin->step == ADMIN_REMOVE ? REPLICA_CHANGE_REMOVE
                                                    : REPLICA_CHANGE_UPDATE;
        if (replica_change_members(at->replica, &change, on_admin_done, admin) < 0)
                return;
        world_trace(world, at, "is asked to %s server %" PRIu64,
                    change.kind == REPLICA_CHANGE_ADD      ? "add"
                    : change.kind == REPLICA_CHANGE_REMOVE ? "remove"
                                                           : "update",
                    change.id);
        admin->under_way = true;
        server_wake(at);
}

void members_add(World *world) {
        const RaftConfState *state = newest_configuration(world);

        if (world->admin.step == ADMIN_IDLE && world->length < SERVERS_MAX && state &&
            count_voters(world, state) < VOTERS_MOST)
                admin_begin(&world->admin, ADMIN_ADD, world_add_server(world));
}

/* Learners too; but one voter stays. */
void members_remove(World *world, Server *target) {
        const RaftConfState *state = newest_configuration(world);

        if (world->admin.step != ADMIN_IDLE || !state || target->removed || target->waits ||
            count_voters(world, state) < 2)
                return;
        admin_begin(&world->admin, ADMIN_REMOVE, target);
}

bool members_can_replace(World *world, const Server *target) {
        return world->admin.step == ADMIN_IDLE && !target->removed && !target->gone && !target->waits &&
               may_be_lost(world, target);
}

/* Its disk is lost, and with it all that it ever promised: only another one may take its place. */
void members_replace(World *world, Server *target) {
        if (!members_can_replace(world, target))
                return;
        world_trace(world, target, "loses its disk for ever");
        world_count(world, COUNT_DISKS_LOST, 1);
        server_stop(target, true);
        server_leave(target);
        target->lost = true;
        admin_begin(&world->admin, ADMIN_REMOVE, target);
}

void members_update(World *world, Server *target) {
        if (world->admin.step != ADMIN_IDLE || target->removed || target->waits)
                return;
        admin_begin(&world->admin, ADMIN_UPDATE, target);
}

void members_init(World *world) {
        world->admin = (Admin){.world = world, .timer = TIMER_INIT(on_admin)};
}

/* Nothing new any more; what is under way may still come true. */
void members_end(World *world) {
        world_cancel(world, &world->admin.timer);
        for (size_t i = 0; i < world->length; i++)
                world->servers[i].waits = false;
}

/* ---- what must hold ---- */

static uint64_t ids_digest(const RaftIds *ids, uint64_t digest) {
        for (size_t i = 0; i < ids->length; i++)
                digest = (digest ^ ids->items[i]) * 0x9e3779b97f4a7c15u;
        return digest * 31 + ids->length;
}

uint64_t configuration_digest(const RaftConfState *state) {
        uint64_t digest = ids_digest(&state->voters, 1);

        digest = ids_digest(&state->voters_outgoing, digest);
        digest = ids_digest(&state->learners, digest);
        return ids_digest(&state->learners_next, digest) | 1;
}

/* The tree's list and the core's configuration are two pictures of the same. */
void check_members_of_tree(World *world, Server *server) {
        const RaftConfState *state = replica_configuration(server->replica);
        const Node *folder;
        size_t count = 0;

        if (tree_find(replica_tree(server->replica), slice_from(TREE_SYSTEM "/members"), &folder, NULL) == 0)
                count = children_count(&folder->children);
        if (count != state->voters.length + state->learners.length)
                world_violate(world,
                              "server %" PRIu64
                              " lists %zu members, but its configuration has %zu voters and %zu learners",
                              server->id, count, state->voters.length, state->learners.length);
        for (size_t i = 0; i < world->length; i++)
                if (members_find_removed(server->replica, world->servers[i].id) > 0 &&
                    server_is_member(&world->servers[i], state))
                        world_violate(world, "server %" PRIu64 " still counts server %zu, which was removed",
                                      server->id, i + 1);
}

/* The paper, section 3.6.2 and Figure 3.7: a leader commits entries of its own term, and with them those before. */
static void check_commit_term(World *world, Server *leader, uint64_t term, uint64_t commit) {
        uint64_t its_term;

        if (raft_memory_storage_term(&leader->replica->storage, commit, &its_term) == 0 && its_term != term)
                world_violate(world,
                              "server %" PRIu64 " commits entry %" PRIu64 " of term %" PRIu64
                              " while it leads in term %" PRIu64,
                              leader->id, commit, its_term, term);
}

/* The paper, section 3.6.2: a leader commits what a majority of the voters has on its disks; nobody else counts. */
static void check_commit(World *world, Server *leader, const RaftConfState *state, uint64_t term, uint64_t commit) {
        size_t have = 0;

        for (size_t i = 0; i < state->voters.length; i++) {
                Server *voter = &world->servers[state->voters.items[i] - 1];

                if (voter == leader)
                        have += raft_memory_storage_last_index(&leader->replica->storage) >= commit;
                else
                        have += voter->promise.append_term > term ||
                                (voter->promise.append_term == term && voter->promise.append_index >= commit);
        }
        if (have < state->voters.length / 2 + 1)
                world_violate(world,
                              "server %" PRIu64 " commits entry %" PRIu64 " in term %" PRIu64
                              ", but only %zu of %zu voters have acknowledged it",
                              leader->id, commit, term, have, state->voters.length);
}

/* The paper, section 3.4: a majority of the voters has elected it; nobody else counts. */
static void check_votes(World *world, Server *leader, const RaftConfState *state, uint64_t term) {
        size_t votes = 0;

        for (size_t i = 0; i < state->voters.length; i++) {
                Server *voter = &world->servers[state->voters.items[i] - 1];

                votes += voter == leader || voter->promise.term > term ||
                         (voter->promise.term == term && voter->promise.vote == leader->id);
        }
        if (votes < state->voters.length / 2 + 1)
                world_violate(world, "server %" PRIu64 " leads in term %" PRIu64 " by the votes of %zu of %zu voters",
                              leader->id, term, votes, state->voters.length);
}

/* The paper, section 4.1: the next change only when the last has taken force. */
static void check_one_change(World *world, Server *leader, uint64_t term) {
        const RaftMemoryStorage *storage = &leader->replica->storage;
        uint64_t applied = replica_counts(leader->replica).applied_index;
        size_t changes = 0;

        for (size_t i = storage->entries.length; i > 0; i--) {
                const RaftEntry *entry = &storage->entries.items[i - 1];

                if (entry->index <= applied)
                        break;
                changes += raft_entry_is_conf_change(entry) && entry->term == term;
        }
        if (changes > 1)
                world_violate(world, "server %" PRIu64 " has %zu changes of the members under way at once", leader->id,
                              changes);
}

/* A snapshot that is being made speaks of the members as they were at its index. */
static void check_snapshot(World *world, Server *server) {
        const SnapshotMeta *meta = &server->replica->snapshot_meta;
        const LedgerEntry *known =
                meta->index < world->ledger.entries_length ? &world->ledger.entries[meta->index] : NULL;

        if (server->replica->snapshot_writer && known && known->configuration != 0 &&
            known->configuration != configuration_digest(&meta->conf_state))
                world_violate(world,
                              "server %" PRIu64 " makes a snapshot of entry %" PRIu64 " with members of another time",
                              server->id, meta->index);
}

void members_observe(World *world, Server *server) {
        const RaftConfState *state = raft_configuration(replica_raft(server->replica));
        RaftBasicStatus status = raft_basic_status(replica_raft(server->replica));
        bool leads = status.soft_state.state == RAFT_LEADER;
        uint64_t digest = configuration_digest(state), term = status.hard_state.term, commit = status.hard_state.commit;
        ServerView *view = &server->view;

        check_snapshot(world, server);
        if (leads && digest == view->configuration) {
                /* a change within this step: what was counted, and how, is not to be seen any more */
                if (view->led_term != term)
                        check_votes(world, server, state, term);
                else if (commit > view->commit) {
                        check_commit_term(world, server, term, commit);
                        check_commit(world, server, state, term, commit);
                }
                check_one_change(world, server, term);
        }
        if (digest != view->configuration && view->configuration != 0)
                world_count(world, COUNT_CONFIGURATIONS, 1);
        view->configuration = digest;
        view->led_term = leads ? term : 0;
        view->commit = commit;
}
