#include "cli/store-verbs.h"

#include "base/suggest.h"
#include "cli/store.h"

const StoreCommand *const store_verbs[] = {
        &store_verb_backup,   &store_verb_health,
        &store_verb_mk,       &store_verb_mkdir,
        &store_verb_rm,       &store_verb_rmdir,
        &store_verb_get,      &store_verb_ls,
        &store_verb_set,      &store_verb_setdir,
        &store_verb_update,   &store_verb_updatedir,
        &store_verb_watch,    &store_verb_exec_watch,
        &store_member_list,   &store_member_add,
        &store_member_remove, &store_member_update,
        &store_user_add,      &store_user_get,
        &store_user_list,     &store_user_remove,
        &store_user_grant,    &store_user_revoke,
        &store_user_passwd,   &store_role_add,
        &store_role_get,      &store_role_list,
        &store_role_remove,   &store_role_grant,
        &store_role_revoke,   &store_auth_enable,
        &store_auth_disable,  &store_discovery_new,
        NULL,
};

const StoreCommandGroup store_verb_groups[] = {
        {"member", "the members of the cluster", "member add, remove and list subcommands"},
        {"user", "users, their passwords and roles", "user add, grant and revoke subcommands"},
        {"role", "roles: what a user may read and write", "role add, grant and revoke subcommands"},
        {"discovery", "tokens where founders of a cluster meet", NULL},
        {"auth", "whether users are asked for at all", "overall auth controls"},
        {0},
};

void store_arguments_deinit(StoreArguments *arguments) {
        string_list_deinit(&arguments->words);
        string_list_deinit(&arguments->roles);
        free(arguments->previous_value);
        free(arguments->path);
        free(arguments->data_dir);
        free(arguments->wal_dir);
        free(arguments->backup_dir);
        free(arguments->backup_wal_dir);
}

static bool same_group(const StoreCommand *verb, const char *group) {
        return group ? verb->group && str_equals(verb->group, group) : !verb->group;
}

const StoreCommand *store_verb_find(const char *group, const char *name, bool with_alias) {
        for (const StoreCommand *const *at = store_verbs; *at; at++) {
                const StoreCommand *verb = *at;

                if (!same_group(verb, group))
                        continue;
                if (str_equals(verb->name, name) || (with_alias && verb->alias && str_equals(verb->alias, name)))
                        return verb;
        }
        return NULL;
}

const StoreCommandGroup *store_verb_group_find(const char *name) {
        for (const StoreCommandGroup *group = store_verb_groups; group->name; group++)
                if (str_equals(group->name, name))
                        return group;
        return NULL;
}

const char *store_verb_suggest(const char *group, const char *name) {
        const char *names[2 * STORE_FLAGS_MAX];
        size_t count = 0;

        for (const StoreCommand *const *at = store_verbs; *at && count + 2 < ARRAY_SIZE(names); at++) {
                if (!same_group(*at, group))
                        continue;
                names[count++] = (*at)->name;
                if ((*at)->alias)
                        names[count++] = (*at)->alias;
        }
        for (const StoreCommandGroup *one = store_verb_groups; !group && one->name && count < ARRAY_SIZE(names); one++)
                names[count++] = one->name;
        return suggest_nearest(name, names, count);
}
