/* Changes of many units, several of them under way at a time: each waits for the store, which takes them together. */
#include "cli/fleet.h"

enum { BATCH_UNDER_WAY_MAX = FLEET_CONNECTIONS };

typedef struct BatchItem {
        char *target;
        char *body; /* NULL: none */
} BatchItem;

struct FleetBatch {
        FleetGroup *group;
        const char *what;
        const char *method;
        BatchItem *items;
        size_t length;
        size_t next, under_way;
        int code; /* of the first that failed: no more are sent then */
};

FleetBatch *fleet_batch_new(FleetGroup *group, const char *what, const char *method) {
        FleetBatch *batch = calloc(1, sizeof(*batch));

        if (batch)
                *batch = (FleetBatch){.group = group, .what = what, .method = method};
        return batch;
}

FleetBatch *fleet_batch_free(FleetBatch *batch) {
        if (!batch)
                return NULL;
        for (size_t i = 0; i < batch->length; i++) {
                free(batch->items[i].target);
                free(batch->items[i].body);
        }
        free(batch->items);
        free(batch);
        return NULL;
}

int fleet_batch_add(FleetBatch *batch, const char *name, const char *body) {
        BatchItem *items = reallocarray(batch->items, batch->length + 1, sizeof(*items));
        BatchItem *item;

        if (!items)
                return CLI_FAILED;
        batch->items = items;
        item = &items[batch->length++];
        *item = (BatchItem){.target = fleet_unit_target("/fleet/v1/units", name), .body = body ? strdup(body) : NULL};
        return item->target && (item->body || !body) ? 0 : CLI_FAILED;
}

static void batch_fail(FleetBatch *batch, int code) {
        if (batch->code == 0)
                batch->code = code;
}

static void on_done(HttpCall *call, int r, const Error *error) {
        FleetBatch *batch = http_call_userdata(call);
        _cleanup_cli_answer_ CliAnswer answer = {0};

        batch->under_way--;
        if (r < 0) {
                if (batch->code == 0)
                        fleet_complain_unanswered(batch->group, error);
                batch_fail(batch, CLI_FAILED);
                return;
        }
        answer.status = http_call_status(call);
        if (answer.status < 400 || answer.status == 404)
                return;
        answer.body = slice_dup(http_call_body(call));
        answer.json = answer.body ? json_loads(answer.body, 0, NULL) : NULL;
        if (batch->code == 0)
                batch_fail(batch, fleet_complain_answer(batch->group, batch->what, &answer));
}

static const HttpCallOps batch_ops = {.done = on_done};

static void batch_send(FleetBatch *batch) {
        const BatchItem *item = &batch->items[batch->next++];
        const HttpCallSpec spec = {
                .url = &batch->group->endpoint,
                .method = batch->method,
                .target = item->target,
                .headers = item->body ? "Content-Type: application/json\r\n" : NULL,
                .body = item->body ? slice_from(item->body) : (Slice){NULL, 0},
                .head_timeout = batch->group->request_timeout,
        };

        if (http_client_call(batch->group->http, &spec, &batch_ops, batch, NULL) >= 0)
                batch->under_way++;
        else
                batch_fail(batch, CLI_FAILED);
}

int fleet_batch_run(FleetBatch *batch) {
        while (batch->under_way > 0 || (batch->code == 0 && batch->next < batch->length)) {
                while (batch->code == 0 && batch->next < batch->length && batch->under_way < BATCH_UNDER_WAY_MAX)
                        batch_send(batch);
                if (batch->under_way > 0)
                        (void)uv_run(&batch->group->loop, UV_RUN_ONCE);
        }
        return batch->code;
}
