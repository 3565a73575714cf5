/* store_verify.c: is the log what it should be? Each check is one question in
 * SQL, asked of a read-only connection. */
#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct check {
    bool slow; /* reads every event */
    enum bh_finding kind;
    const char *count; /* how many are wrong */
    const char *words; /* after the number; for a person */
};

static const struct check checks[] = {
    {false, BH_FOUND_BAD, "SELECT count(*) != 1 FROM log",
     "log table without its one row"},
    {false, BH_FOUND_BAD,
     "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'),"
     " -1) < coalesce((SELECT max(seq) FROM events), 0)",
     "sequence behind the last event: numbers would be given out twice"},
    {false, BH_FOUND_BAD,
     "SELECT (SELECT pruned_seq FROM log) >"
     " (SELECT seq FROM sqlite_sequence WHERE name = 'events')",
     "pruning mark beyond the end of the log"},
    {false, BH_FOUND_BAD,
     "SELECT (SELECT upto FROM summary) >"
     " (SELECT seq FROM sqlite_sequence WHERE name = 'events')",
     "summary of events that are not there"},
    {true, BH_FOUND_BAD,
     "SELECT count(*) FROM events WHERE json_valid(body) = 0"
     " OR body ->> '$.eventId' IS NOT event_id"
     " OR body ->> '$.orgId' IS NOT org_id"
     " OR body ->> '$.eventType' IS NOT event_type"
     " OR body ->> '$.propertyId' IS NOT property_id",
     "event(s) whose body doesn't say what its columns say"},
    {true, BH_FOUND_NOTE,
     "SELECT count(*) FROM events WHERE seq <= (SELECT pruned_seq FROM log)"
     " AND org_id NOT IN (SELECT org_id FROM holds)",
     "event(s) of an ended hold, for the next bellhopctl prune"},
    {true, BH_FOUND_NOTE,
     "SELECT count(*) FROM (SELECT stored_at < lag(stored_at) OVER"
     " (ORDER BY seq) AS back FROM events) WHERE back",
     "place(s) where the clock was set back: the order by seq holds, times "
     "are off"},
    {true, BH_FOUND_NOTE,
     "SELECT count(*) FROM deliveries WHERE seq NOT IN (SELECT seq FROM "
     "events)",
     "delivery record(s) of events that are not there"},
};

struct verify {
    struct bh_store *s;
    bh_finding_fn *fn;
    void *arg;
};

static void
found(struct verify *v, enum bh_finding kind, const char *text)
{
    v->fn(v->arg, kind, text);
}

/* Every line of SQLite's own check. */
static int
check_integrity(struct verify *v)
{
    sqlite3_stmt *q;
    bool good = true;
    int rc = bh_store_prepare(v->s, &q, "PRAGMA integrity_check(20)");

    while (rc == 0 && sqlite3_step(q) == SQLITE_ROW) {
        char text[400];
        struct bh_str said = bh_store_column(q, 0);
        if (said.len == 2 && memcmp(said.p, "ok", 2) == 0) continue;
        good = false;
        snprintf(text, sizeof text, "damage: %.*s", (int)said.len, said.p);
        found(v, BH_FOUND_BAD, text);
    }
    if (rc == 0 && sqlite3_finalize(q) != SQLITE_OK) rc = bh_store_fail(v->s);
    if (rc == 0 && good) found(v, BH_FOUND_GOOD, "no damage (integrity_check)");
    return rc;
}

/* The schema as the migrations make it, in a database of its own. */
static int
lay_model(sqlite3 **model)
{
    size_t n;
    const struct bh_step *steps = bh_store_schema(&n);
    int rc = sqlite3_open(":memory:", model);

    for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
        rc = sqlite3_exec(*model, steps[i].sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : -ENOMEM;
}

/* Whether DB has the object of this type and name, and says the same of it. */
static bool
has_object(sqlite3 *db, sqlite3_stmt *object)
{
    sqlite3_stmt *q;
    bool has = false;

    if (sqlite3_prepare_v2(db,
                           "SELECT 1 FROM sqlite_schema WHERE type = ?1"
                           " AND name = ?2 AND sql IS ?3",
                           -1, &q, NULL) != SQLITE_OK)
        return false;
    for (int i = 0; i < 3; i++)
        sqlite3_bind_value(q, i + 1, sqlite3_column_value(object, i));
    has = sqlite3_step(q) == SQLITE_ROW;
    sqlite3_finalize(q);
    return has;
}

/* What is in A and not in B. ANALYZE's tables are nobody's. */
static int
compare(struct verify *v, sqlite3 *a, sqlite3 *b, enum bh_finding kind,
        const char *words)
{
    sqlite3_stmt *q;
    int n = 0;

    if (sqlite3_prepare_v2(a,
                           "SELECT type, name, sql FROM sqlite_schema"
                           " WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'",
                           -1, &q, NULL) != SQLITE_OK)
        return 0;
    while (sqlite3_step(q) == SQLITE_ROW) {
        char text[300];
        struct bh_str type = bh_store_column(q, 0),
                      name = bh_store_column(q, 1);
        if (has_object(b, q)) continue;
        snprintf(text, sizeof text, "%s: %.*s %.*s", words, (int)type.len,
                 type.p, (int)name.len, name.p);
        found(v, kind, text);
        n++;
    }
    sqlite3_finalize(q);
    return n;
}

static int
check_schema(struct verify *v)
{
    sqlite3 *model = NULL;
    int rc = lay_model(&model);
    int n = 0;

    if (rc == 0) {
        n += compare(v, model, v->s->db, BH_FOUND_BAD, "missing or altered");
        n += compare(v, v->s->db, model, BH_FOUND_BAD, "foreign or altered");
        if (n == 0) found(v, BH_FOUND_GOOD, "nothing missing, nothing foreign");
    }
    sqlite3_close(model);
    return rc;
}

static int
run_check(struct verify *v, const struct check *c)
{
    char text[300];
    int64_t n = 0;
    int rc = bh_store_number(v->s, c->count, &n);

    if (rc < 0) {
        found(v, BH_FOUND_BAD, bh_store_error(v->s));
        return 0;
    }
    if (n == 0) return 0;
    snprintf(text, sizeof text, "%" PRId64 " %s", n, c->words);
    found(v, c->kind, text);
    return 0;
}

static void
tell_counts(struct verify *v)
{
    static const char *const tables[] = {"events", "refusals", "telemetry",
                                         "deliveries", "holds"};
    char sql[64], text[96];

    for (size_t i = 0; i < bh_countof(tables); i++) {
        int64_t n = 0;
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        if (bh_store_number(v->s, sql, &n) < 0) continue;
        snprintf(text, sizeof text, "%" PRId64 " row(s) in %s", n, tables[i]);
        found(v, BH_FOUND_GOOD, text);
    }
}

int
bh_store_verify(const char *path, bool quick, bh_finding_fn *fn, void *arg,
                char *err, size_t err_size)
{
    struct verify v = {.fn = fn, .arg = arg};
    int rc = bh_store_open_copy(&v.s, path);

    if (rc < 0) {
        snprintf(err, err_size, "%s", bh_store_error(NULL));
        return rc;
    }
    rc = check_integrity(&v);
    if (rc == 0) rc = check_schema(&v);
    for (size_t i = 0; rc == 0 && i < bh_countof(checks); i++)
        if (!quick || !checks[i].slow) rc = run_check(&v, &checks[i]);
    if (rc == 0) tell_counts(&v);
    if (rc < 0) snprintf(err, err_size, "%s", bh_store_error(v.s));
    bh_store_close(v.s);
    return rc;
}
