/* Patterns of Conflicts=, Replaces= and Avoids=, and the lists that the picture is made of. */
#include <errno.h>

#include "fleet/schedule/picture-internal.h"
#include "fleet/unit/glob.h"

/* Both lists of pointers grow alike. */
static int reserve(void **items, size_t *capacity, size_t length, size_t size) {
        size_t wanted = *capacity ? *capacity * 2 : 4;
        void *larger;

        if (length < *capacity)
                return 0;
        larger = reallocarray(*items, wanted, size);
        if (!larger)
                return -ENOMEM;
        *items = larger;
        *capacity = wanted;
        return 0;
}

int picture_units_add(PictureUnits *list, PictureUnit *unit) {
        int r = reserve((void **)&list->items, &list->capacity, list->length, sizeof(PictureUnit *));

        if (r < 0)
                return r;
        list->items[list->length++] = unit;
        return 0;
}

void picture_units_remove(PictureUnits *list, const PictureUnit *unit) {
        for (size_t i = 0; i < list->length; i++)
                if (list->items[i] == unit) {
                        list->items[i] = list->items[--list->length];
                        return;
                }
}

int picture_patterns_add(PicturePatterns *list, PicturePattern *pattern) {
        int r = reserve((void **)&list->items, &list->capacity, list->length, sizeof(PicturePattern *));

        if (r < 0)
                return r;
        list->items[list->length++] = pattern;
        return 0;
}

bool picture_patterns_contain(const PicturePatterns *list, const PicturePattern *pattern) {
        for (size_t i = 0; i < list->length; i++)
                if (list->items[i] == pattern)
                        return true;
        return false;
}

void picture_patterns_remove(PicturePatterns *list, const PicturePattern *pattern) {
        for (size_t i = 0; i < list->length; i++)
                if (list->items[i] == pattern) {
                        list->items[i] = list->items[--list->length];
                        return;
                }
}

void picture_pattern_free(PicturePattern *pattern) {
        free(pattern->text);
        free(pattern->matches.items);
        free(pattern->counts);
        free(pattern);
}

int picture_match_unit(PicturePattern *pattern, PictureUnit *unit) {
        int r = picture_units_add(&pattern->matches, unit);

        if (r < 0)
                return r;
        r = picture_patterns_add(&unit->matched, pattern);
        if (r < 0)
                pattern->matches.length--;
        return r;
}

/* A new pattern finds the units that it matches and where they are. */
static int pattern_match_all(Picture *picture, PicturePattern *pattern) {
        PictureUnit *only = pattern->literal ? picture_unit(picture, pattern->text) : NULL;
        Slice text = slice_from(pattern->text);
        int r;

        if (pattern->literal)
                return only ? picture_match_unit(pattern, only) : 0;
        if (!glob_is_valid(text))
                return 0;
        for (size_t i = 0; i < picture->units.length; i++) {
                PictureUnit *unit = picture->units.items[i];

                if (!glob_matches(text, slice_from(unit->name->text)))
                        continue;
                r = picture_match_unit(pattern, unit);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void pattern_count_all(Picture *picture, PicturePattern *pattern) {
        for (size_t i = 0; i < pattern->matches.length; i++)
                for (size_t slot = 0; slot < picture->n_slots; slot++)
                        if (picture->slots[slot] && picture_occupies(pattern->matches.items[i], picture->slots[slot]))
                                pattern->counts[slot].matching++;
}

static void forget_pattern(Picture *picture, PicturePattern *pattern) {
        PicturePattern *last = picture->patterns.items[picture->patterns.length - 1];

        for (size_t i = 0; i < pattern->matches.length; i++)
                picture_patterns_remove(&pattern->matches.items[i]->matched, pattern);
        (void)map_remove(&picture->pattern_by_text, slice_from(pattern->text));
        picture->patterns.items[pattern->index] = last;
        last->index = pattern->index;
        picture->patterns.length--;
        picture_pattern_free(pattern);
}

static int intern_pattern(Picture *picture, const char *text, PicturePattern **ret) {
        PicturePattern *pattern = map_get(&picture->pattern_by_text, slice_from(text));
        int r;

        if (pattern) {
                *ret = pattern;
                return 0;
        }
        pattern = calloc(1, sizeof(*pattern));
        if (!pattern)
                return -ENOMEM;
        pattern->text = strdup(text);
        pattern->literal = glob_is_literal(slice_from(text));
        pattern->counts = calloc(picture->capacity_slots ? picture->capacity_slots : 1, sizeof(*pattern->counts));
        pattern->index = picture->patterns.length;
        r = pattern->text && pattern->counts ? picture_patterns_add(&picture->patterns, pattern) : -ENOMEM;
        if (r < 0) {
                picture_pattern_free(pattern);
                return r;
        }
        r = map_put(&picture->pattern_by_text, slice_from(pattern->text), pattern, NULL);
        if (r >= 0)
                r = pattern_match_all(picture, pattern);
        if (r < 0) {
                forget_pattern(picture, pattern);
                return r;
        }
        pattern_count_all(picture, pattern);
        *ret = pattern;
        return 0;
}

/* The unit declares these; it occupies no machine meanwhile. A pattern that is named twice counts once. */
int picture_declare(Picture *picture, const StringList *globs, PicturePatterns *list) {
        for (size_t i = 0; i < globs->length; i++) {
                PicturePattern *pattern;
                int r = intern_pattern(picture, globs->items[i], &pattern);

                if (r < 0)
                        return r;
                if (picture_patterns_contain(list, pattern))
                        continue;
                r = picture_patterns_add(list, pattern);
                if (r < 0) {
                        if (pattern->users == 0)
                                forget_pattern(picture, pattern);
                        return r;
                }
                pattern->users++;
        }
        return 0;
}

void picture_withdraw(Picture *picture, PicturePatterns *list) {
        for (size_t i = 0; i < list->length; i++)
                if (--list->items[i]->users == 0)
                        forget_pattern(picture, list->items[i]);
        list->length = 0;
}
