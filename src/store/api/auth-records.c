#include "store/api/auth-records.h"

#include <errno.h>

#include "base/random.h"
#include "store/api/auth-json.h"

typedef struct Record {
        char *key;
        uint64_t modified; /* of the node it was read from */
        bool is_role;
        union {
                AuthUser user;
                AuthRole role;
        };
} Record;

static void record_free(Record *record) {
        if (record->is_role)
                auth_role_deinit(&record->role);
        else
                auth_user_deinit(&record->user);
        free(record->key);
        free(record);
}
CLEANUP_DEFINE(Record, record_free)

static void records_clear(Map *map) {
        SipKey seed = map->seed;

        map_foreach(map, entry)
                record_free(entry->value);
        map_deinit(map);
        map_set_seed(map, seed);
}

int auth_records_init(AuthRecords *records) {
        SipKey seed;

        *records = (AuthRecords){0};
        random_secret(&seed, sizeof(seed));
        map_set_seed(&records->users, seed);
        map_set_seed(&records->roles, seed);
        return auth_role_init_full(&records->root, AUTH_ROOT);
}

void auth_records_deinit(AuthRecords *records) {
        records_clear(&records->users);
        records_clear(&records->roles);
        auth_role_deinit(&records->root);
}

const Node *auth_find_node(const Tree *tree, const char *folder, Slice name) {
        const Node *directory, *node;

        if (tree_find(tree, slice_from(folder), &directory, NULL) != 0 || !directory->dir)
                return NULL;
        node = children_find(&directory->children, name);
        return node && !node->dir ? node : NULL;
}

void auth_records_look(AuthRecords *records, const Tree *tree) {
        const Node *node;

        records->enabled = tree_find(tree, slice_from(AUTH_ENABLED), &node, NULL) == 0 && !node->dir &&
                           slice_equals(value_slice(node->value), slice_from("true"));
        records->looked_at = tree->index;
        records->looked = true;
}

static int record_read(const Node *node, bool is_role, Record **ret_record) {
        _cleanup_(record_freep) Record *record = calloc(1, sizeof(*record));
        int r;

        if (!record)
                return -ENOMEM;
        record->is_role = is_role;
        record->modified = node->modified;
        record->key = slice_dup(node_name(node));
        if (!record->key)
                return -ENOMEM;
        if (is_role)
                r = auth_role_parse(value_slice(node->value), &record->role);
        else
                r = auth_user_parse(value_slice(node->value), &record->user);
        if (r == 0 && !is_role)
                r = auth_user_attach_root(&record->user);
        if (r < 0)
                return r == -EINVAL ? -ENOENT : r;
        *ret_record = take_ptr(record);
        return 0;
}

static int records_get(Map *map, const Tree *tree, bool is_role, Slice name, const Record **ret_record) {
        const Node *node = auth_find_node(tree, is_role ? AUTH_ROLES : AUTH_USERS, name);
        _cleanup_(record_freep) Record *fresh = NULL;
        Record *record = map_get(map, name);
        int r;

        if (record && node && record->modified == node->modified) {
                *ret_record = record;
                return 0;
        }
        if (record) {
                (void)map_remove(map, name);
                record_free(record);
        }
        if (!node)
                return -ENOENT;
        r = record_read(node, is_role, &fresh);
        if (r < 0)
                return r;
        if (map->length >= AUTH_RECORDS_MAX)
                records_clear(map);
        r = map_put(map, (Slice){fresh->key, name.length}, fresh, NULL);
        if (r < 0)
                return r;
        *ret_record = take_ptr(fresh);
        return 0;
}

int auth_records_user(AuthRecords *records, const Tree *tree, Slice name, const AuthUser **ret_user) {
        const Record *record;
        int r;

        r = records_get(&records->users, tree, false, name, &record);
        if (r == 0)
                *ret_user = &record->user;
        return r;
}

int auth_records_role(AuthRecords *records, const Tree *tree, Slice name, const AuthRole **ret_role) {
        const Record *record;
        int r;

        if (slice_equals(name, slice_from(AUTH_ROOT))) {
                *ret_role = &records->root;
                return 0;
        }
        r = records_get(&records->roles, tree, true, name, &record);
        if (r == 0)
                *ret_role = &record->role;
        return r;
}
