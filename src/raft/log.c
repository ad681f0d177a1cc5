#include "raft/log.h"

#include <assert.h>
#include <errno.h>

void raft_log_init(RaftLog *log, RaftStorage storage, uint64_t max_applying_size) {
        uint64_t before = storage.ops->first_index(storage.userdata) - 1;
        uint64_t last = storage.ops->last_index(storage.userdata);

        *log = (RaftLog){
                .storage = storage,
                .unstable = {.offset = last + 1, .offset_in_progress = last + 1},
                .committed = before,
                .applying = before,
                .applied = before,
                .max_applying_size = max_applying_size,
        };
}

void raft_log_deinit(RaftLog *log) {
        raft_unstable_deinit(&log->unstable);
}

uint64_t raft_log_first_index(const RaftLog *log) {
        uint64_t index;

        if (raft_unstable_first_index(&log->unstable, &index))
                return index;
        return log->storage.ops->first_index(log->storage.userdata);
}

uint64_t raft_log_last_index(const RaftLog *log) {
        uint64_t index;

        if (raft_unstable_last_index(&log->unstable, &index))
                return index;
        return log->storage.ops->last_index(log->storage.userdata);
}

int raft_log_term(const RaftLog *log, uint64_t index, uint64_t *ret_term) {
        if (raft_unstable_term(&log->unstable, index, ret_term))
                return 0;
        /* the term of the index before the first is known: appends need it */
        if (index + 1 < raft_log_first_index(log))
                return RAFT_STORAGE_COMPACTED;
        if (index > raft_log_last_index(log))
                return RAFT_STORAGE_UNAVAILABLE;
        return log->storage.ops->term(log->storage.userdata, index, ret_term);
}

int raft_log_last_term(const RaftLog *log, uint64_t *ret_term) {
        int r;

        r = raft_log_term(log, raft_log_last_index(log), ret_term);
        return r > 0 ? -EPROTO : r;
}

int raft_log_matches(const RaftLog *log, uint64_t term, uint64_t index) {
        uint64_t here;
        int r;

        r = raft_log_term(log, index, &here);
        if (r != 0)
                return r < 0 ? r : 0;
        return here == term;
}

int raft_log_is_up_to_date(const RaftLog *log, uint64_t term, uint64_t index) {
        uint64_t last_term;
        int r;

        r = raft_log_last_term(log, &last_term);
        if (r < 0)
                return r;
        return term > last_term || (term == last_term && index >= raft_log_last_index(log));
}

static int slice_storage(const RaftLog *log, uint64_t low, uint64_t high, uint64_t max_bytes, RaftEntries *entries) {
        int r;

        r = log->storage.ops->entries(log->storage.userdata, low, high, max_bytes, entries);
        /* what lies between the first index and the unstable tail is there: else the storage broke its word */
        return r == RAFT_STORAGE_UNAVAILABLE ? -EPROTO : r;
}

int raft_log_slice(const RaftLog *log, uint64_t low, uint64_t high, uint64_t max_bytes, RaftEntries *entries) {
        const RaftUnstable *unstable = &log->unstable;
        size_t before = entries->length, from, count, fit;
        uint64_t size = 0;
        int r;

        assert(low <= high && high <= raft_log_last_index(log) + 1);
        if (low < raft_log_first_index(log))
                return RAFT_STORAGE_COMPACTED;
        if (low == high)
                return 0;
        if (low < unstable->offset) {
                uint64_t cut = min_of(high, unstable->offset);

                r = slice_storage(log, low, cut, max_bytes, entries);
                if (r != 0)
                        return r;
                if (high <= unstable->offset || entries->length - before < cut - low)
                        return 0;
                for (size_t i = before; i < entries->length; i++)
                        size += raft_entry_size(&entries->items[i]);
                if (size >= max_bytes)
                        return 0;
        }
        from = low > unstable->offset ? (size_t)(low - unstable->offset) : 0;
        count = (size_t)(high - unstable->offset) - from;
        fit = raft_entries_limit(unstable->entries.items + from, count, max_bytes - size);
        /* "at least one" holds for the whole, not for this second part */
        if (fit == 1 && size > 0 && size + raft_entry_size(&unstable->entries.items[from]) > max_bytes)
                return 0;
        return raft_entries_append_all(entries, unstable->entries.items + from, fit);
}

int raft_log_entries(const RaftLog *log, uint64_t first, uint64_t max_bytes, RaftEntries *entries) {
        uint64_t last = raft_log_last_index(log);

        if (first > last)
                return 0;
        return raft_log_slice(log, first, last + 1, max_bytes, entries);
}

int raft_log_find_conflict_by_term(const RaftLog *log, uint64_t index, uint64_t term, uint64_t *ret_index,
                                   uint64_t *ret_term) {
        uint64_t here;
        int r;

        for (; index > 0; index--) {
                r = raft_log_term(log, index, &here);
                if (r < 0)
                        return r;
                if (r > 0)
                        here = 0;
                if (here <= term) {
                        *ret_index = index;
                        *ret_term = here;
                        return 0;
                }
        }
        *ret_index = *ret_term = 0;
        return 0;
}

int raft_log_append(RaftLog *log, const RaftEntry *items, size_t length) {
        if (length == 0)
                return 0;
        assert(items[0].index > log->committed);
        return raft_unstable_append(&log->unstable, items, length);
}

/* How many of the entries, from the first on, the log has already. */
static int count_known(const RaftLog *log, const RaftEntries *entries, size_t *ret_count) {
        size_t i;
        int r;

        for (i = 0; i < entries->length; i++) {
                r = raft_log_matches(log, entries->items[i].term, entries->items[i].index);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
        }
        *ret_count = i;
        return 0;
}

int raft_log_maybe_append(RaftLog *log, const RaftMessage *append, uint64_t *ret_last) {
        uint64_t last = append->index + append->entries.length;
        size_t known;
        int r;

        r = raft_log_matches(log, append->log_term, append->index);
        if (r <= 0)
                return r;
        r = count_known(log, &append->entries, &known);
        if (r < 0)
                return r;
        if (known < append->entries.length) {
                if (append->entries.items[known].index <= log->committed)
                        return -EPROTO;
                r = raft_log_append(log, append->entries.items + known, append->entries.length - known);
                if (r < 0)
                        return r;
        }
        r = raft_log_commit_to(log, min_of(append->commit, last));
        if (r < 0)
                return r;
        *ret_last = last;
        return 1;
}

int raft_log_commit_to(RaftLog *log, uint64_t index) {
        if (index <= log->committed)
                return 0;
        if (index > raft_log_last_index(log))
                return -EPROTO;
        log->committed = index;
        return 0;
}

int raft_log_maybe_commit(RaftLog *log, uint64_t term, uint64_t index) {
        int r;

        if (term == 0 || index <= log->committed)
                return 0;
        r = raft_log_matches(log, term, index);
        if (r > 0)
                log->committed = index;
        return r;
}

void raft_log_restore(RaftLog *log, RaftSnapshot *snapshot) {
        log->committed = snapshot->index;
        raft_unstable_restore(&log->unstable, snapshot);
}

int raft_log_snapshot(const RaftLog *log, RaftSnapshot **ret_snapshot) {
        if (log->unstable.snapshot) {
                *ret_snapshot = raft_snapshot_ref(log->unstable.snapshot);
                return 0;
        }
        return log->storage.ops->snapshot(log->storage.userdata, ret_snapshot);
}

static uint64_t max_appliable(const RaftLog *log, bool allow_unstable) {
        return allow_unstable ? log->committed : min_of(log->committed, log->unstable.offset - 1);
}

bool raft_log_has_committed(const RaftLog *log, bool allow_unstable) {
        return !log->applying_paused && !log->unstable.snapshot &&
               log->applying < max_appliable(log, allow_unstable);
}

int raft_log_next_committed(const RaftLog *log, bool allow_unstable, RaftEntries *entries) {
        int r;

        if (!raft_log_has_committed(log, allow_unstable))
                return 0;
        assert(log->max_applying_size > log->applying_size);
        r = raft_log_slice(log, log->applying + 1, max_appliable(log, allow_unstable) + 1,
                           log->max_applying_size - log->applying_size, entries);
        return r > 0 ? -EPROTO : r;
}

void raft_log_accept_applying(RaftLog *log, uint64_t index, uint64_t size, bool allow_unstable) {
        assert(index <= log->committed);
        log->applying = index;
        log->applying_size += size;
        /* what did not fit waits for the first completion even if a little room is left: pages stay whole */
        log->applying_paused = log->applying_size >= log->max_applying_size ||
                               index < max_appliable(log, allow_unstable);
}

void raft_log_applied_to(RaftLog *log, uint64_t index, uint64_t size) {
        assert(index <= log->committed && index >= log->applied);
        log->applied = index;
        log->applying = max_of(log->applying, index);
        log->applying_size -= min_of(log->applying_size, size);
        log->applying_paused = log->applying_size >= log->max_applying_size;
}
