#include "base.h"
#include "store_db.h"

#include <string.h>
#include <sys/stat.h>

/* Which events of a channel may pass. */
struct filter {
    bool all;
    const struct bh_str *properties;
    size_t n;
};

static bool
passes(const struct filter *f, struct bh_str property)
{
    if (f->all || !property.p) return true;
    for (size_t i = 0; i < f->n; i++)
        if (f->properties[i].len == property.len &&
            memcmp(f->properties[i].p, property.p, property.len) == 0)
            return true;
    return false;
}

/* The columns as BH_Q_FOLLOW and BH_Q_PAGE list them. */
void
bh_store_row(sqlite3_stmt *q, struct bh_event_row *row)
{
    row->seq = sqlite3_column_int64(q, 0);
    row->stored_at = sqlite3_column_int64(q, 1);
    row->domain = bh_store_column(q, 2);
    row->org = bh_store_column(q, 3);
    row->property = bh_store_column(q, 4);
    row->event_id = bh_store_column(q, 5);
    row->event_type = bh_store_column(q, 6);
    row->body = bh_store_column(q, 7);
}

/* The filter stands here and not in the SQL: up to BH_PROPERTIES_MAX names need
 * then be neither quoted nor prepared for. */
static int
each_row(struct bh_store *s, sqlite3_stmt *q, const struct filter *f, int limit,
         bh_row_fn *fn, void *arg)
{
    while (limit > 0 && sqlite3_step(q) == SQLITE_ROW) {
        struct bh_event_row row;

        if (!passes(f, bh_store_column(q, 4))) continue;
        bh_store_row(q, &row);
        limit--;
        if (!fn(arg, &row)) break;
    }
    return bh_store_reset(s, q);
}

int
bh_store_follow(struct bh_store *s, int64_t after, int limit, bh_row_fn *fn,
                void *arg)
{
    const struct filter everything = {.all = true};
    sqlite3_stmt *q = s->q[BH_Q_FOLLOW];

    sqlite3_bind_int64(q, 1, after);
    return each_row(s, q, &everything, limit, fn, arg);
}

int
bh_store_page(struct bh_store *s, struct bh_str domain, struct bh_str org,
              bool all, const struct bh_str *properties, size_t n,
              int64_t after, int limit, bh_row_fn *fn, void *arg)
{
    const struct filter f = {all, properties, n};
    sqlite3_stmt *q = s->q[BH_Q_PAGE];

    bh_store_bind(q, 1, domain);
    bh_store_bind(q, 2, org);
    sqlite3_bind_int64(q, 3, after);
    return each_row(s, q, &f, limit, fn, arg);
}

int
bh_store_span(struct bh_store *s, struct bh_span *out)
{
    sqlite3_stmt *q = s->q[BH_Q_SPAN];

    *out = (struct bh_span){0, 0};
    if (sqlite3_step(q) == SQLITE_ROW) {
        out->head = sqlite3_column_int64(q, 0);
        out->pruned = sqlite3_column_int64(q, 1);
    }
    return bh_store_reset(s, q);
}

static int64_t
size_of(const char *path, const char *suffix)
{
    struct bh_buf name = BH_BUF_INIT;
    struct stat st;

    bh_buf_fmt(&name, "%s%s", path, suffix);
    int rc = stat(bh_buf_cstr(&name), &st);
    bh_buf_fini(&name);
    return rc == 0 ? st.st_size : 0;
}

int64_t
bh_store_bytes(const char *path)
{
    return size_of(path, "") + size_of(path, "-wal");
}

int
bh_store_extent(struct bh_store *s, int64_t *first, int64_t *last)
{
    sqlite3_stmt *q = s->q[BH_Q_EXTENT];

    *first = *last = 0;
    if (sqlite3_step(q) == SQLITE_ROW) {
        *first = sqlite3_column_int64(q, 0);
        *last = sqlite3_column_int64(q, 1);
    }
    return bh_store_reset(s, q);
}

int
bh_store_pruned(struct bh_store *s, struct bh_str domain, struct bh_str org,
                int64_t *seq)
{
    sqlite3_stmt *q = s->q[BH_Q_PRUNED_OF];

    *seq = 0;
    bh_store_bind(q, 1, domain);
    bh_store_bind(q, 2, org);
    if (sqlite3_step(q) == SQLITE_ROW) *seq = sqlite3_column_int64(q, 0);
    return bh_store_reset(s, q);
}

int
bh_store_changed(struct bh_store *s, bool *changed)
{
    sqlite3_stmt *q = s->q[BH_Q_CHANGED];
    int64_t was = s->data_version;

    if (sqlite3_step(q) == SQLITE_ROW)
        s->data_version = sqlite3_column_int64(q, 0);
    *changed = s->data_version != was;
    return bh_store_reset(s, q);
}

int
bh_store_before(struct bh_store *s, int64_t wall_ms, int64_t *seq)
{
    sqlite3_stmt *q = s->q[BH_Q_BEFORE];

    *seq = 0;
    sqlite3_bind_int64(q, 1, wall_ms);
    if (sqlite3_step(q) == SQLITE_ROW) *seq = sqlite3_column_int64(q, 0);
    return bh_store_reset(s, q);
}

int
bh_store_between(struct bh_store *s, struct bh_str domain, struct bh_str org,
                 int64_t after, int64_t upto, bool *any)
{
    sqlite3_stmt *q = s->q[BH_Q_BETWEEN];

    bh_store_bind(q, 1, domain);
    bh_store_bind(q, 2, org);
    sqlite3_bind_int64(q, 3, after);
    sqlite3_bind_int64(q, 4, upto);
    *any = sqlite3_step(q) == SQLITE_ROW;
    return bh_store_reset(s, q);
}
