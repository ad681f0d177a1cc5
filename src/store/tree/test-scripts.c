/* Runs the golden scripts in tests/tree; tests/tree/README.md has the commands. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "store/tree/snapshot.h"

#define TIME_BASE ((WallUsec)1000000000)
#define USEC ((WallUsec)USEC_PER_SEC)

typedef struct NamedWatcher {
        char name[32];
        Watcher *watcher;
} NamedWatcher;

typedef struct Runner {
        Tree tree;
        WallUsec now;
        NamedWatcher watchers[16];
        Buffer output; /* of the command under way */
} Runner;

static int64_t seconds(WallUsec at) {
        return at / USEC - (at >= TIME_BASE * USEC ? TIME_BASE : 0);
}

static void print_side(Buffer *output, const EventNode *node) {
        Slice value = value_slice(node->value);

        if (node->dir)
                (void)buffer_append_string(output, " dir");
        if (node->has_value)
                (void)buffer_printf(output, " value='%.*s'", (int)value.length, value.data);
        if (node->has_expiry)
                (void)buffer_printf(output, " expiry=%" PRId64, seconds(node->expiry));
        (void)buffer_printf(output, " created=%" PRIu64 " modified=%" PRIu64, node->created, node->modified);
}

static void print_event(Buffer *output, const Event *event) {
        (void)buffer_printf(output, "    %s %.*s", event_action_name(event->action), (int)event->path_length,
                            event->path);
        print_side(output, &event->node);
        if (event->refresh)
                (void)buffer_append_string(output, " refresh");
        if (event->has_previous) {
                (void)buffer_append_string(output, "; was");
                print_side(output, &event->previous);
        }
        (void)buffer_append_byte(output, '\n');
}

static void print_outcome(Buffer *output, int r, const TreeError *error) {
        if (r > 0)
                (void)buffer_printf(output, "    error %d at %" PRIu64 ": %.*s\n", error->code, error->index,
                                    (int)buffer_length(&error->cause), buffer_data(&error->cause));
        else if (r < 0)
                (void)buffer_printf(output, "    errno %d\n", -r);
}

/* "key=value" or "key" */
static bool take_option(char *word, const char *key, const char **ret_value) {
        size_t length = strlen(key);

        if (strncmp(word, key, length) != 0 || (word[length] != '=' && word[length] != '\0'))
                return false;
        *ret_value = word[length] ? word + length + 1 : word + length;
        return true;
}

static void parse_option(Runner *runner, char *word, Command *command, WatchOptions *watch) {
        const char *value;

        if (take_option(word, "value", &value))
                command->value = slice_from(value);
        else if (take_option(word, "prev", &value))
                command->prev_value = slice_from(value);
        else if (take_option(word, "index", &value))
                command->prev_index = strtoull(value, NULL, 10);
        else if (take_option(word, "since", &value))
                watch->since = strtoull(value, NULL, 10);
        else if (take_option(word, "max", &value))
                command->max_expired = strtoull(value, NULL, 10);
        else if (take_option(word, "ttl", &value)) {
                command->has_expiry = true;
                command->expiry = runner->now + strtoll(value, NULL, 10) * USEC;
        } else if (str_equals(word, "dir"))
                command->dir = true;
        else if (str_equals(word, "unique"))
                command->unique = true;
        else if (str_equals(word, "refresh"))
                command->refresh = true;
        else if (str_equals(word, "stream"))
                watch->stream = true;
        else if (str_equals(word, "recursive"))
                command->recursive = watch->recursive = true;
        else
                fail_msg("unknown option '%s'", word);
}

static void run_command(Runner *runner, const Command *command) {
        _cleanup_tree_error_ TreeError error = {0};
        _cleanup_event_ Event *event = NULL;
        int r = tree_apply(&runner->tree, command, &event, &error);

        print_outcome(&runner->output, r, &error);
        if (event)
                print_event(&runner->output, event);
}

static void run_sync(Runner *runner, const Command *command) {
        uint64_t before = runner->tree.index;

        run_command(runner, command);
        for (uint64_t index = before + 1; index <= runner->tree.index; index++)
                print_event(&runner->output, history_at(&runner->tree.history,
                                                        (size_t)(index - history_oldest(&runner->tree.history))));
}

static void run_get(Runner *runner, const Command *command) {
        _cleanup_tree_error_ TreeError error = {0};
        const Node *top;
        int r = tree_get(&runner->tree, command->path, &top, &error);

        print_outcome(&runner->output, r, &error);
        for (const Node *node = r == 0 ? top : NULL; node; node = node_next(node, top)) {
                EventNode side = node_describe(node);

                (void)buffer_append_string(&runner->output, "    ");
                (void)node_append_path(node, &runner->output);
                print_side(&runner->output, &side);
                (void)buffer_append_byte(&runner->output, '\n');
                (void)value_unref(side.value);
        }
}

static NamedWatcher *find_watcher(Runner *runner, const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(runner->watchers); i++)
                if (str_equals(runner->watchers[i].name, name))
                        return &runner->watchers[i];
        fail_msg("no watcher '%s'", name);
        return NULL;
}

static void run_watch(Runner *runner, const char *name, const WatchOptions *options) {
        _cleanup_tree_error_ TreeError error = {0};
        NamedWatcher *named = find_watcher(runner, "");
        int r = tree_watch(&runner->tree, options, &named->watcher, &error);

        print_outcome(&runner->output, r, &error);
        if (r == 0)
                (void)snprintf(named->name, sizeof(named->name), "%s", name);
}

static void run_take(Runner *runner, const char *name) {
        static const char *const states[] = {[WATCHER_DONE] = "done", [WATCHER_SILENT] = "silent",
                                             [WATCHER_OVERFLOWED] = "overflowed", [WATCHER_CLEARED] = "cleared"};
        NamedWatcher *named = find_watcher(runner, name);
        Event *event;

        while ((event = watcher_take(named->watcher))) {
                print_event(&runner->output, event);
                (void)event_unref(event);
        }
        if (watcher_state(named->watcher) != WATCHER_WAITING)
                (void)buffer_printf(&runner->output, "    %s\n", states[watcher_state(named->watcher)]);
}

static void run_stats(Runner *runner) {
        const TreeStats *s = &runner->tree.stats;
        const struct {
                const char *name;
                OperationCount count;
        } rows[] = {{"gets", s->gets},
                    {"sets", s->sets},
                    {"deletes", s->deletes},
                    {"updates", s->updates},
                    {"creates", s->creates},
                    {"compareAndSwaps", s->compare_and_swaps},
                    {"compareAndDeletes", s->compare_and_deletes}};

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (rows[i].count.success || rows[i].count.fail)
                        (void)buffer_printf(&runner->output, "    %s success=%" PRIu64 " fail=%" PRIu64 "\n",
                                            rows[i].name, rows[i].count.success, rows[i].count.fail);
        if (s->expired)
                (void)buffer_printf(&runner->output, "    expired=%" PRIu64 "\n", s->expired);
}

static void run_restore(Runner *runner) {
        _cleanup_(snapshot_freep) TreeSnapshot *snapshot = NULL;
        _cleanup_(snapshot_reader_freep) SnapshotReader *reader = NULL;
        Error error = ERROR_NONE;
        Buffer *output;
        int r;

        assert_int_equal(snapshot_begin(&runner->tree, &snapshot), 0);
        do
                r = snapshot_step(snapshot, 3);
        while (r == 1);
        assert_int_equal(r, 0);
        output = snapshot_output(snapshot);
        assert_int_equal(snapshot_reader_new(NULL, &reader), 0);
        r = snapshot_reader_feed(reader, (Slice){buffer_data(output), buffer_length(output)}, &error);
        assert_string_equal(error.text, "");
        assert_int_equal(r, 0);
        snapshot = snapshot_free(snapshot);
        assert_int_equal(snapshot_reader_finish(reader, &runner->tree, &error), 0);
}

static bool run_plain(Runner *runner, char **words, size_t count) {
        WallUsec at;

        if (str_equals(words[0], "at") && count == 2)
                runner->now = strtoll(words[1], NULL, 10) * USEC;
        else if (str_equals(words[0], "take") && count == 2)
                run_take(runner, words[1]);
        else if (str_equals(words[0], "unwatch") && count == 2) {
                NamedWatcher *named = find_watcher(runner, words[1]);

                named->watcher = watcher_free(named->watcher);
                named->name[0] = '\0';
        } else if (str_equals(words[0], "stats"))
                run_stats(runner);
        else if (str_equals(words[0], "restore"))
                run_restore(runner);
        else if (str_equals(words[0], "next-expiry")) {
                if (tree_next_expiry(&runner->tree, &at))
                        (void)buffer_printf(&runner->output, "    %" PRId64 "\n", seconds(at));
        } else
                return false;
        return true;
}

static void run_line(Runner *runner, char *line) {
        static const struct {
                const char *name;
                CommandKind kind;
        } kinds[] = {{"set", COMMAND_SET},       {"create", COMMAND_CREATE}, {"update", COMMAND_UPDATE},
                     {"delete", COMMAND_DELETE}, {"sync", COMMAND_SYNC},     {"cas", COMMAND_COMPARE_AND_SWAP},
                     {"cad", COMMAND_COMPARE_AND_DELETE}, {"get", 0}};
        Command command = {.time = runner->now};
        WatchOptions watch = {0};
        char *words[12] = {(char[]){""}}, *save = NULL;
        size_t count = 0;

        for (char *word = strtok_r(line, " ", &save); word && count < ARRAY_SIZE(words);
             word = strtok_r(NULL, " ", &save))
                words[count++] = word;
        if (run_plain(runner, words, count))
                return;
        if (str_equals(words[0], "watch")) {
                assert_true(count >= 3);
                for (size_t i = 3; i < count; i++)
                        parse_option(runner, words[i], &command, &watch);
                watch.path = slice_from(words[2]);
                run_watch(runner, words[1], &watch);
                return;
        }
        for (size_t i = str_equals(words[0], "sync") ? 1 : 2; i < count; i++)
                parse_option(runner, words[i], &command, &watch);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                if (!str_equals(words[0], kinds[i].name))
                        continue;
                command.kind = kinds[i].kind;
                if (command.kind == COMMAND_SYNC) {
                        run_sync(runner, &command);
                        return;
                }
                assert_true(count >= 2);
                command.path = slice_from(words[1]);
                if (command.kind == 0)
                        run_get(runner, &command);
                else
                        run_command(runner, &command);
                return;
        }
        fail_msg("unknown command '%s'", words[0]);
}

static char *read_file(const char *path) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        FILE *file = fopen(path, "r");
        char piece[4096];
        size_t n;

        assert_non_null(file);
        while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
                assert_int_equal(buffer_append(&text, piece, n), 0);
        (void)fclose(file);
        return buffer_steal_string(&text, NULL);
}

/* The script with what its commands print now. */
static char *run_script(const char *text) {
        Runner runner = {.now = TIME_BASE * USEC};
        _cleanup_buffer_ Buffer result = BUFFER_INIT;
        Slice rest = slice_from(text), line;

        assert_int_equal(tree_init(&runner.tree, NULL), 0);
        while (slice_split(&rest, '\n', &line)) {
                _cleanup_free_ char *copy = slice_dup(line);

                if (line.length > 0 && line.data[0] == ' ')
                        continue; /* what was expected */
                if (line.length > 0 || rest.data)
                        (void)buffer_printf(&result, "%s\n", copy);
                if (line.length == 0 || line.data[0] == '#')
                        continue;
                run_line(&runner, copy);
                (void)buffer_append(&result, buffer_data(&runner.output), buffer_length(&runner.output));
                buffer_clear(&runner.output);
        }
        for (size_t i = 0; i < ARRAY_SIZE(runner.watchers); i++)
                runner.watchers[i].watcher = watcher_free(runner.watchers[i].watcher);
        buffer_deinit(&runner.output);
        tree_deinit(&runner.tree);
        return buffer_steal_string(&result, NULL);
}

static void report_difference(const char *path, const char *expected, const char *actual) {
        Slice a = slice_from(expected), b = slice_from(actual), x, y;
        unsigned number = 1;

        while (slice_split(&a, '\n', &x) && slice_split(&b, '\n', &y) && slice_equals(x, y))
                number++;
        fail_msg("%s:%u: expected '%.*s', got '%.*s'", path, number, (int)x.length, x.data, (int)y.length, y.data);
}

static void test_scripts(void **state) {
        struct dirent **names;
        int count = scandir(TREE_SCRIPTS, &names, NULL, alphasort);
        size_t scripts = 0;

        (void)state;
        assert_true(count > 0);
        for (int i = 0; i < count; i++) {
                _cleanup_free_ struct dirent *entry = names[i];
                _cleanup_free_ char *path = str_printf("%s/%s", TREE_SCRIPTS, entry->d_name);
                _cleanup_free_ char *expected = NULL, *actual = NULL;

                if (!str_ends_with(entry->d_name, ".txt"))
                        continue;
                scripts++;
                expected = read_file(path);
                actual = run_script(expected);
                if (str_equals(expected, actual))
                        continue;
                if (getenv("TREE_SCRIPTS_WRITE")) {
                        FILE *file = fopen(path, "w");

                        assert_non_null(file);
                        assert_true(fputs(actual, file) >= 0);
                        assert_int_equal(fclose(file), 0);
                } else
                        report_difference(path, expected, actual);
        }
        free(names);
        assert_true(scripts > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_scripts)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
