#include "fleet/engine-internal.h"

#include <errno.h>

#include "fleet/registry/roll.h"

enum { SWEEP_SEC = 2, WAIT_MSEC = 100 };

int engine_new(const EngineConfig *config, Registry *registry, Cluster *cluster, const EngineEvents *events, void *userdata,
               Engine **ret_engine) {
        Engine *engine = calloc(1, sizeof(*engine));

        if (!engine)
                return -ENOMEM;
        *engine = (Engine){.config = *config, .registry = registry, .cluster = cluster, .events = events, .userdata = userdata};
        *ret_engine = engine;
        return 0;
}

/* Requests under way end with the store's client, which goes first. */
Engine *engine_free(Engine *engine) {
        if (!engine)
                return NULL;
        plan_deinit(&engine->plan);
        string_list_deinit(&engine->suspects);
        free(engine->moving);
        free(engine);
        return NULL;
}

static void engine_note_step(Engine *engine, const PlanStep *step) {
        _cleanup_free_ char *text = NULL;

        if (step->kind == PLAN_UNSCHEDULE)
                text = str_printf("%s leaves machine %s: %s", step->unit, step->machine_id, step->reason ?: "");
        else if (step->kind == PLAN_HAND_OVER)
                text = str_printf("%s moves from machine %s to %s: %s", step->unit, step->from, step->machine_id, step->reason ?: "");
        else
                text = str_printf("%s is placed on machine %s: %s", step->unit, step->machine_id, step->reason ?: "");
        if (text)
                engine->events->note(engine->userdata, text);
}

bool engine_leads(const Engine *engine, Usec now) {
        return engine->lease_index != 0 && now + LEASE_MARGIN_MSEC * USEC_PER_MSEC < engine->lease_until;
}

/* ---- the store was away ---- */

void engine_doubt(Engine *engine, Usec now) {
        engine->hold_until = max_of(engine->hold_until, now + engine->config.grace);
}

static void engine_note_contact(Engine *engine, bool answered) {
        if (!answered || engine->troubled)
                engine_doubt(engine, engine->now);
        engine->troubled = !answered;
}

/* Machines that could not renew their keys while the store was away look like dead ones: they get time to say that they
 * live before their units are started elsewhere, and stopped with them. */
static bool engine_must_wait(const Engine *engine, const Picture *picture) {
        if (engine->now >= engine->hold_until)
                return false;
        for (size_t slot = 0; slot < picture->n_slots; slot++)
                if (picture->slots[slot] && !picture->slots[slot]->present && picture->slots[slot]->placed > 0)
                        return true;
        return false;
}

/* ---- the lease ---- */

/* The mirror may be behind the refusal that told of another leader: then it is not asked. */
static bool lease_is_free(const Engine *engine) {
        return !registry_leader(engine->registry) && registry_has_reached(engine->registry, engine->lease_refused);
}

/* The key is somebody else's, or it is gone. Any other refusal is the store's own trouble: it has no leader. */
static bool lease_is_lost(const StoreReply *reply) {
        return reply->code == STORE_KEY_NOT_FOUND || reply->code == STORE_KEY_EXISTS || reply->code == STORE_COMPARE_FAILED;
}

static void on_lease(void *userdata, const StoreReply *reply) {
        Engine *engine = userdata;
        bool led = engine->lease_index != 0;

        engine->lease_asking = false;
        engine_note_contact(engine, reply->r >= 0 || lease_is_lost(reply));
        if (reply->r >= 0 && reply->node) {
                engine->lease_index = reply->node->modified;
                engine->lease_until = engine->lease_sent + engine->config.lease_ttl;
                engine->lease_next = engine->lease_sent + engine->config.lease_ttl / 3;
                if (!led || engine->lease_shown) { /* what was written before, also by the leader before, is in the mirror when this is */
                        engine->written = max_of(engine->written, engine->lease_index);
                        engine->blind = false;
                        engine->events->wake(engine->userdata);
                } else if (engine->blind) {
                        engine->lease_next = engine->now;
                }
                if (!led) {
                        engine->events->note(engine->userdata, "the engine of this machine leads now");
                        engine->dirty = engine->suspect_all = true;
                        engine->events->wake(engine->userdata);
                }
                return;
        }
        if (lease_is_lost(reply)) {
                if (led)
                        engine->events->note(engine->userdata, "the engine of this machine has lost its lease");
                engine->lease_index = 0;
                engine->lease_refused = reply->index;
                engine->lease_next = lease_is_free(engine) ? engine->now : USEC_INFINITY; /* the watch tells when it is free */
                engine->events->wake(engine->userdata);
                return;
        }
        /* no answer: our lease may stand or not; ask again soon, decide by lease_until */
        engine->lease_next = engine->now + engine->config.lease_ttl / 10;
}

static void engine_ask_lease(Engine *engine) {
        if (engine->lease_asking || engine->config.disabled || engine->closing || engine->now < engine->lease_next ||
            !registry_is_loaded(engine->registry))
                return;
        if (engine->lease_index && engine->now > engine->lease_until)
                engine->lease_index = 0;
        if (!engine->lease_index && registry_leader(engine->registry)) {
                engine->lease_next = engine->now + engine->config.lease_ttl;
                return;
        }
        engine->lease_sent = engine->now;
        engine->lease_shown = engine->blind;
        if (registry_lease(engine->registry, engine->config.machine, engine->lease_index, engine->lease_shown, engine->config.lease_ttl, on_lease,
                           engine) >= 0)
                engine->lease_asking = true;
        else
                engine->lease_next = engine->now + engine->config.lease_ttl / 10;
}

/* Not before the last write is answered: the next leader would plan without it. */
static void engine_settle_release(Engine *engine) {
        if (!engine->closing || engine->writing > 0)
                return;
        if (engine->lease_index)
                (void)registry_release_lease(engine->registry, engine->lease_index, NULL, NULL);
        engine->lease_index = 0;
}

void engine_release(Engine *engine) {
        engine->closing = true;
        plan_deinit(&engine->plan);
        engine->next_step = 0;
        engine_settle_release(engine);
}

/* Whether a write was taken is not known, or it was refused for what the mirror lacks: that is old until it has a write of
 * ours which was sent later. A renewal of the lease that is shown is one. */
static void engine_lose_sight(Engine *engine) {
        engine->blind = true;
        engine->lease_shown = false; /* one that is under way was sent before */
        engine->lease_next = engine->now;
}

/* ---- the plan ---- */

void engine_step_done(void *userdata, const StoreReply *reply) {
        Engine *engine = userdata;

        engine->writing--;
        if (reply->r >= 0 && reply->node)
                engine->written = max_of(engine->written, reply->node->modified);
        else
                engine_lose_sight(engine);
        if (reply->r < 0 && reply->code != STORE_KEY_NOT_FOUND)
                engine->failed = true;
        engine_settle_release(engine);
        engine->events->wake(engine->userdata);
}

/* Of machines that are gone; what such a one said last may come late. */
static void engine_clear_states(Engine *engine) {
        map_foreach(registry_machines(engine->registry), entry) {
                const RegistryMachine *machine = entry->value;

                if (machine->present || machine->states.length == 0 || engine->writing >= WRITES_AT_ONCE)
                        continue;
                if (registry_drop_states(engine->registry, machine->id, engine_step_done, engine) >= 0)
                        engine->writing++;
        }
}

/* Everything that was left behind. */
static void engine_clear_gone(Engine *engine) {
        engine_clear_states(engine);
        if (registry_split_units(engine->registry) == 0)
                return;
        map_foreach(registry_units(engine->registry), entry) {
                const RegistryUnit *unit = entry->value;

                for (size_t i = 0; i < unit->n_placements && engine->writing < WRITES_AT_ONCE; i++)
                        if (registry_placement_is_stray(unit, &unit->placements[i]) &&
                            registry_unplace(engine->registry, unit->name, unit->placements[i].machine, engine_step_done, engine) >= 0)
                                engine->writing++;
        }
}

static void engine_make_plan(Engine *engine) {
        Picture *picture = cluster_picture(engine->cluster);
        int r;

        plan_deinit(&engine->plan);
        engine->next_step = 0;
        engine->failed = false;
        if (!picture || engine_must_wait(engine, picture))
                return;
        engine->dirty = false;
        engine_ban_failing(engine, picture);
        r = schedule_plan(picture, &engine->plan);
        if (r >= 0)
                r = engine_plan_moves(engine, picture);
        if (r < 0)
                engine->cluster->stale = true;
        engine_clear_gone(engine);
}

static bool engine_carry_out(Engine *engine, const PlanStep *step) {
        int r;

        if (step->kind == PLAN_UNSCHEDULE)
                r = registry_unplace(engine->registry, step->unit, step->machine_id, engine_step_done, engine);
        else if (step->kind == PLAN_HAND_OVER)
                r = registry_hand_over(engine->registry, step->unit, step->machine_id, step->from, step->reason, engine_step_done, engine);
        else
                r = registry_place(engine->registry, step->unit, step->machine_id, step->reason, engine_step_done, engine);
        if (r < 0) {
                engine->failed = true;
                return false;
        }
        engine->writing++;
        engine_note_step(engine, step);
        return true;
}

/* Steps of one kind may be under way together; a unit is placed only when it has certainly been taken away elsewhere. */
static void engine_go_on(Engine *engine) {
        while (engine->next_step < engine->plan.length && engine->writing < WRITES_AT_ONCE && !engine->failed) {
                const PlanStep *step = &engine->plan.steps[engine->next_step];
                bool changes = engine->next_step > 0 && engine->plan.steps[engine->next_step - 1].kind != step->kind;

                if (changes && engine->writing > 0)
                        return;
                if (!engine_leads(engine, engine->now)) {
                        engine->failed = true;
                        return;
                }
                if (!engine_carry_out(engine, step))
                        return;
                engine->next_step++;
        }
}

/* Seldom, and beside all else: what is left over hurts nobody. Runs when the lease is renewed, and so wakes nobody. */
static void engine_sweep(Engine *engine) {
        size_t count;

        if (engine->now < engine->sweep_next)
                return;
        engine->sweep_next = engine->now + SWEEP_SEC * USEC_PER_SEC;
        engine_clear_states(engine);
        (void)registry_sweep_parts(engine->registry, engine->now, engine->config.text_age, WRITES_AT_ONCE);
        (void)registry_sweep_rolls(engine->registry, WRITES_AT_ONCE);
        count = registry_sweep_texts(engine->registry, engine->now, engine->config.text_age, WRITES_AT_ONCE);
        if (count > 0) {
                _cleanup_free_ char *text = str_printf("%zu unit texts that no unit has are removed", count);

                if (text)
                        engine->events->note(engine->userdata, text);
        }
}

void engine_touch(Engine *engine) {
        engine->dirty = true;
        if (!engine->lease_index && lease_is_free(engine))
                engine->lease_next = 0;
}

/* A state is looked at only if something depends on it: most changes wake nobody. */
void engine_state_changed(Engine *engine, const char *name) {
        const Picture *picture = engine->lease_index ? cluster_picture(engine->cluster) : NULL;
        const PictureUnit *unit = picture && name ? picture_unit(picture, name) : NULL;

        if (!unit)
                return;
        if (unit->requirements->move_after > 0 && !string_list_contains(&engine->suspects, name) &&
            string_list_add(&engine->suspects, name) < 0)
                engine->suspect_all = true;
        if (unit->requirements->move_after > 0 || unit->source || (engine->moving && str_equals(engine->moving, name)))
                engine->dirty = true;
}

void engine_run(Engine *engine, Usec now) {
        engine->now = now;
        engine_ask_lease(engine);
        if (engine->closing || !engine_leads(engine, now) || !registry_is_loaded(engine->registry))
                return;
        if (engine->failed && engine->writing == 0) { /* the picture saw steps that did not happen */
                engine->cluster->stale = true;
                engine->dirty = true;
                plan_deinit(&engine->plan);
                engine->next_step = 0;
        }
        if (engine->moving && now >= engine->moving_until)
                engine->dirty = true;
        if (engine->dirty && !engine->blind && engine->writing == 0 && registry_has_reached(engine->registry, engine->written) && engine->next_step == engine->plan.length)
                engine_make_plan(engine);
        engine_go_on(engine);
        engine_sweep(engine);
}

Usec engine_next(const Engine *engine) {
        Usec next;

        if (engine->config.disabled || !registry_is_loaded(engine->registry)) /* its loading wakes everyone */
                return USEC_INFINITY;
        next = engine->lease_asking ? USEC_INFINITY : engine->lease_next;
        if (engine->lease_index && engine->moving)
                next = min_of(next, max_of(engine->moving_until, engine->now + WAIT_MSEC * USEC_PER_MSEC));
        if (engine->lease_index && engine->dirty && engine->hold_until > engine->now)
                next = min_of(next, engine->hold_until);
        return next;
}
