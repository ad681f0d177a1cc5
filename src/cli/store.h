#pragma once
/*
 * What the verbs of `faering store` (and etcdctl) share: the global flags, the loop, a client whose requests are waited for, and
 * two voices. `old` says that the program was called as etcdctl: then texts and exit codes are that program's to the letter
 * (docs/etcdctl.md names the exceptions).
 */
#include <jansson.h>
#include <uv.h>

#include "cli/request.h"
#include "cli/store-http.h"
#include "cli/store-verbs.h"
#include "cli/verb.h"
#include "storeclient/storeclient.h"

/* etcdctl's exit codes. */
enum {
        STORE_EXIT_USAGE = 1,
        STORE_EXIT_CONNECTION = 2,
        STORE_EXIT_AUTHENTICATION = 3,
        STORE_EXIT_SERVER = 4,
        STORE_EXIT_UNHEALTHY = 5,
        STORE_EXIT_HELP = 3, /* etcdctl's for a verb that it does not know */
};

typedef enum StoreOutput {
        STORE_OUTPUT_SIMPLE,
        STORE_OUTPUT_EXTENDED,
        STORE_OUTPUT_JSON,
        STORE_OUTPUT_UNKNOWN, /* etcdctl does the request, and then says that it cannot print it */
} StoreOutput;

struct StoreGroup {
        const char *program; /* "faering store" or "etcdctl" */
        bool old;            /* speak as etcdctl */
        uv_loop_t loop;
        StoreHttp *http;
        StoreOutput output;
        char *output_name;
        char *endpoints, *endpoint, *peers, *discovery_srv;
        char *username;
        CliTls tls;
        Usec timeout, total_timeout;
        bool no_sync, debug, insecure_discovery, no_legend, version, help;
};

extern const StoreFlag store_global_flags[];

/* Runs the group: `argv[0]` is the program. */
int store_group_main(const char *program, int argc, char **argv);

/* ---- connecting: store-connect.c ---- */

/* Connects to the endpoints and, unless --no-sync, learns the members' own client URLs. 0, or the exit code after saying why. */
int store_connect(StoreGroup *group);
int store_connect_without_sync(StoreGroup *group);

/* For --debug: all that may be asked. */
void store_show_endpoints(const StoreGroup *group);

/* ---- requests: store-request.c ---- */

/* A complaint in the voice that is spoken: `old` to the letter on a line of its own, or `ours` behind the program's name. Returns
 * `code`. */
int store_complain(const StoreGroup *group, int code, const char *old, const char *ours);

/* Nobody answered: says so, returns `code`. */
int store_complain_failure(const StoreGroup *group, int code, const StoreFailure *failure);

/* Asks for a path of /v2/keys. 0: see the reply, which may be a refusal; -EHOSTUNREACH: see `failure`; -ENODATA: the answer is
 * empty; -EBADMSG; -ENOMEM. `index`: as in StoreHttpRequest. */
int store_send(StoreGroup *group, const StoreRequest *request, uint64_t *index, StoreReply *ret_reply,
               StoreFailure *failure);

/* Says what such a call came to, when it was not what it should; the exit code. */
int store_complain_reply(const StoreGroup *group, int r, const StoreReply *reply, const StoreFailure *failure);

/* Both of it: 0, or the exit code after saying why; the reply is then empty. */
int store_request(StoreGroup *group, const StoreRequest *request, StoreReply *ret_reply);

/* As above, and prints the reply in the chosen form. */
int store_request_and_print(StoreGroup *group, const StoreRequest *request);

/* The first word, or NULL after saying that a key is needed. Borrowed. */
const char *store_need_key(const StoreGroup *group, const StoreArguments *arguments);

/* A request to any other path. */
typedef struct StoreQuestion {
        const char *method, *target; /* encoded */
        const char *json;            /* the body, or NULL */
        const char *shown_json;      /* what --debug shows instead, or NULL */
        const char *before;          /* what etcdctl puts before a complaint, or NULL */
        bool bare;                   /* … and it forgets the end of the line */
} StoreQuestion;

/* 0 with any status below 500; else the exit code after saying why. */
int store_ask(StoreGroup *group, const StoreQuestion *question, StoreAnswer *ret_answer);

/* Says what an answer that was not the wanted one means; the exit code. `told`: etcdctl prints its message, else only the status. */
int store_complain_answer(const StoreGroup *group, const char *before, const StoreAnswer *answer, bool told);

/* ---- printing: store-print.c ---- */

void store_print_reply(const StoreGroup *group, const StoreReply *reply);

/* The node's key as the server sends it: the root's is empty. */
const char *store_old_key(const StoreNode *node);

/* ---- passwords: store-password.c ---- */

/* Asks on the terminal without echo, or takes a line of standard input. The caller frees. NULL: there was none. */
char *store_ask_password(const char *prompt);

/* "name[:password]", the password asked for when it is missing, as "name:password". The caller frees; NULL after saying why. */
char *store_credentials(const char *name);

/* ---- verbs: one family and one file each ---- */

extern const StoreCommand store_verb_backup, store_verb_health, store_verb_mk, store_verb_mkdir, store_verb_rm,
        store_verb_rmdir, store_verb_get, store_verb_ls, store_verb_set, store_verb_setdir, store_verb_update,
        store_verb_updatedir, store_verb_watch, store_verb_exec_watch;
extern const StoreCommand store_member_list, store_member_add, store_member_remove, store_member_update;
extern const StoreCommand store_user_add, store_user_get, store_user_list, store_user_remove, store_user_grant,
        store_user_revoke, store_user_passwd;
extern const StoreCommand store_role_add, store_role_get, store_role_list, store_role_remove, store_role_grant,
        store_role_revoke;
extern const StoreCommand store_auth_enable, store_auth_disable;
extern const StoreCommand store_discovery_new;
