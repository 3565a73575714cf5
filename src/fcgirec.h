/*
 * fcgirec.h: FastCGI records, as far as an answer and the tests' own client
 * need them (FastCGI Specification 1.0, M. R. Brown, 1996, section 3.3).
 */
#ifndef BH_FCGIREC_H
#define BH_FCGIREC_H

#include "base.h"
#include "buf.h"

enum {
    BH_FCGI_BEGIN_REQUEST = 1,
    BH_FCGI_ABORT_REQUEST = 2,
    BH_FCGI_END_REQUEST = 3,
    BH_FCGI_PARAMS = 4,
    BH_FCGI_STDIN = 5,
    BH_FCGI_STDOUT = 6,
    BH_FCGI_STDERR = 7
};

#define BH_FCGI_HEADER      8
#define BH_FCGI_CONTENT_MAX 65528 /* multiple of 8 under 65535: no padding */

/* One record header for LEN bytes of content without padding. */
void bh_fcgi_header(unsigned char out[BH_FCGI_HEADER], int type, uint16_t id,
                    size_t len);
/* P as one or more records of TYPE. */
void bh_fcgi_stream(struct bh_buf *b, int type, uint16_t id, const void *p,
                    size_t len);
/* The empty STDOUT record and END_REQUEST: the end of an answer. */
void bh_fcgi_end(struct bh_buf *b, uint16_t id);
/* A name and its value inside PARAMS. */
void bh_fcgi_param(struct bh_buf *b, const char *name, const char *value);

#endif
