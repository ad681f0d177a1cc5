/* Starting: files, network and bundle are made, then the shim makes the container, attached clients are joined, and
 * it runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "containers/engine/engine.h"
#include "containers/engine/runtime-reason.h"
#include "containers/engine/volume-fill.h"
#include "containers/runtime/json-fields.h"
#include "containers/runtime/rootfs.h"
#include "host/file.h"

enum { HOST_BINDS = 3, RESOLV_MAX = 65536 };

static int mount_files(Container *container, Error *error) {
        Engine *engine = container->engine;
        _cleanup_free_ char *lower = NULL;
        Image *image;
        int r = image_store_find(engine->images, container->image_id, &image, error);

        if (r < 0)
                return error_prefix(error, r, "the image of container %.12s is gone", container->id);
        lower = image_lower_directories(engine->images, image);
        if (!lower)
                return -ENOMEM;
        r = rootfs_mount(container->directory, lower, error);
        container->mounted = r >= 0;
        return r;
}

static int make_network(Container *container, Error *error) {
        ContainerNetwork *network = container->engine->network;
        NetworkPlace place = {.ports = container->ports, .n_ports = container->n_ports};
        int r;

        if (container->spec.network == NETWORK_HOST || container->spec.network == NETWORK_CONTAINER || !network)
                return 0;
        r = container_network_make(network, container->id, error);
        if (r < 0)
                return r;
        container->has_network = true;
        if (container->spec.network != NETWORK_BRIDGE)
                return 0;
        (void)snprintf(place.address, sizeof(place.address), "%s", container->address);
        r = container_network_join(network, container->id, &place, error);
        if (r < 0)
                return r;
        (void)snprintf(container->address, sizeof(container->address), "%s", place.address);
        return 0;
}

/* The path of the network namespace that it is to be in; NULL: the host's. */
static int find_namespace(Container *container, char **ret, Error *error) {
        Container *owner = container;
        int r;

        *ret = NULL;
        if (container->spec.network == NETWORK_CONTAINER) {
                r = engine_find(container->engine, container->spec.network_container, &owner, error);
                if (r < 0)
                        return error_prefix(error, -EBUSY, "--network container:%s", container->spec.network_container);
                if (!container_is_running(owner))
                        return error_set(error, -EBUSY, "cannot join network of a non running container: %s",
                                         owner->id);
        }
        if (!owner->has_network)
                return 0;
        *ret = container_network_namespace(container->engine->network, owner->id);
        return *ret ? 0 : -ENOMEM;
}

static int write_host_files(Container *container, const StringList *links, Error *error) {
        const ContainerSpec *spec = &container->spec;
        ContainerNetwork *network = container->engine->network;
        bool on_bridge = spec->network == NETWORK_BRIDGE;
        _cleanup_buffer_ Buffer resolv = BUFFER_INIT;
        HostFiles files = {
                .directory = container->directory,
                .host_name = spec->host_name,
                .domain = spec->domain,
                .address = on_bridge && container->address[0] ? container->address : NULL,
                .gateway = on_bridge && network ? container_network_gateway(network) : NULL,
                .extra_hosts = &spec->extra_hosts,
                .links = links,
                .dns = &spec->dns,
                .dns_search = &spec->dns_search,
                .dns_options = &spec->dns_options,
                .drop_loopback = spec->network != NETWORK_HOST,
        };

        (void)file_read("/etc/resolv.conf", RESOLV_MAX, &resolv, NULL); /* a host without one is no reason not to run */
        files.host_resolv = (Slice){buffer_data(&resolv) ?: "", buffer_length(&resolv)};
        return host_files_write(&files, error);
}

static size_t fill_mounts(Container *container, BundleMount *mounts, char *paths[static HOST_BINDS]) {
        static const char *const names[HOST_BINDS] = {"resolv.conf", "hostname", "hosts"};
        static const char *const targets[HOST_BINDS] = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"};
        size_t n = 0;

        for (size_t i = 0; i < HOST_BINDS; i++) {
                paths[i] = str_printf("%s/%s", container->directory, names[i]);
                mounts[n++] = (BundleMount){.source = paths[i], .target = targets[i]};
        }
        for (size_t i = 0; i < container->n_volumes; i++)
                mounts[n++] = (BundleMount){.source = container->volumes[i].source,
                                            .target = container->volumes[i].target,
                                            .propagation = container->volumes[i].propagation,
                                            .read_only = container->volumes[i].read_only};
        return n;
}

static int write_json(const char *path, const json_t *object, Error *error) {
        _cleanup_free_ char *text = json_dumps(object, JSON_INDENT(1));

        return text ? file_replace(path, 0600, slice_from(text), false, error) : -ENOMEM;
}

static int write_bundle(Container *container, const StringList *environment, Error *error) {
        Engine *engine = container->engine;
        _cleanup_free_ char *bundle = str_printf("%s/bundle", container->directory),
                            *file = str_printf("%s/bundle/config.json", container->directory),
                            *root = str_printf("%s/merged", container->directory),
                            *cgroup = str_printf("/faering-containers/%s", container->id), *namespace = NULL;
        _cleanup_free_ BundleMount *mounts = calloc(container->n_volumes + HOST_BINDS, sizeof(*mounts));
        _cleanup_free_ ImageUser *user = calloc(1, sizeof(*user));
        _cleanup_close_ int root_fd = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        _cleanup_json_ json_t *config = NULL;
        char *paths[HOST_BINDS] = {0};
        BundleInput input = {.spec = &container->spec,
                             .host = &engine->host,
                             .id = container->id,
                             .root = root,
                             .cgroup = cgroup,
                             .user = user,
                             .host_name = container->spec.host_name,
                             .mounts = mounts,
                             .more_environment = environment};
        int r;

        if (!bundle || !file || !root || !cgroup || !mounts || !user)
                return -ENOMEM;
        r = find_namespace(container, &namespace, error);
        if (r < 0)
                return r;
        input.network_namespace = namespace;
        if (root_fd < 0)
                return error_set_errno(error, -errno, "cannot open %s", root);
        input.n_mounts = fill_mounts(container, mounts, paths);
        r = paths[0] && paths[1] && paths[2]
                    ? image_user_find(root_fd, container->spec.user, &container->spec.group_add, user, error)
                    : -ENOMEM;
        if (r >= 0)
                r = file_make_folder(bundle, 0700, error);
        if (r >= 0)
                r = bundle_config(&input, &config, error);
        if (r >= 0)
                r = write_json(file, config, error);
        for (size_t i = 0; i < HOST_BINDS; i++)
                free(paths[i]);
        return r;
}

/* Docker makes the working directory when the image has none. */
static int make_working_directory(Container *container, Error *error) {
        _cleanup_free_ char *root = str_printf("%s/merged", container->directory);
        _cleanup_close_ int root_fd = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        Slice rest = slice_from(container->spec.directory ?: "/"), part;
        _cleanup_buffer_ Buffer path = BUFFER_INIT;

        if (root_fd < 0)
                return error_set_errno(error, root ? -errno : -ENOMEM, "cannot open the container's files");
        while (slice_split(&rest, '/', &part)) {
                _cleanup_close_ int parent = -1;
                _cleanup_free_ char *name = slice_dup(part);

                if (part.length == 0)
                        continue;
                parent = open_beneath(root_fd, buffer_length(&path) > 0 ? buffer_string(&path) : ".",
                                      O_PATH | O_DIRECTORY);
                (void)buffer_append_byte(&path, '/');
                (void)buffer_append(&path, part.data, part.length);
                if (parent < 0 || !name || buffer_failed(&path) || str_equals(name, ".") || str_equals(name, ".."))
                        return 0; /* the runtime will say what is wrong with it */
                if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
                        return error_set_errno(error, -errno, "cannot make the working directory %s",
                                               container->spec.directory);
        }
        return 0;
}

static int launch(Container *container, Error *error) {
        Engine *engine = container->engine;
        const ContainerSpec *spec = &container->spec;
        _cleanup_free_ char *memory =
                engine->cgroups.parts[CGROUP_MEMORY].path
                        ? str_printf("%s/%s", engine->cgroups.parts[CGROUP_MEMORY].path, container->id)
                        : NULL;
        const ShimLaunch launch = {
                .program = engine->settings->shim,
                .id = container->id,
                .directory = container->directory,
                .runtime = engine->runtime,
                .runtime_root = engine->runtime_root,
                .hide = engine->hide,
                .memory_group = memory,
                .tty = spec->tty,
                .open_stdin = spec->open_stdin,
                .stdin_once = spec->stdin_once,
                .log_bytes = spec->log_bytes,
                .log_files = spec->log_files,
                .cgroup_fds = engine->shim_fds,
                .n_cgroup_fds = engine->n_shim_fds,
        };

        return shim_link_launch(engine->loop, &launch, &container_link_events, container, &container->link, error);
}

/* What an earlier run left is not taken for this one's. */
static void remove_exit_file(const Container *container) {
        _cleanup_free_ char *path = str_printf("%s/" SHIM_EXIT, container->directory);

        if (path)
                (void)file_remove_tree(path, NULL);
}

/* All but the files, which are mounted. */
static int prepare_rest(Container *container, Error *error) {
        _cleanup_string_list_ StringList hosts = {0}, environment = {0};
        int r = container_resolve_links(container, &hosts, &environment, error);

        if (r >= 0)
                r = make_network(container, error);
        if (r >= 0)
                r = write_host_files(container, &hosts, error);
        if (r >= 0)
                r = make_working_directory(container, error);
        if (r >= 0)
                r = write_bundle(container, &environment, error);
        if (r >= 0)
                r = container_save(container, error); /* before the shim: a crash must find what it left */
        return r < 0 ? r : launch(container, error);
}

static void on_filled(Container *container, int r, const Error *error) {
        Error text = *error;

        if (r >= 0 && container->removing)
                r = error_set(&text, -ECANCELED, "container %.12s was removed while it started", container->id);
        if (r >= 0)
                r = prepare_rest(container, &text);
        if (r < 0)
                container_start_failed(container, r, &text);
}

static int prepare(Container *container, Error *error) {
        int r;

        remove_exit_file(container);
        container->state = CONTAINER_STARTING;
        r = container_settle(container, NULL, error); /* host ports that are to be chosen are chosen anew */
        if (r >= 0)
                r = mount_files(container, error);
        if (r < 0)
                return r;
        return volumes_want_filling(container) ? volumes_fill(container, on_filled) : prepare_rest(container, error);
}

void engine_start(Container *container, EngineCall *call) {
        Error error = ERROR_NONE;
        int r;

        if (container->state == CONTAINER_RUNNING || container->state == CONTAINER_REMOVING ||
            container->engine->stopping) {
                list_init(&call->link);
                if (container->state == CONTAINER_RUNNING)
                        call->done(call, -EALREADY, &error);
                else
                        call->done(call,
                                   error_set(&error, -EBUSY, "container %s is marked for removal and cannot be started",
                                             container->id),
                                   &error);
                return;
        }
        list_append(&container->start_calls, &call->link);
        if (container->state == CONTAINER_STARTING)
                return;
        container_stop_timer(container);
        container->stopped_by_hand = false;
        r = prepare(container, &error);
        if (r < 0)
                container_start_failed(container, r, &error);
}

/* ---- what the shim says ---- */

static void on_made(void *owner) {
        Container *container = owner;

        if (container->removing)
                (void)shim_link_undo(container->link);
        else
                attachable_made(&container->attach);
}

static void on_started(void *owner, pid_t pid) {
        Container *container = owner;
        bool recovered = container->state == CONTAINER_RUNNING;

        container->pid = pid;
        container->state = CONTAINER_RUNNING;
        if (recovered)
                return;
        container->exit_code = 0;
        container->oom_killed = false;
        container->started = clock_wall();
        free(container->error);
        container->error = NULL;
        (void)container_save(container, NULL); /* "starting" on disk leads to the same: the shim is asked */
        engine_emit(container, "start", NULL, NULL);
        container_tell_calls(&container->start_calls, 0, NULL);
}

static void on_failed(void *owner, const char *log) {
        Container *container = owner;
        char reason[RUNTIME_REASON_MAX];
        Error error;
        int r;

        runtime_reason_find(log, reason);
        r = runtime_reason_tell(reason, container->spec.command.items[0], &error);
        container->link = shim_link_free(container->link);
        container_start_failed(container, r, &error);
}

static void on_exited(void *owner, const ShimExit *exit) {
        Container *container = owner;

        container->link = shim_link_free(container->link);
        if (container->state == CONTAINER_STARTING)
                on_started(container, 0); /* over before the start was heard of */
        container_ended(container, exit);
}

/* The shim was killed, and with it, as their subreaper is gone, nobody waits for the container: it is ended. */
static void on_lost(void *owner, int r) {
        Container *container = owner;
        const ShimExit exit = {.status = 137, .at = clock_wall()};
        Error error;

        container->link = shim_link_free(container->link);
        if (container->state == CONTAINER_STARTING) {
                r = error_set_errno(&error, r, "the shim of container %.12s ended without a word", container->id);
                container_start_failed(container, r, &error);
                return;
        }
        engine_clear_runtime(container, &exit);
}

const ShimLinkEvents container_link_events = {
        .made = on_made, .started = on_started, .failed = on_failed, .exited = on_exited, .lost = on_lost};
