/* db.h: the demo's database. db.c and db_*.c are the only users of SQLite. One
 * connection that all threads take turns at: a board's traffic is small, and
 * one connection can't meet itself. */
#ifndef HOTEL_DB_H
#define HOTEL_DB_H

#include "hotel.h"

#include "buf.h"

/* Makes and fills it where it isn't there. NULL and a sentence in ERR. */
struct hotel_db *hotel_db_open(const char *path, char *err, size_t size);
void hotel_db_close(struct hotel_db *db);

/* ---- staff and sessions (db_session.c) ---- */

struct hotel_person {
    char id[HOTEL_ID_MAX + 1];
    char org[HOTEL_ID_MAX + 1];
    bool all_properties;
    int n_properties;
    char properties[8][HOTEL_ID_MAX + 1];
};

struct hotel_session {
    struct hotel_person person;
    char id[33];
    char secret[2 * HOTEL_SECRET_LEN + 1]; /* a new refresh token */
};

/* JSON: everybody who can sign in, an array. 0 or -EIO. */
int hotel_db_staff(struct hotel_db *db, struct bh_buf *out);
/* JSON: {"org", "me", "properties", "staff"} as PERSON of ORG may see them. */
int hotel_db_hotel(struct hotel_db *db, const char *org, const char *person,
                   struct bh_buf *out);
/* A new session of PERSON. 0, -ENOENT, -EIO. */
int hotel_db_login(struct hotel_db *db, const char *person,
                   struct hotel_session *out);
/*
 * Exchange the refresh token SECRET for a new one. A token that was used is
 * good for HOTEL_REUSE_MS more, since its answer may have got lost; used later
 * than that it may be stolen, and ends the session. 0, -ENOENT: sign in again,
 * -EIO.
 */
int hotel_db_refresh(struct hotel_db *db, const char *secret,
                     struct hotel_session *out);
/* End the session that SECRET belongs to, if any. 0 or -EIO. */
int hotel_db_logout(struct hotel_db *db, const char *secret);

/* ---- tasks (db_task.c) ---- */

/* Who asks: the claims of a verified token. */
struct hotel_reader {
    const char *user, *org;
    const struct bh_claims *claims; /* the properties that may be seen */
};

/* "" where there is no such filter. */
struct hotel_filter {
    const char *property, *status, *assignee;
};

/* A new task, or what is to change of one: the bits say which members are
 * there. */
enum {
    HOTEL_HAS_TITLE = 1,
    HOTEL_HAS_ROOM = 2,
    HOTEL_HAS_NOTES = 4,
    HOTEL_HAS_STATUS = 8,
    HOTEL_HAS_PRIORITY = 16,
    HOTEL_HAS_ASSIGNEE = 32,
    HOTEL_HAS_PROPERTY = 64,
    HOTEL_HAS_ID = 128
};
struct hotel_task {
    unsigned has;
    char id[HOTEL_ID_MAX + 1];
    char property[HOTEL_ID_MAX + 1];
    char title[HOTEL_TITLE_MAX + 1];
    char room[HOTEL_ROOM_MAX + 1];
    char notes[HOTEL_NOTES_MAX + 1];
    char status[HOTEL_WORD_MAX + 1];
    char priority[HOTEL_WORD_MAX + 1];
    char assignee[HOTEL_ID_MAX + 1]; /* "": nobody */
    int64_t version;                 /* the one that was seen; 0: not said */
};

/* JSON members of the list's object: "tasks":[…],"more":bool. 0 or -EIO. */
int hotel_db_list(struct hotel_db *db, const struct hotel_reader *who,
                  const struct hotel_filter *f, struct bh_buf *out);
/* JSON: how many tasks in which state, in all and for each property. */
int hotel_db_summary(struct hotel_db *db, const struct hotel_reader *who,
                     struct bh_buf *out);

/*
 * The three changes: the row and its outbox row in one transaction. The task's
 * JSON as it is now goes to OUT. 0, or
 *   -ENOENT  no such task, or not for this reader's eyes
 *   -EACCES  a property that is not this reader's
 *   -EINVAL  an assignee who isn't of the house
 *   -EEXIST  create: the id belongs, or belonged, to another task
 *   -ESTALE  the version isn't the present one; OUT has the task
 *   -ENOSPC  the board is full
 *   -EIO     the database said no, and the log says why
 * A create that is repeated (same id, same user) gives EALREADY and the task.
 */
int hotel_db_create(struct hotel_db *db, const struct hotel_reader *who,
                    const struct hotel_task *t, struct bh_buf *out);
int hotel_db_update(struct hotel_db *db, const struct hotel_reader *who,
                    const struct hotel_task *t, struct bh_buf *out);
int hotel_db_delete(struct hotel_db *db, const struct hotel_reader *who,
                    const char *id, struct bh_buf *out);

/* ---- the outbox (db_outbox.c) ---- */

/* Up to MAX rows in their order: '{"events":[…]}' to BODY, their numbers to
 * SEQS. How many; -EIO. */
int hotel_db_outbox(struct hotel_db *db, int max, struct bh_buf *body,
                    int64_t *seqs);
/* They are published. 0 or -EIO. */
int hotel_db_sent(struct hotel_db *db, const int64_t *seqs, int n);
/* It never will be: STATUS is Bellhop's answer. 0 or -EIO. */
int hotel_db_set_aside(struct hotel_db *db, int64_t seq, int status);
/* How many wait. -EIO. */
int hotel_db_waiting(struct hotel_db *db);

#endif
