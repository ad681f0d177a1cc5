#include "checker-linear.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

enum { STEPS_MAX = 3000000, NONE = -1 };

/* A call or a return, in the order of time. */
typedef struct Mark {
        uint64_t at;
        int32_t operation; /* place in `search->operations` */
        int32_t match;     /* of a call: its return; of a return: NONE */
        int32_t next, previous;
} Mark;

typedef struct Choice {
        int32_t mark;
        uint64_t state;
} Choice;

/* A set of (operations done, state) that led nowhere; both are in one number, as such a number is as good as unique. */
typedef struct Memory {
        uint64_t *slots;
        size_t length, capacity;
} Memory;

typedef struct Search {
        const Operation **operations;
        uint64_t *names; /* random numbers of the operations: their sum names a set of them */
        size_t length;
        Mark *marks; /* marks[0] is the head of the list */
        Choice *choices;
        size_t depth;
        size_t open;    /* operations of known outcome that have no place yet */
        size_t deepest; /* most operations that had a place at a time … */
        int32_t stuck;  /* … and the one whose return then could not be explained */
        Memory memory;
} Search;

void linear_deinit(Linear *linear) {
        free(linear->operations);
        *linear = (Linear){0};
}

size_t linear_call(Linear *linear, Operation operation) {
        if (linear->length == linear->capacity) {
                linear->capacity = linear->capacity ? linear->capacity * 2 : 1024;
                linear->operations = reallocarray(linear->operations, linear->capacity, sizeof(operation));
                if (!linear->operations)
                        abort();
        }
        linear->operations[linear->length] = operation;
        return linear->length++;
}

/* ---- the model: a register with compare and swap ---- */

static bool step_unknown(const Operation *operation, uint64_t state, uint64_t *ret_state) {
        *ret_state = state;
        switch (operation->kind) {
        case OPERATION_SET:
                *ret_state = operation->value;
                break;
        case OPERATION_CREATE:
                if (state == 0)
                        *ret_state = operation->value;
                break;
        case OPERATION_SWAP:
                if (state != 0 && state == operation->expected)
                        *ret_state = operation->value;
                break;
        case OPERATION_DELETE:
                *ret_state = 0;
                break;
        case OPERATION_COMPARE_DELETE:
                if (state == operation->expected)
                        *ret_state = 0;
                break;
        case OPERATION_READ:
                break;
        }
        return true;
}

static bool step_done(const Operation *operation, uint64_t state, uint64_t *ret_state) {
        if (state != operation->before)
                return false;
        *ret_state = operation->value;
        switch (operation->kind) {
        case OPERATION_SET:
                return true;
        case OPERATION_CREATE:
                return state == 0;
        case OPERATION_SWAP:
                return state != 0 && state == operation->expected;
        case OPERATION_DELETE:
                *ret_state = 0;
                return state != 0;
        case OPERATION_COMPARE_DELETE:
                *ret_state = 0;
                return state != 0 && state == operation->expected;
        case OPERATION_READ:
                *ret_state = state;
                return true;
        }
        return false;
}

/* Whether the operation may happen in `state` with the outcome it had, and what state follows. */
static bool step(const Operation *operation, uint64_t state, uint64_t *ret_state) {
        *ret_state = state;
        switch (operation->outcome) {
        case OUTCOME_UNKNOWN:
                return step_unknown(operation, state, ret_state);
        case OUTCOME_DONE:
                return step_done(operation, state, ret_state);
        case OUTCOME_NOT_FOUND:
                return state == 0;
        case OUTCOME_EXISTS:
                return state != 0;
        case OUTCOME_COMPARE_FAILED:
                return state != 0 && state != operation->expected &&
                       (operation->before == 0 || state == operation->before);
        case OUTCOME_VOID:
                break;
        }
        return true;
}

/* ---- the search ---- */

static uint64_t mix(uint64_t x) {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        return x ^ (x >> 31);
}

static void memory_insert(Memory *memory, uint64_t name) {
        size_t at = name & (memory->capacity - 1);

        while (memory->slots[at] != 0)
                at = (at + 1) & (memory->capacity - 1);
        memory->slots[at] = name;
        memory->length++;
}

/* False when it was there already. */
static bool memory_add(Memory *memory, uint64_t set, uint64_t state) {
        uint64_t name = mix(set ^ mix(state ^ (uint64_t)0x5bf03635 << 32)) | 1;
        size_t at;

        if (memory->length * 2 >= memory->capacity) {
                Memory old = *memory;

                *memory = (Memory){.capacity = old.capacity ? old.capacity * 2 : 4096};
                memory->slots = calloc(memory->capacity, sizeof(*memory->slots));
                if (!memory->slots)
                        abort();
                for (size_t i = 0; i < old.capacity; i++)
                        if (old.slots[i] != 0)
                                memory_insert(memory, old.slots[i]);
                free(old.slots);
        }
        for (at = name & (memory->capacity - 1); memory->slots[at] != 0; at = (at + 1) & (memory->capacity - 1))
                if (memory->slots[at] == name)
                        return false;
        memory_insert(memory, name);
        return true;
}

static void unlink_mark(Mark *marks, int32_t mark) {
        marks[marks[mark].previous].next = marks[mark].next;
        if (marks[mark].next != NONE)
                marks[marks[mark].next].previous = marks[mark].previous;
}

static void relink_mark(Mark *marks, int32_t mark) {
        marks[marks[mark].previous].next = mark;
        if (marks[mark].next != NONE)
                marks[marks[mark].next].previous = mark;
}

static void lift(Search *search, int32_t call) {
        unlink_mark(search->marks, call);
        unlink_mark(search->marks, search->marks[call].match);
}

static void unlift(Search *search, int32_t call) {
        relink_mark(search->marks, search->marks[call].match);
        relink_mark(search->marks, call);
}

static bool is_known(const Search *search, int32_t mark) {
        return search->operations[search->marks[mark].operation]->outcome != OUTCOME_UNKNOWN;
}

static LinearVerdict search_run(Search *search) {
        Mark *marks = search->marks;
        int32_t at = marks[0].next;
        uint64_t state = 0, set = 0, after;
        size_t steps = 0;

        while (search->open > 0) {
                if (++steps > STEPS_MAX)
                        return LINEAR_UNDECIDED;
                if (at != NONE && marks[at].match != NONE) {
                        int32_t operation = marks[at].operation;

                        if (step(search->operations[operation], state, &after) &&
                            memory_add(&search->memory, set + search->names[operation], after)) {
                                search->choices[search->depth++] = (Choice){at, state};
                                search->open -= is_known(search, at);
                                state = after;
                                set += search->names[operation];
                                lift(search, at);
                                at = marks[0].next;
                        } else
                                at = marks[at].next;
                        continue;
                }
                /* someone's answer has come, and nothing that may come before it explains it */
                if (at != NONE && search->depth >= search->deepest) {
                        search->deepest = search->depth;
                        search->stuck = marks[at].operation;
                }
                if (search->depth == 0)
                        return LINEAR_NO;
                search->depth--;
                at = search->choices[search->depth].mark;
                state = search->choices[search->depth].state;
                set -= search->names[marks[at].operation];
                search->open += is_known(search, at);
                unlift(search, at);
                at = marks[at].next;
        }
        return LINEAR_YES;
}

static int compare_marks(const void *a, const void *b) {
        const Mark *x = a, *y = b;

        if (x->at != y->at)
                return x->at < y->at ? -1 : 1;
        /* a call and a return at one point overlap: the call is first. Later calls last, to be the same in every run */
        if ((x->match != NONE) != (y->match != NONE))
                return x->match != NONE ? -1 : 1;
        return (x->operation > y->operation) - (x->operation < y->operation);
}

static void search_link(Search *search) {
        size_t count = search->length * 2;
        Mark *marks = search->marks;

        for (size_t i = 0; i < search->length; i++) {
                const Operation *operation = search->operations[i];

                marks[1 + 2 * i] = (Mark){.at = operation->called, .operation = (int32_t)i, .match = 0};
                marks[2 + 2 * i] = (Mark){
                        .at = operation->outcome == OUTCOME_UNKNOWN ? UINT64_MAX : operation->returned,
                        .operation = (int32_t)i,
                        .match = NONE,
                };
                search->names[i] = mix(i + 1);
                search->open += operation->outcome != OUTCOME_UNKNOWN;
        }
        qsort(marks + 1, count, sizeof(*marks), compare_marks);
        marks[0] = (Mark){.next = count > 0 ? 1 : NONE, .previous = NONE, .match = NONE};
        for (size_t i = 1; i <= count; i++) {
                marks[i].previous = (int32_t)i - 1;
                marks[i].next = i < count ? (int32_t)i + 1 : NONE;
        }
}

/* Each call learns where its return is. */
static void search_match(Search *search, int32_t *returns) {
        for (size_t i = 1; i <= search->length * 2; i++)
                if (search->marks[i].match == NONE)
                        returns[search->marks[i].operation] = (int32_t)i;
        for (size_t i = 1; i <= search->length * 2; i++)
                if (search->marks[i].match != NONE)
                        search->marks[i].match = returns[search->marks[i].operation];
}

static bool takes_part(const Operation *operation, uint32_t key, bool (*took_effect)(void *userdata, uint64_t value),
                       void *userdata) {
        if (operation->key != key || operation->outcome == OUTCOME_VOID)
                return false;
        if (operation->outcome != OUTCOME_UNKNOWN)
                return true;
        if (operation->kind == OPERATION_READ)
                return false;
        return operation->value == 0 || took_effect(userdata, operation->value);
}

LinearVerdict linear_check(const Linear *linear, uint32_t key, bool (*took_effect)(void *userdata, uint64_t value),
                           void *userdata, const Operation **ret_stuck) {
        Search search = {0};
        int32_t *returns = calloc(linear->length + 1, sizeof(*returns));
        LinearVerdict verdict;

        search.operations = calloc(linear->length + 1, sizeof(*search.operations));
        search.names = calloc(linear->length + 1, sizeof(*search.names));
        search.marks = calloc(2 * linear->length + 1, sizeof(*search.marks));
        search.choices = calloc(linear->length + 1, sizeof(*search.choices));
        if (!returns || !search.operations || !search.names || !search.marks || !search.choices)
                abort();
        for (size_t i = 0; i < linear->length; i++)
                if (takes_part(&linear->operations[i], key, took_effect, userdata))
                        search.operations[search.length++] = &linear->operations[i];
        search_link(&search);
        search_match(&search, returns);
        verdict = search_run(&search);
        if (verdict == LINEAR_NO)
                *ret_stuck = search.operations[search.stuck];
        free(search.operations);
        free(search.names);
        free(search.marks);
        free(search.choices);
        free(search.memory.slots);
        free(returns);
        return verdict;
}
