#include "cli/request.h"

#include <errno.h>

typedef struct Await {
        bool done;
        int r;
        unsigned status;
        char *body;
        Error error;
} Await;

static void on_done(HttpCall *call, int r, const Error *error) {
        Await *await = http_call_userdata(call);

        await->done = true;
        await->r = r;
        await->error = *error;
        await->status = http_call_status(call);
        await->body = r < 0 ? NULL : slice_dup(http_call_body(call));
}

static const HttpCallOps call_ops = {.done = on_done};

void cli_answer_deinit(CliAnswer *answer) {
        free(answer->body);
        json_decref(answer->json);
        *answer = (CliAnswer){0};
}

int cli_request(uv_loop_t *loop, HttpClient *http, const HttpCallSpec *spec, CliAnswer *ret, Error *error) {
        Await await = {0};
        int r;

        *ret = (CliAnswer){0};
        r = http_client_call(http, spec, &call_ops, &await, NULL);
        if (r < 0)
                return error_set_errno(error, r, "cannot send the request");
        while (!await.done)
                (void)uv_run(loop, UV_RUN_ONCE);
        if (await.r < 0)
                return error_set(error, await.r, "%s", await.error.text);
        if (!await.body)
                return error_set_errno(error, -ENOMEM, "cannot take the answer");
        *ret = (CliAnswer){.status = await.status, .body = await.body, .json = json_loads(await.body, 0, NULL)};
        return 0;
}

int cli_tls_open(CliTls *tls, Error *error) {
        const TlsSettings settings = {
                .cert_file = tls->cert_file,
                .key_file = tls->key_file,
                .ca_file = tls->ca_file,
                .ca_option = "--ca-file",
        };

        return tls_context_new(&settings, &tls->context, error);
}

void cli_tls_deinit(CliTls *tls) {
        tls->context = tls_context_free(tls->context);
        free(tls->cert_file);
        free(tls->key_file);
        free(tls->ca_file);
}
