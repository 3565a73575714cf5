/*
 * brokerkit.h: a broker inside the test, on a log of its own, with the clocks
 * in the test's hand. A web server's end of a parked request is a socket.
 */
#ifndef BH_TESTS_BROKERKIT_H
#define BH_TESTS_BROKERKIT_H

#include "broker/broker.h"
#include "broker/conn.h"
#include "broker/park.h"
#include "proto.h"
#include "store.h"

struct kit {
    char dir[64];
    char path[80];        /* of the log */
    struct bh_store *log; /* writing */
    struct bh_broker b;
    int64_t now, wall;
    int64_t next_event; /* number of the next event published */
    const char *org;    /* what kit_publish publishes to: "o1" at first */
};

/* LINES goes into the configuration's broker { } section. */
void kit_open(struct kit *k, const char *lines);
void kit_close(struct kit *k);

/* Commit N events of PROPERTY (NULL: none); returns the last seq. */
int64_t kit_publish(struct kit *k, int n, const char *property);
/* The clock goes on by MS. */
void kit_sleep(struct kit *k, int64_t ms);
/* Read the log now, as a NOTE would have it, and do what is due. */
void kit_turn(struct kit *k);

/* Time passes until hang-ups of all that wait now are looked for. */
void kit_watch(struct kit *k);

/* A park message with everything at its usual value: org "o1", user "u1",
 * no cursor, no filter, the default wait, a token that lives for an hour. */
struct bh_park kit_park(struct kit *k);
void kit_cursor(struct kit *k, struct bh_park *p, int64_t seq);
/* Filter by one property: the bytes live until the next call. */
void kit_filter(struct bh_park *p, const char *property);
/* Hand it over; returns the web server's end. */
int kit_send(struct kit *k, const struct bh_park *p);

struct kit_answer {
    int status; /* 0: none yet; -1: closed without an answer */
    char head[4096];
    char *body; /* free it; "" if none */
    int events; /* "eventId" in the body */
};
/* What the web server has got so far; closes FD once it is complete. */
struct kit_answer kit_read(int fd);
/* The number after "cursor":"<log id>-, or -1. */
int64_t kit_answer_cursor(const struct kit_answer *a);

#endif
