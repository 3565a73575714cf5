/* What is in the file: laying a new log, bringing an old one up, and refusing
 * what isn't one. */
#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "schema_sql.h"

/* *VERSION of the schema, 0 for a database with nothing in it. */
static int
examine(struct bh_store *s, int64_t *version)
{
    const int64_t latest = schema[bh_countof(schema) - 1].version;
    int64_t application = 0, objects = 0;
    int rc = bh_store_number(s, "PRAGMA application_id", &application);

    if (rc == 0) rc = bh_store_number(s, "PRAGMA user_version", version);
    if (rc == 0)
        rc = bh_store_number(s, "SELECT count(*) FROM sqlite_schema", &objects);
    if (rc < 0) return rc;
    if (application == 0 && *version == 0 && objects == 0) return 0;
    if (application != BH_STORE_APPLICATION || *version < 1)
        return bh_store_say(s, -EINVAL,
                            "another application's database, not a "
                            "Bellhop log; name another file");
    if (*version > latest)
        return bh_store_say(s, -EINVAL,
                            "made by a newer Bellhop (schema version %lld, "
                            "known here: %lld); install that one",
                            (long long)*version, (long long)latest);
    return 0;
}

int
bh_store_migrate(struct bh_store *s, const struct bh_step *steps, size_t n)
{
    int64_t version = 0;
    int rc = bh_store_number(s, "PRAGMA user_version", &version);

    for (size_t i = 0; rc == 0 && i < n; i++)
        if (steps[i].version > version) rc = bh_store_execute(s, steps[i].sql);
    return rc;
}

const struct bh_step *
bh_store_schema(size_t *n)
{
    *n = bh_countof(schema);
    return schema;
}

int
bh_store_christen(struct bh_store *s, bool again)
{
    char id[BH_LOG_ID_LEN + 1], text[160];

    bh_random_hex(id, BH_LOG_ID_LEN / 2);
    snprintf(text, sizeof text,
             again ? "UPDATE log SET log_id = '%s', created_at = %lld"
                   : "INSERT INTO log (only, log_id, created_at)"
                     " VALUES (1, '%s', %lld)",
             id, (long long)bh_wall_ms());
    return bh_store_execute(s, text);
}

/*
 * Commits of an earlier boot that were not synced may have been seen and lost.
 * Move the sequence past them, once, so that no number is given out twice, and
 * remember whether commits of this boot may go the same way.
 */
static int
settle_boot(struct bh_store *s, enum bh_sync sync)
{
    char boot[BH_BOOT_ID_MAX], text[256];

    bh_boot_id(boot);
    snprintf(text, sizeof text,
             "UPDATE sqlite_sequence SET seq = seq + %d WHERE name = 'events'"
             " AND (SELECT boot_id NOT IN ('', '%s') FROM log)",
             BH_STORE_BOOT_JUMP, boot);
    int rc = bh_store_execute(s, text);
    if (rc < 0) return rc;
    snprintf(text, sizeof text,
             "UPDATE log SET boot_id = '%s' WHERE boot_id != '%s'%s",
             sync == BH_SYNC_NORMAL ? boot : "", boot,
             sync == BH_SYNC_NORMAL ? "" : " AND boot_id != ''");
    return bh_store_execute(s, text);
}

static int
upgrade(struct bh_store *s, bool fresh, enum bh_sync sync)
{
    int rc = bh_store_migrate(s, schema, bh_countof(schema));

    if (rc == 0 && fresh) rc = bh_store_christen(s, false);
    if (rc == 0) rc = settle_boot(s, sync);
    return rc;
}

static int
use_wal(struct bh_store *s)
{
    sqlite3_stmt *q;
    bool wal = false;

    if (sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = WAL", -1, &q, NULL) !=
        SQLITE_OK)
        return bh_store_fail(s);
    if (sqlite3_step(q) == SQLITE_ROW) {
        struct bh_str mode = bh_store_column(q, 0);
        wal = mode.len == 3 && memcmp(mode.p, "wal", 3) == 0;
    }
    if (sqlite3_finalize(q) != SQLITE_OK) return bh_store_fail(s);
    if (wal) return 0;
    return bh_store_say(s, -EINVAL,
                        "no write-ahead log is possible here; "
                        "put the log on a local file system");
}

/* The sync is FULL until the boot is settled: were the jump itself lost, the
 * numbers after it would be given out twice. */
int
bh_store_lay(struct bh_store *s, enum bh_sync sync)
{
    int64_t version = 0;
    int rc = examine(s, &version);

    if (rc == 0) rc = use_wal(s);
    if (rc == 0) rc = bh_store_execute(s, "PRAGMA synchronous = FULL");
    if (rc == 0) rc = bh_store_execute(s, "BEGIN IMMEDIATE");
    if (rc < 0) return rc;
    rc = upgrade(s, version == 0, sync);
    if (rc == 0) rc = bh_store_execute(s, "COMMIT");
    if (rc < 0) {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        return rc;
    }
    if (sync == BH_SYNC_FULL) return 0;
    return bh_store_execute(s, "PRAGMA synchronous = NORMAL");
}

/* One transaction, since a writer may be laying the log just now. */
static int
examine_at_once(struct bh_store *s, int64_t *version)
{
    int rc = bh_store_execute(s, "BEGIN");

    if (rc < 0) return rc;
    rc = examine(s, version);
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int
bh_store_check(struct bh_store *s, bool any)
{
    const int64_t latest = schema[bh_countof(schema) - 1].version;
    int64_t version = 0;
    int rc = examine_at_once(s, &version);

    if (rc < 0) return rc;
    if (version == 0)
        return bh_store_say(s, -ENOENT,
                            "no log in it yet; the first worker "
                            "lays it");
    if (version != latest && !any)
        return bh_store_say(s, -EINVAL,
                            "schema version %lld, wanted %lld; start a worker, "
                            "which migrates it",
                            (long long)version, (long long)latest);
    return 0;
}
