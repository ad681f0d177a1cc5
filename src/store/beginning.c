#include "store/beginning.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "store/ask.h"

static ReplicaConfig replica_config(const Settings *settings) {
        ReplicaConfig config = {
                .tick = settings->heartbeat_msec * USEC_PER_MSEC,
                .election_ticks = (unsigned)(settings->election_msec / settings->heartbeat_msec),
                .request_timeout = 5 * USEC_PER_SEC + 2 * settings->election_msec * USEC_PER_MSEC,
                .snapshot_entries = settings->snapshot_count,
                .keep_entries = settings->catchup_entries,
        };
        uint64_t seed;

        random_secret(&seed, sizeof(seed));
        random_seed(&config.random, seed);
        random_secret(&config.tree.seed, sizeof(config.tree.seed));
        return config;
}

static int find_self(const Settings *settings, const BootstrapMember **ret_self, Error *error) {
        *ret_self = bootstrap_find(&settings->bootstrap, settings->name);
        if (*ret_self)
                return 0;
        return error_set(error, -EINVAL,
                         "--initial-cluster does not name this member, \"%s\": add %s=URL to it, or correct --name",
                         settings->name, settings->name);
}

/* ---- founding ---- */

static bool is_founded(const void *userdata, const ClusterView *view) {
        return view->cluster == ((const Settings *)userdata)->bootstrap.cluster;
}

static int begin_new(uv_loop_t *loop, TlsContext *tls, const Settings *settings, Disk *disk, ReplicaConfig *config,
                     Error *error) {
        _cleanup_cluster_view_ ClusterView view = {0};
        ReplicaMember members[RAFT_MEMBERS_MAX];
        const BootstrapMember *self;
        int r;

        r = find_self(settings, &self, error);
        if (r < 0)
                return r;
        if (bootstrap_find(&settings->bootstrap, ""))
                return error_set(error, -EINVAL,
                                 "--initial-cluster has a URL without a name: write NAME=URL for each founder");
        if (settings->bootstrap.count > 1) {
                r = ask_members(loop, tls, &settings->bootstrap, self, is_founded, settings, &view, NULL);
                if (r >= 0)
                        r = cluster_view_may_found(&view, self, error);
                if (r < 0 && r != -EHOSTUNREACH && r != -ENOENT)
                        return r;
        }
        for (size_t i = 0; i < settings->bootstrap.count; i++)
                members[i] =
                        (ReplicaMember){settings->bootstrap.members[i].id, settings->bootstrap.members[i].attributes};
        config->id = self->id;
        config->cluster = settings->bootstrap.cluster;
        return replica_bootstrap(disk, config, members, settings->bootstrap.count, error);
}

/* ---- joining ---- */

static bool any(const void *userdata, const ClusterView *view) {
        (void)userdata;
        return view->count > 0;
}

static int ask_cluster(uv_loop_t *loop, TlsContext *tls, const Settings *settings, const BootstrapMember *self, ClusterView *ret_view,
                       Error *error) {
        int r;

        if (settings->bootstrap.count < 2)
                return error_set(error, -EINVAL,
                                 "--initial-cluster-state is existing, but --initial-cluster names no other member to "
                                 "ask: it must be "
                                 "what \"faering store member add\" printed");
        r = ask_members(loop, tls, &settings->bootstrap, self, any, NULL, ret_view, error);
        return r == -EHOSTUNREACH
                       ? error_prefix(error, r,
                                      "--initial-cluster-state is existing, but cannot learn of the running cluster")
                       : r;
}

static int begin_existing(uv_loop_t *loop, TlsContext *tls, const Settings *settings, Disk *disk, ReplicaConfig *config,
                          ClusterView *ret_view, Error *error) {
        const ClusterViewMember *member;
        const BootstrapMember *self;
        int r;

        r = find_self(settings, &self, error);
        if (r >= 0)
                r = ask_cluster(loop, tls, settings, self, ret_view, error);
        if (r >= 0)
                r = cluster_view_join(ret_view, &settings->bootstrap, self, &member, error);
        if (r < 0)
                return r;
        config->id = member->id;
        config->cluster = ret_view->cluster;
        log_info("joining cluster %" PRIx64 " as member %" PRIx64, config->cluster, config->id);
        return replica_join(disk, config, error);
}

/* ---- with data ---- */

static int force_new_cluster(const Settings *settings, Disk *disk, const ReplicaConfig *config, Error *error) {
        int r = replica_force_new_cluster(config, disk, error);

        if (r < 0)
                return error_prefix(error, r, "--force-new-cluster");
        log_warning("--force-new-cluster: this member goes on alone, as the only one of its cluster, with the data in "
                    "%s; all others "
                    "were removed. Start it without this flag from now on, delete the others' data, and add them anew",
                    settings->data_dir);
        return 0;
}

/* A member that was stopped before it had heard anything still has to ask. */
static bool knows_nothing(const Replica *replica) {
        const ReplicaRecovery *found = replica_recovery(replica);

        return found->snapshot_index == 0 && found->commit == 0;
}

int beginning_open(uv_loop_t *loop, const Settings *settings, TlsContext *tls, Disk *disk, const ReplicaOps *ops, void *userdata,
                   Beginning *ret_beginning, Error *error) {
        ReplicaConfig config = replica_config(settings);
        Beginning beginning = {0};
        const BootstrapMember *self;
        int r;

        r = log_exists(disk);
        if (r < 0)
                return error_set_errno(error, r, "cannot read %s", settings->data_dir);
        beginning.has_data = r > 0;
        if (r > 0)
                r = settings->force_new_cluster ? force_new_cluster(settings, disk, &config, error) : 0;
        else if (settings->force_new_cluster)
                r = error_set(error, -ENOENT, "--force-new-cluster goes on from a member's data, but %s holds none",
                              settings->data_dir);
        else if (str_equals(settings->initial_cluster_state, "existing"))
                r = begin_existing(loop, tls, settings, disk, &config, &beginning.view, error);
        else
                r = begin_new(loop, tls, settings, disk, &config, error);
        if (r >= 0)
                r = replica_open(&config, disk, ops, userdata, &beginning.replica, error);
        if (r >= 0 && beginning.has_data && knows_nothing(beginning.replica)) {
                r = find_self(settings, &self, error);
                if (r >= 0)
                        r = ask_cluster(loop, tls, settings, self, &beginning.view, error);
        }
        if (r < 0) {
                cluster_view_deinit(&beginning.view);
                beginning.replica = replica_free(beginning.replica, false);
                return r;
        }
        *ret_beginning = beginning;
        return 0;
}
