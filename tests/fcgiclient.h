/* fcgiclient.h: the web server's side of FastCGI, as small as tests need it:
 * one request a connection. Failures of the test's own fail the test. */
#ifndef BH_TESTS_FCGICLIENT_H
#define BH_TESTS_FCGICLIENT_H

#include "base.h"
#include "buf.h"

/* Connect to a worker's socket. */
int fcgi_dial(const char *path);

/* The pieces of a request with id 1. */
void fcgi_add_begin(struct bh_buf *out);
void fcgi_add_params(struct bh_buf *out, const struct bh_buf *params);
/* LEN bytes of STDIN and its end. */
void fcgi_add_stdin(struct bh_buf *out, const void *p, size_t len);
void fcgi_write(int fd, const struct bh_buf *bytes);

/*
 * Send METHOD PATH (with its query, if any); BODY NULL: none. Then NAME, VALUE
 * pairs of further parameters up to NULL: they are sent last, so they can also
 * stand against those made here. Returns the connection.
 */
int fcgi_ask(const char *socket, const char *method, const char *path,
             const char *body, ...) __attribute__((sentinel));

/* An answer; a 0 status: closed, or nothing whole, before the deadline. */
struct fcgi_answer {
    int status;
    bool ended; /* END_REQUEST came */
    struct bh_buf head, body;
};
/* Read to the end, for MS at most, and close FD. */
struct fcgi_answer fcgi_read(int fd, int ms);
void fcgi_answer_fini(struct fcgi_answer *a);
/* A header's value, valid until the next call; NULL if it isn't there. */
const char *fcgi_header(const struct fcgi_answer *a, const char *name);
/* The body, terminated. */
const char *fcgi_body(struct fcgi_answer *a);

#endif
