#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

/* INDEXED BY: the channel's index whatever ANALYZE may have told SQLite. */
static const char *const sql[BH_Q_COUNT] = {
    [BH_Q_SPAN] = "SELECT seq, pruned_seq FROM sqlite_sequence, log"
                  " WHERE name = 'events'",
    [BH_Q_EXTENT] = "SELECT (SELECT min(seq) FROM events),"
                    " (SELECT max(seq) FROM events)",
    [BH_Q_CHANGED] = "PRAGMA data_version",
    [BH_Q_FOLLOW] = "SELECT seq, stored_at, domain, org_id, property_id,"
                    " event_id, event_type, body FROM events"
                    " WHERE seq > ?1 ORDER BY seq",
    [BH_Q_PAGE] = "SELECT seq, stored_at, domain, org_id, property_id,"
                  " event_id, event_type, body"
                  " FROM events INDEXED BY events_channel"
                  " WHERE domain = ?1 AND org_id = ?2 AND seq > ?3"
                  " ORDER BY seq",
    [BH_Q_BEFORE] = "SELECT seq FROM events WHERE stored_at < ?1"
                    " ORDER BY seq DESC LIMIT 1",
    [BH_Q_BETWEEN] = "SELECT 1 FROM events INDEXED BY events_channel"
                     " WHERE domain = ?1 AND org_id = ?2"
                     " AND seq > ?3 AND seq <= ?4 LIMIT 1",
    [BH_Q_DENIED] = "SELECT kind, value, org_id, until, reason, created_at"
                    " FROM denied ORDER BY kind, value, org_id",
    [BH_Q_SWITCHES] = "SELECT domain, enabled, changed_at"
                      " FROM domain_switches ORDER BY domain",
    [BH_Q_PRUNED_OF] =
        "SELECT max(coalesce((SELECT pruned_seq FROM holds WHERE org_id = ?2),"
        " (SELECT pruned_seq FROM log)), coalesce((SELECT seq FROM pruned"
        " WHERE domain = ?1 AND org_id = ?2), 0))",
    [BH_Q_BEGIN] = "BEGIN IMMEDIATE",
    [BH_Q_COMMIT] = "COMMIT",
    [BH_Q_ROLLBACK] = "ROLLBACK",
    [BH_Q_MARK] = "SAVEPOINT mark",
    [BH_Q_UNDO] = "ROLLBACK TO mark",
    [BH_Q_UNMARK] = "RELEASE mark",
    [BH_Q_FIND] = "SELECT seq, body FROM events"
                  " WHERE domain = ?1 AND org_id = ?2 AND event_id = ?3",
    [BH_Q_INSERT] = "INSERT INTO events (domain, org_id, property_id,"
                    " event_id, event_type, timestamp, stored_at, publisher,"
                    " body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [BH_Q_REFUSE] = "INSERT INTO refusals (at, domain, org_id, subject, code,"
                    " pointer, detail, request_id, bytes)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [BH_Q_FORGET] = "DELETE FROM refusals WHERE id <= ?1",
    [BH_Q_TELL] = "INSERT INTO telemetry (at, event_type, domain, session_id,"
                  " tab_id, timestamp, data)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [BH_Q_TELL_ROWS] = "DELETE FROM telemetry WHERE id <="
                       " (SELECT max(id) FROM telemetry) - ?1",
    [BH_Q_TELL_AGE] = "DELETE FROM telemetry WHERE id IN (SELECT id FROM"
                      " telemetry WHERE at < ?1 ORDER BY at LIMIT 1000)",
    [BH_Q_DENY] = "INSERT OR REPLACE INTO denied (kind, value, org_id, until,"
                  " reason, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [BH_Q_DENIED_ENDED] = "DELETE FROM denied"
                          " WHERE until > 0 AND until <= ?1",
    [BH_Q_DENIED_COUNT] = "SELECT count(*) FROM denied",
    [BH_Q_UNDENY] = "DELETE FROM denied"
                    " WHERE kind = ?1 AND value = ?2 AND org_id = ?3",
    [BH_Q_SWITCH] = "INSERT OR REPLACE INTO domain_switches"
                    " (domain, enabled, changed_at) VALUES (?1, ?2, ?3)",
    [BH_Q_HOUR] = "INSERT OR IGNORE INTO hours (hour, first_seq)"
                  " VALUES (?1, ?2)",
    [BH_Q_AGAIN] = "INSERT INTO duplicates (hour, domain, org_id, publisher,"
                   " n, last_at, last_seq) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)"
                   " ON CONFLICT DO UPDATE SET n = n + 1,"
                   " last_at = excluded.last_at, last_seq = excluded.last_seq",
    [BH_Q_DELIVERY] = "INSERT OR REPLACE INTO deliveries (seq, woken, took)"
                      " VALUES (?1, ?2, ?3)",
    [BH_Q_DELIVERY_ROWS] = "DELETE FROM deliveries WHERE seq IN (SELECT seq"
                           " FROM deliveries WHERE seq <= ?1 ORDER BY seq"
                           " LIMIT ?2)",
};

/* The words of this thread's last failed open, whose handle is gone. */
static _Thread_local char open_error[512];

/* ---- failures ---- */

int
bh_store_say(struct bh_store *s, int err, const char *fmt, ...)
{
    va_list ap;
    int at = snprintf(s->error, sizeof s->error, "%.300s: ", s->path);

    va_start(ap, fmt);
    vsnprintf(s->error + at, sizeof s->error - (size_t)at, fmt, ap);
    va_end(ap);
    s->failed = err;
    return err;
}

static int
errno_of(int code, int os_errno)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM) return -ENOMEM;
        return os_errno == ENOSPC || os_errno == EDQUOT ? -ENOSPC : -EIO;
    case SQLITE_CANTOPEN:
        return os_errno > 0 ? -os_errno : -EACCES;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return -EACCES;
    case SQLITE_ERROR: /* a table that isn't there, for one */
    case SQLITE_SCHEMA:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return -EINVAL;
    default:
        return -EIO;
    }
}

int
bh_store_fail(struct bh_store *s)
{
    int code = sqlite3_extended_errcode(s->db); /* a NULL db: NOMEM */
    int kind = code & 0xff;
    int os_errno = 0;

    if (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN)
        os_errno = sqlite3_system_errno(s->db);
    int err = errno_of(code, os_errno);
    if (os_errno > 0)
        return bh_store_say(s, err, "%s (%d): %s", sqlite3_errmsg(s->db), code,
                            strerror(os_errno));
    return bh_store_say(s, err, "%s (%d)", sqlite3_errmsg(s->db), code);
}

const char *
bh_store_error(const struct bh_store *s)
{
    return s ? s->error : open_error;
}

/* ---- statements ---- */

void
bh_store_bind(sqlite3_stmt *q, int i, struct bh_str v)
{
    if (v.p)
        sqlite3_bind_text64(q, i, v.p, v.len, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(q, i);
}

int
bh_store_reset(struct bh_store *s, sqlite3_stmt *q)
{
    return sqlite3_reset(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}

int
bh_store_run(struct bh_store *s, enum bh_query q)
{
    sqlite3_step(s->q[q]);
    return bh_store_reset(s, s->q[q]);
}

struct bh_str
bh_store_column(sqlite3_stmt *q, int i)
{
    /* As a blob, since a terminator would take SQLite an allocation. */
    struct bh_str v = {sqlite3_column_blob(q, i), 0};

    v.len = (size_t)sqlite3_column_bytes(q, i);
    if (!v.p && sqlite3_column_type(q, i) != SQLITE_NULL) v.p = "";
    return v;
}

int
bh_store_execute(struct bh_store *s, const char *text)
{
    if (sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK) return 0;
    return bh_store_fail(s);
}

int
bh_store_number(struct bh_store *s, const char *text, int64_t *out)
{
    sqlite3_stmt *q;

    if (sqlite3_prepare_v2(s->db, text, -1, &q, NULL) != SQLITE_OK)
        return bh_store_fail(s);
    if (sqlite3_step(q) == SQLITE_ROW) *out = sqlite3_column_int64(q, 0);
    return sqlite3_finalize(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}

int
bh_store_prepare(struct bh_store *s, sqlite3_stmt **q, const char *text)
{
    if (sqlite3_prepare_v2(s->db, text, -1, q, NULL) == SQLITE_OK) return 0;
    return bh_store_fail(s);
}

int
bh_store_once(struct bh_store *s, sqlite3_stmt *q, int64_t *out)
{
    if (sqlite3_step(q) == SQLITE_ROW && out) *out = sqlite3_column_int64(q, 0);
    return sqlite3_finalize(q) == SQLITE_OK ? 0 : bh_store_fail(s);
}

static int
prepare(struct bh_store *s, int count)
{
    for (int i = 0; i < count; i++)
        if (sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->q[i], NULL) != SQLITE_OK)
            return bh_store_fail(s);
    return 0;
}

/* ---- the lock ---- */

/* Whether the lock file is still the one at its path: an admin may have taken
 * it for a left-over and removed it. */
static bool
lock_in_place(const struct bh_store *s)
{
    struct stat ours, there;

    return fstat(s->lock_fd, &ours) == 0 && lstat(s->lock_path, &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

bool
bh_store_owner(const char *path, struct stat *st)
{
    const char *slash = strrchr(path, '/');
    char folder[4096] = ".";

    if (slash)
        snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path);
    return geteuid() == 0 && (stat(path, st) == 0 || stat(folder, st) == 0);
}

/* FD, made just now; by a descriptor, since whoever owns the folder may have
 * put another file there meanwhile. */
static void
give(int fd, const char *path, const struct stat *owner)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_uid != 0) return;
    if (fchownat(fd, "", owner->st_uid, owner->st_gid, AT_EMPTY_PATH) != 0)
        bh_log(BH_WARN, "%s: can't give it to the log's owner", path);
}

int
bh_store_lock(struct bh_store *s)
{
    struct stat owner;

    for (;;) {
        bool fresh = s->lock_fd < 0;
        if (fresh)
            s->lock_fd = open(s->lock_path,
                              O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
        if (fresh && s->lock_fd >= 0 && bh_store_owner(s->path, &owner))
            give(s->lock_fd, s->lock_path, &owner);
        if (s->lock_fd < 0)
            return bh_store_say(s, -errno, "can't open the lock file %s: %s",
                                s->lock_path, strerror(errno));
        while (flock(s->lock_fd, LOCK_EX) != 0)
            if (errno != EINTR)
                return bh_store_say(s, -errno, "can't lock %s: %s",
                                    s->lock_path, strerror(errno));
        if (lock_in_place(s)) break;
        close(s->lock_fd);
        s->lock_fd = -1;
    }
    s->locked = true;
    return 0;
}

void
bh_store_unlock(struct bh_store *s)
{
    if (s->locked) flock(s->lock_fd, LOCK_UN);
    s->locked = false;
}

/* ---- the file ---- */

/*
 * Remember which file is about to be opened. A link is refused: through another
 * name there would be another lock file. Should the file be replaced before
 * SQLite opens it, bh_store_replaced says so, and one reopens for nothing.
 */
static int
identify(struct bh_store *s)
{
    struct stat st;

    if (lstat(s->path, &st) != 0)
        return bh_store_say(s, -errno, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return bh_store_say(s, -EINVAL,
                            "not a regular file; name the log's "
                            "own file, not a link to it");
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return 0;
}

/* mknod and O_PATH, since to close a descriptor of a database would drop the
 * locks that another handle of this process has on it. */
static int
create_file(struct bh_store *s)
{
    struct stat owner;

    /* Asked before there is a log: it is the folder that says. */
    bool others = bh_store_owner(s->path, &owner);
    if (mknod(s->path, S_IFREG | 0660, 0) != 0)
        return errno == EEXIST ? 0
                               : bh_store_say(s, -errno, "can't create it: %s",
                                              strerror(errno));
    if (!others) return 0;
    int fd = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) give(fd, s->path, &owner);
    if (fd >= 0) close(fd);
    return 0;
}

/* Our settings on a new connection. None of them reads the file. */
static int
harden(struct bh_store *s)
{
    static const struct {
        int option, value;
    } options[] = {
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };

    for (size_t i = 0; i < bh_countof(options); i++)
        if (sqlite3_db_config(s->db, options[i].option, options[i].value,
                              NULL) != SQLITE_OK)
            return bh_store_fail(s);
    sqlite3_wal_autocheckpoint(s->db, 0);
    sqlite3_busy_timeout(s->db, BH_STORE_WAIT_MS);
    return bh_store_execute(s, "PRAGMA cell_size_check = ON");
}

static int
open_file(struct bh_store *s, int mode)
{
    int flags = mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = identify(s);

    if (rc < 0) return rc;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
        return bh_store_fail(s);
    return harden(s);
}

/* ---- open and close ---- */

/* The last part of every open. */
static int
settle(struct bh_store *s, int queries)
{
    sqlite3_stmt *q;

    if (sqlite3_prepare_v2(s->db, "SELECT log_id FROM log", -1, &q, NULL) !=
        SQLITE_OK)
        return bh_store_fail(s);
    if (sqlite3_step(q) == SQLITE_ROW) {
        struct bh_str id = bh_store_column(q, 0);
        if (id.len == BH_LOG_ID_LEN) memcpy(s->log_id, id.p, id.len);
    }
    if (sqlite3_finalize(q) != SQLITE_OK) return bh_store_fail(s);
    if (s->log_id[0] == '\0')
        return bh_store_say(s, -EINVAL, "the log has no name; restore it");
    int rc = bh_store_number(s, "PRAGMA data_version", &s->data_version);
    return rc < 0 ? rc : prepare(s, queries);
}

struct bh_store *
bh_store_new(const char *path, bool writer)
{
    struct bh_store *s = bh_zalloc(sizeof *s);
    size_t len = strlen(path);

    if (!s) return NULL;
    s->lock_fd = -1;
    s->path = bh_strndup(path, len);
    if (writer) s->lock_path = bh_alloc(len + sizeof ".lock");
    if (!s->path || (writer && !s->lock_path)) {
        bh_store_close(s);
        return NULL;
    }
    if (writer) snprintf(s->lock_path, len + sizeof ".lock", "%s.lock", path);
    return s;
}

/* Hand the handle over, or close it and keep its words. */
static int
opened(struct bh_store **out, struct bh_store *s, int rc)
{
    *out = s;
    if (rc == 0) return 0;
    *out = NULL;
    memcpy(open_error, s->error, sizeof open_error);
    bh_store_close(s);
    return rc;
}

static int
no_memory(struct bh_store **out)
{
    *out = NULL;
    snprintf(open_error, sizeof open_error, "out of memory");
    return -ENOMEM;
}

/* The hook of every commit: keeps count, and leaves the checkpoint to
 * bh_store_commit. */
static int
count_frames(void *arg, sqlite3 *db BH_UNUSED, const char *name BH_UNUSED,
             int frames)
{
    struct bh_store *s = arg;

    s->frames = frames;
    return SQLITE_OK;
}

int
bh_store_open_writer(struct bh_store **out, const char *path, enum bh_sync sync)
{
    struct bh_store *s = bh_store_new(path, true);

    if (!s) return no_memory(out);
    int rc = bh_store_lock(s);
    if (rc == 0) rc = create_file(s);
    if (rc == 0) rc = open_file(s, SQLITE_OPEN_READWRITE);
    if (rc == 0) rc = bh_store_lay(s, sync);
    if (rc == 0) rc = settle(s, BH_Q_COUNT);
    /* 8 MiB, for the index pages at which 2,000 channels end. */
    if (rc == 0) rc = bh_store_execute(s, "PRAGMA cache_size = -8192");
    if (rc == 0) sqlite3_wal_hook(s->db, count_frames, s);
    bh_store_unlock(s);
    return opened(out, s, rc);
}

int
bh_store_open_reader(struct bh_store **out, const char *path)
{
    struct bh_store *s = bh_store_new(path, false);

    if (!s) return no_memory(out);
    int rc = open_file(s, SQLITE_OPEN_READONLY);
    if (rc == 0) rc = bh_store_execute(s, "PRAGMA query_only = ON");
    if (rc == 0) rc = bh_store_check(s, false);
    if (rc == 0) rc = settle(s, BH_Q_READS);
    return opened(out, s, rc);
}

int
bh_store_open_copy(struct bh_store **out, const char *path)
{
    struct bh_store *s = bh_store_new(path, false);

    if (!s) return no_memory(out);
    int rc = open_file(s, SQLITE_OPEN_READONLY);
    if (rc == 0) rc = bh_store_check(s, true);
    return opened(out, s, rc);
}

void
bh_store_close(struct bh_store *s)
{
    if (!s) return;
    for (size_t i = 0; i < BH_Q_COUNT; i++) sqlite3_finalize(s->q[i]);
    sqlite3_close(s->db); /* takes an open transaction back */
    if (s->lock_fd >= 0) close(s->lock_fd);
    bh_free(s->lock_path);
    bh_free(s->path);
    bh_free(s);
}

const char *
bh_store_log_id(const struct bh_store *s)
{
    return s->log_id;
}

bool
bh_store_replaced(const struct bh_store *s)
{
    struct stat st;

    if (stat(s->path, &st) != 0) return errno == ENOENT;
    return st.st_dev != s->dev || st.st_ino != s->ino;
}
