/* store_search.c: finding events by what is said of them. */
#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <string.h>

/*
 * The parts of a query that narrow it down come first; the names are bound as
 * ?1 domain, ?2 org, ?3 property, ?4 type, ?5 id, ?6 since, ?7 until, ?8 after.
 * With the channel, or the id, named there is an index; else a time becomes a
 * range of seq through `hours`, and the rest is compared row by row.
 */
static void
write_where(struct bh_buf *text, const struct bh_search *q)
{
    bool channel = q->domain.p && q->org.p && !q->id.p;

    bh_buf_str(text, " FROM events");
    if (channel) bh_buf_str(text, " INDEXED BY events_channel");
    bh_buf_str(text, " WHERE seq > ?8");
    if (q->id.p) bh_buf_str(text, " AND event_id = ?5");
    if (q->org.p) bh_buf_str(text, " AND org_id = ?2");
    if (q->domain.p) bh_buf_str(text, " AND domain = ?1");
    if (q->since_ms > 0)
        bh_buf_str(text, " AND seq >= coalesce((SELECT first_seq FROM hours"
                         " WHERE hour <= ?6 ORDER BY hour DESC LIMIT 1), 0)"
                         " AND stored_at >= ?6");
    if (q->until_ms > 0) bh_buf_str(text, " AND stored_at < ?7");
    if (q->property.p) bh_buf_str(text, " AND property_id = ?3");
    if (q->type.p) bh_buf_str(text, " AND event_type = ?4");
}

static void
bind_text(sqlite3_stmt *st, int i, struct bh_str v)
{
    if (v.p) bh_store_bind(st, i, v);
}

static int
prepare(struct bh_store *s, struct bh_buf *text, const struct bh_search *q,
        int64_t after, sqlite3_stmt **st)
{
    const char *words = bh_buf_cstr(text);
    int rc = text->failed ? bh_store_say(s, -ENOMEM, "out of memory")
                          : bh_store_prepare(s, st, words);

    bh_buf_fini(text);
    if (rc < 0) return rc;
    bind_text(*st, 1, q->domain);
    bind_text(*st, 2, q->org);
    bind_text(*st, 3, q->property);
    bind_text(*st, 4, q->type);
    bind_text(*st, 5, q->id);
    sqlite3_bind_int64(*st, 6, q->since_ms);
    sqlite3_bind_int64(*st, 7, q->until_ms);
    sqlite3_bind_int64(*st, 8, after);
    return 0;
}

int
bh_store_search(struct bh_store *s, const struct bh_search *q, int64_t after,
                int limit, bh_row_fn *fn, void *arg)
{
    struct bh_buf text = BH_BUF_INIT;
    sqlite3_stmt *st;

    bh_buf_str(&text, "SELECT seq, stored_at, domain, org_id, property_id,"
                      " event_id, event_type, body");
    write_where(&text, q);
    bh_buf_str(&text, " ORDER BY seq");
    int rc = prepare(s, &text, q, after, &st);
    if (rc < 0) return rc;
    while (limit-- > 0 && sqlite3_step(st) == SQLITE_ROW) {
        struct bh_event_row row;

        bh_store_row(st, &row);
        if (!fn(arg, &row)) break;
    }
    return sqlite3_finalize(st) == SQLITE_OK ? 0 : bh_store_fail(s);
}

int
bh_store_search_last(struct bh_store *s, const struct bh_search *q, int n,
                     int64_t *after)
{
    struct bh_buf text = BH_BUF_INIT;
    sqlite3_stmt *st;
    int64_t first = INT64_MAX;

    bh_buf_str(&text, "SELECT seq");
    write_where(&text, q);
    bh_buf_str(&text, " ORDER BY seq DESC");
    int rc = prepare(s, &text, q, 0, &st);
    if (rc < 0) return rc;
    while (n-- > 0 && sqlite3_step(st) == SQLITE_ROW)
        first = sqlite3_column_int64(st, 0);
    *after = first - 1; /* none: the end of all */
    return sqlite3_finalize(st) == SQLITE_OK ? 0 : bh_store_fail(s);
}
