/* request.h: what a client sent, checked. The only place that sees CGI
 * variables, cookies and bodies as they came. */
#ifndef HOTEL_REQUEST_H
#define HOTEL_REQUEST_H

#include "hotel.h"

#include <fcgiapp.h>

#include "buf.h"
#include "reply.h"

enum hotel_method {
    HOTEL_GET,
    HOTEL_POST,
    HOTEL_PATCH,
    HOTEL_DELETE,
    HOTEL_OPTIONS,
    HOTEL_OTHER
};

struct hotel_request {
    enum hotel_method method;
    char path[HOTEL_PATH_MAX + 1]; /* "/hotel/…", without the query */
    /* Of the query; "" where it isn't said. */
    char property[HOTEL_ID_MAX + 1];
    char status[HOTEL_WORD_MAX + 1];
    char assignee[HOTEL_ID_MAX + 1];
    const char *authorization; /* the header, or NULL */
    const char *origin;        /* the header, or "" */
    const char *host;          /* the header, or "" */
    bool https;
    char refresh[2 * HOTEL_SECRET_LEN + 1]; /* the cookie, or "" */
    struct bh_buf body;      /* checked JSON without white space; empty: none */
    enum hotel_code refused; /* HOTEL_OK: it may be handled */
    const char *detail;      /* why it was refused */
};

/* False: the connection broke, there is nobody to answer. Free it either way.
 * Strings live as long as ENVP. */
bool hotel_request_read(struct hotel_request *rq, FCGX_ParamArray envp,
                        FCGX_Stream *in);
void hotel_request_free(struct hotel_request *rq);

/* Whether TEXT is 1 to HOTEL_ID_MAX of [A-Za-z0-9._-]. */
bool hotel_id_valid(const char *text);

#endif
