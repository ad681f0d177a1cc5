/* sim-store: runs simulated clusters of the store, a seed each, and tells whether any broke a promise. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/options.h"
#include "world.h"

enum { JOBS_MAX = 64, SEED_SECONDS_MAX = 300 };

/* What a worker tells of one seed: small enough that a pipe takes it whole. */
typedef struct Report {
        uint64_t seed;
        bool begun; /* only that it begins */
        bool failed;
        Usec time;
        uint64_t digest;
        uint64_t counts[COUNT_KINDS];
        char violation[VIOLATION_MAX];
} Report;

typedef struct Worker {
        pid_t process; /* 0: ended */
        int pipe;
        uint64_t seed; /* under way; 0: none */
} Worker;

typedef struct Totals {
        uint64_t seeds, failures;
        Usec time;
        uint64_t counts[COUNT_KINDS];
} Totals;

typedef struct Arguments {
        char *seeds;
        uint64_t from, to, jobs;
        uint64_t seed; /* 0: a range */
        bool trace, help;
} Arguments;

static void run_seed(uint64_t seed, bool trace, Report *report) {
        static World world;

        world_run(&world, seed, trace);
        *report = (Report){.seed = seed, .failed = world.failed, .time = world.now, .digest = world.digest};
        memcpy(report->counts, world.counts, sizeof(report->counts));
        memcpy(report->violation, world.violation, sizeof(report->violation));
}

static void print_failure(const Report *report) {
        printf("seed %" PRIu64 ": %s\n    replay it: sim-store --seed %" PRIu64 " --trace\n", report->seed,
               report->violation, report->seed);
}

/* ---- one seed ---- */

static int run_one(const Arguments *arguments) {
        Report report;

        run_seed(arguments->seed, arguments->trace, &report);
        for (size_t i = 0; i < COUNT_KINDS; i++)
                printf("%-32s %12" PRIu64 "\n", count_name((Count)i), report.counts[i]);
        printf("digest %016" PRIx64 "\n", report.digest);
        if (report.failed)
                print_failure(&report);
        else
                printf("seed %" PRIu64 ": no violation in %.0f virtual seconds\n", report.seed,
                       (double)report.time / 1e6);
        return report.failed ? 1 : 0;
}

/* ---- a range of seeds ---- */

static void worker_send(int pipe, const Report *report) {
        if (write(pipe, report, sizeof(*report)) != (ssize_t)sizeof(*report))
                _exit(3);
}

/* A seed that does not replay exactly is of no use to anyone: the first one of a range is run twice. */
static void check_replay(Report *report) {
        Report again;

        run_seed(report->seed, false, &again);
        if (report->failed ||
            (again.digest == report->digest && memcmp(again.counts, report->counts, sizeof(again.counts)) == 0))
                return;
        report->failed = true;
        (void)snprintf(report->violation, sizeof(report->violation),
                       "replay: the same seed went another way the second time");
}

static void worker_run(int pipe, const Arguments *arguments, uint64_t place) {
        Report report;

        for (uint64_t seed = arguments->from + place; seed <= arguments->to; seed += arguments->jobs) {
                (void)alarm(SEED_SECONDS_MAX); /* a server that never comes back from a call ends the worker */
                worker_send(pipe, &(Report){.seed = seed, .begun = true});
                run_seed(seed, false, &report);
                if (seed == arguments->from)
                        check_replay(&report);
                worker_send(pipe, &report);
                if (report.failed)
                        break;
        }
        _exit(0);
}

static int worker_begin(Worker *worker, const Arguments *arguments, uint64_t place) {
        int ends[2];

        if (pipe(ends) < 0)
                return -errno;
        (void)fflush(stdout);
        worker->process = fork();
        if (worker->process < 0)
                return -errno;
        if (worker->process == 0) {
                (void)close(ends[0]);
                worker_run(ends[1], arguments, place);
        }
        (void)close(ends[1]);
        worker->pipe = ends[0];
        return 0;
}

static void worker_ended(Worker *worker, Totals *totals) {
        int status = 0;

        (void)waitpid(worker->process, &status, 0);
        (void)close(worker->pipe);
        worker->process = 0;
        if (worker->seed == 0)
                return;
        totals->failures++;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
                printf("seed %" PRIu64 ": takes more than %d seconds\n", worker->seed, SEED_SECONDS_MAX);
        else
                printf("seed %" PRIu64 ": the process ended by %s %d (an assertion, or damaged memory)\n", worker->seed,
                       WIFSIGNALED(status) ? "signal" : "status",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        printf("    replay it: sim-store --seed %" PRIu64 " --trace\n", worker->seed);
}

static void worker_report(Worker *worker, const Report *report, Totals *totals) {
        if (report->begun) {
                worker->seed = report->seed;
                return;
        }
        worker->seed = 0;
        totals->seeds++;
        totals->time += report->time;
        for (size_t i = 0; i < COUNT_KINDS; i++)
                totals->counts[i] += report->counts[i];
        if (report->failed) {
                totals->failures++;
                print_failure(report);
        }
}

static bool read_report(int pipe, Report *ret_report) {
        size_t got = 0;

        while (got < sizeof(*ret_report)) {
                ssize_t n = read(pipe, (char *)ret_report + got, sizeof(*ret_report) - got);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return false;
                got += (size_t)n;
        }
        return true;
}

/* Takes the workers' reports in the order of the seeds, so that the output is the same however many there are. */
static void workers_collect(Worker *workers, size_t count, const Arguments *arguments, Totals *totals) {
        bool terminal = isatty(STDERR_FILENO);
        size_t running = count;

        for (size_t at = 0; running > 0; at = (at + 1) % count) {
                Report report;

                if (workers[at].process == 0)
                        continue;
                do {
                        if (!read_report(workers[at].pipe, &report)) {
                                worker_ended(&workers[at], totals);
                                running--;
                                break;
                        }
                        worker_report(&workers[at], &report, totals);
                } while (report.begun);
                if (terminal)
                        fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " seeds", totals->seeds,
                                arguments->to - arguments->from + 1);
                if (totals->failures > 0)
                        break;
        }
        if (terminal)
                fprintf(stderr, "\r%40s\r", "");
        for (size_t i = 0; i < count; i++)
                if (workers[i].process > 0) {
                        (void)kill(workers[i].process, SIGKILL);
                        workers[i].seed = 0;
                        worker_ended(&workers[i], totals);
                }
}

static void print_totals(const Totals *totals, Usec took) {
        for (size_t i = 0; i < COUNT_KINDS; i++)
                printf("%-32s %12" PRIu64 "\n", count_name((Count)i), totals->counts[i]);
        printf("%" PRIu64 " seeds, %.1f virtual hours in %.1f s, %" PRIu64 " violations\n", totals->seeds,
               (double)totals->time / 3.6e9, (double)took / 1e6, totals->failures);
}

static int run_range(Arguments *arguments) {
        Worker workers[JOBS_MAX] = {0};
        Totals totals = {0};
        Usec begun = clock_monotonic();
        size_t count;

        arguments->jobs = min_of(arguments->jobs, arguments->to - arguments->from + 1);
        count = (size_t)arguments->jobs;
        for (size_t i = 0; i < count; i++)
                if (worker_begin(&workers[i], arguments, i) < 0) {
                        fprintf(stderr, "sim-store: cannot start a process\n");
                        return 1;
                }
        workers_collect(workers, count, arguments, &totals);
        print_totals(&totals, clock_monotonic() - begun);
        return totals.failures > 0 ? 1 : 0;
}

/* ---- arguments ---- */

static int parse_range(Arguments *arguments, Error *error) {
        Slice rest = slice_from(arguments->seeds), from, to;

        if (!slice_split(&rest, '-', &from) || !slice_split(&rest, '-', &to) || rest.data ||
            str_parse_u64(from, UINT32_MAX, &arguments->from) < 0 ||
            str_parse_u64(to, UINT32_MAX, &arguments->to) < 0 || arguments->from == 0 ||
            arguments->to < arguments->from)
                return error_set(error, -EINVAL, "--seeds wants two numbers from 1 on, such as 1-200, not '%s'",
                                 arguments->seeds);
        return 0;
}

static int arguments_check(Arguments *arguments, const StringList *left, Error *error) {
        if (left->length > 0)
                return error_set(error, -EINVAL, "no argument '%s' is known", left->items[0]);
        if ((arguments->seed != 0) == (arguments->seeds != NULL))
                return error_set(error, -EINVAL, "either --seeds FROM-TO or --seed N is wanted");
        if (arguments->trace && arguments->seeds)
                return error_set(error, -EINVAL, "--trace goes with --seed N only");
        if (arguments->jobs == 0 || arguments->jobs > JOBS_MAX)
                return error_set(error, -EINVAL, "--jobs wants a number from 1 to %d", JOBS_MAX);
        return arguments->seeds ? parse_range(arguments, error) : 0;
}

static void print_help(const Option *options) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)options_format_help(options, "--", &text);
        printf("sim-store: simulated clusters of the store under faults; tests/sim/README.md says more.\n\n"
               "    sim-store --seeds 1-200\n    sim-store --seed 17 --trace\n\n%s",
               buffer_string(&text));
}

int main(int argc, char **argv) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        Arguments arguments = {.jobs = cores > 0 ? (uint64_t)min_of(cores, (long)JOBS_MAX) : 1};
        const Option options[] = {
                {.name = "seeds",
                 .type = OPTION_STRING,
                 .argument = "FROM-TO",
                 .help = "runs each of these seeds",
                 .target = &arguments.seeds},
                {.name = "seed",
                 .type = OPTION_U64,
                 .argument = "N",
                 .help = "runs one seed",
                 .target = &arguments.seed},
                {.name = "trace",
                 .type = OPTION_SWITCH,
                 .help = "prints what happens, by virtual time",
                 .target = &arguments.trace},
                {.name = "jobs",
                 .type = OPTION_U64,
                 .argument = "N",
                 .help = "processes (default: one for each core)",
                 .target = &arguments.jobs},
                {.name = "help", .type = OPTION_SWITCH, .help = "prints this", .target = &arguments.help},
                {.name = NULL},
        };
        _cleanup_string_list_ StringList left = {0};
        Error error = ERROR_NONE;
        int r;

        r = options_parse(options, OPTIONS_GNU, argc, argv, &left, &error);
        if (r >= 0 && arguments.help) {
                print_help(options);
                r = 0;
        } else {
                if (r >= 0)
                        r = arguments_check(&arguments, &left, &error);
                if (r < 0) {
                        fprintf(stderr, "sim-store: %s\n", error.text);
                        r = 2;
                } else
                        r = arguments.seeds ? run_range(&arguments) : run_one(&arguments);
        }
        free(arguments.seeds);
        return r;
}
