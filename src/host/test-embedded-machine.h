#pragma once
/* What the tests of the embedded supervisor share: a loop, a folder and a supervisor in it, and short words for what is done with it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "host/embedded-supervisor.h"
#include "host/file.h"

static bool without_cgroups;
static const char *shim; /* NULL: without */
static pid_t test_pid; /* also in forks of the test */

/* The shim of the build that this test is of. */
static inline const char *built_shim(void) {
        static char path[512];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);

        assert_true(n > 0);
        path[n] = '\0';
        (void)snprintf(strrchr(path, '/'), 64, "/src/host/shim/faering-unit-shim");
        return path;
}

/* A loop, a folder and a supervisor in it. */
typedef struct Machine {
        uv_loop_t loop;
        char folder[64];
        Supervisor *supervisor;
        size_t leftovers;
        bool closed;
        SupervisorState last; /* of any unit */
        char states[512];     /* "name:sub " as told */
} Machine;

static inline Supervisor *machine_open(Machine *m, const SupervisorEvents *events, void *userdata) {
        Error error = ERROR_NONE;
        char state[96], name[64];

        (void)snprintf(state, sizeof(state), "%s/state", m->folder);
        (void)snprintf(name, sizeof(name), "faering-test-%d", test_pid);
        if (embedded_supervisor_new(&m->loop,
                                    &(EmbeddedOptions){.state_directory = state,
                                                       .runtime_root = m->folder,
                                                       .cgroup_name = name,
                                                       .without_cgroups = without_cgroups,
                                                       .shim = shim,
                                                       .enables = true},
                                    events, userdata, &m->supervisor, &m->leftovers, &error) < 0)
                fail_msg("%s", error.text);
        return m->supervisor;
}

static inline Machine *machine_new(void) {
        Machine *m = calloc(1, sizeof(*m));

        assert_non_null(m);
        assert_int_equal(uv_loop_init(&m->loop), 0);
        (void)snprintf(m->folder, sizeof(m->folder), "/tmp/faering-embedded-XXXXXX");
        assert_non_null(mkdtemp(m->folder));
        return m;
}

static inline void machine_free(Machine *m) {
        Error error = ERROR_NONE;

        (void)uv_run(&m->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&m->loop), 0);
        if (file_remove_tree(m->folder, &error) < 0)
                fail_msg("%s", error.text);
        while (shim && waitpid(-1, NULL, 0) > 0) /* of an earlier supervisor in this process: a later one does not wait for them */
                ;
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
        free(m);
}

static inline void on_changed(void *userdata, const char *name, const SupervisorState *state) {
        Machine *m = userdata;
        size_t length = strlen(m->states);

        m->last = *state;
        if (length < sizeof(m->states) - SUPERVISOR_WORD_MAX - 32)
                (void)snprintf(m->states + length, sizeof(m->states) - length, "%.*s:%s ", (int)strcspn(name, "."),
                               name, state->sub);
}

static const SupervisorEvents own_events = {.changed = on_changed};

static inline int setup(void **state) {
        Machine *m = machine_new();

        *state = m;
        (void)machine_open(m, &own_events, m);
        return 0;
}

static inline void on_closed(void *userdata) {
        ((Machine *)userdata)->closed = true;
}

static inline void close_supervisor(Machine *m) {
        m->closed = false;
        supervisor_close(m->supervisor, on_closed, m);
        while (!m->closed)
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        m->supervisor = NULL;
}

static inline int teardown(void **state) {
        Machine *m = *state;

        if (m->supervisor)
                close_supervisor(m);
        machine_free(m);
        return 0;
}

typedef struct Ended {
        bool done;
        int r;
        Error error;
} Ended;

static inline void on_done(void *userdata, int r, const Error *error) {
        *(Ended *)userdata = (Ended){true, r, *error};
}

static inline int wait_end(Machine *m, Ended *ended) {
        while (!ended->done)
                (void)uv_run(&m->loop, UV_RUN_ONCE);
        return ended->r;
}

static inline void load(Machine *m, const char *name, const char *text) {
        Ended ended = {0};

        supervisor_load(m->supervisor, name, slice_from(text), "", on_done, &ended);
        if (wait_end(m, &ended) < 0)
                fail_msg("%s", ended.error.text);
}

static inline int start(Machine *m, const char *name, Error *ret_error) {
        Ended ended = {0};

        supervisor_start(m->supervisor, name, on_done, &ended);
        (void)wait_end(m, &ended);
        if (ret_error)
                *ret_error = ended.error;
        return ended.r;
}

static inline void stop(Machine *m, const char *name) {
        Ended ended = {0};

        supervisor_stop(m->supervisor, name, on_done, &ended);
        assert_int_equal(wait_end(m, &ended), 0);
}

static inline void wait_sub(Machine *m, const char *sub) {
        while (!str_equals(m->last.sub, sub))
                (void)uv_run(&m->loop, UV_RUN_ONCE);
}

/* A file below the machine's folder as text. */
static inline const char *read_file(Machine *m, const char *name, char *text, size_t size) {
        _cleanup_free_ char *path = str_printf("%s/%s", m->folder, name);
        _cleanup_buffer_ Buffer buffer = BUFFER_INIT;

        assert_non_null(path);
        *text = '\0';
        if (file_read(path, size - 1, &buffer, NULL) >= 0 && buffer_string(&buffer))
                (void)snprintf(text, size, "%s", buffer_string(&buffer));
        return text;
}

/* A unit's text with %s replaced by the machine's folder. */
static inline void load_in(Machine *m, const char *name, const char *format) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice rest = slice_from(format), part;
        bool first = true;

        while (rest.data && slice_split(&rest, '@', &part)) {
                if (!first)
                        assert_int_equal(buffer_append_string(&text, m->folder), 0);
                first = false;
                assert_int_equal(buffer_append(&text, part.data, part.length), 0);
        }
        load(m, name, buffer_string(&text));
}

static inline pid_t parent_of(pid_t pid) {
        _cleanup_free_ char *path = str_printf("/proc/%d/stat", pid);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int parent = 0;

        assert_non_null(path);
        assert_int_equal(file_read(path, FILE_SMALL_MAX, &text, NULL), 0);
        assert_int_equal(sscanf(strrchr(buffer_string(&text), ')'), ") %*c %d", &parent), 1);
        return parent;
}

/* We, or a shim. */
static inline bool is_ours(pid_t pid) {
        _cleanup_free_ char *path = str_printf("/proc/%d/comm", pid);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        assert_non_null(path);
        return pid == getpid() || (file_read(path, FILE_SMALL_MAX, &text, NULL) >= 0 && str_starts_with(buffer_string(&text), "faering-unit-sh"));
}
