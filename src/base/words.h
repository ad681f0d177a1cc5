#pragma once
/*
 * Words of a small vocabulary that come from elsewhere, each kept once: for those who have the same few words many times. Zeroed is
 * empty and valid.
 */
#include "base/map.h"

#define WORDS_MAX 1024

typedef struct Words {
        Map map; /* word → itself */
} Words;

void words_deinit(Words *words);

/* A pointer to what reads the same, good until words_deinit(). NULL: no memory, or there are WORDS_MAX others. */
const char *words_keep(Words *words, const char *word);
