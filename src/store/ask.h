#pragma once
/* Asking the running members of a cluster what they know, before this one begins. Runs the loop until it knows. */
#include <uv.h>

#include "net/tls.h"
#include "store/cluster-view.h"

/* Where a member answers, at its peer URLs. */
#define ASK_PATH "/faering/v1/members"

/*
 * Asks all members of `bootstrap` but `self` at once, at their URLs. `accept` judges each answer: true takes it. The first
 * that is taken is given back. `tls` (may be NULL): for URLs of https. -EHOSTUNREACH with `error`: nobody answered; -ENOENT: none was taken. -ENOMEM.
 */
int ask_members(uv_loop_t *loop, TlsContext *tls, const Bootstrap *bootstrap, const BootstrapMember *self,
                bool (*accept)(const void *userdata, const ClusterView *view), const void *userdata,
                ClusterView *ret_view, Error *error);
