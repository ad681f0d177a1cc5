#pragma once
/* What the verbs of `faering fleet` (and fleetctl) share: the endpoint, requests that are waited for, units by name. */
#include <jansson.h>
#include <uv.h>

#include "cli/request.h"
#include "cli/table.h"
#include "cli/verb.h"

typedef struct FleetGroup {
        const char *program;
        bool old;             /* speaks as fleetctl */
        uv_loop_t loop;
        HttpClient *http;
        Url endpoint;
        char *endpoint_text;
        Usec request_timeout;
} FleetGroup;

extern const Verb fleet_verbs[];

int fleet_group_main(const char *program, int argc, char **argv);

/* 0 with any status that is not an error of the server (404 among them), or the exit code after saying why. */
int fleet_request(FleetGroup *group, const char *method, const char *target, const char *body, CliAnswer *ret_answer);

/* All pages of a collection as one array, the caller's. 0 or the exit code. */
int fleet_list(FleetGroup *group, const char *resource, const char *key, json_t **ret_array);

/* "/fleet/v1/units/NAME", encoded; the caller frees. */
char *fleet_unit_target(const char *resource, const char *name);

/* One unit: *ret_unit NULL when there is none. 0 or the exit code. */
int fleet_get_unit(FleetGroup *group, const char *name, json_t **ret_unit);
int fleet_set_desired(FleetGroup *group, const char *name, const char *desired);

/* Machine as "12345678.../1.2.3.4", or whole with `full`. `machines`: of fleet_list(). */
void fleet_format_machine(json_t *machines, const char *id, bool full, Buffer *text);

/* Makes each unit known to the cluster that is not: from a file, a template in the cluster, or a template file. 0 or the
 * exit code. `names` gets the units' names. */
int fleet_submit_units(FleetGroup *group, const StringList *arguments, StringList *names);

/* What waiting verbs share. */
typedef struct FleetWaiting {
        bool no_block;
        uint64_t attempts; /* 0: no end */
} FleetWaiting;

#define FLEET_WAITING_OPTIONS(waiting)                                                                                        \
        {"no-block", 0, OPTION_SWITCH, NULL, NULL, "do not wait until it has happened", &(waiting).no_block, NULL},            \
                {"block-attempts", 0, OPTION_U64, "N", NULL, "look at most N times (0: without end)", &(waiting).attempts, NULL}

/* Sets what is desired of the units and, unless told otherwise, waits until it is so. */
int fleet_change(FleetGroup *group, const StringList *names, const char *desired, const FleetWaiting *waiting);

int fleet_verb_cat(void *group, int argc, char **argv);
int fleet_verb_destroy(void *group, int argc, char **argv);
int fleet_verb_explain(void *group, int argc, char **argv);
int fleet_verb_journal(void *group, int argc, char **argv);
int fleet_verb_list_machines(void *group, int argc, char **argv);
int fleet_verb_list_unit_files(void *group, int argc, char **argv);
int fleet_verb_list_units(void *group, int argc, char **argv);
int fleet_verb_load(void *group, int argc, char **argv);
int fleet_verb_start(void *group, int argc, char **argv);
int fleet_verb_status(void *group, int argc, char **argv);
int fleet_verb_stop(void *group, int argc, char **argv);
int fleet_verb_submit(void *group, int argc, char **argv);
int fleet_verb_unload(void *group, int argc, char **argv);
