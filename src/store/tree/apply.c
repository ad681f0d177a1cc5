#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "store/tree/lookup.h"
#include "store/tree/snapshot.h"

/*
 * How commands change the tree. Each function first finds out whether the command is allowed, then makes all that needs
 * memory, and only then changes anything: a command is carried out whole or not at all.
 */

static bool path_is_read_only(Slice path) {
        return path.length == 1 || slice_equals(path, slice_from(TREE_KEYS)) ||
               slice_equals(path, slice_from(TREE_SYSTEM));
}

static int tree_fail_read_only(const Tree *tree, TreeError *error) {
        return tree_fail(tree, error, TREE_ROOT_READ_ONLY, slice_from("/"));
}

/* The heap's keys are unsigned; times are not. */
static uint64_t expiry_heap_key(WallUsec at) {
        return (uint64_t)at ^ (uint64_t)1 << 63;
}

static Expiry *expiry_free(Expiry *expiry, Heap *heap) {
        if (expiry) {
                heap_remove(heap, &expiry->heap);
                free(expiry);
        }
        return NULL;
}

/* An expiry of `node` that is in the heap already. NULL when there is no memory. */
static Expiry *expiry_new(Heap *heap, Node *node, WallUsec at, uint64_t index) {
        _cleanup_free_ Expiry *expiry = malloc(sizeof(*expiry));

        if (!expiry)
                return NULL;
        *expiry = (Expiry){.heap = {expiry_heap_key(at), index, HEAP_UNLINKED}, .at = at, .node = node};
        if (heap_insert(heap, &expiry->heap) < 0)
                return NULL;
        return take_ptr(expiry);
}

static void expiry_move(Expiry *expiry, Heap *heap, WallUsec at, uint64_t index) {
        int r;

        heap_remove(heap, &expiry->heap);
        expiry->at = at;
        expiry->heap.key = expiry_heap_key(at);
        expiry->heap.tie = index;
        r = heap_insert(heap, &expiry->heap);
        assert(r == 0); /* it goes where one just left */
}

/* Puts a finished event into the history and before the watchers. */
static void tree_publish(Tree *tree, Event *event) {
        history_add(&tree->history, event);
        if (!event->refresh)
                hub_notify(&tree->hub, event);
}

/* Writes to a node that exists: SET (of a file), UPDATE, COMPARE_AND_SWAP. `at` is the new expiry, NULL for none. */
static int tree_write(Tree *tree, Node *node, const Command *command, EventAction action, const WallUsec *at,
                      Event **ret_event) {
        _cleanup_event_ Event *event = event_new(action, command->path);
        bool becomes_dir = action == EVENT_SET && command->dir, was_dir = node->dir;
        uint64_t index = tree->index + 1;
        Value *value = NULL;
        int r;

        if (!event)
                return -ENOMEM;
        if (command->refresh && !was_dir && !becomes_dir)
                value = value_ref(node->value);
        else if (!was_dir && !becomes_dir) {
                r = value_new(command->value, &value);
                if (r < 0)
                        return r;
        }
        if (at && !node->expiry) {
                Expiry *expiry = expiry_new(&tree->expiries, node, *at, index);

                if (!expiry) {
                        (void)value_unref(value);
                        return -ENOMEM;
                }
                snapshot_preserve(tree, node);
                event->previous = node_describe(node);
                node->expiry = expiry;
        } else {
                snapshot_preserve(tree, node);
                event->previous = node_describe(node);
                if (at)
                        expiry_move(node->expiry, &tree->expiries, *at, index);
                else
                        node->expiry = expiry_free(node->expiry, &tree->expiries);
        }

        tree->index = index;
        tree->bytes -= node_payload(node);
        if (!was_dir) {
                (void)value_unref(node->value);
                node->value = value;
                node->modified = index; /* that of a directory stays, even when its TTL changes: as etcd does it */
        }
        if (becomes_dir) {
                node->dir = true;
                node->children = (Children){0};
        }
        if (action == EVENT_SET)
                node->created = index;
        tree->bytes += node_payload(node);

        event->has_previous = true;
        event->node = node_describe(node);
        event->node.modified = index;
        event->refresh = command->refresh;
        event->time = command->time;
        tree_publish(tree, event);
        *ret_event = take_ptr(event);
        return 0;
}

/* New nodes for each component of `missing`, the last one as the command wants it. They hang together, but in no
 * directory. */
static int chain_new(const Tree *tree, Slice missing, const Command *command, Node **ret_top, Node **ret_last) {
        Node *top = NULL, *parent = NULL;
        Slice name;
        int r;

        while (path_next(&missing, &name)) {
                _cleanup_(node_freep) Node *node = node_new(name, missing.length > 0 || command->dir);

                r = node ? 0 : -ENOMEM;
                if (r == 0 && parent)
                        r = children_insert(&parent->children, node);
                if (r < 0) {
                        node_free_all(top);
                        return r;
                }
                node->parent = parent;
                node->created = node->modified = tree->index + 1;
                node->saved = tree->snapshots;
                parent = take_ptr(node);
                if (!top)
                        top = parent;
        }
        assert(top);
        if (!command->dir) {
                r = value_new(command->value, &parent->value);
                if (r < 0) {
                        node_free_all(top);
                        return r;
                }
        }
        *ret_top = top;
        *ret_last = parent;
        return 0;
}

static void tree_count_chain(Tree *tree, const Node *top) {
        for (const Node *node = top; node; node = node_next(node, top)) {
                tree->count++;
                tree->bytes += node_payload(node);
        }
}

/* Makes the node `path` and the directories on the way that are missing. */
static int tree_make(Tree *tree, const Lookup *lookup, Slice path, const Command *command, EventAction action,
                     const WallUsec *at, Event **ret_event) {
        _cleanup_event_ Event *event = event_new(action, path);
        Node *top, *node;
        int r;

        if (!event)
                return -ENOMEM;
        r = chain_new(tree, lookup->missing, command, &top, &node);
        if (r < 0)
                return r;
        if (at) {
                node->expiry = expiry_new(&tree->expiries, node, *at, tree->index + 1);
                r = node->expiry ? 0 : -ENOMEM;
        }
        if (r == 0)
                r = children_insert(&lookup->node->children, top);
        if (r < 0) {
                node->expiry = expiry_free(node->expiry, &tree->expiries);
                node_free_all(top);
                return r;
        }
        top->parent = lookup->node;
        tree->index++;
        tree_count_chain(tree, top);

        event->node = node_describe(node);
        event->time = command->time;
        tree_publish(tree, event);
        *ret_event = take_ptr(event);
        return 0;
}

/* The expiry that a command asks for, or NULL. Keys that are made anew take none from before TREE_EXPIRY_MIN. */
static const WallUsec *command_expiry(const Command *command) {
        bool makes = command->kind == COMMAND_SET || command->kind == COMMAND_CREATE;

        if (!command->has_expiry || (makes && command->expiry < TREE_EXPIRY_MIN))
                return NULL;
        return &command->expiry;
}

static int apply_set(Tree *tree, const Command *command, Event **ret_event, TreeError *error) {
        Lookup lookup = tree_lookup(tree, command->path);
        bool exists = lookup_is_exact(&lookup);

        if (lookup_is_blocked(&lookup) || (!exists && command->refresh))
                return tree_fail_lookup(tree, &lookup, command->path, error);
        if (path_is_read_only(command->path))
                return tree_fail_read_only(tree, error);
        if (!exists)
                return tree_make(tree, &lookup, command->path, command, EVENT_SET, command_expiry(command), ret_event);
        if (lookup.node->dir)
                return tree_fail(tree, error, TREE_NOT_FILE, command->path);
        return tree_write(tree, lookup.node, command, EVENT_SET, command_expiry(command), ret_event);
}

static int apply_create(Tree *tree, const Command *command, Event **ret_event, TreeError *error) {
        char room[TREE_PATH_MAX];
        Slice path = command->path;
        Lookup lookup;

        if (command->unique) {
                size_t length = path.length > 1 ? path.length : 0; /* below "/" there is only one slash */
                char name[PATH_UNIQUE_NAME_LENGTH + 2];

                (void)snprintf(name, sizeof(name), "/%020" PRIu64, tree->index + 1);
                memcpy(room, path.data, length);
                memcpy(room + length, name, sizeof(name) - 1);
                path = (Slice){room, length + sizeof(name) - 1};
        }
        if (path_is_read_only(path))
                return tree_fail_read_only(tree, error);
        lookup = tree_lookup(tree, path);
        if (lookup_is_blocked(&lookup))
                return tree_fail_lookup(tree, &lookup, path, error);
        if (lookup_is_exact(&lookup))
                return tree_fail(tree, error, TREE_KEY_EXISTS, path);
        return tree_make(tree, &lookup, path, command, EVENT_CREATE, command_expiry(command), ret_event);
}

static int apply_update(Tree *tree, const Command *command, Event **ret_event, TreeError *error) {
        Lookup lookup = tree_lookup(tree, command->path);

        if (path_is_read_only(command->path))
                return tree_fail_read_only(tree, error);
        if (!lookup_is_exact(&lookup))
                return tree_fail_lookup(tree, &lookup, command->path, error);
        if (lookup.node->dir && command->value.length > 0)
                return tree_fail(tree, error, TREE_NOT_FILE, command->path);
        return tree_write(tree, lookup.node, command, EVENT_UPDATE, command_expiry(command), ret_event);
}

/* 0 when the node has the value and index that the command names; which were not given counts as equal. */
static int tree_compare(const Tree *tree, const Node *node, const Command *command, TreeError *error) {
        Slice value = value_slice(node->value);
        bool value_differs = command->prev_value.length > 0 && !slice_equals(value, command->prev_value);
        bool index_differs = command->prev_index > 0 && node->modified != command->prev_index;
        _cleanup_buffer_ Buffer cause = BUFFER_INIT;

        if (!value_differs && !index_differs)
                return 0;
        if (value_differs) {
                (void)buffer_append_byte(&cause, '[');
                (void)buffer_append(&cause, command->prev_value.data, command->prev_value.length);
                (void)buffer_append_string(&cause, " != ");
                (void)buffer_append(&cause, value.data, value.length);
                (void)buffer_append_byte(&cause, ']');
        }
        if (index_differs)
                (void)buffer_printf(&cause, "%s[%" PRIu64 " != %" PRIu64 "]", value_differs ? " " : "",
                                    command->prev_index, node->modified);
        if (buffer_failed(&cause))
                return -ENOMEM;
        return tree_fail(tree, error, TREE_COMPARE_FAILED, (Slice){buffer_data(&cause), buffer_length(&cause)});
}

static int apply_compare_and_swap(Tree *tree, const Command *command, Event **ret_event, TreeError *error) {
        Lookup lookup = tree_lookup(tree, command->path);
        int r;

        if (path_is_read_only(command->path))
                return tree_fail_read_only(tree, error);
        if (!lookup_is_exact(&lookup))
                return tree_fail_lookup(tree, &lookup, command->path, error);
        if (lookup.node->dir)
                return tree_fail(tree, error, TREE_NOT_FILE, command->path);
        r = tree_compare(tree, lookup.node, command, error);
        if (r != 0)
                return r;
        return tree_write(tree, lookup.node, command, EVENT_COMPARE_AND_SWAP, command_expiry(command), ret_event);
}

/* Takes `top` and all below it out of the tree, the deepest first, and tells those who watch exactly these keys. */
static void tree_remove(Tree *tree, Node *top, Event *event) {
        char path[TREE_PATH_MAX];
        size_t length = node_path_length(top);
        Node *node = top, *above = top->parent;

        node_write_path(top, path, length);
        snapshot_leave(tree, top);
        for (;;) {
                Node *child = node->dir ? children_first(&node->children) : NULL, *parent;

                if (child) {
                        node = child;
                        path[length++] = '/';
                        memcpy(path + length, node->name, node->name_length);
                        length += node->name_length;
                        continue;
                }
                snapshot_preserve(tree, node);
                hub_notify_removed(&tree->hub, event, (Slice){path, length});
                parent = node->parent;
                length -= node->name_length + (size_t)1;
                children_remove(&parent->children, node);
                node->expiry = expiry_free(node->expiry, &tree->expiries);
                tree->count--;
                tree->bytes -= node_payload(node);
                (void)node_free(node);
                if (parent == above)
                        break;
                node = parent;
        }
}

/* Ends a node: DELETE, COMPARE_AND_DELETE, expiry. */
static int tree_end(Tree *tree, Node *node, Slice path, EventAction action, WallUsec time, Event **ret_event) {
        _cleanup_event_ Event *event = event_new(action, path);

        if (!event)
                return -ENOMEM;
        event->node = (EventNode){.dir = node->dir, .created = node->created, .modified = ++tree->index};
        event->previous = node_describe(node);
        event->has_previous = true;
        event->time = time;
        tree_remove(tree, node, event);
        tree_publish(tree, event);
        *ret_event = take_ptr(event);
        return 0;
}

static int apply_delete(Tree *tree, const Command *command, Event **ret_event, TreeError *error) {
        Lookup lookup = tree_lookup(tree, command->path);

        if (path_is_read_only(command->path))
                return tree_fail_read_only(tree, error);
        if (!lookup_is_exact(&lookup))
                return tree_fail_lookup(tree, &lookup, command->path, error);
        if (lookup.node->dir && !command->dir && !command->recursive)
                return tree_fail(tree, error, TREE_NOT_FILE, command->path);
        if (lookup.node->dir && !command->recursive && children_count(&lookup.node->children) > 0)
                return tree_fail(tree, error, TREE_DIRECTORY_NOT_EMPTY, command->path);
        return tree_end(tree, lookup.node, command->path, EVENT_DELETE, command->time, ret_event);
}

static int apply_compare_and_delete(Tree *tree, const Command *command, Event **ret_event, TreeError *error) {
        Lookup lookup = tree_lookup(tree, command->path);
        int r;

        if (!lookup_is_exact(&lookup))
                return tree_fail_lookup(tree, &lookup, command->path, error);
        if (lookup.node->dir)
                return tree_fail(tree, error, TREE_NOT_FILE, command->path);
        r = tree_compare(tree, lookup.node, command, error);
        if (r != 0)
                return r;
        return tree_end(tree, lookup.node, command->path, EVENT_COMPARE_AND_DELETE, command->time, ret_event);
}

static int apply_sync(Tree *tree, const Command *command) {
        char path[TREE_PATH_MAX];
        HeapNode *first;
        int r;

        for (uint64_t expired = 0; (first = heap_first(&tree->expiries)); expired++) {
                _cleanup_event_ Event *event = NULL;
                Expiry *expiry = container_of(first, Expiry, heap);
                size_t length;

                if (expiry->at > command->time || (command->max_expired > 0 && expired == command->max_expired))
                        break;
                length = node_path_length(expiry->node);
                node_write_path(expiry->node, path, length);
                r = tree_end(tree, expiry->node, (Slice){path, length}, EVENT_EXPIRE, command->time, &event);
                if (r < 0)
                        return r;
                tree->stats.expired++;
        }
        return 0;
}

static int tree_count_operation(OperationCount *count, int r) {
        if (r == 0)
                count->success++;
        else if (r > 0)
                count->fail++;
        return r;
}

static int tree_carry_out(Tree *tree, const Command *command, Event **ret_event, TreeError *error) {
        TreeStats *stats = &tree->stats;

        switch (command->kind) {
        case COMMAND_SET:
                return tree_count_operation(&stats->sets, apply_set(tree, command, ret_event, error));
        case COMMAND_CREATE:
                return tree_count_operation(&stats->creates, apply_create(tree, command, ret_event, error));
        case COMMAND_UPDATE:
                return tree_count_operation(&stats->updates, apply_update(tree, command, ret_event, error));
        case COMMAND_COMPARE_AND_SWAP:
                return tree_count_operation(&stats->compare_and_swaps,
                                            apply_compare_and_swap(tree, command, ret_event, error));
        case COMMAND_DELETE:
                return tree_count_operation(&stats->deletes, apply_delete(tree, command, ret_event, error));
        case COMMAND_COMPARE_AND_DELETE:
                return tree_count_operation(&stats->compare_and_deletes,
                                            apply_compare_and_delete(tree, command, ret_event, error));
        case COMMAND_SYNC:
                return apply_sync(tree, command);
        }
        return -EINVAL;
}

int tree_apply(Tree *tree, const Command *command, Event **ret_event, TreeError *error) {
        _cleanup_event_ Event *event = NULL;
        int r;

        r = command_check(command);
        if (r < 0)
                return r;
        r = tree_carry_out(tree, command, &event, error);
        if (r == 0 && ret_event)
                *ret_event = take_ptr(event);
        return r;
}
