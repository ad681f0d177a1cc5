#include "raft/unstable.h"

#include <assert.h>

void raft_unstable_deinit(RaftUnstable *unstable) {
        raft_entries_deinit(&unstable->entries);
        (void)raft_snapshot_unref(unstable->snapshot);
        *unstable = (RaftUnstable){0};
}

bool raft_unstable_term(const RaftUnstable *unstable, uint64_t index, uint64_t *ret_term) {
        if (index >= unstable->offset) {
                if (index - unstable->offset >= unstable->entries.length)
                        return false;
                *ret_term = unstable->entries.items[index - unstable->offset].term;
                return true;
        }
        if (!unstable->snapshot || unstable->snapshot->index != index)
                return false;
        *ret_term = unstable->snapshot->term;
        return true;
}

bool raft_unstable_first_index(const RaftUnstable *unstable, uint64_t *ret_index) {
        if (!unstable->snapshot)
                return false;
        *ret_index = unstable->snapshot->index + 1;
        return true;
}

bool raft_unstable_last_index(const RaftUnstable *unstable, uint64_t *ret_index) {
        if (unstable->entries.length > 0)
                *ret_index = unstable->offset + unstable->entries.length - 1;
        else if (unstable->snapshot)
                *ret_index = unstable->snapshot->index;
        else
                return false;
        return true;
}

const RaftEntry *raft_unstable_next_entries(const RaftUnstable *unstable, size_t *ret_length) {
        size_t in_progress = (size_t)(unstable->offset_in_progress - unstable->offset);

        *ret_length = unstable->entries.length - in_progress;
        return *ret_length > 0 ? unstable->entries.items + in_progress : NULL;
}

RaftSnapshot *raft_unstable_next_snapshot(const RaftUnstable *unstable) {
        return unstable->snapshot_in_progress ? NULL : unstable->snapshot;
}

void raft_unstable_accept(RaftUnstable *unstable) {
        unstable->offset_in_progress = unstable->offset + unstable->entries.length;
        unstable->snapshot_in_progress = unstable->snapshot != NULL;
}

void raft_unstable_stable_to(RaftUnstable *unstable, uint64_t term, uint64_t index) {
        uint64_t here;

        if (index < unstable->offset || !raft_unstable_term(unstable, index, &here) || here != term)
                return;
        raft_entries_drop_front(&unstable->entries, (size_t)(index + 1 - unstable->offset));
        unstable->offset = index + 1;
        unstable->offset_in_progress = max_of(unstable->offset_in_progress, unstable->offset);
}

void raft_unstable_stable_snapshot(RaftUnstable *unstable, uint64_t index) {
        if (!unstable->snapshot || unstable->snapshot->index != index)
                return;
        unstable->snapshot = raft_snapshot_unref(unstable->snapshot);
        unstable->snapshot_in_progress = false;
}

void raft_unstable_restore(RaftUnstable *unstable, RaftSnapshot *snapshot) {
        (void)raft_snapshot_ref(snapshot);
        (void)raft_snapshot_unref(unstable->snapshot);
        raft_entries_clear(&unstable->entries);
        unstable->snapshot = snapshot;
        unstable->snapshot_in_progress = false;
        unstable->offset = unstable->offset_in_progress = snapshot->index + 1;
}

int raft_unstable_append(RaftUnstable *unstable, const RaftEntry *items, size_t length) {
        uint64_t first = items[0].index;
        size_t keep;
        int r;

        assert(length > 0 && first <= unstable->offset + unstable->entries.length);
        r = raft_entries_reserve(&unstable->entries, length);
        if (r < 0)
                return r;
        /* The storage may have entries at and behind `first` (then keep is 0 and the offset steps back): those handed
         * out or stable there are replaced when the new ones are handed out. */
        keep = first > unstable->offset ? (size_t)(first - unstable->offset) : 0;
        raft_entries_truncate(&unstable->entries, keep);
        unstable->offset = min_of(unstable->offset, first);
        unstable->offset_in_progress = min_of(unstable->offset_in_progress, first);
        return raft_entries_append_all(&unstable->entries, items, length);
}
