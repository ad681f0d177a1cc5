#include "store/api/keys-request.h"

#include <errno.h>

#include "store/api/form.h"
#include "store/tree/path.h"
#include "store/tree/tree.h"

void keys_request_deinit(KeysRequest *request) {
        buffer_deinit(&request->text);
        *request = (KeysRequest){0};
}

/* Go's path.Clean() of an absolute path: appends it without "//", "." and "..", and without a slash at the end. */
static int append_clean(Slice path, Buffer *clean) {
        size_t start = buffer_length(clean);
        Slice rest = path, name;

        while (slice_split(&rest, '/', &name)) {
                if (name.length == 0 || slice_equals(name, slice_from(".")))
                        continue;
                if (slice_equals(name, slice_from(".."))) {
                        size_t length = buffer_length(clean);

                        while (length > start && buffer_data(clean)[length - 1] != '/')
                                length--;
                        buffer_truncate(clean, length > start ? length - 1 : start);
                        continue;
                }
                (void)buffer_append_byte(clean, '/');
                (void)buffer_append(clean, name.data, name.length);
        }
        if (buffer_length(clean) == start)
                (void)buffer_append_byte(clean, '/');
        return buffer_failed(clean);
}

int keys_clean_path(Slice path, Buffer *clean) {
        int r;

        r = append_clean(path, clean);
        if (r < 0)
                return r;
        if (path.length > 1 && path.data[path.length - 1] == '/' && buffer_length(clean) > 1)
                return buffer_append_byte(clean, '/');
        return 0;
}

static int keys_refuse(Buffer *cause, KeysCode code, const char *text) {
        int r = buffer_append_string(cause, text);

        return r < 0 ? r : (int)code;
}

/* etcd puts most names in quotes, but not all. */
static int keys_refuse_value(Buffer *cause, KeysCode code, FormField field, const char *quote) {
        int r = buffer_printf(cause, "invalid value for %s%s%s", quote, form_field_name(field), quote);

        return r < 0 ? r : (int)code;
}

static int parse_form(const KeysInput *input, Form *form, Buffer *cause) {
        bool is_form = false;
        int r, result = 0;

        if (input->method == KEYS_PUT || input->method == KEYS_POST) {
                result = form_check_content_type(input->content_type, &is_form, cause);
                if (is_form && input->body.length > KEYS_FORM_MAX)
                        return keys_refuse(cause, KEYS_INVALID_FORM, "http: POST too large");
                if (is_form)
                        result = form_add(form, input->body, cause);
                if (result < 0)
                        return result;
        }
        r = form_add(form, input->query, cause);
        if (r < 0)
                return r;
        return r | result ? KEYS_INVALID_FORM : 0;
}

static int parse_index(const Form *form, FormField field, uint64_t *ret, Buffer *cause) {
        if (form->fields[field].present && str_parse_u64(form_get(form, field), UINT64_MAX, ret) < 0)
                return keys_refuse_value(cause, KEYS_INDEX_NOT_A_NUMBER, field, "\"");
        return 0;
}

static int parse_bool(const Form *form, FormField field, const char *quote, bool *ret, Buffer *cause) {
        if (form->fields[field].present && str_parse_bool(form_get(form, field), ret) < 0)
                return keys_refuse_value(cause, KEYS_INVALID_FIELD, field, quote);
        return 0;
}

/*
 * The expiry that `ttl` seconds from `now` come to. etcd counts nanoseconds in 64 bits, and what is too large wraps
 * around: a ttl of some centuries may expire at once there, and so it does here.
 */
static WallUsec ttl_to_expiry(WallUsec now, uint64_t ttl) {
        int64_t nanoseconds = (int64_t)((uint64_t)now * 1000 + ttl * 1000000000);

        return nanoseconds >= 0 ? nanoseconds / 1000 : (nanoseconds - 999) / 1000;
}

/* Parameters that mean the same with every method. */
static int parse_common(const Form *form, KeysRequest *request, bool *ret_dir, Buffer *cause) {
        const struct {
                FormField field;
                bool *value;
        } flags[] = {
                {FORM_RECURSIVE, &request->recursive}, {FORM_SORTED, &request->sorted}, {FORM_WAIT, &request->wait},
                {FORM_DIR, ret_dir},                   {FORM_QUORUM, &request->quorum}, {FORM_STREAM, &request->stream},
        };
        int r;

        r = parse_index(form, FORM_PREV_INDEX, &request->command.prev_index, cause);
        if (r == 0)
                r = parse_index(form, FORM_WAIT_INDEX, &request->wait_index, cause);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(flags); i++)
                r = parse_bool(form, flags[i].field, "\"", flags[i].value, cause);
        if (r != 0)
                return r;
        if (request->wait && request->method != KEYS_GET)
                return keys_refuse(cause, KEYS_INVALID_FIELD, "\"wait\" can only be used with GET requests");
        request->command.prev_value = form_get(form, FORM_PREV_VALUE);
        if (form->fields[FORM_PREV_VALUE].present && request->command.prev_value.length == 0)
                return keys_refuse(cause, KEYS_PREV_VALUE_REQUIRED, "\"prevValue\" cannot be empty");
        return parse_bool(form, FORM_NO_VALUE_ON_SUCCESS, "\"", &request->no_value_on_success, cause);
}

typedef struct Conditions {
        bool dir, has_prev_exist, prev_exist;
} Conditions;

static int parse_write(const Form *form, WallUsec now, KeysRequest *request, Conditions *conditions, Buffer *cause) {
        Command *command = &request->command;
        Slice ttl = form_get(form, FORM_TTL);
        uint64_t seconds;
        int r;

        if (ttl.length > 0) {
                if (str_parse_u64(ttl, UINT64_MAX, &seconds) < 0)
                        return keys_refuse_value(cause, KEYS_TTL_NOT_A_NUMBER, FORM_TTL, "\"");
                command->has_expiry = true;
                command->expiry = ttl_to_expiry(now, seconds);
        }
        conditions->has_prev_exist = form->fields[FORM_PREV_EXIST].present;
        r = parse_bool(form, FORM_PREV_EXIST, "", &conditions->prev_exist, cause);
        if (r == 0)
                r = parse_bool(form, FORM_REFRESH, "", &command->refresh, cause);
        if (r != 0)
                return r;
        command->value = form_get(form, FORM_VALUE);
        if (command->refresh && command->value.length > 0)
                return keys_refuse(cause, KEYS_REFRESH_VALUE, "A value was provided on a refresh");
        if (command->refresh && !command->has_expiry)
                return keys_refuse(cause, KEYS_REFRESH_TTL_REQUIRED, "No TTL value set");
        return 0;
}

static CommandKind choose_kind(const KeysRequest *request, const Conditions *conditions) {
        bool compares = request->command.prev_index > 0 || request->command.prev_value.length > 0;

        if (request->method == KEYS_DELETE)
                return compares ? COMMAND_COMPARE_AND_DELETE : COMMAND_DELETE;
        if (request->method == KEYS_POST || (conditions->has_prev_exist && !conditions->prev_exist))
                return COMMAND_CREATE;
        if (compares)
                return COMMAND_COMPARE_AND_SWAP;
        return conditions->has_prev_exist ? COMMAND_UPDATE : COMMAND_SET;
}

/* Drops the parameters that the chosen kind does not know: etcd ignores them. */
static void make_command(KeysRequest *request, const Conditions *conditions, WallUsec now) {
        Command given = request->command;
        Command *command = &request->command;
        CommandKind kind = choose_kind(request, conditions);
        bool makes = kind == COMMAND_SET || kind == COMMAND_CREATE;
        bool compares = kind == COMMAND_COMPARE_AND_SWAP || kind == COMMAND_COMPARE_AND_DELETE;
        bool writes = makes || kind == COMMAND_UPDATE || kind == COMMAND_COMPARE_AND_SWAP;

        *command = (Command){.kind = kind, .time = now, .path = request->path};
        command->dir = conditions->dir && (makes || kind == COMMAND_DELETE);
        command->recursive = request->recursive && kind == COMMAND_DELETE;
        command->unique = request->method == KEYS_POST;
        command->refresh = given.refresh && writes && kind != COMMAND_CREATE;
        if (compares) {
                command->prev_value = given.prev_value;
                command->prev_index = given.prev_index;
        }
        if (writes && given.has_expiry) {
                command->has_expiry = true;
                command->expiry = given.expiry;
        }
        if (writes && !command->dir)
                command->value = given.value;
}

/* The internal path behind the form's values, so that one buffer holds all. */
static int make_path(const KeysInput *input, KeysRequest *request, size_t *ret_at) {
        int r;

        *ret_at = buffer_length(&request->text);
        (void)buffer_append_string(&request->text, TREE_KEYS);
        r = append_clean(input->path, &request->text);
        if (r < 0)
                return r;
        /* the root of the keys has no slash at its end */
        if (buffer_length(&request->text) - *ret_at == sizeof(TREE_KEYS))
                buffer_truncate(&request->text, buffer_length(&request->text) - 1);
        return 0;
}

static int check_path(const KeysRequest *request, Buffer *cause) {
        PathFault fault = request->method == KEYS_POST ? path_check_unique(request->path) : path_check(request->path);

        return fault == PATH_OK ? 0 : keys_refuse(cause, KEYS_INVALID_FIELD, path_fault_text(fault));
}

int keys_request_parse(const KeysInput *input, KeysRequest *ret_request, Buffer *cause) {
        Form form = {0};
        Conditions conditions = {0};
        size_t path_at = 0;
        int r;

        *ret_request = (KeysRequest){.method = input->method};
        r = parse_form(input, &form, cause);
        /* from here on the request has the form's text, and the form borrows it */
        ret_request->text = form.text;
        if (r != 0)
                return r;
        r = make_path(input, ret_request, &path_at);
        form.text = ret_request->text;
        if (r < 0)
                return r;
        ret_request->path = (Slice){buffer_data(&form.text) + path_at, buffer_length(&form.text) - path_at};

        r = parse_common(&form, ret_request, &conditions.dir, cause);
        if (r == 0)
                r = parse_write(&form, input->now, ret_request, &conditions, cause);
        if (r == 0)
                r = check_path(ret_request, cause);
        if (r == 0 && input->method >= KEYS_PUT)
                make_command(ret_request, &conditions, input->now);
        return r;
}
