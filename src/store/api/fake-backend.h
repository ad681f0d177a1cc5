#pragma once
/*
 * A StoreBackend for tests: one member that leads, and applies each command at once, or later, or fails as it is told
 * to. Owns its tree. Time is what the test sets, or the system's.
 */
#include "base/list.h"
#include "store/api/backend.h"

#define FAKE_MEMBERS_MAX 8

typedef struct FakeBackend {
        Tree tree;
        StoreMember members[FAKE_MEMBERS_MAX]; /* the first is this one */
        size_t member_count;
        uint64_t removed; /* id of the member removed last */
        StoreStatus status;
        WallUsec now;       /* 0: the system's clock */
        bool leads;
        bool holds;         /* writes and quorum reads wait for fake_backend_release() */
        const char *reason; /* not NULL: they fail with this */
        List waiting;
} FakeBackend;

extern const StoreBackend fake_backend;

int fake_backend_init(FakeBackend *fake, const char *client_url); /* -ENOMEM */
void fake_backend_deinit(FakeBackend *fake);

/* Carries out what waits. */
void fake_backend_release(FakeBackend *fake);

/* What a leader does twice a second: expires what is due. */
void fake_backend_sync(FakeBackend *fake);
