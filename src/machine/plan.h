#pragma once
/* Names and addresses of local machines: machine N is mN at 10.66.0.(10+N). Pure. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define PLAN_GATEWAY "10.66.0.1"
#define PLAN_PREFIX_LENGTH 24
#define PLAN_MACHINES_MAX 64
#define PLAN_NAME_MAX 8
#define PLAN_ADDRESS_MAX 16

/* "m12" → 12. -EINVAL with `error`: no name of a machine, or above PLAN_MACHINES_MAX. */
int plan_parse_name(const char *name, unsigned *ret_number, Error *error);

void plan_name(unsigned number, char name[static PLAN_NAME_MAX]);
void plan_address(unsigned number, char address[static PLAN_ADDRESS_MAX]);

/* "10.66.0.11=http://10.66.0.11:2380,…": --initial-cluster of stores on machines 1 to `count`, each named by its
 * address (which, unlike its name, the same cloud-config can say on all of them). */
int plan_initial_cluster(unsigned count, Buffer *to);

/* A port of the host's loopback that leads to a port of a machine. */
typedef struct PlanForward {
        uint16_t host_port;
        char address[PLAN_ADDRESS_MAX];
        uint16_t port;
} PlanForward;

/* "8080:10.66.0.11:80" or "8080:m1:80". -EINVAL with `error`. */
int plan_parse_forward(const char *text, PlanForward *ret, Error *error);
