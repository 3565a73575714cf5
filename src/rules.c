#include "rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "mem.h"

/* A domain that is off is an entry like the others, of a kind of its own. */
#define DOMAIN_OFF 3
#define KINDS      4

/* VALUE and ORG lie in the rules' text; known by offsets, since it moves while
 * it grows. */
struct entry {
    uint8_t kind;
    uint8_t value_len, org_len;
    uint32_t at;
    int64_t until;
};

struct bh_rules {
    unsigned refs; /* atomic */
    struct bh_buf text;
    struct entry *v;
    size_t n, cap;
    size_t of_kind[KINDS];
};

struct bh_rules *
bh_rules_new(void)
{
    struct bh_rules *r = bh_zalloc(sizeof *r);

    if (r != NULL) r->refs = 1;
    return r;
}

struct bh_rules *
bh_rules_get(struct bh_rules *r)
{
    if (r != NULL) __atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
    return r;
}

void
bh_rules_put(struct bh_rules *r)
{
    if (r == NULL || __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    bh_buf_fini(&r->text);
    bh_free(r->v);
    bh_free(r);
}

static bool
make_room(struct bh_rules *r)
{
    size_t cap = r->cap > 0 ? r->cap * 2 : 16;

    if (r->n < r->cap) return true;
    struct entry *v = bh_realloc(r->v, cap * sizeof *v);
    if (v == NULL) return false;
    r->v = v;
    r->cap = cap;
    return true;
}

static int
add(struct bh_rules *r, uint8_t kind, struct bh_str value, struct bh_str org,
    int64_t until)
{
    if (value.len == 0 || value.len > BH_NAME_MAX || org.len > BH_NAME_MAX)
        return 0; /* no token and no domain is called so */
    if (r->n >= BH_DENIED_MAX + BH_SWITCHES_MAX) return -ENOSPC;
    if (!make_room(r)) return -ENOMEM;
    struct entry e = {kind, (uint8_t)value.len, (uint8_t)org.len,
                      (uint32_t)r->text.len, until};
    bh_buf_add(&r->text, value.p, value.len);
    bh_buf_add(&r->text, org.p, org.len);
    if (r->text.failed) return -ENOMEM;
    r->v[r->n++] = e;
    r->of_kind[kind]++;
    return 0;
}

int
bh_rules_deny(struct bh_rules *r, enum bh_denied_kind kind, struct bh_str value,
              struct bh_str org, int64_t until_ms)
{
    return add(r, (uint8_t)kind, value, org, until_ms);
}

int
bh_rules_switch_off(struct bh_rules *r, struct bh_str domain)
{
    return add(r, DOMAIN_OFF, domain, (struct bh_str){"", 0}, 0);
}

/* ---- in order of kind, value, org ---- */

struct key {
    uint8_t kind;
    struct bh_str value;
};

static int
compare_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int by = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return by != 0 ? by : a_len < b_len ? -1 : a_len > b_len;
}

static int
by_name(const void *a, const void *b, void *text)
{
    const struct entry *x = a, *y = b;
    const char *t = text;

    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    int by = compare_text(t + x->at, x->value_len, t + y->at, y->value_len);
    if (by != 0) return by;
    return compare_text(t + x->at + x->value_len, x->org_len,
                        t + y->at + y->value_len, y->org_len);
}

void
bh_rules_seal(struct bh_rules *r)
{
    if (r->n > 0) qsort_r(r->v, r->n, sizeof *r->v, by_name, r->text.p);
}

static int
compare_key(const struct bh_rules *r, const struct key *k,
            const struct entry *e)
{
    if (k->kind != e->kind) return k->kind < e->kind ? -1 : 1;
    return compare_text(k->value.p, k->value.len, r->text.p + e->at,
                        e->value_len);
}

/* The first entry of the key; r->n if there is none. */
static size_t
find(const struct bh_rules *r, const struct key *k)
{
    size_t low = 0, high = r->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_key(r, k, &r->v[mid]) > 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < r->n && compare_key(r, k, &r->v[low]) == 0 ? low : r->n;
}

static bool
concerns(const struct bh_rules *r, const struct entry *e, struct bh_str org,
         int64_t now_ms)
{
    if (e->until != 0 && e->until <= now_ms) return false;
    return e->org_len == 0 ||
           (e->org_len == org.len &&
            memcmp(r->text.p + e->at + e->value_len, org.p, org.len) == 0);
}

bool
bh_rules_denied(const struct bh_rules *r, enum bh_denied_kind kind,
                struct bh_str value, struct bh_str org, int64_t now_ms)
{
    struct key k = {(uint8_t)kind, value};

    if (r == NULL || value.len == 0 || r->of_kind[kind] == 0) return false;
    for (size_t i = find(r, &k); i < r->n && compare_key(r, &k, &r->v[i]) == 0;
         i++)
        if (concerns(r, &r->v[i], org, now_ms)) return true;
    return false;
}

bool
bh_rules_off(const struct bh_rules *r, struct bh_str domain)
{
    struct key k = {DOMAIN_OFF, domain};

    return r != NULL && r->of_kind[DOMAIN_OFF] > 0 && domain.len > 0 &&
           find(r, &k) < r->n;
}

size_t
bh_rules_count(const struct bh_rules *r, enum bh_denied_kind kind)
{
    return r != NULL ? r->of_kind[kind] : 0;
}

static bool
same_entry(const struct bh_rules *a, const struct bh_rules *b, size_t i)
{
    const struct entry *x = &a->v[i], *y = &b->v[i];

    return x->kind == y->kind && x->value_len == y->value_len &&
           x->org_len == y->org_len && x->until == y->until &&
           memcmp(a->text.p + x->at, b->text.p + y->at,
                  (size_t)x->value_len + x->org_len) == 0;
}

bool
bh_rules_same(const struct bh_rules *a, const struct bh_rules *b)
{
    size_t n = a != NULL ? a->n : 0;

    if (n != (b != NULL ? b->n : 0)) return false;
    for (size_t i = 0; i < n; i++)
        if (!same_entry(a, b, i)) return false;
    return true;
}
