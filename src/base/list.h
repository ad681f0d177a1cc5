#pragma once
/* An intrusive, circular, doubly linked list. A ListNode is embedded in its owner; an unlinked node points to itself. */
#include "base/util.h"

typedef struct ListNode {
        struct ListNode *next, *previous;
} ListNode;

typedef ListNode List; /* the head */

static inline void list_init(ListNode *node) {
        node->next = node->previous = node;
}

static inline bool list_is_empty(const List *list) {
        return list->next == list;
}

static inline bool list_is_linked(const ListNode *node) {
        return node->next != node;
}

static inline void list_append(List *list, ListNode *node) {
        node->previous = list->previous;
        node->next = list;
        list->previous->next = node;
        list->previous = node;
}

static inline void list_unlink(ListNode *node) {
        node->previous->next = node->next;
        node->next->previous = node->previous;
        list_init(node);
}

/* Moves all nodes, so that what is added meanwhile waits for the next turn. */
static inline void list_take_all(List *from, List *to) {
        list_init(to);
        while (!list_is_empty(from)) {
                ListNode *node = from->next;

                list_unlink(node);
                list_append(to, node);
        }
}

/* Visits nodes; the one visited may be unlinked or freed meanwhile, others not. */
#define list_foreach(list, node) \
        for (ListNode *node = (list)->next, *_next_##node = node->next; node != (list); \
             node = _next_##node, _next_##node = node->next)
