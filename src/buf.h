/*
 * buf.h: a growable byte buffer with a sticky failure, and a bounded reader.
 *
 * The writer never has to check each call: once memory has run out `failed` is
 * set, later appends do nothing, and the one check at the end tells. Integers
 * are little-endian. A reader never passes its end: it sets `failed` and
 * returns zeros or empty strings from then on.
 */
#ifndef BH_BUF_H
#define BH_BUF_H

#include "base.h"

struct bh_buf {
    char *p;
    size_t len;
    size_t cap;
    bool failed;
};

#define BH_BUF_INIT                                                            \
    {                                                                          \
        NULL, 0, 0, false                                                      \
    }

void bh_buf_fini(struct bh_buf *b);  /* frees, and leaves it as INIT does */
void bh_buf_reset(struct bh_buf *b); /* empty, not failed; keeps the memory */
/* Room for N more bytes at b->p + b->len, or NULL and failed. */
char *bh_buf_reserve(struct bh_buf *b, size_t n);
void bh_buf_add(struct bh_buf *b, const void *p, size_t n);
void bh_buf_str(struct bh_buf *b, const char *s);
void bh_buf_fmt(struct bh_buf *b, const char *fmt, ...) BH_PRINTF(2, 3);
void bh_buf_u8(struct bh_buf *b, uint8_t v);
void bh_buf_u16(struct bh_buf *b, uint16_t v);
void bh_buf_u32(struct bh_buf *b, uint32_t v);
void bh_buf_u64(struct bh_buf *b, uint64_t v);
/* A u16 length and the bytes; fails where LEN is over 65535. */
void bh_buf_lstr(struct bh_buf *b, const char *p, size_t len);
/* A NUL after the bytes, not counted in len; "" when it failed or is empty. */
const char *bh_buf_cstr(struct bh_buf *b);

struct bh_reader {
    const unsigned char *p;
    const unsigned char *end;
    bool failed;
};

void bh_reader_init(struct bh_reader *r, const void *p, size_t len);
uint8_t bh_read_u8(struct bh_reader *r);
uint16_t bh_read_u16(struct bh_reader *r);
uint32_t bh_read_u32(struct bh_reader *r);
uint64_t bh_read_u64(struct bh_reader *r);
/* N raw bytes; NULL and failed where there are fewer. */
const void *bh_read_bytes(struct bh_reader *r, size_t n);
/* What bh_buf_lstr wrote, pointing into the reader's bytes; fails over MAX. */
struct bh_str bh_read_lstr(struct bh_reader *r, size_t max);
/* All bytes read, none missing. */
bool bh_reader_done(const struct bh_reader *r);

#endif
