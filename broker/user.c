#include "base.h"
#include "user.h"

#include <string.h>

#include "mem.h"

static uint64_t
hash_name(struct bh_str org, struct bh_str name)
{
    return bh_hash_more(bh_hash(org.p, org.len), name.p, name.len);
}

struct bh_user *
bh_user_find(const struct bh_map *users, struct bh_str org, struct bh_str name)
{
    struct bh_node *n = bh_map_find(users, hash_name(org, name));

    for (; n; n = bh_map_next(n)) {
        struct bh_user *u = bh_container_of(n, struct bh_user, node);

        if (u->org_len == org.len && u->name_len == name.len &&
            memcmp(u->name, org.p, org.len) == 0 &&
            memcmp(u->name + org.len, name.p, name.len) == 0)
            return u;
    }
    return NULL;
}

struct bh_user *
bh_user_get(struct bh_map *users, struct bh_str org, struct bh_str name)
{
    struct bh_user *u = bh_user_find(users, org, name);

    if (u) return u;
    u = bh_zalloc(sizeof *u + org.len + name.len);
    if (!u) return NULL;
    bh_list_init(&u->waiters);
    u->org_len = (uint8_t)org.len;
    u->name_len = (uint8_t)name.len;
    memcpy(u->name, org.p, org.len);
    memcpy(u->name + org.len, name.p, name.len);
    bh_map_add(users, &u->node, hash_name(org, name));
    return u;
}

void
bh_user_put(struct bh_map *users, struct bh_user *u)
{
    if (!u || u->n_waiters > 0) return;
    bh_map_del(users, &u->node);
    bh_free(u);
}
