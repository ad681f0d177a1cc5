/* auth enable, auth disable; and the requests of user and role. */
#include "cli/store-auth.h"

#include "cli/request.h"
#include "cli/store-target.h"

static int ask(StoreGroup *group, const StoreQuestion *question, const char *kind, const char *name,
               StoreAnswer *ret_answer) {
        _cleanup_free_ char *target = store_target_join((const char *const[]){"v2/auth", kind, name, NULL});
        StoreQuestion asked = *question;

        asked.target = target;
        return target ? store_ask(group, &asked, ret_answer) : CLI_FAILED;
}

int store_auth_ask(StoreGroup *group, const StoreAuthQuestion *question, json_t **ret_json) {
        StoreQuestion asked = {.method = question->method, .json = question->json, .shown_json = question->shown};
        _cleanup_store_answer_ StoreAnswer answer = {0};
        int code = ask(group, &asked, question->kind, question->name, &answer);

        *ret_json = NULL;
        if (code != 0)
                return code;
        if (answer.status != 200 && !(question->may_make && answer.status == 201))
                return store_complain_answer(group, "", &answer, true);
        *ret_json = json_loads(answer.body ?: "", 0, NULL);
        return 0;
}

int store_auth_look(StoreGroup *group, const char *kind, const char *name, json_t **ret_json) {
        StoreQuestion question = {.method = "GET"};
        _cleanup_store_answer_ StoreAnswer answer = {0};
        int code = ask(group, &question, kind, name, &answer);

        *ret_json = code == 0 && answer.status == 200 ? json_loads(answer.body ?: "", 0, NULL) : NULL;
        return code;
}

int store_auth_connect(StoreGroup *group, const StoreArguments *arguments, size_t count, const char *complaint) {
        int code;

        if (arguments->words.length != count)
                return store_complain(group, STORE_EXIT_USAGE, complaint, complaint);
        code = store_connect(group);
        /* these verbs say it twice */
        if (code == 0 && group->debug && group->old)
                store_show_endpoints(group);
        return code;
}

/* ---- users and roles ---- */

const StoreAuthKind store_auth_user = {"users", "user", "User", "Please provide a username"};
const StoreAuthKind store_auth_role = {"roles", "role", "Role", "Please provide a role name"};

/* True when the answer is what was asked for, and is printed. */
static bool print_json(const StoreGroup *group, const json_t *answer) {
        if (group->old || group->output != STORE_OUTPUT_JSON)
                return false;
        (void)json_dumpf(answer, stdout, JSON_COMPACT);
        printf("\n");
        return true;
}

int store_auth_list(StoreGroup *group, const StoreArguments *arguments, const StoreAuthKind *kind) {
        json_t *answer = NULL, *one;
        int code = store_auth_connect(group, arguments, 0, "No arguments accepted");
        size_t i;

        if (code == 0)
                code = store_auth_ask(group, &(StoreAuthQuestion){.method = "GET", .kind = kind->plural}, &answer);
        if (code == 0 && !print_json(group, answer))
                json_array_foreach (json_object_get(answer, kind->plural), i, one)
                        printf("%s\n", cli_text(one, kind->singular));
        json_decref(answer);
        return code;
}

int store_auth_remove(StoreGroup *group, const StoreArguments *arguments, const StoreAuthKind *kind) {
        StoreAuthQuestion question = {.method = "DELETE", .kind = kind->plural, .may_make = true};
        json_t *answer = NULL;
        int code = store_auth_connect(group, arguments, 1, kind->need_name);

        if (code != 0)
                return code;
        question.name = arguments->words.items[0];
        code = store_auth_ask(group, &question, &answer);
        json_decref(answer);
        if (code == 0)
                printf("%s %s removed\n", kind->title, question.name);
        return code;
}

int store_auth_get(StoreGroup *group, const StoreArguments *arguments, const StoreAuthKind *kind,
                   void (*print)(const StoreGroup *group, const json_t *record)) {
        StoreAuthQuestion question = {.method = "GET", .kind = kind->plural};
        json_t *record = NULL;
        int code = store_auth_connect(group, arguments, 1, kind->need_name);

        if (code != 0)
                return code;
        question.name = arguments->words.items[0];
        code = store_auth_ask(group, &question, &record);
        if (code == 0 && !print_json(group, record))
                print(group, record);
        json_decref(record);
        return code;
}

/* ---- auth ---- */

static int change(StoreGroup *group, const StoreArguments *arguments, const char *method, const char *done) {
        StoreAuthQuestion question = {.method = method, .kind = "enable", .may_make = true};
        json_t *json = NULL;
        int code = store_auth_connect(group, arguments, 0, "No arguments accepted");

        if (code == 0)
                code = store_auth_ask(group, &question, &json);
        json_decref(json);
        if (code == 0)
                printf("%s\n", done);
        return code;
}

static int run_enable(StoreGroup *group, const StoreArguments *arguments) {
        return change(group, arguments, "PUT", "Authentication Enabled");
}

static int run_disable(StoreGroup *group, const StoreArguments *arguments) {
        return change(group, arguments, "DELETE", "Authentication Disabled");
}

const StoreCommand store_auth_enable = {
        .group = "auth",
        .name = "enable",
        .arguments = "",
        .summary = "from now on users are asked for; the user root must exist",
        .old_arguments = " ",
        .old_summary = "enable auth access controls",
        .run = run_enable,
};

const StoreCommand store_auth_disable = {
        .group = "auth",
        .name = "disable",
        .arguments = "",
        .summary = "from now on everybody may do everything",
        .old_arguments = " ",
        .old_summary = "disable auth access controls",
        .run = run_disable,
};
