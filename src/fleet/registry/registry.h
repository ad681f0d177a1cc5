#pragma once
/*
 * Fleet's view of the store: a mirror of everything below its prefix, kept up to date by one watch, and the writes. Nothing
 * is ever read again once it is mirrored, unless the store says that events were lost.
 *
 *     machines/ID/object           who is there, with a TTL                        written by the machine's agent
 *     machines/ID/metadata/KEY     what people changed of its metadata             by the API
 *     unit/HASH                    the text of a unit file                         by the API
 *     job/NAME/object              the hash of the unit's text                     by the API
 *     job/NAME/target-state        what is wanted of it                            by the API
 *     schedule/ID/NAME             that it is placed there, and why                by the engine
 *     cordon/ID                    that people keep units off the machine          by the API
 *     ban/NAME/ID                  that the unit has failed there, with a TTL      by the engine
 *     move/NAME                    a move that people asked for                    by the API, taken away by the engine
 *     roll/NAME                    an update under way                             by the API
 *     states/ID/NAME               how it does there                               by the machine's agent, when it changes
 *     lease/engine-leader          whose engine decides, with a TTL                by the engine
 *
 * Pure but for the StoreClient and the clock it is given; all callbacks come from the loop.
 */
#include "base/list.h"
#include "base/map.h"
#include "fleet/registry/records.h"
#include "storeclient/storeclient.h"

#define REGISTRY_PREFIX_DEFAULT "/_coreos.com/fleet/"

typedef struct Registry Registry;
typedef struct RegistryText RegistryText;

typedef struct RegistryMachine {
        char *id;
        bool present;
        MachineRecord record;    /* as it said itself */
        MetadataPair *changed;   /* by people; an empty value hides the key */
        size_t n_changed;
        PictureCordon cordon;
        Map states;              /* unit name → RegistryState */
} RegistryMachine;

typedef struct RegistryState {
        char *unit;
        StateRecord record;
} RegistryState;

/* One of schedule/ID/NAME. The newest of a unit counts; another may be the one that it is handed over from. */
typedef struct RegistryPlacement {
        char *machine;
        PlacementRecord record;
        uint64_t created; /* index */
} RegistryPlacement;

typedef struct RegistryBan {
        char *key; /* "NAME/ID" */
        char *unit, *machine;
        BanRecord record;
} RegistryBan;

typedef struct RegistryMove {
        char *unit;
        MoveRecord record;
} RegistryMove;

typedef struct RegistryUnit {
        char *name;
        char *hash;     /* hexadecimal; NULL: not complete yet */
        const char *text; /* NULL: not complete yet */
        RegistryText *shared; /* which owns it */
        ListNode lacking;     /* among those whose text is not here */
        UnitState desired;
        uint64_t order; /* index at which it was first submitted */
        uint64_t desired_index; /* at which what is wanted of it was last written; 0: it was not */
        Usec left_since;        /* only that is left of it, as a sweep first saw; 0: it is not so */
        RegistryPlacement *placements;
        size_t n_placements;
        const char *machine; /* where it is placed, or NULL; these are borrowed from the placements */
        const char *reason;  /* why there */
        const char *source;  /* where it still runs while it is handed over, or NULL */
} RegistryUnit;

typedef enum RegistryChange {
        REGISTRY_LOADED,   /* everything is new: after the beginning, and after lost events */
        REGISTRY_MACHINE,
        REGISTRY_UNIT,     /* text, desired state, or gone */
        REGISTRY_PLACEMENT,
        REGISTRY_STATE,
        REGISTRY_LEASE,
} RegistryChange;

typedef struct RegistryEvents {
        /* `subject`: the machine's ID or the unit's name; NULL for LOADED. Borrowed. */
        void (*changed)(void *userdata, RegistryChange change, const char *subject);
        /* The store cannot be reached, or answers again (r == 0). */
        void (*reachable)(void *userdata, int r, const Error *error);
} RegistryEvents;

/* Waiting: calls back after so much time, once. One timer is enough: a new call replaces the one before. */
typedef struct RegistryTimer {
        void (*start)(void *userdata, Usec after, void (*expired)(void *registry), void *registry);
        void (*stop)(void *userdata);
} RegistryTimer;

/* All is borrowed but the prefix. -ENOMEM. */
int registry_new(StoreClient *client, const char *prefix, const RegistryTimer *timer, void *timer_data,
                 const RegistryEvents *events, void *userdata, Registry **ret_registry);
Registry *registry_free(Registry *registry);

/* Begins to mirror. */
void registry_start(Registry *registry);
bool registry_is_loaded(const Registry *registry);

/* Whether there is anything to read: also while all is read anew because events were lost, until that is there. Nothing may be
 * decided by it then. */
bool registry_is_readable(const Registry *registry);

/* ---- the mirror, borrowed until the next event ---- */

const Map *registry_machines(const Registry *registry); /* ID → RegistryMachine, also of those that are gone but have states */
const Map *registry_units(const Registry *registry);    /* name → RegistryUnit */
RegistryMachine *registry_machine(const Registry *registry, const char *id);
RegistryUnit *registry_unit(const Registry *registry, const char *name);
const RegistryState *registry_state(const Registry *registry, const char *machine, const char *unit);
const char *registry_leader(const Registry *registry); /* machine ID or NULL */
const Map *registry_bans(const Registry *registry);  /* "NAME/ID" → RegistryBan */
const Map *registry_moves(const Registry *registry); /* name → RegistryMove */

/* A unit file's text by its hash, or NULL. */
const char *registry_text(const Registry *registry, const char *hash);

/* The hash of the text that is to run on the machine: the unit's, or while a global unit is updated (registry/roll.h) the new
 * one. Only of a unit that is complete. */
const char *registry_unit_hash_on(const Registry *registry, const RegistryUnit *unit, const char *machine);

/* How many units have more than one placement: they move, or something was left over. */
size_t registry_split_units(const Registry *registry);

/* Whether a placement is a left-over: neither where the unit is placed, nor where it is handed over from. */
bool registry_placement_is_stray(const RegistryUnit *unit, const RegistryPlacement *placement);

/* Calls `reached` once the mirror has the write of that index (a reply's node->modified; 0: at once): who asks next finds what
 * was written. May call it within. `reached` comes exactly once: at the latest, with r == -ECANCELED, when the registry is
 * freed. -ENOMEM. */
typedef void (*RegistryReached)(void *userdata, int r);
int registry_reach(Registry *registry, uint64_t index, RegistryReached reached, void *userdata);

/* Whether the mirror has the write of that index. */
bool registry_has_reached(const Registry *registry, uint64_t index);

/* A unit that can be worked with: its text is known. */
static inline bool registry_unit_is_complete(const RegistryUnit *unit) {
        return unit->hash && unit->text;
}

/* The metadata in force. Appends to *ret, which the caller frees with its strings (metadata_pairs_free). -ENOMEM. */
int registry_machine_metadata(const RegistryMachine *machine, MetadataPair **ret, size_t *ret_count);
void metadata_pairs_free(MetadataPair *pairs, size_t count);

/* ---- writes. `done` gets the store's reply (borrowed) exactly once; may be NULL. -ENOMEM ---- */

typedef StoreReplied RegistryDone;

int registry_put_text(Registry *registry, const char *hash, const char *text, RegistryDone done, void *userdata);

/* Whether the mirror has the text, and a unit that has it: it need not be put again. */
bool registry_text_is_used(const Registry *registry, const char *hash);

/* Removes the text unless it was written again since `index`. */
int registry_remove_text(Registry *registry, const char *hash, uint64_t index, RegistryDone done, void *userdata);

/* Removes texts that no unit has had for `age`, counted from the first sweep that saw them so; at most `most`. A unit that is
 * being made has its text first and its name after: `age` must be far longer than that takes. Returns how many. */
size_t registry_sweep_texts(Registry *registry, Usec now, Usec age, size_t most);

/* Removes what is wanted of units that no text was given for `age` (as seen by sweeps): left-overs of units that were destroyed.
 * At most `most`. Returns how many. */
size_t registry_sweep_parts(Registry *registry, Usec now, Usec age, size_t most);

int registry_create_unit(Registry *registry, const char *name, const char *hash, RegistryDone done, void *userdata);
/* In place of another text. */
int registry_replace_unit(Registry *registry, const char *name, const char *hash, RegistryDone done, void *userdata);
int registry_set_desired(Registry *registry, const char *name, UnitState desired, RegistryDone done, void *userdata);
int registry_destroy_unit(Registry *registry, const char *name, RegistryDone done, void *userdata);
int registry_place(Registry *registry, const char *name, const char *machine, const char *reason, RegistryDone done, void *userdata);
/* Placed on the machine, while it still runs on `from`: that placement stays until registry_unplace(). */
int registry_hand_over(Registry *registry, const char *name, const char *machine, const char *from, const char *reason,
                       RegistryDone done, void *userdata);
int registry_unplace(Registry *registry, const char *name, const char *machine, RegistryDone done, void *userdata);
/* CORDON_NONE removes the mark. */
int registry_set_cordon(Registry *registry, const char *machine, PictureCordon cordon, RegistryDone done, void *userdata);
int registry_put_ban(Registry *registry, const char *unit, const char *machine, const BanRecord *record, Usec ttl, RegistryDone done,
                     void *userdata);
int registry_put_move(Registry *registry, const char *unit, const MoveRecord *record, RegistryDone done, void *userdata);
int registry_drop_move(Registry *registry, const char *unit, RegistryDone done, void *userdata);
int registry_put_state(Registry *registry, const char *machine, const char *unit, const StateRecord *record, RegistryDone done,
                       void *userdata);
int registry_drop_state(Registry *registry, const char *machine, const char *unit, RegistryDone done, void *userdata);
int registry_drop_states(Registry *registry, const char *machine, RegistryDone done, void *userdata);

/* The machine's own key: create (fails when it is there: another daemon has this machine's ID), renew (fails when it is
 * gone), put (in place of our own), remove. */
int registry_create_machine(Registry *registry, const MachineRecord *record, Usec ttl, RegistryDone done, void *userdata);
int registry_put_machine(Registry *registry, const MachineRecord *record, Usec ttl, RegistryDone done, void *userdata);
int registry_renew_machine(Registry *registry, const char *id, Usec ttl, RegistryDone done, void *userdata);
int registry_remove_machine(Registry *registry, const char *id, RegistryDone done, void *userdata);
int registry_set_metadata(Registry *registry, const char *id, const char *key, const char *value, RegistryDone done, void *userdata);

/* The engine's lease; its value is that of fleet 1.0, {"MachineID":…,"Version":…}. `index` 0 takes it when it is free, otherwise
 * renews the one that was taken at that index. The reply's node has the index to renew it by. The mirrors see a lease that is
 * taken, and a renewal only if it is `shown`. */
int registry_lease(Registry *registry, const char *machine, uint64_t index, bool shown, Usec ttl, RegistryDone done, void *userdata);
int registry_release_lease(Registry *registry, uint64_t index, RegistryDone done, void *userdata);
