/*
 * exec-watch: a command at each change. Commands of events that come together run side by side, as etcdctl has it; how a command
 * ends is nobody's business, that it cannot be started ends the watch.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/list.h"
#include "cli/store-watcher.h"

/* Commands that run at one time; further events wait. */
enum { COMMANDS_MAX = 256 };

typedef struct Commands {
        uv_loop_t *loop;
        char **words; /* borrowed; NULL at the end */
        List running;
        size_t count;
} Commands;

typedef struct Command {
        uv_process_t process;
        ListNode link;
        Commands *commands;
} Command;

static void on_command_closed(uv_handle_t *handle) {
        free(container_of((uv_process_t *)handle, Command, process));
}

static void command_close(Command *command) {
        list_unlink(&command->link);
        command->commands->count--;
        uv_close((uv_handle_t *)&command->process, on_command_closed);
}

static void on_command_end(uv_process_t *process, int64_t status, int signal) {
        (void)status;
        (void)signal;
        command_close(container_of(process, Command, process));
}

/* What is set already of these is replaced. */
static int build_environment(const StoreReply *reply, StringList *environment) {
        static const char own[] = "ETCD_WATCH_";
        int r = 0;

        for (char **at = environ; r >= 0 && *at; at++)
                if (!str_starts_with(*at, own))
                        r = string_list_add(environment, *at);
        if (r >= 0)
                r = string_list_take(environment, str_printf("%sACTION=%s", own, reply->action ?: ""));
        if (r >= 0)
                r = string_list_take(environment, str_printf("%sMODIFIED_INDEX=%" PRIu64, own, reply->node->modified));
        if (r >= 0)
                r = string_list_take(environment, str_printf("%sKEY=%s", own, reply->node->key));
        if (r >= 0)
                r = string_list_take(environment, str_printf("%sVALUE=%s", own, reply->node->value ?: ""));
        return r;
}

static int complain_start(const StoreGroup *group, const char *program, int r) {
        if (!group->old) {
                cli_complain(group->program, "cannot run %s: %s", program, uv_strerror(r));
                return CLI_FAILED;
        }
        if (r == UV_ENOENT && !strchr(program, '/'))
                (void)fprintf(stderr, "exec: \"%s\": executable file not found in $PATH", program);
        else
                (void)fprintf(stderr, "fork/exec %s: %s", program, uv_strerror(r));
        return CLI_FAILED;
}

static int start_command(StoreGroup *group, Commands *commands, const StoreReply *reply) {
        _cleanup_string_list_ StringList environment = {0};
        Command *command = calloc(1, sizeof(*command));
        uv_stdio_container_t stdio[] = {
                {.flags = UV_IGNORE},
                {.flags = UV_INHERIT_FD, .data.fd = STDOUT_FILENO},
                {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        };
        uv_process_options_t options = {
                .file = commands->words[0],
                .args = commands->words,
                .exit_cb = on_command_end,
                .stdio = stdio,
                .stdio_count = ARRAY_SIZE(stdio),
        };
        int r;

        if (!command || build_environment(reply, &environment) < 0) {
                free(command);
                return complain_start(group, commands->words[0], UV_ENOMEM);
        }
        options.env = environment.items;
        command->commands = commands;
        list_init(&command->link);
        list_append(&commands->running, &command->link);
        commands->count++;
        (void)fflush(NULL);
        r = uv_spawn(commands->loop, &command->process, &options);
        if (r >= 0)
                return 0;
        command_close(command);
        return complain_start(group, commands->words[0], r);
}

static int watch(StoreGroup *group, StoreWatcher *watcher, Commands *commands) {
        for (;;) {
                StoreReply reply;
                int code = store_watcher_next(watcher, &reply);

                if (code != 0)
                        return code < 0 ? CLI_OK : code;
                while (commands->count >= COMMANDS_MAX)
                        (void)uv_run(commands->loop, UV_RUN_ONCE);
                if (!reply.node->dir)
                        code = start_command(group, commands, &reply);
                else if (group->old)
                        (void)fprintf(stderr, "Ignored dir %s change\n", reply.node->key);
                store_reply_deinit(&reply);
                if (code != 0)
                        return code;
        }
}

/* In the old voice the key may also stand last, which is what its library makes of "exec-watch --recursive KEY COMMAND". */
static const char *find_command(const StoreGroup *group, StringList *words, char ***ret_command) {
        size_t count = words->length;
        bool separated = false;
        char *key;

        for (size_t i = 1; i < count; i++)
                separated = separated || str_equals(words->items[i], "--");
        if (!group->old || separated) {
                *ret_command = words->items + (group->old ? 2 : 1);
                return words->items[0];
        }
        key = words->items[count - 1];
        words->items[count - 1] = NULL; /* ends the command; given back by the caller */
        *ret_command = words->items;
        return key;
}

static int run_command(StoreGroup *group, const StoreArguments *arguments, StringList *words) {
        Commands commands = {.loop = &group->loop};
        StoreWatcher watcher = {0};
        const char *key;
        int code;

        list_init(&commands.running);
        key = find_command(group, words, &commands.words);
        if (!commands.words[0])
                return store_complain(group, STORE_EXIT_USAGE, "Error:  key and command to exec required",
                                      "no command: exec-watch KEY -- COMMAND [ARGUMENTS]");
        code = store_watcher_begin(&watcher, group, arguments, key, true);
        if (code == 0)
                code = watch(group, &watcher, &commands);
        list_foreach (&commands.running, node)
                command_close(container_of(node, Command, link));
        store_watcher_end(&watcher);
        return code;
}

static int run(StoreGroup *group, const StoreArguments *arguments) {
        _cleanup_string_list_ StringList words = {0};
        char *last;
        int code = store_connect(group);

        if (code != 0)
                return code;
        if (arguments->words.length < 2)
                return store_complain(group, STORE_EXIT_USAGE, "Error:  key and command to exec required",
                                      "which key, and which command? exec-watch KEY -- COMMAND [ARGUMENTS]");
        for (size_t i = 0; i < arguments->words.length; i++)
                if (string_list_add(&words, arguments->words.items[i]) < 0)
                        return CLI_FAILED;
        last = words.items[words.length - 1];
        code = run_command(group, arguments, &words);
        words.items[words.length - 1] = last;
        return code;
}

static const StoreFlag flags[] = {
        {"after-index", NULL, STORE_FLAG_NUMBER, STORE_AT(after_index), "INDEX", "begin behind this event",
         "watch after the given index", NULL, "0"},
        {"recursive", "r", STORE_FLAG_SWITCH, STORE_AT(recursive), NULL, "also what is below",
         "watch all values for key and child keys", NULL, NULL},
        {0},
};

const StoreCommand store_verb_exec_watch = {
        .name = "exec-watch",
        .arguments = "KEY -- COMMAND",
        .summary = "run a command at each change",
        .old_arguments = "<key> <command> [args...]",
        .old_summary = "watch a key for changes and exec an executable",
        .flags = flags,
        .run = run,
        .takes_command = true,
};
