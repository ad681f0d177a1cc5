/* The members as the tree has them, and what a committed change of the configuration makes of them: the same on all. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/wire.h"
#include "store/replica/internal.h"

#define MEMBERS_PATH TREE_SYSTEM "/members"
#define REMOVED_PATH TREE_SYSTEM "/removed_members"

/* ---- the change's context: docs/formats/store-members.md ---- */

int change_encode_context(uint64_t member, uint64_t request, Slice attributes, Buffer *buffer) {
        wire_put_u8(buffer, CHANGE_CONTEXT_VERSION);
        wire_put_u64(buffer, member);
        wire_put_u64(buffer, request);
        return buffer_append(buffer, attributes.data, attributes.length);
}

ChangeContext change_decode_context(Slice bytes) {
        WireReader reader = wire_reader(bytes);
        ChangeContext context = {.attributes = bytes};

        if (bytes.length == 0 || bytes.data[0] != CHANGE_CONTEXT_VERSION)
                return context; /* of a founder: its attributes alone */
        (void)wire_get_u8(&reader);
        context.member = wire_get_u64(&reader);
        context.request = wire_get_u64(&reader);
        context.attributes = wire_failed(&reader) ? (Slice){"", 0} : reader.rest;
        return context;
}

/* ---- the tree ---- */

static int member_path(Buffer *path, const char *folder, uint64_t id, const char *rest) {
        return buffer_printf(path, "%s/%" PRIx64 "%s", folder, id, rest);
}

/* 1 with the node, 0: there is none. */
static int member_find(const Replica *replica, const char *folder, uint64_t id, const char *rest,
                       const Node **ret_node) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT;
        int r = member_path(&path, folder, id, rest);

        if (r >= 0)
                r = tree_find(&replica->tree, (Slice){buffer_data(&path), buffer_length(&path)}, ret_node, NULL);
        return r < 0 ? r : r == 0;
}

static int member_set(Replica *replica, uint64_t id, Slice attributes) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT;
        Command command = {.kind = COMMAND_SET, .value = attributes};
        int r;

        r = member_path(&path, MEMBERS_PATH, id, "/raftAttributes");
        if (r < 0)
                return r;
        command.path = (Slice){buffer_data(&path), buffer_length(&path)};
        r = tree_apply(&replica->tree, &command, NULL, NULL);
        return r < 0 ? r : 0;
}

/* A removed id can never return: it is remembered. */
static int member_remove(Replica *replica, uint64_t id) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT, removed = BUFFER_INIT;
        Command drop = {.kind = COMMAND_DELETE, .dir = true, .recursive = true}, remember = {.kind = COMMAND_SET};
        int r;

        r = member_path(&path, MEMBERS_PATH, id, "");
        if (r >= 0)
                r = member_path(&removed, REMOVED_PATH, id, "");
        if (r < 0)
                return r;
        drop.path = (Slice){buffer_data(&path), buffer_length(&path)};
        remember.path = (Slice){buffer_data(&removed), buffer_length(&removed)};
        r = tree_apply(&replica->tree, &drop, NULL, NULL);
        if (r >= 0)
                r = tree_apply(&replica->tree, &remember, NULL, NULL);
        return r < 0 ? r : 0;
}

int members_find_removed(const Replica *replica, uint64_t id) {
        const Node *node;

        return member_find(replica, REMOVED_PATH, id, "", &node);
}

/* ---- what may be done ---- */

static bool urls_overlap(const json_t *a, const json_t *b) {
        const json_t *x, *y;
        size_t i, k;

        json_array_foreach(a, i, x) json_array_foreach(b, k, y) if (json_equal(x, y)) return true;
        return false;
}

/* 1: another member than `id` has one of the URLs in `attributes`. */
static int members_share_url(const Replica *replica, uint64_t id, Slice attributes) {
        json_t *wanted = json_loadb(attributes.data, attributes.length, 0, NULL);
        _cleanup_buffer_ Buffer own = BUFFER_INIT;
        ChildPosition position = {0};
        const Node *folder;
        Node *child;
        int r;

        r = buffer_printf(&own, "%" PRIx64, id);
        if (r >= 0)
                r = tree_find(&replica->tree, slice_from(MEMBERS_PATH), &folder, NULL);
        if (r != 0) {
                json_decref(wanted);
                return r < 0 ? r : 0;
        }
        while (r == 0 && children_next(&folder->children, &position, &child)) {
                const Node *node = child->dir ? children_find(&child->children, slice_from("raftAttributes")) : NULL;
                Slice value = node && !node->dir ? value_slice(node->value) : (Slice){"", 0};
                json_t *there = json_loadb(value.data, value.length, 0, NULL);

                if (!slice_equals(node_name(child), (Slice){buffer_data(&own), buffer_length(&own)}))
                        r = urls_overlap(json_object_get(wanted, "peerURLs"), json_object_get(there, "peerURLs"));
                json_decref(there);
        }
        json_decref(wanted);
        return r;
}

/* 0, or the ReplicaChangeCode that refuses it: by the tree alone, so that all members judge alike. */
static int change_judge(const Replica *replica, const RaftConfSingle *single, Slice attributes) {
        const RaftConfState *state = &replica->configuration;
        const Node *node;
        int r;

        r = members_find_removed(replica, single->id);
        if (r != 0)
                return r < 0 ? r : REPLICA_MEMBER_GONE;
        r = member_find(replica, MEMBERS_PATH, single->id, "", &node);
        if (r < 0)
                return r;
        switch (single->operation) {
        case RAFT_CONF_ADD_VOTER:
                /* a founder, or a learner that becomes a voter */
                if (r > 0)
                        return attributes.length == 0 && raft_ids_contain(&state->learners, single->id)
                                       ? 0
                                       : REPLICA_MEMBER_EXISTS;
                return attributes.length > 0 ? 0 : REPLICA_MEMBER_UNKNOWN;
        case RAFT_CONF_ADD_LEARNER:
                if (r > 0)
                        return REPLICA_MEMBER_EXISTS;
                break;
        case RAFT_CONF_UPDATE:
                if (r == 0)
                        return REPLICA_MEMBER_UNKNOWN;
                break;
        case RAFT_CONF_REMOVE:
                return r > 0 ? 0 : REPLICA_MEMBER_UNKNOWN;
        }
        r = members_share_url(replica, single->id, attributes);
        return r < 0 ? r : r > 0 ? REPLICA_MEMBER_URL_EXISTS : 0;
}

/* ---- applying ---- */

static int change_carry_out(Replica *replica, const RaftConfChange *change, Slice attributes, uint64_t index) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < change->length; i++) {
                const RaftConfSingle *single = &change->changes[i];

                if (single->operation == RAFT_CONF_REMOVE) {
                        r = member_remove(replica, single->id);
                        replica->last_removal = index;
                        if (single->id == replica->config.id)
                                removal_noticed(replica);
                } else if (attributes.length > 0)
                        r = member_set(replica, single->id, attributes);
        }
        if (r >= 0 && replica->ops->members_changed)
                replica->ops->members_changed(replica->userdata);
        return r;
}

int members_apply(Replica *replica, const RaftEntry *entry) {
        ReplicaResult result = {.raft_index = entry->index, .raft_term = entry->term};
        ReplicaRequest *request = NULL;
        ChangeContext context;
        RaftConfChange change;
        int r;

        r = raft_conf_change_decode(entry, &change);
        if (r < 0)
                return r;
        context = change_decode_context(change.context);
        r = change.length == 1 ? change_judge(replica, &change.changes[0], context.attributes) : 0;
        if (r == 0) {
                r = raft_apply_conf_change(replica->raft, &change, &replica->configuration, NULL);
                if (r == RAFT_CHANGE_REFUSED)
                        r = REPLICA_CHANGE_REFUSED;
                else if (r == 0)
                        r = change_carry_out(replica, &change, context.attributes, entry->index);
        }
        if (r < 0)
                return r;
        if (context.member == replica->config.id)
                request = changes_find(replica, context.request);
        if (request) {
                result.code = r;
                request_finish(request, &result);
        }
        return 0;
}
