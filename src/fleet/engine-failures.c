/* Units that fail where they are: the store remembers for a while, and the scheduler keeps them off. */
#include <errno.h>

#include "fleet/engine-internal.h"

enum { BAN_SEC = 600 };

int engine_ban(Engine *engine, Picture *picture, const RegistryUnit *unit, const char *machine, const char *reason) {
        const BanRecord record = {.reason = (char *)(uintptr_t)reason, .hash = unit->hash};
        _cleanup_free_ char *text = NULL;

        if (!unit->hash)
                return 0;
        if (registry_put_ban(engine->registry, unit->name, machine, &record, BAN_SEC * USEC_PER_SEC, engine_step_done, engine) < 0)
                return -ENOMEM;
        engine->writing++;
        text = str_printf("%s is kept off machine %s for %d min: %s", unit->name, machine, BAN_SEC / 60, reason);
        if (text)
                engine->events->note(engine->userdata, text);
        return picture_add_ban(picture, unit->name, machine, reason); /* the pass that is under way heeds it */
}

/* NULL: it does well enough. Otherwise a heap string. */
static char *why_failing(const PictureUnit *unit, const StateRecord *state) {
        if (str_equals(state->active, "failed"))
                return state->text && *state->text ? str_printf("it failed: %s", state->text) : strdup("it failed");
        if (state->failures >= unit->requirements->move_after)
                return str_printf("it failed %llu times within %llu s", (unsigned long long)state->failures,
                                  (unsigned long long)(unit->requirements->failures_within / USEC_PER_SEC));
        return NULL;
}

static void look_at(Engine *engine, Picture *picture, const PictureUnit *unit) {
        const RegistryUnit *known = registry_unit(engine->registry, picture_unit_name(unit));
        _cleanup_free_ char *why = NULL;
        const RegistryState *state;

        if (!known || !known->hash || unit->requirements->move_after == 0 || unit->requirements->global || unit->desired != UNIT_LAUNCHED ||
            !unit->target || unit->source || picture_ban(unit, unit->target))
                return;
        state = registry_state(engine->registry, unit->target->id, known->name);
        if (!state || !str_equals(state->record.hash, known->hash))
                return;
        why = why_failing(unit, &state->record);
        if (why && engine_ban(engine, picture, known, unit->target->id, why) < 0)
                engine->suspect_all = true;
}

void engine_ban_failing(Engine *engine, Picture *picture) {
        bool all = engine->suspect_all;

        engine->suspect_all = false;
        for (size_t i = 0; all && i < picture->units.length; i++)
                look_at(engine, picture, picture->units.items[i]);
        for (size_t i = 0; !all && i < engine->suspects.length; i++) {
                const PictureUnit *unit = picture_unit(picture, engine->suspects.items[i]);

                if (unit)
                        look_at(engine, picture, unit);
        }
        string_list_deinit(&engine->suspects);
}
