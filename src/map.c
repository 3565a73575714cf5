#include "map.h"

#include <errno.h>
#include <pthread.h>

#include "clock.h"
#include "mem.h"

#define CAP_FIRST 16

/*
 * The hash's low bits name the bucket: as many bits as `cap` has, or one fewer
 * where the bucket they name isn't in use yet; its entries are then still in
 * the lower bucket that will be split into the two.
 */
static struct bh_node **
bucket(const struct bh_map *m, uint64_t hash)
{
    size_t i = (size_t)hash & (m->cap - 1);

    return &m->v[i < m->buckets ? i : i & (m->cap / 2 - 1)];
}

int
bh_map_init(struct bh_map *m)
{
    *m = (struct bh_map){.buckets = CAP_FIRST, .cap = CAP_FIRST};
    m->v = bh_zalloc(CAP_FIRST * sizeof *m->v);
    return m->v != NULL ? 0 : -ENOMEM;
}

void
bh_map_fini(struct bh_map *m)
{
    bh_free(m->v);
    *m = (struct bh_map){0};
}

/* Twice the room. At sizes where a copy would take long, realloc moves pages
 * and copies nothing; the new half is not touched before it is in use. */
static bool
double_cap(struct bh_map *m)
{
    if (m->cap > SIZE_MAX / 2 / sizeof *m->v) return false;
    struct bh_node **v = bh_realloc(m->v, m->cap * 2 * sizeof *v);
    if (v == NULL) return false;
    m->v = v;
    m->cap *= 2;
    return true;
}

/* Put one more bucket into use and move to it what belongs there, all of it
 * from one lower bucket. Order within a chain is kept. */
static void
split(struct bh_map *m)
{
    size_t fresh = m->buckets;

    if (fresh == m->cap && !double_cap(m)) return;
    struct bh_node **from = &m->v[fresh & (m->cap / 2 - 1)];
    struct bh_node **to = &m->v[fresh];
    while (*from != NULL) {
        struct bh_node *n = *from;
        if (((size_t)n->hash & (m->cap - 1)) != fresh) {
            from = &n->next;
            continue;
        }
        *from = n->next;
        *to = n;
        to = &n->next;
    }
    *to = NULL;
    m->buckets++;
}

void
bh_map_add(struct bh_map *m, struct bh_node *n, uint64_t hash)
{
    if (m->count >= m->buckets) split(m);
    struct bh_node **at = bucket(m, hash);
    n->hash = hash;
    n->next = *at;
    *at = n;
    m->count++;
}

void
bh_map_del(struct bh_map *m, struct bh_node *n)
{
    struct bh_node **at = bucket(m, n->hash);

    while (*at != NULL && *at != n) at = &(*at)->next;
    if (*at == NULL) return;
    *at = n->next;
    n->next = NULL;
    m->count--;
}

static struct bh_node *
same_hash(struct bh_node *n, uint64_t hash)
{
    while (n != NULL && n->hash != hash) n = n->next;
    return n;
}

struct bh_node *
bh_map_find(const struct bh_map *m, uint64_t hash)
{
    return same_hash(*bucket(m, hash), hash);
}

struct bh_node *
bh_map_next(const struct bh_node *n)
{
    return same_hash(n->next, n->hash);
}

/* ---- SipHash-2-4; names and steps as in the paper, section 2 ---- */

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t
load64(const unsigned char *p, size_t n)
{
    uint64_t x = 0;

    for (size_t i = 0; i < n; i++) x |= (uint64_t)p[i] << (8 * i);
    return x;
}

static inline uint64_t
rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void
sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

static void
sip_init(struct sip *s, const uint8_t key[16])
{
    uint64_t k0 = load64(key, 8), k1 = load64(key + 8, 8);

    s->v0 = k0 ^ 0x736f6d6570736575u;
    s->v1 = k1 ^ 0x646f72616e646f6du;
    s->v2 = k0 ^ 0x6c7967656e657261u;
    s->v3 = k1 ^ 0x7465646279746573u;
}

/* The last LEN bytes of a message; BEFORE bytes went ahead of them. */
static uint64_t
sip_finish(struct sip *s, const unsigned char *p, size_t len, size_t before)
{
    uint64_t total = (uint64_t)(before + len);

    for (; len >= 8; p += 8, len -= 8) sip_word(s, load64(p, 8));
    sip_word(s, total << 56 | load64(p, len));
    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++) sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t
bh_siphash(const uint8_t key[16], const void *p, size_t len)
{
    struct sip s;

    sip_init(&s, key);
    return sip_finish(&s, p, len, 0);
}

static uint8_t process_key[16];

static void
make_key(void)
{
    bh_random_bytes(process_key, sizeof process_key);
}

static const uint8_t *
get_key(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_key);
    return process_key;
}

uint64_t
bh_hash(const void *p, size_t len)
{
    return bh_siphash(get_key(), p, len);
}

/* The hash of the eight bytes of H and then P: H stands for all before it. */
uint64_t
bh_hash_more(uint64_t h, const void *p, size_t len)
{
    struct sip s;

    sip_init(&s, get_key());
    sip_word(&s, h);
    return sip_finish(&s, p, len, sizeof h);
}
