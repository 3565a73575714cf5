/* store_sum.c: summaries, so that a question about everything reads a few
 * thousand rows and not ten million. Counted in steps, in the order of the log:
 * what is counted is exactly what lies up to summary.upto. */
#include "base.h"
#include "store_db.h"

#include "clock.h"

/* A delivery is written down after its event, by any of the workers: later than
 * this none is to come. */
#define DELIVERY_LATE_MS 15000

/* Each adds the rows of ?1 < seq <= ?2 to a table. */
static const char *const counts[] = {
    "INSERT INTO hour_types (hour, domain, event_type, events, bytes)"
    " SELECT stored_at / 3600000 * 3600000, domain, event_type, count(*),"
    " sum(length(CAST(body AS BLOB))) FROM events"
    " WHERE seq > ?1 AND seq <= ?2 GROUP BY 1, 2, 3"
    " ON CONFLICT DO UPDATE SET events = events + excluded.events,"
    " bytes = bytes + excluded.bytes",

    "INSERT INTO day_orgs (day, domain, org_id, events, bytes, last_at)"
    " SELECT date(stored_at / 1000, 'unixepoch'), domain, org_id, count(*),"
    " sum(length(CAST(body AS BLOB))), max(stored_at) FROM events"
    " WHERE seq > ?1 AND seq <= ?2 GROUP BY 1, 2, 3"
    " ON CONFLICT DO UPDATE SET events = events + excluded.events,"
    " bytes = bytes + excluded.bytes,"
    " last_at = max(last_at, excluded.last_at)",

    "INSERT INTO domain_totals (domain, events, first_at, last_at)"
    " SELECT domain, count(*), min(stored_at), max(stored_at) FROM events"
    " WHERE seq > ?1 AND seq <= ?2 GROUP BY domain"
    " ON CONFLICT DO UPDATE SET events = events + excluded.events,"
    " last_at = max(last_at, excluded.last_at)",
};

static const char delays[] =
    "INSERT INTO hour_delays (hour, domain, ms, n, woken)"
    " SELECT e.stored_at / 3600000 * 3600000, e.domain,"
    " CASE WHEN d.took <= 1000 THEN 1 WHEN d.took <= 2000 THEN 2"
    " WHEN d.took <= 5000 THEN 5 WHEN d.took <= 10000 THEN 10"
    " WHEN d.took <= 20000 THEN 20 WHEN d.took <= 50000 THEN 50"
    " WHEN d.took <= 100000 THEN 100 WHEN d.took <= 200000 THEN 200"
    " WHEN d.took <= 500000 THEN 500 WHEN d.took <= 1000000 THEN 1000"
    " WHEN d.took <= 2000000 THEN 2000 WHEN d.took <= 5000000 THEN 5000"
    " ELSE 10000 END, count(*), sum(coalesce(d.woken, 0))"
    " FROM deliveries AS d JOIN events AS e ON e.seq = d.seq"
    " WHERE d.seq > ?1 AND d.seq <= ?2 GROUP BY 1, 2, 3"
    " ON CONFLICT DO UPDATE SET n = n + excluded.n,"
    " woken = woken + excluded.woken";

/* *TO: where a step of at most LIMIT rows ends that begins after FROM; FROM
 * where there are none. *N: its rows. It ends before a row that was stored, as
 * its second column says, at BEFORE_MS or later. */
static int
find_step(struct bh_store *s, const char *text, int64_t from, int64_t before_ms,
          int limit, int64_t *to, int *n)
{
    sqlite3_stmt *q;
    int rc = bh_store_prepare(s, &q, text);

    *to = from;
    *n = 0;
    if (rc < 0) return rc;
    sqlite3_bind_int64(q, 1, from);
    while (*n < limit && sqlite3_step(q) == SQLITE_ROW &&
           sqlite3_column_int64(q, 1) < before_ms) {
        *to = sqlite3_column_int64(q, 0);
        ++*n;
    }
    return sqlite3_finalize(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}

static int
run_step(struct bh_store *s, const char *text, int64_t from, int64_t to)
{
    sqlite3_stmt *q;
    int rc = bh_store_prepare(s, &q, text);

    if (rc < 0) return rc;
    sqlite3_bind_int64(q, 1, from);
    sqlite3_bind_int64(q, 2, to);
    return bh_store_once(s, q, NULL);
}

int
bh_store_summarized(struct bh_store *s, int64_t *upto)
{
    return bh_store_number(s, "SELECT upto FROM summary", upto);
}

static int
count_events(struct bh_store *s, int limit, int *n)
{
    int64_t from = 0, to = 0;
    int rc = bh_store_summarized(s, &from);

    if (rc == 0)
        rc = find_step(s,
                       "SELECT seq, 0 FROM events WHERE seq > ?1 ORDER BY seq",
                       from, INT64_MAX, limit, &to, n);
    for (size_t i = 0; rc == 0 && *n > 0 && i < bh_countof(counts); i++)
        rc = run_step(s, counts[i], from, to);
    if (rc < 0 || *n == 0) return rc;
    return run_step(s, "UPDATE summary SET upto = ?2 WHERE upto = ?1", from,
                    to);
}

static int
count_deliveries(struct bh_store *s, int limit, int *n)
{
    int64_t from = 0, to = 0;
    int rc = bh_store_number(s, "SELECT deliveries_upto FROM summary", &from);

    if (rc == 0)
        rc = find_step(s,
                       "SELECT d.seq, e.stored_at FROM deliveries AS d"
                       " CROSS JOIN events AS e ON e.seq = d.seq"
                       " WHERE d.seq > ?1 ORDER BY d.seq",
                       from, bh_wall_ms() - DELIVERY_LATE_MS, limit, &to, n);
    if (rc == 0 && *n > 0) rc = run_step(s, delays, from, to);
    if (rc < 0 || *n == 0) return rc;
    return run_step(
        s, "UPDATE summary SET deliveries_upto = ?2 WHERE deliveries_upto = ?1",
        from, to);
}

int
bh_store_summarize(struct bh_store *s, int limit, int *n)
{
    int deliveries = 0;
    int rc = bh_store_within(s);

    *n = 0;
    if (rc == 0) rc = count_events(s, limit, n);
    if (rc == 0) rc = count_deliveries(s, limit, &deliveries);
    if (rc == 0)
        rc = run_step(s, "UPDATE summary SET at = ?1 + ?2", bh_wall_ms(), 0);
    *n += deliveries;
    return rc;
}

int
bh_store_summary_keep(struct bh_store *s, int64_t before_ms, int limit, int *n)
{
    static const char *const old[] = {
        "DELETE FROM hour_types WHERE (hour, domain, event_type) IN"
        " (SELECT hour, domain, event_type FROM hour_types WHERE hour < ?1"
        " ORDER BY hour LIMIT ?2)",
        "DELETE FROM hour_delays WHERE (hour, domain, ms) IN (SELECT hour,"
        " domain, ms FROM hour_delays WHERE hour < ?1 ORDER BY hour LIMIT ?2)",
        "DELETE FROM duplicates WHERE (hour, domain, org_id, publisher) IN"
        " (SELECT hour, domain, org_id, publisher FROM duplicates"
        " WHERE hour < ?1 ORDER BY hour LIMIT ?2)",
        "DELETE FROM day_orgs WHERE (day, domain, org_id) IN (SELECT day,"
        " domain, org_id FROM day_orgs WHERE day <"
        " date(?1 / 1000, 'unixepoch') ORDER BY day LIMIT ?2)"};
    int rc = bh_store_within(s);

    *n = 0;
    for (size_t i = 0; rc == 0 && i < bh_countof(old) && *n < limit; i++) {
        rc = run_step(s, old[i], before_ms, limit - *n);
        if (rc == 0) *n += sqlite3_changes(s->db);
    }
    return rc;
}
