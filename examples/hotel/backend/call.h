/* call.h: one request on its way through a handler. */
#ifndef HOTEL_CALL_H
#define HOTEL_CALL_H

#include "hotel.h"

#include "http.h"
#include "reply.h"
#include "request.h"

struct hotel_call {
    struct hotel *hotel;
    struct hotel_http *http; /* the thread's own */
    const struct hotel_request *rq;
    const char *id;                 /* the task that the path names */
    const struct bh_claims *claims; /* of the token, where one is needed */
    struct hotel_reply reply;
};

/* Find the handler, see that it may be run, and run it. */
void hotel_route_run(struct hotel_call *c);

/* session.c */
void hotel_handle_staff(struct hotel_call *c);
void hotel_handle_login(struct hotel_call *c);
void hotel_handle_refresh(struct hotel_call *c);
void hotel_handle_logout(struct hotel_call *c);

/* board.c */
void hotel_handle_health(struct hotel_call *c);
void hotel_handle_hotel(struct hotel_call *c);
void hotel_handle_list(struct hotel_call *c);
void hotel_handle_summary(struct hotel_call *c);
void hotel_handle_create(struct hotel_call *c);
void hotel_handle_update(struct hotel_call *c);
void hotel_handle_delete(struct hotel_call *c);

#endif
