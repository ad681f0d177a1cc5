#include "fleet/unit/health-check.h"

#include <errno.h>

#define EXPECTED "expected http://[HOST]:PORT/PATH, tcp://[HOST]:PORT or exec:COMMAND"

void health_check_deinit(HealthCheck *check) {
        free(check->host);
        free(check->what);
        *check = (HealthCheck){0};
}

static bool is_target(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text <= ' ' || *text == 0x7f)
                        return false;
        return true;
}

/* "[HOST]:PORT" up to the path. */
static int parse_place(Slice place, uint16_t default_port, HealthCheck *check, Error *error) {
        const char *colon = place.length ? memrchr(place.data, ':', place.length) : NULL;
        Slice host = place, port = {"", 0};
        uint64_t number = default_port;

        if (colon && !memchr(colon, ']', place.length - (size_t)(colon - place.data))) {
                host.length = (size_t)(colon - place.data);
                port = (Slice){colon + 1, place.length - host.length - 1};
        }
        if (port.length > 0 && str_parse_u64(port, UINT16_MAX, &number) < 0)
                return error_set(error, -EINVAL, "%.*s is no port; " EXPECTED, (int)port.length, port.data);
        if (number == 0)
                return error_set(error, -EINVAL, "a port is missing; " EXPECTED);
        if (host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']')
                host = (Slice){host.data + 1, host.length - 2};
        check->port = (uint16_t)number;
        check->host = host.length > 0 ? slice_dup(host) : strdup("127.0.0.1");
        if (check->host && !is_target(check->host))
                return error_set(error, -EINVAL, "the host has a blank in it; " EXPECTED);
        return check->host ? 0 : -ENOMEM;
}

static int parse_http(const char *text, HealthCheck *check, Error *error) {
        size_t length = strcspn(text, "/");
        int r = parse_place((Slice){text, length}, 80, check, error);

        if (r < 0)
                return r;
        if (!is_target(text + length))
                return error_set(error, -EINVAL, "the path has a blank in it; write %%20");
        check->what = strdup(text[length] ? text + length : "/");
        return check->what ? 0 : -ENOMEM;
}

int health_check_parse(const char *text, HealthCheck *ret, Error *error) {
        _cleanup_health_check_ HealthCheck check = {0};
        int r;

        if (str_starts_with(text, "http://")) {
                check.kind = HEALTH_HTTP;
                r = parse_http(text + strlen("http://"), &check, error);
        } else if (str_starts_with(text, "tcp://")) {
                check.kind = HEALTH_TCP;
                r = parse_place(slice_from(text + strlen("tcp://")), 0, &check, error);
                if (r >= 0)
                        r = (check.what = strdup("")) ? 0 : -ENOMEM;
        } else if (str_starts_with(text, "exec:") && text[strlen("exec:")]) {
                check.kind = HEALTH_EXEC;
                check.what = strdup(text + strlen("exec:"));
                r = check.what ? 0 : -ENOMEM;
        } else {
                r = error_set(error, -EINVAL, EXPECTED);
        }
        if (r < 0)
                return r;
        *ret = check;
        check = (HealthCheck){0};
        return 0;
}
