/* etcdctl's three forms of printing a reply. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json-write.h"
#include "cli/store.h"

const char *store_old_key(const StoreNode *node) {
        return str_equals(node->key, "/") ? "" : node->key;
}

/* Go's struct order, which etcdctl prints: not the server's bytes. Iterative: the depth is the server's. */
static void write_node_fields(JsonWriter *json, const StoreNode *node) {
        json_field_string(json, "key", store_old_key(node));
        if (node->dir)
                json_field_bool(json, "dir", true);
        json_field_string(json, "value", node->value ?: "");
}

static void write_node_end(JsonWriter *json, const StoreNode *node) {
        json_field_u64(json, "createdIndex", node->created);
        json_field_u64(json, "modifiedIndex", node->modified);
        if (node->expiration)
                json_field_string(json, "expiration", node->expiration);
        if (node->ttl)
                json_field_i64(json, "ttl", node->ttl);
        json_end_object(json);
}

static void write_node(JsonWriter *json, const StoreNode *top) {
        struct {
                const StoreNode *node;
                size_t next;
        } stack[STORE_NODE_DEPTH_MAX] = {{top, 0}};
        size_t depth = 1;

        while (depth > 0) {
                const StoreNode *node = stack[depth - 1].node;
                size_t next = stack[depth - 1].next++;

                if (next == 0) {
                        json_begin_object(json);
                        write_node_fields(json, node);
                        json_key(json, "nodes");
                        if (node->node_count == 0)
                                json_write_null(json);
                        else
                                json_begin_array(json);
                }
                if (next < node->node_count && depth < STORE_NODE_DEPTH_MAX) {
                        stack[depth].node = &node->nodes[next];
                        stack[depth].next = 0;
                        depth++;
                        continue;
                }
                if (node->node_count > 0)
                        json_end_array(json);
                write_node_end(json, node);
                depth--;
        }
}

static void print_json(const StoreReply *reply) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        json_begin_object(&json);
        json_field_string(&json, "action", reply->action ?: "");
        json_key(&json, "node");
        if (reply->node)
                write_node(&json, reply->node);
        else
                json_write_null(&json);
        json_key(&json, "prevNode");
        if (reply->prev_node)
                write_node(&json, reply->prev_node);
        else
                json_write_null(&json);
        json_end_object(&json);
        (void)buffer_append_byte(&text, '\n');
        (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
}

static void print_extended(const StoreReply *reply) {
        const StoreNode *node = reply->node;

        if (!node)
                return;
        printf("Key: %s\nCreated-Index: %" PRIu64 "\nModified-Index: %" PRIu64 "\n", store_old_key(node), node->created,
               node->modified);
        if (reply->prev_node)
                printf("PrevNode.Value: %s\n", reply->prev_node->value ?: "");
        printf("TTL: %" PRId64 "\nIndex: %" PRIu64 "\n", node->ttl, reply->index);
        if (reply->action && !str_equals(reply->action, "delete"))
                printf("\n%s\n", node->value ?: "");
}

/* etcdctl knows only "delete", and prints an empty line for what a compareAndDelete took away. */
static void print_simple(const StoreGroup *group, const StoreReply *reply) {
        const char *action = reply->action ?: "";

        if (str_equals(action, "delete") || (!group->old && str_equals(action, "compareAndDelete")))
                printf("PrevNode.Value: %s\n",
                       reply->prev_node && reply->prev_node->value ? reply->prev_node->value : "");
        else if (reply->node)
                printf("%s\n", reply->node->value ?: "");
}

void store_print_reply(const StoreGroup *group, const StoreReply *reply) {
        switch (group->output) {
        case STORE_OUTPUT_JSON:
                print_json(reply);
                break;
        case STORE_OUTPUT_EXTENDED:
                print_extended(reply);
                break;
        case STORE_OUTPUT_SIMPLE:
                print_simple(group, reply);
                break;
        case STORE_OUTPUT_UNKNOWN:
        default:
                (void)fflush(stdout);
                (void)fprintf(stderr, "Unsupported output format: %s\n", group->output_name);
                break;
        }
}
