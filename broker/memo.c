#include "base.h"
#include "memo.h"

#include <string.h>

#include "broker.h"
#include "mem.h"

struct memo {
    struct bh_node node;
    struct bh_link lru;
    int64_t used; /* monotonic ms */
    int64_t seq;
    struct bh_memo_key key;
};

struct bh_memo_key
bh_memo_key(const struct bh_park *p)
{
    struct bh_memo_key k;
    uint64_t h = bh_hash(p->domain.p, p->domain.len);

    h = bh_hash_more(h, p->org.p, p->org.len);
    h = bh_hash_more(h, p->client_id.p, p->client_id.len);
    h = bh_hash_more(h, p->properties.p, p->properties.len);
    k.rest = bh_hash_more(h, p->all_properties ? "*" : "", 1);
    memcpy(k.token, p->token_digest, sizeof k.token);
    return k;
}

static uint64_t
hash_key(const struct bh_memo_key *k)
{
    return bh_hash_more(k->rest, k->token, sizeof k->token);
}

static struct memo *
find(const struct bh_broker *b, const struct bh_memo_key *k)
{
    struct bh_node *n = bh_map_find(&b->memos, hash_key(k));

    for (; n; n = bh_map_next(n)) {
        struct memo *m = bh_container_of(n, struct memo, node);

        if (m->key.rest == k->rest &&
            memcmp(m->key.token, k->token, sizeof k->token) == 0)
            return m;
    }
    return NULL;
}

static void
forget(struct bh_broker *b, struct memo *m)
{
    bh_map_del(&b->memos, &m->node);
    bh_list_del(&m->lru);
    b->n_memos--;
    bh_free(m);
}

static int64_t
due(const struct bh_broker *b, const struct memo *m)
{
    return m->used + 2 * (int64_t)b->conf->broker.poll_ms;
}

int64_t
bh_memo_seq(struct bh_broker *b, const struct bh_memo_key *k)
{
    struct memo *m = find(b, k);

    return m && due(b, m) > b->now ? m->seq : -1;
}

static struct memo *
memo_new(struct bh_broker *b, const struct bh_memo_key *k)
{
    struct memo *m;

    if (b->n_memos >= 2 * b->max_waiters)
        forget(b, bh_list_first(&b->memo_lru, struct memo, lru));
    m = bh_alloc(sizeof *m);
    if (!m) return NULL;
    m->key = *k;
    bh_list_init(&m->lru);
    bh_map_add(&b->memos, &m->node, hash_key(k));
    b->n_memos++;
    return m;
}

void
bh_memo_set(struct bh_broker *b, const struct bh_memo_key *k, int64_t seq)
{
    struct memo *m = find(b, k);

    if (!m) m = memo_new(b, k);
    if (!m) return;
    m->seq = seq;
    m->used = b->now;
    bh_list_del(&m->lru);
    bh_list_add(&b->memo_lru, &m->lru);
}

void
bh_memos_expire(struct bh_broker *b)
{
    struct memo *m;

    while ((m = bh_list_first(&b->memo_lru, struct memo, lru))) {
        if (due(b, m) > b->now) break;
        forget(b, m);
    }
}

int64_t
bh_memos_next(const struct bh_broker *b)
{
    const struct memo *m = bh_list_first(&b->memo_lru, struct memo, lru);

    return m ? due(b, m) : INT64_MAX;
}

void
bh_memos_clear(struct bh_broker *b)
{
    struct memo *m;

    while ((m = bh_list_first(&b->memo_lru, struct memo, lru))) forget(b, m);
}
