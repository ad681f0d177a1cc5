/* watch, exec-watch: one event, or all from here on. Each next request asks for what follows the event before, so that
 * none is missed between them, even if another member has to be asked. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/store.h"

enum { RETRY_MSEC = 500 };

typedef struct WatchOptionsCli {
        bool forever, recursive;
        uint64_t after;
        char *key;
        StringList arguments;
} WatchOptionsCli;

static void watch_options_deinit(WatchOptionsCli *options) {
        free(options->key);
        string_list_deinit(&options->arguments);
}

static int watch_parse(StoreGroup *group, const char *name, WatchOptionsCli *watch, int argc, char **argv) {
        const Verb *verb = verb_find(store_verbs, name, false);
        const Option options[] = {
                {"forever", 'f', OPTION_SWITCH, NULL, NULL, "go on until interrupted", &watch->forever, NULL},
                {"after-index", 0, OPTION_U64, "INDEX", NULL, "begin behind this event", &watch->after, NULL},
                {"recursive", 'r', OPTION_SWITCH, NULL, NULL, "also what is below", &watch->recursive, NULL},
                {0},
        };
        int code;

        if (verb_parse(verb, group->program, options, OPTIONS_GNU, argc, argv, &watch->arguments, &code) < 0)
                return code == CLI_OK ? -1 : code;
        if (watch->arguments.length < 1) {
                cli_complain(group->program, "%s needs a key", name);
                return STORE_EXIT_USAGE;
        }
        watch->key = store_key(watch->arguments.items[0]);
        return watch->key ? store_connect(group) : CLI_FAILED;
}

static void print_event(const StoreGroup *group, const WatchOptionsCli *watch, const StoreReply *reply) {
        if (group->output != STORE_OUTPUT_SIMPLE) {
                store_print_reply(group, reply);
        } else if (reply->node && !reply->node->dir) {
                if (watch->recursive)
                        printf("[%s] %s\n", reply->action ?: "", reply->node->key);
                printf("%s\n", reply->node->value ?: "");
        }
        (void)fflush(stdout);
}

/* The next event; 0 or the exit code. With --forever a lost server is waited for. */
static int watch_next(StoreGroup *group, const WatchOptionsCli *watch, uint64_t *next, StoreReply *ret_reply) {
        StoreRequest request = {.verb = STORE_WATCH, .key = watch->key, .recursive = watch->recursive, .wait_index = *next};
        int code;

        for (;;) {
                code = store_request(group, &request, ret_reply);
                if (code != STORE_EXIT_CONNECTION || !watch->forever)
                        break;
                (void)usleep(RETRY_MSEC * 1000); /* paces attempts to reach a server that is away */
        }
        if (code == 0 && ret_reply->node)
                *next = ret_reply->node->modified + 1;
        return code;
}

int store_verb_watch(void *userdata, int argc, char **argv) {
        _cleanup_(watch_options_deinit) WatchOptionsCli watch = {0};
        StoreGroup *group = userdata;
        uint64_t next;
        int code;

        code = watch_parse(group, "watch", &watch, argc, argv);
        if (code != 0)
                return code < 0 ? CLI_OK : code;
        next = watch.after ? watch.after + 1 : 0;
        do {
                StoreReply reply;

                code = watch_next(group, &watch, &next, &reply);
                if (code != 0)
                        return code;
                print_event(group, &watch, &reply);
                store_reply_deinit(&reply);
        } while (watch.forever);
        return CLI_OK;
}

static void set_environment(const StoreReply *reply) {
        char index[24];

        (void)snprintf(index, sizeof(index), "%llu", (unsigned long long)reply->node->modified);
        (void)setenv("ETCD_WATCH_ACTION", reply->action ?: "", 1);
        (void)setenv("ETCD_WATCH_MODIFIED_INDEX", index, 1);
        (void)setenv("ETCD_WATCH_KEY", reply->node->key, 1);
        (void)setenv("ETCD_WATCH_VALUE", reply->node->value ?: "", 1);
}

static int run_command(const StoreGroup *group, char *const *command, const StoreReply *reply) {
        pid_t child;
        int status;

        (void)fflush(NULL);
        child = fork();
        if (child < 0)
                return -errno;
        if (child == 0) {
                set_environment(reply);
                (void)execvp(command[0], command);
                cli_complain(group->program, "cannot run %s: %s", command[0], strerror(errno));
                _exit(127);
        }
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

int store_verb_exec_watch(void *userdata, int argc, char **argv) {
        _cleanup_(watch_options_deinit) WatchOptionsCli watch = {0};
        StoreGroup *group = userdata;
        uint64_t next;
        int code;

        code = watch_parse(group, "exec-watch", &watch, argc, argv);
        if (code != 0)
                return code < 0 ? CLI_OK : code;
        if (watch.arguments.length < 2) {
                cli_complain(group->program, "exec-watch needs a command: exec-watch KEY -- COMMAND [ARGUMENTS]");
                return STORE_EXIT_USAGE;
        }
        watch.forever = true;
        next = watch.after ? watch.after + 1 : 0;
        for (;;) {
                StoreReply reply;
                int r;

                code = watch_next(group, &watch, &next, &reply);
                if (code != 0)
                        return code;
                r = reply.node ? run_command(group, watch.arguments.items + 1, &reply) : 0;
                store_reply_deinit(&reply);
                if (r < 0) {
                        cli_complain(group->program, "cannot run the command: %s", strerror(-r));
                        return CLI_FAILED;
                }
        }
}
