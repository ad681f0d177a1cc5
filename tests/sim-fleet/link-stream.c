/* Streams of events on the way from the store: they come in order, late, several together, and break off. */
#include <errno.h>

#include "link-internal.h"

typedef enum ParcelKind {
        PARCEL_BEGUN,
        PARCEL_EVENT,
        PARCEL_ENDED,
} ParcelKind;

typedef struct Parcel {
        ListNode node;
        ParcelKind kind;
        Usec due;
        uint64_t index;
        StoreReply reply;
} Parcel;

static Parcel *parcel_of(ListNode *node) {
        return container_of(node, Parcel, node);
}

static void parcel_free(Parcel *parcel) {
        list_unlink(&parcel->node);
        store_reply_deinit(&parcel->reply);
        free(parcel);
}

void link_stream_deinit(LinkCall *call) {
        while (!list_is_empty(&call->parcels))
                parcel_free(parcel_of(call->parcels.next));
}

/* ---- the receiver's end ---- */

enum { TOGETHER_MAX = 16 };

/* Takes those that arrive together from the front. */
static size_t take_events(LinkCall *call, StoreReply list[static TOGETHER_MAX]) {
        size_t count = 0;

        while (count < TOGETHER_MAX && !list_is_empty(&call->parcels)) {
                Parcel *parcel = parcel_of(call->parcels.next);

                if (parcel->kind != PARCEL_EVENT || parcel->due > call->link->world->now)
                        break;
                list[count++] = parcel->reply;
                parcel->reply = (StoreReply){0};
                parcel_free(parcel);
        }
        return count;
}

static void deliver_events(LinkCall *call) {
        StoreReply list[TOGETHER_MAX];
        size_t count = take_events(call, list);

        call->events->events(call->userdata, list, count);
        for (size_t i = 0; i < count; i++)
                store_reply_deinit(&list[i]);
}

static void deliver_begin(LinkCall *call, Parcel *parcel) {
        uint64_t index = parcel->index;

        parcel_free(parcel);
        call->events->begun(call->userdata, index);
}

static void deliver_end(LinkCall *call, Parcel *parcel) {
        void (*ended)(void *userdata, const StoreReply *reply) = call->events->ended;
        StoreReply reply = parcel->reply;
        void *userdata = call->userdata;

        parcel->reply = (StoreReply){0};
        link_call_free(call);
        ended(userdata, &reply);
        store_reply_deinit(&reply);
}

static void deliver(LinkCall *call, Parcel *parcel) {
        if (parcel->kind == PARCEL_BEGUN)
                deliver_begin(call, parcel);
        else if (parcel->kind == PARCEL_EVENT)
                deliver_events(call);
        else
                deliver_end(call, parcel);
}

static void on_parcels(World *world, Timer *timer) {
        LinkCall *call = container_of(timer, LinkCall, timer);
        Machine *machine = call->link->machine;

        call->busy = true;
        while (!call->dead && !list_is_empty(&call->parcels)) {
                Parcel *parcel = parcel_of(call->parcels.next);
                bool held = call->link->cut && (parcel->reply.r >= 0 || parcel->reply.code);

                if (held || parcel->due > world->now) { /* the network tries again until it comes through */
                        world_schedule(world, timer, held ? world->now + USEC_PER_SEC : parcel->due);
                        break;
                }
                deliver(call, parcel);
        }
        call->busy = false;
        if (call->dead)
                free(call);
        if (machine)
                machine_turn(machine);
}

/* ---- the store's end ---- */

static void stream_send(LinkCall *call, ParcelKind kind, uint64_t index, const StoreReply *reply, Usec delay) {
        World *world = call->link->world;
        Parcel *parcel = calloc(1, sizeof(*parcel));

        if (!parcel)
                abort();
        *parcel = (Parcel){.kind = kind, .due = max_of(call->last, world->now + delay), .index = index};
        if (reply)
                link_copy_reply(reply, &parcel->reply);
        call->last = parcel->due;
        list_init(&parcel->node);
        list_append(&call->parcels, &parcel->node);
        call->timer.fire = on_parcels;
        if (call->parcels.next == &parcel->node)
                world_schedule(world, &call->timer, parcel->due);
}

static void on_begun(void *userdata, uint64_t index) {
        LinkCall *call = userdata;

        stream_send(call, PARCEL_BEGUN, index, NULL, link_draw_delay(call->link));
}

static void on_events(void *userdata, const StoreReply *events, size_t count) {
        LinkCall *call = userdata;

        for (size_t i = 0; i < count; i++)
                stream_send(call, PARCEL_EVENT, 0, &events[i], link_draw_delay(call->link));
}

static void on_ended(void *userdata, const StoreReply *reply) {
        LinkCall *call = userdata;

        call->at_fake = false;
        call->stage = STAGE_ANSWERED;
        stream_send(call, PARCEL_ENDED, 0, reply, link_draw_delay(call->link));
}

static const StoreStreamEvents store_events = {on_begun, on_events, on_ended};

void link_stream_arrive(LinkCall *call) {
        if (storeclient_stream(fake_store_client(call->link->world->store), &call->request, &store_events, call, &call->inner) < 0)
                abort();
        call->at_fake = true;
}

void link_stream_refuse(LinkCall *call, int r, int code, const char *text) {
        StoreReply reply = {.r = r, .code = code};

        (void)error_set(&reply.error, r, "%s", text);
        call->stage = STAGE_ANSWERED;
        stream_send(call, PARCEL_ENDED, 0, &reply, link_draw_delay(call->link));
}

/* All with a chance of a half each. */
static void lose_last(LinkCall *call) {
        Random *chance = &call->link->world->link_chance;

        while (!list_is_empty(&call->parcels) && (call->link->cut || random_chance(chance, 1, 2)))
                parcel_free(parcel_of(call->parcels.previous));
}

void link_stream_break(LinkCall *call, int r, const char *text) {
        World *world = call->link->world;

        if (call->at_fake)
                (void)store_call_cancel(call->inner);
        call->at_fake = false;
        lose_last(call);
        if (list_is_empty(&call->parcels)) {
                world_cancel(world, &call->timer);
                call->last = world->now;
        }
        link_stream_refuse(call, r, 0, text);
}
