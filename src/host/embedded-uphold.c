/*
 * Upholds=: what an active unit names there is started whenever it is found at rest, also after a stop by hand. That is at once, but not
 * more often than systemd would in the long run, so that what cannot be kept up costs little.
 */
#include "host/embedded-internal.h"

enum { PAUSE_MSEC = 625 }; /* systemd: 16 times in 10 s */

static const Unit *find_upholder(const Unit *unit) {
        naming_foreach(unit, NAME_USE_UPHOLDS, naming)
                if (unit_is_active(naming.unit))
                        return naming.unit;
        return NULL;
}

Usec unit_uphold_due(const Unit *unit) {
        return unit->awaits_uphold ? unit->upheld_at + PAUSE_MSEC * USEC_PER_MSEC : USEC_INFINITY;
}

static void uphold(Unit *unit, const Unit *upholder) {
        Usec now = clock_monotonic();

        if (unit->upheld_at > 0 && now < unit->upheld_at + PAUSE_MSEC * USEC_PER_MSEC) {
                unit->awaits_uphold = true;
                embedded_set_deadline(unit);
                return;
        }
        unit->upheld_at = now;
        unit_note(unit, "starts, as %s upholds it", upholder->name);
        unit_queue_start(unit, 0);
}

void unit_settle_upheld(Unit *unit) {
        const StringList *upholds = &unit->definition.options.upholds;
        const Unit *upholder;

        for (size_t i = 0; unit_is_active(unit) && i < upholds->length; i++) {
                Unit *other = embedded_find_named(unit->owner, upholds->items[i]);

                if (other && unit_is_idle(other))
                        unit_mark_dirty(other);
        }
        if (!unit_is_idle(unit) || unit->awaits_uphold || unit->owner->lets_fall || unit_wants_unload(unit) || unit_kind(unit) == UNIT_TEMPLATE)
                return;
        upholder = find_upholder(unit);
        if (upholder)
                uphold(unit, upholder);
}

void embedded_supervisor_let_fall(Supervisor *supervisor) {
        embedded_of(supervisor)->lets_fall = true;
}
