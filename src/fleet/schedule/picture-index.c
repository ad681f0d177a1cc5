/* The index of machines by load, and the classes of units that the same machines admit. */
#include <errno.h>
#include <stdlib.h>

#include "fleet/schedule/picture-internal.h"
#include "fleet/schedule/picture-touch.h"

enum { WORD_BITS = 64 };

/* ---- classes ---- */

void picture_class_free(PictureClass *class) {
        free(class->text);
        free(class->bits);
        free(class);
}

static char *class_text(const UnitRequirements *requirements) {
        Buffer text = BUFFER_INIT;

        (void)buffer_printf(&text, "%s\n", requirements->machine_id ?: "");
        for (size_t i = 0; i < requirements->n_metadata; i++) {
                (void)buffer_printf(&text, "%s", requirements->metadata[i].key);
                for (size_t j = 0; j < requirements->metadata[i].values.length; j++)
                        (void)buffer_printf(&text, "=%s", requirements->metadata[i].values.items[j]);
                (void)buffer_append_byte(&text, '\n');
        }
        return buffer_steal_string(&text, NULL);
}

int picture_join_class(Picture *picture, PictureUnit *unit) {
        _cleanup_free_ char *text = class_text(unit->requirements);
        PictureClass *class = text ? map_get(&picture->classes, slice_from(text)) : NULL;

        if (!text)
                return -ENOMEM;
        if (!class) {
                class = calloc(1, sizeof(*class));
                if (!class)
                        return -ENOMEM;
                class->text = take_ptr(text);
                if (map_put(&picture->classes, slice_from(class->text), class, NULL) < 0) {
                        picture_class_free(class);
                        return -ENOMEM;
                }
        }
        class->users++;
        unit->class = class;
        return 0;
}

void picture_leave_class(Picture *picture, PictureUnit *unit) {
        PictureClass *class = unit->class;

        unit->class = NULL;
        if (!class || --class->users > 0)
                return;
        (void)map_remove(&picture->classes, slice_from(class->text));
        picture_class_free(class);
}

/* ---- the index ---- */

void picture_index_drop(Picture *picture) {
        PictureIndex *index = &picture->index;

        for (size_t i = 0; i < index->n_buckets; i++)
                free(index->buckets[i]);
        free(index->buckets);
        free(index->in_bucket);
        free(index->by_rank);
        *index = (PictureIndex){.generation = index->generation};
}

/* The set of a load. NULL without memory. */
static uint64_t *bucket(PictureIndex *index, size_t load) {
        if (load >= index->n_buckets) {
                size_t count = max_of(load + 1, index->n_buckets * 2);
                uint64_t **larger = reallocarray(index->buckets, count, sizeof(*larger));
                size_t *counts;

                if (!larger)
                        return NULL;
                index->buckets = larger;
                counts = reallocarray(index->in_bucket, count, sizeof(*counts));
                if (!counts)
                        return NULL;
                index->in_bucket = counts;
                memset(larger + index->n_buckets, 0, (count - index->n_buckets) * sizeof(*larger));
                memset(counts + index->n_buckets, 0, (count - index->n_buckets) * sizeof(*counts));
                index->n_buckets = count;
        }
        if (!index->buckets[load])
                index->buckets[load] = calloc(index->words + 1, sizeof(uint64_t));
        return index->buckets[load];
}

static bool is_indexed(const PictureIndex *index, const PictureMachine *machine) {
        return index->valid && machine->rank < index->n && index->by_rank[machine->rank] == machine;
}

void picture_index_load(Picture *picture, const PictureMachine *machine, int by) {
        PictureIndex *index = &picture->index;
        size_t load = machine->occupants.length, before = load - (size_t)by, word = machine->rank / WORD_BITS;
        uint64_t bit = UINT64_C(1) << machine->rank % WORD_BITS, *from, *to;

        if (!is_indexed(index, machine))
                return;
        from = bucket(index, before);
        to = from ? bucket(index, load) : NULL;
        if (!to) {
                picture_index_drop(picture);
                return;
        }
        from[word] &= ~bit;
        index->in_bucket[before]--;
        to[word] |= bit;
        index->in_bucket[load]++;
}

void picture_index_remove(Picture *picture, const PictureMachine *machine) {
        PictureIndex *index = &picture->index;
        size_t load = machine->occupants.length, word = machine->rank / WORD_BITS;
        uint64_t bit = UINT64_C(1) << machine->rank % WORD_BITS;

        if (!is_indexed(index, machine))
                return;
        index->by_rank[machine->rank] = NULL;
        index->buckets[load][word] &= ~bit;
        index->in_bucket[load]--;
        map_foreach(&picture->classes, entry) {
                PictureClass *class = entry->value;

                if (class->generation != index->generation || !(class->bits[word] & bit))
                        continue;
                class->bits[word] &= ~bit;
                class->count--;
        }
}

static int compare_ids(const void *a, const void *b) {
        return strcmp((*(PictureMachine *const *)a)->id, (*(PictureMachine *const *)b)->id);
}

static int index_make(Picture *picture) {
        PictureIndex *index = &picture->index;

        picture_index_drop(picture);
        index->by_rank = calloc(picture->n_slots + 1, sizeof(*index->by_rank));
        if (!index->by_rank)
                return -ENOMEM;
        for (size_t slot = 0; slot < picture->n_slots; slot++)
                if (picture->slots[slot] && picture->slots[slot]->present && picture->slots[slot]->cordon == CORDON_NONE)
                        index->by_rank[index->n++] = picture->slots[slot];
        if (index->n > 1)
                qsort(index->by_rank, index->n, sizeof(*index->by_rank), compare_ids);
        index->words = (index->n + WORD_BITS - 1) / WORD_BITS;
        for (size_t rank = 0; rank < index->n; rank++) {
                uint64_t *set = bucket(index, picture_machine_load(index->by_rank[rank]));

                if (!set) {
                        picture_index_drop(picture);
                        return -ENOMEM;
                }
                index->by_rank[rank]->rank = rank;
                index->in_bucket[picture_machine_load(index->by_rank[rank])]++;
                set[rank / WORD_BITS] |= UINT64_C(1) << rank % WORD_BITS;
        }
        index->generation++;
        index->valid = true;
        return 0;
}

static int class_make(const PictureIndex *index, PictureClass *class, const UnitRequirements *requirements) {
        uint64_t *bits = calloc(index->words + 1, sizeof(*bits));

        if (!bits)
                return -ENOMEM;
        free(class->bits);
        class->bits = bits;
        class->count = 0;
        class->generation = index->generation;
        for (size_t rank = 0; rank < index->n; rank++)
                if (index->by_rank[rank] && picture_admits(index->by_rank[rank], requirements)) {
                        bits[rank / WORD_BITS] |= UINT64_C(1) << rank % WORD_BITS;
                        class->count++;
                }
        return 0;
}

PictureMachine *picture_least_loaded(Picture *picture, const PictureUnit *unit,
                                     bool (*able)(const Picture *picture, const PictureUnit *unit, const PictureMachine *machine),
                                     size_t *ret_count) {
        PictureIndex *index = &picture->index;
        PictureClass *class = unit->class;

        if (!class || (!index->valid && index_make(picture) < 0) ||
            (class->generation != index->generation && class_make(index, class, unit->requirements) < 0))
                return NULL;
        *ret_count = class->count;
        for (size_t load = 0; load < index->n_buckets; load++)
                for (size_t word = 0; index->in_bucket[load] > 0 && word < index->words; word++)
                        for (uint64_t set = index->buckets[load][word] & class->bits[word]; set; set &= set - 1) {
                                PictureMachine *machine = index->by_rank[word * WORD_BITS + (size_t)__builtin_ctzll(set)];

                                if (able(picture, unit, machine))
                                        return machine;
                        }
        return NULL;
}
