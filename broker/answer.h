/*
 * answer.h: what is written to a waiter. An answer is the body of a response,
 * already cut into FastCGI records and followed by the end of the request; it
 * is made once for all waiters that are owed the same, and counted. Each
 * waiter's own head goes before it.
 */
#ifndef BH_ANSWER_H
#define BH_ANSWER_H

#include "base.h"
#include "buf.h"
#include "err.h"

struct bh_answer {
    uint32_t refs;
    uint32_t events;  /* in the body */
    uint32_t content; /* bytes of the body: Content-Length */
    uint32_t len;     /* of `bytes`: the body's records and the end records */
    int64_t cursor;   /* the seq that the body's cursor names */
    char bytes[];
};

/* BODY as an answer with one reference, or NULL. The FastCGI request id is 1,
 * as every web server sends it. */
struct bh_answer *bh_answer_new(const struct bh_buf *body, uint32_t events,
                                int64_t cursor);
/* The same without the end of the request: more follows. */
struct bh_answer *bh_answer_part(const struct bh_buf *body, uint32_t events,
                                 int64_t cursor);
/* The same bytes for another request id; one reference. */
struct bh_answer *bh_answer_for_id(const struct bh_answer *a, uint16_t id);
void bh_answer_get(struct bh_answer *a);
void bh_answer_put(struct bh_answer *a); /* NULL is fine */

/* What stands in a head besides the waiter's own lines. */
struct bh_head {
    int status;
    const char *content_type;
    int retry_after;         /* seconds, -1: no such line */
    enum bh_refusal refusal; /* of a 401: says what WWW-Authenticate says */
    bool open; /* a stream: no length, and nobody on the way may hold it back */
};
/* The head's lines up to and with the empty one, as a FastCGI record, into OUT.
 * LINES are the waiter's own. Returns the length, 0 where SIZE is too small. */
size_t bh_answer_head(char *out, size_t size, uint16_t id,
                      const struct bh_head *h, size_t content,
                      struct bh_str request_id, struct bh_str lines);

#endif
