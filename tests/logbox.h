/* logbox.h: a folder with a log in it, for one test at a time. */
#ifndef BH_TESTS_LOGBOX_H
#define BH_TESTS_LOGBOX_H

#include "store_admin.h"

/* Checked fixtures: a new folder before each test, removed after it. */
void bh_logbox_setup(void);
void bh_logbox_teardown(void);

/* The log's path with SUFFIX; the text lives until the fourth call after. */
const char *bh_logbox_path(const char *suffix);

struct bh_str bh_logbox_str(const char *s); /* NULL stays NULL */

/* An open log; the test fails where there is none. */
struct bh_store *bh_logbox_writer(enum bh_sync sync);
struct bh_store *bh_logbox_reader(void);

/* Append within an open transaction; fails the test on an error. Two bodies are
 * the same where their bytes are. Returns the seq. */
int64_t bh_logbox_append(struct bh_store *s, const char *org,
                         const char *property, const char *event_id,
                         const char *body, enum bh_stored *what);
/* 60,000 bytes for a body, 15 pages. Returns what bh_store_append does. */
int bh_logbox_append_big(struct bh_store *s, const char *event_id);
/* A transaction with one new event of its own. */
int64_t bh_logbox_put(struct bh_store *s, const char *org, const char *property,
                      const char *event_id);

/* As the functions of the same name; the test fails on an error. */
void bh_logbox_begin(struct bh_store *s);
void bh_logbox_commit(struct bh_store *s);
struct bh_span bh_logbox_span(struct bh_store *s);
/* One step of pruning the whole log from its beginning. */
int bh_logbox_prune(struct bh_store *s, int64_t before_ms, int limit, int *n);

/* What a reading call brought, as "seq:event_id " … */
struct bh_seen {
    char text[512];
    int stop_after; /* rows; 0: never */
    int rows;
};
bool bh_logbox_see(void *seen, const struct bh_event_row *row);
/* A page of the channel (tasks, o), filtered by the PROPERTIES named with
 * spaces between (NULL: no filter), reads as EXPECTED. */
void bh_logbox_page(struct bh_store *s, const char *properties, int64_t after,
                    int limit, const char *expected);

/* Past Bellhop, by a connection of its own: run SQL, or take its one value. */
void bh_logbox_sql(const char *sql);
int64_t bh_logbox_number(const char *sql);
/* PRAGMA integrity_check says ok. */
bool bh_logbox_sound(void);
/* Whether somebody holds the writers' lock. */
bool bh_logbox_locked(void);
/* The size of the file with SUFFIX, -1 if it isn't there. */
int64_t bh_logbox_size(const char *suffix);

#endif
