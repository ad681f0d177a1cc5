#include "store/tree/children.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>

#include "store/tree/node.h"

enum {
        CHILD_RUN_FIRST = 2,
        CHILD_TABLE_FIRST = 1,
};

/* With the first bytes of its name beside it, a search seldom has to look at a node that it passes: each would be a miss of the
 * cache. */
typedef struct Child {
        uint64_t prefix; /* in the order of the bytes; 0 where the name is shorter */
        Node *node;
} Child;

struct ChildRun {
        uint16_t length;
        uint16_t capacity; /* CHILD_RUN_MAX in every run once there are two */
        Child items[];
};

static uint64_t name_prefix(Slice name) {
        uint64_t prefix = 0;

        memcpy(&prefix, name.data, min_of(name.length, sizeof(prefix)));
        return be64toh(prefix);
}

static int child_compare(const Child *child, uint64_t prefix, Slice name) {
        if (child->prefix != prefix)
                return child->prefix < prefix ? -1 : 1;
        return slice_compare(node_name(child->node), name);
}

void children_deinit(Children *children) {
        ChildTable *table = children->table;

        if (!table)
                return;
        for (uint32_t i = 0; i < table->length; i++)
                free(table->runs[i]);
        free(table);
        children->table = NULL;
}

/* The last run whose first name is not after `name`; the first run when there is none. */
static uint32_t table_find_run(const ChildTable *table, Slice name) {
        uint32_t low = 0, high = table->length;
        uint64_t prefix = name_prefix(name);

        while (high - low > 1) {
                uint32_t middle = low + (high - low) / 2;

                if (child_compare(&table->runs[middle]->items[0], prefix, name) <= 0)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

/* Position of the first node whose name is not before `name`. */
static uint16_t run_find(const ChildRun *run, Slice name, bool *ret_equal) {
        uint16_t low = 0, high = run->length;
        uint64_t prefix = name_prefix(name);

        *ret_equal = false;
        while (low < high) {
                uint16_t middle = (uint16_t)(low + (high - low) / 2);
                int order = child_compare(&run->items[middle], prefix, name);

                if (order == 0) {
                        *ret_equal = true;
                        return middle;
                }
                if (order < 0)
                        low = (uint16_t)(middle + 1);
                else
                        high = middle;
        }
        return low;
}

Node *children_find(const Children *children, Slice name) {
        const ChildTable *table = children->table;
        const ChildRun *run;
        uint16_t at;
        bool equal;

        if (!table)
                return NULL;
        run = table->runs[table_find_run(table, name)];
        at = run_find(run, name, &equal);
        return equal ? run->items[at].node : NULL;
}

static ChildRun *run_resize(ChildRun *old, uint16_t capacity) {
        ChildRun *run = realloc(old, sizeof(*run) + capacity * sizeof(*run->items));

        if (!run)
                return NULL;
        if (!old)
                run->length = 0;
        run->capacity = capacity;
        return run;
}

static int children_start(Children *children) {
        _cleanup_free_ ChildTable *table = NULL;

        table = malloc(sizeof(*table) + CHILD_TABLE_FIRST * sizeof(*table->runs));
        if (!table)
                return -ENOMEM;
        table->runs[0] = run_resize(NULL, CHILD_RUN_FIRST);
        if (!table->runs[0])
                return -ENOMEM;
        table->length = 1;
        table->capacity = CHILD_TABLE_FIRST;
        table->count = 0;
        children->table = take_ptr(table);
        return 0;
}

static int table_reserve(Children *children) {
        ChildTable *table = children->table;
        uint32_t capacity = table->capacity * 2;

        if (table->length < table->capacity)
                return 0;
        table = realloc(table, sizeof(*table) + capacity * sizeof(*table->runs));
        if (!table)
                return -ENOMEM;
        table->capacity = capacity;
        children->table = table;
        return 0;
}

/* Puts a new run after run `at` and moves the upper nodes of that, from `keep` on, into it. */
static int children_split(Children *children, uint32_t at, uint16_t keep) {
        ChildTable *table;
        ChildRun *run, *upper;
        int r;

        r = table_reserve(children);
        if (r < 0)
                return r;
        upper = run_resize(NULL, CHILD_RUN_MAX);
        if (!upper)
                return -ENOMEM;
        table = children->table;
        run = table->runs[at];
        upper->length = (uint16_t)(run->length - keep);
        memcpy(upper->items, run->items + keep, upper->length * sizeof(*upper->items));
        run->length = keep;
        memmove(table->runs + at + 2, table->runs + at + 1, (table->length - at - 1) * sizeof(*table->runs));
        table->runs[at + 1] = upper;
        table->length++;
        return 0;
}

/* Makes room in the run for one more node at *at; both may move to the next run. */
static int children_make_room(Children *children, uint32_t *run_at, uint16_t *at) {
        ChildTable *table = children->table;
        ChildRun *run = table->runs[*run_at];
        uint16_t keep = CHILD_RUN_MAX / 2;
        int r;

        if (run->length < run->capacity)
                return 0;
        if (run->capacity < CHILD_RUN_MAX) {
                run = run_resize(run, (uint16_t)(run->capacity * 2));
                if (!run)
                        return -ENOMEM;
                table->runs[*run_at] = run;
                return 0;
        }
        /* names that come in order, as those of in-order keys do, leave full runs behind */
        if (*at == run->length && *run_at == table->length - 1)
                keep = run->length;
        r = children_split(children, *run_at, keep);
        if (r < 0)
                return r;
        if (*at > keep || keep == CHILD_RUN_MAX) {
                *at = (uint16_t)(*at - keep);
                (*run_at)++;
        }
        return 0;
}

int children_insert(Children *children, Node *node) {
        ChildRun *run;
        uint32_t run_at;
        uint16_t at;
        bool equal;
        int r;

        if (!children->table) {
                r = children_start(children);
                if (r < 0)
                        return r;
        }
        run_at = table_find_run(children->table, node_name(node));
        at = run_find(children->table->runs[run_at], node_name(node), &equal);
        assert(!equal);
        r = children_make_room(children, &run_at, &at);
        if (r < 0) {
                if (children->table->count == 0)
                        children_deinit(children);
                return r;
        }
        run = children->table->runs[run_at];
        memmove(run->items + at + 1, run->items + at, (run->length - at) * sizeof(*run->items));
        run->items[at] = (Child){name_prefix(node_name(node)), node};
        run->length++;
        children->table->count++;
        return 0;
}

static void table_drop_run(ChildTable *table, uint32_t at) {
        free(table->runs[at]);
        table->length--;
        memmove(table->runs + at, table->runs + at + 1, (table->length - at) * sizeof(*table->runs));
}

/* Joins run `at` with the next when both are together no more than half full, so that most of the memory is in use. */
static void table_join(ChildTable *table, uint32_t at) {
        ChildRun *run, *next;

        if (at + 1 >= table->length)
                return;
        run = table->runs[at];
        next = table->runs[at + 1];
        if (run->length + next->length > CHILD_RUN_MAX / 2)
                return;
        assert(run->capacity == CHILD_RUN_MAX);
        memcpy(run->items + run->length, next->items, next->length * sizeof(*next->items));
        run->length = (uint16_t)(run->length + next->length);
        table_drop_run(table, at + 1);
}

void children_remove(Children *children, const Node *node) {
        ChildTable *table = children->table;
        ChildRun *run;
        uint32_t run_at;
        uint16_t at;
        bool equal;

        assert(table);
        run_at = table_find_run(table, node_name(node));
        run = table->runs[run_at];
        at = run_find(run, node_name(node), &equal);
        assert(equal && run->items[at].node == node);
        run->length--;
        memmove(run->items + at, run->items + at + 1, (run->length - at) * sizeof(*run->items));
        if (--table->count == 0) {
                children_deinit(children);
                return;
        }
        if (run->length == 0)
                table_drop_run(table, run_at);
        else
                table_join(table, run_at);
}

Node *children_first(const Children *children) {
        return children->table ? children->table->runs[0]->items[0].node : NULL;
}

Node *children_after(const Children *children, Slice name) {
        const ChildTable *table = children->table;
        uint32_t run_at;
        uint16_t at;
        bool equal;

        if (!table)
                return NULL;
        run_at = table_find_run(table, name);
        at = run_find(table->runs[run_at], name, &equal);
        if (equal)
                at++;
        if (at < table->runs[run_at]->length)
                return table->runs[run_at]->items[at].node;
        return run_at + 1 < table->length ? table->runs[run_at + 1]->items[0].node : NULL;
}

bool children_next(const Children *children, ChildPosition *position, Node **ret_node) {
        const ChildTable *table = children->table;

        if (!table || position->run >= table->length)
                return false;
        *ret_node = table->runs[position->run]->items[position->at++].node;
        if (position->at == table->runs[position->run]->length)
                *position = (ChildPosition){.run = position->run + 1};
        return true;
}
