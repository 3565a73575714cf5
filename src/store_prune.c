/* store_prune.c: what is old goes, what is held stays, and how far it went is
 * remembered, so that no reader takes the hole for silence. */
#include "base.h"
#include "store_db.h"

#include <string.h>

#include "clock.h"

/* ---- one step ---- */

#define OF_CHANNEL "domain = ?1 AND org_id = ?2 AND "
#define NOT_HELD   " AND org_id NOT IN (SELECT org_id FROM holds)"

static bool
is_channel(const struct bh_prune *p)
{
    return p->org.p != NULL;
}

/* One of two texts, with the step's names and numbers bound: ?1 domain, ?2 org,
 * ?3 from, ?4 upto, ?5 before. */
static int
prepare(struct bh_store *s, const struct bh_prune *p, int64_t upto,
        const char *of_all, const char *of_channel, sqlite3_stmt **q)
{
    int rc = bh_store_prepare(s, q, is_channel(p) ? of_channel : of_all);

    if (rc < 0) return rc;
    if (is_channel(p)) {
        bh_store_bind(*q, 1, p->domain);
        bh_store_bind(*q, 2, p->org);
    }
    sqlite3_bind_int64(*q, 3, p->from);
    sqlite3_bind_int64(*q, 4, upto);
    if (sqlite3_bind_parameter_count(*q) >= 5)
        sqlite3_bind_int64(*q, 5, p->before_ms);
    return 0;
}

/* *LAST: the end of the run of old events that comes next, at most LIMIT long;
 * 0 if there is none. */
static int
old_run(struct bh_store *s, const struct bh_prune *p, int limit, int64_t *last)
{
    sqlite3_stmt *q;
    int rc = prepare(s, p, p->upto,
                     "SELECT seq, stored_at FROM events"
                     " WHERE seq > ?3 AND seq <= ?4 ORDER BY seq",
                     "SELECT seq, stored_at FROM events INDEXED BY"
                     " events_channel WHERE " OF_CHANNEL
                     "seq > ?3 AND seq <= ?4 ORDER BY seq",
                     &q);

    *last = 0;
    if (rc < 0) return rc;
    while (limit-- > 0 && sqlite3_step(q) == SQLITE_ROW &&
           sqlite3_column_int64(q, 1) < p->before_ms)
        *last = sqlite3_column_int64(q, 0);
    return sqlite3_finalize(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}

static int
delete_run(struct bh_store *s, const struct bh_prune *p, int64_t last, int *n)
{
    static const char *const also[] = {
        "DELETE FROM deliveries WHERE seq > ?3 AND seq <= ?4",
        "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM events INDEXED BY"
        " events_channel WHERE " OF_CHANNEL "seq > ?3 AND seq <= ?4)"};
    sqlite3_stmt *q;
    int rc = prepare(s, p, last, also[0], also[1], &q);

    if (rc == 0) rc = bh_store_once(s, q, NULL);
    if (rc == 0)
        rc = prepare(s, p, last,
                     "DELETE FROM events WHERE seq > ?3 AND seq <= ?4" NOT_HELD,
                     "DELETE FROM events INDEXED BY events_channel"
                     " WHERE " OF_CHANNEL "seq > ?3 AND seq <= ?4" NOT_HELD,
                     &q);
    if (rc == 0) rc = bh_store_once(s, q, NULL);
    if (rc == 0) *n = sqlite3_changes(s->db);
    return rc;
}

static int
remember(struct bh_store *s, const struct bh_prune *p, int64_t last)
{
    sqlite3_stmt *q;
    int rc =
        prepare(s, p, last, "UPDATE log SET pruned_seq = max(pruned_seq, ?4)",
                "INSERT INTO pruned (domain, org_id, seq)"
                " SELECT ?1, ?2, ?4 WHERE ?2 NOT IN"
                " (SELECT org_id FROM holds) ON CONFLICT DO UPDATE"
                " SET seq = max(seq, excluded.seq)",
                &q);

    return rc < 0 ? rc : bh_store_once(s, q, NULL);
}

int
bh_store_prune(struct bh_store *s, struct bh_prune *p, int limit, int *n)
{
    int64_t last = 0;
    int rc = bh_store_within(s);

    *n = 0;
    if (rc == 0) rc = old_run(s, p, limit, &last);
    if (rc == 0 && last == 0) p->done = true;
    if (rc < 0 || last == 0) return rc;
    rc = delete_run(s, p, last, n);
    if (rc == 0) rc = remember(s, p, last);
    if (rc == 0) p->from = last;
    return rc;
}

/* ---- how much ---- */

int
bh_store_prune_count(struct bh_store *s, const struct bh_prune *p,
                     int64_t *rows)
{
    sqlite3_stmt *q;
    int rc = prepare(s, p, p->upto,
                     "SELECT count(*) FROM events WHERE seq > ?3 AND seq <= ?4"
                     " AND stored_at < ?5" NOT_HELD,
                     "SELECT count(*) FROM events INDEXED BY events_channel"
                     " WHERE " OF_CHANNEL "seq > ?3 AND seq <= ?4"
                     " AND stored_at < ?5" NOT_HELD,
                     &q);

    *rows = 0;
    return rc < 0 ? rc : bh_store_once(s, q, rows);
}

int
bh_store_pruned_any(struct bh_store *s, int64_t *seq)
{
    *seq = 0;
    return bh_store_number(s,
                           "SELECT max(pruned_seq, coalesce((SELECT max(seq)"
                           " FROM pruned), 0)) FROM log",
                           seq);
}

int
bh_store_prune_tidy(struct bh_store *s, int limit, int *n)
{
    sqlite3_stmt *q;
    int rc = bh_store_within(s);

    *n = 0;
    if (rc == 0)
        rc = bh_store_prepare(s, &q,
                              "DELETE FROM pruned WHERE (domain, org_id) IN"
                              " (SELECT domain, org_id FROM pruned"
                              " WHERE org_id NOT IN (SELECT org_id FROM holds)"
                              " AND seq <= (SELECT pruned_seq FROM log)"
                              " LIMIT ?1)");
    if (rc < 0) return rc;
    sqlite3_bind_int(q, 1, limit);
    rc = bh_store_once(s, q, NULL);
    if (rc == 0) *n = sqlite3_changes(s->db);
    return rc;
}

int
bh_store_used(struct bh_store *s, int64_t *bytes)
{
    int64_t pages = 0, spare = 0, size = 0;
    int rc = bh_store_number(s, "PRAGMA page_count", &pages);

    if (rc == 0) rc = bh_store_number(s, "PRAGMA freelist_count", &spare);
    if (rc == 0) rc = bh_store_number(s, "PRAGMA page_size", &size);
    *bytes = (pages - spare) * size;
    return rc;
}

int
bh_store_oversize(struct bh_store *s, struct bh_str domain, struct bh_str org,
                  int64_t bytes, int64_t *upto)
{
    sqlite3_stmt *q;
    int rc = bh_store_prepare(s, &q,
                              "SELECT seq, length(CAST(body AS BLOB))"
                              " FROM events WHERE (?1 IS NULL OR domain = ?1)"
                              " AND (?2 IS NULL OR org_id = ?2)"
                              " ORDER BY seq DESC");

    *upto = 0;
    if (rc < 0) return rc;
    bh_store_bind(q, 1, domain);
    bh_store_bind(q, 2, org);
    while (*upto == 0 && sqlite3_step(q) == SQLITE_ROW) {
        bytes -= sqlite3_column_int64(q, 1);
        if (bytes < 0) *upto = sqlite3_column_int64(q, 0);
    }
    return sqlite3_finalize(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}

int
bh_store_next_channel(struct bh_store *s, struct bh_buf *domain,
                      struct bh_buf *org, bool *any)
{
    sqlite3_stmt *q;
    int rc = bh_store_prepare(s, &q,
                              "SELECT domain, org_id FROM events"
                              " INDEXED BY events_channel"
                              " WHERE (domain, org_id) > (?1, ?2)"
                              " ORDER BY domain, org_id LIMIT 1");

    *any = false;
    if (rc < 0) return rc;
    bh_store_bind(q, 1,
                  (struct bh_str){domain->p ? domain->p : "", domain->len});
    bh_store_bind(q, 2, (struct bh_str){org->p ? org->p : "", org->len});
    if (sqlite3_step(q) == SQLITE_ROW) {
        struct bh_str d = bh_store_column(q, 0), o = bh_store_column(q, 1);
        *any = true;
        bh_buf_reset(domain);
        bh_buf_reset(org);
        bh_buf_add(domain, d.p, d.len);
        bh_buf_add(org, o.p, o.len);
    }
    return sqlite3_finalize(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}

/* ---- holds ---- */

/* What of the org was pruned before is as far as its readers may be told. */
int
bh_store_hold(struct bh_store *s, struct bh_str org, struct bh_str reason,
              bool *changed)
{
    sqlite3_stmt *q;
    int rc = bh_store_within(s);

    if (rc == 0)
        rc = bh_store_prepare(
            s, &q,
            "INSERT OR IGNORE INTO holds (org_id, held_at, reason, pruned_seq)"
            " SELECT ?1, ?2, ?3, pruned_seq FROM log");
    if (rc < 0) return rc;
    bh_store_bind(q, 1, org);
    sqlite3_bind_int64(q, 2, bh_wall_ms());
    bh_store_bind(q, 3, reason);
    rc = bh_store_once(s, q, NULL);
    *changed = sqlite3_changes(s->db) > 0;
    return rc;
}

int
bh_store_unhold(struct bh_store *s, struct bh_str org, bool *changed)
{
    sqlite3_stmt *q;
    int rc = bh_store_within(s);

    if (rc == 0)
        rc = bh_store_prepare(s, &q, "DELETE FROM holds WHERE org_id = ?1");
    if (rc < 0) return rc;
    bh_store_bind(q, 1, org);
    rc = bh_store_once(s, q, NULL);
    *changed = sqlite3_changes(s->db) > 0;
    return rc;
}

int
bh_store_holds(struct bh_store *s,
               void (*fn)(void *arg, const struct bh_hold *), void *arg)
{
    sqlite3_stmt *q;
    int rc = bh_store_prepare(s, &q,
                              "SELECT org_id, reason, held_at FROM holds"
                              " ORDER BY org_id");

    if (rc < 0) return rc;
    while (sqlite3_step(q) == SQLITE_ROW) {
        const struct bh_hold h = {bh_store_column(q, 0), bh_store_column(q, 1),
                                  sqlite3_column_int64(q, 2)};
        fn(arg, &h);
    }
    return sqlite3_finalize(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}
