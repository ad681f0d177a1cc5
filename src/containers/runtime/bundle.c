#include "containers/runtime/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "containers/runtime/capability.h"
#include "containers/runtime/json-fields.h"
#include "containers/runtime/seccomp.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { CPU_PERIOD = 100000 };

/* The init program lies here in a container with --init. */
#define INIT_TARGET "/sbin/faering-container-init"

static json_t *string_array(const StringList *list) {
        json_t *array = json_array();

        for (size_t i = 0; i < list->length; i++)
                (void)json_array_append_new(array, json_string(list->items[i]));
        return array;
}

static json_t *constant_array(const char *const *items, size_t count) {
        json_t *array = json_array();

        for (size_t i = 0; i < count; i++)
                (void)json_array_append_new(array, json_string(items[i]));
        return array;
}

/* ---- process ---- */

static bool has_variable(const StringList *list, const char *name) {
        size_t length = strlen(name);

        for (size_t i = 0; list && i < list->length; i++)
                if (strncmp(list->items[i], name, length) == 0 && list->items[i][length] == '=')
                        return true;
        return false;
}

/* "NAME" without "=" takes a variable away, as Docker has it. */
static void append_variables(json_t *array, const StringList *list) {
        for (size_t i = 0; list && i < list->length; i++)
                if (strchr(list->items[i], '='))
                        (void)json_array_append_new(array, json_string(list->items[i]));
}

static json_t *process_environment(const BundleInput *input, const StringList *more, bool tty) {
        const StringList *own = &input->spec->environment;
        json_t *array = json_array();

        if (!has_variable(own, "PATH"))
                (void)json_array_append_new(array, json_string(PATH_DEFAULT));
        (void)json_array_append_new(array, json_sprintf("HOSTNAME=%s", input->host_name));
        if (tty && !has_variable(own, "TERM") && !has_variable(more, "TERM"))
                (void)json_array_append_new(array, json_string("TERM=xterm"));
        append_variables(array, input->more_environment);
        append_variables(array, own);
        append_variables(array, more);
        if (!has_variable(own, "HOME") && !has_variable(more, "HOME"))
                (void)json_array_append_new(array, json_sprintf("HOME=%s", input->user->home));
        return array;
}

static json_t *process_user(const ImageUser *user) {
        json_t *groups = json_array();

        for (size_t i = 0; i < user->n_groups; i++)
                (void)json_array_append_new(groups, json_integer(user->groups[i]));
        return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)user->uid, "gid", (json_int_t)user->gid,
                         "additionalGids", groups);
}

/* Of a user other than root the effective set is empty until a program with file capabilities fills it. */
static json_t *process_capabilities(uint64_t chosen, uid_t uid) {
        json_t *all = json_array(), *result;

        for (unsigned i = 0; i < CAPABILITY_COUNT; i++)
                if (chosen >> i & 1)
                        (void)json_array_append_new(all, json_string(capability_name(i)));
        if (uid == 0)
                result = json_pack("{s:O, s:O, s:O}", "bounding", all, "effective", all, "permitted", all);
        else
                result = json_pack("{s:O}", "bounding", all);
        json_decref(all);
        return result;
}

/* What is above our own hard limit cannot be given; the container then gets as much as there is. */
static json_t *one_limit(const char *name, int64_t soft, int64_t hard, uint64_t most) {
        uint64_t s = soft < 0 ? UINT64_MAX : (uint64_t)soft, h = hard < 0 ? UINT64_MAX : (uint64_t)hard;

        h = min_of(h, most);
        s = min_of(s, h);
        /* jansson's integers are signed; the runtime reads this as no limit */
        return json_pack("{s:o, s:I, s:I}", "type", json_sprintf("RLIMIT_%s", name), "hard",
                         (json_int_t)min_of(h, (uint64_t)INT64_MAX), "soft",
                         (json_int_t)min_of(s, (uint64_t)INT64_MAX));
}

static void upper_case(const char *from, char *to, size_t size) {
        size_t i = 0;

        for (; from[i] && i + 1 < size; i++)
                to[i] = from[i] >= 'a' && from[i] <= 'z' ? (char)(from[i] - 'a' + 'A') : from[i];
        to[i] = '\0';
}

static int process_limits(const BundleInput *input, json_t **ret, Error *error) {
        static const struct {
                const char *name;
                int resource;
        } known[] = {
                {"AS", RLIMIT_AS},           {"CORE", RLIMIT_CORE},         {"CPU", RLIMIT_CPU},
                {"DATA", RLIMIT_DATA},       {"FSIZE", RLIMIT_FSIZE},       {"LOCKS", RLIMIT_LOCKS},
                {"MEMLOCK", RLIMIT_MEMLOCK}, {"MSGQUEUE", RLIMIT_MSGQUEUE}, {"NICE", RLIMIT_NICE},
                {"NOFILE", RLIMIT_NOFILE},   {"NPROC", RLIMIT_NPROC},       {"RSS", RLIMIT_RSS},
                {"RTPRIO", RLIMIT_RTPRIO},   {"RTTIME", RLIMIT_RTTIME},     {"SIGPENDING", RLIMIT_SIGPENDING},
                {"STACK", RLIMIT_STACK},
        };
        _cleanup_json_ json_t *array = json_array();

        for (size_t i = 0; i < input->spec->n_limits; i++) {
                const SpecLimit *limit = &input->spec->limits[i];
                int resource = -1;
                char name[32];

                upper_case(limit->name, name, sizeof(name));
                for (size_t k = 0; k < ARRAY_SIZE(known); k++)
                        if (str_equals(known[k].name, name))
                                resource = known[k].resource;
                if (resource < 0)
                        return error_set(error, -EINVAL, "invalid ulimit type: %.32s", limit->name);
                (void)json_array_append_new(
                        array, one_limit(name, limit->soft, limit->hard, input->host->hard_limits[resource]));
        }
        *ret = take_ptr(array);
        return 0;
}

static json_t *process_arguments(const BundleInput *input) {
        json_t *array = json_array();

        if (input->spec->init) {
                (void)json_array_append_new(array, json_string(INIT_TARGET));
                (void)json_array_append_new(array, json_string("--"));
        }
        for (size_t i = 0; i < input->spec->command.length; i++)
                (void)json_array_append_new(array, json_string(input->spec->command.items[i]));
        return array;
}

static int make_process(const BundleInput *input, uint64_t capabilities, json_t **ret, Error *error) {
        const ContainerSpec *spec = input->spec;
        _cleanup_json_ json_t *limits = NULL;
        json_t *process;
        int r = process_limits(input, &limits, error);

        if (r < 0)
                return r;
        process = json_pack("{s:b, s:o, s:o, s:o, s:s, s:o, s:O, s:b}", "terminal", spec->tty, "user",
                            process_user(input->user), "args", process_arguments(input), "env",
                            process_environment(input, NULL, spec->tty), "cwd", spec->directory ?: "/", "capabilities",
                            process_capabilities(capabilities, input->user->uid), "rlimits", limits, "noNewPrivileges",
                            spec->no_new_privileges);
        if (!process)
                return -ENOMEM;
        if (spec->oom_score != 0)
                (void)json_object_set_new(process, "oomScoreAdj", json_integer(spec->oom_score));
        *ret = process;
        return 0;
}

int bundle_exec_process(const BundleInput *input, const BundleExec *exec, json_t **ret, Error *error) {
        const ContainerSpec *spec = input->spec;
        uint64_t capabilities;
        int r = capability_choose(&spec->cap_add, &spec->cap_drop, spec->privileged || exec->privileged,
                                  input->host->capability_bound, &capabilities, error);

        if (r < 0)
                return r;
        *ret = json_pack("{s:b, s:o, s:o, s:o, s:s, s:o, s:b}", "terminal", exec->tty, "user",
                         process_user(input->user), "args", string_array(exec->command), "env",
                         process_environment(input, exec->environment, exec->tty), "cwd",
                         exec->directory ?: spec->directory ?: "/", "capabilities",
                         process_capabilities(capabilities, input->user->uid), "noNewPrivileges",
                         spec->no_new_privileges);
        return *ret ? 0 : -ENOMEM;
}

/* ---- mounts ---- */

static void add_mount(json_t *mounts, const char *target, const char *type, const char *source, json_t *options) {
        (void)json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:o}", "destination", target, "type", type,
                                                      "source", source, "options", options));
}

static void add_system_mounts(const BundleInput *input, json_t *mounts) {
        const ContainerSpec *spec = input->spec;
        const char *mode = spec->privileged ? "rw" : "ro";
        char size[48];

        (void)snprintf(size, sizeof(size), "size=%lld", (long long)spec->shm_size);
        add_mount(mounts, "/proc", "proc", "proc", json_pack("[s,s,s]", "nosuid", "noexec", "nodev"));
        add_mount(mounts, "/dev", "tmpfs", "tmpfs",
                  json_pack("[s,s,s,s]", "nosuid", "strictatime", "mode=755", "size=65536k"));
        add_mount(mounts, "/dev/pts", "devpts", "devpts",
                  json_pack("[s,s,s,s,s,s]", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
        /* a network that is not ours to name cannot have its own /sys */
        if (spec->network == NETWORK_HOST)
                add_mount(mounts, "/sys", "bind", "/sys",
                          json_pack("[s,s,s,s,s]", "rbind", "nosuid", "noexec", "nodev", mode));
        else
                add_mount(mounts, "/sys", "sysfs", "sysfs", json_pack("[s,s,s,s]", "nosuid", "noexec", "nodev", mode));
        if (spec->network != NETWORK_HOST)
                add_mount(mounts, "/sys/fs/cgroup", "cgroup", "cgroup",
                          json_pack("[s,s,s,s]", mode, "nosuid", "noexec", "nodev"));
        if (spec->ipc_host) {
                add_mount(mounts, "/dev/mqueue", "bind", "/dev/mqueue",
                          json_pack("[s,s,s,s]", "rbind", "nosuid", "noexec", "nodev"));
                add_mount(mounts, "/dev/shm", "bind", "/dev/shm",
                          json_pack("[s,s,s,s]", "rbind", "nosuid", "noexec", "nodev"));
                return;
        }
        add_mount(mounts, "/dev/mqueue", "mqueue", "mqueue", json_pack("[s,s,s]", "nosuid", "noexec", "nodev"));
        add_mount(mounts, "/dev/shm", "tmpfs", "shm",
                  json_pack("[s,s,s,s,s]", "nosuid", "noexec", "nodev", "mode=1777", size));
}

static void add_tmpfs(json_t *mounts, const SpecMount *mount) {
        json_t *options = json_pack("[s,s,s]", "noexec", "nosuid", "nodev");
        Slice rest = slice_from(mount->options ?: ""), part;

        if (rest.length > 0)
                while (slice_split(&rest, ',', &part)) {
                        /* what is said takes the place of the default */
                        if (slice_equals(part, slice_from("exec")))
                                (void)json_array_remove(options, 0);
                        if (part.length > 0)
                                (void)json_array_append_new(options, json_stringn(part.data, part.length));
                }
        add_mount(mounts, mount->target, "tmpfs", "tmpfs", options);
}

static json_t *make_mounts(const BundleInput *input) {
        json_t *mounts = json_array();

        add_system_mounts(input, mounts);
        for (size_t i = 0; i < input->spec->n_mounts; i++)
                if (input->spec->mounts[i].kind == MOUNT_TMPFS)
                        add_tmpfs(mounts, &input->spec->mounts[i]);
        for (size_t i = 0; i < input->n_mounts; i++) {
                const BundleMount *mount = &input->mounts[i];

                add_mount(mounts, mount->target, "bind", mount->source,
                          json_pack("[s,s,s]", "rbind", mount->read_only ? "ro" : "rw",
                                    mount->propagation ?: "rprivate"));
        }
        if (input->spec->init)
                add_mount(mounts, INIT_TARGET, "bind", input->host->init_program,
                          json_pack("[s,s,s]", "bind", "ro", "rprivate"));
        return mounts;
}

/* ---- linux ---- */

static void add_namespace(json_t *list, const char *type, const char *path) {
        (void)json_array_append_new(list, path ? json_pack("{s:s, s:s}", "type", type, "path", path)
                                               : json_pack("{s:s}", "type", type));
}

static json_t *make_namespaces(const BundleInput *input) {
        const ContainerSpec *spec = input->spec;
        json_t *list = json_array();

        add_namespace(list, "mount", NULL);
        if (!spec->pid_host)
                add_namespace(list, "pid", NULL);
        if (!spec->ipc_host)
                add_namespace(list, "ipc", NULL);
        if (!spec->uts_host)
                add_namespace(list, "uts", NULL);
        if (input->network_namespace)
                add_namespace(list, "network", input->network_namespace);
        /* as Docker: its own view of the groups with version 2 only, unless it says otherwise */
        if (input->host->cgroup_namespaces && input->host->cgroup_unified && !spec->cgroup_host && !spec->privileged)
                add_namespace(list, "cgroup", NULL);
        return list;
}

static void set_memory(const ContainerSpec *spec, json_t *resources) {
        json_t *memory = json_object();
        int64_t swap = spec->memory_swap;

        if (spec->memory > 0) {
                (void)json_object_set_new(memory, "limit", json_integer(spec->memory));
                /* memory and swap together; Docker allows as much swap again when nothing is said */
                if (swap == 0 && __builtin_mul_overflow(spec->memory, (int64_t)2, &swap))
                        swap = -1;
                (void)json_object_set_new(memory, "swap", json_integer(swap));
        }
        if (spec->memory_reservation > 0)
                (void)json_object_set_new(memory, "reservation", json_integer(spec->memory_reservation));
        (void)json_object_set_new(resources, "memory", memory);
}

static void set_cpu(const ContainerSpec *spec, json_t *resources) {
        json_t *cpu = json_object();
        int64_t quota = spec->cpu_quota, period = spec->cpu_period;

        if (spec->nano_cpus > 0) {
                period = CPU_PERIOD;
                quota = spec->nano_cpus / (1000000000 / CPU_PERIOD);
        }
        if (spec->cpu_shares > 0)
                (void)json_object_set_new(cpu, "shares", json_integer(spec->cpu_shares));
        if (quota > 0)
                (void)json_object_set_new(cpu, "quota", json_integer(quota));
        if (period > 0)
                (void)json_object_set_new(cpu, "period", json_integer(period));
        if (spec->cpus)
                (void)json_object_set_new(cpu, "cpus", json_string(spec->cpus));
        if (spec->memory_nodes)
                (void)json_object_set_new(cpu, "mems", json_string(spec->memory_nodes));
        if (json_object_size(cpu) > 0)
                (void)json_object_set_new(resources, "cpu", cpu);
        else
                json_decref(cpu);
}

static json_t *device_rule(bool allow, const char *type, int major, int minor, const char *access) {
        json_t *rule = json_pack("{s:b, s:s, s:s}", "allow", allow, "access", access, "type", type);

        if (major >= 0)
                (void)json_object_set_new(rule, "major", json_integer(major));
        if (minor >= 0)
                (void)json_object_set_new(rule, "minor", json_integer(minor));
        return rule;
}

/* None but the harmless ones, which have these numbers on every Linux (admin-guide/devices.txt); a node may be made
 * of any. */
static json_t *make_device_rules(bool privileged) {
        static const int allowed[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {136, -1}};
        json_t *rules = json_array();

        if (privileged) {
                (void)json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", 1, "access", "rwm"));
                return rules;
        }
        (void)json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", 0, "access", "rwm"));
        (void)json_array_append_new(rules, device_rule(true, "c", -1, -1, "m"));
        (void)json_array_append_new(rules, device_rule(true, "b", -1, -1, "m"));
        for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
                (void)json_array_append_new(rules, device_rule(true, "c", allowed[i][0], allowed[i][1], "rwm"));
        return rules;
}

static int add_devices(const ContainerSpec *spec, json_t *devices, json_t *rules, Error *error) {
        for (size_t i = 0; i < spec->n_devices; i++) {
                const SpecDevice *device = &spec->devices[i];
                const char *type;
                struct stat info;

                if (stat(device->source, &info) < 0)
                        return error_set_errno(error, -errno, "cannot give the device %s", device->source);
                if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))
                        return error_set(error, -EINVAL, "%s is not a device", device->source);
                type = S_ISCHR(info.st_mode) ? "c" : "b";
                (void)json_array_append_new(devices,
                                            json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:I}", "path", device->target,
                                                      "type", type, "major", (int)major(info.st_rdev), "minor",
                                                      (int)minor(info.st_rdev), "fileMode", (int)(info.st_mode & 07777),
                                                      "uid", (json_int_t)info.st_uid, "gid", (json_int_t)info.st_gid));
                (void)json_array_append_new(rules, device_rule(true, type, (int)major(info.st_rdev),
                                                               (int)minor(info.st_rdev), device->access ?: "rwm"));
        }
        return 0;
}

static json_t *make_sysctls(const ContainerSpec *spec) {
        json_t *object = json_object();

        for (size_t i = 0; i < spec->sysctls.length; i++) {
                const char *equals = strchr(spec->sysctls.items[i], '=');
                _cleanup_free_ char *name =
                        slice_dup((Slice){spec->sysctls.items[i], (size_t)(equals - spec->sysctls.items[i])});

                if (name)
                        (void)json_object_set_new(object, name, json_string(equals + 1));
        }
        return object;
}

static int make_linux(const BundleInput *input, uint64_t capabilities, json_t **ret, Error *error) {
        static const char *const masked[] = {"/proc/asound",
                                             "/proc/acpi",
                                             "/proc/kcore",
                                             "/proc/keys",
                                             "/proc/latency_stats",
                                             "/proc/timer_list",
                                             "/proc/timer_stats",
                                             "/proc/sched_debug",
                                             "/proc/scsi",
                                             "/sys/firmware",
                                             "/sys/devices/virtual/powercap"};
        static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                "/proc/sysrq-trigger"};
        const ContainerSpec *spec = input->spec;
        json_t *rules = make_device_rules(spec->privileged), *devices = json_array(), *resources;
        _cleanup_json_ json_t *linux_part = NULL;
        int r;

        resources = json_pack("{s:o}", "devices", rules);
        set_memory(spec, resources);
        set_cpu(spec, resources);
        if (spec->pids > 0)
                (void)json_object_set_new(resources, "pids", json_pack("{s:I}", "limit", (json_int_t)spec->pids));
        linux_part = json_pack("{s:s, s:o, s:o, s:o, s:o}", "cgroupsPath", input->cgroup, "namespaces",
                               make_namespaces(input), "resources", resources, "devices", devices, "sysctl",
                               make_sysctls(spec));
        if (!linux_part)
                return -ENOMEM;
        r = add_devices(spec, devices, rules, error);
        if (r < 0)
                return r;
        if (!spec->privileged) {
                (void)json_object_set_new(linux_part, "maskedPaths", constant_array(masked, ARRAY_SIZE(masked)));
                (void)json_object_set_new(linux_part, "readonlyPaths",
                                          constant_array(read_only, ARRAY_SIZE(read_only)));
                if (!spec->no_seccomp)
                        (void)json_object_set_new(linux_part, "seccomp", seccomp_default(capabilities));
        }
        *ret = take_ptr(linux_part);
        return 0;
}

int bundle_config(const BundleInput *input, json_t **ret, Error *error) {
        const ContainerSpec *spec = input->spec;
        _cleanup_json_ json_t *process = NULL, *linux_part = NULL;
        uint64_t capabilities;
        int r;

        if (spec->init && !input->host->init_program)
                return error_set(
                        error, -EINVAL,
                        "--init needs an init program, and none is installed: install tini, dumb-init or catatonit");
        r = capability_choose(&spec->cap_add, &spec->cap_drop, spec->privileged, input->host->capability_bound,
                              &capabilities, error);
        if (r >= 0)
                r = make_process(input, capabilities, &process, error);
        if (r >= 0)
                r = make_linux(input, capabilities, &linux_part, error);
        if (r < 0)
                return r;
        *ret = json_pack("{s:s, s:O, s:{s:s, s:b}, s:o, s:O}", "ociVersion", "1.0.2", "process", process, "root",
                         "path", input->root, "readonly", spec->read_only, "mounts", make_mounts(input), "linux",
                         linux_part);
        if (!*ret)
                return -ENOMEM;
        if (!spec->uts_host)
                (void)json_object_set_new(*ret, "hostname", json_string(input->host_name));
        return 0;
}
