#include "raft/memory-storage.h"

#include <errno.h>

void raft_memory_storage_deinit(RaftMemoryStorage *storage) {
        raft_entries_deinit(&storage->entries);
        (void)raft_snapshot_unref(storage->snapshot);
        *storage = (RaftMemoryStorage){0};
}

static int memory_initial_state(void *userdata, RaftHardState *ret_hard_state, RaftConfState *ret_conf_state) {
        const RaftMemoryStorage *storage = userdata;

        *ret_hard_state = storage->hard_state;
        *ret_conf_state = storage->conf_state;
        return 0;
}

static int memory_entries(void *userdata, uint64_t low, uint64_t high, uint64_t max_bytes, RaftEntries *entries) {
        const RaftMemoryStorage *storage = userdata;
        const RaftEntry *first;

        if (low <= storage->base_index)
                return RAFT_STORAGE_COMPACTED;
        if (high > raft_memory_storage_last_index(storage) + 1)
                return RAFT_STORAGE_UNAVAILABLE;
        first = storage->entries.items + (low - storage->base_index - 1);
        return raft_entries_append_all(entries, first, raft_entries_limit(first, (size_t)(high - low), max_bytes));
}

int raft_memory_storage_term(const RaftMemoryStorage *storage, uint64_t index, uint64_t *ret_term) {
        if (index < storage->base_index)
                return RAFT_STORAGE_COMPACTED;
        if (index > raft_memory_storage_last_index(storage))
                return RAFT_STORAGE_UNAVAILABLE;
        *ret_term = index == storage->base_index ? storage->base_term
                                                 : storage->entries.items[index - storage->base_index - 1].term;
        return 0;
}

static int memory_term(void *userdata, uint64_t index, uint64_t *ret_term) {
        return raft_memory_storage_term(userdata, index, ret_term);
}

static uint64_t memory_first_index(void *userdata) {
        return raft_memory_storage_first_index(userdata);
}

static uint64_t memory_last_index(void *userdata) {
        return raft_memory_storage_last_index(userdata);
}

static int memory_snapshot(void *userdata, RaftSnapshot **ret_snapshot) {
        RaftMemoryStorage *storage = userdata;

        if (!storage->snapshot)
                return RAFT_STORAGE_UNAVAILABLE;
        *ret_snapshot = raft_snapshot_ref(storage->snapshot);
        return 0;
}

RaftStorage raft_memory_storage_ops(RaftMemoryStorage *storage) {
        static const RaftStorageOps ops = {
                .initial_state = memory_initial_state,
                .entries = memory_entries,
                .term = memory_term,
                .first_index = memory_first_index,
                .last_index = memory_last_index,
                .snapshot = memory_snapshot,
        };

        return (RaftStorage){.ops = &ops, .userdata = storage};
}

static void count_bytes(RaftMemoryStorage *storage, size_t from, size_t to, bool add) {
        for (size_t i = from; i < to; i++) {
                uint64_t bytes = storage->entries.items[i].length;

                storage->bytes += add ? bytes : -bytes;
        }
}

int raft_memory_storage_append(RaftMemoryStorage *storage, const RaftEntry *items, size_t length) {
        size_t keep;
        int r;

        while (length > 0 && items[0].index <= storage->base_index) {
                items++;
                length--;
        }
        if (length == 0)
                return 0;
        if (items[0].index > raft_memory_storage_last_index(storage) + 1)
                return RAFT_MEMORY_STORAGE_GAP;
        r = raft_entries_reserve(&storage->entries, length);
        if (r < 0)
                return r;
        keep = (size_t)(items[0].index - storage->base_index - 1);
        count_bytes(storage, keep, storage->entries.length, false);
        raft_entries_truncate(&storage->entries, keep);
        r = raft_entries_append_all(&storage->entries, items, length);
        count_bytes(storage, keep, storage->entries.length, true);
        return r;
}

static bool is_old(const RaftMemoryStorage *storage, const RaftSnapshot *snapshot) {
        return storage->snapshot && snapshot->index <= storage->snapshot->index;
}

int raft_memory_storage_set_snapshot(RaftMemoryStorage *storage, RaftSnapshot *snapshot) {
        if (is_old(storage, snapshot))
                return RAFT_MEMORY_STORAGE_OLD;
        (void)raft_snapshot_unref(storage->snapshot);
        storage->snapshot = raft_snapshot_ref(snapshot);
        return 0;
}

int raft_memory_storage_apply_snapshot(RaftMemoryStorage *storage, RaftSnapshot *snapshot) {
        int r;

        r = raft_memory_storage_set_snapshot(storage, snapshot);
        if (r != 0)
                return r;
        raft_entries_clear(&storage->entries);
        storage->bytes = 0;
        storage->base_index = snapshot->index;
        storage->base_term = snapshot->term;
        storage->conf_state = snapshot->conf_state;
        return 0;
}

int raft_memory_storage_compact(RaftMemoryStorage *storage, uint64_t index) {
        size_t count;

        if (index <= storage->base_index)
                return RAFT_STORAGE_COMPACTED;
        if (index > raft_memory_storage_last_index(storage))
                return RAFT_STORAGE_UNAVAILABLE;
        count = (size_t)(index - storage->base_index);
        storage->base_term = storage->entries.items[count - 1].term;
        storage->base_index = index;
        count_bytes(storage, 0, count, false);
        raft_entries_drop_front(&storage->entries, count);
        return 0;
}
