#pragma once
/* "Did you mean …?": the nearest of the known words. */
#include "base/util.h"

/* The word of `words` that is nearest to `word` by insertions, deletions, replacements and swaps of neighbours, or NULL
 * when none is near (more than a third of its length, at least 2, away). */
const char *suggest_nearest(const char *word, const char *const *words, size_t count);
