#include "store/members.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/json-write.h"

#define MEMBERS_PATH TREE_SYSTEM "/members"

static void member_deinit(StoreMember *member) {
        string_list_deinit(&member->peer_urls);
        string_list_deinit(&member->client_urls);
}

void members_deinit(Members *members) {
        for (size_t i = 0; i < members->length; i++)
                member_deinit(&members->items[i]);
        free(members->items);
        string_list_deinit(&members->names);
        *members = (Members){0};
}

static int add_strings(json_t *object, const char *key, StringList *list) {
        json_t *array = json_object_get(object, key), *one;
        size_t i;

        json_array_foreach(array, i, one)
                if (json_is_string(one) && string_list_add(list, json_string_value(one)) < 0)
                        return -ENOMEM;
        return 0;
}

static json_t *load_child(const Node *directory, const char *name) {
        const Node *node = children_find(&directory->children, slice_from(name));
        Slice value = node && !node->dir ? value_slice(node->value) : (Slice){"", 0};

        return json_loadb(value.data, value.length, 0, NULL);
}

static int member_read(const Node *directory, uint64_t id, Members *members) {
        StoreMember *member = &members->items[members->length];
        json_t *raft = load_child(directory, "raftAttributes"), *own = load_child(directory, "attributes");
        const char *name = json_string_value(json_object_get(own, "name"));
        int r;

        *member = (StoreMember){.id = id};
        r = string_list_add(&members->names, name ?: "");
        if (r >= 0)
                member->name = members->names.items[members->names.length - 1];
        if (r >= 0)
                r = add_strings(raft, "peerURLs", &member->peer_urls);
        if (r >= 0)
                r = add_strings(own, "clientURLs", &member->client_urls);
        json_decref(raft);
        json_decref(own);
        members->length++;
        return r;
}

static int compare_members(const void *a, const void *b) {
        uint64_t x = ((const StoreMember *)a)->id, y = ((const StoreMember *)b)->id;

        return (x > y) - (x < y);
}

int members_read(Members *members, const Tree *tree) {
        _cleanup_(members_deinit) Members fresh = {0};
        ChildPosition position = {0};
        const Node *folder;
        Node *child;
        int r;

        r = tree_find(tree, slice_from(MEMBERS_PATH), &folder, NULL);
        if (r != 0)
                return r < 0 ? r : 0;
        fresh.items = calloc(children_count(&folder->children) + 1, sizeof(*fresh.items));
        if (!fresh.items)
                return -ENOMEM;
        while (children_next(&folder->children, &position, &child)) {
                _cleanup_free_ char *name = slice_dup(node_name(child));
                char *end;
                uint64_t id;

                if (!name)
                        return -ENOMEM;
                id = strtoull(name, &end, 16);
                if (*end || !child->dir)
                        continue;
                r = member_read(child, id, &fresh);
                if (r < 0)
                        return r;
        }
        qsort(fresh.items, fresh.length, sizeof(*fresh.items), compare_members);
        members_deinit(members);
        *members = fresh;
        fresh = (Members){0};
        return 0;
}

const StoreMember *members_find(const Members *members, uint64_t id) {
        for (size_t i = 0; i < members->length; i++)
                if (members->items[i].id == id)
                        return &members->items[i];
        return NULL;
}

int members_format_attributes(Buffer *buffer, const char *name, const StringList *client_urls) {
        JsonWriter writer = json_writer(buffer);

        json_begin_object(&writer);
        json_field_string(&writer, "name", name);
        json_field_strings(&writer, "clientURLs", client_urls);
        json_end_object(&writer);
        return buffer_failed(buffer);
}

int members_attributes_path(Buffer *buffer, uint64_t id) {
        return buffer_printf(buffer, MEMBERS_PATH "/%" PRIx64 "/attributes", id);
}

int members_format(Buffer *buffer, const Members *members) {
        JsonWriter json = json_writer(buffer);

        json_begin_array(&json);
        for (size_t i = 0; i < members->length; i++) {
                json_begin_object(&json);
                json_field_u64(&json, "id", members->items[i].id);
                json_field_strings(&json, "peerURLs", &members->items[i].peer_urls);
                json_field_string(&json, "name", members->items[i].name);
                json_field_strings(&json, "clientURLs", &members->items[i].client_urls);
                json_end_object(&json);
        }
        json_end_array(&json);
        return buffer_append_byte(buffer, '\n');
}
