#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

#define CAP_MIN 64

void
bh_buf_fini(struct bh_buf *b)
{
    bh_free(b->p);
    *b = (struct bh_buf)BH_BUF_INIT;
}

void
bh_buf_reset(struct bh_buf *b)
{
    b->len = 0;
    b->failed = false;
}

/* Make the capacity at least NEED; twice the old one, so that appending byte
 * by byte stays linear. */
static bool
grow(struct bh_buf *b, size_t need)
{
    size_t cap = b->cap < CAP_MIN ? CAP_MIN : b->cap;

    while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *p = bh_realloc(b->p, cap);
    if (p == NULL) return false;
    b->p = p;
    b->cap = cap;
    return true;
}

char *
bh_buf_reserve(struct bh_buf *b, size_t n)
{
    if (b->failed) return NULL;
    if (n > SIZE_MAX - b->len ||
        ((b->p == NULL || b->cap - b->len < n) && !grow(b, b->len + n))) {
        b->failed = true;
        return NULL;
    }
    return b->p + b->len;
}

void
bh_buf_add(struct bh_buf *b, const void *p, size_t n)
{
    if (n == 0) return;
    char *to = bh_buf_reserve(b, n);
    if (to == NULL) return;
    memcpy(to, p, n);
    b->len += n;
}

void
bh_buf_str(struct bh_buf *b, const char *s)
{
    bh_buf_add(b, s, strlen(s));
}

/* One try in the room that there is; the length that vsnprintf wants. */
static int BH_PRINTF(2, 0)
    print_in_room(struct bh_buf *b, const char *fmt, va_list ap)
{
    size_t room = b->cap - b->len;

    return vsnprintf(room > 0 ? b->p + b->len : NULL, room, fmt, ap);
}

void
bh_buf_fmt(struct bh_buf *b, const char *fmt, ...)
{
    va_list ap;

    if (b->failed) return;
    va_start(ap, fmt);
    int n = print_in_room(b, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n >= b->cap - b->len) {
        if (bh_buf_reserve(b, (size_t)n + 1) == NULL) return;
        va_start(ap, fmt);
        n = print_in_room(b, fmt, ap);
        va_end(ap);
    }
    if (n < 0)
        b->failed = true;
    else
        b->len += (size_t)n;
}

/* The low SIZE bytes of V, the lowest first. */
static void
add_int(struct bh_buf *b, uint64_t v, size_t size)
{
    char *to = bh_buf_reserve(b, size);

    if (to == NULL) return;
    for (size_t i = 0; i < size; i++) to[i] = (char)(v >> (8 * i) & 0xff);
    b->len += size;
}

void
bh_buf_u8(struct bh_buf *b, uint8_t v)
{
    add_int(b, v, 1);
}

void
bh_buf_u16(struct bh_buf *b, uint16_t v)
{
    add_int(b, v, 2);
}

void
bh_buf_u32(struct bh_buf *b, uint32_t v)
{
    add_int(b, v, 4);
}

void
bh_buf_u64(struct bh_buf *b, uint64_t v)
{
    add_int(b, v, 8);
}

void
bh_buf_lstr(struct bh_buf *b, const char *p, size_t len)
{
    if (len > UINT16_MAX) {
        b->failed = true;
        return;
    }
    bh_buf_u16(b, (uint16_t)len);
    bh_buf_add(b, p, len);
}

const char *
bh_buf_cstr(struct bh_buf *b)
{
    char *end = bh_buf_reserve(b, 1);

    if (end == NULL) return "";
    *end = '\0';
    return b->p;
}

void
bh_reader_init(struct bh_reader *r, const void *p, size_t len)
{
    r->p = p != NULL ? p : (const unsigned char *)"";
    r->end = r->p + len;
    r->failed = false;
}

const void *
bh_read_bytes(struct bh_reader *r, size_t n)
{
    if (r->failed || n > (size_t)(r->end - r->p)) {
        r->failed = true;
        return NULL;
    }
    const void *p = r->p;
    r->p += n;
    return p;
}

static uint64_t
read_int(struct bh_reader *r, size_t size)
{
    const unsigned char *p = bh_read_bytes(r, size);
    uint64_t v = 0;

    if (p == NULL) return 0;
    for (size_t i = 0; i < size; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint8_t
bh_read_u8(struct bh_reader *r)
{
    return (uint8_t)read_int(r, 1);
}

uint16_t
bh_read_u16(struct bh_reader *r)
{
    return (uint16_t)read_int(r, 2);
}

uint32_t
bh_read_u32(struct bh_reader *r)
{
    return (uint32_t)read_int(r, 4);
}

uint64_t
bh_read_u64(struct bh_reader *r)
{
    return read_int(r, 8);
}

struct bh_str
bh_read_lstr(struct bh_reader *r, size_t max)
{
    size_t len = bh_read_u16(r);

    if (len > max) r->failed = true;
    const char *p = bh_read_bytes(r, len);
    return p != NULL ? (struct bh_str){p, len} : (struct bh_str){"", 0};
}

bool
bh_reader_done(const struct bh_reader *r)
{
    return !r->failed && r->p == r->end;
}
