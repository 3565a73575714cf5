#include "base.h"
#include "intern.h"

#include <string.h>

#include "buf.h"
#include "mem.h"

static struct bh_interned *
find(const struct bh_map *m, uint64_t hash, const char *p, size_t len)
{
    for (struct bh_node *n = bh_map_find(m, hash); n; n = bh_map_next(n)) {
        struct bh_interned *i = bh_container_of(n, struct bh_interned, node);

        if (i->len == len && memcmp(i->bytes, p, len) == 0) return i;
    }
    return NULL;
}

struct bh_interned *
bh_intern_get(struct bh_map *m, const char *p, size_t len)
{
    uint64_t hash = bh_hash(p, len);
    struct bh_interned *i = find(m, hash, p, len);

    if (!i) {
        i = bh_alloc(sizeof *i + len);
        if (!i) return NULL;
        i->refs = 0;
        i->len = (uint32_t)len;
        if (len > 0) memcpy(i->bytes, p, len);
        bh_map_add(m, &i->node, hash);
    }
    i->refs++;
    return i;
}

void
bh_intern_put(struct bh_map *m, struct bh_interned *i)
{
    if (!i || --i->refs > 0) return;
    bh_map_del(m, &i->node);
    bh_free(i);
}

bool
bh_filter_has(const struct bh_interned *filter, const char *property,
              size_t len)
{
    struct bh_reader r;

    bh_reader_init(&r, filter->bytes, filter->len);
    while (!bh_reader_done(&r)) {
        struct bh_str s = bh_read_lstr(&r, BH_NAME_MAX);

        if (r.failed) return false;
        if (s.len == len && memcmp(s.p, property, len) == 0) return true;
    }
    return false;
}
