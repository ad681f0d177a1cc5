#include "unitfile/service-options.h"

#include <errno.h>
#include <signal.h>

#include "unitfile/name.h"
#include "unitfile/word.h"

typedef struct Reader {
        ServiceOptions *options;
        const SpecifierSource *source; /* NULL: specifiers stay */
} Reader;

typedef struct OptionRow OptionRow;

/* Takes one value into its field. -EINVAL, -ERANGE: not understood. An empty value resets. */
typedef int (*OptionParser)(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error);

struct OptionRow {
        const char *section;
        const char *name;
        OptionParser parse;
        size_t offset;
        int detail;
};

static int expand(const Reader *reader, Slice value, char **ret, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r;

        if (reader->source)
                r = specifier_expand(value, reader->source, &text, error);
        else
                r = value.length ? buffer_append(&text, value.data, value.length) : 0;
        if (r < 0)
                return r;
        *ret = buffer_steal_string(&text, NULL);
        return *ret ? 0 : -ENOMEM;
}

static void replace_string(char **field, char *value) {
        free(*field);
        *field = value;
}

static int parse_string(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        char *text = NULL;
        int r;

        (void)row;
        if (value.length > 0) {
                r = expand(reader, value, &text, error);
                if (r < 0)
                        return r;
        }
        replace_string(field, text);
        return 0;
}

static bool path_is_normal(const char *path) {
        Slice rest = slice_from(path), part;

        while (slice_split(&rest, '/', &part))
                if (slice_equals(part, slice_from("..")))
                        return false;
        return path[0] != '\0';
}

/* detail 1: a path below the root of its kind is allowed, too. */
static int parse_path(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (value.length > 0) {
                r = expand(reader, value, &path, error);
                if (r < 0)
                        return r;
                if (!path_is_normal(path) || (path[0] != '/' && row->detail != 1))
                        return error_set(error, -EINVAL, "\"%s\" is no full path", path);
        }
        replace_string(field, take_ptr(path));
        return 0;
}

enum { WORDS_UNITS, WORDS_PLAIN };

/* A list of words; those of units must be valid names. */
static int parse_words(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        _cleanup_string_list_ StringList words = {0};
        StringList *list = field;
        int r;

        if (value.length == 0) {
                string_list_deinit(list);
                return 0;
        }
        r = word_split(value, WORD_ESCAPES_KEEP, &words, error);
        for (size_t i = 0; r >= 0 && i < words.length; i++) {
                char *word = NULL;

                r = expand(reader, slice_from(words.items[i]), &word, error);
                if (r < 0)
                        return r;
                if (row->detail == WORDS_UNITS && !unit_name_is_valid(slice_from(word))) {
                        r = error_set(error, -EINVAL, "\"%s\" is no unit name", word);
                        free(word);
                        return r;
                }
                r = string_list_take(list, word);
        }
        return r;
}

static int parse_boolean(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)reader;
        (void)row;
        if (value_parse_bool(value, field) < 0)
                return error_set(error, -EINVAL, "expected yes or no");
        return 0;
}

enum {
        SPAN_PLAIN,
        SPAN_ZERO_IS_INFINITY, /* timeouts */
        SPAN_BOTH_TIMEOUTS,    /* TimeoutSec= */
};

static int parse_span(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        Usec span;
        int r;

        r = value_parse_span(value, &span);
        if (r < 0)
                return error_set(error, r, "expected a time span such as 5s, 1min 30s or infinity");
        if (row->detail != SPAN_PLAIN && span == 0)
                span = USEC_INFINITY;
        *(Usec *)field = span;
        if (row->detail == SPAN_BOTH_TIMEOUTS)
                reader->options->timeout_stop = span;
        return 0;
}

static int parse_count(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)reader;
        (void)row;
        if (str_parse_u64(value, UINT32_MAX, field) < 0)
                return error_set(error, -EINVAL, "expected a number");
        return 0;
}

static int parse_mode(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)reader;
        (void)row;
        if (value_parse_mode(value, field) < 0)
                return error_set(error, -EINVAL, "expected an octal mode such as 0755");
        return 0;
}

static int parse_signal(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)reader;
        (void)row;
        if (value_parse_signal(value, field) < 0)
                return error_set(error, -EINVAL, "expected a signal such as SIGTERM");
        return 0;
}

static int parse_nice(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)row;
        if (value_parse_number(value, -20, 19, field) < 0)
                return error_set(error, -EINVAL, "expected a number from -20 to 19");
        reader->options->nice_set = true;
        return 0;
}

static int parse_oom_score(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)row;
        if (value_parse_number(value, -1000, 1000, field) < 0)
                return error_set(error, -EINVAL, "expected a number from -1000 to 1000");
        reader->options->oom_score_adjust_set = true;
        return 0;
}

enum { WORDS_TYPE, WORDS_RESTART, WORDS_KILL_MODE, WORDS_NOTIFY, WORDS_PRESERVE };

/* An enumeration: `field` is the enum. */
static int parse_choice(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        static const struct {
                int list;
                const char *word;
                unsigned value;
        } choices[] = {
                {WORDS_TYPE, "simple", SERVICE_SIMPLE},
                {WORDS_TYPE, "exec", SERVICE_EXEC},
                {WORDS_TYPE, "forking", SERVICE_FORKING},
                {WORDS_TYPE, "oneshot", SERVICE_ONESHOT},
                {WORDS_TYPE, "notify", SERVICE_NOTIFY},
                {WORDS_TYPE, "idle", SERVICE_IDLE},
                {WORDS_RESTART, "no", SERVICE_RESTART_NO},
                {WORDS_RESTART, "on-success", SERVICE_RESTART_ON_SUCCESS},
                {WORDS_RESTART, "on-failure", SERVICE_RESTART_ON_FAILURE},
                {WORDS_RESTART, "on-abnormal", SERVICE_RESTART_ON_ABNORMAL},
                {WORDS_RESTART, "on-watchdog", SERVICE_RESTART_ON_WATCHDOG},
                {WORDS_RESTART, "on-abort", SERVICE_RESTART_ON_ABORT},
                {WORDS_RESTART, "always", SERVICE_RESTART_ALWAYS},
                {WORDS_KILL_MODE, "control-group", SERVICE_KILL_CONTROL_GROUP},
                {WORDS_KILL_MODE, "mixed", SERVICE_KILL_MIXED},
                {WORDS_KILL_MODE, "process", SERVICE_KILL_PROCESS},
                {WORDS_KILL_MODE, "none", SERVICE_KILL_NONE},
                {WORDS_NOTIFY, "none", SERVICE_NOTIFY_NONE},
                {WORDS_NOTIFY, "main", SERVICE_NOTIFY_MAIN},
                {WORDS_NOTIFY, "exec", SERVICE_NOTIFY_EXEC},
                {WORDS_NOTIFY, "all", SERVICE_NOTIFY_ALL},
                {WORDS_PRESERVE, "no", SERVICE_PRESERVE_NO},
                {WORDS_PRESERVE, "restart", SERVICE_PRESERVE_RESTART},
                {WORDS_PRESERVE, "yes", SERVICE_PRESERVE_YES},
        };

        (void)reader;
        for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
                if (choices[i].list == row->detail && slice_equals(value, slice_from(choices[i].word))) {
                        *(unsigned *)field = choices[i].value;
                        return 0;
                }
        return error_set(error, -EINVAL, "\"%.*s\" is not supported here", (int)value.length, value.data);
}

static int parse_exec(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)row;
        return exec_line_parse(value, reader->source, field, error);
}

static int parse_environment(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        _cleanup_string_list_ StringList words = {0};
        int r;

        (void)row;
        if (value.length == 0) {
                string_list_deinit(field);
                return 0;
        }
        r = word_split(value, WORD_ESCAPES_C, &words, error);
        for (size_t i = 0; r >= 0 && i < words.length; i++) {
                const char *equals = strchr(words.items[i], '=');
                char *word = NULL;

                if (!equals || !environment_name_is_valid((Slice){words.items[i], (size_t)(equals - words.items[i])}))
                        return error_set(error, -EINVAL, "\"%s\" is no NAME=value", words.items[i]);
                r = expand(reader, slice_from(words.items[i]), &word, error);
                if (r >= 0)
                        r = string_list_take(field, word);
        }
        return r;
}

static void optional_path_list_deinit(OptionalPathList *list) {
        for (size_t i = 0; i < list->length; i++)
                free(list->items[i].path);
        free(list->items);
        *list = (OptionalPathList){0};
}

static int parse_environment_file(const Reader *reader, const OptionRow *row, Slice value, void *field,
                                  Error *error) {
        _cleanup_free_ char *path = NULL;
        OptionalPathList *list = field;
        bool optional = value.length > 0 && value.data[0] == '-';
        int r;

        (void)row;
        if (value.length == 0) {
                optional_path_list_deinit(list);
                return 0;
        }
        if (optional)
                value = (Slice){value.data + 1, value.length - 1};
        r = expand(reader, value, &path, error);
        if (r < 0)
                return r;
        if (path[0] != '/')
                return error_set(error, -EINVAL, "\"%s\" is no full path", path);
        if (list->length == list->capacity) {
                size_t capacity = list->capacity ? list->capacity * 2 : 4;
                OptionalPath *items = reallocarray(list->items, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                list->items = items;
                list->capacity = capacity;
        }
        list->items[list->length++] = (OptionalPath){take_ptr(path), optional};
        return 0;
}

static int parse_working_directory(const Reader *reader, const OptionRow *row, Slice value, void *field,
                                   Error *error) {
        bool optional = value.length > 0 && value.data[0] == '-';
        _cleanup_free_ char *path = NULL;
        int r;

        (void)row;
        if (optional)
                value = (Slice){value.data + 1, value.length - 1};
        if (value.length > 0) {
                r = expand(reader, value, &path, error);
                if (r < 0)
                        return r;
                if (path[0] != '/' && !str_equals(path, "~"))
                        return error_set(error, -EINVAL, "\"%s\" is neither a full path nor ~", path);
        }
        reader->options->working_directory_optional = optional;
        replace_string(field, take_ptr(path));
        return 0;
}

static int parse_stream(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        static const struct {
                const char *word;
                ServiceStreamKind kind;
        } kinds[] = {
                {"inherit", SERVICE_STREAM_INHERIT},         {"null", SERVICE_STREAM_NULL},
                {"journal", SERVICE_STREAM_JOURNAL},         {"syslog", SERVICE_STREAM_JOURNAL},
                {"kmsg", SERVICE_STREAM_JOURNAL},            {"journal+console", SERVICE_STREAM_JOURNAL},
                {"syslog+console", SERVICE_STREAM_JOURNAL},  {"kmsg+console", SERVICE_STREAM_JOURNAL},
                {"tty", SERVICE_STREAM_TTY},                 {"socket", SERVICE_STREAM_SOCKET},
        };
        static const struct {
                const char *prefix;
                ServiceStreamKind kind;
        } files[] = {
                {"file:", SERVICE_STREAM_FILE},
                {"append:", SERVICE_STREAM_APPEND},
                {"truncate:", SERVICE_STREAM_TRUNCATE},
        };
        ServiceStream *stream = field;
        _cleanup_free_ char *text = NULL;
        int r;

        (void)row;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (slice_equals(value, slice_from(kinds[i].word))) {
                        replace_string(&stream->path, NULL);
                        stream->kind = kinds[i].kind;
                        return 0;
                }
        r = expand(reader, value, &text, error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                size_t length = strlen(files[i].prefix);
                char *path;

                if (!str_starts_with(text, files[i].prefix) || text[length] != '/')
                        continue;
                path = strdup(text + length);
                if (!path)
                        return -ENOMEM;
                replace_string(&stream->path, path);
                stream->kind = files[i].kind;
                return 0;
        }
        return error_set(error, -EINVAL, "\"%s\" is not supported here", text);
}

static void set_bit(uint64_t *words, unsigned bit) {
        words[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Names of exit codes: sysexits.h, and the two of the C standard. */
static int exit_code_from_name(Slice word) {
        static const char *const names[] = {"USAGE",  "DATAERR", "NOINPUT",  "NOUSER",   "NOHOST",
                                            "UNAVAILABLE", "SOFTWARE", "OSERR", "OSFILE", "CANTCREAT",
                                            "IOERR",  "TEMPFAIL", "PROTOCOL", "NOPERM", "CONFIG"};

        if (slice_equals(word, slice_from("SUCCESS")))
                return 0;
        if (slice_equals(word, slice_from("FAILURE")))
                return 1;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (slice_equals(word, slice_from(names[i])))
                        return 64 + (int)i;
        return -EINVAL;
}

static int parse_exit_status(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        _cleanup_string_list_ StringList words = {0};
        ExitStatusSet *set = field;
        int r;

        (void)reader;
        (void)row;
        if (value.length == 0) {
                *set = (ExitStatusSet){0};
                return 0;
        }
        r = word_split(value, WORD_ESCAPES_KEEP, &words, error);
        for (size_t i = 0; r >= 0 && i < words.length; i++) {
                Slice word = slice_from(words.items[i]);
                uint64_t number;
                int code, signal;

                if (str_parse_u64(word, 255, &number) == 0)
                        set_bit(set->codes, (unsigned)number);
                else if ((code = exit_code_from_name(word)) >= 0)
                        set_bit(set->codes, (unsigned)code);
                else if (value_parse_signal(word, &signal) == 0)
                        set_bit(set->signals, (unsigned)signal);
                else
                        return error_set(error, -EINVAL, "\"%s\" is neither an exit code nor a signal",
                                         words.items[i]);
        }
        return r;
}

bool exit_status_set_has_code(const ExitStatusSet *set, int code) {
        return code >= 0 && code < 256 && (set->codes[code / 64] >> code % 64 & 1);
}

bool exit_status_set_has_signal(const ExitStatusSet *set, int signal) {
        return signal > 0 && signal < 128 && (set->signals[signal / 64] >> signal % 64 & 1);
}

static LimitUnit limit_unit(int resource) {
        switch (resource) {
        case RLIMIT_CPU:
                return LIMIT_SECONDS;
        case RLIMIT_RTTIME:
                return LIMIT_USEC;
        case RLIMIT_NICE:
                return LIMIT_NICE;
        case RLIMIT_FSIZE:
        case RLIMIT_DATA:
        case RLIMIT_STACK:
        case RLIMIT_CORE:
        case RLIMIT_RSS:
        case RLIMIT_AS:
        case RLIMIT_MEMLOCK:
        case RLIMIT_MSGQUEUE:
                return LIMIT_BYTES;
        default:
                return LIMIT_PLAIN;
        }
}

/* detail: the resource. */
static int parse_limit(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        ServiceLimit **limits = field, *limit;
        int r;

        (void)reader;
        if (!*limits)
                *limits = calloc(RLIM_NLIMITS, sizeof(**limits));
        if (!*limits)
                return error_set_errno(error, -ENOMEM, "cannot keep a limit");
        limit = *limits + row->detail;
        r = value_parse_limit(value, limit_unit(row->detail), &limit->soft, &limit->hard);
        if (r < 0)
                return error_set(error, r, "expected a limit, soft:hard, or infinity");
        limit->set = true;
        return 0;
}

/* Bytes or a plain count, or infinity. */
static int parse_amount(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)reader;
        (void)row;
        if (value.length == 0 || slice_equals(value, slice_from("infinity"))) {
                *(uint64_t *)field = UINT64_MAX;
                return 0;
        }
        if (value_parse_size(value, field) < 0)
                return error_set(error, -EINVAL, "expected an amount such as 512M, or infinity");
        return 0;
}

static int parse_weight(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        uint64_t weight;

        (void)reader;
        (void)row;
        if (str_parse_u64(value, 10000, &weight) < 0 || weight < 1)
                return error_set(error, -EINVAL, "expected a number from 1 to 10000");
        *(uint64_t *)field = weight;
        return 0;
}

static int parse_quota(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        uint64_t percent;

        (void)reader;
        (void)row;
        if (value.length == 0) {
                *(uint64_t *)field = 0;
                return 0;
        }
        if (value.data[value.length - 1] != '%' ||
            str_parse_u64((Slice){value.data, value.length - 1}, 1000000, &percent) < 0 || percent == 0)
                return error_set(error, -EINVAL, "expected a percentage such as 50%%");
        *(uint64_t *)field = percent * 10;
        return 0;
}

static int parse_directory(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        _cleanup_string_list_ StringList words = {0};
        ServiceDirectory *directory = field;
        int r;

        (void)row;
        if (value.length == 0) {
                string_list_deinit(&directory->names);
                return 0;
        }
        r = word_split(value, WORD_ESCAPES_C, &words, error);
        for (size_t i = 0; r >= 0 && i < words.length; i++) {
                char *name = NULL;

                r = expand(reader, slice_from(words.items[i]), &name, error);
                if (r < 0)
                        return r;
                if (!path_is_normal(name) || name[0] == '/') {
                        r = error_set(error, -EINVAL, "\"%s\" is no path below another", name);
                        free(name);
                        return r;
                }
                r = string_list_take(&directory->names, name);
        }
        return r;
}

/* Known to systemd and without effect in a supervisor of one service, or only about things shown to people. */
static int parse_nothing(const Reader *reader, const OptionRow *row, Slice value, void *field, Error *error) {
        (void)reader;
        (void)row;
        (void)value;
        (void)field;
        (void)error;
        return 0;
}

/* The sandbox: what a service gives up by itself. A supervisor without mount namespaces and filters starts it all the same. */
static const char *const unenforced[] = {
        "ProtectSystem", "ProtectHome", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths",
        "NoExecPaths", "TemporaryFileSystem", "BindPaths", "BindReadOnlyPaths", "PrivateTmp", "PrivateDevices",
        "PrivateMounts", "PrivateNetwork", "PrivateUsers", "PrivateIPC", "ProtectProc", "ProcSubset", "ProtectClock",
        "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules",
        "ProtectKernelTunables", "DevicePolicy", "DeviceAllow", "CapabilityBoundingSet", "AmbientCapabilities",
        "SecureBits", "RestrictAddressFamilies", "RestrictFileSystems", "RestrictNamespaces", "RestrictRealtime",
        "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute", "RemoveIPC", "KeyringMode",
        "SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber", "SystemCallLog", "IPAddressAllow",
        "IPAddressDeny",
};

#define FIELD(name) offsetof(ServiceOptions, name)

static const OptionRow rows[] = {
        {"Unit", "Description", parse_string, FIELD(description), 0},
        {"Unit", "Documentation", parse_nothing, 0, 0},
        {"Unit", "Requires", parse_words, FIELD(requires), WORDS_UNITS},
        {"Unit", "Requisite", parse_words, FIELD(requisite), WORDS_UNITS},
        {"Unit", "Wants", parse_words, FIELD(wants), WORDS_UNITS},
        {"Unit", "BindsTo", parse_words, FIELD(binds_to), WORDS_UNITS},
        {"Unit", "BindTo", parse_words, FIELD(binds_to), WORDS_UNITS},
        {"Unit", "PartOf", parse_words, FIELD(part_of), WORDS_UNITS},
        {"Unit", "Upholds", parse_words, FIELD(upholds), WORDS_UNITS},
        {"Unit", "Conflicts", parse_words, FIELD(conflicts), WORDS_UNITS},
        {"Unit", "Before", parse_words, FIELD(before), WORDS_UNITS},
        {"Unit", "After", parse_words, FIELD(after), WORDS_UNITS},
        {"Unit", "OnFailure", parse_words, FIELD(on_failure), WORDS_UNITS},
        {"Unit", "StartLimitIntervalSec", parse_span, FIELD(start_limit_interval), SPAN_PLAIN},
        {"Unit", "StartLimitInterval", parse_span, FIELD(start_limit_interval), SPAN_PLAIN},
        {"Unit", "StartLimitBurst", parse_count, FIELD(start_limit_burst), 0},
        {"Service", "StartLimitInterval", parse_span, FIELD(start_limit_interval), SPAN_PLAIN},
        {"Service", "StartLimitBurst", parse_count, FIELD(start_limit_burst), 0},
        {"Service", "Type", parse_choice, FIELD(type), WORDS_TYPE},
        {"Service", "ExecStartPre", parse_exec, FIELD(start_pre), 0},
        {"Service", "ExecStart", parse_exec, FIELD(start), 0},
        {"Service", "ExecStartPost", parse_exec, FIELD(start_post), 0},
        {"Service", "ExecReload", parse_exec, FIELD(reload), 0},
        {"Service", "ExecStop", parse_exec, FIELD(stop), 0},
        {"Service", "ExecStopPost", parse_exec, FIELD(stop_post), 0},
        {"Service", "PIDFile", parse_path, FIELD(pid_file), 1},
        {"Service", "RemainAfterExit", parse_boolean, FIELD(remain_after_exit), 0},
        {"Service", "GuessMainPID", parse_boolean, FIELD(guess_main_pid), 0},
        {"Service", "NotifyAccess", parse_choice, FIELD(notify_access), WORDS_NOTIFY},
        {"Service", "Restart", parse_choice, FIELD(restart), WORDS_RESTART},
        {"Service", "RestartSec", parse_span, FIELD(restart_delay), SPAN_PLAIN},
        {"Service", "SuccessExitStatus", parse_exit_status, FIELD(success_status), 0},
        {"Service", "RestartPreventExitStatus", parse_exit_status, FIELD(restart_prevent_status), 0},
        {"Service", "RestartForceExitStatus", parse_exit_status, FIELD(restart_force_status), 0},
        {"Service", "TimeoutStartSec", parse_span, FIELD(timeout_start), SPAN_ZERO_IS_INFINITY},
        {"Service", "TimeoutStopSec", parse_span, FIELD(timeout_stop), SPAN_ZERO_IS_INFINITY},
        {"Service", "TimeoutSec", parse_span, FIELD(timeout_start), SPAN_BOTH_TIMEOUTS},
        {"Service", "RuntimeMaxSec", parse_span, FIELD(runtime_max), SPAN_ZERO_IS_INFINITY},
        {"Service", "WatchdogSec", parse_span, FIELD(watchdog), SPAN_PLAIN},
        {"Service", "KillMode", parse_choice, FIELD(kill_mode), WORDS_KILL_MODE},
        {"Service", "KillSignal", parse_signal, FIELD(kill_signal), 0},
        {"Service", "FinalKillSignal", parse_signal, FIELD(final_kill_signal), 0},
        {"Service", "WatchdogSignal", parse_signal, FIELD(watchdog_signal), 0},
        {"Service", "SendSIGKILL", parse_boolean, FIELD(send_sigkill), 0},
        {"Service", "SendSIGHUP", parse_boolean, FIELD(send_sighup), 0},
        {"Service", "Environment", parse_environment, FIELD(environment), 0},
        {"Service", "EnvironmentFile", parse_environment_file, FIELD(environment_files), 0},
        {"Service", "PassEnvironment", parse_words, FIELD(pass_environment), WORDS_PLAIN},
        {"Service", "UnsetEnvironment", parse_words, FIELD(unset_environment), WORDS_PLAIN},
        {"Service", "WorkingDirectory", parse_working_directory, FIELD(working_directory), 0},
        {"Service", "RootDirectory", parse_path, FIELD(root_directory), 0},
        {"Service", "User", parse_string, FIELD(user), 0},
        {"Service", "Group", parse_string, FIELD(group), 0},
        {"Service", "SupplementaryGroups", parse_words, FIELD(supplementary_groups), WORDS_PLAIN},
        {"Service", "PermissionsStartOnly", parse_boolean, FIELD(root_only_start), 0},
        {"Service", "StandardInput", parse_stream, FIELD(input), 0},
        {"Service", "StandardOutput", parse_stream, FIELD(output), 0},
        {"Service", "StandardError", parse_stream, FIELD(error), 0},
        {"Service", "SyslogIdentifier", parse_string, FIELD(syslog_identifier), 0},
        {"Service", "UMask", parse_mode, FIELD(umask), 0},
        {"Service", "Nice", parse_nice, FIELD(nice), 0},
        {"Service", "OOMScoreAdjust", parse_oom_score, FIELD(oom_score_adjust), 0},
        {"Service", "IgnoreSIGPIPE", parse_boolean, FIELD(ignore_sigpipe), 0},
        {"Service", "NoNewPrivileges", parse_boolean, FIELD(no_new_privileges), 0},
        {"Service", "LimitCPU", parse_limit, FIELD(limits), RLIMIT_CPU},
        {"Service", "LimitFSIZE", parse_limit, FIELD(limits), RLIMIT_FSIZE},
        {"Service", "LimitDATA", parse_limit, FIELD(limits), RLIMIT_DATA},
        {"Service", "LimitSTACK", parse_limit, FIELD(limits), RLIMIT_STACK},
        {"Service", "LimitCORE", parse_limit, FIELD(limits), RLIMIT_CORE},
        {"Service", "LimitRSS", parse_limit, FIELD(limits), RLIMIT_RSS},
        {"Service", "LimitNOFILE", parse_limit, FIELD(limits), RLIMIT_NOFILE},
        {"Service", "LimitAS", parse_limit, FIELD(limits), RLIMIT_AS},
        {"Service", "LimitNPROC", parse_limit, FIELD(limits), RLIMIT_NPROC},
        {"Service", "LimitMEMLOCK", parse_limit, FIELD(limits), RLIMIT_MEMLOCK},
        {"Service", "LimitLOCKS", parse_limit, FIELD(limits), RLIMIT_LOCKS},
        {"Service", "LimitSIGPENDING", parse_limit, FIELD(limits), RLIMIT_SIGPENDING},
        {"Service", "LimitMSGQUEUE", parse_limit, FIELD(limits), RLIMIT_MSGQUEUE},
        {"Service", "LimitNICE", parse_limit, FIELD(limits), RLIMIT_NICE},
        {"Service", "LimitRTPRIO", parse_limit, FIELD(limits), RLIMIT_RTPRIO},
        {"Service", "LimitRTTIME", parse_limit, FIELD(limits), RLIMIT_RTTIME},
        {"Service", "RuntimeDirectory", parse_directory, FIELD(runtime_directory), 0},
        {"Service", "RuntimeDirectoryMode", parse_mode, FIELD(runtime_directory.mode), 0},
        {"Service", "RuntimeDirectoryPreserve", parse_choice, FIELD(runtime_directory_preserve), WORDS_PRESERVE},
        {"Service", "StateDirectory", parse_directory, FIELD(state_directory), 0},
        {"Service", "StateDirectoryMode", parse_mode, FIELD(state_directory.mode), 0},
        {"Service", "CacheDirectory", parse_directory, FIELD(cache_directory), 0},
        {"Service", "CacheDirectoryMode", parse_mode, FIELD(cache_directory.mode), 0},
        {"Service", "LogsDirectory", parse_directory, FIELD(logs_directory), 0},
        {"Service", "LogsDirectoryMode", parse_mode, FIELD(logs_directory.mode), 0},
        {"Service", "ConfigurationDirectory", parse_directory, FIELD(configuration_directory), 0},
        {"Service", "ConfigurationDirectoryMode", parse_mode, FIELD(configuration_directory.mode), 0},
        {"Service", "MemoryMax", parse_amount, FIELD(memory_max), 0},
        {"Service", "MemoryLimit", parse_amount, FIELD(memory_max), 0},
        {"Service", "MemoryHigh", parse_amount, FIELD(memory_high), 0},
        {"Service", "TasksMax", parse_amount, FIELD(tasks_max), 0},
        {"Service", "CPUWeight", parse_weight, FIELD(cpu_weight), 0},
        {"Service", "CPUQuota", parse_quota, FIELD(cpu_quota_permille), 0},
        {"Install", "WantedBy", parse_words, FIELD(wanted_by), WORDS_UNITS},
        {"Install", "RequiredBy", parse_words, FIELD(required_by), WORDS_UNITS},
        {"Install", "Also", parse_words, FIELD(also), WORDS_UNITS},
        {"Install", "Alias", parse_words, FIELD(alias), WORDS_UNITS},
};

void service_options_deinit(ServiceOptions *options) {
        free(options->limits);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                void *field = (char *)options + rows[i].offset;

                if (rows[i].parse == parse_string || rows[i].parse == parse_path ||
                    rows[i].parse == parse_working_directory)
                        replace_string(field, NULL);
                else if (rows[i].parse == parse_words || rows[i].parse == parse_environment)
                        string_list_deinit(field);
                else if (rows[i].parse == parse_exec)
                        exec_command_list_deinit(field);
                else if (rows[i].parse == parse_environment_file)
                        optional_path_list_deinit(field);
                else if (rows[i].parse == parse_stream)
                        replace_string(&((ServiceStream *)field)->path, NULL);
                else if (rows[i].parse == parse_directory)
                        string_list_deinit(&((ServiceDirectory *)field)->names);
        }
        string_list_deinit(&options->unenforced);
        unit_note_list_deinit(&options->notes);
        *options = (ServiceOptions){0};
}

static const OptionRow *find_row(const char *section, const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (str_equals(rows[i].section, section) && str_equals(rows[i].name, name))
                        return &rows[i];
        return NULL;
}

static bool is_unenforced(const char *section, const char *name) {
        for (size_t i = 0; str_equals(section, "Service") && i < ARRAY_SIZE(unenforced); i++)
                if (str_equals(unenforced[i], name))
                        return true;
        return false;
}

/* One note for all of them. */
static int note_unenforced(ServiceOptions *options, const UnitFile *file) {
        TextPosition at = {0};

        if (options->unenforced.length == 0)
                return 0;
        for (size_t i = 0; i < file->n_options && at.line == 0; i++)
                if (str_equals(file->options[i].name, options->unenforced.items[0]))
                        at = file->options[i].name_at;
        return unit_note_list_add(&options->notes, at, "nothing here enforces the unit's sandbox: %s=%s", options->unenforced.items[0],
                                  options->unenforced.length > 1 ? " and the like" : "");
}

static int read_option(const Reader *reader, const char *section, const UnitOption *option, Error *error) {
        const OptionRow *row = find_row(section, option->name);
        _cleanup_buffer_ Buffer value = BUFFER_INIT;
        Error why = ERROR_NONE;
        Slice text;
        int r;

        if (!row && is_unenforced(section, option->name))
                return string_list_contains(&reader->options->unenforced, option->name)
                               ? 0
                               : string_list_add(&reader->options->unenforced, option->name);
        if (!row)
                return unit_note_list_add(&reader->options->notes, option->name_at,
                                          "%s= in [%s] is not known here and has no effect", option->name, section);
        r = unitfile_join_value(option->value, &value);
        if (r < 0)
                return r;
        text = slice_from(buffer_string(&value) ? buffer_string(&value) : "");
        r = row->parse(reader, row, text, (char *)reader->options + row->offset, &why);
        if (r == -ENOMEM || r >= 0)
                return r;
        if (row->parse == parse_exec || row->offset == FIELD(type))
                return error_set(error, r, "line %u, column %u: %s=: %s", option->value_at.line,
                                 option->value_at.column, option->name, why.text);
        return unit_note_list_add(&reader->options->notes, option->value_at, "%s= is ignored: %s", option->name,
                                  why.text);
}

/* `own`: the one of the unit's type. */
static bool section_is_known(const char *section, const char *own) {
        return str_equals(section, "Unit") || str_equals(section, own) || str_equals(section, "Install");
}

/* systemd's service_verify(), as far as it can be judged from the text. */
static int verify(const ServiceOptions *options, Error *error) {
        if (options->start.length == 0 && options->type != SERVICE_ONESHOT)
                return error_set(error, -EINVAL, "the service has no ExecStart=");
        if (options->start.length == 0 && options->stop.length == 0)
                return error_set(error, -EINVAL, "the service has neither ExecStart= nor ExecStop=");
        if (options->start.length == 0 && !options->remain_after_exit)
                return error_set(error, -EINVAL, "a service without ExecStart= needs RemainAfterExit=yes");
        if (options->start.length > 1 && options->type != SERVICE_ONESHOT)
                return error_set(error, -EINVAL, "several ExecStart= are allowed for Type=oneshot only");
        if (options->type == SERVICE_ONESHOT &&
            (options->restart == SERVICE_RESTART_ALWAYS || options->restart == SERVICE_RESTART_ON_SUCCESS))
                return error_set(error, -EINVAL, "Restart=always and on-success are not allowed for Type=oneshot");
        return 0;
}

/* The sections [Unit] and [Install], and [Service] if it is the unit's own. */
static int read_sections(Reader *reader, const UnitFile *file, const char *own, Error *error) {
        bool service = str_equals(own, "Service");
        int r;

        for (size_t i = 0; i < file->n_sections; i++) {
                const UnitSection *section = &file->sections[i];

                if (section_is_known(section->name, own) || str_starts_with(section->name, "X-"))
                        continue;
                r = unit_note_list_add(&reader->options->notes, section->at,
                                       "section [%s] is not known here and has no effect", section->name);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < file->n_options; i++) {
                const char *section = unitfile_section_name(file, &file->options[i]);

                if (!section_is_known(section, own) || (!service && str_equals(section, own)))
                        continue;
                r = read_option(reader, section, &file->options[i], error);
                if (r < 0)
                        return r;
        }
        return note_unenforced(reader->options, file);
}

int service_options_read_unit(const UnitFile *file, const SpecifierSource *source, const char *own, ServiceOptions *ret,
                              Error *error) {
        _cleanup_service_options_ ServiceOptions options = {0};
        Reader reader = {&options, source};
        int r = read_sections(&reader, file, own, error);

        if (r < 0)
                return r;
        *ret = options;
        options = (ServiceOptions){0};
        return 0;
}

int service_options_read(const UnitFile *file, const SpecifierSource *source, ServiceOptions *ret, Error *error) {
        _cleanup_service_options_ ServiceOptions options = {
                .start_limit_interval = SERVICE_START_LIMIT_INTERVAL_DEFAULT,
                .start_limit_burst = SERVICE_START_LIMIT_BURST_DEFAULT,
                .guess_main_pid = true,
                .restart_delay = SERVICE_RESTART_DELAY_DEFAULT,
                .timeout_stop = SERVICE_TIMEOUT_DEFAULT,
                .runtime_max = USEC_INFINITY,
                .kill_signal = SIGTERM,
                .final_kill_signal = SIGKILL,
                .watchdog_signal = SIGABRT,
                .send_sigkill = true,
                .umask = 0022,
                .ignore_sigpipe = true,
                .runtime_directory.mode = 0755,
                .state_directory.mode = 0755,
                .cache_directory.mode = 0755,
                .logs_directory.mode = 0755,
                .configuration_directory.mode = 0755,
                .memory_max = UINT64_MAX,
                .memory_high = UINT64_MAX,
                .tasks_max = UINT64_MAX,
        };
        Reader reader = {&options, source};
        int r;

        r = read_sections(&reader, file, "Service", error);
        if (r < 0)
                return r;
        /* zero stands for "not set" while reading: a zero in the text has become infinity */
        if (options.timeout_start == 0)
                options.timeout_start =
                        options.type == SERVICE_ONESHOT ? USEC_INFINITY : SERVICE_TIMEOUT_DEFAULT;
        r = verify(&options, error);
        if (r < 0)
                return r;
        *ret = options;
        options = (ServiceOptions){0};
        return 0;
}
