#include "cli/store-target.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/buffer.h"

/* ---- encoding as Go's net/url has it ---- */

static bool is_plain(unsigned char c, const char *more) {
        return c && (isalnum(c) || strchr("-_.~", c) || strchr(more, c));
}

static void append_encoded(Buffer *buffer, Slice text, const char *more, bool space_is_plus) {
        for (size_t i = 0; i < text.length; i++) {
                unsigned char c = (unsigned char)text.data[i];

                if (is_plain(c, more))
                        (void)buffer_append_byte(buffer, (char)c);
                else if (c == ' ' && space_is_plus)
                        (void)buffer_append_byte(buffer, '+');
                else
                        (void)buffer_printf(buffer, "%%%02X", c);
        }
}

static void append_path(Buffer *buffer, const char *path) {
        append_encoded(buffer, slice_from(path), "$&+,/:;=@", false);
}

static void append_pair(Buffer *query, const char *name, const char *value) {
        (void)buffer_printf(query, "%s%s=", buffer_length(query) ? "&" : "", name);
        append_encoded(query, slice_from(value), "", true);
}

static void append_number(Buffer *query, const char *name, uint64_t value) {
        (void)buffer_printf(query, "%s%s=%" PRIu64, buffer_length(query) ? "&" : "", name, value);
}

static void append_bool(Buffer *query, const char *name, bool value) {
        append_pair(query, name, value ? "true" : "false");
}

/* ---- paths ---- */

/* The last part goes, for a "..". */
static void drop_part(Buffer *path) {
        const char *text = buffer_data(path);
        size_t length = buffer_length(path);

        while (length > 0 && text[length - 1] != '/')
                length--;
        buffer_truncate(path, length > 0 ? length - 1 : 0);
}

char *store_target_clean(const char *path) {
        _cleanup_buffer_ Buffer clean = BUFFER_INIT;
        Slice rest = slice_from(path), part;
        bool slash = path[0] && path[strlen(path) - 1] == '/';

        while (slice_split(&rest, '/', &part)) {
                if (part.length == 0 || slice_equals(part, slice_from(".")))
                        continue;
                if (slice_equals(part, slice_from(".."))) {
                        drop_part(&clean);
                        continue;
                }
                (void)buffer_append_byte(&clean, '/');
                (void)buffer_append(&clean, part.data, part.length);
        }
        if (slash || buffer_length(&clean) == 0)
                (void)buffer_append_byte(&clean, '/');
        return buffer_steal_string(&clean, NULL);
}

char *store_target_join(const char *const *parts) {
        _cleanup_buffer_ Buffer joined = BUFFER_INIT, target = BUFFER_INIT;
        _cleanup_free_ char *clean = NULL;
        size_t length;

        for (; *parts; parts++)
                (void)buffer_printf(&joined, "/%s", *parts);
        if (buffer_failed(&joined) < 0 || !buffer_string(&joined))
                return NULL;
        clean = store_target_clean(buffer_string(&joined));
        if (!clean)
                return NULL;
        length = strlen(clean);
        if (length > 1 && clean[length - 1] == '/')
                clean[length - 1] = '\0';
        append_path(&target, clean);
        return buffer_steal_string(&target, NULL);
}

/* ---- keys ---- */

/* In the order of the names, as Go sorts them. */
static void build_query(const StoreRequest *request, Buffer *query) {
        switch (request->verb) {
        case STORE_GET:
                append_bool(query, "quorum", request->quorum);
                append_bool(query, "recursive", request->recursive);
                append_bool(query, "sorted", request->sorted);
                return;
        case STORE_WATCH:
                append_bool(query, "recursive", request->recursive);
                append_bool(query, "wait", true);
                append_number(query, "waitIndex", request->wait_index);
                return;
        case STORE_CREATE_IN_ORDER:
                return;
        case STORE_SET:
        case STORE_DELETE:
        default:
                break;
        }
        if (request->dir)
                append_bool(query, "dir", true);
        if (request->exist != STORE_EXIST_ANY)
                append_bool(query, "prevExist", request->exist == STORE_EXIST_MUST);
        if (request->prev_index)
                append_number(query, "prevIndex", request->prev_index);
        if (request->prev_value)
                append_pair(query, "prevValue", request->prev_value);
        if (request->recursive)
                append_bool(query, "recursive", true);
}

char *store_target_keys(const StoreRequest *request) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT, query = BUFFER_INIT;
        _cleanup_free_ char *path = str_printf("/v2/keys/%s", request->key), *clean = NULL;

        if (path)
                clean = store_target_clean(path);
        if (!clean)
                return NULL;
        append_path(&target, clean);
        build_query(request, &query);
        if (buffer_length(&query) > 0)
                (void)buffer_printf(&target, "?%.*s", (int)buffer_length(&query), buffer_data(&query));
        return buffer_failed(&query) < 0 ? NULL : buffer_steal_string(&target, NULL);
}

char *store_target_form(const StoreRequest *request) {
        _cleanup_buffer_ Buffer form = BUFFER_INIT;
        char *text;

        if (request->has_ttl)
                append_number(&form, "ttl", request->ttl);
        if (request->value)
                append_pair(&form, "value", request->value);
        if (buffer_failed(&form) < 0)
                return NULL;
        text = buffer_steal_string(&form, NULL);
        return text ?: strdup("");
}
