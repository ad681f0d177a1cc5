#pragma once
/*
 * Moves of units that could stay: off machines that are drained, and to even the load. Pure. docs/decisions/fleet-moves.md
 * says how they are carried out, and why that is safe when an engine dies in the middle.
 */
#include "fleet/schedule/schedule.h"

/* Whether the unit may run on two machines while it moves: Overlap=no is not set, and it neither follows another unit nor
 * is followed by one. */
bool schedule_may_overlap(const PictureUnit *unit);

/* Appends the steps that move a placed unit, and changes the picture: one hand-over where it may overlap, otherwise away and
 * there again. -ENOMEM. */
int schedule_move(Picture *picture, PictureUnit *unit, const PictureMachine *to, const char *reason, Plan *plan);

/* The oldest unit on a machine that is being drained for which there is another; ret_decision says which. NULL: none. */
PictureUnit *schedule_next_drained(const Picture *picture, Decision *ret_decision);

typedef struct Move {
        char *unit, *from, *to, *reason;
} Move;

typedef struct Moves {
        Move *items;
        size_t length, capacity;
} Moves;

void moves_deinit(Moves *moves);
#define _cleanup_moves_ _cleanup_(moves_deinit)

/* Moves that even the load of machines that take units, as few as do: each goes from the fullest machine that has a unit to
 * give to the emptiest that may have it, and only where they differ by two or more; a unit moves once. Units that follow
 * others, or are followed, stay. The picture is changed as if all had happened. -ENOMEM. */
int schedule_rebalance(Picture *picture, Moves *ret);
