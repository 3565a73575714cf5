/* json_names.c: finds a name that stands twice in one object, in linear time,
 * whatever the names are: they come from outside, so the hash is keyed. */
#include "json_parts.h"

#include <errno.h>
#include <string.h>

#include "map.h"
#include "mem.h"

void
bh_json_names_init(struct bh_json_names *t)
{
    t->v = t->v_small;
    t->slot = t->slot_small;
    t->n = 0;
    t->cap = BH_JSON_NAMES_SMALL;
    t->scratch = (struct bh_buf)BH_BUF_INIT;
    memset(t->slot_small, 0, sizeof(t->slot_small));
}

static void
free_tables(struct bh_json_names *t)
{
    if (t->v != t->v_small) bh_free(t->v);
    if (t->slot != t->slot_small) bh_free(t->slot);
}

void
bh_json_names_fini(struct bh_json_names *t)
{
    free_tables(t);
    bh_buf_fini(&t->scratch);
}

static uint32_t
first_slot(uint64_t hash, size_t cap)
{
    return (uint32_t)((hash ^ hash >> 32) & (2 * cap - 1));
}

/* The next slot of a probe; there is always a free one, half of them are. */
static uint32_t
next_slot(uint32_t slot, size_t cap)
{
    return (uint32_t)((slot + 1) & (2 * cap - 1));
}

/* Enter the I-th name in the index, at the first free slot from SLOT on. */
static void
enter(struct bh_json_names *t, size_t i, uint32_t slot)
{
    while (t->slot[slot] != 0) slot = next_slot(slot, t->cap);
    t->slot[slot] = (uint32_t)i + 1;
    t->v[i].slot = slot;
}

static int
grow(struct bh_json_names *t)
{
    size_t cap = t->cap * 2;

    if (t->n >= BH_JSON_NAMES_MAX) return -E2BIG;
    struct bh_json_name *v = bh_alloc(cap * sizeof(*v));
    uint32_t *slot = bh_zalloc(2 * cap * sizeof(*slot));
    if (v == NULL || slot == NULL) {
        bh_free(v);
        bh_free(slot);
        return -ENOMEM;
    }
    memcpy(v, t->v, t->n * sizeof(*v));
    free_tables(t);
    t->v = v;
    t->slot = slot;
    t->cap = cap;
    for (size_t i = 0; i < t->n; i++) enter(t, i, first_slot(v[i].hash, cap));
    return 0;
}

/* Of the decoded text; BASE is mixed in, so that equal names of objects within
 * each other don't crowd the same slots. */
static int
hash_name(struct bh_json_names *t, size_t base, struct bh_str raw,
          uint64_t *hash)
{
    size_t pos = 0;
    size_t n;
    char c[4];

    if (memchr(raw.p, '\\', raw.len) != NULL) {
        bh_buf_reset(&t->scratch);
        while ((n = bh_json_char(raw, &pos, c)) > 0)
            bh_buf_add(&t->scratch, c, n);
        if (t->scratch.failed) return -ENOMEM;
        raw = (struct bh_str){t->scratch.p, t->scratch.len};
    }
    *hash = bh_hash(raw.p, raw.len) + base * 0x9e3779b97f4a7c15u;
    return 0;
}

int
bh_json_names_add(struct bh_json_names *t, size_t base, struct bh_str raw)
{
    uint64_t hash;
    int rc = hash_name(t, base, raw, &hash);

    if (rc == 0 && t->n == t->cap) rc = grow(t);
    if (rc != 0) return rc;
    uint32_t slot = first_slot(hash, t->cap);
    for (; t->slot[slot] != 0; slot = next_slot(slot, t->cap)) {
        size_t i = t->slot[slot] - 1;

        if (i >= base && t->v[i].hash == hash &&
            bh_json_same_text(t->v[i].raw, raw))
            return -EEXIST;
    }
    t->v[t->n] = (struct bh_json_name){.hash = hash, .raw = raw};
    enter(t, t->n, slot);
    t->n++;
    return 0;
}

void
bh_json_names_cut(struct bh_json_names *t, size_t base)
{
    /* Last in, first out: so no later name's probe went over a freed slot, and
     * the index is as it was when the object began. */
    while (t->n > base) t->slot[t->v[--t->n].slot] = 0;
}
