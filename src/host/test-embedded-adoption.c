/* A second supervisor takes over what a first one has left running, or what ran when it was killed. */
#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host/test-embedded-machine.h"

static void leave_supervisor(Machine *m) {
        m->closed = false;
        supervisor_leave(m->supervisor, on_closed, m);
        while (!m->closed)
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        m->supervisor = NULL;
        m->last = (SupervisorState){0};
        m->states[0] = '\0';
}

static SupervisorState state_of(Machine *m, const char *name) {
        SupervisorState state;

        assert_int_equal(supervisor_state(m->supervisor, name, &state), 0);
        return state;
}

/* Until a unit is in a sub state, whatever others do. */
static SupervisorState wait_unit(Machine *m, const char *name, const char *sub) {
        while (!str_equals(state_of(m, name).sub, sub))
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        return state_of(m, name);
}

/* With a supervisor it is the one that writes. */
static void wait_file(Machine *m, const char *name, const char *content) {
        char text[4096];

        while (!strstr(read_file(m, name, text, sizeof(text)), content)) {
                if (m->supervisor)
                        (void)uv_run(&m->loop, UV_RUN_NOWAIT);
                (void)usleep(1000);
        }
}

static void wait_gone(pid_t pid) {
        while (kill(pid, 0) == 0) /* its parent, the shim, reaps it */
                (void)usleep(1000);
}

static void touch(Machine *m, const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s", m->folder, name);

        assert_int_equal(file_replace(path, 0644, slice_from("x\n"), false, NULL), 0);
}

/* A supervisor in a process of its own, which does `work` and is killed. */
static void crash(Machine *m, void (*work)(Machine *m)) {
        pid_t pid;
        int status;

        leave_supervisor(m);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); /* as an init would be */
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                Machine *other = calloc(1, sizeof(*other));

                (void)snprintf(other->folder, sizeof(other->folder), "%s", m->folder);
                (void)uv_loop_init(&other->loop);
                (void)machine_open(other, &own_events, other);
                work(other);
                (void)raise(SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

typedef struct Listed {
        size_t n;
        char tag[64], text[512];
        bool start_asked;
        SupervisorState state;
} Listed;

static void on_unit(void *userdata, const SupervisorUnit *unit) {
        Listed *listed = ((void **)userdata)[1];

        listed->n++;
        (void)snprintf(listed->tag, sizeof(listed->tag), "%s", unit->tag);
        (void)snprintf(listed->text, sizeof(listed->text), "%.*s", (int)unit->text.length, unit->text.data);
        listed->start_asked = unit->start_asked;
        listed->state = unit->state;
}

static void on_list_done(void *userdata, int r, const Error *error) {
        on_done(((void **)userdata)[0], r, error);
}

static Listed list_one(Machine *m) {
        Listed listed = {0};
        Ended ended = {0};
        void *both[] = {&ended, &listed};

        supervisor_list(m->supervisor, on_unit, on_list_done, both);
        assert_int_equal(wait_end(m, &ended), 0);
        return listed;
}

#define TALKS                                                                                                          \
        "[Service]\nExecStart=/bin/sh -c 'echo one; while ! [ -e @/go ]; do sleep 0.01; done; echo two; exec sleep "   \
        "60'\n"

static void test_a_service_runs_on_under_another_supervisor(void **state) {
        Machine *m = *state;
        SupervisorState before, after;
        Listed listed;
        char text[4096];

        load_in(m, "talks.service", TALKS);
        assert_int_equal(start(m, "talks.service", NULL), 0);
        before = wait_unit(m, "talks.service", "running");
        wait_file(m, "state/logs/talks.service.log", "one");
        leave_supervisor(m);
        assert_int_equal(kill(before.main_pid, 0), 0);
        touch(m, "go");
        wait_file(m, "state/logs/talks.service.log", "two"); /* its shim writes */
        (void)machine_open(m, &own_events, m);
        after = state_of(m, "talks.service");
        assert_int_equal(after.main_pid, before.main_pid);
        assert_true(after.since == before.since);
        assert_string_equal(after.sub, "running");
        listed = list_one(m);
        assert_int_equal(listed.n, 1);
        assert_true(listed.start_asked);
        assert_int_equal(listed.state.main_pid, before.main_pid);
        assert_non_null(strstr(listed.text, "[Service]\nExecStart=/bin/sh"));
        stop(m, "talks.service");
        assert_string_equal(state_of(m, "talks.service").sub, "dead");
        wait_gone(before.main_pid);
        (void)read_file(m, "state/logs/talks.service.log", text, sizeof(text));
        assert_ptr_equal(strstr(strstr(text, "one") + 1, "one"), NULL);
        assert_true(strstr(text, "one") < strstr(text, "two"));
}

static void start_talks(Machine *m) {
        load_in(m, "talks.service", TALKS);
        (void)start(m, "talks.service", NULL);
        wait_unit(m, "talks.service", "running");
}

static void test_a_killed_supervisor_leaves_units_to_the_next(void **state) {
        Machine *m = *state;
        SupervisorState now;

        crash(m, start_talks);
        (void)machine_open(m, &own_events, m);
        assert_int_equal(m->leftovers, 0);
        now = state_of(m, "talks.service");
        assert_string_equal(now.sub, "running");
        assert_int_equal(kill(now.main_pid, 0), 0);
        touch(m, "go");
        wait_file(m, "state/logs/talks.service.log", "one");
        wait_file(m, "state/logs/talks.service.log", "two");
        assert_int_equal(kill(now.main_pid, SIGTERM), 0);
        now = wait_unit(m, "talks.service", "dead");
        assert_int_equal(now.exit_code, CLD_KILLED);
        assert_int_equal(now.exit_status, SIGTERM);
}

static void test_an_end_that_nobody_saw_is_known_with_its_status(void **state) {
        Machine *m = *state;
        SupervisorState now;
        pid_t pid;

        load_in(m, "ends.service",
                "[Service]\nExecStart=/bin/sh -c 'while ! [ -e @/go ]; do sleep 0.01; done; echo bye; exit 7'\n");
        assert_int_equal(start(m, "ends.service", NULL), 0);
        pid = wait_unit(m, "ends.service", "running").main_pid;
        leave_supervisor(m);
        touch(m, "go");
        wait_gone(pid);
        wait_file(m, "state/logs/ends.service.log", "bye");
        (void)machine_open(m, &own_events, m);
        now = wait_unit(m, "ends.service", "failed");
        assert_string_equal(now.result, "exit-code");
        assert_int_equal(now.exit_code, CLD_EXITED);
        assert_int_equal(now.exit_status, 7);
        wait_file(m, "state/logs/ends.service.log", "exited with status 7");
}

static void begin_a_line(Machine *m) {
        load_in(m, "halves.service",
                "[Service]\nExecStart=/bin/sh -c 'printf half; until test -e @/go; do sleep 0.01; done; echo \" a line\"; exec sleep 60'\n");
        load_in(m, "wrong.service", "[Service]\nStandardOutput=null\nStandardError=journal\n"
                                    "ExecStart=/bin/sh -c 'printf half >&2; until test -e @/go; do sleep 0.01; done; echo \" a fault\" >&2; exec sleep 60'\n");
        assert_int_equal(start(m, "halves.service", NULL), 0);
        assert_int_equal(start(m, "wrong.service", NULL), 0);
        wait_file(m, "state/shims/1.ends.o", "half");
        wait_file(m, "state/shims/2.ends.e", "half");
}

static void do_nothing(Machine *m) {
        (void)m;
}

static void assert_whole_lines(Machine *m) {
        char text[4096];

        wait_file(m, "state/logs/halves.service.log", " o half a line\n");
        wait_file(m, "state/logs/wrong.service.log", " e half a fault\n");
        assert_string_equal(read_file(m, "state/shims/1.ends.o", text, sizeof(text)), "");
        assert_string_equal(read_file(m, "state/shims/2.ends.e", text, sizeof(text)), "");
}

static void test_a_line_that_a_killed_supervisor_was_at_stays_whole(void **state) {
        Machine *m = *state;

        crash(m, begin_a_line);
        touch(m, "go");
        assert_whole_lines(m); /* by the shim */
        (void)machine_open(m, &own_events, m);
}

static void test_a_line_stays_whole_over_many_supervisors(void **state) {
        Machine *m = *state;

        crash(m, begin_a_line);
        (void)machine_open(m, &own_events, m);
        crash(m, do_nothing); /* the one before it is left, this one is killed */
        (void)machine_open(m, &own_events, m);
        touch(m, "go");
        assert_whole_lines(m); /* by the supervisor */
}

static void test_restart_goes_on(void **state) {
        Machine *m = *state;
        SupervisorState now;
        pid_t pid;

        load(m, "again.service", "[Service]\nExecStart=/bin/sleep 60\nRestart=always\nRestartSec=10ms\n");
        assert_int_equal(start(m, "again.service", NULL), 0);
        pid = wait_unit(m, "again.service", "running").main_pid;
        leave_supervisor(m);
        assert_int_equal(kill(pid, SIGKILL), 0);
        wait_gone(pid);
        (void)machine_open(m, &own_events, m);
        while (state_of(m, "again.service").restarts != 1)
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        now = wait_unit(m, "again.service", "running");
        assert_int_not_equal(now.main_pid, pid);
        assert_int_equal(kill(now.main_pid, SIGKILL), 0); /* under the second one it does, too */
        while (state_of(m, "again.service").restarts != 2)
                (void)uv_run(&m->loop, UV_RUN_ONCE);
}

static void test_a_daemon_that_forked_is_found_with_its_status(void **state) {
        Machine *m = *state;
        SupervisorState before, now;

        load_in(m, "forks.service", "[Service]\nType=forking\nExecStart=/bin/sh -c 'sleep 60 & exit 0'\n");
        assert_int_equal(start(m, "forks.service", NULL), 0);
        before = wait_unit(m, "forks.service", "running");
        assert_true(before.main_pid > 0);
        leave_supervisor(m);
        (void)machine_open(m, &own_events, m);
        assert_int_equal(state_of(m, "forks.service").main_pid, before.main_pid);
        leave_supervisor(m);
        assert_int_equal(kill(before.main_pid, SIGUSR1), 0);
        wait_gone(before.main_pid);
        (void)machine_open(m, &own_events, m);
        now = wait_unit(m, "forks.service", "failed");
        assert_int_equal(now.exit_status, SIGUSR1);
}

static void test_an_orphan_of_the_unit_is_stopped_with_it(void **state) {
        Machine *m = *state;
        char text[64];
        pid_t orphan;

        load_in(m, "orphans.service",
                "[Service]\nExecStart=/bin/sh -c '(setsid sleep 60 & echo $$! > @/orphan); exec sleep 60'\n");
        assert_int_equal(start(m, "orphans.service", NULL), 0);
        wait_unit(m, "orphans.service", "running");
        wait_file(m, "orphan", "\n");
        orphan = atoi(read_file(m, "orphan", text, sizeof(text)));
        leave_supervisor(m);
        assert_int_equal(kill(orphan, 0), 0);
        (void)machine_open(m, &own_events, m);
        stop(m, "orphans.service");
        wait_gone(orphan);
}

static void test_a_text_for_the_next_start_is_kept(void **state) {
        Machine *m = *state;

        load(m, "new.service", "[Service]\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "new.service", NULL), 0);
        wait_unit(m, "new.service", "running");
        load(m, "new.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n");
        leave_supervisor(m);
        (void)machine_open(m, &own_events, m);
        assert_non_null(strstr(list_one(m).text, "oneshot"));
        assert_string_equal(state_of(m, "new.service").sub, "running");
        stop(m, "new.service");
        assert_int_equal(start(m, "new.service", NULL), 0);
        assert_string_equal(wait_unit(m, "new.service", "exited").active, "active");
}

static int connect_to(Machine *m, const char *name) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.64s/%.32s", m->folder, name);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                fail_msg("%s: %s", address.sun_path, strerror(errno));
        return fd;
}

static void test_a_socket_stays_bound_and_no_client_is_lost(void **state) {
        Machine *m = *state;
        int client;

        load_in(m, "say.service", "[Service]\nExecStart=/bin/sleep 60\n");
        load_in(m, "say.socket", "[Socket]\nListenStream=@/say.sock\n");
        assert_int_equal(start(m, "say.socket", NULL), 0);
        wait_unit(m, "say.socket", "listening");
        load(m, "pause.service",
             "[Service]\nType=oneshot\nExecStart=/bin/sleep 0.05\n"); /* the shim has had its time to say something */
        assert_int_equal(start(m, "pause.service", NULL), 0);
        leave_supervisor(m);
        client = connect_to(m, "say.sock"); /* nobody is there who would start the service */
        (void)machine_open(m, &own_events, m);
        wait_unit(m, "say.service", "running");
        assert_string_equal(wait_unit(m, "say.socket", "running").active, "active");
        (void)close(client);
        leave_supervisor(m);
        (void)machine_open(m, &own_events, m);
        assert_string_equal(state_of(m, "say.socket").sub, "running");
        (void)close(connect_to(m, "say.sock"));
}

static void test_a_timer_and_a_path_go_on(void **state) {
        Machine *m = *state;

        load_in(m, "tick.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo tick >> @/ticks'\n");
        load(m, "tick.timer", "[Timer]\nOnActiveSec=10ms\nOnUnitActiveSec=10ms\nAccuracySec=1us\n");
        load_in(m, "seen.service", "[Service]\nExecStart=/bin/sleep 60\n");
        load_in(m, "seen.path", "[Path]\nPathExists=@/seen\n");
        assert_int_equal(start(m, "tick.timer", NULL), 0);
        assert_int_equal(start(m, "seen.path", NULL), 0);
        wait_file(m, "ticks", "tick");
        leave_supervisor(m);
        touch(m, "seen");
        (void)machine_open(m, &own_events, m);
        touch(m, "ticks");
        wait_file(m, "ticks", "tick");
        wait_unit(m, "seen.service", "running");
        assert_string_equal(state_of(m, "seen.path").sub, "running");
}

/* As when it was killed between the writing of the timer's record and that of the service's. */
static void write_fired(Machine *m, Usec last) {
        _cleanup_free_ char *path = str_printf("%s/state/units/tick.timer", m->folder), *record = NULL;
        char text[4096], *at;

        assert_non_null(path);
        at = strstr(read_file(m, "state/units/tick.timer", text, sizeof(text)), "trigger waiting\n");
        assert_non_null(at);
        *at = '\0';
        record = str_printf("%strigger running\ntrigger-last %llu\n%s", text, (unsigned long long)last, at + strlen("trigger waiting\n"));
        assert_non_null(record);
        assert_int_equal(file_replace(path, 0600, slice_from(record), false, NULL), 0);
}

static void test_a_timer_whose_record_is_ahead_of_its_service_goes_on(void **state) {
        Machine *m = *state;

        load_in(m, "tick.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo tick >>@/ticks'\n");
        load(m, "tick.timer", "[Timer]\nOnActiveSec=1h\n");
        assert_int_equal(start(m, "tick.timer", NULL), 0);
        leave_supervisor(m);
        write_fired(m, clock_monotonic());
        (void)machine_open(m, &own_events, m);
        wait_file(m, "ticks", "tick\n"); /* its service had not been started yet */
        (void)wait_unit(m, "tick.timer", "waiting");
        leave_supervisor(m);
        write_fired(m, 1);
        (void)machine_open(m, &own_events, m);
        (void)wait_unit(m, "tick.timer", "waiting"); /* its service has ended meanwhile */
}

static void test_the_end_of_a_shim_is_not_the_end_of_its_unit(void **state) {
        Machine *m = *state;
        SupervisorState before;

        load_in(m, "talks.service", TALKS);
        assert_int_equal(start(m, "talks.service", NULL), 0);
        before = wait_unit(m, "talks.service", "running");
        assert_int_equal(kill(parent_of(before.main_pid), SIGKILL), 0);
        wait_file(m, "state/logs/talks.service.log", "has gone");
        touch(m, "go");
        wait_file(m, "state/logs/talks.service.log", "two");
        assert_int_equal(state_of(m, "talks.service").main_pid, before.main_pid);
        assert_int_equal(kill(before.main_pid, SIGUSR2), 0);
        assert_int_equal(wait_unit(m, "talks.service", "failed").exit_status, SIGUSR2);
}

static void test_the_end_of_the_spawner_touches_no_unit_and_hinders_none(void **state) {
        Machine *m = *state;
        SupervisorState before, after;
        pid_t spawner;

        load_in(m, "talks.service", TALKS);
        load(m, "more.service", "[Service]\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "talks.service", NULL), 0);
        before = wait_unit(m, "talks.service", "running");
        spawner = parent_of(parent_of(before.main_pid));
        assert_int_equal(parent_of(spawner), getpid());
        assert_int_equal(kill(spawner, SIGKILL), 0);
        while (kill(spawner, 0) == 0)
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        assert_int_equal(start(m, "more.service", NULL), 0);
        after = wait_unit(m, "more.service", "running");
        assert_int_not_equal(parent_of(parent_of(after.main_pid)), spawner);
        touch(m, "go");
        wait_file(m, "state/logs/talks.service.log", "two");
        assert_int_equal(kill(before.main_pid, SIGUSR2), 0);
        assert_int_equal(wait_unit(m, "talks.service", "failed").exit_status, SIGUSR2);
        assert_int_equal(wait_unit(m, "more.service", "running").main_pid, after.main_pid);
}

/* The spawner's child other than `other`: the spare, which it makes as soon as it can. */
static pid_t find_spare(pid_t spawner, pid_t other) {
        pid_t found = 0;

        while (found == 0) {
                DIR *proc = opendir("/proc");
                const struct dirent *entry;

                assert_non_null(proc);
                while (found == 0 && (entry = readdir(proc))) {
                        _cleanup_free_ char *path = str_printf("/proc/%s/stat", entry->d_name);
                        _cleanup_buffer_ Buffer text = BUFFER_INIT;
                        int parent = 0, pid = atoi(entry->d_name);

                        if (pid > 0 && pid != other && file_read(path, FILE_SMALL_MAX, &text, NULL) >= 0 && buffer_string(&text) &&
                            sscanf(strrchr(buffer_string(&text), ')'), ") %*c %d", &parent) == 1 && parent == spawner)
                                found = pid;
                }
                (void)closedir(proc);
        }
        return found;
}

/* The request lies in a connection that nobody will read. */
static void test_a_start_that_the_spawner_takes_along_fails_and_the_next_one_is_the_first(void **state) {
        Machine *m = *state;
        Error error = ERROR_NONE;
        char text[64];
        pid_t spawner, its_shim, spare, helper;

        load_in(m, "talks.service", TALKS);
        load_in(m, "once.service", "[Service]\nExecStart=/bin/sh -c 'echo x >> @/runs; exec sleep 60'\n");
        assert_int_equal(start(m, "talks.service", NULL), 0);
        its_shim = parent_of(wait_unit(m, "talks.service", "running").main_pid);
        spawner = parent_of(its_shim);
        spare = find_spare(spawner, its_shim);
        assert_int_equal(kill(spawner, SIGSTOP), 0);
        assert_int_equal(kill(spare, SIGSTOP), 0);
        helper = fork();
        assert_true(helper >= 0);
        if (helper == 0) {
                (void)usleep(50000);
                (void)kill(spawner, SIGKILL);
                (void)kill(spare, SIGKILL);
                _exit(0);
        }
        assert_int_equal(start(m, "once.service", &error), -EREMOTEIO);
        assert_non_null(strstr(error.text, "the process that makes processes"));
        assert_int_equal(start(m, "once.service", NULL), 0);
        wait_unit(m, "once.service", "running");
        wait_file(m, "runs", "x");
        assert_string_equal(read_file(m, "runs", text, sizeof(text)), "x\n");
}

/* The shim of this machine that has "0 NAME" in its title. */
static pid_t find_shim(Machine *m, const char *name) {
        DIR *proc = opendir("/proc");
        const struct dirent *entry;
        pid_t found = 0;

        assert_non_null(proc);
        while (found == 0 && (entry = readdir(proc))) {
                _cleanup_free_ char *path = str_printf("/proc/%s/cmdline", entry->d_name);
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                size_t length;

                if (atoi(entry->d_name) == 0 || file_read(path, FILE_SMALL_MAX, &text, NULL) < 0 || !buffer_string(&text))
                        continue;
                length = buffer_length(&text);
                if (str_equals(buffer_string(&text), "faering-unit-shim") && memmem(buffer_data(&text), length, m->folder, strlen(m->folder)) &&
                    memmem(buffer_data(&text), length, name, strlen(name) + 1))
                        found = atoi(entry->d_name);
        }
        (void)closedir(proc);
        assert_true(found > 0);
        return found;
}

/* A service that says it is ready when it may: with `exec` its main process does. perl is there in any Debian. */
static void load_notifying(Machine *m, const char *access, const char *exec) {
        _cleanup_free_ char *text =
                str_printf("[Service]\nType=notify\nNotifyAccess=%s\nTimeoutStartSec=60\nExecStart=/bin/sh @/tells\n", access);
        _cleanup_free_ char *path = str_printf("%s/tells", m->folder);
        _cleanup_free_ char *script = str_printf(
                "echo begun\n"
                "while ! [ -e %s/go ]; do sleep 0.01; done\n"
                "%s perl -MSocket -e 'sub say_ { send(S, $_[0], 0, sockaddr_un($ENV{NOTIFY_SOCKET})) } socket(S, AF_UNIX, SOCK_DGRAM, 0); "
                "say_(\"READY=1\\nSTATUS=well\"); say_(\"WATCHDOG=1\") for 1..1000; $| = 1; print \"said\\n\"; sleep 60'\n"
                "true\n",
                m->folder, exec);

        assert_int_equal(file_replace(path, 0755, slice_from(script), false, NULL), 0);
        load_in(m, "tells.service", text);
}

static void begin_notifying(Machine *m, const char *access, const char *exec) {
        Ended ended = {0};

        load_notifying(m, access, exec);
        supervisor_start(m->supervisor, "tells.service", on_done, &ended);
        wait_file(m, "state/logs/tells.service.log", "begun");
        assert_string_equal(wait_unit(m, "tells.service", "start").active, "activating");
}

static void begin_with_main(Machine *m) {
        begin_notifying(m, "main", "exec");
}

static void begin_with_another(Machine *m) {
        begin_notifying(m, "all", "");
}

static void see_what_was_kept(Machine *m) {
        pid_t pid;

        touch(m, "go");
        wait_file(m, "state/logs/tells.service.log", "said"); /* its shim writes, and the socket's has read all before */
        (void)machine_open(m, &own_events, m);
        pid = wait_unit(m, "tells.service", "running").main_pid;
        assert_int_equal(kill(pid, 0), 0);
        assert_string_equal(state_of(m, "tells.service").text, "well");
        leave_supervisor(m);
        (void)machine_open(m, &own_events, m);
        assert_int_equal(wait_unit(m, "tells.service", "running").main_pid, pid);
}

static void test_the_end_of_the_spare_hinders_no_start(void **state) {
        Machine *m = *state;
        pid_t its_shim;

        load_in(m, "talks.service", TALKS);
        load(m, "more.service", "[Service]\nExecStart=/bin/sleep 60\n");
        assert_int_equal(start(m, "talks.service", NULL), 0);
        its_shim = parent_of(wait_unit(m, "talks.service", "running").main_pid);
        assert_int_equal(kill(find_spare(parent_of(its_shim), its_shim), SIGKILL), 0);
        while (parent_of(its_shim) != getpid()) /* the spawner ends with it */
                (void)uv_run(&m->loop, UV_RUN_NOWAIT);
        assert_int_equal(start(m, "more.service", NULL), 0);
        (void)wait_unit(m, "more.service", "running");
}

static void test_what_a_unit_says_while_nobody_is_there_is_kept(void **state) {
        crash(*state, begin_with_main);
        see_what_was_kept(*state);
}

static void test_so_is_what_another_of_its_processes_says(void **state) {
        crash(*state, begin_with_another);
        see_what_was_kept(*state);
}

static void test_a_unit_speaks_to_the_next_supervisor_by_the_same_socket(void **state) {
        Machine *m = *state;

        crash(m, begin_with_main);
        (void)machine_open(m, &own_events, m);
        assert_string_equal(state_of(m, "tells.service").sub, "start");
        touch(m, "go");
        (void)wait_unit(m, "tells.service", "running");
}

static void test_the_end_of_who_keeps_the_notification_socket_hinders_none(void **state) {
        Machine *m = *state;
        Ended ended = {0};

        load_notifying(m, "main", "exec");
        supervisor_start(m->supervisor, "tells.service", on_done, &ended);
        wait_file(m, "state/logs/tells.service.log", "begun");
        assert_int_equal(kill(find_shim(m, "notify"), SIGKILL), 0);
        touch(m, "go");
        assert_int_equal(wait_end(m, &ended), 0);
}

static void test_without_its_shim_a_unit_is_ended_by_the_next_supervisor(void **state) {
        Machine *m = *state;
        SupervisorState before;
        pid_t its_shim;

        load_in(m, "talks.service", TALKS);
        assert_int_equal(start(m, "talks.service", NULL), 0);
        before = wait_unit(m, "talks.service", "running");
        its_shim = parent_of(before.main_pid);
        leave_supervisor(m);
        assert_int_equal(kill(its_shim, SIGKILL), 0);
        assert_int_equal(waitpid(its_shim, NULL, 0), its_shim); /* in this test it is our child */
        (void)machine_open(m, &own_events, m);
        assert_string_equal(wait_unit(m, "talks.service", "failed").result, "signal");
        wait_gone(before.main_pid);
}

static void test_a_torn_record_is_said_and_its_unit_does_not_run_on_unseen(void **state) {
        Machine *m = *state;
        _cleanup_free_ char *path = str_printf("%s/state/units/talks.service", m->folder);
        char text[8192];
        SupervisorState before;

        load_in(m, "talks.service", TALKS);
        assert_int_equal(start(m, "talks.service", NULL), 0);
        before = wait_unit(m, "talks.service", "running");
        leave_supervisor(m);
        (void)read_file(m, "state/units/talks.service", text, sizeof(text));
        *strstr(text, "\nend\n") = '\0';
        assert_int_equal(file_replace(path, 0600, slice_from(text), false, NULL), 0);
        (void)machine_open(m, &own_events, m);
        assert_int_equal(supervisor_state(m->supervisor, "talks.service", &before), -ENOENT);
        assert_non_null(strstr(read_file(m, "state/logs/talks.service.log", text, sizeof(text)), "it has no end"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_service_runs_on_under_another_supervisor),
                TEST(test_a_killed_supervisor_leaves_units_to_the_next),
                TEST(test_an_end_that_nobody_saw_is_known_with_its_status),
                TEST(test_a_line_that_a_killed_supervisor_was_at_stays_whole),
                TEST(test_a_line_stays_whole_over_many_supervisors),
                TEST(test_restart_goes_on),
                TEST(test_a_daemon_that_forked_is_found_with_its_status),
                TEST(test_an_orphan_of_the_unit_is_stopped_with_it),
                TEST(test_a_text_for_the_next_start_is_kept),
                TEST(test_a_socket_stays_bound_and_no_client_is_lost),
                TEST(test_a_timer_and_a_path_go_on),
                TEST(test_a_timer_whose_record_is_ahead_of_its_service_goes_on),
                TEST(test_the_end_of_a_shim_is_not_the_end_of_its_unit),
                TEST(test_the_end_of_the_spawner_touches_no_unit_and_hinders_none),
                TEST(test_a_start_that_the_spawner_takes_along_fails_and_the_next_one_is_the_first),
                TEST(test_the_end_of_the_spare_hinders_no_start),
                TEST(test_what_a_unit_says_while_nobody_is_there_is_kept),
                TEST(test_so_is_what_another_of_its_processes_says),
                TEST(test_a_unit_speaks_to_the_next_supervisor_by_the_same_socket),
                TEST(test_the_end_of_who_keeps_the_notification_socket_hinders_none),
                TEST(test_without_its_shim_a_unit_is_ended_by_the_next_supervisor),
                TEST(test_a_torn_record_is_said_and_its_unit_does_not_run_on_unseen),
        };
        int failed = 0;

        test_pid = getpid();
        shim = built_shim();
        for (int i = 0; i < 2; i++) {
                without_cgroups = i == 1;
                print_message("%s cgroups\n", without_cgroups ? "without" : "with");
                failed += cmocka_run_group_tests(tests, NULL, NULL);
        }
        return failed;
}
