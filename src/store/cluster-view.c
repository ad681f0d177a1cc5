#include "store/cluster-view.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/json-write.h"

enum { ID_DIGITS = 16 };

void cluster_view_deinit(ClusterView *view) {
        for (size_t i = 0; i < view->count; i++) {
                free(view->members[i].name);
                string_list_deinit(&view->members[i].peer_urls);
        }
        free(view->members);
        free(view->removed);
        *view = (ClusterView){0};
}

/* ---- what is said ---- */

static void write_member(JsonWriter *json, const StoreMember *member, const RaftConfState *state) {
        json_begin_object(json);
        json_field_hex(json, "id", member->id);
        json_field_string(json, "name", member->name);
        json_field_strings(json, "peerURLs", &member->peer_urls);
        json_field_bool(json, "standby", !raft_ids_contain(&state->voters, member->id));
        json_end_object(json);
}

static void write_removed(JsonWriter *json, const Tree *tree) {
        ChildPosition position = {0};
        const Node *folder;
        Node *child;

        json_key(json, "removed");
        json_begin_array(json);
        if (tree_find(tree, slice_from(TREE_SYSTEM "/removed_members"), &folder, NULL) == 0 && folder->dir)
                while (children_next(&folder->children, &position, &child))
                        json_write_string(json, node_name(child));
        json_end_array(json);
}

int cluster_view_format(Buffer *buffer, uint64_t cluster, const Members *members, const RaftConfState *state,
                        const Tree *tree) {
        JsonWriter json = json_writer(buffer);

        json_begin_object(&json);
        json_field_hex(&json, "cluster", cluster);
        json_key(&json, "members");
        json_begin_array(&json);
        for (size_t i = 0; i < members->length; i++)
                write_member(&json, &members->items[i], state);
        json_end_array(&json);
        write_removed(&json, tree);
        json_end_object(&json);
        return buffer_append_byte(buffer, '\n');
}

/* ---- what is heard ---- */

static bool parse_id(const json_t *value, uint64_t *ret) {
        const char *text = json_string_value(value);
        size_t length = text ? strlen(text) : 0;
        uint64_t id = 0;

        if (length == 0 || length > ID_DIGITS || strspn(text, "0123456789abcdef") != length)
                return false;
        for (size_t i = 0; i < length; i++)
                id = id << 4 | (uint64_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
        *ret = id;
        return id != 0;
}

static int parse_member(const json_t *object, ClusterViewMember *member) {
        const char *name = json_string_value(json_object_get(object, "name"));
        const json_t *urls = json_object_get(object, "peerURLs"), *url;
        size_t i;

        if (!parse_id(json_object_get(object, "id"), &member->id) || !name)
                return -EINVAL;
        member->standby = json_is_true(json_object_get(object, "standby"));
        json_array_foreach(urls, i,
                           url) if (json_is_string(url) &&
                                    string_list_add(&member->peer_urls, json_string_value(url)) < 0) return -ENOMEM;
        string_list_sort(&member->peer_urls);
        member->name = strdup(name);
        return member->name ? 0 : -ENOMEM;
}

static int parse_members(const json_t *list, ClusterView *view) {
        const json_t *object;
        size_t i;

        view->members = calloc(json_array_size(list) + 1, sizeof(*view->members));
        if (!view->members)
                return -ENOMEM;
        json_array_foreach(list, i, object) {
                int r;

                view->count++;
                r = parse_member(object, &view->members[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_removed(const json_t *list, ClusterView *view) {
        const json_t *id;
        size_t i;

        view->removed = calloc(json_array_size(list) + 1, sizeof(*view->removed));
        if (!view->removed)
                return -ENOMEM;
        json_array_foreach(list, i, id) if (!parse_id(id, &view->removed[view->removed_count++])) return -EINVAL;
        return 0;
}

int cluster_view_parse(Slice text, ClusterView *ret_view, Error *error) {
        _cleanup_cluster_view_ ClusterView view = {0};
        json_t *root = json_loadb(text.data, text.length, 0, NULL);
        const json_t *members = json_object_get(root, "members"), *removed = json_object_get(root, "removed");
        int r = -EINVAL;

        if (parse_id(json_object_get(root, "cluster"), &view.cluster) && json_is_array(members) &&
            json_is_array(removed) && json_array_size(members) <= CLUSTER_VIEW_MEMBERS_MAX &&
            json_array_size(removed) <= CLUSTER_VIEW_REMOVED_MAX) {
                r = parse_members(members, &view);
                if (r >= 0)
                        r = parse_removed(removed, &view);
        }
        json_decref(root);
        if (r == -EINVAL)
                return error_set(error, r,
                                 "what it says of its members makes no sense: is it a faering-store of this version?");
        if (r < 0)
                return r;
        *ret_view = view;
        view = (ClusterView){0};
        return 0;
}

/* ---- what follows ---- */

bool cluster_view_has_removed(const ClusterView *view, uint64_t id) {
        for (size_t i = 0; i < view->removed_count; i++)
                if (view->removed[i] == id)
                        return true;
        return false;
}

const ClusterViewMember *cluster_view_find(const ClusterView *view, uint64_t id) {
        for (size_t i = 0; i < view->count; i++)
                if (view->members[i].id == id)
                        return &view->members[i];
        return NULL;
}

const ClusterViewMember *cluster_view_find_url(const ClusterView *view, const BootstrapMember *member) {
        char text[URL_TEXT_MAX];

        for (size_t k = 0; k < member->url_count; k++) {
                url_format(&member->urls[k], text);
                for (size_t i = 0; i < view->count; i++)
                        if (string_list_contains(&view->members[i].peer_urls, text))
                                return &view->members[i];
        }
        return NULL;
}

static void describe_members(const ClusterView *view, Buffer *text) {
        for (size_t i = 0; i < view->count; i++) {
                (void)buffer_printf(text, "%s%s=", i ? ", " : "",
                                    view->members[i].name[0] ? view->members[i].name : "(not started)");
                for (size_t k = 0; k < view->members[i].peer_urls.length; k++)
                        (void)buffer_printf(text, "%s%s", k ? "," : "", view->members[i].peer_urls.items[k]);
        }
}

/* A member's data is its word: without it, it could vote twice in a term, or lose what it acknowledged. */
static int refuse_lost_data(const ClusterViewMember *member, Error *error) {
        return error_set(error, -EEXIST,
                         "member %" PRIx64
                         "%s%s takes part in the running cluster already, but its data is not here: a member that "
                         "has lost its data must not go on. Name the right --data-dir, or replace it: faering store "
                         "member remove "
                         "%" PRIx64 ", member add, and start it with --initial-cluster-state existing",
                         member->id, member->name[0] ? " " : "", member->name, member->id);
}

int cluster_view_may_found(const ClusterView *view, const BootstrapMember *self, Error *error) {
        const ClusterViewMember *member = cluster_view_find(view, self->id);

        if (cluster_view_has_removed(view, self->id))
                return error_set(error, -EEXIST,
                                 "member %" PRIx64
                                 " was removed from the running cluster, and an id can never return: add it anew "
                                 "(faering store member add %s URL) and start it with --initial-cluster-state existing",
                                 self->id, self->name);
        return member && member->name[0] ? refuse_lost_data(member, error) : 0;
}

int cluster_view_join(const ClusterView *view, const Bootstrap *bootstrap, const BootstrapMember *self,
                      const ClusterViewMember **ret_member, Error *error) {
        const ClusterViewMember *member = cluster_view_find_url(view, self);
        _cleanup_buffer_ Buffer all = BUFFER_INIT;
        char text[URL_TEXT_MAX];

        describe_members(view, &all);
        if (!buffer_string(&all))
                return -ENOMEM;
        url_format(&self->urls[0], text);
        if (!member)
                return error_set(
                        error, -ENOENT,
                        "the running cluster has no member with the peer URL %s, which --initial-cluster gives to %s: "
                        "add it "
                        "first with \"faering store member add %s %s\", or correct the URL. Its members are %s",
                        text, self->name, self->name, text, buffer_string(&all));
        for (size_t i = 0; i < bootstrap->count; i++) {
                const BootstrapMember *other = &bootstrap->members[i];

                url_format(&other->urls[0], text);
                if (!cluster_view_find_url(view, other))
                        return error_set(error, -EINVAL,
                                         "--initial-cluster has %s=%s, but the running cluster has no member with that "
                                         "peer URL: "
                                         "correct or drop it. Its members are %s",
                                         other->name, text, buffer_string(&all));
        }
        if (member->name[0] || !member->standby)
                return refuse_lost_data(member, error);
        *ret_member = member;
        return 0;
}
