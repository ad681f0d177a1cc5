/* The writes. */
#include <errno.h>

#include "fleet/registry/internal.h"
#include "fleet/registry/roll.h"

/* The store's TTLs are whole seconds: rounded up, so that nothing expires earlier than asked. */
static uint64_t ttl_seconds(Usec ttl) {
        return max_of((ttl + USEC_PER_SEC - 1) / USEC_PER_SEC, (Usec)1);
}

static void ignore_reply(void *userdata, const StoreReply *reply) {
        (void)userdata; /* who gives no `done` does not depend on it */
        (void)reply;
}

/* Sends with `key` below the prefix, which is freed. */
static int write_key(Registry *registry, char *key, StoreRequest request, RegistryDone done, void *userdata) {
        int r;

        if (!key)
                return -ENOMEM;
        request.key = key;
        r = storeclient_send(registry->client, &request, done ?: ignore_reply, userdata, NULL);
        free(key);
        return r;
}

static char *key_of(const Registry *registry, const char *folder, const char *one, const char *two) {
        return str_printf("%s%s/%s%s%s", registry->prefix, folder, one, two ? "/" : "", two ?: "");
}

int registry_put_text(Registry *registry, const char *hash, const char *text, RegistryDone done, void *userdata) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (unit_text_write(text, &value) < 0 || !buffer_string(&value))
                return -ENOMEM;
        return write_key(registry, key_of(registry, "unit", hash, NULL),
                         (StoreRequest){.verb = STORE_SET, .value = buffer_string(&value)}, done, userdata);
}

int registry_remove_text(Registry *registry, const char *hash, uint64_t index, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "unit", hash, NULL), (StoreRequest){.verb = STORE_DELETE, .prev_index = index},
                         done, userdata);
}

int registry_create_unit(Registry *registry, const char *name, const char *hash, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "job", name, "object"),
                         (StoreRequest){.verb = STORE_SET, .value = hash, .exist = STORE_EXIST_MUST_NOT}, done, userdata);
}

int registry_replace_unit(Registry *registry, const char *name, const char *hash, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "job", name, "object"),
                         (StoreRequest){.verb = STORE_SET, .value = hash, .exist = STORE_EXIST_MUST}, done, userdata);
}

int registry_set_desired(Registry *registry, const char *name, UnitState desired, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "job", name, "target-state"),
                         (StoreRequest){.verb = STORE_SET, .value = unit_state_to_string(desired)}, done, userdata);
}

int registry_destroy_unit(Registry *registry, const char *name, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "job", name, NULL),
                         (StoreRequest){.verb = STORE_DELETE, .recursive = true, .dir = true}, done, userdata);
}

/* The store does not remove a folder in which there is anything. */
int registry_remove_desired(Registry *registry, const char *name, uint64_t index) {
        int r = write_key(registry, key_of(registry, "job", name, "target-state"), (StoreRequest){.verb = STORE_DELETE, .prev_index = index},
                          NULL, NULL);

        return r < 0 ? r : write_key(registry, key_of(registry, "job", name, NULL), (StoreRequest){.verb = STORE_DELETE, .dir = true}, NULL, NULL);
}

static int write_placement(Registry *registry, const char *name, const char *machine, const PlacementRecord *record,
                           RegistryDone done, void *userdata) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (placement_write(record, &value) < 0 || !buffer_string(&value))
                return -ENOMEM;
        return write_key(registry, key_of(registry, "schedule", machine, name),
                         (StoreRequest){.verb = STORE_SET, .value = buffer_string(&value)}, done, userdata);
}

int registry_place(Registry *registry, const char *name, const char *machine, const char *reason, RegistryDone done,
                   void *userdata) {
        const PlacementRecord record = {.reason = (char *)(uintptr_t)reason};

        return write_placement(registry, name, machine, &record, done, userdata);
}

int registry_hand_over(Registry *registry, const char *name, const char *machine, const char *from, const char *reason,
                       RegistryDone done, void *userdata) {
        const PlacementRecord record = {.reason = (char *)(uintptr_t)reason, .from = (char *)(uintptr_t)from};

        return write_placement(registry, name, machine, &record, done, userdata);
}

int registry_set_cordon(Registry *registry, const char *machine, PictureCordon cordon, RegistryDone done, void *userdata) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (cordon == CORDON_NONE)
                return write_key(registry, key_of(registry, "cordon", machine, NULL), (StoreRequest){.verb = STORE_DELETE}, done, userdata);
        if (cordon_write(cordon, &value) < 0 || !buffer_string(&value))
                return -ENOMEM;
        return write_key(registry, key_of(registry, "cordon", machine, NULL),
                         (StoreRequest){.verb = STORE_SET, .value = buffer_string(&value)}, done, userdata);
}

int registry_put_ban(Registry *registry, const char *unit, const char *machine, const BanRecord *record, Usec ttl, RegistryDone done,
                     void *userdata) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (ban_write(record, &value) < 0 || !buffer_string(&value))
                return -ENOMEM;
        return write_key(registry, key_of(registry, "ban", unit, machine),
                         (StoreRequest){.verb = STORE_SET, .value = buffer_string(&value), .has_ttl = true, .ttl = ttl_seconds(ttl)},
                         done, userdata);
}

int registry_put_move(Registry *registry, const char *unit, const MoveRecord *record, RegistryDone done, void *userdata) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (move_write(record, &value) < 0 || !buffer_string(&value))
                return -ENOMEM;
        return write_key(registry, key_of(registry, "move", unit, NULL),
                         (StoreRequest){.verb = STORE_SET, .value = buffer_string(&value)}, done, userdata);
}

int registry_drop_move(Registry *registry, const char *unit, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "move", unit, NULL), (StoreRequest){.verb = STORE_DELETE}, done, userdata);
}

int registry_put_roll(Registry *registry, const char *unit, const RollRecord *record, RegistryDone done, void *userdata) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (roll_write(record, &value) < 0 || !buffer_string(&value))
                return -ENOMEM;
        return write_key(registry, key_of(registry, "roll", unit, NULL),
                         (StoreRequest){.verb = STORE_SET, .value = buffer_string(&value)}, done, userdata);
}

int registry_drop_roll(Registry *registry, const char *unit, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "roll", unit, NULL), (StoreRequest){.verb = STORE_DELETE}, done, userdata);
}

int registry_unplace(Registry *registry, const char *name, const char *machine, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "schedule", machine, name), (StoreRequest){.verb = STORE_DELETE}, done, userdata);
}

int registry_put_state(Registry *registry, const char *machine, const char *unit, const StateRecord *record, RegistryDone done,
                       void *userdata) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (state_record_write(record, &value) < 0 || !buffer_string(&value))
                return -ENOMEM;
        return write_key(registry, key_of(registry, "states", machine, unit),
                         (StoreRequest){.verb = STORE_SET, .value = buffer_string(&value)}, done, userdata);
}

int registry_drop_state(Registry *registry, const char *machine, const char *unit, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "states", machine, unit), (StoreRequest){.verb = STORE_DELETE}, done, userdata);
}

int registry_drop_states(Registry *registry, const char *machine, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "states", machine, NULL),
                         (StoreRequest){.verb = STORE_DELETE, .recursive = true, .dir = true}, done, userdata);
}

/* These are harmless to repeat. One that got lost with a dying leader must not use up the time to live, nor the grace that an
 * engine gives machines which have lost their keys while the store was away. */
static Usec renewal_timeout(Usec ttl) {
        return ttl / 6;
}

static int write_machine(Registry *registry, const MachineRecord *record, StoreExist exist, Usec ttl, RegistryDone done,
                         void *userdata) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (machine_record_write(record, &value) < 0 || !buffer_string(&value))
                return -ENOMEM;
        return write_key(registry, key_of(registry, "machines", record->id, "object"),
                         (StoreRequest){.verb = STORE_SET, .value = buffer_string(&value), .exist = exist, .has_ttl = true,
                                        .ttl = ttl_seconds(ttl), .timeout = renewal_timeout(ttl)},
                         done, userdata);
}

int registry_create_machine(Registry *registry, const MachineRecord *record, Usec ttl, RegistryDone done, void *userdata) {
        return write_machine(registry, record, STORE_EXIST_MUST_NOT, ttl, done, userdata);
}

int registry_put_machine(Registry *registry, const MachineRecord *record, Usec ttl, RegistryDone done, void *userdata) {
        return write_machine(registry, record, STORE_EXIST_ANY, ttl, done, userdata);
}

/* A refresh wakes no watcher: an idle cluster stays asleep. */
int registry_renew_machine(Registry *registry, const char *id, Usec ttl, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "machines", id, "object"),
                         (StoreRequest){.verb = STORE_SET, .refresh = true, .exist = STORE_EXIST_MUST, .has_ttl = true,
                                        .ttl = ttl_seconds(ttl), .timeout = renewal_timeout(ttl)},
                         done, userdata);
}

int registry_remove_machine(Registry *registry, const char *id, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "machines", id, "object"), (StoreRequest){.verb = STORE_DELETE}, done, userdata);
}

int registry_set_metadata(Registry *registry, const char *id, const char *key, const char *value, RegistryDone done,
                          void *userdata) {
        _cleanup_free_ char *path = str_printf("metadata/%s", key);

        if (!path)
                return -ENOMEM;
        return write_key(registry, key_of(registry, "machines", id, path), (StoreRequest){.verb = STORE_SET, .value = value}, done,
                         userdata);
}

int registry_lease(Registry *registry, const char *machine, uint64_t index, bool shown, Usec ttl, RegistryDone done, void *userdata) {
        StoreRequest request = {.verb = STORE_SET, .has_ttl = true, .ttl = ttl_seconds(ttl), .timeout = renewal_timeout(ttl)};
        _cleanup_buffer_ Buffer value = BUFFER_INIT;

        if (index) {
                request.prev_index = index;
                request.refresh = !shown;
        } else {
                request.exist = STORE_EXIST_MUST_NOT;
        }
        if (!request.refresh) {
                if (lease_write(machine, &value) < 0 || !buffer_string(&value))
                        return -ENOMEM;
                request.value = buffer_string(&value);
        }
        return write_key(registry, key_of(registry, "lease", "engine-leader", NULL), request, done, userdata);
}

int registry_release_lease(Registry *registry, uint64_t index, RegistryDone done, void *userdata) {
        return write_key(registry, key_of(registry, "lease", "engine-leader", NULL),
                         (StoreRequest){.verb = STORE_DELETE, .prev_index = index}, done, userdata);
}
