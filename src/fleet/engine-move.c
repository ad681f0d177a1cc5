/* Moves: one at a time, carried on by whoever leads. All that must be known is in the store (docs/decisions/fleet-moves.md). */
#include <errno.h>

#include "fleet/engine-internal.h"
#include "fleet/schedule/move.h"

enum { MOVE_SEC_MAX = 120 }; /* a start that takes longer is given up */

typedef enum Arrival {
        ARRIVAL_PENDING,
        ARRIVAL_THERE,
        ARRIVAL_FAILED,
} Arrival;

/* How a unit does on the machine that it is to run on. */
static Arrival arrival(const Engine *engine, const PictureUnit *unit) {
        const char *name = picture_unit_name(unit);
        const RegistryUnit *known = registry_unit(engine->registry, name);
        const RegistryState *state = registry_state(engine->registry, unit->target->id, name);

        if (!known || !known->hash || !state || !str_equals(state->record.hash, known->hash))
                return ARRIVAL_PENDING;
        if (str_equals(state->record.active, "failed") || !str_equals(state->record.load, "loaded"))
                return ARRIVAL_FAILED;
        if (unit->desired == UNIT_LOADED || str_equals(state->record.active, "active"))
                return ARRIVAL_THERE;
        /* one that runs to its end is there when it has */
        return state->record.launched && str_equals(state->record.active, "inactive") ? ARRIVAL_THERE : ARRIVAL_PENDING;
}

static void forget_moving(Engine *engine) {
        free(engine->moving);
        engine->moving = NULL;
}

static int begin_moving(Engine *engine, const char *name) {
        forget_moving(engine);
        engine->moving = strdup(name);
        engine->moving_until = engine->now + MOVE_SEC_MAX * USEC_PER_SEC;
        return engine->moving ? 0 : -ENOMEM;
}

static void drop_request(Engine *engine, const char *name) {
        if (map_get(registry_moves(engine->registry), slice_from(name)) &&
            registry_drop_move(engine->registry, name, engine_step_done, engine) >= 0)
                engine->writing++;
}

/* The old place goes. */
static int finish(Engine *engine, Picture *picture, PictureUnit *unit) {
        int r = plan_add_step(&engine->plan, PLAN_UNSCHEDULE, unit, unit->source, str_printf("it runs on machine %s now", unit->target->id));

        return r < 0 ? r : picture_set_target(picture, picture_unit_name(unit), unit->target->id);
}

/* The new place goes, and is not tried again for a while. */
static int give_up(Engine *engine, Picture *picture, PictureUnit *unit, const char *why) {
        const RegistryUnit *known = registry_unit(engine->registry, picture_unit_name(unit));
        int r = known ? engine_ban(engine, picture, known, unit->target->id, why) : 0;

        if (r >= 0)
                r = plan_add_step(&engine->plan, PLAN_UNSCHEDULE, unit, unit->target, str_printf("it stays on machine %s: %s", unit->source->id, why));
        drop_request(engine, picture_unit_name(unit));
        return r < 0 ? r : picture_set_target(picture, picture_unit_name(unit), unit->source->id);
}

/* 1: it goes on; 0: it is over. */
static int follow_hand_over(Engine *engine, Picture *picture, PictureUnit *unit) {
        const char *name = picture_unit_name(unit);
        Arrival how = arrival(engine, unit);
        int r;

        if (!engine->moving || !str_equals(engine->moving, name)) { /* another engine began it */
                r = begin_moving(engine, name);
                if (r < 0)
                        return r;
        }
        if (how == ARRIVAL_PENDING && engine->now < engine->moving_until)
                return 1;
        forget_moving(engine);
        if (how == ARRIVAL_THERE)
                return finish(engine, picture, unit);
        return give_up(engine, picture, unit, how == ARRIVAL_FAILED ? "it failed when it was to start there" : "it did not start there in time");
}

/* A unit that was stopped before it was started elsewhere: the next one waits until it runs. */
static int follow_plain(Engine *engine, Picture *picture) {
        const PictureUnit *unit = picture_unit(picture, engine->moving);

        if (unit && unit->target && unit->target->present && unit->desired != UNIT_INACTIVE && arrival(engine, unit) == ARRIVAL_PENDING &&
            engine->now < engine->moving_until)
                return 1;
        forget_moving(engine);
        return 0;
}

static int follow_moves(Engine *engine, Picture *picture) {
        int under_way = 0;

        for (size_t i = 0; picture->moving > 0 && i < picture->units.length; i++) {
                int r = picture->units.items[i]->source ? follow_hand_over(engine, picture, picture->units.items[i]) : 0;

                if (r < 0)
                        return r;
                under_way |= r;
        }
        return under_way || !engine->moving ? under_way : follow_plain(engine, picture);
}

/* The first by name that can be made; those that cannot, or have been, are dropped. */
static PictureUnit *next_request(Engine *engine, const Picture *picture, const RegistryMove **ret_move) {
        const RegistryMove *first = NULL;

        map_foreach(registry_moves(engine->registry), entry) {
                const RegistryMove *move = entry->value;
                const PictureUnit *unit = picture_unit(picture, move->unit);
                const PictureMachine *to = picture_machine(picture, move->record.to);

                if (!unit || !unit->target || !to || unit->desired == UNIT_INACTIVE || !str_equals(unit->target->id, move->record.from) ||
                    !schedule_is_able(picture, unit, to, NULL))
                        drop_request(engine, move->unit);
                else if (!first || strcmp(move->unit, first->unit) < 0)
                        first = move;
        }
        *ret_move = first;
        return first ? picture_unit(picture, first->unit) : NULL;
}

int engine_plan_moves(Engine *engine, Picture *picture) {
        const RegistryMove *request;
        PictureUnit *unit;
        Decision decision;
        int r = follow_moves(engine, picture);

        if (r != 0)
                return r < 0 ? r : 0;
        unit = next_request(engine, picture, &request);
        if (unit) {
                r = begin_moving(engine, picture_unit_name(unit));
                return r < 0 ? r : schedule_move(picture, unit, picture_machine(picture, request->record.to), request->record.reason, &engine->plan);
        }
        unit = schedule_next_drained(picture, &decision);
        if (unit) {
                _cleanup_buffer_ Buffer reason = BUFFER_INIT;

                (void)buffer_printf(&reason, "machine %s is drained: ", unit->target->id);
                if (schedule_describe(&decision, &reason) < 0 || !buffer_string(&reason))
                        return -ENOMEM;
                r = begin_moving(engine, picture_unit_name(unit));
                return r < 0 ? r : schedule_move(picture, unit, decision.machine, buffer_string(&reason), &engine->plan);
        }
        return 0;
}
