#include "fcgirec.h"

#include <string.h>

/* All numbers on this wire have their high byte first. */
void
bh_fcgi_header(unsigned char out[BH_FCGI_HEADER], int type, uint16_t id,
               size_t len)
{
    out[0] = 1; /* FCGI_VERSION_1 */
    out[1] = (unsigned char)type;
    out[2] = (unsigned char)(id >> 8);
    out[3] = (unsigned char)(id & 0xff);
    out[4] = (unsigned char)(len >> 8 & 0xff);
    out[5] = (unsigned char)(len & 0xff);
    out[6] = 0; /* padding */
    out[7] = 0;
}

static void
add_record(struct bh_buf *b, int type, uint16_t id, const void *p, size_t len)
{
    unsigned char header[BH_FCGI_HEADER];

    bh_fcgi_header(header, type, id, len);
    bh_buf_add(b, header, sizeof header);
    bh_buf_add(b, p, len);
}

/* Nothing makes an empty record too: the end of the stream. */
void
bh_fcgi_stream(struct bh_buf *b, int type, uint16_t id, const void *p,
               size_t len)
{
    const char *at = p;

    while (len > BH_FCGI_CONTENT_MAX) {
        add_record(b, type, id, at, BH_FCGI_CONTENT_MAX);
        at += BH_FCGI_CONTENT_MAX;
        len -= BH_FCGI_CONTENT_MAX;
    }
    add_record(b, type, id, at, len);
}

void
bh_fcgi_end(struct bh_buf *b, uint16_t id)
{
    /* appStatus 0, protocolStatus FCGI_REQUEST_COMPLETE (5.5). */
    static const unsigned char complete[8] = {0};

    add_record(b, BH_FCGI_STDOUT, id, NULL, 0);
    add_record(b, BH_FCGI_END_REQUEST, id, complete, sizeof complete);
}

/* A length: one byte under 128, else four with the top bit set (3.4). */
static void
add_length(struct bh_buf *b, size_t len)
{
    if (len > INT32_MAX) {
        b->failed = true;
    } else if (len < 128) {
        bh_buf_u8(b, (uint8_t)len);
    } else {
        bh_buf_u8(b, (uint8_t)(len >> 24 | 0x80));
        bh_buf_u8(b, (uint8_t)(len >> 16 & 0xff));
        bh_buf_u8(b, (uint8_t)(len >> 8 & 0xff));
        bh_buf_u8(b, (uint8_t)(len & 0xff));
    }
}

void
bh_fcgi_param(struct bh_buf *b, const char *name, const char *value)
{
    add_length(b, strlen(name));
    add_length(b, strlen(value));
    bh_buf_str(b, name);
    bh_buf_str(b, value);
}
