#pragma once
/* Ports of the host's loopback that lead to ports of machines, for a person's browser. */
#include <uv.h>

#include "base/list.h"
#include "machine/plan.h"

#define FORWARDS_MAX 64
#define FORWARD_CONNECTIONS_MAX 1024 /* of one port */

typedef struct Forward Forward;

/* Listens at 127.0.0.1; connections to the machine begin at the switch (`network`, borrowed). */
int forward_new(uv_loop_t *loop, int network, const PlanForward *plan, Forward **ret, Error *error);

const PlanForward *forward_plan(const Forward *forward);

/* Ends it with all its connections; memory goes once the loop has run. */
void forward_close(Forward *forward);
