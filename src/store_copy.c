/* store_copy.c: a copy of the log while it is being written, and a copy put
 * back in its place. */
#include "base.h"
#include "store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

#define STEP_PAGES 1024

/* ---- words and files ---- */

static int BH_PRINTF(4, 5)
    fail(char *err, size_t size, int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err, size, fmt, ap);
    va_end(ap);
    return rc;
}

/* PATH with SUFFIX; bh_free() it. */
static char *
with(const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *out = bh_alloc(size);

    if (out) snprintf(out, size, "%s%s", path, suffix);
    return out;
}

/* Make the names in PATH's folder last. */
static void
sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? bh_strndup(path, (size_t)(slash - path) + 1) : NULL;
    int fd = open(folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    bh_free(folder);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

static int
number(sqlite3 *db, const char *text, int64_t *out)
{
    sqlite3_stmt *q;
    int rc = sqlite3_prepare_v2(db, text, -1, &q, NULL);

    if (rc == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        *out = sqlite3_column_int64(q, 0);
    return sqlite3_finalize(q);
}

static bool
is_sound(sqlite3 *db)
{
    sqlite3_stmt *q;
    bool ok = false;

    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &q, NULL) ==
            SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW) {
        struct bh_str said = bh_store_column(q, 0);
        ok = said.len == 2 && memcmp(said.p, "ok", 2) == 0;
    }
    sqlite3_finalize(q);
    return ok;
}

/* ---- copying ---- */

static int
copy_pages(sqlite3 *from, sqlite3 *to, bh_progress_fn *progress, void *arg)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int rc = SQLITE_OK;

    if (!b) return sqlite3_errcode(to);
    while (rc == SQLITE_OK) {
        rc = sqlite3_backup_step(b, STEP_PAGES);
        int64_t all = sqlite3_backup_pagecount(b);
        if (progress) progress(arg, all - sqlite3_backup_remaining(b), all);
    }
    return sqlite3_backup_finish(b);
}

/* A copy that is one file, with no WAL beside it, synced. */
static int
settle_copy(sqlite3 *to)
{
    return sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
}

/* The whole copy is taken in one read transaction: a log that grows meanwhile
 * would else be begun anew. Until it ends the WAL can't shrink. */
static int
copy(struct bh_store *from, const char *path, bh_progress_fn *progress,
     void *arg, int64_t *events, char *err, size_t size)
{
    sqlite3 *to = NULL;
    int64_t copied = -1;

    *events = 0;
    int rc = sqlite3_open_v2(
        path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK) {
        if (bh_store_execute(from, "BEGIN") < 0 ||
            bh_store_number(from, "SELECT count(*) FROM events", events) < 0)
            rc = sqlite3_errcode(from->db);
        if (rc == SQLITE_OK) rc = copy_pages(from->db, to, progress, arg);
        sqlite3_exec(from->db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) rc = settle_copy(to);
    if (rc == SQLITE_OK)
        rc = number(to, "SELECT count(*) FROM events", &copied);
    if (rc != SQLITE_OK)
        rc = fail(err, size, -EIO, "copying to %s: %s", path,
                  to ? sqlite3_errmsg(to) : "out of memory");
    else if (copied != *events)
        rc = fail(err, size, -EIO, "the copy has %lld events of %lld",
                  (long long)copied, (long long)*events);
    else if (!is_sound(to))
        rc = fail(err, size, -EIO,
                  "the copy is damaged; is the log? "
                  "Ask bellhopctl verify");
    sqlite3_close(to);
    return rc;
}

/* What SQLite keeps beside a database. */
static const char *const journals[] = {"-journal", "-wal", "-shm"};

static void
remove_copy(const char *path)
{
    unlink(path);
    for (size_t i = 0; i < bh_countof(journals); i++) {
        char *part = with(path, journals[i]);
        if (part) unlink(part);
        bh_free(part);
    }
}

/* An earlier file of PATH's name, that of a restore that was killed for one,
 * may have left its journal: SQLite would take it for this one's. */
static int
drop_journals(const char *path, char *err, size_t size)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < bh_countof(journals); i++) {
        char *part = with(path, journals[i]);
        if (!part)
            rc = fail(err, size, -ENOMEM, "out of memory");
        else if (unlink(part) != 0 && errno != ENOENT)
            rc = fail(err, size, -errno, "%s: %s", part, strerror(errno));
        bh_free(part);
    }
    return rc;
}

static int
create(const char *path, char *err, size_t size)
{
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == EEXIST)
        return fail(err, size, -EEXIST,
                    "%s is there: another one is at work, or was stopped; "
                    "then remove it",
                    path);
    if (fd < 0)
        return fail(err, size, -errno, "can't create %s: %s", path,
                    strerror(errno));
    close(fd);
    return 0;
}

/* Into a file of another name, which gets its own when it is whole. */
static int
copy_and_rename(struct bh_store *from, const char *temporary, const char *to,
                bh_progress_fn *progress, void *arg, int64_t *events, char *err,
                size_t size)
{
    int rc = create(temporary, err, size);

    if (rc < 0) return rc;
    rc = copy(from, temporary, progress, arg, events, err, size);
    if (rc == 0 && rename(temporary, to) != 0)
        rc = fail(err, size, -errno, "%s: %s", to, strerror(errno));
    if (rc == 0 && (rc = drop_journals(to, err, size)) < 0) unlink(to);
    if (rc < 0)
        remove_copy(temporary);
    else
        sync_folder(to);
    return rc;
}

int
bh_store_backup(const char *path, const char *to, bh_progress_fn *progress,
                void *arg, int64_t *events, char *err, size_t err_size)
{
    struct bh_store *s;
    int rc = bh_store_open_reader(&s, path);

    if (rc < 0) return fail(err, err_size, rc, "%s", bh_store_error(NULL));
    char *temporary = with(to, ".part");
    rc = temporary ? copy_and_rename(s, temporary, to, progress, arg, events,
                                     err, err_size)
                   : fail(err, err_size, -ENOMEM, "out of memory");
    bh_free(temporary);
    bh_store_close(s);
    return rc;
}

/* ---- restoring ---- */

/* Whoever could use the old log can use the new one. */
static void
take_after(const char *path, const char *model)
{
    struct stat st;

    chmod(path, stat(model, &st) == 0 ? st.st_mode & 07777 : 0660);
    if (bh_store_owner(model, &st) && chown(path, st.st_uid, st.st_gid) != 0)
        bh_log(BH_WARN, "%s: can't give it to the owner of the log", path);
}

/* Make of the copy at PATH a log of its own: of this version, with a new name,
 * all in the one file. */
static int
rename_log(const char *path, char *err, size_t size)
{
    struct bh_store *s;
    char *lock = with(path, ".lock");
    int rc = bh_store_open_writer(&s, path, BH_SYNC_FULL);

    if (rc < 0) {
        bh_free(lock);
        return fail(err, size, rc, "%s", bh_store_error(NULL));
    }
    rc = bh_store_begin(s);
    if (rc == 0) rc = bh_store_christen(s, true);
    if (rc == 0) rc = bh_store_commit(s);
    if (rc == 0) rc = bh_store_lock(s);
    for (int i = 0; i < BH_Q_COUNT; i++) { /* they keep the journal open */
        sqlite3_finalize(s->q[i]);
        s->q[i] = NULL;
    }
    if (rc == 0 && settle_copy(s->db) != SQLITE_OK) rc = bh_store_fail(s);
    if (rc < 0) fail(err, size, rc, "%s", bh_store_error(s));
    if (lock) unlink(lock);
    bh_free(lock);
    bh_store_close(s);
    return rc;
}

/* Move PATH and what belongs to it to ASIDE: the log first, so that nobody
 * opens it without its WAL. That must not stay: it would be taken for the new
 * log's. */
static int
move_aside(const char *path, const char *aside, bool *had_one, char *err,
           size_t size)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    int rc = 0;

    *had_one = access(path, F_OK) == 0;
    for (size_t i = 0; rc == 0 && i < bh_countof(parts); i++) {
        char *from = with(path, parts[i]), *to = with(aside, parts[i]);
        if (!from || !to)
            rc = fail(err, size, -ENOMEM, "out of memory");
        else if (rename(from, to) != 0 && errno != ENOENT)
            rc = fail(err, size, -errno, "%s: %s", to, strerror(errno));
        bh_free(from);
        bh_free(to);
    }
    return rc;
}

/* With the lock held nobody begins to write to the old log; who opens next gets
 * the new one. */
static int
swap(const char *path, const char *fresh, const char *aside, bool *had_one,
     char *err, size_t size)
{
    struct bh_store *s = bh_store_new(path, true);
    int rc = s ? bh_store_lock(s) : -ENOMEM;

    if (rc < 0)
        fail(err, size, rc, "%s", s ? bh_store_error(s) : "out of memory");
    if (rc == 0) take_after(fresh, path);
    if (rc == 0) rc = move_aside(path, aside, had_one, err, size);
    if (rc == 0 && rename(fresh, path) != 0)
        rc = fail(err, size, -errno, "%s: %s", path, strerror(errno));
    if (s) bh_store_unlock(s);
    bh_store_close(s);
    if (rc == 0) sync_folder(path);
    return rc;
}

int
bh_store_restore(const char *path, const char *from, const char *aside,
                 bool *had_one, int64_t *events, char *err, size_t err_size)
{
    char *fresh = with(path, ".restoring");
    char *temporary = with(path, ".restoring.part");
    struct bh_store *s = NULL;
    int rc = fresh && temporary ? 0 : -ENOMEM;

    if (rc < 0)
        fail(err, err_size, rc, "out of memory");
    else if ((rc = bh_store_open_copy(&s, from)) < 0)
        fail(err, err_size, rc, "%s", bh_store_error(NULL));
    if (rc == 0)
        rc = copy_and_rename(s, temporary, fresh, NULL, NULL, events, err,
                             err_size);
    bh_store_close(s);
    if (rc == 0) rc = rename_log(fresh, err, err_size);
    if (rc == 0) rc = swap(path, fresh, aside, had_one, err, err_size);
    if (rc < 0 && fresh) remove_copy(fresh);
    bh_free(fresh);
    bh_free(temporary);
    return rc;
}
