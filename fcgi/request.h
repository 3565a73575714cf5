/*
 * request.h: the one place that reads what the web server sends. FastCGI's
 * parameters become a typed, bounded struct; nobody else looks at the CGI
 * environment (RFC 3875, section 4.1) or at STDIN.
 */
#ifndef BH_REQUEST_H
#define BH_REQUEST_H

#include "base.h"
#include "buf.h"
#include "cursor.h"
#include "err.h"
#include "event.h"

struct FCGX_Stream;

#define BH_PATH_MAX   256 /* bytes of a path that can still match a route */
#define BH_ORIGIN_MAX 256
#define BH_STRAY_MAX  4096 /* body of a request that should have none */

/* Bits, so that a route can name the methods it knows. */
enum bh_method { BH_OTHER_METHOD = 0, BH_GET = 1, BH_POST = 2, BH_OPTIONS = 4 };

/* What a request can bring along; a route names those it takes. */
enum bh_request_item {
    BH_PROPERTY = 1,   /* ?propertyId= */
    BH_WAIT = 2,       /* ?wait= */
    BH_LIMIT = 4,      /* ?limit= */
    BH_CURSOR = 8,     /* Last-Event-ID, else ?cursor= */
    BH_LIVE = 16,      /* ?live */
    BH_CLIENT_ID = 32, /* X-Client-Id */
    BH_ANY_QUERY = 64  /* the query doesn't matter */
};

enum bh_media { BH_MEDIA_OTHER, BH_MEDIA_JSON, BH_MEDIA_NDJSON, BH_MEDIA_TEXT };

/*
 * Strings are terminated and never NULL; those that are pointers belong to the
 * web server's parameters and live as long as the FastCGI request.
 */
struct bh_request {
    enum bh_method method;
    char path[BH_PATH_MAX];       /* "" where it was longer */
    struct bh_str domain, action; /* "/<domain>/<action>", else both empty */
    char id[BH_REQUEST_ID_MAX + 1];
    const char *authorization, *origin, *user_agent;
    const char *client_id;
    uint8_t address[16]; /* whom limits are for: IPv6, of which the /64 only, or
                            IPv4 mapped into it; zeros where it is neither */
    enum bh_media media;
    bool wants_lines;       /* Accept names application/x-ndjson */
    int64_t content_length; /* -1: not told; -2: not a number */
    bool http1;             /* the client's connection is for one at a time */

    unsigned given; /* items that the query has */
    unsigned bad;   /* items that aren't well-formed, wherever they stood */
    bool bad_query; /* over-long, an unknown member, or one twice */
    char property[BH_NAME_MAX + 1];
    int wait_s, limit;
    bool has_cursor;
    struct bh_cursor cursor;

    struct FCGX_Stream *in; /* NULL: no body */
    bool drained;           /* STDIN was read to its end */
    bool broken;            /* the connection failed while it was read */
    size_t body_len;        /* bytes of STDIN read so far */
};

/* From NAME=VALUE strings, the last one NULL. False where there is no request
 * in them: PARAMS cut short look like that. */
bool bh_request_parse(struct bh_request *rq, char **envp,
                      struct FCGX_Stream *in);

/* What is wrong with the items for a route that takes TAKES: a constant
 * sentence, or NULL where all is well. */
const char *bh_request_fault(const struct bh_request *rq, unsigned takes);

/*
 * Read STDIN to its end into OUT (NULL: throw it away), CAP bytes at most.
 * TOO_LARGE, BAD_REQUEST where it isn't as long as CONTENT_LENGTH says,
 * INTERNAL without memory or with `broken` set: then nobody is there to answer.
 */
enum bh_refusal bh_request_body(struct bh_request *rq, struct bh_buf *out,
                                size_t cap);

/*
 * Throw away what is left of STDIN, for MS milliseconds at most, and a read's
 * own timeout more. Whether it has been read to its end; one that is longer
 * than CAP is not.
 */
bool bh_request_discard(struct bh_request *rq, size_t cap, int ms);

#endif
