#include "store/api/keys-response.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/json-write.h"

#define USEC ((WallUsec)USEC_PER_SEC)

enum { SIDE_ROOM = 192 }; /* of one side of an event: names of the fields, numbers, times */

static const KeysErrorText errors[] = {
        {100, 404, "Key not found"},
        {101, 412, "Compare failed"},
        {102, 403, "Not a file"},
        {104, 400, "Not a directory"},
        {105, 412, "Key already exists"},
        {107, 400, "Root is read only"},
        {108, 403, "Directory not empty"},
        {110, 401, "The request requires user authentication"},
        {201, 400, "PrevValue is Required in POST form"},
        {202, 400, "The given TTL in POST form is not a number"},
        {203, 400, "The given index in POST form is not a number"},
        {209, 400, "Invalid field"},
        {210, 400, "Invalid POST form"},
        {211, 400, "Value provided on refresh"},
        {212, 400, "A TTL must be provided on refresh"},
        {300, 500, "Raft Internal Error"},
        {301, 500, "During Leader Election"},
        {400, 400, "watcher is cleared due to etcd recovery"},
        {401, 400, "The event in requested index is outdated and cleared"},
};

const KeysErrorText *keys_error_text(int code) {
        const KeysErrorText *internal = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
                if (errors[i].code == code)
                        return &errors[i];
                if (errors[i].code == 300)
                        internal = &errors[i];
        }
        return internal;
}

Slice keys_trim_path(Slice path) {
        size_t length = sizeof(TREE_KEYS) - 1;

        if (path.length < length || memcmp(path.data, TREE_KEYS, length) != 0)
                return path;
        return (Slice){path.data + length, path.length - length};
}

int keys_write_error(Buffer *buffer, int code, Slice cause, uint64_t index) {
        JsonWriter json = json_writer(buffer);

        json_begin_object(&json);
        json_field_u64(&json, "errorCode", (uint64_t)code);
        json_field_string(&json, "message", keys_error_text(code)->message);
        if (cause.length > 0)
                json_field_slice(&json, "cause", cause);
        json_field_u64(&json, "index", index);
        json_end_object(&json);
        (void)buffer_append_byte(buffer, '\n');
        return buffer_failed(buffer);
}

void keys_format_time(WallUsec time, char text[static 40]) {
        WallUsec second = time / USEC, fraction = time % USEC;
        struct tm parts;
        time_t whole;
        int used;

        if (fraction < 0) {
                fraction += USEC;
                second--;
        }
        whole = (time_t)second;
        if (!gmtime_r(&whole, &parts))
                parts = (struct tm){.tm_mday = 1};
        used = (int)strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &parts);
        if (fraction > 0) {
                used += snprintf(text + used, 40 - (size_t)used, ".%06u", (unsigned)fraction);
                while (text[used - 1] == '0')
                        used--;
        }
        text[used++] = 'Z';
        text[used] = '\0';
}

/* Whole seconds left, rounded up; towards zero when the time has passed, as Go divides. */
static int64_t seconds_left(WallUsec expiry, WallUsec now) {
        WallUsec left = expiry - now;

        return left / USEC + (left % USEC > 0);
}

static void write_expiry(JsonWriter *json, WallUsec expiry, WallUsec now) {
        int64_t left = seconds_left(expiry, now);
        char text[40];

        keys_format_time(expiry, text);
        json_field_string(json, "expiration", text);
        if (left != 0)
                json_field_i64(json, "ttl", left);
}

static void write_indices(JsonWriter *json, uint64_t modified, uint64_t created) {
        /* the root was never written: it has neither */
        if (modified > 0)
                json_field_u64(json, "modifiedIndex", modified);
        if (created > 0)
                json_field_u64(json, "createdIndex", created);
}

static void write_side(JsonWriter *json, const EventNode *node, Slice key, WallUsec now) {
        json_begin_object(json);
        if (key.length > 0)
                json_field_slice(json, "key", key);
        if (node->has_value)
                json_field_slice(json, "value", value_slice(node->value));
        if (node->dir)
                json_field_bool(json, "dir", true);
        if (node->has_expiry)
                write_expiry(json, node->expiry, now);
        write_indices(json, node->modified, node->created);
        json_end_object(json);
}

static bool action_knows_bare(EventAction action) {
        return action == EVENT_SET || action == EVENT_CREATE || action == EVENT_UPDATE ||
               action == EVENT_COMPARE_AND_SWAP;
}

/* Room for `values` bytes and what stands around them, so that the usual answer does not grow by and by. */
static void reserve_sides(Buffer *buffer, size_t sides, size_t key, size_t values) {
        (void)buffer_reserve(buffer, sides * (key + SIDE_ROOM) + values);
}

int keys_write_event(Buffer *buffer, const Event *event, bool bare) {
        Slice key = keys_trim_path(event_path(event));
        JsonWriter json = json_writer(buffer);

        reserve_sides(buffer, 2, key.length, value_slice(event->node.value).length + value_slice(event->previous.value).length);
        json_begin_object(&json);
        json_field_string(&json, "action", event_action_name(event->action));
        if (!bare || !action_knows_bare(event->action)) {
                json_key(&json, "node");
                write_side(&json, &event->node, key, event->time);
                if (event->has_previous) {
                        json_key(&json, "prevNode");
                        write_side(&json, &event->previous, key, event->time);
                }
        }
        json_end_object(&json);
        (void)buffer_append_byte(buffer, '\n');
        return buffer_failed(buffer);
}

/* A listing under way: the path of the node being written grows and shrinks with the depth. */
typedef struct Listing {
        JsonWriter json;
        bool recursive;
        WallUsec now;
        size_t length;
        char path[TREE_PATH_MAX];
} Listing;

static void write_children(Listing *listing, const Node *node);

/* Recursion goes as deep as the tree, which is TREE_DEPTH_MAX at most. */
static void write_node(Listing *listing, const Node *node, bool with_children) {
        JsonWriter *json = &listing->json;
        Slice key = keys_trim_path((Slice){listing->path, listing->length});

        json_begin_object(json);
        if (key.length > 0)
                json_field_slice(json, "key", key);
        if (node->dir)
                json_field_bool(json, "dir", true);
        else
                json_field_slice(json, "value", value_slice(node->value));
        if (node->expiry)
                write_expiry(json, node->expiry->at, listing->now);
        if (node->dir && with_children)
                write_children(listing, node);
        write_indices(json, node->modified, node->created);
        json_end_object(json);
}

static void write_children(Listing *listing, const Node *node) {
        size_t length = listing->length;
        ChildPosition position = {0};
        bool any = false;
        Node *child;

        while (children_next(&node->children, &position, &child)) {
                if (node_is_hidden(child))
                        continue;
                if (!any) {
                        json_key(&listing->json, "nodes");
                        json_begin_array(&listing->json);
                        any = true;
                }
                if (length == 1)
                        listing->length = 0; /* below "/" there is only one slash */
                listing->path[listing->length++] = '/';
                memcpy(listing->path + listing->length, child->name, child->name_length);
                listing->length += child->name_length;
                write_node(listing, child, listing->recursive);
                listing->length = length;
        }
        if (any)
                json_end_array(&listing->json);
}

int keys_write_get(Buffer *buffer, const Node *node, bool recursive, WallUsec now) {
        Listing listing; /* its path is not to be cleared: it is long */

        listing.json = json_writer(buffer);
        listing.recursive = recursive;
        listing.now = now;
        listing.length = node_path_length(node);
        reserve_sides(buffer, 1, listing.length, node->dir ? 0 : value_slice(node->value).length);
        assert(listing.length <= sizeof(listing.path));
        node_write_path(node, listing.path, listing.length);
        json_begin_object(&listing.json);
        json_field_string(&listing.json, "action", "get");
        json_key(&listing.json, "node");
        write_node(&listing, node, true);
        json_end_object(&listing.json);
        (void)buffer_append_byte(buffer, '\n');
        return buffer_failed(buffer);
}
