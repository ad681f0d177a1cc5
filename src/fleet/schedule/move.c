#include "fleet/schedule/move.h"

#include <errno.h>
#include <stdlib.h>

bool schedule_may_overlap(const PictureUnit *unit) {
        return !unit->requirements->no_overlap && unit->requirements->peers.length == 0 && unit->name->followers.length == 0;
}

int schedule_move(Picture *picture, PictureUnit *unit, const PictureMachine *to, const char *reason, Plan *plan) {
        _cleanup_free_ char *from = strdup(unit->target->id), *name = strdup(picture_unit_name(unit)), *id = strdup(to->id);
        int r;

        if (!from || !name || !id)
                return -ENOMEM;
        if (schedule_may_overlap(unit)) {
                r = plan_add_step(plan, PLAN_HAND_OVER, unit, to, strdup(reason));
                if (r < 0)
                        return r;
                r = picture_set_placement(picture, name, id, from);
                plan->steps[plan->length - 1].from = take_ptr(from);
                return r;
        }
        r = plan_add_step(plan, PLAN_UNSCHEDULE, unit, unit->target, strdup(reason));
        if (r >= 0)
                r = plan_add_step(plan, PLAN_SCHEDULE, unit, to, strdup(reason));
        return r < 0 ? r : picture_set_target(picture, name, id);
}

static bool is_older(const PictureUnit *a, const PictureUnit *b) {
        return a->order != b->order ? a->order < b->order : strcmp(picture_unit_name(a), picture_unit_name(b)) < 0;
}

PictureUnit *schedule_next_drained(const Picture *picture, Decision *ret_decision) {
        PictureUnit *oldest = NULL;

        for (size_t slot = 0; slot < picture->n_slots; slot++) {
                const PictureMachine *machine = picture->slots[slot];

                if (!machine || !machine->present || machine->cordon != CORDON_DRAINING)
                        continue;
                for (size_t i = 0; i < machine->occupants.length; i++) {
                        PictureUnit *unit = machine->occupants.items[i];
                        Decision decision;

                        if (unit->requirements->global || unit->source || unit->target != machine || (oldest && is_older(oldest, unit)))
                                continue;
                        decision = schedule_decide(picture, unit);
                        if (!decision.machine)
                                continue;
                        oldest = unit;
                        *ret_decision = decision;
                }
        }
        return oldest;
}

/* ---- rebalance ---- */

void moves_deinit(Moves *moves) {
        for (size_t i = 0; i < moves->length; i++) {
                free(moves->items[i].unit);
                free(moves->items[i].from);
                free(moves->items[i].to);
                free(moves->items[i].reason);
        }
        free(moves->items);
        *moves = (Moves){0};
}

static int add_move(Moves *moves, const PictureUnit *unit, const PictureMachine *from, const PictureMachine *to) {
        Move *move;

        if (moves->length == moves->capacity) {
                size_t capacity = moves->capacity ? moves->capacity * 2 : 16;
                Move *larger = reallocarray(moves->items, capacity, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                moves->items = larger;
                moves->capacity = capacity;
        }
        move = &moves->items[moves->length++];
        *move = (Move){
                .unit = strdup(picture_unit_name(unit)),
                .from = strdup(from->id),
                .to = strdup(to->id),
                .reason = str_printf("rebalance: machine %s had %zu units, this one %zu", from->id, picture_machine_load(from),
                                     picture_machine_load(to)),
        };
        return move->unit && move->from && move->to && move->reason ? 0 : -ENOMEM;
}

static int compare_load(const void *a, const void *b) {
        const PictureMachine *x = *(PictureMachine *const *)a, *y = *(PictureMachine *const *)b;

        if (picture_machine_load(x) != picture_machine_load(y))
                return picture_machine_load(x) < picture_machine_load(y) ? -1 : 1;
        return strcmp(x->id, y->id);
}

enum { MARK_MOVED = 4 };

static bool may_be_moved(const PictureUnit *unit, const PictureMachine *from) {
        return !unit->requirements->global && !(unit->planned & MARK_MOVED) && unit->target == from && !unit->source &&
               unit->requirements->peers.length == 0 && unit->name->followers.length == 0;
}

/* The youngest unit that the one machine can give to the other without a loss to the unit's wishes. */
static PictureUnit *choose_unit(const Picture *picture, const PictureMachine *from, const PictureMachine *to) {
        PictureUnit *youngest = NULL;

        for (size_t i = 0; i < from->occupants.length; i++) {
                PictureUnit *unit = from->occupants.items[i];

                if (!may_be_moved(unit, from) || (youngest && !is_older(youngest, unit)))
                        continue;
                if (schedule_is_able(picture, unit, to, NULL) && schedule_is_no_worse(unit, to, from))
                        youngest = unit;
        }
        return youngest;
}

/* One move, by loads as they are now. 1: made; 0: none is left that helps. */
static int move_one(Picture *picture, PictureMachine **machines, size_t n, Moves *moves) {
        qsort(machines, n, sizeof(*machines), compare_load);
        for (size_t i = n; i > 0; i--)
                for (size_t j = 0; j < i; j++) {
                        PictureMachine *from = machines[i - 1], *to = machines[j];
                        PictureUnit *unit;
                        int r;

                        if (picture_machine_load(from) < picture_machine_load(to) + 2)
                                break;
                        unit = choose_unit(picture, from, to);
                        if (!unit)
                                continue;
                        r = add_move(moves, unit, from, to);
                        if (r < 0)
                                return r;
                        unit->planned |= MARK_MOVED;
                        r = picture_set_target(picture, picture_unit_name(unit), to->id);
                        return r < 0 ? r : 1;
                }
        return 0;
}

int schedule_rebalance(Picture *picture, Moves *ret) {
        _cleanup_free_ PictureMachine **machines = calloc(picture->n_slots + 1, sizeof(*machines));
        _cleanup_moves_ Moves moves = {0};
        size_t n = 0;
        int r;

        if (!machines)
                return -ENOMEM;
        for (size_t slot = 0; slot < picture->n_slots; slot++)
                if (picture->slots[slot] && picture->slots[slot]->present && picture->slots[slot]->cordon == CORDON_NONE)
                        machines[n++] = picture->slots[slot];
        for (size_t i = 0; i < picture->units.length; i++)
                picture->units.items[i]->planned &= ~(size_t)MARK_MOVED;
        do
                r = move_one(picture, machines, n, &moves);
        while (r > 0);
        if (r < 0)
                return r;
        *ret = moves;
        moves = (Moves){0};
        return 0;
}
