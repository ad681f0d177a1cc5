#pragma once
/* What the verbs of `faering fleet` (and fleetctl) share: the endpoint, requests that are waited for, units by name. */
#include <jansson.h>
#include <uv.h>

#include "base/json-write.h"
#include "cli/request.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "fleet/unit/unit.h"

/* How machines are reached; for the system's ssh. */
typedef struct FleetSsh {
        char *tunnel;        /* HOST[:PORT] through which all goes, or NULL */
        char *user;          /* NULL: core */
        char *known_hosts;   /* NULL: ssh's own */
        char *timeout;       /* seconds, perhaps with a fraction; NULL: 10 */
        bool strict;         /* ask before an unknown host's key is taken */
} FleetSsh;

typedef struct FleetGroup {
        const char *program;
        bool old;             /* speaks as fleetctl */
        uv_loop_t loop;
        HttpClient *http;
        Url endpoint;
        char *endpoint_text;
        Usec request_timeout;
        CliTls tls;
        FleetSsh ssh;
        char *tunnel_folder;  /* of an open tunnel, or NULL */
} FleetGroup;

extern const Verb fleet_verbs[];

int fleet_group_main(const char *program, int argc, char **argv);

/* The text on stderr: as fleetctl without the program's name. */
void fleet_complain(const FleetGroup *group, const char *format, ...) _printf_(2, 3);

/* 0 with any status that is not an error of the server (404 among them), or the exit code after saying why, behind `what`
 * ("Error starting units") if that is not NULL. */
int fleet_request(FleetGroup *group, const char *method, const char *target, const char *body, CliAnswer *ret_answer);
int fleet_request_for(FleetGroup *group, const char *what, const char *method, const char *target, const char *body,
                      CliAnswer *ret_answer);

/* The words for an answer that is a refusal, and for none; the exit code. */
int fleet_complain_answer(const FleetGroup *group, const char *what, const CliAnswer *answer);
int fleet_complain_unanswered(const FleetGroup *group, const Error *error);

/* Under way at a time, and kept. */
#define FLEET_CONNECTIONS 32

/* Requests about many units: all of one method; borrowed `what` as of fleet_request_for(). */
typedef struct FleetBatch FleetBatch;

FleetBatch *fleet_batch_new(FleetGroup *group, const char *what, const char *method);
FleetBatch *fleet_batch_free(FleetBatch *batch);
static inline void fleet_batch_cleanup(FleetBatch **batch) {
        *batch = fleet_batch_free(*batch);
}
#define _cleanup_fleet_batch_ _cleanup_(fleet_batch_cleanup)

/* 0 or the exit code. `body` may be NULL. */
int fleet_batch_add(FleetBatch *batch, const char *name, const char *body);

/* Sends them, several at a time, and waits for all. After the first refusal, which is told, no more are sent. 0 or the exit code;
 * units that are not there (404) are none of its affair. */
int fleet_batch_run(FleetBatch *batch);

/* All pages of a collection as one array, the caller's. 0 or the exit code. `resource` may have a query. */
int fleet_list(FleetGroup *group, const char *resource, const char *key, json_t **ret_array);

/* "/fleet/v1/units/NAME", encoded; the caller frees. */
char *fleet_unit_target(const char *resource, const char *name);

/* What a resource ("/faering/v1/rolls") says of a unit: the answer, also a 404; or as JSON, the caller's: *ret NULL when there is
 * nothing. 0 or the exit code. */
int fleet_ask_of(FleetGroup *group, const char *resource, const char *name, CliAnswer *ret_answer);
int fleet_get_of(FleetGroup *group, const char *resource, const char *name, json_t **ret);

/* One unit: *ret_unit NULL when there is none. 0 or the exit code. */
int fleet_get_unit(FleetGroup *group, const char *name, json_t **ret_unit);
int fleet_set_desired(FleetGroup *group, const char *what, const char *name, const char *desired);
char *fleet_desired_body(const char *desired);

/* OPTION_CALL of -o for verbs whose text is for people: `target` is a bool, true for json. */
int fleet_set_form(void *target, const char *value, Error *error);
#define FLEET_FORM_OPTION(json) {"output", 'o', OPTION_CALL, "FORM", NULL, "text or json", &(json), fleet_set_form}

/* An answer as it came, on a line of its own. */
void fleet_print_answer(const CliAnswer *answer);

/* The unit's text out of the API's options. -ENOMEM and the errors of unitfile_add(). */
int fleet_read_options(json_t *unit, UnitFile *file);
bool fleet_unit_is_global(json_t *unit);

/* Machine as "12345678.../1.2.3.4", or whole with `full`. `machines`: of fleet_list(). */
void fleet_format_machine(json_t *machines, const char *id, bool full, Buffer *text);

typedef struct FleetLook FleetLook; /* fleet-look.h */

/* Makes each unit known to the cluster that is not: from a file, a template in the cluster, or a template file. `verb`:
 * submit, load or start; `replace`: also those whose text differs. 0 or the exit code. `names` gets the units' names. */
int fleet_submit_units(FleetLook *look, const char *verb, bool replace, const StringList *arguments, StringList *names);

/* The file, or its template's file, that an argument names. *ret_found false: there is none. 0 or the exit code. */
int fleet_read_local(FleetGroup *group, const char *argument, const char *name, UnitFile *file, bool *ret_found);

/* A whole file. 0 or -errno: -EISDIR for a folder. */
int fleet_read_file(const char *path, char **ret_text);

/* The text of that file, and its path. 0, or -errno: -ENOENT when there is none. */
int fleet_read_local_text(const char *argument, const char *name, char **ret_text, char **ret_source);

/* The unit's text as the API's options. */
void fleet_write_options(const UnitFile *file, JsonWriter *json);

/* As fleet_lint_before(), of one file. */
int fleet_lint_file(FleetGroup *group, const char *path);

/* Looks at the files that a verb is about to send: tells what is doubtful, and refuses what is wrong. `replace`: they are sent
 * also when the cluster has the unit. 0 or the exit code. */
int fleet_lint_before(FleetGroup *group, const StringList *arguments, bool replace);

#define FLEET_LINT_OPTION(no_lint)                                                                                            \
        {"no-lint", 0, OPTION_SWITCH, NULL, NULL, "do not look for errors in the files first", &(no_lint), NULL}

/* IDs of the machines that arguments name by the beginning of the ID, or by the address. 0 or the exit code. */
int fleet_find_machines(FleetGroup *group, const StringList *arguments, StringList *ids);

/* A verb's arguments: one unit, or any number. 0, -1 after --help, or the exit code. */
int fleet_parse_names(FleetGroup *group, const char *verb, const Option *options, int argc, char **argv, bool many,
                      StringList *arguments);

/* The unit that an argument names. 0 with *ret_unit, or the exit code after "Unit NAME `complaint`". */
int fleet_show_unit(FleetGroup *group, const char *argument, const char *complaint, char **ret_name, json_t **ret_unit);

/* What waiting verbs share. */
typedef struct FleetWaiting {
        bool no_block;
        uint64_t attempts; /* of two seconds each; 0: no end */
} FleetWaiting;

#define FLEET_WAITING_OPTIONS(waiting)                                                                                        \
        {"no-block", 0, OPTION_SWITCH, NULL, NULL, "do not wait until it has happened", &(waiting).no_block, NULL},            \
                {"block-attempts", 0, OPTION_U64, "N", NULL, "wait N times two seconds (0: without end)", &(waiting).attempts, NULL}

/* Waits until the unit has reached `desired`, and says where. `action`: for global units, "start". 0 or the exit code. */
int fleet_wait_state(FleetLook *look, const char *name, const char *desired, const char *action, const FleetWaiting *waiting);

/* Waits until a started unit is active, and complains when it will not be. */
int fleet_wait_active(FleetLook *look, const char *name);

/* Looks once more at units that were just seen active: a simple service is so until its program is found to be missing, or to have
 * failed at once. 0 or the exit code, told. */
int fleet_check_settled(FleetLook *look, const StringList *names);

/* Waits until nothing of a global unit is active anywhere. */
int fleet_wait_stopped(FleetGroup *group, const char *name, const FleetWaiting *waiting);

/* Waits until the unit is neither in the registry nor on any machine. */
int fleet_wait_destroyed(FleetLook *look, const char *name, const FleetWaiting *waiting);

/* Opens the tunnel that --tunnel asks for, and leads the endpoint through it. 0 or the exit code. */
int fleet_tunnel_open(FleetGroup *group);
void fleet_tunnel_close(FleetGroup *group);

int fleet_verb_cat(void *group, int argc, char **argv);
int fleet_verb_cordon(void *group, int argc, char **argv);
int fleet_verb_destroy(void *group, int argc, char **argv);
int fleet_verb_drain(void *group, int argc, char **argv);
int fleet_verb_explain(void *group, int argc, char **argv);
int fleet_verb_fd_forward(void *group, int argc, char **argv);
int fleet_verb_journal(void *group, int argc, char **argv);
int fleet_verb_lint(void *group, int argc, char **argv);
int fleet_verb_list_machines(void *group, int argc, char **argv);
int fleet_verb_list_unit_files(void *group, int argc, char **argv);
int fleet_verb_list_units(void *group, int argc, char **argv);
int fleet_verb_load(void *group, int argc, char **argv);
int fleet_verb_plan(void *group, int argc, char **argv);
int fleet_verb_rebalance(void *group, int argc, char **argv);
int fleet_verb_restart(void *group, int argc, char **argv);
int fleet_verb_ssh(void *group, int argc, char **argv);
int fleet_verb_start(void *group, int argc, char **argv);
int fleet_verb_status(void *group, int argc, char **argv);
int fleet_verb_stop(void *group, int argc, char **argv);
int fleet_verb_submit(void *group, int argc, char **argv);
int fleet_verb_top(void *group, int argc, char **argv);
int fleet_verb_uncordon(void *group, int argc, char **argv);
int fleet_verb_unload(void *group, int argc, char **argv);
int fleet_verb_update(void *group, int argc, char **argv);
int fleet_verb_whatif(void *group, int argc, char **argv);
int fleet_verb_verify(void *group, int argc, char **argv);
