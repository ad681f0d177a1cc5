#include "store/api/password-pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

void password_pool_init(PasswordPool *pool, uv_loop_t *loop) {
        *pool = (PasswordPool){.loop = loop};
        list_init(&pool->waiting);
}

static void job_wipe(PasswordJob *job) {
        explicit_bzero(job->password, strlen(job->password));
        free(job->password);
        job->password = NULL;
}

static void job_run(uv_work_t *request) {
        PasswordJob *job = container_of(request, PasswordJob, request);

        if (job->makes_hash)
                job->r = password_hash(job->password, job->salt, job->hash);
        else
                job->r = password_matches(job->password, job->hash);
        job_wipe(job);
}

static void pool_run(PasswordPool *pool);

static void job_done(uv_work_t *request, int status) {
        PasswordJob *job = container_of(request, PasswordJob, request);
        PasswordPool *pool = job->pool;

        (void)status; /* works are never cancelled */
        pool->running--;
        pool_run(pool);
        job->done(job);
}

static void pool_run(PasswordPool *pool) {
        while (pool->running < PASSWORD_RUNNING_MAX && !list_is_empty(&pool->waiting)) {
                PasswordJob *job = container_of(pool->waiting.next, PasswordJob, node);

                list_unlink(&job->node);
                pool->waiting_count--;
                if (job->unwanted) {
                        job_wipe(job);
                        job->r = -ECANCELED;
                        job->done(job);
                        continue;
                }
                pool->running++;
                (void)uv_queue_work(pool->loop, &job->request, job_run, job_done);
        }
}

int password_pool_submit(PasswordPool *pool, PasswordJob *job) {
        if (pool->waiting_count >= PASSWORD_QUEUE_MAX)
                return -EBUSY;
        job->pool = pool;
        if (job->makes_hash)
                random_secret(job->salt, sizeof(job->salt));
        list_init(&job->node);
        list_append(&pool->waiting, &job->node);
        pool->waiting_count++;
        pool_run(pool);
        return 0;
}
