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

/* Users and roles, which these verbs treat alike. */
typedef struct StoreAuthKind {
        const char *plural;   /* in paths, and the array of a listing */
        const char *singular; /* the name's field */
        const char *title;    /* in what is printed */
        const char *need_name; /* etcdctl's complaint when no name is given */
} StoreAuthKind;

extern const StoreAuthKind store_auth_user, store_auth_role;

/* The verbs list, remove and get; `print` shows one record to people. In our own voice -o json prints what was answered. */
int store_auth_list(StoreGroup *group, const StoreArguments *arguments, const StoreAuthKind *kind);
int store_auth_remove(StoreGroup *group, const StoreArguments *arguments, const StoreAuthKind *kind);
int store_auth_get(StoreGroup *group, const StoreArguments *arguments, const StoreAuthKind *kind,
                   void (*print)(const StoreGroup *group, const json_t *record));
