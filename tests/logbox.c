#include "base.h"
#include "logbox.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

void
bh_logbox_setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/bellhop-log-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int
drop(const char *path, const struct stat *st BH_UNUSED, int type BH_UNUSED,
     struct FTW *at BH_UNUSED)
{
    return remove(path);
}

void
bh_logbox_teardown(void)
{
    ck_assert_int_eq(nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *
bh_logbox_path(const char *suffix)
{
    static char text[4][128];
    static unsigned next;
    char *out = text[next++ % 4];

    snprintf(out, sizeof text[0], "%s/log.db%s", folder, suffix);
    return out;
}

struct bh_str
bh_logbox_str(const char *s)
{
    return (struct bh_str){s, s ? strlen(s) : 0};
}

struct bh_store *
bh_logbox_writer(enum bh_sync sync)
{
    struct bh_store *s;
    int rc = bh_store_open_writer(&s, bh_logbox_path(""), sync);

    ck_assert_msg(rc == 0, "%d: %s", rc, bh_store_error(NULL));
    return s;
}

struct bh_store *
bh_logbox_reader(void)
{
    struct bh_store *s;
    int rc = bh_store_open_reader(&s, bh_logbox_path(""));

    ck_assert_msg(rc == 0, "%d: %s", rc, bh_store_error(NULL));
    return s;
}

static bool
same_bytes(struct bh_str a, struct bh_str b)
{
    return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

int64_t
bh_logbox_append(struct bh_store *s, const char *org, const char *property,
                 const char *event_id, const char *body, enum bh_stored *what)
{
    const struct bh_row row = {
        .domain = bh_logbox_str("tasks"),
        .org = bh_logbox_str(org),
        .property = bh_logbox_str(property),
        .event_id = bh_logbox_str(event_id),
        .event_type = bh_logbox_str("TaskCreated"),
        .publisher = bh_logbox_str("backend"),
        .timestamp = 1763900000000,
        .body = bh_logbox_str(body),
    };
    int64_t seq = -1;
    int rc = bh_store_append(s, &row, same_bytes, &seq, what);

    ck_assert_msg(rc == 0, "%d: %s", rc, bh_store_error(s));
    return seq;
}

int
bh_logbox_append_big(struct bh_store *s, const char *event_id)
{
    static char body[60000];
    const struct bh_row row = {
        .domain = bh_logbox_str("tasks"),
        .org = bh_logbox_str("o"),
        .event_id = bh_logbox_str(event_id),
        .event_type = bh_logbox_str("t"),
        .publisher = bh_logbox_str("p"),
        .body = {body, sizeof body},
    };
    enum bh_stored what;
    int64_t seq;

    memset(body, 'x', sizeof body);
    return bh_store_append(s, &row, same_bytes, &seq, &what);
}

int64_t
bh_logbox_put(struct bh_store *s, const char *org, const char *property,
              const char *event_id)
{
    enum bh_stored what;

    bh_logbox_begin(s);
    int64_t seq = bh_logbox_append(s, org, property, event_id, "{}", &what);
    ck_assert_int_eq(what, BH_STORED);
    bh_logbox_commit(s);
    return seq;
}

void
bh_logbox_begin(struct bh_store *s)
{
    int rc = bh_store_begin(s);

    ck_assert_msg(rc == 0, "%d: %s", rc, bh_store_error(s));
}

void
bh_logbox_commit(struct bh_store *s)
{
    int rc = bh_store_commit(s);

    ck_assert_msg(rc == 0, "%d: %s", rc, bh_store_error(s));
}

struct bh_span
bh_logbox_span(struct bh_store *s)
{
    struct bh_span span;

    ck_assert_int_eq(bh_store_span(s, &span), 0);
    return span;
}

int
bh_logbox_prune(struct bh_store *s, int64_t before_ms, int limit, int *n)
{
    struct bh_prune p = {.before_ms = before_ms, .upto = INT64_MAX};

    return bh_store_prune(s, &p, limit, n);
}

bool
bh_logbox_see(void *arg, const struct bh_event_row *row)
{
    struct bh_seen *seen = arg;
    size_t at = strlen(seen->text);

    snprintf(seen->text + at, sizeof seen->text - at, "%lld:%.*s ",
             (long long)row->seq, (int)row->event_id.len, row->event_id.p);
    return ++seen->rows != seen->stop_after;
}

void
bh_logbox_page(struct bh_store *s, const char *properties, int64_t after,
               int limit, const char *expected)
{
    struct bh_seen seen = {.text = ""};
    struct bh_str names[4];
    size_t n = 0;
    char copy[64];

    snprintf(copy, sizeof copy, "%s", properties ? properties : "");
    for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
        names[n++] = bh_logbox_str(p);
    int rc = bh_store_page(s, bh_logbox_str("tasks"), bh_logbox_str("o"),
                           !properties, names, n, after, limit, bh_logbox_see,
                           &seen);
    ck_assert_int_eq(rc, 0);
    ck_assert_str_eq(seen.text, expected);
}

static sqlite3 *
past_bellhop(void)
{
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(bh_logbox_path(""), &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_wal_autocheckpoint(db, 0);
    return db;
}

void
bh_logbox_sql(const char *sql)
{
    sqlite3 *db = past_bellhop();
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int
query(const char *sql, int64_t *number, char *text, size_t size)
{
    sqlite3 *db = past_bellhop();
    sqlite3_stmt *q;

    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        *number = sqlite3_column_int64(q, 0);
        snprintf(text, size, "%s", (const char *)sqlite3_column_text(q, 0));
    }
    sqlite3_finalize(q);
    sqlite3_close(db);
    return rc;
}

int64_t
bh_logbox_number(const char *sql)
{
    int64_t n = -1;
    char text[64];

    ck_assert_int_eq(query(sql, &n, text, sizeof text), SQLITE_ROW);
    return n;
}

bool
bh_logbox_sound(void)
{
    int64_t n;
    char text[64] = "";

    query("PRAGMA integrity_check", &n, text, sizeof text);
    return strcmp(text, "ok") == 0;
}

bool
bh_logbox_locked(void)
{
    int fd = open(bh_logbox_path(".lock"), O_RDWR | O_CLOEXEC);
    bool free_now = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;

    if (fd >= 0) close(fd);
    return !free_now;
}

int64_t
bh_logbox_size(const char *suffix)
{
    struct stat st;

    return stat(bh_logbox_path(suffix), &st) == 0 ? (int64_t)st.st_size : -1;
}
