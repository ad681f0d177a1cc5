#include "host/unit-record.h"

#include <errno.h>
#include <sys/wait.h>

static const char version_line[] = "faering-unit 1";

typedef enum FieldKind {
        FIELD_BOOL,
        FIELD_U64, /* also times */
        FIELD_INT,
        FIELD_SIZE,
        FIELD_SERVICE_STATE,
        FIELD_SERVICE_RESULT,
        FIELD_TRIGGER_STATE,
        FIELD_TRIGGER_RESULT,
        FIELD_LIST,
        FIELD_STRING,
} FieldKind;

typedef struct Field {
        const char *name;
        FieldKind kind;
        size_t offset, size;
} Field;

_Static_assert(sizeof(size_t) == sizeof(uint64_t) && sizeof(pid_t) == sizeof(int), "fields are read and written by their kind");

#define FIELD(name, kind, member) {name, kind, offsetof(UnitRecord, member), sizeof(((UnitRecord *)0)->member)}

/* Those that are zero are left out. */
static const Field fields[] = {
        FIELD("boot", FIELD_STRING, boot),
        FIELD("run", FIELD_STRING, run),
        FIELD("asked", FIELD_BOOL, start_asked),
        FIELD("queued", FIELD_BOOL, queued),
        FIELD("listener", FIELD_STRING, listener),
        FIELD("active", FIELD_STRING, active),
        FIELD("since", FIELD_U64, since),
        FIELD("active-at", FIELD_U64, active_at),
        FIELD("inactive-at", FIELD_U64, inactive_at),
        FIELD("text", FIELD_STRING, text),
        FIELD("main", FIELD_INT, main_pid),
        FIELD("control", FIELD_INT, control_pid),
        FIELD("control-list", FIELD_LIST, control_list),
        FIELD("service", FIELD_SERVICE_STATE, service.state),
        FIELD("service-result", FIELD_SERVICE_RESULT, service.result),
        FIELD("control-alive", FIELD_BOOL, service.control_alive),
        FIELD("control-index", FIELD_SIZE, service.control_index),
        FIELD("main-alive", FIELD_BOOL, service.main_alive),
        FIELD("main-known", FIELD_BOOL, service.main_known),
        FIELD("main-index", FIELD_SIZE, service.main_index),
        FIELD("main-ended", FIELD_BOOL, service.main_ended),
        FIELD("main-code", FIELD_INT, service.main_code),
        FIELD("main-status", FIELD_INT, service.main_status),
        FIELD("group-empty", FIELD_BOOL, service.group_empty),
        FIELD("forbid-restart", FIELD_BOOL, service.forbid_restart),
        FIELD("start-pending", FIELD_BOOL, service.start_pending),
        FIELD("waits-for-pid-file", FIELD_BOOL, service.waits_for_pid_file),
        FIELD("deadline", FIELD_U64, service.deadline),
        FIELD("watchdog", FIELD_U64, service.watchdog),
        FIELD("restarts", FIELD_U64, service.restarts),
        FIELD("limit-begin", FIELD_U64, service.limit_begin),
        FIELD("limit-count", FIELD_U64, service.limit_count),
        FIELD("reload-failed", FIELD_BOOL, service.reload_failed),
        FIELD("trigger", FIELD_TRIGGER_STATE, trigger.state),
        FIELD("trigger-result", FIELD_TRIGGER_RESULT, trigger.result),
        FIELD("trigger-activated", FIELD_U64, trigger.activated),
        FIELD("trigger-activated-wall", FIELD_U64, trigger.activated_wall),
        FIELD("trigger-last", FIELD_U64, trigger.last),
        FIELD("trigger-last-wall", FIELD_U64, trigger.last_wall),
        FIELD("trigger-next", FIELD_U64, trigger.next),
        FIELD("trigger-next-wall", FIELD_U64, trigger.next_wall),
        FIELD("trigger-done", FIELD_U64, trigger.done),
        FIELD("trigger-delay", FIELD_U64, trigger.delay),
        FIELD("trigger-limit-begin", FIELD_U64, trigger.limit_begin),
        FIELD("trigger-limit-count", FIELD_U64, trigger.limit_count),
};

static const char *const list_words[UNIT_RECORD_LISTS] = {"none", "start-pre", "start", "start-post", "reload", "stop", "stop-post"};

static const char *service_state_word(int i) {
        return service_state_to_string((ServiceState)i);
}

static const char *service_result_word(int i) {
        return service_result_to_string((ServiceResult)i);
}

static const char *trigger_state_word(int i) {
        return trigger_state_to_string(TRIGGER_TIMER, (TriggerState)i);
}

static const char *trigger_result_word(int i) {
        return trigger_result_to_string(TRIGGER_TIMER, (TriggerResult)i);
}

static const char *list_word(int i) {
        return list_words[i];
}

/* The words of a kind, or NULL if it has none. */
static const char *(*words_of(FieldKind kind, int *ret_n))(int) {
        switch (kind) {
        case FIELD_SERVICE_STATE:
                *ret_n = SERVICE_STATES;
                return service_state_word;
        case FIELD_SERVICE_RESULT:
                *ret_n = SERVICE_RESULT_START_LIMIT_HIT + 1;
                return service_result_word;
        case FIELD_TRIGGER_STATE:
                *ret_n = TRIGGER_STATES;
                return trigger_state_word;
        case FIELD_TRIGGER_RESULT:
                *ret_n = TRIGGER_RESULT_START_LIMIT_HIT + 1;
                return trigger_result_word;
        case FIELD_LIST:
                *ret_n = UNIT_RECORD_LISTS;
                return list_word;
        default:
                return NULL;
        }
}

/* ---- writing ---- */

static bool is_zero(const char *bytes, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (bytes[i] != 0)
                        return false;
        return true;
}

/* A string keeps to its line. */
static int write_string(const char *string, Buffer *to) {
        for (; *string; string++)
                if (buffer_append_byte(to, *string == '\n' ? ' ' : *string) < 0)
                        return -ENOMEM;
        return 0;
}

static int write_value(const Field *field, const char *at, Buffer *to) {
        const char *(*words)(int);
        uint64_t number = 0;
        int value = 0, n;

        words = words_of(field->kind, &n);
        if (field->kind == FIELD_STRING)
                return write_string(at, to);
        if (field->kind == FIELD_BOOL)
                return buffer_append_string(to, "yes");
        if (field->kind == FIELD_U64 || field->kind == FIELD_SIZE) {
                memcpy(&number, at, sizeof(number));
                return buffer_append_u64(to, number);
        }
        memcpy(&value, at, sizeof(value));
        return words ? buffer_append_string(to, words(value)) : buffer_append_u64(to, (uint64_t)value);
}

static int write_field(const UnitRecord *record, const Field *field, Buffer *to) {
        const char *at = (const char *)record + field->offset;
        int r;

        if (field->kind == FIELD_STRING ? *at == '\0' : is_zero(at, field->size))
                return 0;
        r = buffer_printf(to, "%s ", field->name);
        if (r >= 0)
                r = write_value(field, at, to);
        return r < 0 ? r : buffer_append_byte(to, '\n');
}

int unit_record_write(const UnitRecord *record, Buffer *to) {
        int r = buffer_printf(to, "%s\n", version_line);

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(fields); i++)
                r = write_field(record, &fields[i], to);
        for (size_t i = 0; r >= 0 && i < record->n_shims; i++)
                r = buffer_printf(to, "shim %llu\n", (unsigned long long)record->shims[i]);
        for (size_t i = 0; r >= 0 && i < record->n_sessions; i++)
                r = buffer_printf(to, "session %d\n", record->sessions[i]);
        return r < 0 ? r : buffer_append_string(to, "end\n"); /* else it is torn */
}

/* ---- reading ---- */

static int read_word(FieldKind kind, Slice text, int *ret) {
        const char *(*words)(int);
        int n = 0;

        words = words_of(kind, &n);
        for (int i = 0; words && i < n; i++)
                if (slice_equals(text, slice_from(words(i)))) {
                        *ret = i;
                        return 0;
                }
        return -EBADMSG;
}

static int read_string(Slice text, char *at, size_t size) {
        if (text.length >= size || memchr(text.data, '\0', text.length))
                return -EBADMSG;
        memcpy(at, text.data, text.length);
        at[text.length] = '\0';
        return 0;
}

static int read_value(const Field *field, Slice text, char *at) {
        bool yes = slice_equals(text, slice_from("yes"));
        uint64_t number = 0;
        int value = 0, r = 0;

        switch (field->kind) {
        case FIELD_STRING:
                return read_string(text, at, field->size);
        case FIELD_BOOL:
                memcpy(at, &yes, sizeof(yes));
                return yes ? 0 : -EBADMSG;
        case FIELD_U64:
        case FIELD_SIZE:
                r = str_parse_u64(text, UINT64_MAX, &number);
                memcpy(at, &number, sizeof(number));
                return r;
        case FIELD_INT:
                r = str_parse_u64(text, INT32_MAX, &number);
                value = (int)number;
                break;
        default:
                r = read_word(field->kind, text, &value);
                break;
        }
        memcpy(at, &value, sizeof(value));
        return r;
}

static int read_line(Slice line, UnitRecord *record) {
        Slice rest = line, name;
        uint64_t number;

        if (!slice_split(&rest, ' ', &name) || !rest.data)
                return -EBADMSG;
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (slice_equals(name, slice_from(fields[i].name)))
                        return read_value(&fields[i], rest, (char *)record + fields[i].offset);
        if (str_parse_u64(rest, UINT64_MAX, &number) < 0)
                return -EBADMSG;
        if (slice_equals(name, slice_from("shim")) && record->n_shims < UNIT_RECORD_SHIMS_MAX)
                record->shims[record->n_shims++] = number;
        else if (slice_equals(name, slice_from("session")) && record->n_sessions < UNIT_RECORD_SHIMS_MAX && number <= INT32_MAX)
                record->sessions[record->n_sessions++] = (pid_t)number;
        else
                return -EBADMSG;
        return 0;
}

int unit_record_read(Slice text, UnitRecord *ret, Error *error) {
        bool whole = false;
        unsigned number = 0;
        Slice line;

        *ret = (UnitRecord){0};
        if (text.length > UNIT_RECORD_TEXT_MAX)
                return error_set(error, -EBADMSG, "it is longer than %zu bytes", UNIT_RECORD_TEXT_MAX);
        while (text.data && !whole && slice_split(&text, '\n', &line)) {
                int r = 0;

                if (++number == 1)
                        r = slice_equals(line, slice_from(version_line)) ? 0 : -EBADMSG;
                else if (slice_equals(line, slice_from("end")))
                        whole = true;
                else
                        r = read_line(line, ret);
                if (r < 0)
                        return error_set(error, -EBADMSG, "line %u, \"%.*s\", is none of this version", number,
                                         (int)min_of(line.length, (size_t)80), line.data);
        }
        return whole ? 0 : error_set(error, -EBADMSG, "it has no end");
}
