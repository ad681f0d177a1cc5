#include "fleet/presence.h"

#include <errno.h>

enum { RETRY_MSEC = 500, SLOW_MSEC = 1000 };

struct Presence {
        const MachineRecord *record;
        Usec ttl;
        PartitionRule rule;
        Registry *registry;
        const PresenceEvents *events;
        void *userdata;
        Usec now, next, sent, until;
        Usec confirmed; /* when the last request that was taken had been sent; 0: none yet */
        bool asking, registered, duplicate, leaving;
        bool failed;    /* the last request was not answered */
        bool behind;    /* the key had run out: what has been decided since is not known here yet */
};

int presence_new(const MachineRecord *record, const PartitionRule *rule, Registry *registry, const PresenceEvents *events, void *userdata,
                 Presence **ret_presence) {
        Presence *presence = calloc(1, sizeof(*presence));

        if (!presence)
                return -ENOMEM;
        *presence = (Presence){.record = record, .ttl = rule->ttl, .rule = *rule, .registry = registry, .events = events, .userdata = userdata};
        *ret_presence = presence;
        return 0;
}

Presence *presence_free(Presence *presence) {
        free(presence);
        return NULL;
}

static void presence_note(Presence *presence, const char *format, const char *id) {
        _cleanup_free_ char *text = str_printf("%s %s", format, id);

        if (text)
                presence->events->note(presence->userdata, text);
}

static void presence_succeed(Presence *presence) {
        if (!presence->registered)
                presence_note(presence, "registered as machine", presence->record->id);
        presence->registered = true;
        presence->duplicate = presence->failed = false;
        presence->confirmed = presence->sent;
        presence->until = presence->sent + presence->ttl;
        presence->next = presence->sent + presence->ttl / 2;
}

static void presence_retry(Presence *presence) {
        presence->next = presence->now + RETRY_MSEC * USEC_PER_MSEC;
}

static void on_caught_up(void *userdata, int r) {
        Presence *presence = userdata;

        if (r < 0) /* the registry ends */
                return;
        presence->behind = false;
        presence->events->wake(presence->userdata);
}

/* A key made anew: before the mirror has it, it may lack that our units were given to others. */
static void presence_catch_up(Presence *presence, const StoreReply *reply) {
        presence->behind = presence->confirmed != 0;
        if (presence->behind &&
            registry_reach(presence->registry, reply->node ? reply->node->modified : 0, on_caught_up, presence) < 0)
                presence->behind = false;
}

static void on_renewed(void *userdata, const StoreReply *reply) {
        Presence *presence = userdata;

        presence->asking = false;
        if (reply->r >= 0) {
                presence_succeed(presence);
                return;
        }
        if (reply->code == STORE_KEY_NOT_FOUND) { /* the store thinks that we were gone */
                presence_note(presence, "the registration has run out: registering again, machine", presence->record->id);
                presence->registered = false;
        }
        presence->failed = true;
        presence_retry(presence);
}

static void on_put(void *userdata, const StoreReply *reply) {
        Presence *presence = userdata;

        presence->asking = false;
        if (reply->r >= 0) {
                presence_catch_up(presence, reply);
                presence_succeed(presence);
        } else {
                presence->failed = true;
                presence_retry(presence);
        }
}

/* The key that is there may be our own, from before a restart. */
static bool presence_is_own(const Presence *presence) {
        const RegistryMachine *machine = registry_machine(presence->registry, presence->record->id);

        return machine && machine->record.instance && str_equals(machine->record.instance, presence->record->instance);
}

static void on_created(void *userdata, const StoreReply *reply) {
        Presence *presence = userdata;

        presence->asking = false;
        presence->failed = reply->r < 0 && reply->code != STORE_KEY_EXISTS; /* a store without a leader refuses, too */
        if (reply->r >= 0) {
                presence_catch_up(presence, reply);
                presence_succeed(presence);
        } else if (reply->code == STORE_KEY_EXISTS && presence_is_own(presence)) {
                presence->sent = presence->now;
                if (registry_put_machine(presence->registry, presence->record, presence->ttl, on_put, presence) >= 0)
                        presence->asking = true;
                else
                        presence_retry(presence);
        } else {
                if (reply->code == STORE_KEY_EXISTS && !presence->duplicate) {
                        presence->duplicate = true;
                        presence_note(presence, "another daemon is registered with this machine's ID: give each machine its own "
                                                "/etc/machine-id. Waiting for its registration to run out:",
                                      presence->record->id);
                }
                presence_retry(presence);
        }
}

void presence_run(Presence *presence, Usec now) {
        int r;

        presence->now = now;
        if (presence->registered && now > presence->until)
                presence->registered = false;
        if (presence->asking || presence->leaving || now < presence->next || !registry_is_loaded(presence->registry))
                return;
        presence->sent = now;
        if (presence->registered)
                r = registry_renew_machine(presence->registry, presence->record->id, presence->ttl, on_renewed, presence);
        else
                r = registry_create_machine(presence->registry, presence->record, presence->ttl, on_created, presence);
        if (r >= 0)
                presence->asking = true;
        else
                presence_retry(presence);
}

Usec presence_next(const Presence *presence) {
        bool waits = presence->asking || presence->leaving || !registry_is_loaded(presence->registry);
        Usec next = waits ? USEC_INFINITY : presence->next;
        Usec deadline = partition_deadline(&presence->rule, presence->confirmed);

        if (presence->confirmed && presence->now < deadline)
                next = min_of(next, deadline);
        return next;
}

bool presence_is_partitioned(const Presence *presence, Usec now) {
        return presence->confirmed && (presence->behind || partition_must_stop(&presence->rule, presence->confirmed, now));
}

bool presence_is_troubled(const Presence *presence, Usec now) {
        return presence->failed || (presence->asking && now - presence->sent > SLOW_MSEC * USEC_PER_MSEC);
}

bool presence_is_registered(const Presence *presence) {
        return presence->registered;
}

int presence_leave(Presence *presence, RegistryDone done, void *userdata) {
        bool registered = presence->registered;

        presence->leaving = true;
        presence->registered = false;
        return registered ? registry_remove_machine(presence->registry, presence->record->id, done, userdata) : -ENOENT;
}
