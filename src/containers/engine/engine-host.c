/* What the host is like: cgroups, capabilities, and which OCI runtime works on it. */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "containers/engine/engine.h"
#include "containers/runtime/json-fields.h"
#include "host/cgroup-place.h"
#include "host/file.h"

#define CGROUP_NAME "faering-containers"
#define SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { PROBE_OUTPUT_MAX = 4096 };

static char *find_program(const char *name) {
        Slice rest = slice_from(SEARCH_PATH), part;

        if (strchr(name, '/'))
                return access(name, X_OK) == 0 ? strdup(name) : NULL;
        while (slice_split(&rest, ':', &part)) {
                char *path = str_printf("%.*s/%s", (int)part.length, part.data, name);

                if (!path || access(path, X_OK) == 0)
                        return path;
                free(path);
        }
        return NULL;
}

/* ---- cgroups ---- */

static int look_at_cgroups(Engine *engine, Error *error) {
        _cleanup_buffer_ Buffer mounts = BUFFER_INIT, own = BUFFER_INIT;
        _cleanup_cgroup_places_ CgroupPlaces places = {0};
        bool legacy = false;
        char shims[32];
        int r;

        r = file_read("/proc/self/mountinfo", FILE_SMALL_MAX, &mounts, error);
        if (r >= 0)
                (void)file_read("/proc/self/cgroup", FILE_SMALL_MAX, &own, NULL);
        if (r >= 0)
                r = cgroup_places_read((Slice){buffer_data(&mounts) ?: "", buffer_length(&mounts)},
                                       (Slice){buffer_data(&own) ?: "", buffer_length(&own)}, &places);
        if (r < 0)
                return r;
        for (size_t i = 0; i < CGROUP_PARTS; i++)
                legacy |= places.legacy[i].top != NULL;
        engine->host.cgroup_unified = places.unified.top && !legacy;
        engine->host.cgroup_namespaces = access("/proc/self/ns/cgroup", F_OK) == 0;
        if (places.unified.top && legacy)
                engine->hide = strdup(places.unified.top);
        r = cgroup_root_open(&engine->cgroups, CGROUP_NAME, true, error);
        if (r < 0)
                return r;
        if (!cgroup_root_usable(&engine->cgroups))
                return error_set(error, -EOPNOTSUPP,
                                 "no control group can be made below /sys/fs/cgroup: containers need them (is it "
                                 "mounted, and are "
                                 "we root?)");
        /* the shims have a group of their own: the end of ours is not theirs, nor that of another engine beside us */
        (void)snprintf(shims, sizeof(shims), "shims-%.8s", engine->id);
        r = cgroup_create(&engine->cgroups, shims, &engine->shim_group, error);
        return r < 0 ? r : cgroup_open_procs(&engine->shim_group, engine->shim_fds, &engine->n_shim_fds);
}

/* ---- capabilities and limits ---- */

static int look_at_rights(Engine *engine, Error *error) {
        _cleanup_buffer_ Buffer status = BUFFER_INIT;
        const char *found;
        int r = file_read("/proc/self/status", FILE_SMALL_MAX, &status, error);

        if (r < 0)
                return r;
        found = strstr(buffer_string(&status) ?: "", "CapBnd:");
        engine->host.capability_bound = found ? strtoull(found + 7, NULL, 16) : 0;
        for (int i = 0; i < RLIM_NLIMITS; i++) {
                struct rlimit limit;

                engine->host.hard_limits[i] =
                        getrlimit((__rlimit_resource_t)i, &limit) < 0 ? RLIM_INFINITY : limit.rlim_max;
        }
        return 0;
}

static void look_for_init(Engine *engine) {
        static const char *const names[] = {"tini-static", "catatonit", "tini", "dumb-init", "docker-init"};

        for (size_t i = 0; i < ARRAY_SIZE(names) && !engine->init_program; i++)
                engine->init_program = find_program(names[i]);
        engine->host.init_program = engine->init_program;
}

/* ---- the runtime ---- */

typedef struct Probe {
        Process process;
        bool closed, ok;
} Probe;

static void on_probe_exited(Process *process, int code, int status) {
        Probe *probe = process->owner;

        probe->ok = code == CLD_EXITED && status == 0;
        process_close(process);
}

static void on_probe_closed(Process *process) {
        ((Probe *)process->owner)->closed = true;
}

static const ProcessEvents probe_events = {.exited = on_probe_exited, .closed = on_probe_closed};

/* Runs to its end, before there is anything else for the loop to do; what it says comes to `said`. */
static bool run_probe(Engine *engine, const char *const *argv, char said[static PROBE_OUTPUT_MAX]) {
        const ProcessOptions options = {.path = argv[0], .argv = argv, .fds = {-1, -1, -1}};
        ProcessOptions with_output = options;
        Probe probe = {0};
        int fds[2];
        ssize_t n;

        said[0] = '\0';
        if (pipe2(fds, O_CLOEXEC) < 0)
                return false;
        with_output.fds[1] = with_output.fds[2] = fds[1];
        if (process_spawn(&probe.process, engine->loop, NULL, &with_output, &probe_events, &probe, NULL) < 0) {
                (void)close(fds[0]);
                (void)close(fds[1]);
                return false;
        }
        (void)close(fds[1]);
        while (!probe.closed)
                (void)uv_run(engine->loop, UV_RUN_ONCE);
        n = read(fds[0], said, PROBE_OUTPUT_MAX - 1); /* well below what a pipe holds */
        said[n > 0 ? n : 0] = '\0';
        (void)close(fds[0]);
        return probe.ok;
}

/* A container of the host's own programs: what cannot run this, cannot run any. */
static json_t *probe_config(void) {
        static const char *const folders[] = {"/bin", "/lib", "/lib32", "/lib64", "/usr"};
        json_t *mounts = json_array();

        (void)json_array_append_new(
                mounts, json_pack("{s:s, s:s, s:s}", "destination", "/proc", "type", "proc", "source", "proc"));
        (void)json_array_append_new(
                mounts, json_pack("{s:s, s:s, s:s}", "destination", "/dev", "type", "tmpfs", "source", "tmpfs"));
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
                if (access(folders[i], F_OK) == 0)
                        (void)json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:[s,s]}", "destination",
                                                                      folders[i], "type", "bind", "source", folders[i],
                                                                      "options", "rbind", "ro"));
        return json_pack("{s:s, s:{s:b, s:{s:i, s:i}, s:[s], s:[], s:s}, s:{s:s}, s:o, s:{s:s, s:[{s:s}, {s:s}]}}",
                         "ociVersion", "1.0.2", "process", "terminal", 0, "user", "uid", 0, "gid", 0, "args",
                         "/bin/true", "env", "cwd", "/", "root", "path", "root", "mounts", mounts, "linux",
                         "cgroupsPath", "/" CGROUP_NAME "/probe", "namespaces", "type", "mount", "type", "pid");
}

static int write_probe(const char *directory, Error *error) {
        _cleanup_free_ char *root = str_printf("%s/root", directory), *file = str_printf("%s/config.json", directory),
                            *text = NULL;
        _cleanup_json_ json_t *config = probe_config();
        int r;

        text = config ? json_dumps(config, 0) : NULL;
        if (!root || !file || !text)
                return -ENOMEM;
        r = file_make_folder(root, 0700, error);
        return r < 0 ? r : file_replace(file, 0600, slice_from(text), false, error);
}

/* "crun version 1.8.1" */
static void read_version(Engine *engine) {
        const char *const argv[] = {engine->runtime, "--version", NULL};
        char said[PROBE_OUTPUT_MAX];
        Slice rest, word;

        (void)run_probe(engine, argv, said);
        said[strcspn(said, "\n")] = '\0';
        rest = slice_from(said);
        while (rest.data && slice_split(&rest, ' ', &word))
                if (slice_equals(word, slice_from("version")) && rest.data)
                        engine->runtime_version = slice_dup(rest);
        if (!engine->runtime_version)
                engine->runtime_version = strdup("unknown");
}

static bool try_runtime(Engine *engine, const char *name, const char *directory, Buffer *why) {
        char *path = find_program(name);
        const char *argv[] = {engine->settings->shim,
                              "--hide",
                              engine->hide ?: "/sys/fs/cgroup/none",
                              path,
                              "--root",
                              engine->runtime_root,
                              "run",
                              "--bundle",
                              directory,
                              "faering-probe",
                              NULL};
        char said[PROBE_OUTPUT_MAX];

        if (!path) {
                (void)buffer_printf(why, "%s%s is not installed", buffer_length(why) ? "; " : "", name);
                return false;
        }
        if (!run_probe(engine, argv, said)) {
                said[strcspn(said, "\n")] = '\0';
                (void)buffer_printf(why, "%s%s does not work here (%s)", buffer_length(why) ? "; " : "", name, said);
                free(path);
                return false;
        }
        engine->runtime = path;
        engine->runtime_name = strdup(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
        return true;
}

static int choose_runtime(Engine *engine, Error *error) {
        const char *const wanted = engine->settings->runtime;
        const char *const candidates[] = {wanted ?: "crun", wanted ? NULL : "runc"};
        _cleanup_free_ char *directory = str_printf("%s/probe", engine->settings->run_dir);
        _cleanup_buffer_ Buffer why = BUFFER_INIT;
        int r = directory ? write_probe(directory, error) : -ENOMEM;

        if (r < 0)
                return r;
        if (access(engine->settings->shim, X_OK) < 0)
                return error_set_errno(error, -errno,
                                       "the shim %s cannot be run: install it there, or say with --shim where it is",
                                       engine->settings->shim);
        for (size_t i = 0; i < ARRAY_SIZE(candidates) && candidates[i] && !engine->runtime; i++)
                (void)try_runtime(engine, candidates[i], directory, &why);
        (void)file_remove_tree(directory, NULL);
        if (!engine->runtime)
                return error_set(error, -ENOEXEC, "no OCI runtime works on this machine: %s",
                                 buffer_string(&why) ?: "");
        if (!engine->runtime_name)
                return -ENOMEM;
        if (buffer_length(&why) > 0)
                engine->settings->note(buffer_string(&why) ?: "");
        read_version(engine);
        return engine->runtime_version ? 0 : -ENOMEM;
}

int engine_look_at_host(Engine *engine, Error *error) {
        int r;

        engine->runtime_root = str_printf("%s/runtime", engine->settings->run_dir);
        if (!engine->runtime_root)
                return -ENOMEM;
        r = file_make_folder(engine->runtime_root, 0700, error);
        if (r >= 0)
                r = look_at_cgroups(engine, error);
        if (r >= 0)
                r = look_at_rights(engine, error);
        if (r < 0)
                return r;
        look_for_init(engine);
        return choose_runtime(engine, error);
}
