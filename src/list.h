/*
 * list.h: an intrusive, circular, doubly linked list. The head is a link too;
 * a link that is in no list points to itself, so unlinking twice is harmless.
 */
#ifndef BH_LIST_H
#define BH_LIST_H

#include "base.h"

struct bh_link {
    struct bh_link *prev, *next;
};

static inline void
bh_list_init(struct bh_link *l)
{
    l->prev = l->next = l;
}

static inline bool
bh_list_empty(const struct bh_link *head)
{
    return head->next == head;
}

/* Insert L before HEAD: at the end of the list. */
static inline void
bh_list_add(struct bh_link *head, struct bh_link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void
bh_list_del(struct bh_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    bh_list_init(l);
}

/* The first struct of the list, or NULL. */
#define bh_list_first(head, type, member)                                      \
    (bh_list_empty(head) ? NULL : bh_container_of((head)->next, type, member))

/* L walks the links; in the _safe form the walked link may be deleted. */
#define bh_list_each(l, head)                                                  \
    for (struct bh_link *l = (head)->next; l != (head); l = l->next)
#define bh_list_each_safe(l, n, head)                                          \
    for (struct bh_link *l = (head)->next, *n = l->next; l != (head);          \
         l = n, n = l->next)

#endif
