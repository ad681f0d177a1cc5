/* Who replaces whom. Two that would drive each other away without end, by chains of Replaces= or MachineOf=, do not. */
#include "fleet/schedule/schedule.h"

/* Units that can be reached from one: looked at in the order in which they were found. */
typedef struct Chain {
        const PictureUnit *units[SCHEDULE_CHAIN_MAX];
        size_t length;
} Chain;

static void chain_add(Chain *chain, const PictureUnit *unit) {
        if (chain->length == SCHEDULE_CHAIN_MAX)
                return;
        for (size_t i = 0; i < chain->length; i++)
                if (chain->units[i] == unit)
                        return;
        chain->units[chain->length++] = unit;
}

bool schedule_must_join(const Picture *picture, const PictureUnit *unit, const PictureUnit *other) {
        Chain chain = {.units = {unit}, .length = 1};

        for (size_t i = 0; i < chain.length; i++) {
                const StringList *peers = &chain.units[i]->requirements->peers;

                for (size_t j = 0; j < peers->length; j++) {
                        const PictureUnit *peer = picture_unit(picture, peers->items[j]);

                        if (peer == other)
                                return true;
                        if (peer && peer->requirements->peers.length > 0)
                                chain_add(&chain, peer);
                }
        }
        return false;
}

static bool names_in_replaces(const PictureUnit *by, const PictureUnit *unit) {
        for (size_t i = 0; i < by->replaces.length; i++)
                for (size_t j = 0; j < unit->matched.length; j++)
                        if (by->replaces.items[i] == unit->matched.items[j])
                                return true;
        return false;
}

/* Those that it replaces and that replace others themselves. */
static void add_replaced(Chain *chain, const PictureUnit *by) {
        for (size_t i = 0; i < by->replaces.length; i++) {
                const PictureUnits *matches = &by->replaces.items[i]->matches;

                for (size_t j = 0; j < matches->length && chain->length < SCHEDULE_CHAIN_MAX; j++)
                        if (matches->items[j]->replaces.length > 0)
                                chain_add(chain, matches->items[j]);
        }
}

static bool replaces_at_last(const PictureUnit *unit, const PictureUnit *other) {
        Chain chain = {.units = {unit}, .length = 1};

        for (size_t i = 0; i < chain.length; i++) {
                if (names_in_replaces(chain.units[i], other))
                        return true;
                add_replaced(&chain, chain.units[i]);
        }
        return false;
}

bool schedule_replaces(const Picture *picture, const PictureUnit *by, const PictureUnit *unit) {
        return by != unit && names_in_replaces(by, unit) && !replaces_at_last(unit, by) && !schedule_must_join(picture, by, unit);
}
