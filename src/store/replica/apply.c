/* The tree's side: committed entries become changes and results. */
#include <errno.h>
#include <inttypes.h>

#include "base/wire.h"
#include "store/replica/internal.h"

/* ---- commands ---- */

static int apply_command(Replica *replica, const RaftEntry *entry) {
        WireReader reader = wire_reader((Slice){entry->data, entry->length});
        uint64_t member = wire_get_u64(&reader), id = wire_get_u64(&reader);
        ReplicaRequest *request = NULL;
        ReplicaResult result = {.raft_index = entry->index, .raft_term = entry->term};
        _cleanup_event_ Event *event = NULL;
        _cleanup_tree_error_ TreeError error = {0};
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
        return 0;
}

static int apply_entry(Replica *replica, const RaftEntry *entry) {
        int r = 0;

        if (entry->index <= replica->counts.applied_index)
                return 0; /* a snapshot was installed that has it already */
        if (raft_entry_is_conf_change(entry))
                r = members_apply(replica, entry);
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
                if (hub_is_crowded(&replica->tree.hub))
                        hub_dispatch(&replica->tree.hub);
        }
        replica_deliver(replica, &message->responses);
        return 0;
}
