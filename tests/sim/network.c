/* Messages between servers: late, lost, twice, out of order, or cut off. */
#include <errno.h>
#include <inttypes.h>

#include "store/replica/frame.h"
#include "world.h"

enum {
        UNREACHABLE_DELAY = 100 * 1000,
        BULK_BYTES_PER_USEC = 50,
};

typedef struct Parcel {
        Timer timer;
        ListNode link;
        Server *from, *to;
        RaftPayload *frame; /* NULL: tells `from` that `to` cannot be reached */
        uint64_t number;
} Parcel;

static Link *network_link(World *world, const Server *from, const Server *to) {
        return &world->links[from->id - 1][to->id - 1];
}

static void parcel_free(World *world, Parcel *parcel) {
        world_cancel(world, &parcel->timer);
        list_unlink(&parcel->link);
        raft_payload_unref(parcel->frame);
        free(parcel);
}

static void on_arrival(World *world, Timer *timer) {
        Parcel *parcel = container_of(timer, Parcel, timer);
        Server *at = parcel->frame ? parcel->to : parcel->from;
        int r;

        if (at->replica && server_defers(at, timer))
                return;
        if (!at->replica || (parcel->frame && network_link(world, parcel->from, parcel->to)->cut)) {
                world_count(world, COUNT_MESSAGES_LOST, parcel->frame != NULL);
        } else if (!parcel->frame) {
                replica_report_unreachable(at->replica, parcel->to->id);
                server_wake(at);
        } else {
                Link *link = network_link(world, parcel->from, parcel->to);

                if (parcel->number < link->delivered)
                        world_count(world, COUNT_MESSAGES_REORDERED, 1);
                link->delivered = max_of(link->delivered, parcel->number);
                r = replica_receive(at->replica, parcel->from->id, parcel->frame);
                if (r == -EBADMSG)
                        world_violate(world, "server %" PRIu64 " cannot read a message of server %" PRIu64, at->id,
                                      parcel->from->id);
                server_wake(at);
        }
        parcel_free(world, parcel);
}

static void network_post(Server *from, Server *to, RaftPayload *frame, Usec delay) {
        World *world = from->world;
        Parcel *parcel = calloc(1, sizeof(*parcel));

        if (!parcel)
                abort();
        *parcel = (Parcel){.timer = TIMER_INIT(on_arrival), .from = from, .to = to, .frame = raft_payload_ref(frame)};
        parcel->number = ++network_link(world, from, to)->sent;
        list_append(&world->parcels, &parcel->link);
        world_schedule(world, &parcel->timer, world->now + delay);
}

static Usec draw_delay(World *world, bool bulk, size_t length) {
        Random *chance = &world->network_chance;
        Usec delay = world->plan.delay + world_draw_time(chance, world->jitter);

        if (bulk)
                delay += length / BULK_BYTES_PER_USEC + random_below(chance, 20 * USEC_PER_MSEC);
        if (!world->healed && random_chance(chance, world->plan.late, 1000000)) {
                delay += random_below(chance, 3 * USEC_PER_SEC);
                world_count(world, COUNT_MESSAGES_DELAYED, 1);
        }
        return delay;
}

static void note_vote(Server *from, uint64_t term, uint64_t vote) {
        Promise *promise = &from->promise;

        if (term == promise->term && vote != promise->vote)
                world_violate(from->world,
                              "server %" PRIu64 " votes for %" PRIu64 " in term %" PRIu64 ", after a vote for %" PRIu64,
                              from->id, vote, term, promise->vote);
        if (term >= promise->term) {
                promise->term = term;
                promise->vote = vote;
        }
}

/* What it says binds the sender, whether it arrives or not. Who asks for votes has given its own: others' may be enough to
 * lead, and after a crash it must not stand in that term again. */
static void note_promise(Server *from, const RaftMessage *message) {
        Promise *promise = &from->promise;

        if (message->reject)
                return;
        if (message->type == RAFT_MESSAGE_VOTE) {
                note_vote(from, message->term, from->id);
        } else if (message->type == RAFT_MESSAGE_VOTE_RESPONSE) {
                note_vote(from, message->term, message->to);
                server_pass_moment(from, MOMENT_VOTED);
        } else if (message->type == RAFT_MESSAGE_APPEND_RESPONSE) {
                if (message->term > promise->append_term)
                        promise->append_index = 0;
                promise->append_term = max_of(promise->append_term, message->term);
                if (message->term == promise->append_term)
                        promise->append_index = max_of(promise->append_index, message->index);
                server_pass_moment(from, MOMENT_APPENDED);
        }
}

/* The receiver would refuse a configuration that it is not in, again and again. */
static void check_snapshot_sent(Server *from, const RaftMessage *message) {
        const RaftConfState *state = message->snapshot ? &message->snapshot->conf_state : NULL;

        if (state && !raft_ids_contain(&state->voters, message->to) && !raft_ids_contain(&state->learners, message->to))
                world_violate(from->world,
                              "server %" PRIu64 " sends server %" PRIu64 " a snapshot that does not know it", from->id,
                              message->to);
}

/* Looks into it. A proposal comes at most once: the links between servers never send one again. */
static bool look_into(Server *from, RaftPayload *payload) {
        _cleanup_frame_ Frame frame = {0};

        if (frame_decode(payload, &frame) < 0) {
                world_violate(from->world, "server %" PRIu64 " sends what cannot be read", from->id);
                return true;
        }
        if (frame.kind != FRAME_RAFT) {
                server_pass_moment(from, MOMENT_BULK);
                return true;
        }
        note_promise(from, &frame.message);
        check_snapshot_sent(from, &frame.message);
        return frame.message.type != RAFT_MESSAGE_PROPOSE;
}

void network_send(Server *from, uint64_t id, bool bulk, Slice frame) {
        World *world = from->world;
        Random *chance = &world->network_chance;
        Server *to = &world->servers[id - 1];
        _cleanup_raft_payload_ RaftPayload *payload = NULL;
        bool repeatable;

        if (raft_payload_new(frame.data, frame.length, &payload) < 0)
                abort();
        world_count(world, COUNT_MESSAGES, 1);
        repeatable = look_into(from, payload);
        if (!to->replica || network_link(world, from, to)->cut || random_chance(chance, world->loss, 1000000)) {
                world_count(world, COUNT_MESSAGES_LOST, 1);
                if (random_chance(chance, 1, 2))
                        network_post(from, to, NULL, random_below(chance, UNREACHABLE_DELAY));
                return;
        }
        network_post(from, to, payload, draw_delay(world, bulk, frame.length));
        if (repeatable && !world->healed && random_chance(chance, world->plan.twice, 1000000)) {
                world_count(world, COUNT_MESSAGES_TWICE, 1);
                network_post(from, to, payload,
                             draw_delay(world, bulk, frame.length) + random_below(chance, USEC_PER_SEC));
        }
}

void network_dial(Server *server) {
        World *world = server->world;
        const RaftConfState *state = replica_configuration(server->replica);
        bool knows_nobody = state->voters.length == 0; /* it was told whom to ask as it joined */

        for (size_t i = 0; i < world->length; i++) {
                Server *other = &world->servers[i];

                if (other == server || !other->replica || !(knows_nobody || server_is_member(other, state)) ||
                    network_link(world, server, other)->cut || world->now < other->paused_until)
                        continue;
                if (replica_is_removed(other->replica, server->id))
                        replica_hear_removed(server->replica, other->id);
        }
}

void network_deinit(World *world) {
        list_foreach (&world->parcels, node)
                parcel_free(world, container_of(node, Parcel, link));
}
