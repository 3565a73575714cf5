/* doctor_http.h: requests to a URL, as a browser's would be. The only user of
 * libcurl. Answers are bounded; what doesn't fit is counted and dropped. */
#ifndef BH_CTL_DOCTOR_HTTP_H
#define BH_CTL_DOCTOR_HTTP_H

#include "doctor.h"

/* Times are milliseconds from the request's start; -1: it didn't happen. */
struct bh_http {
    struct bh_answer answer; /* its head without the lines of a proxy */
    int64_t began;           /* monotonic */
    int64_t first, last, ended;
    int64_t bytes; /* of the body, in all */
    int version;   /* 10, 11, 20 */
    bool failed;
    char why[256]; /* then */
    void *handle;  /* libcurl's */
    void *headers;
    size_t to_send; /* bytes of a body of spaces */
};

bool bh_http_start(void);

/* METHOD (GET, POST, OPTIONS) of PATH below D's URL. */
void bh_http_init(struct bh_http *h, const struct bh_doctor *d,
                  const char *method, const char *path);
void bh_http_header(struct bh_http *h, const char *name, const char *value);
/* A body of N spaces, as JSON. */
void bh_http_body(struct bh_http *h, size_t n);
void bh_http_fini(struct bh_http *h);

/* Run N of them side by side, until all have ended, MS have passed, or ENOUGH
 * (may be NULL) says so, which is asked several times a second. */
void bh_http_run(struct bh_http **v, size_t n, int64_t ms,
                 bool (*enough)(void *arg), void *arg);

/* A header of the answer, without white space around it; "" where it is
 * missing. *N (may be NULL): how often it was there. */
const char *bh_http_got(const struct bh_http *h, const char *name,
                        char out[256], int *n);

#endif
