#include "base/suggest.h"

#include <string.h>

enum { SUGGEST_WORD_MAX = 64 };

/* Optimal string alignment distance, three rows at a time. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length) {
        size_t rows[3][SUGGEST_WORD_MAX + 1];
        size_t *before = rows[0], *above = rows[1], *row = rows[2];

        for (size_t j = 0; j <= b_length; j++)
                above[j] = j;
        memcpy(before, above, sizeof(rows[0]));
        for (size_t i = 1; i <= a_length; i++) {
                size_t *spare;

                row[0] = i;
                for (size_t j = 1; j <= b_length; j++) {
                        size_t replace = above[j - 1] + (a[i - 1] != b[j - 1]), gap = min_of(above[j], row[j - 1]) + 1;

                        row[j] = min_of(replace, gap);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                row[j] = min_of(row[j], before[j - 2] + 1);
                }
                spare = before;
                before = above;
                above = row;
                row = spare;
        }
        return above[b_length];
}

const char *suggest_nearest(const char *word, const char *const *words, size_t count) {
        size_t length = strlen(word), best = SIZE_MAX;
        const char *nearest = NULL;

        if (length > SUGGEST_WORD_MAX)
                return NULL;
        for (size_t i = 0; i < count; i++) {
                size_t other = strlen(words[i]), distance;

                if (other > SUGGEST_WORD_MAX)
                        continue;
                distance = edit_distance(word, length, words[i], other);
                if (distance < best) {
                        best = distance;
                        nearest = words[i];
                }
        }
        return best <= max_of(length / 3, (size_t)2) && best < max_of(length, (size_t)1) ? nearest : NULL;
}
