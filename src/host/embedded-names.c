/* Who names whom: from a unit's name to the units whose text names it, so that nobody has to look through all units. */
#include <errno.h>

#include "host/embedded-internal.h"

/* A name that units mention; there may be no unit of it. */
struct MentionedName {
        char *name;
        List mentions; /* Mention */
};

/* The lists of names in a unit's text. */
static const struct {
        NameUse use;
        bool install; /* counts only for a unit that is enabled */
        size_t offset;
} lists[] = {
        {NAME_USE_BEFORE, false, offsetof(ServiceOptions, before)},
        {NAME_USE_REQUIRES, false, offsetof(ServiceOptions, requires)},
        {NAME_USE_REQUISITE, false, offsetof(ServiceOptions, requisite)},
        {NAME_USE_BINDS_TO, false, offsetof(ServiceOptions, binds_to)},
        {NAME_USE_PART_OF, false, offsetof(ServiceOptions, part_of)},
        {NAME_USE_UPHOLDS, false, offsetof(ServiceOptions, upholds)},
        {NAME_USE_CONFLICTS, false, offsetof(ServiceOptions, conflicts)},
        {NAME_USE_WANTED_BY, true, offsetof(ServiceOptions, wanted_by)},
        {NAME_USE_REQUIRED_BY, true, offsetof(ServiceOptions, required_by)},
        {NAME_USE_ALIAS, true, offsetof(ServiceOptions, alias)},
};

static const StringList *list_of(const Unit *unit, size_t i) {
        return (const StringList *)((const char *)&unit->definition.options + lists[i].offset);
}

static bool counts(const Unit *unit, size_t i) {
        return !lists[i].install || unit->owner->enables;
}

static MentionedName *make_name(Embedded *e, const char *name) {
        MentionedName *made = map_get(&e->mentioned, slice_from(name));

        if (made)
                return made;
        made = calloc(1, sizeof(*made));
        if (!made)
                return NULL;
        list_init(&made->mentions);
        made->name = strdup(name);
        if (!made->name || map_put(&e->mentioned, slice_from(made->name), made, NULL) < 0) {
                free(made->name);
                free(made);
                return NULL;
        }
        return made;
}

static int mention(Unit *unit, const char *name, NameUse use) {
        MentionedName *made = make_name(unit->owner, name);
        Mention *one;

        if (!made)
                return -ENOMEM;
        one = &unit->mentions[unit->n_mentions++];
        *one = (Mention){.unit = unit, .name = made, .use = use};
        list_append(&made->mentions, &one->link);
        return 0;
}

static const char *started_by(const Unit *unit) {
        return unit_kind(unit) == UNIT_TRIGGER ? unit->definition.trigger.unit : NULL;
}

static size_t count_names(const Unit *unit) {
        size_t n = started_by(unit) ? 1 : 0;

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                if (counts(unit, i))
                        n += list_of(unit, i)->length;
        return n;
}

void unit_forget_names(Unit *unit) {
        for (size_t i = 0; i < unit->n_mentions; i++) {
                MentionedName *name = unit->mentions[i].name;

                list_unlink(&unit->mentions[i].link);
                if (!list_is_empty(&name->mentions))
                        continue;
                (void)map_remove(&unit->owner->mentioned, slice_from(name->name));
                free(name->name);
                free(name);
        }
        free(unit->mentions);
        unit->mentions = NULL;
        unit->n_mentions = 0;
}

void unit_note_names(Unit *unit) {
        size_t n = count_names(unit);
        int r = 0;

        unit_forget_names(unit);
        if (n == 0)
                return;
        unit->mentions = calloc(n, sizeof(*unit->mentions));
        if (!unit->mentions)
                r = -ENOMEM;
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(lists); i++)
                for (size_t k = 0; r >= 0 && counts(unit, i) && k < list_of(unit, i)->length; k++)
                        r = mention(unit, list_of(unit, i)->items[k], lists[i].use);
        if (r >= 0 && started_by(unit))
                r = mention(unit, started_by(unit), NAME_USE_STARTS);
        if (r < 0)
                unit_note(unit, "no memory for the units that it names: they do not start and stop with it");
}

/* ---- looking up ---- */

Unit *embedded_find_named(Embedded *e, const char *name) {
        Unit *unit = embedded_find(e, name);
        const MentionedName *mentioned = unit ? NULL : map_get(&e->mentioned, slice_from(name));

        if (!mentioned)
                return unit;
        list_foreach(&mentioned->mentions, node) {
                const Mention *one = container_of(node, Mention, link);

                if (one->use == NAME_USE_ALIAS)
                        return one->unit;
        }
        return NULL;
}

/* The unit's own name first, then its aliases; NULL: that is all. */
static const char *name_at(const Unit *unit, size_t i) {
        const StringList *aliases = &unit->definition.options.alias;

        if (i == 0)
                return unit->name;
        return unit->owner->enables && i <= aliases->length ? aliases->items[i - 1] : NULL;
}

static void next_name(Naming *naming) {
        const char *name;

        naming->list = NULL;
        while (!naming->list && (name = name_at(naming->named, naming->names++))) {
                const MentionedName *mentioned = map_get(&naming->named->owner->mentioned, slice_from(name));

                naming->list = mentioned ? &mentioned->mentions : NULL;
        }
        naming->next = naming->list ? naming->list->next : NULL;
}

void naming_next(Naming *naming) {
        naming->unit = NULL;
        while (naming->list && !naming->unit) {
                const Mention *one;

                if (naming->next == naming->list) {
                        next_name(naming);
                        continue;
                }
                one = container_of(naming->next, Mention, link);
                naming->next = naming->next->next;
                if (one->use == naming->use && one->unit != naming->named)
                        naming->unit = one->unit;
        }
}

Naming naming_first(const Unit *named, NameUse use) {
        Naming naming = {.named = named, .use = use};

        next_name(&naming);
        naming_next(&naming);
        return naming;
}
