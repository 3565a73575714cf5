/* store_db.h: what the store*.c files share. For nobody else but their test. */
#ifndef BH_STORE_DB_H
#define BH_STORE_DB_H

#include "store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "store_admin.h"

#define BH_STORE_APPLICATION 1111837772 /* "BELL", as in sql/schema.sql */
#define BH_STORE_WAIT_MS     2000       /* for a lock inside SQLite */
#define BH_STORE_BOOT_JUMP   1000000    /* see bh_store_open_writer */

/* Each is prepared when the log is opened; the SQL stands in store.c. */
enum bh_query {
    BH_Q_SPAN,
    BH_Q_EXTENT,
    BH_Q_CHANGED,
    BH_Q_FOLLOW,
    BH_Q_PAGE,
    BH_Q_BEFORE,
    BH_Q_BETWEEN,
    BH_Q_DENIED,
    BH_Q_SWITCHES,
    BH_Q_PRUNED_OF,
    BH_Q_READS, /* a reader has those above only */
    BH_Q_BEGIN = BH_Q_READS,
    BH_Q_COMMIT,
    BH_Q_ROLLBACK,
    BH_Q_MARK,
    BH_Q_UNDO,
    BH_Q_UNMARK,
    BH_Q_FIND,
    BH_Q_INSERT,
    BH_Q_REFUSE,
    BH_Q_FORGET,
    BH_Q_TELL,
    BH_Q_TELL_ROWS,
    BH_Q_TELL_AGE,
    BH_Q_DENY,
    BH_Q_DENIED_ENDED,
    BH_Q_DENIED_COUNT,
    BH_Q_UNDENY,
    BH_Q_SWITCH,
    BH_Q_HOUR,
    BH_Q_AGAIN,
    BH_Q_DELIVERY,
    BH_Q_DELIVERY_ROWS,
    BH_Q_COUNT
};

struct bh_store {
    sqlite3 *db;
    sqlite3_stmt *q[BH_Q_COUNT]; /* reset whenever no function is running */
    char *path;
    char *lock_path; /* NULL: a reader */
    int lock_fd;
    bool locked;      /* from begin to commit or rollback */
    int failed;       /* the last failure, a negative errno */
    int frames;       /* in the WAL after the last commit of ours */
    int checkpointed; /* frames at the last checkpoint of ours */
    dev_t dev;        /* of the file that is open */
    ino_t ino;
    int64_t data_version;
    int64_t hour; /* of the last event stored here, in `hours`; or 0 */
    bool gentle;  /* bh_store_gentle */
    char log_id[BH_LOG_ID_LEN + 1];
    char error[512];
};

/* One version of the schema: the SQL that makes it from the one before. */
struct bh_step {
    int version;
    const char *sql;
};
/* In the open transaction apply the steps above the log's version. */
int bh_store_migrate(struct bh_store *s, const struct bh_step *steps, size_t n);
/* All steps of the schema, and how many. */
const struct bh_step *bh_store_schema(size_t *n);
/* A log's name and birthday, a new one's or a restored one's. */
int bh_store_christen(struct bh_store *s, bool again);
/* A writer's open, under the lock: make the file a log of the latest version,
 * or refuse it. */
int bh_store_lay(struct bh_store *s, enum bh_sync sync);
/* A reader's: refuse what isn't one; unless ANY, also of another version. */
int bh_store_check(struct bh_store *s, bool any);

/* A handle with nothing open; WRITER: with a lock. NULL: no memory. */
struct bh_store *bh_store_new(const char *path, bool writer);
/* Whether a transaction of ours is open: 0, or what made it end. */
int bh_store_within(struct bh_store *s);
/* A statement for one use; sqlite3_finalize() it. */
int bh_store_prepare(struct bh_store *s, sqlite3_stmt **q, const char *text);
/* Step it once, finalize it: 0, or its errno; *OUT (may be NULL) is the first
 * column of the row, left as it was where there is none. */
int bh_store_once(struct bh_store *s, sqlite3_stmt *q, int64_t *out);

/* A copy that nobody writes to: of any version that is known here. */
int bh_store_open_copy(struct bh_store **out, const char *path);

/* Whose the log at PATH and what lies beside it are to be, where an admin's
 * command lays them as root: the log's owner or, where there is none yet, the
 * folder's, so that the workers can use them; SQLite does the same with its
 * files. False: nobody knows, or we aren't root and can't give. */
bool bh_store_owner(const char *path, struct stat *st);
/* Take the lock for writing, and give it back. */
int bh_store_lock(struct bh_store *s);
void bh_store_unlock(struct bh_store *s);

/* Remember our own words for a failure; returns ERR, a negative errno. */
int bh_store_say(struct bh_store *s, int err, const char *fmt, ...)
    BH_PRINTF(3, 4);
/* Remember SQLite's words for what failed just now; returns its errno. */
int bh_store_fail(struct bh_store *s);

/* Bind text that outlives the statement's run; p NULL binds NULL. It can't
 * fail: nothing is copied, and what is too long for SQLite becomes NULL, which
 * the schema refuses. */
void bh_store_bind(sqlite3_stmt *q, int i, struct bh_str v);
/* End a statement's run: 0, or what its last step failed with. */
int bh_store_reset(struct bh_store *s, sqlite3_stmt *q);
/* Step a statement that returns no rows, and reset it. */
int bh_store_run(struct bh_store *s, enum bh_query q);
/* Run SQL that returns nothing. */
int bh_store_execute(struct bh_store *s, const char *text);
/* The one value of a query; a row that isn't there leaves *OUT as it was. */
int bh_store_number(struct bh_store *s, const char *text, int64_t *out);
/* Seq, stored_at, domain, org, property, id, type, body: columns 0 to 7. */
void bh_store_row(sqlite3_stmt *q, struct bh_event_row *row);
/* A text or blob column; p is NULL only for NULL. */
struct bh_str bh_store_column(sqlite3_stmt *q, int i);

#endif
