#pragma once
/*
 * The users and roles in the tree, read when they are asked for and kept until their keys change: what this gives is always what the
 * tree of this moment says. docs/formats/store-auth.md has the keys.
 */
#include "base/map.h"
#include "store/api/auth-rules.h"
#include "store/tree/tree.h"

#define AUTH_USERS TREE_AUTH "/users"
#define AUTH_ROLES TREE_AUTH "/roles"
#define AUTH_ENABLED TREE_AUTH "/enabled"

/* Records of either kind that are kept; with more they are read anew. */
#define AUTH_RECORDS_MAX ((size_t)4096)

typedef struct AuthRecords {
        Map users, roles; /* name -> Record */
        AuthRole root;
        uint64_t looked_at; /* index of the tree when `enabled` was found */
        bool looked, enabled;
} AuthRecords;

int auth_records_init(AuthRecords *records); /* -ENOMEM */
void auth_records_deinit(AuthRecords *records);

/* The key that holds it, or NULL. */
const Node *auth_find_node(const Tree *tree, const char *folder, Slice name);

void auth_records_look(AuthRecords *records, const Tree *tree);

/* Whether auth is on: one comparison as long as nothing is written. */
static inline bool auth_records_enabled(AuthRecords *records, const Tree *tree) {
        if (!records->looked || records->looked_at != tree->index)
                auth_records_look(records, tree);
        return records->enabled;
}

/* Borrowed until the next call for the same kind. -ENOENT: there is none, or it makes no sense; -ENOMEM. */
int auth_records_user(AuthRecords *records, const Tree *tree, Slice name, const AuthUser **ret_user);
int auth_records_role(AuthRecords *records, const Tree *tree, Slice name, const AuthRole **ret_role);
