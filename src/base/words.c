#include "base/words.h"

#include <stdlib.h>

#include "base/cleanup.h"

void words_deinit(Words *words) {
        map_foreach(&words->map, entry)
                free(entry->value);
        map_deinit(&words->map);
}

const char *words_keep(Words *words, const char *word) {
        char *kept = map_get(&words->map, slice_from(word));

        if (kept || words->map.length >= WORDS_MAX)
                return kept;
        kept = strdup(word);
        if (kept && map_put(&words->map, slice_from(kept), kept, NULL) < 0)
                free(take_ptr(kept));
        return kept;
}
