/* The tree's side: committed entries become changes, results, and news about members. */
#include <errno.h>
#include <inttypes.h>

#include "base/wire.h"
#include "store/replica/internal.h"

/* ---- members ---- */

static int member_path(Buffer *path, const char *folder, uint64_t id, const char *rest) {
        (void)buffer_printf(path, TREE_SYSTEM "/%s/%" PRIx64 "%s", folder, id, rest);
        return buffer_failed(path);
}

static int member_set(Replica *replica, uint64_t id, Slice attributes) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT;
        Command command = {.kind = COMMAND_SET, .value = attributes};
        int r;

        r = member_path(&path, "members", id, "/raftAttributes");
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

        r = member_path(&path, "members", id, "");
        if (r >= 0)
                r = member_path(&removed, "removed_members", id, "");
        if (r < 0)
                return r;
        drop.path = (Slice){buffer_data(&path), buffer_length(&path)};
        remember.path = (Slice){buffer_data(&removed), buffer_length(&removed)};
        r = tree_apply(&replica->tree, &drop, NULL, NULL);
        if (r >= 0)
                r = tree_apply(&replica->tree, &remember, NULL, NULL);
        return r < 0 ? r : 0;
}

static int apply_conf_change(Replica *replica, const RaftEntry *entry) {
        RaftConfChange change;
        int r;

        r = raft_conf_change_decode(entry, &change);
        if (r < 0)
                return r;
        r = raft_apply_conf_change(replica->raft, &change, NULL, NULL);
        if (r == RAFT_CHANGE_REFUSED)
                return 0;
        for (size_t i = 0; r >= 0 && i < change.length; i++) {
                const RaftConfSingle *single = &change.changes[i];

                if (single->operation == RAFT_CONF_REMOVE)
                        r = member_remove(replica, single->id);
                else if (change.context.length > 0)
                        r = member_set(replica, single->id, change.context);
        }
        if (r >= 0 && replica->ops->members_changed)
                replica->ops->members_changed(replica->userdata);
        return r < 0 ? r : 0;
}

/* ---- commands ---- */

static int apply_command(Replica *replica, const RaftEntry *entry) {
        WireReader reader = wire_reader((Slice){entry->data, entry->length});
        uint64_t member = wire_get_u64(&reader), id = wire_get_u64(&reader);
        ReplicaRequest *request = NULL;
        ReplicaResult result = {.raft_index = entry->index, .raft_term = entry->term};
        Event *event = NULL;
        TreeError error = {0};
        Command command;
        int r;

        if (wire_failed(&reader) || command_decode(reader.rest, &command) < 0) {
                replica_fail(replica, -EPROTO,
                             "entry %" PRIu64 " holds a command that this program does not know: it was written by a newer "
                             "version. Start that version here",
                             entry->index);
                return 0;
        }
        if (member == replica->config.id)
                request = requests_find(replica, id);
        r = tree_apply(&replica->tree, &command, request ? &event : NULL, &error);
        if (r < 0)
                return r;
        if (request) {
                result.code = r;
                result.event = event;
                result.error = &error;
                request_finish(request, &result);
        }
        event_unref(event);
        return 0;
}

static int apply_entry(Replica *replica, const RaftEntry *entry) {
        int r = 0;

        if (entry->index <= replica->counts.applied_index)
                return 0; /* a snapshot was installed that has it already */
        if (raft_entry_is_conf_change(entry))
                r = apply_conf_change(replica, entry);
        else if (entry->length > 0)
                r = apply_command(replica, entry);
        if (r < 0)
                return r;
        replica->counts.applied++;
        replica->counts.applied_index = entry->index;
        replica->counts.applied_term = entry->term;
        replica->bytes_since_snapshot += entry->length;
        return 0;
}

int apply_message(Replica *replica, RaftMessage *message) {
        for (size_t i = 0; i < message->entries.length && !replica->failure; i++) {
                int r = apply_entry(replica, &message->entries.items[i]);

                if (r < 0)
                        return r;
        }
        replica_deliver(replica, &message->responses);
        return 0;
}
