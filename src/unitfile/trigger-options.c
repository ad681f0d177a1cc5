#include "unitfile/trigger-options.h"

#include <errno.h>

#include "unitfile/name.h"
#include "unitfile/value.h"
#include "unitfile/word.h"

typedef struct Row Row;

/* What a value is read into, and what it may say why it cannot. `value` is expanded; empty resets. */
typedef int (*RowParser)(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error);

struct Row {
        TriggerKind kind;
        const char *name;
        RowParser parse;
        size_t offset;
        int detail;
};

/* ---- one value ---- */

static int no_memory(Error *error) {
        return error_set(error, -ENOMEM, "out of memory");
}

static int parse_flag(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        (void)options;
        (void)row;
        return value_parse_bool(slice_from(value), field) < 0 ? error_set(error, -EINVAL, "expected yes or no") : 0;
}

static int parse_ipv6_only(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        (void)row;
        (void)field;
        options->ipv6_only_set = !str_equals(value, "default");
        options->ipv6_only = str_equals(value, "ipv6-only");
        if (!options->ipv6_only && !str_equals(value, "both") && !str_equals(value, "default"))
                return error_set(error, -EINVAL, "expected default, both or ipv6-only");
        return 0;
}

static int parse_span(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        (void)options;
        (void)row;
        return value_parse_span(slice_from(value), field) < 0
                       ? error_set(error, -EINVAL, "expected a time span such as 5s or 1min 30s")
                       : 0;
}

static int parse_count(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        (void)options;
        (void)row;
        return str_parse_u64(slice_from(value), INT32_MAX, field) < 0 ? error_set(error, -EINVAL, "expected a number")
                                                                      : 0;
}

static int parse_size(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        uint64_t size;

        (void)options;
        (void)row;
        if (value_parse_size(slice_from(value), &size) < 0 || size > INT32_MAX)
                return error_set(error, -EINVAL, "expected a size such as 64K");
        *(uint64_t *)field = size;
        return 0;
}

static int parse_mode(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        (void)options;
        (void)row;
        return value_parse_mode(slice_from(value), field) < 0
                       ? error_set(error, -EINVAL, "expected an octal mode such as 0660")
                       : 0;
}

static int parse_text(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        char *copy = NULL;

        (void)options;
        (void)row;
        if (*value && !(copy = strdup(value)))
                return no_memory(error);
        free(*(char **)field);
        *(char **)field = copy;
        return 0;
}

static int parse_descriptor_name(TriggerOptions *options, const Row *row, const char *value, void *field,
                                 Error *error) {
        if (strlen(value) > 255 || strchr(value, ':'))
                return error_set(error, -EINVAL, "\"%s\" is no name for a file: it has a colon, or is too long", value);
        return parse_text(options, row, value, field, error);
}

static int parse_unit(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        UnitName name = unit_name_split(slice_from(value));

        if (*value && (!unit_name_is_valid(slice_from(value)) || name.kind == UNIT_NAME_TEMPLATE))
                return error_set(error, -EINVAL, "\"%s\" is no name of a unit", value);
        if (*value && options->kind == TRIGGER_SOCKET && !slice_equals(name.type, slice_from("service")))
                return error_set(error, -EINVAL, "\"%s\" is no service", value);
        return parse_text(options, row, value, field, error);
}

static int parse_words(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        (void)options;
        (void)row;
        if (!*value) {
                string_list_deinit(field);
                return 0;
        }
        return word_split(slice_from(value), WORD_ESCAPES_C, field, error);
}

/* Known to systemd, and without effect here; what cannot be had is said. */
static int parse_nothing(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        (void)options;
        (void)value;
        (void)field;
        return row->detail ? error_set(error, -EOPNOTSUPP, "it has no effect here") : 0;
}

/* Room for one more in a list of the options. NULL: too many, or no memory. */
static void *grow(void *items, size_t *length, size_t size, void **ret_new, Error *error) {
        void *more;

        if (*length >= TRIGGER_ITEMS_MAX) {
                (void)error_set(error, -EMSGSIZE, "a unit may have %d of these", TRIGGER_ITEMS_MAX);
                return NULL;
        }
        more = reallocarray(items, *length + 1, size);
        if (!more) {
                (void)no_memory(error);
                return NULL;
        }
        *ret_new = (char *)more + *length * size;
        memset(*ret_new, 0, size);
        return more;
}

/* ---- sockets ---- */

static int take_port(Slice text, uint16_t *ret) {
        uint64_t port;

        if (str_parse_u64(text, UINT16_MAX, &port) < 0 || port == 0)
                return -EINVAL;
        *ret = (uint16_t)port;
        return 0;
}

static bool is_ip(Slice text, bool six) {
        if (text.length == 0 || text.length > 63)
                return false;
        for (size_t i = 0; i < text.length; i++)
                if (!(text.data[i] >= '0' && text.data[i] <= '9') && text.data[i] != '.' &&
                    !(six && strchr(":abcdefABCDEF%", text.data[i])))
                        return false;
        return true;
}

int socket_listen_parse(Slice text, SocketListen *ret, Error *error) {
        const char *colon = text.length ? memrchr(text.data, ':', text.length) : NULL;
        SocketListen listen = {.family = LISTEN_IP};
        Slice host = {0}, port;

        if (text.length > 0 && (text.data[0] == '/' || text.data[0] == '@')) {
                if (text.length < 2 || text.length > 107)
                        return error_set(error, -EINVAL, "a path of a socket has 2 to 107 characters");
                listen.family = LISTEN_UNIX;
                host = text;
        } else if (!colon) {
                listen.family = LISTEN_ANY_HOST;
                if (take_port(text, &listen.port) < 0)
                        return error_set(error, -EINVAL, "expected a path, @NAME, PORT, IPV4:PORT or [IPV6]:PORT");
                *ret = listen;
                return 0;
        } else {
                bool six = text.data[0] == '[' && colon > text.data + 1 && colon[-1] == ']';

                host = (Slice){text.data + six, (size_t)(colon - text.data) - 2 * (size_t)six};
                port = (Slice){colon + 1, (size_t)(text.data + text.length - colon) - 1};
                if (take_port(port, &listen.port) < 0 || !is_ip(host, six))
                        return error_set(error, -EINVAL, "expected a path, @NAME, PORT, IPV4:PORT or [IPV6]:PORT");
        }
        listen.where = slice_dup(host);
        if (!listen.where)
                return no_memory(error);
        *ret = listen;
        return 0;
}

static void clear_listens(TriggerOptions *options) {
        for (size_t i = 0; i < options->n_listens; i++)
                free(options->listens[i].where);
        free(options->listens);
        options->listens = NULL;
        options->n_listens = 0;
}

static int parse_listen(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        SocketListen listen = {0};
        void *more, *place;
        int r;

        (void)field;
        if (!*value) {
                clear_listens(options);
                return 0;
        }
        r = socket_listen_parse(slice_from(value), &listen, error);
        if (r < 0)
                return r;
        listen.kind = (ListenKind)row->detail;
        if (listen.kind == LISTEN_SEQUENTIAL && listen.family != LISTEN_UNIX) {
                free(listen.where);
                return error_set(error, -EINVAL, "ListenSequentialPacket= is for unix sockets");
        }
        more = grow(options->listens, &options->n_listens, sizeof(listen), &place, error);
        if (!more) {
                free(listen.where);
                return -ENOMEM;
        }
        options->listens = more;
        options->listens[options->n_listens++] = listen;
        return 0;
}

/* ---- timers ---- */

static int parse_timer(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        TimerValue timer = {.base = (TimerBase)row->detail};
        void *more, *place;
        int r;

        (void)field;
        if (!*value) {
                free(options->timers);
                options->timers = NULL;
                options->n_timers = 0;
                return 0;
        }
        if (timer.base == TIMER_ON_CALENDAR)
                r = calendar_parse(slice_from(value), &timer.calendar, error);
        else
                r = parse_span(options, row, value, &timer.span, error);
        if (r < 0)
                return r;
        more = grow(options->timers, &options->n_timers, sizeof(timer), &place, error);
        if (!more)
                return -ENOMEM;
        options->timers = more;
        options->timers[options->n_timers++] = timer;
        return 0;
}

/* ---- paths ---- */

static void clear_paths(TriggerOptions *options) {
        for (size_t i = 0; i < options->n_paths; i++)
                free(options->paths[i].path);
        free(options->paths);
        options->paths = NULL;
        options->n_paths = 0;
}

static int parse_path(TriggerOptions *options, const Row *row, const char *value, void *field, Error *error) {
        void *more, *place;
        char *path;

        (void)field;
        if (!*value) {
                clear_paths(options);
                return 0;
        }
        if (value[0] != '/')
                return error_set(error, -EINVAL, "\"%s\" is no full path", value);
        path = strdup(value);
        more = path ? grow(options->paths, &options->n_paths, sizeof(*options->paths), &place, error) : NULL;
        if (!more) {
                free(path);
                return -ENOMEM;
        }
        for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
                path[length - 1] = '\0';
        options->paths = more;
        options->paths[options->n_paths++] = (PathValue){(PathKind)row->detail, path};
        return 0;
}

/* ---- the table ---- */

#define FIELD(name) offsetof(TriggerOptions, name)

static const Row rows[] = {
        {TRIGGER_SOCKET, "ListenStream", parse_listen, 0, LISTEN_STREAM},
        {TRIGGER_SOCKET, "ListenDatagram", parse_listen, 0, LISTEN_DATAGRAM},
        {TRIGGER_SOCKET, "ListenSequentialPacket", parse_listen, 0, LISTEN_SEQUENTIAL},
        {TRIGGER_SOCKET, "Accept", parse_flag, FIELD(accept), 0},
        {TRIGGER_SOCKET, "Service", parse_unit, FIELD(unit), 0},
        {TRIGGER_SOCKET, "Backlog", parse_count, FIELD(backlog), 0},
        {TRIGGER_SOCKET, "MaxConnections", parse_count, FIELD(connections), 0},
        {TRIGGER_SOCKET, "SocketMode", parse_mode, FIELD(socket_mode), 0},
        {TRIGGER_SOCKET, "DirectoryMode", parse_mode, FIELD(directory_mode), 0},
        {TRIGGER_SOCKET, "SocketUser", parse_text, FIELD(user), 0},
        {TRIGGER_SOCKET, "SocketGroup", parse_text, FIELD(group), 0},
        {TRIGGER_SOCKET, "RemoveOnStop", parse_flag, FIELD(remove_on_stop), 0},
        {TRIGGER_SOCKET, "Symlinks", parse_words, FIELD(symlinks), 0},
        {TRIGGER_SOCKET, "FileDescriptorName", parse_descriptor_name, FIELD(descriptor_name), 0},
        {TRIGGER_SOCKET, "KeepAlive", parse_flag, FIELD(keep_alive), 0},
        {TRIGGER_SOCKET, "NoDelay", parse_flag, FIELD(no_delay), 0},
        {TRIGGER_SOCKET, "ReusePort", parse_flag, FIELD(reuse_port), 0},
        {TRIGGER_SOCKET, "FreeBind", parse_flag, FIELD(free_bind), 0},
        {TRIGGER_SOCKET, "PassCredentials", parse_flag, FIELD(pass_credentials), 0},
        {TRIGGER_SOCKET, "BindIPv6Only", parse_ipv6_only, 0, 0},
        {TRIGGER_SOCKET, "ReceiveBuffer", parse_size, FIELD(receive_buffer), 0},
        {TRIGGER_SOCKET, "SendBuffer", parse_size, FIELD(send_buffer), 0},
        {TRIGGER_SOCKET, "TriggerLimitIntervalSec", parse_span, FIELD(limit_interval), 0},
        {TRIGGER_SOCKET, "TriggerLimitBurst", parse_count, FIELD(limit_burst), 0},
        {TRIGGER_SOCKET, "Writable", parse_nothing, 0, 0},
        {TRIGGER_TIMER, "OnActiveSec", parse_timer, 0, TIMER_ON_ACTIVE},
        {TRIGGER_TIMER, "OnBootSec", parse_timer, 0, TIMER_ON_BOOT},
        {TRIGGER_TIMER, "OnStartupSec", parse_timer, 0, TIMER_ON_STARTUP},
        {TRIGGER_TIMER, "OnUnitActiveSec", parse_timer, 0, TIMER_ON_UNIT_ACTIVE},
        {TRIGGER_TIMER, "OnUnitInactiveSec", parse_timer, 0, TIMER_ON_UNIT_INACTIVE},
        {TRIGGER_TIMER, "OnCalendar", parse_timer, 0, TIMER_ON_CALENDAR},
        {TRIGGER_TIMER, "AccuracySec", parse_span, FIELD(accuracy), 0},
        {TRIGGER_TIMER, "RandomizedDelaySec", parse_span, FIELD(randomized_delay), 0},
        {TRIGGER_TIMER, "Persistent", parse_flag, FIELD(persistent), 0},
        {TRIGGER_TIMER, "RemainAfterElapse", parse_flag, FIELD(remain_after_elapse), 0},
        {TRIGGER_TIMER, "Unit", parse_unit, FIELD(unit), 0},
        {TRIGGER_TIMER, "WakeSystem", parse_nothing, 0, 1},
        {TRIGGER_PATH, "PathExists", parse_path, 0, PATH_EXISTS},
        {TRIGGER_PATH, "PathExistsGlob", parse_path, 0, PATH_EXISTS_GLOB},
        {TRIGGER_PATH, "PathChanged", parse_path, 0, PATH_CHANGED},
        {TRIGGER_PATH, "PathModified", parse_path, 0, PATH_MODIFIED},
        {TRIGGER_PATH, "DirectoryNotEmpty", parse_path, 0, PATH_NOT_EMPTY},
        {TRIGGER_PATH, "MakeDirectory", parse_flag, FIELD(make_directory), 0},
        {TRIGGER_PATH, "DirectoryMode", parse_mode, FIELD(directory_mode), 0},
        {TRIGGER_PATH, "TriggerLimitIntervalSec", parse_span, FIELD(limit_interval), 0},
        {TRIGGER_PATH, "TriggerLimitBurst", parse_count, FIELD(limit_burst), 0},
        {TRIGGER_PATH, "Unit", parse_unit, FIELD(unit), 0},
};

void trigger_options_deinit(TriggerOptions *options) {
        free(options->unit);
        clear_listens(options);
        free(options->user);
        free(options->group);
        string_list_deinit(&options->symlinks);
        free(options->descriptor_name);
        free(options->timers);
        clear_paths(options);
        unit_note_list_deinit(&options->notes);
        *options = (TriggerOptions){0};
}

bool trigger_kind_of(const char *unit, TriggerKind *ret) {
        static const char *const types[] = {
                [TRIGGER_SOCKET] = "socket", [TRIGGER_TIMER] = "timer", [TRIGGER_PATH] = "path"};
        Slice type = unit_name_split(slice_from(unit)).type;

        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (slice_equals(type, slice_from(types[i]))) {
                        *ret = (TriggerKind)i;
                        return true;
                }
        return false;
}

const char *trigger_kind_section(TriggerKind kind) {
        static const char *const sections[] = {
                [TRIGGER_SOCKET] = "Socket", [TRIGGER_TIMER] = "Timer", [TRIGGER_PATH] = "Path"};

        return sections[kind];
}

static const Row *find_row(TriggerKind kind, const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (rows[i].kind == kind && str_equals(rows[i].name, name))
                        return &rows[i];
        return NULL;
}

static int read_value(const char *raw, const SpecifierSource *source, Buffer *ret, Error *error) {
        _cleanup_buffer_ Buffer joined = BUFFER_INIT;
        int r = unitfile_join_value(raw, &joined);

        if (r < 0)
                return r;
        if (source)
                return specifier_expand(
                        (Slice){buffer_length(&joined) ? buffer_data(&joined) : "", buffer_length(&joined)}, source,
                        ret, error);
        return buffer_append(ret, buffer_data(&joined), buffer_length(&joined));
}

static int read_option(TriggerOptions *options, const UnitOption *option, const SpecifierSource *source) {
        const Row *row = find_row(options->kind, option->name);
        _cleanup_buffer_ Buffer value = BUFFER_INIT;
        Error why = ERROR_NONE;
        int r;

        if (!row)
                return unit_note_list_add(&options->notes, option->name_at,
                                          "%s= in [%s] is not known here and has no effect", option->name,
                                          trigger_kind_section(options->kind));
        r = read_value(option->value, source, &value, &why);
        if (r >= 0 && !buffer_string(&value))
                r = -ENOMEM;
        if (r >= 0)
                r = row->parse(options, row, buffer_string(&value), (char *)options + row->offset, &why);
        if (r >= 0 || r == -ENOMEM)
                return r;
        return unit_note_list_add(&options->notes, option->value_at, "%s= is ignored: %s", option->name, why.text);
}

static int verify_socket(const TriggerOptions *o, Error *error) {
        if (o->n_listens == 0)
                return error_set(error, -EINVAL,
                                 "the socket has no ListenStream=, ListenDatagram= or ListenSequentialPacket=");
        for (size_t i = 0; o->accept && i < o->n_listens; i++)
                if (o->listens[i].kind == LISTEN_DATAGRAM)
                        return error_set(error, -EINVAL, "Accept=yes is not possible with ListenDatagram=");
        if (o->accept && o->unit)
                return error_set(
                        error, -EINVAL,
                        "Service= is not possible with Accept=yes: the template of the socket's own name is used");
        if (o->accept && o->connections == 0)
                return error_set(error, -EINVAL, "MaxConnections=0 would let nobody in");
        if (o->symlinks.length > 0 && (o->n_listens != 1 || o->listens[0].family != LISTEN_UNIX))
                return error_set(error, -EINVAL, "Symlinks= needs exactly one listening path");
        return 0;
}

static int verify(const TriggerOptions *o, Error *error) {
        if (o->kind == TRIGGER_SOCKET)
                return verify_socket(o, error);
        if (o->kind == TRIGGER_TIMER && o->n_timers == 0)
                return error_set(error, -EINVAL,
                                 "the timer has no OnActiveSec=, OnBootSec=, OnStartupSec=, OnUnitActiveSec=, "
                                 "OnUnitInactiveSec= or OnCalendar=");
        if (o->kind == TRIGGER_PATH && o->n_paths == 0)
                return error_set(error, -EINVAL,
                                 "the path has no PathExists=, PathExistsGlob=, PathChanged=, PathModified= or "
                                 "DirectoryNotEmpty=");
        return 0;
}

/* backup.timer → backup.service; with Accept=yes echo.socket → echo@.service */
static char *default_unit(const char *unit, bool accept) {
        UnitName name = unit_name_split(slice_from(unit));

        return str_printf("%.*s%s.service", (int)name.stem.length, name.stem.data, accept ? "@" : "");
}

int trigger_options_read(const UnitFile *file, const char *unit, const SpecifierSource *source, TriggerOptions *ret,
                         Error *error) {
        _cleanup_trigger_options_ TriggerOptions options = {
                .limit_interval = 2 * USEC_PER_SEC,
                .limit_burst = UINT64_MAX,
                .backlog = SOCKET_BACKLOG_DEFAULT,
                .connections = SOCKET_CONNECTIONS_DEFAULT,
                .socket_mode = 0666,
                .directory_mode = 0755,
                .accuracy = TIMER_ACCURACY_DEFAULT,
                .remain_after_elapse = true,
        };
        int r;

        if (!trigger_kind_of(unit, &options.kind))
                return error_set(error, -EINVAL, "%s is no socket, timer or path", unit);
        for (size_t i = 0; i < file->n_options; i++) {
                if (!str_equals(unitfile_section_name(file, &file->options[i]), trigger_kind_section(options.kind)))
                        continue;
                r = read_option(&options, &file->options[i], source);
                if (r < 0)
                        return error_set_errno(error, r, "cannot read %s", unit);
        }
        r = verify(&options, error);
        if (r < 0)
                return r;
        if (options.limit_burst == UINT64_MAX)
                options.limit_burst = options.accept || options.kind == TRIGGER_PATH ? 200 : 20;
        if (!options.unit && !(options.unit = default_unit(unit, options.accept)))
                return no_memory(error);
        *ret = options;
        options = (TriggerOptions){0};
        return 0;
}
