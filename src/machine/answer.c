#include "machine/answer.h"

#include "base/json-write.h"

#define JSON_TYPE "Content-Type: application/json\r\n"

void answer_json(HttpRequest *request, Buffer *body) {
        (void)buffer_append_byte(body, '\n');
        if (buffer_failed(body))
                http_respond_text(request, 500, "out of memory\n");
        else
                http_respond(request, 200, JSON_TYPE, (Slice){buffer_data(body), buffer_length(body)});
}

void answer_empty(HttpRequest *request) {
        http_respond(request, 200, JSON_TYPE, slice_from("{}\n"));
}

void answer_error(HttpRequest *request, unsigned status, const char *message) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_key(&json, "error");
        json_begin_object(&json);
        json_field_u64(&json, "code", status);
        json_field_string(&json, "message", message);
        json_end_object(&json);
        json_end_object(&json);
        http_respond(request, status, JSON_TYPE, (Slice){buffer_data(&body), buffer_length(&body)});
}
