#pragma once
/* What the verbs of `faering store` (and etcdctl) share: the global options, the loop, and a client whose requests are
 * waited for. */
#include <uv.h>

#include "cli/request.h"
#include "cli/verb.h"
#include "storeclient/http-storeclient.h"

/* etcdctl's exit codes. */
enum {
        STORE_EXIT_USAGE = 1,
        STORE_EXIT_CONNECTION = 2,
        STORE_EXIT_AUTHENTICATION = 3,
        STORE_EXIT_SERVER = 4,
        STORE_EXIT_UNHEALTHY = 5,
};

typedef enum StoreOutput {
        STORE_OUTPUT_SIMPLE,
        STORE_OUTPUT_EXTENDED,
        STORE_OUTPUT_JSON,
} StoreOutput;

typedef struct StoreGroup {
        const char *program;  /* "faering store" or "etcdctl" */
        uv_loop_t loop;
        StoreClient *client;
        StoreOutput output;
        char *endpoints;
        char *output_name;
        char *username;
        CliTls tls;
        Usec timeout, total_timeout;
        bool no_sync, debug;
} StoreGroup;

extern const Verb store_verbs[];

/* Runs the group: `argv[0]` is the program. */
int store_group_main(const char *program, int argc, char **argv);

/* Connects and, unless --no-sync, takes the members' own client URLs. 0, or the exit code after saying why. */
int store_connect(StoreGroup *group);

/* Waits for one reply. 0, or the exit code after saying why; the reply is then empty. *ret_reply is the caller's. */
int store_request(StoreGroup *group, const StoreRequest *request, StoreReply *ret_reply);

/* As above, and prints the reply in the chosen form. */
int store_request_and_print(StoreGroup *group, const StoreRequest *request);

/* Says what went wrong with a request and returns the exit code. */
int store_complain(const StoreGroup *group, const StoreReply *reply);

/* The key in etcdctl's form: with a '/' in front. The caller frees. */
char *store_key(const char *argument);

void store_print_reply(const StoreGroup *group, const StoreReply *reply);
void store_print_json(const StoreReply *reply);

/* Waits for any other path of the API; the body is the caller's. `json` (may be NULL) is sent along. */
int store_raw_json(StoreGroup *group, const char *method, const char *target, const char *json, unsigned *ret_status,
                   char **ret_body);
int store_raw(StoreGroup *group, const char *method, const char *target, unsigned *ret_status, char **ret_body);

/* verbs: one file each */
int store_verb_health(void *group, int argc, char **argv);
int store_verb_exec_watch(void *group, int argc, char **argv);
int store_verb_get(void *group, int argc, char **argv);
int store_verb_ls(void *group, int argc, char **argv);
int store_verb_member(void *group, int argc, char **argv);
int store_verb_mk(void *group, int argc, char **argv);
int store_verb_mkdir(void *group, int argc, char **argv);
int store_verb_rm(void *group, int argc, char **argv);
int store_verb_rmdir(void *group, int argc, char **argv);
int store_verb_set(void *group, int argc, char **argv);
int store_verb_setdir(void *group, int argc, char **argv);
int store_verb_update(void *group, int argc, char **argv);
int store_verb_updatedir(void *group, int argc, char **argv);
int store_verb_watch(void *group, int argc, char **argv);
