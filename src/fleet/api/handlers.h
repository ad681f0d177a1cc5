#pragma once
/* What the handlers of the API share. */
#include <jansson.h>

#include "base/json-write.h"
#include "fleet/api/api.h"
#include "fleet/unit/validate.h"

/* {"error":{"code":N,"message":…}} */
void fleet_fail(HttpRequest *request, unsigned status, const char *message);
void fleet_respond_json(HttpRequest *request, Buffer *body);

/* No content: 201, 204. */
void fleet_respond_empty(HttpRequest *request, unsigned status);

/* What a write to the store came to: < 500 is the caller's affair; otherwise it is answered. True when `reply` is fine. */
bool fleet_check_reply(HttpRequest *request, const StoreReply *reply);

/* A body that is no JSON: 400 with `prefix` and the fault in Go's words, or jansson's text where Go would find none. */
void fleet_fail_json(HttpRequest *request, const char *prefix, Slice body, const char *otherwise);

/* JSON of another shape than the resource asks for: 400 with `prefix` and the error. */
void fleet_fail_shape(HttpRequest *request, const char *prefix, const Error *error);

/* Whether an old fleetctl must see the unit once more as it was before it stopped it. */
bool fleet_old_client_looks(FleetApi *api, HttpRequest *request, const char *name);

/* Somebody changes or destroys the unit; `stops`: it is launched, and is to be loaded only. */
void fleet_old_client_changes(FleetApi *api, HttpRequest *request, const char *name, bool stops);

/* How often who follows a log hears that it is still there. */
#define FLEET_LOG_BEAT_MSEC 3000

/* What is asked of another machine's daemon. */
typedef struct FleetRelay {
        const char *method; /* NULL: GET */
        const char *target;
        Slice body;         /* JSON; data NULL: none */
        const char *what;   /* for complaints: "the log is" */
} FleetRelay;

/* Passes it on, and the answer back as it comes. */
void fleet_relay(FleetApi *api, HttpRequest *request, const RegistryMachine *machine, const FleetRelay *asked);

/* The machine that ?machine= names by the beginning of its ID. False after it was answered; *ret NULL: none is named. */
bool fleet_named_machine(FleetApi *api, HttpRequest *request, const RegistryMachine **ret);

typedef struct FleetPage {
        size_t first, limit;
} FleetPage;

/* The page that ?nextPageToken= asks for; ?limit= asks for longer ones than fleet 1.0 has, which does not know it. False after
 * it was answered. */
bool fleet_page(HttpRequest *request, FleetPage *ret);

/* Where the page ends of so many entries. */
static inline size_t fleet_page_end(const FleetPage *page, size_t total) {
        return min_of(total, page->first + page->limit);
}

/* Ends a page: the token of the next one, if there are `total` entries. */
void fleet_write_next_page(JsonWriter *json, const FleetPage *page, size_t total);

/* All units or machines of the mirror in order of their names: heap arrays of borrowed pointers. -ENOMEM: NULL. */
const RegistryUnit **fleet_sorted_units(const Registry *registry, size_t *ret_count);
const RegistryMachine **fleet_sorted_machines(const Registry *registry, size_t *ret_count);

/* The API's list of options as a unit file. -EINVAL with the reason. */
int fleet_parse_options(json_t *options, UnitFile *file, Error *error);

/* The text that is kept of it, and its hash: the caller's, also after -ENOMEM. -EINVAL with the reason: it is too large. */
int fleet_write_text(const UnitFile *file, char **ret_text, char **ret_hash, Error *error);

/* `path`: what stands behind the resource's name, without slash; "" for the collection. */
void fleet_units_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_machines_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_states_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_discovery_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_explain_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_logs_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_own_machines_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_rebalance_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_moves_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_whatif_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_changes_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_verify_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_usage_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_own_states_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_rolls_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_plan_handle(FleetApi *api, HttpRequest *request, const char *path);
void fleet_status_handle(FleetApi *api, HttpRequest *request, const char *path);
