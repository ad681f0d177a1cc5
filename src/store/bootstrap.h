#pragma once
/* What --initial-cluster says: the members of a cluster that begins, with the ids that etcd would give them. */
#include "base/error.h"
#include "net/url.h"

typedef struct BootstrapMember {
        char *name;
        Url *urls;
        size_t url_count;
        uint64_t id;
        char *attributes; /* JSON: {"peerURLs":[…]} */
} BootstrapMember;

typedef struct Bootstrap {
        BootstrapMember *members; /* by id */
        size_t count;
        uint64_t cluster;
} Bootstrap;

/*
 * Parses "name=url,name=url2,other=url" (a name may come several times, and be empty: etcdctl prints members so that were
 * added but have not said their name yet; such a one cannot be a founder). Ids are etcd's: of a member the first eight bytes
 * of SHA-1 over its sorted URLs and the token, of the cluster those over all members' ids in order (etcd 3.4,
 * server/etcdserver/api/membership). -EINVAL with `error`.
 */
int bootstrap_parse(const char *text, const char *token, Bootstrap *ret_bootstrap, Error *error);
void bootstrap_deinit(Bootstrap *bootstrap);

/* NULL when there is none of that name. */
const BootstrapMember *bootstrap_find(const Bootstrap *bootstrap, const char *name);
