#pragma once
/* A request that a verb waits for, while the loop goes on with all else that is under way. */
#include <jansson.h>
#include <uv.h>

#include "net/http-client.h"

/* What came back. Owns its parts. */
typedef struct CliAnswer {
        unsigned status;
        char *body;   /* NUL-terminated */
        json_t *json; /* NULL: the body is none */
} CliAnswer;

void cli_answer_deinit(CliAnswer *answer);
#define _cleanup_cli_answer_ _cleanup_(cli_answer_deinit)

/* 0 with any status; -errno with `error`: nobody answered. */
int cli_request(uv_loop_t *loop, HttpClient *http, const HttpCallSpec *spec, CliAnswer *ret, Error *error);

/* What this side shows of itself, and whom it believes, at https:// addresses. */
typedef struct CliTls {
        char *cert_file, *key_file; /* as options give them; owned */
        char *ca_file;              /* NULL: the system's authorities */
        TlsContext *context;
} CliTls;

/* Makes the context. Errors with `error`. */
int cli_tls_open(CliTls *tls, Error *error);

/* Once the loop has ended. */
void cli_tls_deinit(CliTls *tls);

/* A member of an object as text; "" when it is none. Borrowed. */
static inline const char *cli_text(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key)) ?: "";
}
