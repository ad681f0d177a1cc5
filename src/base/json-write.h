#pragma once
/*
 * Writes JSON text straight into a Buffer. Commas and quotes are its work; the order of calls is the caller's. Failures
 * of the buffer are remembered there: check buffer_failed() once at the end.
 *
 *     JsonWriter w = json_writer(&buffer);
 *     json_begin_object(&w);
 *     json_key(&w, "name"); json_write_string(&w, slice_from("x"));
 *     json_end_object(&w);
 */
#include "base/buffer.h"
#include "base/str.h"

typedef struct JsonWriter {
        Buffer *buffer;
        bool comma; /* the next key or value needs one before it */
} JsonWriter;

static inline JsonWriter json_writer(Buffer *buffer) {
        return (JsonWriter){.buffer = buffer};
}

void json_begin_object(JsonWriter *writer);
void json_end_object(JsonWriter *writer);
void json_begin_array(JsonWriter *writer);
void json_end_array(JsonWriter *writer);
void json_key(JsonWriter *writer, const char *key);

/* Escapes as Go's encoding/json does (also < > & U+2028 U+2029); bytes that are not UTF-8 become U+FFFD. */
void json_write_string(JsonWriter *writer, Slice text);
void json_write_u64(JsonWriter *writer, uint64_t value);
void json_write_i64(JsonWriter *writer, int64_t value);
void json_write_double(JsonWriter *writer, double value); /* 0 when not finite */
void json_write_bool(JsonWriter *writer, bool value);
void json_write_null(JsonWriter *writer);

/* A value that is JSON text already. */
void json_write_raw(JsonWriter *writer, Slice json);

/* key and value in one call */
void json_field_string(JsonWriter *writer, const char *key, const char *text);
void json_field_slice(JsonWriter *writer, const char *key, Slice text);
void json_field_u64(JsonWriter *writer, const char *key, uint64_t value);
void json_field_i64(JsonWriter *writer, const char *key, int64_t value);
void json_field_hex(JsonWriter *writer, const char *key, uint64_t value); /* a string: ids are written so */
void json_field_bool(JsonWriter *writer, const char *key, bool value);
void json_field_strings(JsonWriter *writer, const char *key, const StringList *strings); /* an array */
