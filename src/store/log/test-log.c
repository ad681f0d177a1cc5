#include "store/log/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <inttypes.h>
#include <stdio.h>
#include <cmocka.h>

#include "store/log/disk-directory.h"
#include "store/log/fake-disk.h"
#include "store/log/log-format.h"
#include "store/log/test-disk.h"

#define FIRST "log-0000000000000001"
#define SECOND "log-0000000000000002"
#define THIRD "log-0000000000000003"

enum { TERMS_MAX = 4096 };

static const LogIdentity identity = {.cluster = 0xc1, .member = 0xa1};

/* What a log says, after the snapshot that it is read with. */
typedef struct State {
        RaftHardState hard;
        uint64_t base, base_term; /* entries start behind it */
        size_t length;
        uint16_t terms[TERMS_MAX];
} State;

/* A member's log, the disk below it, and what must come back. */
typedef struct Bench {
        Random random;
        Disk *fake;
        TestDisk disk;
        Log *log;
        uint64_t segment_size;
        uint64_t snapshot_index, snapshot_term; /* safe on the disk */
        uint64_t previous_snapshot;             /* the one before it */
        State now;                              /* appended */
        State safe;                             /* acknowledged */
        size_t value_max;
} Bench;

static uint64_t state_last(const State *state) {
        return state->base + state->length;
}

static uint64_t state_term_at(const State *state, uint64_t index) {
        if (index == state->base)
                return state->base_term;
        return index > state->base && index <= state_last(state) ? state->terms[index - state->base - 1] : UINT64_MAX;
}

/* What must be found with a snapshot that may be newer than the log knows. */
static State state_join(const State *state, uint64_t index, uint64_t term) {
        State joined = {.hard = state->hard, .base = index, .base_term = term};

        assert_true(index >= state->base);
        if (state_term_at(state, index) == term) {
                joined.length = (size_t)(state_last(state) - index);
                memcpy(joined.terms, state->terms + (index - state->base), joined.length * sizeof(joined.terms[0]));
        }
        joined.hard.commit = max_of(joined.hard.commit, index);
        if (joined.hard.term < term)
                joined.hard = (RaftHardState){.term = term, .commit = joined.hard.commit};
        return joined;
}

/* Every entry has bytes of its own that index, term and a fixed seed give. */
static size_t value_of(uint64_t index, uint64_t term, size_t max, char *bytes) {
        Random random;
        size_t length;

        random_seed(&random, index * 1000003 + term);
        length = random_below(&random, max + 1);
        for (size_t i = 0; i < length; i++)
                bytes[i] = (char)random_u64(&random);
        return length;
}

static void bench_append(Bench *bench, uint64_t index, uint64_t term) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        _cleanup_free_ char *bytes = malloc(bench->value_max + 1);
        RaftEntry entry = {.term = term, .index = index};
        State *now = &bench->now;

        assert_int_equal(raft_payload_new(bytes, value_of(index, term, bench->value_max, bytes), &payload), 0);
        if (index % 7 != 0) { /* some have none */
                entry.payload = payload;
                entry.data = payload->data;
                entry.length = (uint32_t)payload->length;
        }
        assert_int_equal(log_append_entry(bench->log, &entry), 0);
        assert_true(index > now->base && index <= state_last(now) + 1 && index - now->base <= TERMS_MAX);
        now->terms[index - now->base - 1] = (uint16_t)term;
        now->length = (size_t)(index - now->base);
}

static void bench_hard_state(Bench *bench, uint64_t term, uint64_t vote, uint64_t commit) {
        bench->now.hard = (RaftHardState){term, vote, commit};
        assert_int_equal(log_append_hard_state(bench->log, &bench->now.hard), 0);
}

static int bench_write(Bench *bench) {
        DiskJob *job;
        int r;

        if (log_pending(bench->log) == 0)
                return 0;
        r = log_begin_write(bench->log, &job);
        if (r >= 0)
                r = log_end_write(bench->log, job->run(job));
        if (r >= 0)
                bench->safe = bench->now;
        return r;
}

static int bench_maintain(Bench *bench) {
        DiskJob *job;
        int r;

        assert_int_equal(log_begin_maintenance(bench->log, &job), 0);
        if (!job)
                return 0;
        r = job->run(job);
        log_end_maintenance(bench->log, r);
        return r;
}

static LogOptions bench_options(Bench *bench) {
        LogOptions options = {.segment_size = bench->segment_size, .random = bench->random};

        (void)random_u64(&bench->random);
        return options;
}

static int bench_create(Bench *bench) {
        LogOptions options = bench_options(bench);

        assert_int_equal(log_create(&bench->disk.disk, &identity, &options, &bench->log), 0);
        bench->now = bench->safe = (State){.hard = {0}};
        bench_hard_state(bench, 0, 0, 0);
        return bench_write(bench);
}

static void bench_init(Bench *bench, uint64_t seed, uint64_t segment_size) {
        *bench = (Bench){.segment_size = segment_size, .value_max = 300};
        random_seed(&bench->random, seed);
        bench->fake = fake_disk_new(&bench->random);
        assert_non_null(bench->fake);
        (void)random_u64(&bench->random);
        bench->disk = (TestDisk){.disk = {&test_disk_ops}, .behind = bench->fake};
}

static void bench_begin(Bench *bench, uint64_t seed, uint64_t segment_size) {
        bench_init(bench, seed, segment_size);
        assert_int_equal(bench_create(bench), 0);
}

static void bench_end(Bench *bench) {
        bench->log = log_free(bench->log);
        fake_disk_free(bench->fake);
}

static void check_entry(const Bench *bench, const RaftEntry *entry, uint64_t index, uint64_t term) {
        _cleanup_free_ char *bytes = malloc(bench->value_max + 1);
        size_t length = value_of(index, term, bench->value_max, bytes);

        assert_int_equal(entry->index, index);
        assert_int_equal(entry->term, term);
        assert_int_equal(entry->payload != NULL, index % 7 != 0);
        if (!entry->payload)
                return;
        assert_int_equal(entry->length, length);
        assert_memory_equal(entry->data, bytes, length);
}

static bool recovered_is(const State *state, const LogRecovery *found) {
        if (found->entries.length != state->length || !raft_hard_state_equals(&found->hard_state, &state->hard))
                return false;
        for (size_t i = 0; i < state->length; i++)
                if (found->entries.items[i].term != state->terms[i] || found->entries.items[i].index != state->base + i + 1)
                        return false;
        return true;
}

static int bench_open(Bench *bench, LogRecovery *ret_found, Error *error) {
        LogOptions options = bench_options(bench);

        bench->log = log_free(bench->log);
        return log_open(&bench->disk.disk, &options, bench->snapshot_index, bench->snapshot_term, &bench->log, ret_found, error);
}

/* Reads the log back: all that was acknowledged, and perhaps the batch that was on its way, as a whole. */
static void bench_reopen(Bench *bench) {
        _cleanup_(log_recovery_deinit) LogRecovery found = {0};
        State safe = state_join(&bench->safe, bench->snapshot_index, bench->snapshot_term);
        State now = state_join(&bench->now, bench->snapshot_index, bench->snapshot_term);
        Error error = ERROR_NONE;
        int r = bench_open(bench, &found, &error);

        if (r < 0)
                fail_msg("refused: %s", error.text);
        assert_memory_equal(&found.identity, &identity, sizeof(identity));
        if (recovered_is(&now, &found))
                bench->safe = bench->now = now;
        else if (recovered_is(&safe, &found))
                bench->safe = bench->now = safe;
        else
                fail_msg("recovered %zu entries, term %" PRIu64 ", commit %" PRIu64 "; acknowledged were %zu, %" PRIu64 ", %" PRIu64,
                         found.entries.length, found.hard_state.term, found.hard_state.commit, safe.length, safe.hard.term,
                         safe.hard.commit);
        for (size_t i = 0; i < found.entries.length; i++)
                check_entry(bench, &found.entries.items[i], bench->now.base + i + 1, bench->now.terms[i]);
}

static void bench_refused(Bench *bench, const char *name) {
        _cleanup_(log_recovery_deinit) LogRecovery found = {0};
        Error error = ERROR_NONE;

        assert_int_equal(bench_open(bench, &found, &error), -EBADMSG);
        if (!strstr(error.text, name))
                fail_msg("\"%s\" does not name %s", error.text, name);
}

/* `count` batches of one entry. */
static void bench_fill(Bench *bench, size_t count) {
        for (size_t i = 0; i < count; i++) {
                bench_append(bench, state_last(&bench->now) + 1, max_of(bench->now.hard.term, (uint64_t)1));
                bench_hard_state(bench, max_of(bench->now.hard.term, (uint64_t)1), 1, state_last(&bench->now));
                assert_int_equal(bench_write(bench), 0);
        }
}

/* ---- plain use ---- */

static void test_batches_come_back_after_many_restarts(void **state) {
        Bench bench;

        (void)state;
        bench_begin(&bench, 1, 4096);
        for (int i = 0; i < 30; i++) {
                bench_fill(&bench, random_below(&bench.random, 20));
                bench_reopen(&bench);
        }
        assert_true(bench.now.length > 100);
        assert_true(log_stats(bench.log).segments > 0);
        bench_end(&bench);
}

static void test_a_batch_larger_than_a_segment_is_written(void **state) {
        Bench bench;

        (void)state;
        bench_begin(&bench, 2, 2048);
        bench.value_max = 100000;
        bench_fill(&bench, 20);
        bench_reopen(&bench);
        assert_int_equal(bench.now.length, 20);
        bench_end(&bench);
}

static size_t count_segments(Disk *disk) {
        _cleanup_string_list_ StringList names = {0};
        size_t count = 0;

        assert_int_equal(disk->ops->list(disk, &names), 0);
        for (size_t i = 0; i < names.length; i++)
                count += str_starts_with(names.items[i], "log-");
        return count;
}

static void test_released_segments_go_and_the_spare_is_used(void **state) {
        Bench bench;
        size_t size;

        (void)state;
        bench_begin(&bench, 3, 4096);
        bench_fill(&bench, 200);
        assert_true(count_segments(bench.fake) > 5);
        while (!fake_disk_contents(bench.fake, "spare", &size)) {
                bench_fill(&bench, 1);
                assert_int_equal(bench_maintain(&bench), 0);
        }
        assert_non_null(fake_disk_contents(bench.fake, "spare", &size));
        assert_int_equal(size, 4096);
        bench.snapshot_index = state_last(&bench.now);
        bench.snapshot_term = 1;
        log_release(bench.log, bench.snapshot_index);
        assert_int_equal(bench_maintain(&bench), 0);
        assert_int_equal(count_segments(bench.fake), 1);
        for (int i = 0; i < 40 && fake_disk_contents(bench.fake, "spare", &size); i++)
                bench_fill(&bench, 1);
        assert_null(fake_disk_contents(bench.fake, "spare", &size));
        assert_int_equal(count_segments(bench.fake), 2);
        bench_reopen(&bench);
        bench_end(&bench);
}

/* ---- crashes ---- */

static void step_append(Bench *bench) {
        uint64_t term = max_of(bench->now.hard.term, (uint64_t)1);

        for (size_t n = 1 + random_below(&bench->random, 5); n > 0; n--)
                bench_append(bench, state_last(&bench->now) + 1, term);
        bench_hard_state(bench, term, bench->now.hard.vote, bench->now.hard.commit);
}

/* A new leader puts its own entries in the place of those that were not committed. */
static void step_overwrite(Bench *bench) {
        uint64_t term = bench->now.hard.term + 1, committed = max_of(bench->now.hard.commit, bench->now.base);
        uint64_t from = committed + 1 + random_below(&bench->random, state_last(&bench->now) - committed + 1);

        for (size_t n = 1 + random_below(&bench->random, 3); n > 0; n--)
                bench_append(bench, from++, term);
        bench_hard_state(bench, term, random_below(&bench->random, 4), bench->now.hard.commit);
}

static void step_commit(Bench *bench) {
        uint64_t committed = max_of(bench->now.hard.commit, bench->now.base);

        bench_hard_state(bench, max_of(bench->now.hard.term, (uint64_t)1), bench->now.hard.vote,
                         committed + random_below(&bench->random, state_last(&bench->now) - committed + 1));
}

/* A snapshot made here: of what is committed and safe. */
static void step_snapshot(Bench *bench) {
        uint64_t commit = min_of(bench->safe.hard.commit, state_last(&bench->safe));

        if (commit <= bench->snapshot_index || state_term_at(&bench->safe, commit) == UINT64_MAX)
                return;
        bench->previous_snapshot = bench->snapshot_index;
        bench->snapshot_term = state_term_at(&bench->safe, commit);
        bench->snapshot_index = commit;
        log_release(bench->log, bench->snapshot_index);
}

/* A snapshot of the leader, which replaces a log that is too short or went another way. */
static void step_install(Bench *bench) {
        State *now = &bench->now;
        uint64_t known = max_of(now->hard.commit, now->base), commit = max_of(known, bench->snapshot_index);
        uint64_t term = now->hard.term + 1, index = commit + 1 + random_below(&bench->random, state_last(now) + 5 - commit);

        bench->snapshot_index = index;
        bench->snapshot_term = term;
        assert_int_equal(log_append_snapshot(bench->log, index, term), 0);
        *now = (State){.hard = now->hard, .base = index, .base_term = term};
        bench_hard_state(bench, term, 0, index);
}

static int step(Bench *bench) {
        if (bench->now.length > TERMS_MAX - 100)
                step_snapshot(bench);
        switch (random_below(&bench->random, 20)) {
        case 0:
                step_overwrite(bench);
                break;
        case 1:
        case 2:
                step_commit(bench);
                break;
        case 3:
                if (log_pending(bench->log) == 0)
                        step_snapshot(bench);
                break;
        case 4:
                if (random_chance(&bench->random, 1, 4))
                        step_install(bench);
                break;
        case 5:
                return bench_maintain(bench);
        case 6:
        case 7:
        case 8:
        case 9:
        case 10:
                return bench_write(bench);
        default:
                step_append(bench);
        }
        return 0;
}

/* Stops at any call of the disk, by a kill (what was written stays) or a loss of power (what was not synced may go). */
static void run_until_stopped(Bench *bench) {
        int r = 0;

        bench->disk.calls = 0;
        bench->disk.stop = 1 + random_below(&bench->random, 60);
        while (r >= 0)
                r = step(bench);
        assert_int_equal(r, -EIO);
        bench->disk.stop = 0;
        bench->log = log_free(bench->log);
        if (random_chance(&bench->random, 2, 3))
                fake_disk_crash(bench->fake);
}

/* The start itself is stopped too, at each of its calls in turn. */
static void reopen_with_stops(Bench *bench) {
        for (uint64_t stop = 1; random_chance(&bench->random, 1, 3); stop++) {
                _cleanup_(log_recovery_deinit) LogRecovery found = {0};
                Error error = ERROR_NONE;
                int r;

                bench->disk.calls = 0;
                bench->disk.stop = stop;
                r = bench_open(bench, &found, &error);
                bench->disk.stop = 0;
                bench->log = log_free(bench->log);
                if (random_chance(&bench->random, 1, 2))
                        fake_disk_crash(bench->fake);
                if (r >= 0)
                        break;
                if (r != -EIO)
                        fail_msg("stopped at call %" PRIu64 ": %s", stop, error.text);
        }
}

static void test_nothing_acknowledged_is_lost_at_any_crash(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 400; seed++) {
                Bench bench;

                bench_begin(&bench, seed, seed % 2 ? 2048 : 8192);
                for (int i = 0; i < 8; i++) {
                        run_until_stopped(&bench);
                        reopen_with_stops(&bench);
                        bench_reopen(&bench);
                }
                bench_end(&bench);
        }
}

static void test_a_crash_within_the_first_write_leaves_no_log(void **state) {
        (void)state;
        for (uint64_t seed = 0; seed < 300; seed++) {
                Bench bench;
                int r;

                bench_init(&bench, seed, 4096);
                bench.disk.stop = 1 + seed % 6;
                assert_true(bench_create(&bench) < 0 || seed % 6 == 5);
                bench.disk.stop = 0;
                bench.log = log_free(bench.log);
                fake_disk_crash(bench.fake);
                r = log_exists(&bench.disk.disk);
                assert_true(r >= 0);
                if (r == 0)
                        assert_int_equal(bench_create(&bench), 0);
                else
                        bench_reopen(&bench);
                assert_int_equal(log_exists(&bench.disk.disk), 1);
                bench_end(&bench);
        }
}

static void test_a_batch_read_after_a_kill_is_safe_before_more_follows(void **state) {
        Bench bench;

        (void)state;
        for (uint64_t seed = 0; seed < 50; seed++) {
                bench_begin(&bench, seed, 8192);
                bench_fill(&bench, 3);
                bench_append(&bench, 4, 1);
                bench.disk.calls = 0;
                bench.disk.stop = 2; /* written, not synced */
                assert_int_equal(bench_write(&bench), -EIO);
                bench.disk.stop = 0;
                bench_reopen(&bench); /* the kernel still has it */
                assert_int_equal(bench.now.length, 4);
                bench.log = log_free(bench.log);
                fake_disk_crash(bench.fake);
                bench_reopen(&bench);
                assert_int_equal(bench.now.length, 4);
                bench_end(&bench);
        }
}

static void test_a_failed_write_or_sync_ends_all_writing(void **state) {
        (void)state;
        for (int sync = 0; sync < 2; sync++) {
                Bench bench;
                DiskJob *job;

                bench_begin(&bench, 5, 8192);
                bench_fill(&bench, 5);
                bench_append(&bench, 6, 1);
                *(sync ? &fake_disk_faults(bench.fake)->sync_fails : &fake_disk_faults(bench.fake)->write_fails) = 1000000;
                assert_int_equal(bench_write(&bench), -EIO);
                *fake_disk_faults(bench.fake) = (FakeDiskFaults){0};
                bench_append(&bench, 7, 1);
                assert_int_equal(log_begin_write(bench.log, &job), -EIO);
                assert_int_equal(log_begin_maintenance(bench.log, &job), 0);
                assert_null(job);
                bench.now.length = 6; /* the seventh never had a batch */
                bench_reopen(&bench);
                bench_end(&bench);
        }
}

static void test_a_full_disk_loses_nothing(void **state) {
        Bench bench;
        int r = 0;

        (void)state;
        bench_begin(&bench, 6, 4096);
        fake_disk_faults(bench.fake)->capacity = 40000;
        while (r >= 0) {
                bench_append(&bench, state_last(&bench.now) + 1, 1);
                r = bench_write(&bench);
        }
        assert_int_equal(r, -ENOSPC);
        fake_disk_faults(bench.fake)->capacity = 0;
        bench_reopen(&bench);
        assert_true(bench.now.length > 50);
        bench_end(&bench);
}

static void test_a_spare_that_cannot_be_filled_takes_no_room(void **state) {
        Bench bench;
        size_t size;
        int r = 0;

        (void)state;
        bench_begin(&bench, 6, 4096);
        for (int i = 0; i < 100 && r >= 0; i++) {
                bench_fill(&bench, 1);
                fake_disk_faults(bench.fake)->write_fails = 1000000;
                r = bench_maintain(&bench);
                fake_disk_faults(bench.fake)->write_fails = 0;
        }
        assert_int_equal(r, -EIO);
        assert_null(fake_disk_contents(bench.fake, "spare", &size));
        bench_end(&bench);
}

/* ---- damage ---- */

static void test_a_log_cut_at_any_byte_ends_at_a_batch(void **state) {
        _cleanup_free_ State *boundaries = calloc(200, sizeof(State));
        uint64_t ends[200];
        size_t count = 0, length;
        Bench bench;

        (void)state;
        bench_begin(&bench, 7, 80 << 10);
        bench.value_max = 1500;
        while (log_stats(bench.log).bytes < 66 << 10) {
                bench_fill(&bench, 1);
                ends[count] = log_stats(bench.log).bytes;
                boundaries[count++] = bench.safe;
                assert_true(count < 200);
        }
        bench.log = log_free(bench.log);
        assert_non_null(fake_disk_contents(bench.fake, FIRST, &length));
        bench.segment_size = 512;
        for (length = (size_t)ends[count - 1]; length > ends[count - 1] - (64 << 10) && length > ends[0]; length--) {
                _cleanup_(log_recovery_deinit) LogRecovery found = {0};
                Error error = ERROR_NONE;

                while (ends[count - 1] > length + LOG_BATCH_ALIGN - 1)
                        count--;
                fake_disk_set_length(bench.fake, FIRST, length);
                if (bench_open(&bench, &found, &error) < 0)
                        fail_msg("cut at %zu: %s", length, error.text);
                /* the padding of the last batch may go without harm */
                if (!recovered_is(&boundaries[count - 1], &found) &&
                    (ends[count - 1] <= length || !recovered_is(&boundaries[count - 2], &found)))
                        fail_msg("cut at %zu: %zu entries", length, found.entries.length);
                bench.log = log_free(bench.log);
                assert_int_equal(bench.fake->ops->unlink(bench.fake, SECOND), 0);
        }
        bench_end(&bench);
}

static void test_a_flipped_bit_in_the_middle_is_refused_with_file_and_offset(void **state) {
        size_t length, end = 0, refused = 0;
        Bench bench;
        char *bytes;

        (void)state;
        bench_begin(&bench, 8, 32 << 10);
        bench_fill(&bench, 60);
        end = (size_t)log_stats(bench.log).bytes;
        bench_fill(&bench, 2);
        bench.log = log_free(bench.log);
        for (size_t at = 0; at < end; at += 1 + at % 5) {
                _cleanup_(log_recovery_deinit) LogRecovery found = {0};
                Error error = ERROR_NONE;
                int r;

                bytes = fake_disk_contents(bench.fake, FIRST, &length);
                bytes[at] ^= (char)(1 << at % 8);
                r = bench_open(&bench, &found, &error);
                bench.log = log_free(bench.log);
                if (r >= 0) { /* a byte between batches */
                        assert_true(recovered_is(&bench.safe, &found));
                        assert_int_equal(bench.fake->ops->unlink(bench.fake, SECOND), 0);
                } else {
                        assert_int_equal(r, -EBADMSG);
                        assert_non_null(strstr(error.text, FIRST " is damaged at byte "));
                        refused++;
                }
                bytes = fake_disk_contents(bench.fake, FIRST, &length);
                bytes[at] ^= (char)(1 << at % 8);
        }
        assert_true(refused > end / 4);
        bench_reopen(&bench);
        bench_end(&bench);
}

static void test_damage_at_the_end_of_an_older_segment_names_that_segment(void **state) {
        size_t length;
        Bench bench;
        char *bytes;

        (void)state;
        bench_begin(&bench, 9, 4096);
        bench_fill(&bench, 60);
        bench.log = log_free(bench.log);
        bytes = fake_disk_contents(bench.fake, FIRST, &length);
        while (length > 0 && bytes[length - 1] == 0)
                length--;
        bytes[length - 1] ^= 1;
        bench_refused(&bench, FIRST " is damaged at byte ");
        bytes = fake_disk_contents(bench.fake, FIRST, &length);
        fake_disk_set_length(bench.fake, FIRST, 0);
        bench_refused(&bench, FIRST " is damaged at byte 0");
        bench_end(&bench);
}

static void test_a_missing_segment_is_refused(void **state) {
        static const char *const names[] = {FIRST, SECOND, THIRD};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                Bench bench;

                bench_begin(&bench, 10, 4096);
                bench_fill(&bench, 100);
                bench.log = log_free(bench.log);
                assert_int_equal(bench.fake->ops->unlink(bench.fake, names[i]), 0);
                bench_refused(&bench, i == 0 ? "entries are missing" : "the file before");
                bench_end(&bench);
        }
}

static void test_a_segment_of_another_log_is_refused(void **state) {
        Bench bench, other;
        char *to, *from;
        size_t length;

        (void)state;
        bench_begin(&bench, 11, 4096);
        bench_fill(&bench, 60);
        bench_begin(&other, 12, 4096);
        bench_fill(&other, 60);
        bench.log = log_free(bench.log);
        to = fake_disk_contents(bench.fake, SECOND, &length);
        from = fake_disk_contents(other.fake, SECOND, &length);
        memcpy(to, from, length);
        bench_refused(&bench, SECOND);
        bench_end(&bench);
        bench_end(&other);
}

static void test_a_commit_beyond_the_end_is_refused(void **state) {
        Bench bench;

        (void)state;
        bench_begin(&bench, 13, 4096);
        bench_fill(&bench, 3);
        bench_hard_state(&bench, 1, 1, 9);
        assert_int_equal(bench_write(&bench), 0);
        bench_refused(&bench, "its end is missing");
        bench_end(&bench);
}

/* ---- who replaces what ---- */

static void test_entries_are_overwritten_across_segments(void **state) {
        Bench bench;

        (void)state;
        bench_begin(&bench, 14, 2048);
        for (uint64_t i = 1; i <= 60; i++) {
                bench_append(&bench, i, 1);
                assert_int_equal(bench_write(&bench), 0);
        }
        assert_true(count_segments(bench.fake) > 4);
        for (uint64_t term = 2; term < 6; term++) {
                bench_append(&bench, 60 - 10 * term, term);
                bench_hard_state(&bench, term, 0, 0);
                assert_int_equal(bench_write(&bench), 0);
                bench_reopen(&bench);
        }
        bench_append(&bench, 2, 6);
        assert_int_equal(bench_write(&bench), 0);
        bench_reopen(&bench);
        assert_int_equal(bench.now.length, 2);
        bench_end(&bench);
}

/* The leader's snapshot lies inside a longer log that went another way; entries then follow on the snapshot. */
static void test_entries_behind_an_installed_snapshot_outlive_a_diverged_log(void **state) {
        Bench bench;

        (void)state;
        bench_begin(&bench, 15, 4096);
        bench_fill(&bench, 10);
        for (uint64_t i = 11; i <= 40; i++)
                bench_append(&bench, i, 2);
        bench_hard_state(&bench, 2, 0, 10);
        assert_int_equal(bench_write(&bench), 0);
        bench.snapshot_index = 25;
        bench.snapshot_term = 3;
        assert_int_equal(log_append_snapshot(bench.log, 25, 3), 0);
        bench.now = (State){.base = 25, .base_term = 3};
        bench_hard_state(&bench, 3, 0, 25);
        bench_append(&bench, 26, 3);
        assert_int_equal(bench_write(&bench), 0);
        bench_reopen(&bench);
        assert_int_equal(bench.now.length, 1);
        bench_reopen(&bench);
        assert_int_equal(bench.now.length, 1);
        bench_end(&bench);
}

/* The snapshot is safe, but the crash came before the log could say so. */
static void test_a_snapshot_that_the_log_does_not_know_of_is_followed(void **state) {
        static const uint64_t lengths[] = {0, 5, 40};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
                Bench bench;

                bench_begin(&bench, 16, 4096);
                for (uint64_t index = 1; index <= lengths[i]; index++)
                        bench_append(&bench, index, 1);
                bench_hard_state(&bench, 1, 1, 0);
                assert_int_equal(bench_write(&bench), 0);
                bench.snapshot_index = 30;
                bench.snapshot_term = 7;
                bench_reopen(&bench);
                assert_int_equal(bench.now.length, 0);
                assert_int_equal(bench.now.hard.term, 7);
                bench_append(&bench, 31, 7);
                assert_int_equal(bench_write(&bench), 0);
                bench_reopen(&bench);
                bench_reopen(&bench);
                assert_int_equal(bench.now.length, 1);
                bench_end(&bench);
        }
}

static void test_the_older_snapshot_serves_when_the_newer_is_damaged(void **state) {
        Bench bench;

        (void)state;
        bench_begin(&bench, 17, 4096);
        bench_fill(&bench, 60);
        bench.snapshot_index = 60; /* of all there is, and newer segments know of it */
        bench.snapshot_term = 1;
        log_release(bench.log, 20);
        assert_int_equal(bench_maintain(&bench), 0);
        bench_reopen(&bench);
        bench_reopen(&bench);
        bench.log = log_free(bench.log);
        bench.snapshot_index = 20;
        bench.now = bench.safe = (State){.hard = bench.safe.hard, .base = 20, .base_term = 1, .length = 40};
        for (size_t i = 0; i < 40; i++)
                bench.now.terms[i] = bench.safe.terms[i] = 1;
        bench_reopen(&bench);
        assert_int_equal(bench.now.length, 40);
        bench.snapshot_index = 2;
        bench_refused(&bench, "entries are missing");
        bench_end(&bench);
}

static void test_no_older_snapshot_serves_behind_one_that_was_installed(void **state) {
        Bench bench;

        (void)state;
        bench_begin(&bench, 18, 4096);
        bench_fill(&bench, 10);
        assert_int_equal(log_append_snapshot(bench.log, 50, 2), 0);
        assert_int_equal(bench_write(&bench), 0);
        bench.snapshot_index = 5;
        bench.snapshot_term = 1;
        bench_refused(&bench, "entries are missing");
        bench_end(&bench);
}

/* A new segment begins with term and vote of before the batch behind it, which may be torn while they are whole. */
static void test_a_torn_batch_behind_a_sound_segment_header_takes_its_vote_with_it(void **state) {
        LogBatchHeader header;
        size_t length;
        Bench bench;
        char *bytes;

        (void)state;
        bench_begin(&bench, 19, 1 << 20);
        bench_fill(&bench, 3);
        bench_reopen(&bench);
        bench_reopen(&bench);
        bench.segment_size = 512; /* the next batch begins a segment */
        bench_reopen(&bench);
        bench.value_max = 2000;
        bench_append(&bench, 4, 2);
        bench_hard_state(&bench, 2, 9, 3);
        assert_int_equal(bench_write(&bench), 0);
        bench.log = log_free(bench.log);
        bytes = fake_disk_contents(bench.fake, "log-0000000000000005", &length);
        assert_non_null(bytes);
        assert_int_equal(log_batch_parse(bytes, &header), 0);
        bytes[log_batch_size(header.length) + LOG_BATCH_HEADER + 3] ^= 4;
        bench.value_max = 300;
        bench.now = bench.safe = state_join(&bench.safe, 0, 0);
        bench.now.length = bench.safe.length = 3;
        bench.now.hard = bench.safe.hard = (RaftHardState){1, 1, 3};
        bench_reopen(&bench);
        bench_end(&bench);
}

/* A client stores the bytes of whole batches. They must pass for no batch: not where the log was cut, nor in a new segment
 * whose first batch is torn. */
static void append_raw(Bench *bench, uint64_t index, Slice value) {
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        RaftEntry entry = {.term = 1, .index = index};

        assert_int_equal(raft_payload_new(value.data, value.length, &payload), 0);
        entry.payload = payload;
        entry.data = payload->data;
        entry.length = (uint32_t)payload->length;
        assert_int_equal(log_append_entry(bench->log, &entry), 0);
}

static void crafted_batches(Buffer *value) {
        for (uint64_t number = 0; number < 64; number++) {
                _cleanup_buffer_ Buffer batch = BUFFER_INIT;
                uint32_t crc;

                assert_int_equal(buffer_append(&batch, (char[LOG_BATCH_HEADER]){0}, LOG_BATCH_HEADER), 0);
                log_put_hard_state(&batch, &(RaftHardState){99, 99, 1});
                assert_int_equal(log_batch_seal(&batch, 0, 0x1234, number + 3, 0, &crc), 0);
                for (size_t shift = 0; shift < 8; shift++) {
                        assert_int_equal(buffer_append(value, buffer_data(&batch), buffer_length(&batch)), 0);
                        assert_int_equal(buffer_append_byte(value, 0), 0);
                }
        }
}

static void test_a_value_that_looks_like_batches_is_none(void **state) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        (void)state;
        crafted_batches(&value);
        for (int roll = 0; roll < 2; roll++) {
                _cleanup_(log_recovery_deinit) LogRecovery found = {0};
                Error error = ERROR_NONE;
                size_t length, at = 0;
                Bench bench;
                char *bytes;

                bench_begin(&bench, 20, roll ? 4096 : 1 << 20);
                bench_fill(&bench, 4);
                at = (size_t)log_stats(bench.log).bytes;
                append_raw(&bench, 5, (Slice){buffer_data(&value), buffer_length(&value)});
                assert_int_equal(bench_write(&bench), 0);
                bench.log = log_free(bench.log);
                bytes = fake_disk_contents(bench.fake, roll ? SECOND : FIRST, &length);
                assert_non_null(bytes);
                memset(bytes + (roll ? 0 : at), 0, 512); /* the sector that did not reach the disk */
                if (bench_open(&bench, &found, &error) < 0)
                        fail_msg("%s", error.text);
                assert_int_equal(found.entries.length, 4);
                assert_int_equal(found.hard_state.term, 1);
                bench_end(&bench);
        }
}

/* The same sector is lost, but what follows it had been acknowledged. */
static void test_a_lost_first_sector_of_a_segment_in_use_is_refused(void **state) {
        size_t length;
        Bench bench;
        char *bytes;

        (void)state;
        bench_begin(&bench, 21, 8192);
        bench_fill(&bench, 60);
        bench.log = log_free(bench.log);
        bytes = fake_disk_contents(bench.fake, SECOND, &length);
        assert_non_null(bytes);
        memset(bytes, 0, 512);
        assert_null(fake_disk_contents(bench.fake, THIRD, &length));
        bench_refused(&bench, SECOND " is damaged at byte 0");
        assert_non_null(fake_disk_contents(bench.fake, SECOND, &length));
        bench_end(&bench);
}

/* ---- a real directory ---- */

static void test_a_real_directory_keeps_a_log(void **state) {
        char path[] = "/tmp/test-log-XXXXXX";
        Error error = ERROR_NONE;
        Disk *second = NULL;
        Bench bench;
        Disk *fake;

        (void)state;
        assert_non_null(mkdtemp(path));
        bench_init(&bench, 22, 4096);
        fake = bench.fake;
        assert_int_equal(disk_directory_new(path, NULL, &bench.disk.behind, &error), 0);
        bench.fake = NULL;
        assert_int_equal(log_exists(&bench.disk.disk), 0);
        assert_int_equal(bench_create(&bench), 0);
        assert_int_equal(disk_directory_new(path, NULL, &second, &error), -EBUSY);
        for (int i = 0; i < 5; i++) {
                bench_fill(&bench, 30);
                assert_int_equal(bench_maintain(&bench), 0);
                bench_reopen(&bench);
        }
        assert_int_equal(bench.now.length, 150);
        bench.snapshot_index = 150;
        bench.snapshot_term = 1;
        log_release(bench.log, 150);
        assert_int_equal(bench_maintain(&bench), 0);
        bench_reopen(&bench);
        assert_int_equal(count_segments(bench.disk.behind), 2);
        bench.log = log_free(bench.log);
        {
                _cleanup_string_list_ StringList names = {0};

                assert_int_equal(bench.disk.behind->ops->list(bench.disk.behind, &names), 0);
                for (size_t i = 0; i < names.length; i++)
                        assert_int_equal(bench.disk.behind->ops->unlink(bench.disk.behind, names.items[i]), 0);
        }
        disk_directory_free(bench.disk.behind);
        assert_int_equal(rmdir(path), 0);
        fake_disk_free(fake);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_batches_come_back_after_many_restarts),
                cmocka_unit_test(test_a_batch_larger_than_a_segment_is_written),
                cmocka_unit_test(test_released_segments_go_and_the_spare_is_used),
                cmocka_unit_test(test_nothing_acknowledged_is_lost_at_any_crash),
                cmocka_unit_test(test_a_crash_within_the_first_write_leaves_no_log),
                cmocka_unit_test(test_a_batch_read_after_a_kill_is_safe_before_more_follows),
                cmocka_unit_test(test_a_failed_write_or_sync_ends_all_writing),
                cmocka_unit_test(test_a_full_disk_loses_nothing),
                cmocka_unit_test(test_a_spare_that_cannot_be_filled_takes_no_room),
                cmocka_unit_test(test_a_log_cut_at_any_byte_ends_at_a_batch),
                cmocka_unit_test(test_a_flipped_bit_in_the_middle_is_refused_with_file_and_offset),
                cmocka_unit_test(test_damage_at_the_end_of_an_older_segment_names_that_segment),
                cmocka_unit_test(test_a_missing_segment_is_refused),
                cmocka_unit_test(test_a_segment_of_another_log_is_refused),
                cmocka_unit_test(test_a_commit_beyond_the_end_is_refused),
                cmocka_unit_test(test_entries_are_overwritten_across_segments),
                cmocka_unit_test(test_entries_behind_an_installed_snapshot_outlive_a_diverged_log),
                cmocka_unit_test(test_a_snapshot_that_the_log_does_not_know_of_is_followed),
                cmocka_unit_test(test_the_older_snapshot_serves_when_the_newer_is_damaged),
                cmocka_unit_test(test_no_older_snapshot_serves_behind_one_that_was_installed),
                cmocka_unit_test(test_a_torn_batch_behind_a_sound_segment_header_takes_its_vote_with_it),
                cmocka_unit_test(test_a_value_that_looks_like_batches_is_none),
                cmocka_unit_test(test_a_lost_first_sector_of_a_segment_in_use_is_refused),
                cmocka_unit_test(test_a_real_directory_keeps_a_log),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
