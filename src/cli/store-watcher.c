#include "cli/store-watcher.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>

/* Between rounds of members none of which answers, and behind an answer without an event. */
#define PAUSE ((Usec)500 * USEC_PER_MSEC)

static void on_interrupt(uv_signal_t *signal, int number) {
        StoreWatcher *watcher = signal->data;

        (void)number;
        store_http_interrupt(watcher->group->http);
}

int store_watcher_begin(StoreWatcher *watcher, StoreGroup *group, const StoreArguments *arguments, const char *key,
                        bool forever) {
        *watcher = (StoreWatcher){
                .group = group,
                .key = key,
                .recursive = arguments->recursive,
                .forever = forever,
                .next = (int64_t)arguments->after_index > 0 ? arguments->after_index + 1 : 0,
        };
        if (uv_signal_init(&group->loop, &watcher->interrupt) < 0)
                return CLI_FAILED;
        watcher->listening = true;
        watcher->interrupt.data = watcher;
        (void)uv_signal_start(&watcher->interrupt, on_interrupt, SIGINT);
        return 0;
}

void store_watcher_end(StoreWatcher *watcher) {
        if (!watcher->listening)
                return;
        uv_close((uv_handle_t *)&watcher->interrupt, NULL);
        (void)uv_run(&watcher->group->loop, UV_RUN_NOWAIT);
        watcher->listening = false;
}

/* The store has forgotten events that were wanted: says which, and goes on with what comes. */
static void skip_forgotten(StoreWatcher *watcher, const StoreReply *reply) {
        (void)fflush(stdout);
        cli_complain(watcher->group->program,
                     "events of the indexes %" PRIu64 " to %" PRIu64 " may be missed: the store remembers only "
                     "the last ones. Going on from there; what the key holds now is for \"get\" or \"ls\" to say",
                     watcher->next, reply->index);
        watcher->next = reply->index + 1;
        watcher->following = true;
}

/* A member was lost: what it said of the index as it began is where the next one goes on. */
static void note_begun(StoreWatcher *watcher) {
        if (watcher->next == 0 && watcher->index > 0) {
                watcher->next = watcher->index + 1;
                watcher->following = true;
        }
        watcher->index = 0;
}

static void move_causes(StoreFailure *from, StoreFailure *to) {
        for (size_t i = 0; i < from->causes.length; i++)
                (void)string_list_add(&to->causes, from->causes.items[i]);
        for (size_t i = 0; i < from->reasons.length; i++)
                (void)string_list_add(&to->reasons, from->reasons.items[i]);
        to->interrupted = to->interrupted || from->interrupted;
}

/* No member answers. 0: waits for one; else the exit code. etcdctl gives up. */
static int lose_all(StoreWatcher *watcher, StoreFailure *failure) {
        if (watcher->group->old || !watcher->forever)
                return store_complain_failure(watcher->group, STORE_EXIT_SERVER, failure);
        if (!watcher->said_lost)
                (void)store_complain_failure(watcher->group, STORE_EXIT_SERVER, failure);
        if (!watcher->said_lost)
                (void)fprintf(stderr, "Waiting for a member; Ctrl-C ends it.\n");
        watcher->said_lost = true;
        store_failure_deinit(failure);
        store_http_pause(watcher->group->http, PAUSE);
        return 0;
}

typedef enum WatchOutcome {
        WATCH_EVENT,
        WATCH_AGAIN,
        WATCH_FAILED,
} WatchOutcome;

/* What came, when somebody answered. */
static WatchOutcome take_answer(StoreWatcher *watcher, int r, StoreReply *reply) {
        bool may_skip = watcher->following || (!watcher->group->old && watcher->forever);

        if (r >= 0 && reply->r >= 0 && reply->node) {
                watcher->next = reply->node->modified + 1;
                watcher->following = true;
                watcher->said_lost = false;
                return WATCH_EVENT;
        }
        if (r == -ENODATA || (r >= 0 && reply->r >= 0)) {
                store_reply_deinit(reply);
                store_http_pause(watcher->group->http, PAUSE);
                return WATCH_AGAIN;
        }
        if (r >= 0 && reply->code == STORE_INDEX_CLEARED && may_skip) {
                skip_forgotten(watcher, reply);
                store_reply_deinit(reply);
                return WATCH_AGAIN;
        }
        return WATCH_FAILED;
}

static int complain_and_free(StoreWatcher *watcher, int r, StoreReply *reply) {
        int code = store_complain_reply(watcher->group, r, reply, NULL);

        store_reply_deinit(reply);
        return code;
}

int store_watcher_next(StoreWatcher *watcher, StoreReply *ret_reply) {
        _cleanup_store_failure_ StoreFailure lost = {0};
        StoreGroup *group = watcher->group;

        while (!store_http_is_interrupted(group->http)) {
                StoreRequest request = {.verb = STORE_WATCH,
                                        .key = watcher->key,
                                        .recursive = watcher->recursive,
                                        .wait_index = watcher->next};
                _cleanup_store_failure_ StoreFailure failure = {0};
                WatchOutcome outcome;
                int r = store_send(group, &request, &watcher->index, ret_reply, &failure), code;

                note_begun(watcher);
                if (r != -EHOSTUNREACH) {
                        outcome = take_answer(watcher, r, ret_reply);
                        if (outcome == WATCH_FAILED)
                                return complain_and_free(watcher, r, ret_reply);
                        if (outcome == WATCH_EVENT)
                                return 0;
                        store_failure_deinit(&lost);
                        continue;
                }
                move_causes(&failure, &lost);
                if (lost.interrupted || lost.causes.length < store_http_endpoint_count(group->http))
                        continue;
                code = lose_all(watcher, &lost);
                if (code != 0)
                        return code;
        }
        return -1;
}
