/* The way to the store: requests and replies take time, get lost, and are cut off; a store without a leader refuses. */
#include <errno.h>

#include "link-internal.h"

enum { TIMEOUT_SEC = 5, REFUSED_MSEC = 2 };

static LinkCall *call_of(ListNode *node) {
        return container_of(node, LinkCall, node);
}

void link_call_free(LinkCall *call) {
        world_cancel(call->link->world, &call->timer);
        world_cancel(call->link->world, &call->timeout);
        if (call->at_fake)
                (void)store_call_cancel(call->inner);
        list_unlink(&call->node);
        link_stream_deinit(call);
        store_reply_deinit(&call->reply);
        free(call->key);
        free(call->value);
        free(call->prev_value);
        if (call->busy)
                call->dead = true;
        else
                free(call);
}

/* ---- copies of replies, which the store only lends ---- */

static char *copy_string(const char *text) {
        char *copy = text ? strdup(text) : NULL;

        if (text && !copy)
                abort();
        return copy;
}

/* To the depth of fleet's keys. */
static void copy_node(const StoreNode *from, StoreNode *to) {
        *to = *from;
        to->key = copy_string(from->key);
        to->value = copy_string(from->value);
        to->expiration = copy_string(from->expiration);
        to->nodes = from->node_count ? calloc(from->node_count, sizeof(*to->nodes)) : NULL;
        for (size_t i = 0; i < from->node_count; i++)
                copy_node(&from->nodes[i], &to->nodes[i]);
}

static StoreNode *copy_tree(const StoreNode *from) {
        StoreNode *to = from ? calloc(1, sizeof(*to)) : NULL;

        if (to)
                copy_node(from, to);
        return to;
}

void link_copy_reply(const StoreReply *from, StoreReply *to) {
        *to = *from;
        to->message = copy_string(from->message);
        to->cause = copy_string(from->cause);
        to->action = copy_string(from->action);
        to->node = copy_tree(from->node);
        to->prev_node = copy_tree(from->prev_node);
}

/* ---- the caller's end ---- */

static void call_tell(LinkCall *call, const StoreReply *reply) {
        StoreReplied replied = call->replied;
        Machine *machine = call->link->machine;

        call->replied = NULL;
        world_cancel(call->link->world, &call->timeout);
        if (!replied)
                return;
        replied(call->userdata, reply);
        if (machine)
                machine_turn(machine);
}

static void call_fail(LinkCall *call, int r, int code, const char *text) {
        StoreReply reply = {.r = r, .code = code};

        (void)error_set(&reply.error, r, "%s", text);
        call_tell(call, &reply);
}

/* What waits at a server that does not answer is given up; whether it was the same one is a matter of chance. */
static void break_streams(Link *link) {
        list_foreach (&link->calls, node) {
                LinkCall *call = call_of(node);

                if (call->events && call->at_fake && random_chance(&link->world->link_chance, 1, 2))
                        link_stream_break(call, -ETIMEDOUT, "the store does not answer others in time");
        }
}

/* A write that nobody waits for any more may still be carried out. */
static void on_timeout(World *world, Timer *timer) {
        LinkCall *call = container_of(timer, LinkCall, timeout);

        if (call->link->machine) {
                call->link->machine->troubled = world->now;
                if (world->store_state == STORE_WELL && world->store_troubled + 6 * USEC_PER_SEC < world->now)
                        call->link->machine->at_fault = world->now;
        }
        break_streams(call->link);
        call_fail(call, -ETIMEDOUT, 0, "the store does not answer in time");
        if (call->lost)
                link_call_free(call);
}

static void on_delivered(World *world, Timer *timer) {
        LinkCall *call = container_of(timer, LinkCall, timer);
        StoreReply reply = call->reply;

        (void)world;
        if (call->link->cut && (reply.r >= 0 || reply.code)) { /* the network tries again until it comes through */
                world_schedule(world, timer, world->now + USEC_PER_SEC);
                return;
        }
        call->reply = (StoreReply){0};
        call_tell(call, &reply);
        store_reply_deinit(&reply);
        link_call_free(call);
}

/* ---- the store's end ---- */

Usec link_draw_delay(const Link *link) {
        World *world = link->world;
        Usec delay = 50 + world_draw_time(&world->link_chance, world->plan.delay);

        return delay + (link->slow ? random_below(&world->link_chance, link->slow) : 0);
}

static bool draw_loss(const Link *link) {
        World *world = link->world;

        return !world->healed && random_chance(&world->link_chance, world->plan.loss, 1000000);
}

static void call_answer(LinkCall *call, const StoreReply *reply) {
        World *world = call->link->world;

        call->stage = STAGE_ANSWERED;
        call->at_fake = false;
        link_copy_reply(reply, &call->reply);
        if (call->request.verb != STORE_WATCH && draw_loss(call->link)) {
                world_count(world, COUNT_REPLIES_LOST);
                call->lost = true;
                if (!call->replied)
                        link_call_free(call);
                return;
        }
        call->timer.fire = on_delivered;
        world_schedule(world, &call->timer, world->now + link_draw_delay(call->link));
}

static void on_replied(void *userdata, const StoreReply *reply) {
        call_answer(userdata, reply);
}

static void call_refuse(LinkCall *call, int r, int code, const char *text) {
        StoreReply reply = {.r = r, .code = code};

        if (call->events) {
                link_stream_refuse(call, r, code, text);
                return;
        }
        (void)error_set(&reply.error, r, "%s", text);
        call_answer(call, &reply);
}

static void call_lose(LinkCall *call) {
        call->lost = true;
        if (!call->replied)
                link_call_free(call);
}

static void call_arrive(LinkCall *call) {
        World *world = call->link->world;

        call->stage = STAGE_AT_STORE;
        if (call->request.verb != STORE_GET && call->request.verb != STORE_WATCH)
                world->writes++;
        store_run(world);
        if (call->events)
                link_stream_arrive(call);
        else if (storeclient_send(fake_store_client(world->store), &call->request, on_replied, call, &call->inner) < 0)
                abort();
        call->at_fake = true;
        store_run(world);
}

static void on_arrived(World *world, Timer *timer) {
        LinkCall *call = container_of(timer, LinkCall, timer);
        bool watch = call->request.verb == STORE_WATCH;

        if (call->link->cut || world->store_state == STORE_IS_SILENT) {
                if (watch && world->now - call->sent >= TIMEOUT_SEC * USEC_PER_SEC)
                        call_refuse(call, -ETIMEDOUT, 0, "the store does not begin in time");
                else if (watch)
                        world_schedule(world, timer, world->now + USEC_PER_SEC);
                else if (call->link->cut && random_chance(&world->link_chance, 1, 2))
                        call_refuse(call, -EHOSTUNREACH, 0, "there is no way to the store");
                else
                        call_lose(call);
        } else if (world->store_state == STORE_GONE) {
                call_refuse(call, -ECONNREFUSED, 0, "nobody listens there");
        } else if (world->store_state == STORE_REFUSES && !watch) {
                call_refuse(call, -EREMOTEIO, STORE_RAFT_INTERNAL, "the store has no leader");
        } else if (!watch && draw_loss(call->link)) {
                world_count(world, COUNT_REQUESTS_LOST);
                call_lose(call);
        } else {
                call_arrive(call);
        }
}

void store_run(World *world) {
        if (world->store_state != STORE_WELL)
                return;
        if (world->now > world->store_time) {
                fake_store_advance(world->store, world->now - world->store_time);
                world->store_time = world->now;
        }
        while (!world->failed && fake_store_run(world->store))
                ;
}

/* ---- the seam ---- */

static LinkCall *call_new(Link *link, const StoreRequest *request, void *userdata) {
        LinkCall *call = calloc(1, sizeof(*call));
        World *world = link->world;

        if (!call)
                abort();
        *call = (LinkCall){.base.client = &link->base,
                           .timer = TIMER_INIT(on_arrived),
                           .timeout = TIMER_INIT(on_timeout),
                           .link = link,
                           .request = *request,
                           .key = copy_string(request->key),
                           .value = copy_string(request->value),
                           .prev_value = copy_string(request->prev_value),
                           .userdata = userdata,
                           .sent = world->now};
        call->request.key = call->key;
        call->request.value = call->value;
        call->request.prev_value = call->prev_value;
        list_init(&call->parcels);
        list_append(&link->calls, &call->node);
        world_schedule(world, &call->timer, world->now + link_draw_delay(link));
        return call;
}

static int link_send(StoreClient *client, const StoreRequest *request, StoreReplied replied, void *userdata,
                     StoreCall **ret_call) {
        Link *link = container_of(client, Link, base);
        LinkCall *call = call_new(link, request, userdata);
        Usec timeout = request->timeout ?: TIMEOUT_SEC * USEC_PER_SEC;

        call->replied = replied;
        world_schedule(link->world, &call->timeout, link->world->now + timeout);
        if (ret_call)
                *ret_call = &call->base;
        return 0;
}

static int link_stream(StoreClient *client, const StoreRequest *request, const StoreStreamEvents *events, void *userdata,
                       StoreCall **ret_call) {
        LinkCall *call = call_new(container_of(client, Link, base), request, userdata);

        call->events = events;
        if (ret_call)
                *ret_call = &call->base;
        return 0;
}

static void forget(LinkCall *call) {
        call->replied = NULL;
        world_cancel(call->link->world, &call->timeout);
        if (call->request.verb == STORE_WATCH || call->lost || call->stage == STAGE_ANSWERED)
                link_call_free(call);
}

static void link_cancel(StoreCall *base) {
        forget((LinkCall *)base);
}

static const StoreClientOps link_ops = {link_send, link_stream, link_cancel};

void link_init(Link *link, World *world, Machine *machine) {
        *link = (Link){.base.ops = &link_ops, .world = world, .machine = machine};
        list_init(&link->calls);
}

/* Some watches that stand are found broken, others go on when all is well again. */
void link_shake(Link *link) {
        list_foreach (&link->calls, node) {
                LinkCall *call = call_of(node);

                if (call->events && call->at_fake && random_chance(&link->world->link_chance, 1, 2))
                        link_stream_break(call, -ECONNRESET, "the connection broke");
        }
}

void link_set_cut(Link *link, bool cut) {
        if (link->cut == cut)
                return;
        link->cut = cut;
        link_shake(link);
}

void link_abandon(Link *link) {
        list_foreach(&link->calls, node)
                forget(call_of(node));
}

void link_deinit(Link *link) {
        if (!link->world)
                return;
        while (!list_is_empty(&link->calls))
                link_call_free(call_of(link->calls.next));
}
