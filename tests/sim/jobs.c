/* The disk's speed: jobs take virtual time, several side by side, and a crash meets them anywhere. */
#include "world.h"

typedef struct Job {
        Timer timer;
        ListNode link;
        Server *server;
        DiskJob *job;
        bool done;
        int r;
} Job;

static void job_free(Job *job) {
        world_cancel(job->server->world, &job->timer);
        list_unlink(&job->link);
        free(job);
}

static void on_reported(World *world, Timer *timer) {
        Job *job = container_of(timer, Job, timer);
        Server *server = job->server;
        DiskJob *work = job->job;
        int r = job->r;

        (void)world;
        if (server_defers(server, timer))
                return;
        job_free(job);
        replica_job_done(server->replica, work, r);
        server_wake(server);
        server_pass_moment(server, MOMENT_JOB_REPORTED);
}

static void on_executed(World *world, Timer *timer) {
        Job *job = container_of(timer, Job, timer);

        job->r = job->job->run(job->job);
        job->done = true;
        timer->fire = on_reported;
        world_schedule(world, timer, world->now + random_below(&world->disk_chance, 200));
        server_pass_moment(job->server, MOMENT_JOB_DONE);
}

void jobs_run(Server *server, DiskJob *work) {
        World *world = server->world;
        Job *job = calloc(1, sizeof(*job));

        if (!job)
                abort();
        *job = (Job){.timer = TIMER_INIT(on_executed), .server = server, .job = work};
        list_append(&server->jobs, &job->link);
        world_schedule(world, &job->timer,
                       world->now + world_draw_time(&world->disk_chance, world->plan.disk) +
                               (server->disk_delay ? random_below(&world->disk_chance, server->disk_delay) : 0));
        server_pass_moment(server, MOMENT_JOB_BEGUN);
}

/* Runs a job on a disk that gives up somewhere in the middle. */
static void job_run_partly(Server *server, Job *job) {
        FakeDiskFaults *faults = fake_disk_faults(server->disk), saved = *faults;

        server_count_disk(server);
        faults->write_fails = faults->sync_fails = 400000;
        (void)job->job->run(job->job);
        *faults = saved;
        server->disk_seen = *fake_disk_counts(server->disk); /* no fault of the disk: the crash's doing */
}

void jobs_crash(Server *server) {
        World *world = server->world;

        list_foreach (&server->jobs, node) {
                Job *job = container_of(node, Job, link);

                if (!job->done) {
                        switch (random_below(&world->disk_chance, 3)) {
                        case 0:
                                break;
                        case 1:
                                (void)job->job->run(job->job);
                                break;
                        default:
                                job_run_partly(server, job);
                        }
                }
                job_free(job);
        }
}
