/* db_parts.h: what db.c and db_*.c share. */
#ifndef HOTEL_DB_PARTS_H
#define HOTEL_DB_PARTS_H

#include "db.h"

#include <pthread.h>

#include <sqlite3.h>

struct hotel_db {
    pthread_mutex_t turn;
    sqlite3 *sql;
};

/* BEGIN IMMEDIATE and COMMIT (or ROLLBACK unless OK), and the turn with them.
 * hotel_db_end says whether it was committed. */
bool hotel_db_begin(struct hotel_db *db);
bool hotel_db_end(struct hotel_db *db, bool ok);

/*
 * A statement with its values bound, in order: 's' a const char *, NULL for
 * NULL; 'i' an int64_t. They must live until it is finished. NULL where it
 * can't be prepared (the log says why), which sqlite3_step() takes as an error.
 */
sqlite3_stmt *hotel_db_prepare(struct hotel_db *db, const char *sql,
                               const char *types, ...);
/* Run one that returns nothing. The rows it changed, or -EIO. */
int hotel_db_run(struct hotel_db *db, sqlite3_stmt *s);
/* The first column of the first row as a number; ELSE where there is none, and
 * -EIO. */
int64_t hotel_db_number(struct hotel_db *db, sqlite3_stmt *s,
                        int64_t otherwise);
/* The first column of the first row as text. 0, -ENOENT, -EIO. */
int hotel_db_text(struct hotel_db *db, sqlite3_stmt *s, struct bh_buf *out);

/* ---- within a transaction ---- */

/* Announce: EVENT ("TaskCreated", …) about the JSON object PAYLOAD. */
int hotel_db_announce(struct hotel_db *db, const char *event, const char *org,
                      const char *property, const char *payload);

#endif
