/* Runs a fuzz harness without libFuzzer: every file of the corpus folder, and mutations of them from a fixed seed. */
#include <dirent.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/random.h"
#include "base/str.h"

enum { MUTATIONS = 2000, INPUT_MAX = 1 << 20, RANDOM_LENGTH = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Corpus {
        Buffer *inputs;
        size_t count;
} Corpus;

static void corpus_add_file(Corpus *corpus, const char *path) {
        FILE *file = fopen(path, "rbe");
        Buffer *input;
        void *to;

        if (!file)
                return;
        corpus->inputs = reallocarray(corpus->inputs, corpus->count + 1, sizeof(Buffer));
        if (!corpus->inputs)
                abort();
        input = &corpus->inputs[corpus->count++];
        *input = BUFFER_INIT;
        to = buffer_reserve(input, INPUT_MAX);
        if (!to)
                abort();
        buffer_commit(input, fread(to, 1, INPUT_MAX, file));
        (void)fclose(file);
}

static void corpus_load(Corpus *corpus, const char *folder) {
        DIR *directory = opendir(folder);
        struct dirent *entry;

        if (!directory)
                return; /* no corpus yet: random bytes alone */
        while ((entry = readdir(directory))) {
                _cleanup_free_ char *path = str_printf("%s/%s", folder, entry->d_name);

                if (path && entry->d_name[0] != '.')
                        corpus_add_file(corpus, path);
        }
        (void)closedir(directory);
}

/* A heap copy of exactly the right size, so that a sanitizer sees any step beyond it. */
static void run_exact(const char *bytes, size_t length) {
        uint8_t *copy = malloc(length ? length : 1);

        if (!copy)
                abort();
        if (length)
                memcpy(copy, bytes, length);
        (void)LLVMFuzzerTestOneInput(copy, length);
        free(copy);
}

static void run_mutation(const Corpus *corpus, Random *random) {
        _cleanup_buffer_ Buffer input = BUFFER_INIT;
        size_t changes = 1 + random_below(random, 4);

        if (corpus->count > 0 && random_chance(random, 4, 5)) {
                const Buffer *base = &corpus->inputs[random_below(random, corpus->count)];

                (void)buffer_append(&input, buffer_data(base), buffer_length(base));
                buffer_truncate(&input, random_below(random, buffer_length(base) * 2 + 1));
        }
        if (buffer_length(&input) == 0)
                for (size_t n = random_below(random, RANDOM_LENGTH); n > 0; n--)
                        (void)buffer_append_byte(&input, (char)random_u64(random));
        for (size_t i = 0; i < changes && buffer_length(&input) > 0; i++)
                buffer_data(&input)[random_below(random, buffer_length(&input))] = (char)random_u64(random);
        run_exact(buffer_data(&input), buffer_length(&input));
}

int main(int argc, char **argv) {
        Corpus corpus = {0};
        Random random;

        if (argc > 1)
                corpus_load(&corpus, argv[1]);
        for (size_t i = 0; i < corpus.count; i++)
                run_exact(buffer_data(&corpus.inputs[i]), buffer_length(&corpus.inputs[i]));
        random_seed(&random, 1);
        for (int i = 0; i < MUTATIONS; i++)
                run_mutation(&corpus, &random);
        printf("%zu inputs, %d mutations\n", corpus.count, MUTATIONS);
        for (size_t i = 0; i < corpus.count; i++)
                buffer_deinit(&corpus.inputs[i]);
        free(corpus.inputs);
        return 0;
}
