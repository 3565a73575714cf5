/* http.h: requests to Bellhop. The only user of libcurl. */
#ifndef HOTEL_HTTP_H
#define HOTEL_HTTP_H

#include "hotel.h"

#include "buf.h"

struct hotel_http;
/* For one thread; it keeps its connection. NULL: no memory. */
struct hotel_http *hotel_http_new(void);
void hotel_http_free(struct hotel_http *h); /* NULL is fine */

struct hotel_answer {
    int status; /* 0: there was none, see `error` */
    int retry_after_s;
    const char *error; /* a constant phrase */
    struct bh_buf body;
};
void hotel_answer_free(struct hotel_answer *a);

/* GET, or POST where BODY isn't NULL (it is JSON). AUTHORIZATION is the
 * header's value. */
void hotel_http_send(struct hotel_http *h, const char *url,
                     const char *authorization, const struct bh_buf *body,
                     int timeout_ms, struct hotel_answer *out);

#endif
