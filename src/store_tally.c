/* store_tally.c: what the log's smaller tables say of the last while. */
#include "base.h"
#include "store_db.h"

int
bh_store_tally(struct bh_store *s, enum bh_tally what, int64_t since_ms,
               bh_tally_fn *fn, void *arg)
{
    static const char *const questions[] = {
        [BH_TALLY_REFUSALS] = "SELECT code, count(*) FROM refusals"
                              " WHERE at >= ?1 GROUP BY code ORDER BY 2 DESC",
        [BH_TALLY_TELEMETRY] = "SELECT event_type, count(*) FROM telemetry"
                               " WHERE at >= ?1 GROUP BY 1 ORDER BY 2 DESC"};
    sqlite3_stmt *q;
    int rc = bh_store_prepare(s, &q, questions[what]);

    if (rc < 0) return rc;
    sqlite3_bind_int64(q, 1, since_ms);
    while (sqlite3_step(q) == SQLITE_ROW)
        fn(arg, bh_store_column(q, 0), sqlite3_column_int64(q, 1));
    return sqlite3_finalize(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}
