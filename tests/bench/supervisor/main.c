/*
 * What units cost the embedded supervisor alone: loads, starts, stops and unloads N services that sleep, as a fleet daemon would.
 *
 *     build-release/tests/bench/supervisor/bench-supervisor [N [DIR]]      default: 1000 /tmp
 *
 * DIR is where its state lies. Not a test: it says what is so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "host/embedded-supervisor.h"
#include "host/file.h"

enum { UNITS_DEFAULT = 1000, UNITS_MAX = EMBEDDED_UNITS_MAX, NAME_ROOM = 48 };

typedef struct Bench {
        uv_loop_t loop;
        Supervisor *supervisor;
        size_t n, pending, failed;
} Bench;

static const char unit_text[] = "[Service]\nExecStart=/bin/sleep infinity\n";

static void on_changed(void *userdata, const char *name, const SupervisorState *state) {
        (void)userdata;
        (void)name;
        (void)state;
}

static const SupervisorEvents events = {.changed = on_changed};

static void on_done(void *userdata, int r, const Error *error) {
        Bench *bench = userdata;

        if (r < 0 && bench->failed++ == 0)
                (void)fprintf(stderr, "%s\n", error->text);
        bench->pending--;
}

static void load(Bench *bench, const char *name) {
        supervisor_load(bench->supervisor, name, slice_from(unit_text), "tag", on_done, bench);
}

static void start(Bench *bench, const char *name) {
        supervisor_start(bench->supervisor, name, on_done, bench);
}

static void unload(Bench *bench, const char *name) {
        supervisor_unload(bench->supervisor, name, on_done, bench);
}

static double seconds(const struct timeval *time) {
        return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void print_row(const char *what, Usec begun, const struct rusage *before) {
        struct rusage now;

        (void)getrusage(RUSAGE_SELF, &now);
        (void)printf("%-8s %6.3f s, own CPU: user %.3f s, system %.3f s\n", what, (double)(clock_monotonic() - begun) / 1e6,
                     seconds(&now.ru_utime) - seconds(&before->ru_utime), seconds(&now.ru_stime) - seconds(&before->ru_stime));
}

/* One operation on all units, to the end of the last. */
static void for_all(Bench *bench, const char *what, void (*operation)(Bench *bench, const char *name)) {
        Usec begun = clock_monotonic();
        struct rusage before;
        char name[NAME_ROOM];

        (void)getrusage(RUSAGE_SELF, &before);
        bench->pending = bench->n;
        for (size_t i = 0; i < bench->n; i++) {
                (void)snprintf(name, sizeof(name), "load%05zu.service", i);
                operation(bench, name);
        }
        while (bench->pending > 0)
                (void)uv_run(&bench->loop, UV_RUN_ONCE);
        print_row(what, begun, &before);
}

/* Resident memory of our own, in KiB. */
static unsigned long resident(void) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        unsigned long kib = 0;
        const char *at;

        if (file_read("/proc/self/status", FILE_SMALL_MAX, &text, NULL) < 0 || !buffer_string(&text))
                return 0;
        at = strstr(buffer_string(&text), "RssAnon:");
        return at && sscanf(at, "RssAnon: %lu", &kib) == 1 ? kib : 0;
}

static int run(Bench *bench) {
        unsigned long before = resident();

        for_all(bench, "load", load);
        (void)printf("memory   %6.2f KiB a unit\n", (double)(resident() - before) / (double)bench->n);
        for_all(bench, "start", start);
        (void)printf("memory   %6.2f KiB a unit\n", (double)(resident() - before) / (double)bench->n);
        for_all(bench, "unload", unload);
        supervisor_close(bench->supervisor, NULL, NULL);
        (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
        return bench->failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        static const char *const places[] = {"../../../src/host/shim/faering-unit-shim", "src/host/shim/faering-unit-shim"};
        Bench bench = {.n = argc > 1 ? strtoul(argv[1], NULL, 10) : UNITS_DEFAULT};
        _cleanup_free_ char *state = str_printf("%s/faering-bench-XXXXXX", argc > 2 ? argv[2] : "/tmp");
        _cleanup_free_ char *shim = file_beside_program(places, ARRAY_SIZE(places));
        Error error = ERROR_NONE;
        int status = EXIT_FAILURE;

        if (bench.n < 1 || bench.n > UNITS_MAX || !state || !shim || !mkdtemp(state) || uv_loop_init(&bench.loop) < 0) {
                (void)fputs("usage: bench-supervisor [N [DIR]], from a build with faering-unit-shim\n", stderr);
                return EXIT_FAILURE;
        }
        if (embedded_supervisor_new(&bench.loop, &(EmbeddedOptions){.state_directory = state, .shim = shim, .cgroup_name = "faering-bench"},
                                    &events, NULL, &bench.supervisor, NULL, &error) >= 0)
                status = run(&bench);
        if (*error.text)
                (void)fprintf(stderr, "%s\n", error.text);
        (void)file_remove_tree(state, NULL);
        return status;
}
