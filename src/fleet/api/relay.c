/* What only another machine can tell: its daemon is asked, and what it answers goes to the client as it comes. */
#include "fleet/api/handlers.h"

enum { CONNECT_MSEC = 2000, HEAD_MSEC = 5000, SILENCE_MSEC = 3 * FLEET_LOG_BEAT_MSEC, TYPE_MAX = 100 };

typedef struct Relay {
        HttpRequest *request;
        HttpCall *call;
        char *machine; /* for complaints */
        bool begun;    /* the head of the answer is out */
} Relay;

static void relay_free(Relay *relay) {
        free(relay->machine);
        free(relay);
}

static void on_gone(HttpRequest *request) {
        Relay *relay = http_request_data(request);

        http_call_cancel(relay->call);
        relay_free(relay);
}

static void on_head(HttpCall *call) {
        Relay *relay = http_call_userdata(call);
        _cleanup_buffer_ Buffer headers = BUFFER_INIT;
        Slice type;

        if (http_call_status(call) != 200)
                return;
        type = http_call_header(call, "content-type");
        (void)buffer_printf(&headers, "Content-Type: %.*s\r\n", (int)min_of(type.length, (size_t)TYPE_MAX),
                            type.data ?: "");
        relay->begun = true;
        http_respond_begin(relay->request, 200, buffer_string(&headers) ?: "", UINT64_MAX);
}

/* A client that does not read is cut off by the server, and on_gone() ends the call. */
static void on_body(HttpCall *call, Slice bytes) {
        Relay *relay = http_call_userdata(call);

        if (relay->begun)
                (void)http_respond_write(relay->request, bytes);
}

static void on_done(HttpCall *call, int r, const Error *error) {
        Relay *relay = http_call_userdata(call);
        HttpRequest *request = relay->request;
        _cleanup_free_ char *message = NULL;

        http_request_set_gone(request, NULL, false);
        if (relay->begun && r >= 0)
                http_respond_end(request);
        else if (relay->begun)
                http_respond_abort(request);
        else {
                message = r < 0 ? str_printf("machine %s does not answer: %s", relay->machine, error->text)
                                : str_printf("machine %s answers %u", relay->machine, http_call_status(call));
                fleet_fail(request, 502, message ?: "");
        }
        relay_free(relay);
}

static const HttpCallOps relay_ops = {.head = on_head, .body = on_body, .done = on_done};

static int relay_start(FleetApi *api, Relay *relay, const Url *url, const FleetRelay *asked) {
        const HttpCallSpec spec = {
                .url = url,
                .method = asked->method,
                .target = asked->target,
                .headers = asked->body.data ? "Content-Type: application/json\r\n" : NULL,
                .body = asked->body,
                .connect_timeout = CONNECT_MSEC * USEC_PER_MSEC,
                .head_timeout = HEAD_MSEC * USEC_PER_MSEC,
                .idle_timeout = SILENCE_MSEC * USEC_PER_MSEC,
        };

        return http_client_call(api->http, &spec, &relay_ops, relay, &relay->call);
}

void fleet_relay(FleetApi *api, HttpRequest *request, const RegistryMachine *machine, const FleetRelay *asked) {
        _cleanup_free_ char *refusal = NULL;
        Error error = ERROR_NONE;
        Relay *relay;
        Url url;

        if (!machine->present || !machine->record.logs || !*machine->record.logs) {
                refusal = str_printf(
                        machine->present ? "%s on machine %s, whose daemon serves it to no other: give it --serve-logs "
                                           "(FLEET_SERVE_LOGS) or certificates, or ask there"
                                         : "%s on machine %s, which is gone",
                        asked->what, machine->id);
                fleet_fail(request, 502, refusal ?: "");
                return;
        }
        if (url_parse(machine->record.logs, 0, &url, &error) < 0) {
                fleet_fail(request, 502, error.text);
                return;
        }
        relay = calloc(1, sizeof(*relay));
        if (relay)
                *relay = (Relay){.request = request, .machine = strdup(machine->id)};
        if (!relay || !relay->machine || relay_start(api, relay, &url, asked) < 0) {
                if (relay)
                        relay_free(relay);
                fleet_fail(request, 500, "out of memory");
                return;
        }
        http_request_set_data(request, relay);
        http_request_set_gone(request, on_gone, true);
}
