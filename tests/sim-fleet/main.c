/* sim-fleet: runs simulated fleets, a seed each, and tells whether any broke a promise. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/options.h"
#include "world.h"

enum { JOBS_MAX = 64, SEED_SECONDS_MAX = 120 };

/* What a worker tells of one seed: small enough that a pipe takes it whole. */
typedef struct Report {
        uint64_t seed; /* 0: nothing came */
        bool failed;
        uint64_t digest;
        Usec time;
        uint64_t counts[COUNT_KINDS];
        char violation[VIOLATION_MAX];
} Report;

typedef struct Arguments {
        char *seeds;
        uint64_t from, to, jobs;
        bool verbose, help;
} Arguments;

static void run_seed(uint64_t seed, bool verbose, Report *report) {
        static World world;

        world_run(&world, seed, verbose);
        *report = (Report){.seed = seed, .failed = world.failed, .digest = world.digest, .time = world.now - WORLD_BEGIN};
        memcpy(report->counts, world.counts, sizeof(report->counts));
        memcpy(report->violation, world.violation, sizeof(report->violation));
}

/* The story around a violation, told by running the seed again. */
static void print_failure(const Report *report) {
        static World world;

        printf("seed %" PRIu64 ": %s\n", report->seed, report->violation);
        if (fflush(stdout) != 0)
                return;
        (void)alarm(SEED_SECONDS_MAX);
        world_run(&world, report->seed, false);
        (void)alarm(0);
        for (size_t i = world.told > STORY_LINES ? world.told - STORY_LINES : 0; i < world.told; i++)
                printf("    %s\n", world.story[i % STORY_LINES]);
        printf("    all of it: sim-fleet --seeds %" PRIu64 "-%" PRIu64 " --verbose\n", report->seed, report->seed);
}

/* A seed that does not replay exactly is of no use to anyone: the first one of a range is run twice. */
static void check_replay(Report *report) {
        Report again;

        run_seed(report->seed, false, &again);
        if (report->failed || (again.digest == report->digest && memcmp(again.counts, report->counts, sizeof(again.counts)) == 0))
                return;
        report->failed = true;
        (void)snprintf(report->violation, sizeof(report->violation), "replay: the same seed went another way the second time");
}

static _Noreturn void worker_run(int pipe, const Arguments *arguments, uint64_t place) {
        Report report;

        for (uint64_t seed = arguments->from + place; seed <= arguments->to; seed += arguments->jobs) {
                (void)alarm(SEED_SECONDS_MAX); /* a call that never comes back ends the worker */
                run_seed(seed, arguments->verbose, &report);
                if (seed == arguments->from)
                        check_replay(&report);
                if (fflush(stdout) != 0 || write(pipe, &report, sizeof(report)) != (ssize_t)sizeof(report))
                        _exit(3);
        }
        _exit(0);
}

static int worker_begin(const Arguments *arguments, uint64_t place, int *ret_pipe) {
        int ends[2];
        pid_t process;

        if (pipe(ends) < 0)
                return -errno;
        process = fork();
        if (process < 0)
                return -errno;
        if (process == 0) {
                (void)close(ends[0]);
                worker_run(ends[1], arguments, place);
        }
        (void)close(ends[1]);
        *ret_pipe = ends[0];
        return 0;
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

/* In the order of the seeds, so that the output is the same however many workers there are. */
static uint64_t collect(const int *pipes, const Arguments *arguments) {
        uint64_t counts[COUNT_KINDS] = {0}, failures = 0, digest = 0, seeds = 0;
        Usec time = 0;

        for (uint64_t seed = arguments->from; seed <= arguments->to; seed++) {
                Report report;

                if (!read_report(pipes[(seed - arguments->from) % arguments->jobs], &report)) {
                        printf("seed %" PRIu64 ": the simulation crashed, or did not come to an end\n", seed);
                        failures++;
                        break;
                }
                seeds++;
                time += report.time;
                digest = (digest ^ report.digest) * 0x9e3779b97f4a7c15u;
                for (size_t i = 0; i < COUNT_KINDS; i++)
                        counts[i] += report.counts[i];
                if (!report.failed)
                        continue;
                failures++;
                print_failure(&report);
        }
        for (size_t i = 0; i < COUNT_KINDS; i++)
                printf("%-40s %12" PRIu64 "\n", count_name((Count)i), counts[i]);
        printf("history %016" PRIx64 "\n", digest);
        printf("%" PRIu64 " seeds, %.1f virtual hours, %" PRIu64 " violations\n", seeds, (double)time / 3.6e9, failures);
        return failures;
}

static int run_range(Arguments *arguments) {
        int pipes[JOBS_MAX];
        uint64_t failures;

        arguments->jobs = min_of(arguments->jobs, arguments->to - arguments->from + 1);
        if (arguments->verbose)
                arguments->jobs = 1;
        if (fflush(stdout) != 0)
                return 1;
        for (uint64_t i = 0; i < arguments->jobs; i++)
                if (worker_begin(arguments, i, &pipes[i]) < 0) {
                        fprintf(stderr, "sim-fleet: cannot start a process\n");
                        return 1;
                }
        failures = collect(pipes, arguments);
        for (uint64_t i = 0; i < arguments->jobs; i++)
                (void)close(pipes[i]);
        while (wait(NULL) > 0)
                ;
        return failures > 0 ? 1 : 0;
}

static int parse_range(Arguments *arguments, Error *error) {
        Slice rest = slice_from(arguments->seeds), from, to;

        if (!slice_split(&rest, '-', &from) || !slice_split(&rest, '-', &to) || rest.data ||
            str_parse_u64(from, UINT32_MAX, &arguments->from) < 0 || str_parse_u64(to, UINT32_MAX, &arguments->to) < 0 ||
            arguments->from == 0 || arguments->to < arguments->from)
                return error_set(error, -EINVAL, "--seeds wants two numbers from 1 on, such as 1-200, not '%s'", arguments->seeds);
        return 0;
}

static int arguments_check(Arguments *arguments, const StringList *left, Error *error) {
        if (left->length > 0)
                return error_set(error, -EINVAL, "no argument '%s' is known", left->items[0]);
        if (!arguments->seeds)
                return error_set(error, -EINVAL, "--seeds FROM-TO is wanted");
        if (arguments->jobs == 0 || arguments->jobs > JOBS_MAX)
                return error_set(error, -EINVAL, "--jobs wants a number from 1 to %d", JOBS_MAX);
        return parse_range(arguments, error);
}

static void print_help(const Option *options) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)options_format_help(options, "--", &text);
        printf("sim-fleet: simulated fleets under faults; tests/sim-fleet/README.md says more.\n\n    sim-fleet --seeds 1-200\n\n%s",
               buffer_string(&text));
}

int main(int argc, char **argv) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        Arguments arguments = {.jobs = cores > 0 ? (uint64_t)min_of(cores, (long)JOBS_MAX) : 1};
        const Option options[] = {
                {.name = "seeds", .type = OPTION_STRING, .argument = "FROM-TO", .help = "runs each of these seeds", .target = &arguments.seeds},
                {.name = "verbose", .type = OPTION_SWITCH, .help = "tells all that happens, by virtual time", .target = &arguments.verbose},
                {.name = "jobs", .type = OPTION_U64, .argument = "N", .help = "processes (default: one for each core)", .target = &arguments.jobs},
                {.name = "help", .type = OPTION_SWITCH, .help = "prints this", .target = &arguments.help},
                {.name = NULL},
        };
        _cleanup_string_list_ StringList left = {0};
        Error error = ERROR_NONE;
        int r = options_parse(options, OPTIONS_GNU, argc, argv, &left, &error);

        if (r >= 0 && arguments.help) {
                print_help(options);
                r = 0;
        } else {
                if (r >= 0)
                        r = arguments_check(&arguments, &left, &error);
                if (r < 0)
                        fprintf(stderr, "sim-fleet: %s\n", error.text);
                r = r < 0 ? 2 : run_range(&arguments);
        }
        free(arguments.seeds);
        return r;
}
