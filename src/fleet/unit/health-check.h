#pragma once
/* How a machine asks a unit whether it is well: HealthCheck= of [X-Fleet]. Foreign text. */
#include "base/error.h"
#include "base/str.h"

typedef enum HealthKind {
        HEALTH_HTTP, /* well: a status from 200 to 399 */
        HEALTH_TCP,  /* well: a connection comes about */
        HEALTH_EXEC, /* well: the command's exit status is 0 */
} HealthKind;

typedef struct HealthCheck {
        HealthKind kind;
        char *host; /* of HTTP and TCP: a name or an address */
        uint16_t port;
        char *what; /* HTTP: the target; EXEC: a line for /bin/sh; TCP: "" */
} HealthCheck;

void health_check_deinit(HealthCheck *check);
#define _cleanup_health_check_ _cleanup_(health_check_deinit)

/* "http://[HOST]:PORT[/PATH]", "tcp://[HOST]:PORT", "exec:COMMAND"; without HOST it is 127.0.0.1. -EINVAL with what is expected;
 * -ENOMEM. */
int health_check_parse(const char *text, HealthCheck *ret, Error *error);
