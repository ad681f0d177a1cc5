#pragma once
/* What user, role and auth share: requests to /v2/auth. */
#include "cli/store.h"

typedef struct StoreAuthQuestion {
        const char *method;
        const char *kind;  /* "users", "roles", "enable" */
        const char *name;  /* or NULL: all of them */
        const char *json;  /* or NULL */
        const char *shown; /* what --debug shows of it instead, or NULL */
        bool may_make;     /* 201 is as good as 200 */
} StoreAuthQuestion;

/* Asks /v2/auth/KIND[/NAME]. 0 with the answer's JSON (may be NULL, released by the caller) in *ret_json; else the exit code after
 * saying why. */
int store_auth_ask(StoreGroup *group, const StoreAuthQuestion *question, json_t **ret_json);

/* As above, but says nothing of an answer other than 200: *ret_json is NULL then. */
int store_auth_look(StoreGroup *group, const char *kind, const char *name, json_t **ret_json);

/* Connects, after checking the words: exactly `count`. `complaint`: etcdctl's. */
int store_auth_connect(StoreGroup *group, const StoreArguments *arguments, size_t count, const char *complaint);

/* Prints the names, one a line: those of the array's objects under `key`; as JSON in our own voice with -o json. */
void store_auth_print_names(const StoreGroup *group, const json_t *answer, const char *array, const char *key);
