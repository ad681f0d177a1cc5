#include "host/spawn-request.h"

#include <errno.h>

#include "base/wire.h"

/* Which of the settings that are a yes or a no, and which of the streams, a request has. */
enum {
        HAS_PROCESS = 1 << 0,
        HAS_ENVIRONMENT = 1 << 1,
        HAS_DIRECTORY = 1 << 2,
        DIRECTORY_OPTIONAL = 1 << 3,
        HAS_ROOT = 1 << 4,
        SET_USER = 1 << 5,
        SET_UMASK = 1 << 6,
        SET_NICE = 1 << 7,
        SET_OOM_SCORE = 1 << 8,
        NEW_SESSION = 1 << 9,
        IGNORE_SIGPIPE = 1 << 10,
        NO_NEW_PRIVILEGES = 1 << 11,
        HAS_STREAM = 1 << 12, /* and the two bits above it */
        FLAGS_ALL = (1 << 15) - 1,
};

enum { STREAMS = 3, OFFSET = 1 << 20 /* makes numbers that may be below zero ones that are not */ };

/* ---- writing ---- */

/* With its NUL, so that it can be used where it lies. */
static void put_string(Buffer *to, const char *string) {
        wire_put_bytes(to, (Slice){string, strlen(string) + 1});
}

static void put_strings(Buffer *to, const char *const *strings) {
        size_t n = 0;

        while (strings[n])
                n++;
        wire_put_varint(to, n);
        for (size_t i = 0; i < n; i++)
                put_string(to, strings[i]);
}

/* Where in the environment a room is: the string's place, and the one in it. */
static int put_pid_room(Buffer *to, const ProcessOptions *options, const char *room) {
        for (size_t i = 0; options->environment && options->environment[i]; i++) {
                const char *string = options->environment[i];

                if (room < string || room > string + strlen(string))
                        continue;
                wire_put_varint(to, i);
                wire_put_varint(to, (size_t)(room - string));
                return 0;
        }
        return -EINVAL;
}

static unsigned flags_of(const ProcessOptions *o) {
        unsigned flags = HAS_PROCESS;

        flags |= o->environment ? HAS_ENVIRONMENT : 0;
        flags |= o->directory ? HAS_DIRECTORY : 0;
        flags |= o->directory_optional ? DIRECTORY_OPTIONAL : 0;
        flags |= o->root ? HAS_ROOT : 0;
        flags |= o->set_user ? SET_USER : 0;
        flags |= o->set_umask ? SET_UMASK : 0;
        flags |= o->set_nice ? SET_NICE : 0;
        flags |= o->set_oom_score ? SET_OOM_SCORE : 0;
        flags |= o->new_session ? NEW_SESSION : 0;
        flags |= o->ignore_sigpipe ? IGNORE_SIGPIPE : 0;
        flags |= o->no_new_privileges ? NO_NEW_PRIVILEGES : 0;
        for (unsigned i = 0; i < STREAMS; i++)
                flags |= o->fds[i] >= 0 ? (unsigned)HAS_STREAM << i : 0;
        return flags;
}

static void put_limits(Buffer *to, const ProcessLimit *limits) {
        size_t n = 0;

        for (size_t i = 0; limits && i < PROCESS_LIMITS; i++)
                n += limits[i].set;
        wire_put_varint(to, n);
        for (size_t i = 0; n > 0 && i < PROCESS_LIMITS; i++) {
                if (!limits[i].set)
                        continue;
                wire_put_varint(to, i);
                wire_put_u64(to, limits[i].soft);
                wire_put_u64(to, limits[i].hard);
        }
}

static void put_user(Buffer *to, const ProcessOptions *o) {
        wire_put_u32(to, o->uid);
        wire_put_u32(to, o->gid);
        wire_put_varint(to, o->n_groups);
        for (size_t i = 0; i < o->n_groups; i++)
                wire_put_u32(to, o->groups[i]);
}

static int put_process(Buffer *to, const ProcessOptions *o, unsigned flags) {
        int r = 0;

        put_string(to, o->path);
        put_strings(to, o->argv);
        if (flags & HAS_ENVIRONMENT)
                put_strings(to, o->environment);
        wire_put_varint(to, o->n_pid_rooms);
        for (size_t i = 0; r >= 0 && i < o->n_pid_rooms; i++)
                r = put_pid_room(to, o, o->pid_rooms[i]);
        if (flags & HAS_DIRECTORY)
                put_string(to, o->directory);
        if (flags & HAS_ROOT)
                put_string(to, o->root);
        if (flags & SET_USER)
                put_user(to, o);
        wire_put_varint(to, o->umask);
        wire_put_varint(to, (uint64_t)(o->nice + OFFSET));
        wire_put_varint(to, (uint64_t)(o->oom_score + OFFSET));
        put_limits(to, o->limits);
        wire_put_varint(to, o->n_cgroup_fds);
        wire_put_varint(to, o->n_passed_fds);
        return r;
}

static size_t add_files(int *files, size_t n, const int *more, size_t n_more) {
        memcpy(files + n, more, n_more * sizeof(int));
        return n + n_more;
}

/* In the order in which they are read. */
static size_t list_files(const SpawnRequest *request, int files[static SPAWN_FILES_MAX]) {
        const ProcessOptions *o = &request->process;
        size_t n = 0;

        files[n++] = request->control;
        files[n++] = request->listener;
        n = add_files(files, n, request->held_fds, strlen(request->held));
        if (!o->path)
                return n;
        for (size_t i = 0; i < STREAMS; i++)
                if (o->fds[i] >= 0)
                        files[n++] = o->fds[i];
        if (o->n_cgroup_fds > 0)
                n = add_files(files, n, o->cgroup_fds, o->n_cgroup_fds);
        if (o->n_passed_fds > 0)
                n = add_files(files, n, o->passed_fds, o->n_passed_fds);
        return n;
}

static void set_head(char *head, size_t length) {
        for (size_t i = 0; i < SPAWN_REQUEST_HEAD; i++)
                head[i] = (char)(uint8_t)(length >> (8 * i));
}

int spawn_request_write(const SpawnRequest *request, Buffer *to, int files[static SPAWN_FILES_MAX], size_t *ret_n) {
        const ProcessOptions *o = &request->process;
        unsigned flags = o->path ? flags_of(o) : 0;
        size_t start = buffer_length(to), length;
        int r = 0;

        if (o->path && (o->n_cgroup_fds > SPAWN_CGROUPS_MAX || o->n_passed_fds > PROCESS_FDS_MAX || o->n_groups > PROCESS_GROUPS_MAX))
                return -E2BIG;
        wire_put_u32(to, 0); /* the head, filled in at the end */
        wire_put_u8(to, SPAWN_REQUEST_VERSION);
        wire_put_varint(to, flags);
        put_string(to, request->ends_path);
        put_string(to, request->logs);
        put_string(to, request->unit);
        wire_put_u64(to, request->log_size);
        put_string(to, request->held);
        if (o->path)
                r = put_process(to, o, flags);
        if (r < 0 || buffer_failed(to))
                return r < 0 ? r : buffer_failed(to);
        length = buffer_length(to) - start - SPAWN_REQUEST_HEAD;
        if (length > SPAWN_REQUEST_MAX)
                return -E2BIG;
        set_head(buffer_data(to) + start, length);
        *ret_n = list_files(request, files);
        return 0;
}

/* ---- reading ---- */

size_t spawn_request_length(const char head[static SPAWN_REQUEST_HEAD]) {
        size_t length = 0;

        for (size_t i = 0; i < SPAWN_REQUEST_HEAD; i++)
                length |= (size_t)(uint8_t)head[i] << (8 * i);
        return length <= SPAWN_REQUEST_MAX ? length : 0;
}

/* What is read, and the files that are not given out yet. */
typedef struct Reading {
        WireReader wire;
        const int *files;
        size_t n_files;
} Reading;

static bool fail(Reading *reading) {
        reading->wire.failed = true;
        return false;
}

/* One NUL, at its end. */
static const char *get_string(Reading *reading) {
        Slice bytes = wire_get_bytes(&reading->wire, SPAWN_REQUEST_MAX);

        if (bytes.length > 0 && memchr(bytes.data, '\0', bytes.length) == bytes.data + bytes.length - 1)
                return bytes.data;
        (void)fail(reading);
        return "";
}

static size_t get_count(Reading *reading, size_t max) {
        uint64_t n = wire_get_varint(&reading->wire);

        if (n <= max)
                return (size_t)n;
        (void)fail(reading);
        return 0;
}

static int get_number(Reading *reading) {
        return (int)get_count(reading, 2 * (size_t)OFFSET) - OFFSET;
}

/* A string takes two bytes at least: no count asks for more memory than the request itself has taken, by a known factor. */
static size_t count_strings(Reading *reading) {
        return get_count(reading, reading->wire.rest.length / 2);
}

static const char **get_strings(Reading *reading, size_t n, const char **to) {
        for (size_t i = 0; i < n; i++)
                *to++ = get_string(reading);
        *to++ = NULL;
        return to;
}

/* The vectors lie one behind the other. */
static int get_vectors(Reading *reading, unsigned flags, SpawnRequestRead *ret, size_t *ret_environment) {
        ProcessOptions *o = &ret->request.process;
        size_t n = count_strings(reading), m = 0;
        const char **more;

        ret->strings = calloc(n + 1, sizeof(char *));
        if (!ret->strings)
                return -ENOMEM;
        (void)get_strings(reading, n, ret->strings);
        if (flags & HAS_ENVIRONMENT)
                m = count_strings(reading);
        more = reallocarray(ret->strings, n + 1 + m + 1, sizeof(char *));
        if (!more)
                return -ENOMEM;
        ret->strings = more;
        (void)get_strings(reading, m, more + n + 1);
        o->argv = more;
        o->environment = more + n + 1;
        *ret_environment = m;
        return n > 0 || fail(reading) ? 0 : -EBADMSG;
}

static void get_pid_rooms(Reading *reading, ProcessOptions *o, size_t n_environment) {
        size_t n = get_count(reading, PROCESS_PID_ROOMS);

        for (size_t i = 0; i < n; i++) {
                size_t at = get_count(reading, SPAWN_REQUEST_MAX), offset = get_count(reading, SPAWN_REQUEST_MAX);

                if (reading->wire.failed || at >= n_environment || offset > strlen(o->environment[at]) ||
                    !str_equals(o->environment[at] + offset, process_pid_room)) {
                        (void)fail(reading);
                        return;
                }
                o->pid_rooms[o->n_pid_rooms++] = (char *)(uintptr_t)o->environment[at] + offset;
        }
}

static void get_user(Reading *reading, SpawnRequestRead *ret) {
        ProcessOptions *o = &ret->request.process;

        o->uid = wire_get_u32(&reading->wire);
        o->gid = wire_get_u32(&reading->wire);
        o->n_groups = get_count(reading, PROCESS_GROUPS_MAX);
        o->groups = ret->groups;
        for (size_t i = 0; i < o->n_groups; i++)
                ret->groups[i] = wire_get_u32(&reading->wire);
}

static void get_limits(Reading *reading, SpawnRequestRead *ret) {
        size_t n = get_count(reading, PROCESS_LIMITS);

        ret->request.process.limits = ret->limits;
        for (size_t i = 0; i < n; i++) {
                size_t number = get_count(reading, PROCESS_LIMITS - 1);

                ret->limits[number].set = true;
                ret->limits[number].soft = wire_get_u64(&reading->wire);
                ret->limits[number].hard = wire_get_u64(&reading->wire);
        }
}

static void get_flags(unsigned flags, ProcessOptions *o) {
        o->directory_optional = flags & DIRECTORY_OPTIONAL;
        o->set_user = flags & SET_USER;
        o->set_umask = flags & SET_UMASK;
        o->set_nice = flags & SET_NICE;
        o->set_oom_score = flags & SET_OOM_SCORE;
        o->new_session = flags & NEW_SESSION;
        o->ignore_sigpipe = flags & IGNORE_SIGPIPE;
        o->no_new_privileges = flags & NO_NEW_PRIVILEGES;
}

static int get_process(Reading *reading, unsigned flags, SpawnRequestRead *ret) {
        ProcessOptions *o = &ret->request.process;
        size_t n_environment = 0;
        int r;

        get_flags(flags, o);
        o->path = get_string(reading);
        r = get_vectors(reading, flags, ret, &n_environment);
        if (r < 0)
                return r;
        get_pid_rooms(reading, o, n_environment);
        if (flags & HAS_DIRECTORY)
                o->directory = get_string(reading);
        if (flags & HAS_ROOT)
                o->root = get_string(reading);
        if (flags & SET_USER)
                get_user(reading, ret);
        o->umask = (mode_t)get_count(reading, 07777);
        o->nice = get_number(reading);
        o->oom_score = get_number(reading);
        get_limits(reading, ret);
        o->cgroup_fds = ret->cgroup_fds;
        o->n_cgroup_fds = get_count(reading, SPAWN_CGROUPS_MAX);
        o->passed_fds = ret->passed_fds;
        o->n_passed_fds = get_count(reading, PROCESS_FDS_MAX);
        return *o->path == '/' || fail(reading) ? 0 : -EBADMSG;
}

static void take_files(Reading *reading, int *to, size_t n) {
        if (n > reading->n_files) {
                (void)fail(reading);
                return;
        }
        memcpy(to, reading->files, n * sizeof(int));
        reading->files += n;
        reading->n_files -= n;
}

/* All of them, and no more. */
static void give_files(Reading *reading, unsigned flags, SpawnRequestRead *ret) {
        SpawnRequest *request = &ret->request;

        take_files(reading, &request->control, 1);
        take_files(reading, &request->listener, 1);
        take_files(reading, request->held_fds, strlen(request->held));
        for (unsigned i = 0; i < STREAMS; i++) {
                request->process.fds[i] = -1;
                if (flags & ((unsigned)HAS_STREAM << i))
                        take_files(reading, &request->process.fds[i], 1);
        }
        take_files(reading, ret->cgroup_fds, request->process.n_cgroup_fds);
        take_files(reading, ret->passed_fds, request->process.n_passed_fds);
        if (reading->n_files > 0)
                (void)fail(reading);
}

static void get_held(Reading *reading, char held[static UNIT_SHIM_FDS_MAX + 1]) {
        const char *letters = get_string(reading);
        size_t n = strlen(letters);

        if (n > UNIT_SHIM_FDS_MAX || strspn(letters, UNIT_SHIM_LETTERS) < n)
                (void)fail(reading);
        else
                memcpy(held, letters, n + 1);
}

int spawn_request_read(char *bytes, size_t length, const int *files, size_t n_files, SpawnRequestRead *ret) {
        Reading reading = {.wire = wire_reader((Slice){bytes, length}), .files = files, .n_files = n_files};
        SpawnRequest *request = &ret->request;
        unsigned flags;
        int r = 0;

        *ret = (SpawnRequestRead){0};
        if (wire_get_u8(&reading.wire) != SPAWN_REQUEST_VERSION)
                (void)fail(&reading);
        flags = (unsigned)get_count(&reading, FLAGS_ALL);
        if (!(flags & HAS_PROCESS) && flags != 0)
                (void)fail(&reading);
        request->ends_path = get_string(&reading);
        request->logs = get_string(&reading);
        request->unit = get_string(&reading);
        request->log_size = wire_get_u64(&reading.wire);
        get_held(&reading, request->held);
        if (flags & HAS_PROCESS)
                r = get_process(&reading, flags, ret);
        if (r >= 0)
                give_files(&reading, flags, ret);
        if (r >= 0 && !wire_at_end(&reading.wire))
                r = -EBADMSG;
        if (r < 0)
                spawn_request_read_deinit(ret);
        return r;
}

void spawn_request_read_deinit(SpawnRequestRead *read) {
        free(read->strings);
        *read = (SpawnRequestRead){0};
}
