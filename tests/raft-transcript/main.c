/*
 * Carries out scripts on the consensus core and compares what they print with what the files expect.
 *
 *     raft-transcript [-w] [--quorum|--confchange] FILE…
 *
 * A folder stands for the files *.txt in it. -w rewrites the files instead. Exit 0: all agree; 1: a file differs; 2:
 * wrong usage, or a file that cannot be read.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "commands.h"

typedef enum Kind {
        KIND_INTERACTION,
        KIND_QUORUM,
        KIND_CONFCHANGE,
} Kind;

typedef struct Run {
        Kind kind;
        Environment environment;
        ConfchangeFile confchange;
} Run;

static void run_directive(Run *run, const Directive *directive, Buffer *out) {
        switch (run->kind) {
        case KIND_QUORUM:
                quorum_run(directive, out);
                break;
        case KIND_CONFCHANGE:
                confchange_run(&run->confchange, directive, out);
                break;
        case KIND_INTERACTION:
                interaction_run(&run->environment, directive, out);
                break;
        }
        if (buffer_length(out) > 0 && buffer_data(out)[buffer_length(out) - 1] != '\n')
                buffer_append_byte(out, '\n');
        check_memory(buffer_failed(out));
}

/* Names the first line that differs. */
static void print_difference(const char *path, const Directive *directive, const Buffer *out) {
        Slice expected = directive->expected, got = {buffer_data(out), buffer_length(out)}, a = {0}, b = {0};
        size_t line = directive->expected_line;
        bool more_a, more_b;

        expected.data = expected.data ? expected.data : "";
        got.data = got.data ? got.data : "";
        for (;; line++) {
                more_a = slice_split(&expected, '\n', &a);
                more_b = slice_split(&got, '\n', &b);
                if (!more_a || !more_b || !slice_equals(a, b))
                        break;
        }
        printf("%s:%zu: differs (the command is in line %zu: %.*s)\n", path, line, directive->line,
               (int)directive->command.length, directive->command.data);
        printf("expected: %.*s\n", more_a ? (int)a.length : 0, more_a ? a.data : "");
        printf("got:      %.*s\n", more_b ? (int)b.length : 0, more_b ? b.data : "");
}

static int write_file(const char *path, const Buffer *text, Error *error) {
        FILE *file = fopen(path, "we");
        bool good;

        if (!file)
                return error_set_errno(error, -errno, "cannot write %s", path);
        good = fwrite(buffer_data(text), 1, buffer_length(text), file) == buffer_length(text);
        if (fclose(file) != 0 || !good)
                return error_set(error, -EIO, "cannot write %s", path);
        return 0;
}

/* Comments and blank lines stay as they are; between directives there is one blank line at least. */
static void rewrite_directive(Buffer *text, Slice skipped, const Directive *directive, const Buffer *out) {
        if (buffer_length(text) > 0)
                buffer_append_byte(text, '\n');
        buffer_append(text, skipped.data, skipped.length);
        buffer_append(text, directive->source.data, directive->source.length);
        buffer_append(text, buffer_data(out), buffer_length(out));
}

/* 0: agrees (or was rewritten); 1: differs. */
static int run_file(const char *path, Kind kind, bool rewrite, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT, out = BUFFER_INIT;
        Run run = {.kind = kind, .confchange = {.tracker = {.max_inflight_messages = 10}}};
        Directive *directive = NULL;
        Script script;
        Slice skipped;
        int r;

        r = script_load(&script, path, error);
        if (r < 0)
                return r;
        directive = malloc(sizeof(Directive));
        if (!directive)
                check_memory(-ENOMEM);
        while ((r = script_next(&script, directive, &skipped, error)) > 0) {
                buffer_clear(&out);
                run_directive(&run, directive, &out);
                if (rewrite)
                        rewrite_directive(&text, skipped, directive, &out);
                else if (!slice_equals((Slice){buffer_data(&out), buffer_length(&out)}, directive->expected)) {
                        print_difference(path, directive, &out);
                        break;
                }
        }
        if (r < 0)
                (void)error_prefix(error, r, "%s", path);
        else if (rewrite) {
                buffer_append(&text, skipped.data, skipped.length);
                check_memory(buffer_failed(&text));
                r = write_file(path, &text, error);
        }
        free(directive);
        environment_deinit(&run.environment);
        raft_tracker_deinit(&run.confchange.tracker);
        script_deinit(&script);
        return r;
}

/* Adds `path`, or what is in it, in order. */
static int add_files(const char *path, StringList *files, Error *error) {
        _cleanup_string_list_ StringList inside = {0};
        struct dirent *entry;
        struct stat status;
        DIR *folder;

        if (stat(path, &status) < 0)
                return error_set_errno(error, -errno, "cannot open %s", path);
        if (!S_ISDIR(status.st_mode)) {
                check_memory(string_list_add(files, path));
                return 0;
        }
        folder = opendir(path);
        if (!folder)
                return error_set_errno(error, -errno, "cannot open %s", path);
        while ((entry = readdir(folder)))
                if (str_ends_with(entry->d_name, ".txt"))
                        check_memory(string_list_take(&inside, str_printf("%s/%s", path, entry->d_name)));
        closedir(folder);
        if (inside.length == 0)
                return error_set(error, -ENOENT, "no files *.txt in %s", path);
        string_list_sort(&inside);
        for (size_t i = 0; i < inside.length; i++)
                check_memory(string_list_add(files, inside.items[i]));
        return 0;
}

static int usage(const char *problem) {
        fprintf(stderr, "raft-transcript: %s\nusage: raft-transcript [-w] [--quorum|--confchange] FILE...\n", problem);
        return 2;
}

int main(int argc, char **argv) {
        _cleanup_string_list_ StringList files = {0};
        Error error = ERROR_NONE;
        Kind kind = KIND_INTERACTION;
        bool rewrite = false;
        size_t differ = 0;
        int i, r = 0;

        for (i = 1; i < argc && argv[i][0] == '-'; i++) {
                if (str_equals(argv[i], "--")) {
                        i++;
                        break;
                }
                if (str_equals(argv[i], "-w"))
                        rewrite = true;
                else if (str_equals(argv[i], "--quorum") && kind != KIND_CONFCHANGE)
                        kind = KIND_QUORUM;
                else if (str_equals(argv[i], "--confchange") && kind != KIND_QUORUM)
                        kind = KIND_CONFCHANGE;
                else
                        return usage("unknown option, or two kinds of files at once");
        }
        if (i == argc)
                return usage("no files given");
        for (; i < argc && r >= 0; i++)
                r = add_files(argv[i], &files, &error);
        for (size_t j = 0; j < files.length && r >= 0; j++) {
                r = run_file(files.items[j], kind, rewrite, &error);
                differ += r > 0 ? 1 : 0;
        }
        if (r < 0) {
                fprintf(stderr, "raft-transcript: %s\n", error.text);
                return 2;
        }
        printf("%zu of %zu files agree\n", files.length - differ, files.length);
        return differ > 0 ? 1 : 0;
}
