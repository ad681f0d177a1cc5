#pragma once
/* Hashing on worker threads: few at a time, because the disk's work needs these threads too, and others wait in a bounded queue. */
#include <uv.h>

#include "base/list.h"
#include "store/api/password.h"

enum {
        PASSWORD_RUNNING_MAX = 2,
        PASSWORD_QUEUE_MAX =
                128, /* further ones are refused: a flood of wrong passwords must not become a flood of work */
};

typedef struct PasswordPool {
        uv_loop_t *loop;
        List waiting;
        size_t waiting_count, running;
} PasswordPool;

/* Owned by whoever submits it, until `done`. */
typedef struct PasswordJob {
        uv_work_t request;
        ListNode node;
        PasswordPool *pool;
        char *password; /* in plain; the pool wipes and frees it */
        char hash[PASSWORD_HASH_SIZE];
        bool makes_hash; /* of `password` into `hash`; otherwise: does it match `hash`? */
        bool unwanted;   /* nobody waits for it any more: if it has not begun it ends at once, with -ECANCELED */
        char salt[16];
        int r; /* once done: 0, or -errno; for a check: 1 when it matches */
        void (*done)(struct PasswordJob *job);
} PasswordJob;

void password_pool_init(PasswordPool *pool, uv_loop_t *loop);

/* -EBUSY: too many wait already, and `job` is as it was. */
int password_pool_submit(PasswordPool *pool, PasswordJob *job);
