/*
 * fleetctl 1.0's restart asks for "loaded" and then waits for "launched", which with fleet 1.0 still held at its first look, a
 * quarter of a second later. Here a unit has stopped by then, and that client would wait without end for a unit that nobody starts.
 * So its first look after such a change shows what was before; it then asks for "launched", as it means to. Its stop looks twice.
 */
#include "base/siphash.h"
#include "fleet/api/handlers.h"

static bool is_old_client(HttpRequest *request) {
        static const char program[] = "google-api-go-client/";
        Slice agent = http_request_header(request, "user-agent");

        return agent.length >= strlen(program) && memcmp(agent.data, program, strlen(program)) == 0;
}

static uint64_t name_of(const char *name) {
        static const SipKey key = {0};

        return siphash24(name, strlen(name), key) | 1; /* 0: a free place */
}

static uint64_t *find_stopping(FleetApi *api, uint64_t name) {
        for (size_t i = 0; i < ARRAY_SIZE(api->stopping); i++)
                if (api->stopping[i] == name)
                        return &api->stopping[i];
        return NULL;
}

bool fleet_old_client_looks(FleetApi *api, HttpRequest *request, const char *name) {
        uint64_t *place = is_old_client(request) ? find_stopping(api, name_of(name)) : NULL;

        if (place)
                *place = 0;
        return place;
}

void fleet_old_client_changes(FleetApi *api, HttpRequest *request, const char *name, bool stops) {
        uint64_t *place = find_stopping(api, name_of(name));

        if (stops && is_old_client(request) && !place) /* the oldest gives way */
                api->stopping[api->next_stopping++ % ARRAY_SIZE(api->stopping)] = name_of(name);
        else if (place && !stops)
                *place = 0;
}
