#pragma once
/* What the verbs for local machines share: the daemon of a directory, and calls to it and to the machines. */
#include "cli/request.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "machine/machines.h"
#include "net/http-client.h"

/* Exit codes beside those that all verbs share. */
enum {
        MACHINE_EXIT_NOT_FOUND = 127,    /* exec: no such command */
        MACHINE_EXIT_NOT_EXECUTED = 126, /* exec: the command cannot be executed */
        MACHINE_EXIT_INTERRUPTED = 130,
};

extern const Verb machine_verbs[];

/* NULL: no verb of local machines. */
const Verb *machine_verb_find(const char *name);

/* Runs the verb argv[0]. */
int machine_verb_main(const Verb *verb, int argc, char **argv);

typedef struct MachineGroup {
        const char *program;
        const Verb *verb;
        uv_loop_t loop;
        HttpClient *http;
        char *directory;
        Url control;
        bool interrupted; /* ends machine_await() */
} MachineGroup;

#define MACHINE_DIRECTORY_OPTION(group)                                                                                \
        {                                                                                                              \
                "dir", 0, OPTION_STRING, "DIR", "FAERING_LOCAL_DIR",                                                   \
                        "where machines lie (default: " MACHINES_DIRECTORY_DEFAULT ")", &(group)->directory, NULL      \
        }

/* As verb_parse(), and --help tells the exit codes, too. */
int machine_parse(const MachineGroup *group, const Option *options, int argc, char **argv, StringList *ret_arguments,
                  int *ret_exit);

/* After the options are parsed. 0, or the exit code after saying why. `change`: it will change something, which takes
 * root. */
int machine_open(MachineGroup *group, bool change);

typedef struct MachineCall {
        HttpCall *http; /* NULL: over, or never begun */
        bool done;
        int r; /* < 0: no answer; `error` says why */
        unsigned status;
        json_t *json; /* NULL: the answer is none */
        Error error;  /* also what the daemon said with a status that is no success: r is then -EREMOTEIO */
} MachineCall;

/* Ends a call that is not over. */
void machine_call_deinit(MachineCall *call);
#define _cleanup_machine_call_ _cleanup_(machine_call_deinit)

/* Begins a call to the daemon, which answers when it has done it. */
void machine_call(MachineGroup *group, const char *method, const char *target, Slice body, MachineCall *call);

/* The same to anyone, with a limit of time. */
void machine_call_url(MachineGroup *group, const Url *url, const char *target, Usec timeout, MachineCall *call);

/* Until all calls are done, or group->interrupted. */
void machine_await(MachineGroup *group, const MachineCall *calls, size_t count);

/* One call, waited for. Gives call->r. */
int machine_ask(MachineGroup *group, const char *method, const char *target, Slice body, MachineCall *call);

/* Whether the answer (of machine_ask()) means that no daemon has this directory. */
bool machine_is_nobody_there(int r);

/* The machine of that name in an answer to GET machines, or NULL. */
json_t *machine_in(const json_t *answer, const char *name);

int machine_verb_down(void *group, int argc, char **argv);
int machine_verb_exec(void *group, int argc, char **argv);
int machine_verb_status(void *group, int argc, char **argv);
int machine_verb_up(void *group, int argc, char **argv);
