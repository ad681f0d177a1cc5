#pragma once
/* What the verbs of `faering containers` (and docker) share: the engine's address, requests, how things are shown. */
#include "cli/request.h"
#include "cli/table.h"
#include "cli/verb.h"

/* docker's exit codes of run, exec and start; else a container's own. */
enum {
        CONTAINERS_EXIT_ENGINE = 125,     /* the engine, or the command line, failed */
        CONTAINERS_EXIT_CANNOT_RUN = 126, /* the command is there but cannot be run */
        CONTAINERS_EXIT_NOT_FOUND = 127,  /* the command is not there */
};

typedef struct ContainersGroup {
        const char *program; /* "faering containers" or "docker" */
        uv_loop_t loop;
        HttpClient *http;
        Url endpoint;
        char *endpoint_text;
} ContainersGroup;

extern const Verb containers_verbs[];

int containers_group_main(const char *program, int argc, char **argv);

/* 0 with an answer below 400; else the exit code, after what went wrong was said. `body`: JSON, or NULL. */
int containers_request(ContainersGroup *group, const char *method, const char *target, json_t *body, CliAnswer *ret);

/* As above, but says nothing: the caller does with containers_complain(). -errno: nobody answered. */
int containers_ask(ContainersGroup *group, const char *method, const char *target, json_t *body, CliAnswer *ret,
                   Error *error);

/* "PROGRAM: Error response from daemon: …". Returns CLI_FAILED. */
int containers_complain(const ContainersGroup *group, const CliAnswer *answer);
int containers_complain_unreachable(const ContainersGroup *group, const Error *error);

/* "/containers/NAME/ACTION", encoded; the caller frees. NULL without memory. */
char *containers_target(const char *kind, const char *name, const char *action);

/* Does the same to each of the arguments and prints those that it was done to. The exit code. */
int containers_each(ContainersGroup *group, const StringList *names, const char *method, const char *kind,
                    const char *action);

/* Gets an image; its progress goes to `out`. 0 or the exit code. */
int containers_pull(ContainersGroup *group, const char *name, bool quiet, FILE *out);

int containers_verb_attach(void *group, int argc, char **argv);
int containers_verb_create(void *group, int argc, char **argv);
int containers_verb_exec(void *group, int argc, char **argv);
int containers_verb_images(void *group, int argc, char **argv);
int containers_verb_import(void *group, int argc, char **argv);
int containers_verb_info(void *group, int argc, char **argv);
int containers_verb_inspect(void *group, int argc, char **argv);
int containers_verb_kill(void *group, int argc, char **argv);
int containers_verb_load(void *group, int argc, char **argv);
int containers_verb_logs(void *group, int argc, char **argv);
int containers_verb_port(void *group, int argc, char **argv);
int containers_verb_ps(void *group, int argc, char **argv);
int containers_verb_pull(void *group, int argc, char **argv);
int containers_verb_rename(void *group, int argc, char **argv);
int containers_verb_restart(void *group, int argc, char **argv);
int containers_verb_rm(void *group, int argc, char **argv);
int containers_verb_rmi(void *group, int argc, char **argv);
int containers_verb_run(void *group, int argc, char **argv);
int containers_verb_save(void *group, int argc, char **argv);
int containers_verb_start(void *group, int argc, char **argv);
int containers_verb_stop(void *group, int argc, char **argv);
int containers_verb_tag(void *group, int argc, char **argv);
int containers_verb_version(void *group, int argc, char **argv);
int containers_verb_wait(void *group, int argc, char **argv);
