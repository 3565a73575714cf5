/* user.h: the users who wait now, so that each can be limited and found. */
#ifndef BH_USER_H
#define BH_USER_H

#include "list.h"
#include "map.h"

struct bh_user {
    struct bh_node node;
    struct bh_link waiters; /* struct bh_waiter.in_user */
    uint32_t n_waiters;
    uint8_t org_len, name_len;
    char name[]; /* org, user */
};

/* Found or made, to add a waiter to; NULL where there's no memory. */
struct bh_user *bh_user_get(struct bh_map *users, struct bh_str org,
                            struct bh_str name);
struct bh_user *bh_user_find(const struct bh_map *users, struct bh_str org,
                             struct bh_str name);
/* Freed once it has no waiter left. */
void bh_user_put(struct bh_map *users, struct bh_user *u);

#endif
