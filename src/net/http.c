#include "net/http.h"

#include <strings.h>

static const char *const method_names[] = {
        [HTTP_METHOD_GET] = "GET",     [HTTP_METHOD_HEAD] = "HEAD",     [HTTP_METHOD_PUT] = "PUT",
        [HTTP_METHOD_POST] = "POST",   [HTTP_METHOD_DELETE] = "DELETE", [HTTP_METHOD_PATCH] = "PATCH",
        [HTTP_METHOD_OPTIONS] = "OPTIONS", [HTTP_METHOD_OTHER] = "",
};

const char *http_method_name(HttpMethod method) {
        return method_names[method];
}

const char *http_status_text(unsigned status) {
        static const struct {
                unsigned status;
                const char *text;
        } texts[] = {
                {100, "Continue"}, {101, "Switching Protocols"}, {200, "OK"}, {201, "Created"}, {202, "Accepted"},
                {204, "No Content"}, {206, "Partial Content"}, {301, "Moved Permanently"}, {302, "Found"},
                {304, "Not Modified"}, {307, "Temporary Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"},
                {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {406, "Not Acceptable"},
                {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"},
                {412, "Precondition Failed"}, {413, "Request Entity Too Large"}, {414, "Request URI Too Long"},
                {415, "Unsupported Media Type"}, {416, "Requested Range Not Satisfiable"}, {417, "Expectation Failed"},
                {421, "Misdirected Request"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
                {503, "Service Unavailable"}, {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"},
                {507, "Insufficient Storage"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (texts[i].status == status)
                        return texts[i].text;
        return "Unknown";
}

void http_head_deinit(HttpHead *head) {
        buffer_deinit(&head->bytes);
        free(head->fields);
        *head = (HttpHead){.bytes = head->bytes};
}

void http_head_clear(HttpHead *head) {
        buffer_clear(&head->bytes);
        head->length = 0;
        head->target_length = 0;
}

Slice http_head_name(const HttpHead *head, size_t index) {
        const HttpField *field = &head->fields[index];

        return (Slice){buffer_data(&head->bytes) + field->name_at, field->name_length};
}

Slice http_head_value(const HttpHead *head, size_t index) {
        const HttpField *field = &head->fields[index];

        return (Slice){buffer_data(&head->bytes) + field->value_at, field->value_length};
}

static bool http_name_equals(Slice name, const char *wanted) {
        return name.length == strlen(wanted) && strncasecmp(name.data, wanted, name.length) == 0;
}

Slice http_head_get(const HttpHead *head, const char *name) {
        for (size_t i = 0; i < head->length; i++)
                if (http_name_equals(http_head_name(head, i), name))
                        return http_head_value(head, i);
        return (Slice){NULL, 0};
}

bool http_head_has_token(const HttpHead *head, const char *name, const char *token) {
        for (size_t i = 0; i < head->length; i++) {
                Slice rest, part;

                if (!http_name_equals(http_head_name(head, i), name))
                        continue;
                rest = http_head_value(head, i);
                while (slice_split(&rest, ',', &part))
                        if (http_name_equals(slice_trim(part), token))
                                return true;
        }
        return false;
}
