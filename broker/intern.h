/*
 * intern.h: byte strings that many waiters have in common (response heads,
 * property filters), kept once and counted.
 */
#ifndef BH_INTERN_H
#define BH_INTERN_H

#include "map.h"

struct bh_interned {
    struct bh_node node;
    uint32_t refs;
    uint32_t len;
    char bytes[];
};

/* A reference to the one copy of P, or NULL where there's no memory. */
struct bh_interned *bh_intern_get(struct bh_map *m, const char *p, size_t len);
/* Give a reference back; NULL is fine. */
void bh_intern_put(struct bh_map *m, struct bh_interned *i);

/* Whether PROPERTY is in a filter: names as bh_buf_lstr wrote them. */
bool bh_filter_has(const struct bh_interned *filter, const char *property,
                   size_t len);

#endif
