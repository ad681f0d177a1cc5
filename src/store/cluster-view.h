#pragma once
/* What a running member says of its cluster to one that begins: who takes part, and who was removed. Pure. The bytes are in
 * docs/formats/store-members.md. */
#include "raft/types.h"
#include "store/bootstrap.h"
#include "store/members.h"

/* Members and removed ids that an answer may name. */
enum { CLUSTER_VIEW_MEMBERS_MAX = 64, CLUSTER_VIEW_REMOVED_MAX = 100000 };

typedef struct ClusterViewMember {
        uint64_t id;
        char *name;           /* "": has never been started */
        bool standby;         /* does not vote yet */
        StringList peer_urls; /* sorted */
} ClusterViewMember;

typedef struct ClusterView {
        uint64_t cluster;
        ClusterViewMember *members;
        size_t count;
        uint64_t *removed;
        size_t removed_count;
} ClusterView;

void cluster_view_deinit(ClusterView *view);
#define _cleanup_cluster_view_ _cleanup_(cluster_view_deinit)

/* -ENOMEM. `state`: the configuration, which says who stands by. */
int cluster_view_format(Buffer *buffer, uint64_t cluster, const Members *members, const RaftConfState *state,
                        const Tree *tree);

/* -EINVAL with `error`: no such answer; -ENOMEM. */
int cluster_view_parse(Slice text, ClusterView *ret_view, Error *error);

bool cluster_view_has_removed(const ClusterView *view, uint64_t id);
const ClusterViewMember *cluster_view_find(const ClusterView *view, uint64_t id);

/* The member with one of these URLs, or NULL. */
const ClusterViewMember *cluster_view_find_url(const ClusterView *view, const BootstrapMember *member);

/* Finds which of the running cluster's members `self` is to be, by its URLs, for one without data. -ENOENT and others with
 * `error`: it was not added, was started before with other data, or a member of --initial-cluster does not exist. */
int cluster_view_join(const ClusterView *view, const Bootstrap *bootstrap, const BootstrapMember *self,
                      const ClusterViewMember **ret_member, Error *error);

/* Whether the founder `self` may begin without data although its cluster runs already. -EEXIST with `error`: it took part
 * before, and what it promised then is lost. */
int cluster_view_may_found(const ClusterView *view, const BootstrapMember *self, Error *error);
