#include "checker-tree.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/siphash.h"
#include "store/replica/internal.h"
#include "world.h"

enum {
        HASH_INTERVAL = 400 * 1000, /* a tree is hashed that often at most */
        STORAGE_SLACK = 20000,      /* entries in memory beyond what is kept by intention */
};

void ledger_deinit(Ledger *ledger) {
        for (size_t i = 0; i < ledger->events_length; i++)
                event_unref(ledger->events[i]);
        free(ledger->events);
        free(ledger->entries);
        free(ledger->leaders);
        free(ledger->answers);
        free(ledger->values);
        *ledger = (Ledger){0};
}

/* Zeroed room for item `index` in a table; its length is always a power of two. */
static void *table_reserve(void *items, size_t *length, size_t size, size_t index) {
        size_t wanted = max_of(*length, (size_t)1024);

        if (index < *length)
                return items;
        while (wanted <= index)
                wanted *= 2;
        items = reallocarray(items, wanted, size);
        if (!items)
                abort();
        memset((char *)items + *length * size, 0, (wanted - *length) * size);
        *length = wanted;
        return items;
}

/* ---- values ---- */

uint64_t ledger_parse_value(Slice value) {
        uint64_t number;

        if (value.length < 2 || value.data[0] != 'v' ||
            str_parse_u64((Slice){value.data + 1, value.length - 1}, UINT64_MAX, &number) < 0)
                return 0;
        return number;
}

static void ledger_add_value(Ledger *ledger, uint64_t value) {
        if (ledger->values_length == ledger->values_capacity) {
                ledger->values_capacity = ledger->values_capacity ? ledger->values_capacity * 2 : 1024;
                ledger->values = reallocarray(ledger->values, ledger->values_capacity, sizeof(*ledger->values));
                if (!ledger->values)
                        abort();
        }
        ledger->values[ledger->values_length++] = value;
        ledger->values_sorted = false;
}

static int compare_values(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

bool ledger_has_value(Ledger *ledger, uint64_t value) {
        if (ledger->values_length == 0)
                return false;
        if (!ledger->values_sorted)
                qsort(ledger->values, ledger->values_length, sizeof(value), compare_values);
        ledger->values_sorted = true;
        return bsearch(&value, ledger->values, ledger->values_length, sizeof(value), compare_values);
}

bool ledger_is_complete(const Ledger *ledger) {
        size_t first = 0, last = ledger->events_length;

        while (last > 0 && !ledger->events[last - 1])
                last--;
        while (first < last && !ledger->events[first])
                first++;
        for (size_t i = first; i < last; i++)
                if (!ledger->events[i])
                        return false;
        return true;
}

/* ---- leaders ---- */

/* Leader completeness (the paper, section 3.6): whoever leads in the newest term has all that was ever committed. */
static void check_completeness(World *world, Server *server, uint64_t term) {
        const RaftMemoryStorage *storage = &server->replica->storage;
        size_t last = world->ledger.entries_length;
        uint64_t have;

        while (last > 0 && world->ledger.entries[last - 1].term == 0)
                last--;
        if (last == 0 || term < world->ledger.top_term)
                return;
        last--;
        if (raft_last_index(replica_raft(server->replica)) < last)
                world_violate(world,
                              "leader completeness: server %" PRIu64 " leads in term %" PRIu64
                              " with a log up to %" PRIu64 ", but entry %zu was committed",
                              server->id, term, raft_last_index(replica_raft(server->replica)), last);
        else if (raft_memory_storage_term(storage, last, &have) == 0 && have != world->ledger.entries[last].term)
                world_violate(world,
                              "leader completeness: server %" PRIu64 " leads in term %" PRIu64
                              " with entry %zu of term %" PRIu64 ", but that of term %" PRIu64 " was committed",
                              server->id, term, last, have, world->ledger.entries[last].term);
}

static void observe_leader(World *world, Server *server) {
        RaftBasicStatus status = raft_basic_status(replica_raft(server->replica));
        bool leading = status.soft_state.state == RAFT_LEADER;
        uint64_t term = status.hard_state.term;
        Ledger *ledger = &world->ledger;
        ServerView *view = &server->view;

        if (leading == view->leading && term == view->leading_term)
                return;
        if (view->leading && !leading)
                world_trace(world, server, "no longer leads");
        view->leading = leading;
        view->leading_term = term;
        if (!leading)
                return;
        world_trace(world, server, "leads in term %" PRIu64, term);
        world_count(world, COUNT_ELECTIONS, 1);
        ledger->leaders = table_reserve(ledger->leaders, &ledger->leaders_length, sizeof(*ledger->leaders), term);
        if (ledger->leaders[term].id != 0 &&
            (ledger->leaders[term].id != server->id || ledger->leaders[term].life != server->life)) {
                world_violate(world,
                              "election safety: in term %" PRIu64 " server %" PRIu64
                              " led already, and now server %" PRIu64,
                              term, ledger->leaders[term].id, server->id);
                return;
        }
        ledger->leaders[term].id = server->id;
        ledger->leaders[term].life = server->life;
        check_completeness(world, server, term);
        ledger->top_term = max_of(ledger->top_term, term);
        server_pass_moment(server, MOMENT_ELECTED);
        faults_elected(server);
}

/* ---- the log ---- */

static uint64_t entry_digest(const RaftEntry *entry) {
        return siphash24(entry->data, entry->length, (SipKey){entry->type, 1});
}

static void observe_entry(World *world, Server *server, const RaftEntry *entry) {
        Ledger *ledger = &world->ledger;
        LedgerEntry *known;
        uint64_t digest = entry_digest(entry);

        if (entry->index >= ledger->entries_length) {
                size_t from = ledger->entries_length, length = from;

                ledger->entries = table_reserve(ledger->entries, &length, sizeof(*known), entry->index);
                for (size_t i = from; i < length; i++)
                        ledger->entries[i].tree_index = UINT64_MAX;
                ledger->entries_length = length;
        }
        known = &ledger->entries[entry->index];
        if (known->term == 0) {
                world_count(world, COUNT_ENTRIES, 1);
                known->term = entry->term;
                known->digest = digest;
                return;
        }
        if (known->term != entry->term || known->digest != digest)
                world_violate(world,
                              "state machine safety: entry %" PRIu64 " was committed in term %" PRIu64
                              ", but server %" PRIu64 " applies another of term %" PRIu64,
                              entry->index, known->term, server->id, entry->term);
}

static void observe_log(World *world, Server *server, uint64_t applied) {
        const RaftMemoryStorage *storage = &server->replica->storage;
        ServerView *view = &server->view;
        uint64_t index = max_of(view->log_index, storage->base_index);

        if (applied < view->applied) {
                world_violate(world, "server %" PRIu64 " went back from entry %" PRIu64 " to %" PRIu64, server->id,
                              view->applied, applied);
                return;
        }
        view->applied = applied;
        while (index < applied && index < raft_memory_storage_last_index(storage) && !world->failed) {
                observe_entry(world, server, &storage->entries.items[index - storage->base_index]);
                index++;
        }
        view->log_index = max_of(index, applied);
        if (storage->entries.length > world->plan.snapshot_entries * 4 + world->plan.keep_entries + STORAGE_SLACK)
                world_violate(world, "server %" PRIu64 " keeps %zu entries in memory", server->id,
                              storage->entries.length);
}

/* ---- the tree ---- */

static bool sides_equal(const EventNode *a, const EventNode *b) {
        return slice_equals(value_slice(a->value), value_slice(b->value)) && a->has_value == b->has_value &&
               a->dir == b->dir && a->has_expiry == b->has_expiry && (!a->has_expiry || a->expiry == b->expiry) &&
               a->created == b->created && a->modified == b->modified;
}

static bool events_equal(const Event *a, const Event *b) {
        return a->action == b->action && a->refresh == b->refresh && a->has_previous == b->has_previous &&
               a->time == b->time && slice_equals(event_path(a), event_path(b)) && sides_equal(&a->node, &b->node) &&
               (!a->has_previous || sides_equal(&a->previous, &b->previous));
}

/* A key goes only when a leader's clock, as the log has it, has passed its time; and no clock has ever shown more. */
static void check_expiry(World *world, const Event *event) {
        world_count(world, COUNT_EXPIRED, 1);
        if (!event->has_previous || !event->previous.has_expiry || event->previous.expiry > event->time)
                world_violate(world, "the key %.*s expired at %" PRIi64 " although its time is %" PRIi64,
                              (int)event->path_length, event->path, event->time,
                              event->previous.has_expiry ? event->previous.expiry : -1);
        else if (event->time > world->ledger.wall_top)
                world_violate(world, "the key %.*s expired at %" PRIi64 ", a time that no clock has shown",
                              (int)event->path_length, event->path, event->time);
}

static void observe_event(World *world, Server *server, Event *event) {
        Ledger *ledger = &world->ledger;
        uint64_t index = event_index(event);

        ledger->events = table_reserve(ledger->events, &ledger->events_length, sizeof(Event *), index);
        if (!ledger->events[index]) {
                world_count(world, COUNT_CHANGES, 1);
                ledger->events[index] = event_ref(event);
                ledger_add_value(ledger, ledger_parse_value(value_slice(event->node.value)));
                if (event->action == EVENT_EXPIRE)
                        check_expiry(world, event);
                return;
        }
        if (!events_equal(ledger->events[index], event))
                world_violate(world, "change %" PRIu64 " was '%s %.*s', but is '%s %.*s' (or else) on server %" PRIu64,
                              index, event_action_name(ledger->events[index]->action),
                              (int)ledger->events[index]->path_length, ledger->events[index]->path,
                              event_action_name(event->action), (int)event->path_length, event->path, server->id);
}

static void observe_tree(World *world, Server *server) {
        const History *history = &replica_tree(server->replica)->history;
        ServerView *view = &server->view;
        uint64_t oldest = history_oldest(history), newest = history_newest(history), index;

        if (newest == 0)
                return;
        index = max_of(view->tree_index + 1, oldest);
        for (; index <= newest && !world->failed; index++)
                observe_event(world, server, history_at(history, (size_t)(index - oldest)));
        view->tree_index = newest;
}

/* The same index of the log means the same members. */
static void observe_configuration(World *world, Server *server, LedgerEntry *known, uint64_t applied) {
        uint64_t digest = configuration_digest(replica_configuration(server->replica));

        if (known->configuration == 0)
                known->configuration = digest;
        else if (known->configuration != digest)
                world_violate(world, "after entry %" PRIu64 " server %" PRIu64 " has another configuration than others had",
                              applied, server->id);
}

/* The same index of the log means the same tree, byte for byte. */
static void observe_hash(World *world, Server *server, uint64_t applied) {
        Tree *tree = replica_tree(server->replica);
        ServerView *view = &server->view;
        LedgerEntry *known;
        uint64_t hash;

        if (applied >= world->ledger.entries_length)
                return;
        known = &world->ledger.entries[applied];
        if (known->tree_index == UINT64_MAX) {
                known->tree_index = tree->index;
        } else if (known->tree_index != tree->index) {
                world_violate(world,
                              "after entry %" PRIu64 " the tree was at %" PRIu64 ", but on server %" PRIu64
                              " at %" PRIu64,
                              applied, known->tree_index, server->id, tree->index);
                return;
        }
        observe_configuration(world, server, known, applied);
        if (view->hash_at == applied || world->now < view->hash_next)
                return;
        check_members_of_tree(world, server);
        view->hash_at = applied;
        view->hash_next = world->now + HASH_INTERVAL;
        hash = tree_hash(tree) | 1;
        if (known->tree_hash == 0) {
                known->tree_hash = hash;
                return;
        }
        world_count(world, COUNT_TREES_COMPARED, 1);
        if (known->tree_hash != hash)
                world_violate(world, "the tree of server %" PRIu64 " is not what others had after entry %" PRIu64,
                              server->id, applied);
}

/* ---- answers ---- */

void ledger_answer(World *world, LedgerAnswer answer) {
        Ledger *ledger = &world->ledger;

        if (ledger->answers_length == ledger->answers_capacity) {
                ledger->answers_capacity = ledger->answers_capacity ? ledger->answers_capacity * 2 : 64;
                ledger->answers = reallocarray(ledger->answers, ledger->answers_capacity, sizeof(*ledger->answers));
                if (!ledger->answers)
                        abort();
        }
        ledger->answers[ledger->answers_length++] = answer;
        ledger->answered_index = max_of(ledger->answered_index, answer.raft_index);
        ledger->answered_tree = max_of(ledger->answered_tree, answer.tree_index);
}

static void check_answers(World *world, Server *server) {
        Ledger *ledger = &world->ledger;

        for (size_t i = 0; i < ledger->answers_length && !world->failed; i++) {
                const LedgerAnswer *answer = &ledger->answers[i];

                if (answer->raft_index < ledger->entries_length && ledger->entries[answer->raft_index].term != 0 &&
                    ledger->entries[answer->raft_index].term != answer->raft_term)
                        world_violate(world,
                                      "server %" PRIu64 " acknowledged a write as entry %" PRIu64 " of term %" PRIu64
                                      ", but that of term %" PRIu64 " was committed",
                                      server->id, answer->raft_index, answer->raft_term,
                                      ledger->entries[answer->raft_index].term);
        }
        ledger->answers_length = 0;
}

void ledger_observe(World *world, Server *server) {
        uint64_t applied = replica_counts(server->replica).applied_index;

        if (applied != server->view.applied || server->view.hash_at != applied) {
                observe_log(world, server, applied);
                observe_tree(world, server);
                observe_hash(world, server, applied);
        }
        check_answers(world, server);
        observe_leader(world, server);
        if (!world->failed)
                members_observe(world, server);
}

const Event *ledger_event(const Ledger *ledger, uint64_t index) {
        return index < ledger->events_length ? ledger->events[index] : NULL;
}
