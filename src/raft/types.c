#include "raft/types.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "raft/varint.h"

enum { ENTRIES_CAPACITY_FIRST = 8 };

RaftEntry raft_entry_ref(const RaftEntry *entry) {
        (void)raft_payload_ref(entry->payload);
        return *entry;
}

void raft_entry_deinit(RaftEntry *entry) {
        (void)raft_payload_unref(entry->payload);
        *entry = (RaftEntry){0};
}

uint64_t raft_entry_size(const RaftEntry *entry) {
        uint64_t size = 3 + raft_varint_length(entry->type) + raft_varint_length(entry->term) +
                        raft_varint_length(entry->index);

        if (entry->payload)
                size += 1 + raft_varint_length(entry->length) + entry->length;
        return size;
}

void raft_entries_clear(RaftEntries *entries) {
        for (size_t i = 0; i < entries->length; i++)
                (void)raft_payload_unref(entries->items[i].payload);
        entries->items = entries->memory;
        entries->length = 0;
}

void raft_entries_deinit(RaftEntries *entries) {
        raft_entries_clear(entries);
        free(entries->memory);
        *entries = (RaftEntries){0};
}

int raft_entries_reserve(RaftEntries *entries, size_t count) {
        size_t before = (size_t)(entries->items - entries->memory), wanted, capacity, size;
        RaftEntry *memory;

        if (size_add_overflows(entries->length, count, &wanted))
                return -ENOMEM;
        if (wanted <= entries->capacity - before)
                return 0;
        if (wanted <= entries->capacity && before >= entries->capacity / 2) {
                /* at least half is free at the front: moving costs less than what was dropped there */
                memmove(entries->memory, entries->items, entries->length * sizeof(RaftEntry));
                entries->items = entries->memory;
                return 0;
        }
        /* at least doubled, also when dropping at the front has left a little room: else a queue that is nearly full
         * would be copied for every entry */
        if (entries->capacity == 0)
                capacity = min_of(wanted, (size_t)ENTRIES_CAPACITY_FIRST);
        else if (size_mul_overflows(entries->capacity, 2, &capacity))
                return -ENOMEM;
        while (capacity < wanted)
                if (size_mul_overflows(capacity, 2, &capacity))
                        return -ENOMEM;
        if (size_mul_overflows(capacity, sizeof(RaftEntry), &size))
                return -ENOMEM;
        memory = malloc(size);
        if (!memory)
                return -ENOMEM;
        if (entries->length > 0)
                memcpy(memory, entries->items, entries->length * sizeof(RaftEntry));
        free(entries->memory);
        entries->items = entries->memory = memory;
        entries->capacity = capacity;
        return 0;
}

int raft_entries_append_all(RaftEntries *entries, const RaftEntry *items, size_t count) {
        int r;

        if (count == 0)
                return 0;
        r = raft_entries_reserve(entries, count);
        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++)
                entries->items[entries->length++] = raft_entry_ref(&items[i]);
        return 0;
}

int raft_entries_append(RaftEntries *entries, const RaftEntry *entry) {
        return raft_entries_append_all(entries, entry, 1);
}

void raft_entries_drop_front(RaftEntries *entries, size_t count) {
        assert(count <= entries->length);
        for (size_t i = 0; i < count; i++)
                (void)raft_payload_unref(entries->items[i].payload);
        entries->length -= count;
        entries->items = entries->length > 0 ? entries->items + count : entries->memory;
}

void raft_entries_truncate(RaftEntries *entries, size_t length) {
        for (size_t i = length; i < entries->length; i++)
                (void)raft_payload_unref(entries->items[i].payload);
        entries->length = min_of(entries->length, length);
}

uint64_t raft_entries_size(const RaftEntries *entries) {
        uint64_t size = 0;

        for (size_t i = 0; i < entries->length; i++)
                size += raft_entry_size(&entries->items[i]);
        return size;
}

uint64_t raft_entries_payload_size(const RaftEntries *entries) {
        uint64_t size = 0;

        for (size_t i = 0; i < entries->length; i++)
                size += entries->items[i].length;
        return size;
}

size_t raft_entries_limit(const RaftEntry *items, size_t count, uint64_t max) {
        uint64_t size = 0;

        for (size_t i = 0; i < count; i++) {
                size += raft_entry_size(&items[i]);
                if (size > max && i > 0)
                        return i;
        }
        return count;
}

/* The place of `id`, or where it would go. */
static size_t ids_find(const RaftIds *ids, uint64_t id) {
        size_t i = 0;

        while (i < ids->length && ids->items[i] < id)
                i++;
        return i;
}

bool raft_ids_contain(const RaftIds *ids, uint64_t id) {
        size_t i = ids_find(ids, id);

        return i < ids->length && ids->items[i] == id;
}

int raft_ids_add(RaftIds *ids, uint64_t id) {
        size_t i = ids_find(ids, id);

        if (i < ids->length && ids->items[i] == id)
                return 0;
        if (ids->length == RAFT_MEMBERS_MAX)
                return -E2BIG;
        memmove(ids->items + i + 1, ids->items + i, (ids->length - i) * sizeof(uint64_t));
        ids->items[i] = id;
        ids->length++;
        return 0;
}

void raft_ids_remove(RaftIds *ids, uint64_t id) {
        size_t i = ids_find(ids, id);

        if (i == ids->length || ids->items[i] != id)
                return;
        memmove(ids->items + i, ids->items + i + 1, (ids->length - i - 1) * sizeof(uint64_t));
        ids->length--;
}

bool raft_ids_equal(const RaftIds *a, const RaftIds *b) {
        return a->length == b->length && memcmp(a->items, b->items, a->length * sizeof(uint64_t)) == 0;
}

bool raft_conf_state_equals(const RaftConfState *a, const RaftConfState *b) {
        return raft_ids_equal(&a->voters, &b->voters) && raft_ids_equal(&a->voters_outgoing, &b->voters_outgoing) &&
               raft_ids_equal(&a->learners, &b->learners) && raft_ids_equal(&a->learners_next, &b->learners_next) &&
               a->auto_leave == b->auto_leave;
}

static int conf_state_collect(const RaftIds *ids, RaftIds *all) {
        int r;

        for (size_t i = 0; i < ids->length; i++) {
                if (ids->items[i] == RAFT_ID_NONE || raft_id_is_local(ids->items[i]))
                        return -EINVAL;
                r = raft_ids_add(all, ids->items[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

int raft_conf_state_validate(const RaftConfState *state) {
        RaftIds all = {0};
        int r;

        r = conf_state_collect(&state->voters, &all);
        if (r >= 0)
                r = conf_state_collect(&state->voters_outgoing, &all);
        if (r >= 0)
                r = conf_state_collect(&state->learners, &all);
        if (r < 0)
                return r;
        if (all.length > 0 && state->voters.length == 0)
                return -EINVAL;
        for (size_t i = 0; i < state->learners.length; i++)
                if (raft_ids_contain(&state->voters, state->learners.items[i]) ||
                    raft_ids_contain(&state->voters_outgoing, state->learners.items[i]))
                        return -EINVAL;
        for (size_t i = 0; i < state->learners_next.length; i++)
                if (!raft_ids_contain(&state->voters_outgoing, state->learners_next.items[i]) ||
                    raft_ids_contain(&state->voters, state->learners_next.items[i]))
                        return -EINVAL;
        if (state->auto_leave && !raft_conf_state_is_joint(state))
                return -EINVAL;
        return 0;
}

int raft_snapshot_new(uint64_t index, uint64_t term, const RaftConfState *conf_state, RaftPayload *payload,
                      RaftSnapshot **ret_snapshot) {
        RaftSnapshot *snapshot;

        snapshot = malloc(sizeof(RaftSnapshot));
        if (!snapshot)
                return -ENOMEM;
        *snapshot = (RaftSnapshot){
                .references = 1,
                .index = index,
                .term = term,
                .payload = raft_payload_ref(payload),
        };
        if (conf_state)
                snapshot->conf_state = *conf_state;
        *ret_snapshot = snapshot;
        return 0;
}

RaftSnapshot *raft_snapshot_ref(RaftSnapshot *snapshot) {
        if (snapshot)
                snapshot->references++;
        return snapshot;
}

RaftSnapshot *raft_snapshot_unref(RaftSnapshot *snapshot) {
        if (!snapshot)
                return NULL;
        assert(snapshot->references > 0);
        if (--snapshot->references == 0) {
                (void)raft_payload_unref(snapshot->payload);
                free(snapshot);
        }
        return NULL;
}
