#include "storeclient/reply.h"

#include <errno.h>
#include <jansson.h>

static int copy_string(json_t *object, const char *key, char **ret) {
        json_t *value = json_object_get(object, key);

        if (!json_is_string(value))
                return 0;
        *ret = slice_dup((Slice){json_string_value(value), json_string_length(value)});
        return *ret ? 0 : -ENOMEM;
}

/* Fills `node` but for its children, for which it makes room. */
static int node_fill(StoreNode *node, json_t *object) {
        json_t *children = json_object_get(object, "nodes");
        size_t count = json_array_size(children);
        int r;

        if (!json_is_object(object))
                return -EBADMSG;
        r = copy_string(object, "key", &node->key);
        if (r >= 0 && !node->key)
                node->key = strdup("/"); /* the root has none */
        if (r >= 0)
                r = copy_string(object, "value", &node->value);
        if (r >= 0)
                r = copy_string(object, "expiration", &node->expiration);
        if (r < 0 || !node->key)
                return -ENOMEM;
        node->dir = json_is_true(json_object_get(object, "dir"));
        node->created = (uint64_t)json_integer_value(json_object_get(object, "createdIndex"));
        node->modified = (uint64_t)json_integer_value(json_object_get(object, "modifiedIndex"));
        node->ttl = json_integer_value(json_object_get(object, "ttl"));
        if (count == 0)
                return 0;
        node->nodes = calloc(count, sizeof(*node->nodes));
        if (!node->nodes)
                return -ENOMEM;
        node->node_count = count;
        return 0;
}

/* With all below, depth first, on a stack of bounded depth. */
static int node_parse(json_t *top, StoreNode **ret_node) {
        struct {
                StoreNode *node;
                json_t *object;
                size_t next;
        } stack[REPLY_DEPTH_MAX];
        StoreNode *root = calloc(1, sizeof(*root));
        size_t depth = 1;
        int r;

        if (!root)
                return -ENOMEM;
        stack[0].node = root;
        stack[0].object = top;
        stack[0].next = 0;
        r = node_fill(root, top);
        while (r >= 0 && depth > 0) {
                size_t next = stack[depth - 1].next;
                StoreNode *node = stack[depth - 1].node;

                if (next == node->node_count) {
                        depth--;
                        continue;
                }
                if (depth == REPLY_DEPTH_MAX) {
                        r = -EBADMSG;
                        break;
                }
                stack[depth - 1].next++;
                stack[depth].node = &node->nodes[next];
                stack[depth].object = json_array_get(json_object_get(stack[depth - 1].object, "nodes"), next);
                stack[depth].next = 0;
                r = node_fill(stack[depth].node, stack[depth].object);
                depth++;
        }
        if (r < 0) {
                store_node_free(root);
                return r;
        }
        *ret_node = root;
        return 0;
}

static int parse_event(json_t *object, StoreReply *reply) {
        json_t *node = json_object_get(object, "node"), *previous = json_object_get(object, "prevNode");
        int r;

        r = copy_string(object, "action", &reply->action);
        if (r >= 0 && !reply->action)
                r = -EBADMSG;
        if (r >= 0 && json_is_object(node))
                r = node_parse(node, &reply->node);
        if (r >= 0 && json_is_object(previous))
                r = node_parse(previous, &reply->prev_node);
        return r;
}

static int parse_error(json_t *object, StoreReply *reply) {
        json_t *code = json_object_get(object, "errorCode");
        int r;

        r = copy_string(object, "message", &reply->message);
        if (r >= 0)
                r = copy_string(object, "cause", &reply->cause);
        if (r < 0)
                return r;
        if (!json_is_integer(code) && !reply->message)
                return -EBADMSG;
        reply->code = (int)json_integer_value(code);
        if (json_is_integer(json_object_get(object, "index")))
                reply->index = (uint64_t)json_integer_value(json_object_get(object, "index"));
        reply->r = error_set(&reply->error, -EREMOTEIO, "%d: %s (%s) [%llu]", reply->code, reply->message ?: "",
                             reply->cause ?: "", (unsigned long long)reply->index);
        return 0;
}

int reply_parse(Slice body, unsigned status, uint64_t etcd_index, StoreReply *ret_reply) {
        json_t *object = json_loadb(body.data, body.length, 0, NULL);
        StoreReply reply = {.status = status, .index = etcd_index};
        int r = -EBADMSG;

        if (json_is_object(object))
                r = status < 300 ? parse_event(object, &reply) : parse_error(object, &reply);
        json_decref(object);
        if (r < 0) {
                store_reply_deinit(&reply);
                return r;
        }
        *ret_reply = reply;
        return 0;
}
