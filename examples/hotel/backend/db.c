/* db.c: opens the database, and the few calls that all queries are made of. */
#include "db_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

#include "sql.h"

#define BUSY_MS 5000

static void
complain(struct hotel_db *db, const char *what)
{
    bh_log(BH_ERROR, "database: %s: %s", what, sqlite3_errmsg(db->sql));
}

static bool
exec(struct hotel_db *db, const char *sql)
{
    if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK) return true;
    complain(db, "it refused");
    return false;
}

static bool
lay(struct hotel_db *db)
{
    if (!hotel_db_begin(db)) return false;
    bool ok = true;
    int64_t version =
        hotel_db_number(db, hotel_db_prepare(db, "PRAGMA user_version", ""), 0);
    if (version == 0)
        ok = exec(db, hotel_schema_sql) && exec(db, hotel_seed_sql);
    if (version > 1 || version < 0) {
        bh_log(BH_ERROR, "database: its version is not one of ours");
        ok = false;
    }
    return hotel_db_end(db, ok);
}

/* Full: a change that was answered is on the disk, and so is its outbox row. */
static bool
prepare(struct hotel_db *db, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    if (sqlite3_open_v2(path, &db->sql, flags, NULL) != SQLITE_OK) return false;
    sqlite3_busy_timeout(db->sql, BUSY_MS);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return exec(db, "PRAGMA journal_mode = WAL;"
                    "PRAGMA synchronous = FULL;"
                    "PRAGMA foreign_keys = ON;") &&
           lay(db);
}

struct hotel_db *
hotel_db_open(const char *path, char *err, size_t size)
{
    struct hotel_db *db = bh_zalloc(sizeof *db);

    snprintf(err, size, "no memory");
    if (db == NULL) return NULL;
    pthread_mutex_init(&db->turn, NULL);
    if (prepare(db, path)) return db;
    snprintf(err, size,
             "can't use %s: %s; it must lie in a folder that can be "
             "written to, and be ours or not there",
             path, db->sql != NULL ? sqlite3_errmsg(db->sql) : "no memory");
    hotel_db_close(db);
    return NULL;
}

void
hotel_db_close(struct hotel_db *db)
{
    if (db == NULL) return;
    sqlite3_close(db->sql);
    pthread_mutex_destroy(&db->turn);
    bh_free(db);
}

bool
hotel_db_begin(struct hotel_db *db)
{
    pthread_mutex_lock(&db->turn);
    if (exec(db, "BEGIN IMMEDIATE")) return true;
    pthread_mutex_unlock(&db->turn);
    return false;
}

bool
hotel_db_end(struct hotel_db *db, bool ok)
{
    if (ok) ok = exec(db, "COMMIT");
    if (!ok && !sqlite3_get_autocommit(db->sql)) exec(db, "ROLLBACK");
    pthread_mutex_unlock(&db->turn);
    return ok;
}

sqlite3_stmt *
hotel_db_prepare(struct hotel_db *db, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s = NULL;
    va_list values;

    if (sqlite3_prepare_v2(db->sql, sql, -1, &s, NULL) != SQLITE_OK) {
        complain(db, "a statement");
        return NULL;
    }
    va_start(values, types);
    for (int i = 1; *types != '\0'; i++, types++) {
        if (*types == 'i')
            sqlite3_bind_int64(s, i, va_arg(values, int64_t));
        else
            sqlite3_bind_text(s, i, va_arg(values, const char *), -1,
                              SQLITE_STATIC);
    }
    va_end(values);
    return s;
}

int
hotel_db_run(struct hotel_db *db, sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    bool ok = rc == SQLITE_DONE || rc == SQLITE_ROW;

    if (!ok) complain(db, "a change");
    sqlite3_finalize(s);
    return ok ? sqlite3_changes(db->sql) : -EIO;
}

int64_t
hotel_db_number(struct hotel_db *db, sqlite3_stmt *s, int64_t otherwise)
{
    int rc = sqlite3_step(s);
    int64_t n = rc == SQLITE_ROW    ? sqlite3_column_int64(s, 0)
                : rc == SQLITE_DONE ? otherwise
                                    : -EIO;

    if (n == -EIO) complain(db, "a query");
    sqlite3_finalize(s);
    return n;
}

int
hotel_db_text(struct hotel_db *db, sqlite3_stmt *s, struct bh_buf *out)
{
    int rc = sqlite3_step(s);

    if (rc == SQLITE_ROW)
        bh_buf_add(out, sqlite3_column_text(s, 0),
                   (size_t)sqlite3_column_bytes(s, 0));
    else if (rc != SQLITE_DONE)
        complain(db, "a query");
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE) return -ENOENT;
    return rc == SQLITE_ROW && !out->failed ? 0 : -EIO;
}
