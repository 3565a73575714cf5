/*
 * hotel.h: the demo's backend as a whole, and its bounds in one table.
 *
 * A task board of a hotel group. It keeps its tasks in a database of its own
 * and announces each change through a transactional outbox (db_outbox.c,
 * relay.h): the part that a backend of yours needs, too.
 */
#ifndef HOTEL_H
#define HOTEL_H

#include "base.h"

#include "auth.h"
#include "conf.h"

/* Bytes, unless the name says otherwise. */
#define HOTEL_BODY_MAX     8192 /* a request's body */
#define HOTEL_DEPTH_MAX    4    /* nesting of it */
#define HOTEL_PATH_MAX     160
#define HOTEL_QUERY_MAX    512
#define HOTEL_COOKIE_MAX   4096 /* the whole Cookie header */
#define HOTEL_ID_MAX       64   /* a task's, property's, person's id */
#define HOTEL_TITLE_MAX    160
#define HOTEL_ROOM_MAX     16
#define HOTEL_NOTES_MAX    1000
#define HOTEL_WORD_MAX     16   /* a status, a priority */
#define HOTEL_TASKS_MAX    2000 /* tasks of one org */
#define HOTEL_LIST_MAX     500  /* tasks in one list */
#define HOTEL_DELETED_MAX  5000 /* names of deleted tasks remembered */
#define HOTEL_SESSIONS_MAX 2000 /* sign-ins at a time; the oldest go */
#define HOTEL_REFRESH_MAX  16   /* refresh tokens remembered of one session */
#define HOTEL_SECRET_LEN   32   /* a refresh token's random bytes */
#define HOTEL_BATCH_MAX    100  /* events in one publish */
#define HOTEL_ANSWER_MAX   (256 * 1024) /* an answer of Bellhop's */

#define HOTEL_SESSION_MS (12 * 3600 * 1000LL)
#define HOTEL_REUSE_MS   30000LL /* a used refresh token is good for */
#define HOTEL_THREADS    4
#define HOTEL_IO_MS      10000 /* a web server that stalls */

struct hotel_db;
struct hotel_relay;

struct hotel {
    struct bh_conf *conf; /* Bellhop's own: the key and the CORS origins */
    struct bh_auth *auth;
    struct hotel_db *db;
    struct hotel_relay *relay;
    const char *bellhop; /* "http://host:port/tasks/realtime" */
    int token_ttl_s;
    int listener;
    bool stop; /* atomic */
};

#endif
