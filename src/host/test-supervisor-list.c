#include "host/test-supervisor-list.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <cmocka.h>

static const TestBackend *the_backend;

typedef struct Fixture {
        Supervisor *supervisor;
        void *backend;
        char states[1024]; /* "active/sub " of the unit in question, as told */
        SupervisorState last;
        bool in_operation, closed;
        size_t listed;
        char listed_tag[64];
        bool listed_start_asked;
        char asked[64]; /* names of all of which that is known */
        char log[256];
        bool log_ended;
} Fixture;

/* The end of one operation. */
typedef struct Outcome {
        Fixture *fixture;
        bool done;
        int r;
        Error error;
} Outcome;

static void on_changed(void *userdata, const char *name, const SupervisorState *state) {
        Fixture *f = userdata;
        size_t length = strlen(f->states);

        assert_false(f->in_operation);
        assert_non_null(name);
        f->last = *state;
        if (length < sizeof(f->states) - 2 * SUPERVISOR_WORD_MAX - 2)
                (void)snprintf(f->states + length, sizeof(f->states) - length, "%s/%s ", state->active, state->sub);
}

static void on_done(void *userdata, int r, const Error *error) {
        Outcome *outcome = userdata;

        assert_false(outcome->fixture->in_operation);
        assert_false(outcome->done);
        outcome->done = true;
        outcome->r = r;
        outcome->error = *error;
}

static const SupervisorEvents events = {.changed = on_changed};

/* The socket's name is this process's own: tests may run beside each other. */
static const char *listening_unit(void) {
        static char text[64];

        (void)snprintf(text, sizeof(text), "[Socket]\nListenStream=@faering-supervisor-test-%d\n", getpid());
        return text;
}

const char *supervisor_test_unit(TestBehaviour behaviour) {
        static const char *const texts[] = {
                [TEST_RUNS] = "[Service]\nExecStart=/bin/sh -c 'echo hello; exec sleep 60'\n",
                [TEST_FAILS] = "[Service]\nType=oneshot\nExecStart=/bin/false\n",
                [TEST_HANGS] = "[Service]\nType=notify\nExecStart=/bin/sleep 60\n",
                [TEST_COMPLETES] = "[Service]\nType=oneshot\nExecStart=/bin/true\n",
                [TEST_RELOADS] = ("[Service]\nExecStart=/bin/sh -c 'echo hello; exec sleep 60'\nExecReload=/bin/kill -0 $MAINPID\n"
                                  "[Install]\nWantedBy=multi-user.target\n"),
                [TEST_WAITS] = "[Timer]\nOnActiveSec=1h\n",
                [TEST_WATCHES] = "[Path]\nPathExists=/nonexistent/file\n",
                [TEST_RETURNS] = "[Service]\nRestart=always\nRestartSec=100ms\nExecStart=/bin/sleep 60\n",
                [TEST_FOLLOWS] = ("[Unit]\nBindsTo=main.service\nAfter=main.service\n[Service]\nExecStart=/bin/sleep 60\n"
                                  "[Install]\nWantedBy=main.service\nAlias=sidekick.service\n"),
                [TEST_CONFLICTS] = "[Unit]\nConflicts=main.service\nAfter=main.service\n[Service]\nExecStart=/bin/sleep 60\n",
                [TEST_UPHOLDS] = "[Unit]\nUpholds=main.service\n[Service]\nExecStart=/bin/sleep 60\n",
                [TEST_IS_PART] = ("[Unit]\nPartOf=main.service\nWants=sidekick.service\n[Service]\nExecStart=/bin/sleep 60\n"),
        };

        return behaviour == TEST_LISTENS ? listening_unit() : texts[behaviour];
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        f->supervisor = the_backend->open(&events, f, &f->backend);
        *state = f;
        return f->supervisor ? 0 : -1;
}

static void on_closed(void *userdata) {
        ((Fixture *)userdata)->closed = true;
}

static int teardown(void **state) {
        Fixture *f = *state;

        if (f->supervisor) {
                supervisor_close(f->supervisor, on_closed, f);
                while (!f->closed)
                        the_backend->turn(f->backend);
        }
        the_backend->release(f->backend);
        free(f);
        return 0;
}

static int wait_for(Outcome *outcome) {
        outcome->fixture->in_operation = false;
        while (!outcome->done)
                the_backend->turn(outcome->fixture->backend);
        return outcome->r;
}

#define BEGIN(f)                                      \
        Outcome outcome = {.fixture = (f)};           \
        (f)->in_operation = true

static int load_text(Fixture *f, const char *name, const char *text) {
        BEGIN(f);
        supervisor_load(f->supervisor, name, slice_from(text), "tag-1", on_done, &outcome);
        return wait_for(&outcome);
}

static void load(Fixture *f, const char *name, TestBehaviour behaviour) {
        assert_int_equal(load_text(f, name, the_backend->unit(f->backend, name, behaviour)), 0);
        BEGIN(f);
        supervisor_reread(f->supervisor, on_done, &outcome);
        assert_int_equal(wait_for(&outcome), 0);
}

static int start(Fixture *f, const char *name) {
        BEGIN(f);
        supervisor_start(f->supervisor, name, on_done, &outcome);
        return wait_for(&outcome);
}

static int stop(Fixture *f, const char *name) {
        BEGIN(f);
        supervisor_stop(f->supervisor, name, on_done, &outcome);
        return wait_for(&outcome);
}

static int unload(Fixture *f, const char *name) {
        BEGIN(f);
        supervisor_unload(f->supervisor, name, on_done, &outcome);
        return wait_for(&outcome);
}

static void wait_for_active(Fixture *f, const char *active) {
        while (!str_equals(f->last.active, active))
                the_backend->turn(f->backend);
}

static void test_a_unit_is_loaded_started_stopped_and_unloaded(void **state) {
        Fixture *f = *state;
        SupervisorState now;

        load(f, "web.service", TEST_RUNS);
        assert_int_equal(supervisor_state(f->supervisor, "web.service", &now), 0);
        assert_string_equal(now.load, "loaded");
        assert_string_equal(now.active, "inactive");
        assert_string_equal(now.sub, "dead");
        assert_int_equal(start(f, "web.service"), 0);
        wait_for_active(f, "active");
        assert_string_equal(f->last.sub, "running");
        assert_true(f->last.main_pid > 0);
        assert_int_equal(stop(f, "web.service"), 0);
        wait_for_active(f, "inactive");
        assert_string_equal(f->last.sub, "dead");
        assert_string_equal(f->last.result, "success");
        assert_int_equal(f->last.main_pid, 0);
        assert_int_equal(unload(f, "web.service"), 0);
        assert_int_equal(supervisor_state(f->supervisor, "web.service", &now), -ENOENT);
        assert_string_equal(f->last.load, "not-found");
}

static void test_starting_what_runs_and_stopping_what_does_not_is_success(void **state) {
        Fixture *f = *state;
        pid_t pid;

        load(f, "web.service", TEST_RUNS);
        assert_int_equal(stop(f, "web.service"), 0);
        assert_int_equal(start(f, "web.service"), 0);
        wait_for_active(f, "active");
        pid = f->last.main_pid;
        assert_int_equal(start(f, "web.service"), 0);
        assert_int_equal(f->last.main_pid, pid);
}

static void test_operations_on_units_that_are_not_loaded(void **state) {
        Fixture *f = *state;
        SupervisorState now;

        assert_int_equal(start(f, "no.service"), -ENOENT);
        assert_int_equal(stop(f, "no.service"), -ENOENT);
        assert_int_equal(unload(f, "no.service"), 0);
        assert_int_equal(supervisor_state(f->supervisor, "no.service", &now), -ENOENT);
}

static void test_a_bad_text_is_refused_and_changes_nothing(void **state) {
        Fixture *f = *state;
        SupervisorState now;

        assert_int_equal(load_text(f, "bad.service", "[Service\nExecStart=/bin/true\n"), -EINVAL);
        assert_int_equal(supervisor_state(f->supervisor, "bad.service", &now), -ENOENT);
        assert_int_equal(load_text(f, "../bad.service", "[Service]\nExecStart=/bin/true\n"), -EINVAL);
}

static void test_a_failing_start_says_so(void **state) {
        Fixture *f = *state;

        load(f, "web.service", TEST_FAILS);
        BEGIN(f);
        supervisor_start(f->supervisor, "web.service", on_done, &outcome);
        assert_int_equal(wait_for(&outcome), -EREMOTEIO);
        assert_non_null(strstr(outcome.error.text, "web.service"));
        wait_for_active(f, "failed");
        assert_string_equal(f->last.sub, "failed");
        assert_string_equal(f->last.result, "exit-code");
        assert_int_equal(f->last.exit_code, CLD_EXITED);
        assert_int_equal(f->last.exit_status, 1);
}

static void test_a_oneshot_ends_with_success(void **state) {
        Fixture *f = *state;

        load(f, "job.service", TEST_COMPLETES);
        assert_int_equal(start(f, "job.service"), 0);
        wait_for_active(f, "inactive");
        assert_string_equal(f->last.result, "success");
        assert_non_null(strstr(f->states, "activating/start"));
}

static void test_a_stop_cuts_a_start_short(void **state) {
        Fixture *f = *state;
        Outcome started = {.fixture = f};

        load(f, "web.service", TEST_HANGS);
        supervisor_start(f->supervisor, "web.service", on_done, &started);
        wait_for_active(f, "activating");
        assert_int_equal(stop(f, "web.service"), 0);
        assert_int_equal(wait_for(&started), -ECANCELED);
        wait_for_active(f, "inactive");
}

static void test_unloading_stops_first(void **state) {
        Fixture *f = *state;

        load(f, "web.service", TEST_RUNS);
        assert_int_equal(start(f, "web.service"), 0);
        assert_int_equal(unload(f, "web.service"), 0);
        assert_non_null(strstr(f->states, "deactivating/stop-sigterm"));
        assert_string_equal(f->last.load, "not-found");
}

static void on_unit(void *userdata, const SupervisorUnit *unit) {
        Fixture *f = ((Outcome *)userdata)->fixture;

        f->listed++;
        (void)snprintf(f->listed_tag, sizeof(f->listed_tag), "%s", unit->tag);
        f->listed_start_asked = unit->start_asked;
        if (unit->start_asked)
                (void)snprintf(f->asked + strlen(f->asked), sizeof(f->asked) - strlen(f->asked), "%s ", unit->name);
        assert_true(unit->text.length > 0);
}

static void test_the_list_has_tag_and_whether_it_was_started(void **state) {
        Fixture *f = *state;

        load(f, "web.service", TEST_RUNS);
        assert_int_equal(start(f, "web.service"), 0);
        BEGIN(f);
        supervisor_list(f->supervisor, on_unit, on_done, &outcome);
        assert_int_equal(wait_for(&outcome), 0);
        assert_int_equal(f->listed, 1);
        assert_string_equal(f->listed_tag, "tag-1");
        assert_true(f->listed_start_asked);
}

static void test_a_killed_unit_has_failed(void **state) {
        Fixture *f = *state;

        load(f, "web.service", TEST_RUNS);
        assert_int_equal(start(f, "web.service"), 0);
        wait_for_active(f, "active");
        BEGIN(f);
        supervisor_kill(f->supervisor, "web.service", SIGKILL, on_done, &outcome);
        assert_int_equal(wait_for(&outcome), 0);
        wait_for_active(f, "failed");
        assert_string_equal(f->last.result, "signal");
        assert_int_equal(f->last.exit_status, SIGKILL);
}

static void on_line(void *userdata, const SupervisorLogLine *line) {
        Fixture *f = userdata;
        size_t length = strlen(f->log);

        if (line->stream == SUPERVISOR_STREAM_OUTPUT)
                (void)snprintf(f->log + length, sizeof(f->log) - length, "%.*s ", (int)line->text.length,
                               line->text.data);
}

static void on_log_end(void *userdata, int r, const Error *error) {
        Fixture *f = userdata;

        assert_int_equal(r, 0);
        assert_string_equal(error->text, "");
        f->log_ended = true;
}

static const SupervisorLogEvents log_events = {.line = on_line, .end = on_log_end};

static void test_what_a_unit_prints_can_be_followed_and_read(void **state) {
        Fixture *f = *state;
        SupervisorLog *follow = NULL, *old = NULL;
        char name[32];
        Error error;

        /* a journal remembers what units of that name printed in earlier tests */
        (void)snprintf(name, sizeof(name), "log-%d.service", getpid());
        load(f, name, TEST_RUNS);
        assert_int_equal(supervisor_log_open(f->supervisor, name, 10, true, &log_events, f, &follow, &error), 0);
        assert_int_equal(start(f, name), 0);
        while (!*f->log)
                the_backend->turn(f->backend);
        assert_string_equal(f->log, "hello ");
        supervisor_log_close(f->supervisor, follow);
        assert_false(f->log_ended);
        f->log[0] = '\0';
        assert_int_equal(supervisor_log_open(f->supervisor, name, 10, false, &log_events, f, &old, &error), 0);
        while (!f->log_ended)
                the_backend->turn(f->backend);
        assert_string_equal(f->log, "hello ");
        supervisor_log_close(f->supervisor, old);
}

static void test_closing_ends_what_is_under_way(void **state) {
        Fixture *f = *state;
        Outcome started = {.fixture = f};

        load(f, "web.service", TEST_HANGS);
        supervisor_start(f->supervisor, "web.service", on_done, &started);
        wait_for_active(f, "activating");
        supervisor_close(f->supervisor, on_closed, f);
        while (!f->closed)
                the_backend->turn(f->backend);
        assert_true(started.done);
        assert_int_equal(started.r, -ECANCELED);
        f->supervisor = NULL;
}

/* ---- more kinds, more verbs ---- */

static int reload(Fixture *f, const char *name) {
        BEGIN(f);
        supervisor_reload(f->supervisor, name, on_done, &outcome);
        return wait_for(&outcome);
}

static int send_signal(Fixture *f, const char *name, int signal) {
        BEGIN(f);
        supervisor_kill(f->supervisor, name, signal, on_done, &outcome);
        return wait_for(&outcome);
}

static SupervisorState state_of(Fixture *f, const char *name) {
        SupervisorState now;

        assert_int_equal(supervisor_state(f->supervisor, name, &now), 0);
        return now;
}

static void wait_state(Fixture *f, const char *name, const char *active) {
        while (!str_equals(state_of(f, name).active, active))
                the_backend->turn(f->backend);
}

static pid_t wait_other_pid(Fixture *f, const char *name, pid_t pid) {
        while (state_of(f, name).main_pid == pid || state_of(f, name).main_pid == 0)
                the_backend->turn(f->backend);
        return state_of(f, name).main_pid;
}

/* Another supervisor takes over what this one leaves. */
static void reopen(Fixture *f) {
        supervisor_leave(f->supervisor, on_closed, f);
        while (!f->closed)
                the_backend->turn(f->backend);
        f->closed = false;
        f->supervisor = the_backend->reopen(f->backend, &events, f);
        assert_non_null(f->supervisor);
}

static void test_sockets_timers_and_paths_start_and_stop(void **state) {
        static const struct {
                const char *name;
                TestBehaviour behaviour;
        } starters[] = {{"work.socket", TEST_LISTENS}, {"work.timer", TEST_WAITS}, {"work.path", TEST_WATCHES}};
        Fixture *f = *state;

        load(f, "work.service", TEST_RUNS);
        for (size_t i = 0; i < ARRAY_SIZE(starters); i++) {
                load(f, starters[i].name, starters[i].behaviour);
                assert_int_equal(start(f, starters[i].name), 0);
                wait_state(f, starters[i].name, "active");
                assert_string_equal(state_of(f, "work.service").active, "inactive");
                assert_int_equal(stop(f, starters[i].name), 0);
                wait_state(f, starters[i].name, "inactive");
                assert_int_equal(unload(f, starters[i].name), 0);
        }
}

static void test_a_unit_is_reloaded_if_it_has_a_way_to(void **state) {
        Fixture *f = *state;
        pid_t pid;

        load(f, "web.service", TEST_RELOADS);
        load(f, "deaf.service", TEST_RUNS);
        assert_int_equal(start(f, "web.service"), 0);
        wait_state(f, "web.service", "active");
        pid = state_of(f, "web.service").main_pid;
        assert_int_equal(reload(f, "web.service"), 0);
        wait_state(f, "web.service", "active");
        assert_int_equal(state_of(f, "web.service").main_pid, pid);
        assert_int_equal(start(f, "deaf.service"), 0);
        assert_int_equal(reload(f, "deaf.service"), -EOPNOTSUPP);
        assert_int_equal(reload(f, "no.service"), -ENOENT);
        assert_int_equal(unload(f, "web.service"), 0); /* which disables it as well */
}

static void test_a_signal_to_what_does_not_run_is_no_error(void **state) {
        Fixture *f = *state;

        load(f, "web.service", TEST_RUNS);
        assert_int_equal(send_signal(f, "web.service", SIGTERM), 0);
        assert_int_equal(send_signal(f, "no.service", SIGTERM), -ENOENT);
}

static void test_a_failure_is_forgotten_with_the_unit(void **state) {
        Fixture *f = *state;

        load(f, "web.service", TEST_FAILS);
        assert_int_equal(start(f, "web.service"), -EREMOTEIO);
        wait_state(f, "web.service", "failed");
        assert_int_equal(unload(f, "web.service"), 0);
        assert_int_equal(unload(f, "web.service"), 0);
        load(f, "web.service", TEST_RUNS);
        assert_string_equal(state_of(f, "web.service").active, "inactive");
        assert_int_equal(start(f, "web.service"), 0);
}

static void test_another_supervisor_finds_what_runs(void **state) {
        Fixture *f = *state;
        SupervisorState before, after;

        if (!the_backend->reopen)
                skip();
        load(f, "web.service", TEST_RUNS);
        assert_int_equal(start(f, "web.service"), 0);
        wait_state(f, "web.service", "active");
        before = state_of(f, "web.service");
        reopen(f);
        BEGIN(f);
        supervisor_list(f->supervisor, on_unit, on_done, &outcome);
        assert_int_equal(wait_for(&outcome), 0);
        assert_int_equal(f->listed, 1);
        assert_string_equal(f->listed_tag, "tag-1");
        wait_state(f, "web.service", "active");
        after = state_of(f, "web.service");
        assert_string_equal(after.sub, before.sub);
        assert_int_equal(after.main_pid, before.main_pid);
        assert_true(after.since == before.since);
        assert_int_equal(stop(f, "web.service"), 0);
        wait_state(f, "web.service", "inactive");
}

/* ---- units that act on each other ---- */

static void load_pair(Fixture *f) {
        if (!the_backend->unit(f->backend, "side.service", TEST_FOLLOWS))
                skip();
        load(f, "main.service", TEST_RETURNS);
        load(f, "side.service", TEST_FOLLOWS);
}

static void unload_pair(Fixture *f) {
        assert_int_equal(unload(f, "side.service"), 0);
        assert_int_equal(unload(f, "main.service"), 0);
}

static const char *list_asked(Fixture *f) {
        f->asked[0] = '\0';
        BEGIN(f);
        supervisor_list(f->supervisor, on_unit, on_done, &outcome);
        assert_int_equal(wait_for(&outcome), 0);
        return f->asked;
}

static void test_a_sidekick_starts_and_stops_with_its_main_unit(void **state) {
        Fixture *f = *state;

        load_pair(f);
        assert_int_equal(start(f, "main.service"), 0);
        wait_state(f, "side.service", "active");
        assert_string_equal(list_asked(f), "main.service ");
        assert_int_equal(stop(f, "main.service"), 0);
        wait_state(f, "side.service", "inactive");
        assert_int_equal(start(f, "side.service"), 0); /* not without what it is bound to */
        wait_state(f, "main.service", "active");
        wait_state(f, "side.service", "active");
        assert_string_equal(list_asked(f), "side.service ");
        assert_int_equal(stop(f, "side.service"), 0);
        assert_string_equal(state_of(f, "main.service").active, "active");
        unload_pair(f);
}

static void test_a_sidekick_goes_and_returns_with_its_main_unit(void **state) {
        Fixture *f = *state;
        pid_t main_pid, side_pid;

        load_pair(f);
        assert_int_equal(start(f, "main.service"), 0);
        wait_state(f, "side.service", "active");
        main_pid = state_of(f, "main.service").main_pid;
        side_pid = state_of(f, "side.service").main_pid;
        assert_int_equal(send_signal(f, "main.service", SIGKILL), 0);
        while (state_of(f, "main.service").main_pid == main_pid || state_of(f, "side.service").main_pid == side_pid)
                the_backend->turn(f->backend);
        wait_state(f, "side.service", "active");
        wait_state(f, "main.service", "active");
        unload_pair(f);
}

static void test_parts_stop_with_the_whole_and_wants_find_an_alias(void **state) {
        Fixture *f = *state;

        load_pair(f);
        load(f, "part.service", TEST_IS_PART);
        assert_int_equal(start(f, "part.service"), 0);
        wait_state(f, "side.service", "active"); /* that is sidekick.service, too, */
        wait_state(f, "main.service", "active"); /* and bound to this one */
        assert_int_equal(stop(f, "main.service"), 0);
        wait_state(f, "side.service", "inactive");
        wait_state(f, "part.service", "inactive");
        assert_int_equal(start(f, "main.service"), 0);
        wait_state(f, "side.service", "active");
        assert_string_equal(state_of(f, "part.service").active, "inactive");
        assert_int_equal(unload(f, "part.service"), 0);
        unload_pair(f);
}

static void test_another_supervisor_keeps_what_units_are_to_each_other(void **state) {
        Fixture *f = *state;

        if (!the_backend->reopen)
                skip();
        load_pair(f);
        assert_int_equal(start(f, "main.service"), 0);
        wait_state(f, "side.service", "active");
        reopen(f);
        assert_null(strstr(list_asked(f), "side.service"));
        wait_state(f, "side.service", "active");
        assert_int_equal(stop(f, "main.service"), 0);
        wait_state(f, "side.service", "inactive");
        assert_int_equal(start(f, "main.service"), 0);
        wait_state(f, "side.service", "active");
        unload_pair(f);
}

static void test_of_units_that_conflict_the_last_one_started_runs(void **state) {
        Fixture *f = *state;

        if (!the_backend->unit(f->backend, "rival.service", TEST_CONFLICTS))
                skip();
        load(f, "main.service", TEST_RETURNS);
        load(f, "rival.service", TEST_CONFLICTS);
        assert_int_equal(start(f, "main.service"), 0);
        wait_state(f, "main.service", "active");
        assert_int_equal(start(f, "rival.service"), 0);
        wait_state(f, "rival.service", "active");
        wait_state(f, "main.service", "inactive");
        assert_int_equal(start(f, "main.service"), 0); /* also by what the other's text says */
        wait_state(f, "main.service", "active");
        wait_state(f, "rival.service", "inactive");
        assert_int_equal(stop(f, "main.service"), 0);
        wait_state(f, "main.service", "inactive");
        assert_string_equal(state_of(f, "rival.service").active, "inactive");
        assert_int_equal(unload(f, "rival.service"), 0);
        assert_int_equal(unload(f, "main.service"), 0);
}

static void test_what_is_upheld_comes_back_while_its_upholder_runs(void **state) {
        Fixture *f = *state;
        pid_t first, second;

        if (!the_backend->unit(f->backend, "keeper.service", TEST_UPHOLDS))
                skip();
        load(f, "main.service", TEST_RUNS);
        load(f, "keeper.service", TEST_UPHOLDS);
        assert_int_equal(start(f, "keeper.service"), 0);
        wait_state(f, "main.service", "active");
        first = wait_other_pid(f, "main.service", 0);
        assert_int_equal(send_signal(f, "main.service", SIGKILL), 0);
        second = wait_other_pid(f, "main.service", first);
        assert_int_equal(stop(f, "main.service"), 0); /* also when it was stopped */
        (void)wait_other_pid(f, "main.service", second);
        wait_state(f, "main.service", "active");
        assert_string_equal(list_asked(f), "keeper.service ");
        assert_int_equal(stop(f, "keeper.service"), 0);
        assert_string_equal(state_of(f, "main.service").active, "active");
        assert_int_equal(stop(f, "main.service"), 0);
        wait_state(f, "main.service", "inactive");
        assert_int_equal(unload(f, "keeper.service"), 0);
        assert_int_equal(unload(f, "main.service"), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int run_supervisor_tests(const TestBackend *backend) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_unit_is_loaded_started_stopped_and_unloaded),
                TEST(test_starting_what_runs_and_stopping_what_does_not_is_success),
                TEST(test_operations_on_units_that_are_not_loaded),
                TEST(test_a_bad_text_is_refused_and_changes_nothing),
                TEST(test_a_failing_start_says_so),
                TEST(test_a_oneshot_ends_with_success),
                TEST(test_a_stop_cuts_a_start_short),
                TEST(test_unloading_stops_first),
                TEST(test_the_list_has_tag_and_whether_it_was_started),
                TEST(test_a_killed_unit_has_failed),
                TEST(test_what_a_unit_prints_can_be_followed_and_read),
                TEST(test_sockets_timers_and_paths_start_and_stop),
                TEST(test_a_unit_is_reloaded_if_it_has_a_way_to),
                TEST(test_a_signal_to_what_does_not_run_is_no_error),
                TEST(test_a_failure_is_forgotten_with_the_unit),
                TEST(test_another_supervisor_finds_what_runs),
                TEST(test_a_sidekick_starts_and_stops_with_its_main_unit),
                TEST(test_a_sidekick_goes_and_returns_with_its_main_unit),
                TEST(test_parts_stop_with_the_whole_and_wants_find_an_alias),
                TEST(test_of_units_that_conflict_the_last_one_started_runs),
                TEST(test_what_is_upheld_comes_back_while_its_upholder_runs),
                TEST(test_another_supervisor_keeps_what_units_are_to_each_other),
                TEST(test_closing_ends_what_is_under_way),
        };

        the_backend = backend;
        return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
