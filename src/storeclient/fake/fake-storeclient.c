#include "storeclient/fake/fake-storeclient.h"

#include <assert.h>
#include <errno.h>

#include "base/list.h"
#include "store/tree/tree.h"

enum { VERBS = STORE_WATCH + 1, DEPTH_MAX = 32 };

#define TIME_BEGIN ((WallUsec)1000000000 * USEC_PER_SEC)

struct FakeStore {
        StoreClient base; /* first: the client is the store */
        Tree tree;
        WallUsec now;
        bool unreachable;
        List calls;
        uint64_t counts[VERBS];
};

typedef struct FakeCall {
        StoreCall base; /* first */
        ListNode node;
        StoreRequest request; /* with strings of its own */
        char *path;           /* in the tree */
        char *value, *prev_value;
        StoreReplied replied; /* NULL: of a stream */
        const StoreStreamEvents *events;
        void *userdata;
        Watcher *watcher; /* of a watch that has begun */
} FakeCall;

static FakeCall *call_of(ListNode *node) {
        return (FakeCall *)((char *)node - offsetof(FakeCall, node));
}

static void call_free(FakeCall *call) {
        if (list_is_linked(&call->node))
                list_unlink(&call->node);
        watcher_free(call->watcher);
        free(call->path);
        free(call->value);
        free(call->prev_value);
        free(call);
}

/* "/a/b/" → "/1/a/b" */
static char *tree_path(const char *key) {
        size_t length = strlen(key);

        while (length > 0 && key[length - 1] == '/')
                length--;
        return str_printf(TREE_KEYS "%.*s", (int)length, key);
}

static int fake_begin(StoreClient *client, const StoreRequest *request, FakeCall what, StoreCall **ret_call) {
        FakeStore *store = (FakeStore *)client;
        FakeCall *call = calloc(1, sizeof(*call));

        if (!call)
                return -ENOMEM;
        *call = what;
        list_init(&call->node);
        call->base.client = client;
        call->request = *request;
        call->path = tree_path(request->key);
        call->value = strdup(request->value ?: "");
        call->prev_value = strdup(request->prev_value ?: "");
        if (!call->path || !call->value || !call->prev_value) {
                call_free(call);
                return -ENOMEM;
        }
        store->counts[request->verb]++;
        list_append(&store->calls, &call->node);
        if (ret_call)
                *ret_call = &call->base;
        return 0;
}

static int fake_send(StoreClient *client, const StoreRequest *request, StoreReplied replied, void *userdata,
                     StoreCall **ret_call) {
        return fake_begin(client, request, (FakeCall){.replied = replied, .userdata = userdata}, ret_call);
}

static int fake_stream(StoreClient *client, const StoreRequest *request, const StoreStreamEvents *events, void *userdata,
                       StoreCall **ret_call) {
        return fake_begin(client, request, (FakeCall){.events = events, .userdata = userdata}, ret_call);
}

static void fake_cancel(StoreCall *call) {
        call_free((FakeCall *)call);
}

static const StoreClientOps fake_ops = {fake_send, fake_stream, fake_cancel};

FakeStore *fake_store_new(size_t history) {
        FakeStore *store = calloc(1, sizeof(*store));

        if (!store)
                return NULL;
        store->base.ops = &fake_ops;
        store->now = TIME_BEGIN;
        list_init(&store->calls);
        if (tree_init(&store->tree, &(TreeOptions){.history_capacity = history}) < 0) {
                free(store);
                return NULL;
        }
        return store;
}

FakeStore *fake_store_free(FakeStore *store) {
        if (!store)
                return NULL;
        while (!list_is_empty(&store->calls))
                call_free(call_of(store->calls.next));
        tree_deinit(&store->tree);
        free(store);
        return NULL;
}

StoreClient *fake_store_client(FakeStore *store) {
        return &store->base;
}

/* ---- answers ---- */

static void fill_node(const FakeStore *store, const EventNode *from, Slice path, StoreNode *to) {
        Slice value = value_slice(from->value), key = {path.data + strlen(TREE_KEYS), path.length - strlen(TREE_KEYS)};

        to->key = key.length > 0 ? slice_dup(key) : strdup("/");
        to->dir = from->dir;
        to->value = from->has_value ? slice_dup(value) : NULL;
        to->created = from->created;
        to->modified = from->modified;
        if (from->has_expiry)
                to->ttl = (int64_t)((from->expiry - store->now + (WallUsec)USEC_PER_SEC - 1) / (WallUsec)USEC_PER_SEC);
}

static StoreNode *node_from(const FakeStore *store, const EventNode *from, Slice path) {
        StoreNode *node = calloc(1, sizeof(*node));

        if (node)
                fill_node(store, from, path, node);
        return node;
}

/* What a reading shows: below the first level only with `recursive`. The depth is that of a test's keys. */
static void fill_tree(const FakeStore *store, const Node *from, const char *path, bool recursive, size_t depth,
                      StoreNode *to) {
        EventNode described = node_describe(from);
        ChildPosition position = {0};
        Node *child;

        assert(depth < DEPTH_MAX);
        fill_node(store, &described, slice_from(path), to);
        value_unref(described.value);
        if (!from->dir || (depth > 0 && !recursive))
                return;
        to->nodes = calloc(children_count(&from->children) + 1, sizeof(*to->nodes));
        if (!to->nodes)
                return;
        while (children_next(&from->children, &position, &child)) {
                _cleanup_free_ char *below =
                        str_printf("%s/%.*s", path, (int)node_name(child).length, node_name(child).data);

                if (below && !node_is_hidden(child))
                        fill_tree(store, child, below, recursive, depth + 1, &to->nodes[to->node_count++]);
        }
}

static void reply_event(const FakeStore *store, const Event *event, StoreReply *reply) {
        reply->status = event_created(event) ? 201 : 200;
        reply->action = strdup(event_action_name(event->action));
        reply->node = node_from(store, &event->node, event_path(event));
        if (event->has_previous)
                reply->prev_node = node_from(store, &event->previous, event_path(event));
}

static void reply_refusal(const TreeError *error, StoreReply *reply) {
        reply->code = error->code;
        reply->status = error->code == TREE_KEY_NOT_FOUND ? 404 : 412;
        reply->index = error->index;
        reply->r = error_set(&reply->error, -EREMOTEIO, "the store refused with code %d", error->code);
}

/* ---- requests ---- */

static Command make_command(const FakeStore *store, const FakeCall *call) {
        const StoreRequest *request = &call->request;
        bool compares = *call->prev_value || request->prev_index;
        Command command = {
                .kind = COMMAND_SET,
                .time = store->now,
                .path = slice_from(call->path),
                .value = slice_from(call->value),
                .prev_value = slice_from(call->prev_value),
                .prev_index = request->prev_index,
                .dir = request->dir,
                .refresh = request->refresh,
                .has_expiry = request->has_ttl,
                .expiry = request->has_ttl ? store->now + (WallUsec)(request->ttl * USEC_PER_SEC) : 0,
        };

        if (request->verb == STORE_DELETE)
                return (Command){.kind = compares ? COMMAND_COMPARE_AND_DELETE : COMMAND_DELETE,
                                 .time = store->now,
                                 .path = command.path,
                                 .prev_value = command.prev_value,
                                 .prev_index = command.prev_index,
                                 .dir = !compares && (request->dir || request->recursive),
                                 .recursive = !compares && request->recursive};
        if (request->verb == STORE_CREATE_IN_ORDER || request->exist == STORE_EXIST_MUST_NOT)
                command.kind = COMMAND_CREATE;
        else if (compares)
                command.kind = COMMAND_COMPARE_AND_SWAP;
        else if (request->exist == STORE_EXIST_MUST)
                command.kind = COMMAND_UPDATE;
        command.unique = request->verb == STORE_CREATE_IN_ORDER;
        return command;
}

static int do_write(FakeStore *store, FakeCall *call, StoreReply *reply, TreeError *error) {
        Command command = make_command(store, call);
        _cleanup_event_ Event *event = NULL;
        int r = tree_apply(&store->tree, &command, &event, error);

        if (r == 0 && event)
                reply_event(store, event, reply);
        return r;
}

static int do_get(FakeStore *store, FakeCall *call, StoreReply *reply, TreeError *error) {
        const Node *node;
        int r = tree_get(&store->tree, slice_from(call->path), &node, error);

        if (r != 0)
                return r;
        reply->status = 200;
        reply->action = strdup("get");
        reply->node = calloc(1, sizeof(*reply->node));
        if (!reply->node)
                return -ENOMEM;
        fill_tree(store, node, call->path, call->request.recursive, 0, reply->node);
        return 0;
}

static void on_ready(Watcher *watcher, void *userdata) {
        (void)watcher; /* fake_store_run() looks for itself */
        (void)userdata;
}

static int begin_watch(FakeStore *store, FakeCall *call, TreeError *error) {
        const WatchOptions options = {
                .path = slice_from(call->path),
                .recursive = call->request.recursive,
                .stream = !call->replied,
                .since = call->request.wait_index,
                .ready = on_ready,
        };

        return tree_watch(&store->tree, &options, &call->watcher, error);
}

/* -EAGAIN: there is no event yet. */
static int do_watch(FakeStore *store, FakeCall *call, StoreReply *reply, TreeError *error) {
        _cleanup_event_ Event *event = NULL;
        int r = call->watcher ? 0 : begin_watch(store, call, error);

        if (r != 0)
                return r;
        event = watcher_take(call->watcher);
        if (!event)
                return -EAGAIN;
        reply_event(store, event, reply);
        return 0;
}

static int call_carry_out(FakeStore *store, FakeCall *call, StoreReply *reply) {
        _cleanup_tree_error_ TreeError error = {0};
        int r;

        if (store->unreachable)
                r = error_set(&reply->error, -ECONNREFUSED, "the store is not there");
        else if (call->request.verb == STORE_WATCH)
                r = do_watch(store, call, reply, &error);
        else if (call->request.verb == STORE_GET)
                r = do_get(store, call, reply, &error);
        else
                r = do_write(store, call, reply, &error);
        reply->index = store->tree.index;
        if (r > 0)
                reply_refusal(&error, reply);
        else if (r < 0)
                reply->r = r;
        return r;
}

static void call_end(FakeCall *call, StoreReply *reply) {
        StoreReplied ended = call->replied ?: call->events->ended;
        void *userdata = call->userdata;

        call_free(call);
        ended(userdata, reply);
}

/* False: it stays as it is. */
static bool run_call(FakeStore *store, FakeCall *call) {
        StoreReply reply = {0};
        bool done = call_carry_out(store, call, &reply) != -EAGAIN;

        if (done)
                call_end(call, &reply);
        store_reply_deinit(&reply);
        return done;
}

static void begin_stream(FakeStore *store, FakeCall *call) {
        _cleanup_tree_error_ TreeError error = {0};
        StoreReply reply = {0};
        int r = begin_watch(store, call, &error);

        if (r == 0) {
                call->events->begun(call->userdata, watcher_start_index(call->watcher));
                return;
        }
        reply.r = r;
        if (r > 0)
                reply_refusal(&error, &reply);
        call_end(call, &reply);
        store_reply_deinit(&reply);
}

/* As a server does it: the beginning, then one event at a time, and the end. */
static bool run_stream(FakeStore *store, FakeCall *call) {
        StoreReply reply = {0};
        bool over;
        int r;

        if (!call->watcher && !store->unreachable) {
                begin_stream(store, call);
                return true;
        }
        over = call->watcher && watcher_state(call->watcher) != WATCHER_WAITING;
        r = call_carry_out(store, call, &reply);
        if (r == 0)
                call->events->events(call->userdata, &reply, 1);
        else if (r != -EAGAIN)
                call_end(call, &reply);
        else if (over)
                call_end(call, &(StoreReply){0});
        store_reply_deinit(&reply);
        return r != -EAGAIN || over;
}

bool fake_store_run(FakeStore *store) {
        list_foreach (&store->calls, node) {
                FakeCall *call = call_of(node);

                if (call->replied ? run_call(store, call) : run_stream(store, call))
                        return true;
        }
        return false;
}

void fake_store_advance(FakeStore *store, Usec by) {
        int r;

        store->now += (WallUsec)by;
        r = tree_apply(&store->tree, &(Command){.kind = COMMAND_SYNC, .time = store->now}, NULL, NULL);
        assert(r == 0);
        (void)r;
}

void fake_store_set_reachable(FakeStore *store, bool reachable) {
        store->unreachable = !reachable;
}

Slice fake_store_value(FakeStore *store, const char *key) {
        _cleanup_free_ char *path = tree_path(key);
        const Node *node;

        if (!path || tree_find(&store->tree, slice_from(path), &node, NULL) != 0 || node->dir)
                return (Slice){NULL, 0};
        return value_slice(node->value);
}

uint64_t fake_store_count(const FakeStore *store, StoreVerb verb) {
        return store->counts[verb];
}
