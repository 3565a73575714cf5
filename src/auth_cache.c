/* auth_cache.c: the same token comes back with every poll, and checking an RSA
 * signature costs a hundred times this lookup. */
#include "auth_parts.h"

#include <pthread.h>
#include <string.h>

#include "mem.h"

struct bh_auth_cache {
    pthread_mutex_t lock;
    struct bh_map by_digest;
    struct bh_link by_use; /* the one used last is last */
    size_t max;
};

/* A SHA-256 is as good a hash as any, and nobody can choose what it becomes:
 * only verified tokens get here. */
static uint64_t
hash_of(const uint8_t digest[32])
{
    uint64_t hash;

    memcpy(&hash, digest, sizeof(hash));
    return hash;
}

struct bh_auth_cache *
bh_auth_cache_new(size_t max)
{
    struct bh_auth_cache *c = bh_zalloc(sizeof(*c));

    if (c == NULL) return NULL;
    if (bh_map_init(&c->by_digest) < 0) {
        bh_free(c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    bh_list_init(&c->by_use);
    c->max = max;
    return c;
}

static void
drop(struct bh_auth_cache *c, struct bh_held *h)
{
    bh_map_del(&c->by_digest, &h->node);
    bh_list_del(&h->link);
    bh_held_put(h);
}

void
bh_auth_cache_free(struct bh_auth_cache *c)
{
    if (c == NULL) return;
    bh_list_each_safe (l, next, &c->by_use)
        drop(c, bh_container_of(l, struct bh_held, link));
    bh_map_fini(&c->by_digest);
    pthread_mutex_destroy(&c->lock);
    bh_free(c);
}

static struct bh_held *
lookup(const struct bh_auth_cache *c, const uint8_t digest[32])
{
    struct bh_node *n = bh_map_find(&c->by_digest, hash_of(digest));

    for (; n != NULL; n = bh_map_next(n)) {
        struct bh_held *h = bh_container_of(n, struct bh_held, node);
        if (memcmp(h->claims.digest, digest, sizeof(h->claims.digest)) == 0)
            return h;
    }
    return NULL;
}

struct bh_held *
bh_auth_cache_find(struct bh_auth_cache *c, const uint8_t digest[32],
                   int64_t now_ms, bool *expired)
{
    pthread_mutex_lock(&c->lock);
    struct bh_held *h = lookup(c, digest);
    *expired = h != NULL && h->claims.expires_ms <= now_ms;
    if (*expired) {
        drop(c, h);
        h = NULL;
    } else if (h != NULL) {
        bh_list_del(&h->link);
        bh_list_add(&c->by_use, &h->link);
        bh_held_get(h);
    }
    pthread_mutex_unlock(&c->lock);
    return h;
}

void
bh_auth_cache_add(struct bh_auth_cache *c, struct bh_held *h)
{
    if (c->max == 0) return;
    pthread_mutex_lock(&c->lock);
    /* Two threads may have verified the same token at once. */
    if (lookup(c, h->claims.digest) == NULL) {
        if (c->by_digest.count >= c->max)
            drop(c, bh_list_first(&c->by_use, struct bh_held, link));
        bh_map_add(&c->by_digest, &h->node, hash_of(h->claims.digest));
        bh_list_add(&c->by_use, &h->link);
        bh_held_get(h);
    }
    pthread_mutex_unlock(&c->lock);
}
