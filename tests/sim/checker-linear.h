#pragma once
/*
 * Linearizability of what clients saw, key by key: is there one order of all operations, each between its call and its
 * return, that explains every result? The search is that of Wing and Gong (1993) in Lowe's form (2017) with a memory of
 * the states already tried. Operations of unknown outcome may take effect at any time after their call, or never.
 *
 * Values written are unique, so a key's state is one number: 0 when absent.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum OperationKind {
        OPERATION_SET,
        OPERATION_CREATE,
        OPERATION_SWAP, /* compare and swap, by value or by index */
        OPERATION_DELETE,
        OPERATION_COMPARE_DELETE,
        OPERATION_READ, /* quorum */
} OperationKind;

typedef enum OperationOutcome {
        OUTCOME_UNKNOWN,
        OUTCOME_DONE,
        OUTCOME_NOT_FOUND,
        OUTCOME_COMPARE_FAILED,
        OUTCOME_EXISTS,
        OUTCOME_VOID, /* surely not carried out: takes no part */
} OperationOutcome;

typedef struct Operation {
        uint32_t key;
        OperationKind kind;
        OperationOutcome outcome;
        uint64_t called, returned; /* points of the order in which all happens */
        uint64_t value;            /* written */
        uint64_t expected;         /* compared with */
        uint64_t before; /* the value that the answer showed as the one before, or (of reads) as the one there */
} Operation;

typedef struct Linear {
        Operation *operations;
        size_t length, capacity;
} Linear;

typedef enum LinearVerdict {
        LINEAR_YES,
        LINEAR_NO,
        LINEAR_UNDECIDED, /* the search was given up */
} LinearVerdict;

void linear_deinit(Linear *linear);

/* Returns its number. */
size_t linear_call(Linear *linear, Operation operation);

/* `took_effect` says of a value of unknown fate whether it was ever in the tree: what was not is left out. After
 * LINEAR_NO ret_stuck has the operation that no order could explain. */
LinearVerdict linear_check(const Linear *linear, uint32_t key, bool (*took_effect)(void *userdata, uint64_t value),
                           void *userdata, const Operation **ret_stuck);
