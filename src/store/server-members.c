/* What the server knows of the members, by the tree, and what it tells them of itself. */
#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "store/server-internal.h"

enum { PUBLISH_RETRY_MSEC = 1000 };

int server_parse_urls(const StringList *texts, Url **ret_urls) {
        Url *urls = calloc(texts->length + 1, sizeof(*urls));
        size_t count = 0;

        if (!urls)
                return -ENOMEM;
        for (size_t i = 0; i < texts->length; i++)
                if (url_parse(texts->items[i], 0, &urls[count], NULL) >= 0)
                        count++;
        *ret_urls = urls;
        return (int)count;
}

static void server_update_peers(Server *server) {
        uint64_t ids[RAFT_MEMBERS_MAX];
        size_t count = 0;

        for (size_t i = 0; i < server->members.length && count < RAFT_MEMBERS_MAX; i++) {
                const StoreMember *member = &server->members.items[i];
                _cleanup_free_ Url *urls = NULL;
                int n = server_parse_urls(&member->peer_urls, &urls);

                ids[count++] = member->id;
                if (n > 0)
                        (void)peers_set(server->peers, member->id, urls,
                                        (size_t)n); /* tried again at the next change */
        }
        if (count > 0)
                peers_keep_only(server->peers, ids, count);
}

static void on_members_event(Watcher *watcher, void *userdata) {
        Server *server = userdata;
        Event *event;

        while ((event = watcher_take(watcher)))
                event_unref(event);
        server->members_stale = true;
        if (watcher_state(watcher) != WATCHER_WAITING)
                server->members_watch = watcher_free(server->members_watch);
}

static void server_watch_members(Server *server) {
        const WatchOptions options = {
                .path = slice_from(TREE_SYSTEM "/members"),
                .recursive = true,
                .stream = true,
                .own = true,
                .ready = on_members_event,
                .userdata = server,
        };

        if (!server->members_watch &&
            tree_watch(replica_tree(server->replica), &options, &server->members_watch, NULL) != 0)
                server->members_watch = NULL;
}

/* The cluster decides where a member is found; it can only be told. */
static void server_check_urls(Server *server) {
        const StoreMember *self = members_find(&server->members, replica_id(server->replica));
        char text[URL_TEXT_MAX];

        if (!self || server->urls_checked)
                return;
        server->urls_checked = true;
        for (size_t i = 0; i < server->settings->advertise_peer.length; i++) {
                url_format(&server->settings->advertise_peer.items[i], text);
                if (!string_list_contains(&self->peer_urls, text))
                        log_warning("--initial-advertise-peer-urls has %s, but the cluster finds this member at %s: "
                                    "tell it with "
                                    "\"faering store member update %" PRIx64 " %s\", or correct the option",
                                    text, self->peer_urls.length ? self->peer_urls.items[0] : "no URL", self->id, text);
        }
}

static void server_log_members(Server *server) {
        const RaftConfState *state = replica_configuration(server->replica);

        if (state->voters.length == server->voters && state->learners.length == server->standbys)
                return;
        server->voters = state->voters.length;
        server->standbys = state->learners.length;
        log_info("the cluster has %zu voting member%s%s", server->voters, server->voters == 1 ? "" : "s",
                 server->standbys ? ", and others that stand by until they have caught up" : "");
}

void server_refresh_members(Server *server) {
        server_watch_members(server);
        if (!server->members_stale)
                return;
        if (members_read(&server->members, replica_tree(server->replica)) < 0)
                return;
        server->members_stale = false;
        if (server->members.length > 0)
                server_update_peers(server);
        server_log_members(server);
        server_check_urls(server);
}

static bool server_is_published(const Server *server) {
        const StoreMember *self = members_find(&server->members, replica_id(server->replica));

        if (!self || !str_equals(self->name, server->settings->name) ||
            self->client_urls.length != server->advertised.length)
                return false;
        for (size_t i = 0; i < server->advertised.length; i++)
                if (!str_equals(self->client_urls.items[i], server->advertised.items[i]))
                        return false;
        return true;
}

static void on_published(void *userdata, const ReplicaResult *result) {
        Server *server = userdata;

        server->publishing = false;
        if (result->r < 0)
                server->publish_retry = clock_monotonic() + PUBLISH_RETRY_MSEC * USEC_PER_MSEC;
}

void server_publish(Server *server) {
        _cleanup_buffer_ Buffer path = BUFFER_INIT, value = BUFFER_INIT;
        Command command = {.kind = COMMAND_SET};

        if (server->publishing || server->published || server->members_stale || server->members.length == 0 ||
            clock_monotonic() < server->publish_retry)
                return;
        server->published = server_is_published(server);
        if (server->published || server->leader == RAFT_ID_NONE)
                return;
        if (members_attributes_path(&path, replica_id(server->replica)) < 0 ||
            members_format_attributes(&value, server->settings->name, &server->advertised) < 0)
                return;
        command.path = (Slice){buffer_data(&path), buffer_length(&path)};
        command.value = (Slice){buffer_data(&value), buffer_length(&value)};
        command.time = clock_wall();
        if (replica_propose(server->replica, &command, on_published, server, NULL) >= 0)
                server->publishing = true;
}
