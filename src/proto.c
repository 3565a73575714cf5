#include "proto.h"

#include <string.h>

/*
 * Each message has one function that judges its values. Encoder and decoder
 * both ask it, so that nothing is sent that the other side would refuse.
 */

const char *
bh_op_name(int op)
{
    switch (op) {
#define NAME(sym, num, from, what)                                             \
    case num:                                                                  \
        return #sym;
        BH_OPS(NAME)
#undef NAME
    default:
        return NULL;
    }
}

void
bh_msg_begin(struct bh_buf *b, enum bh_op op)
{
    bh_buf_u8(b, BH_PROTO_VERSION);
    bh_buf_u8(b, (uint8_t)op);
}

int
bh_msg_open(struct bh_reader *r, const void *p, size_t len)
{
    bh_reader_init(r, p, len);
    uint8_t version = bh_read_u8(r);
    uint8_t op = bh_read_u8(r);

    if (r->failed || len > BH_MSG_MAX) return 0;
    return version == BH_PROTO_VERSION && bh_op_name(op) != NULL ? op : 0;
}

/* ---- HELLO: u32 pid, lstr program ---- */

static bool
hello_valid(const struct bh_hello *m)
{
    return m->program.len <= BH_WORD_MAX;
}

void
bh_hello_encode(struct bh_buf *b, const struct bh_hello *m)
{
    if (!hello_valid(m)) b->failed = true;
    bh_msg_begin(b, BH_OP_HELLO);
    bh_buf_u32(b, m->pid);
    bh_buf_lstr(b, m->program.p, m->program.len);
}

bool
bh_hello_decode(struct bh_reader *r, struct bh_hello *m)
{
    m->pid = bh_read_u32(r);
    m->program = bh_read_lstr(r, UINT16_MAX);
    return bh_reader_done(r) && hello_valid(m);
}

/* ---- WELCOME: lstr log id, u64 head ---- */

static bool
welcome_valid(struct bh_str log_id, int64_t head)
{
    return (log_id.len == 0 || bh_log_id_valid(log_id.p, log_id.len)) &&
           head >= 0;
}

void
bh_welcome_encode(struct bh_buf *b, const struct bh_welcome *m)
{
    struct bh_str log_id = {m->log_id, strnlen(m->log_id, sizeof m->log_id)};

    if (!welcome_valid(log_id, m->head)) b->failed = true;
    bh_msg_begin(b, BH_OP_WELCOME);
    bh_buf_lstr(b, log_id.p, log_id.len);
    bh_buf_u64(b, (uint64_t)m->head);
}

bool
bh_welcome_decode(struct bh_reader *r, struct bh_welcome *m)
{
    struct bh_str log_id = bh_read_lstr(r, BH_LOG_ID_LEN);

    m->head = (int64_t)bh_read_u64(r);
    if (!bh_reader_done(r) || !welcome_valid(log_id, m->head)) return false;
    memcpy(m->log_id, log_id.p, log_id.len);
    m->log_id[log_id.len] = '\0';
    return true;
}

/* ---- NOTE: u32 tag, u64 first, u64 last ---- */

static bool
note_valid(const struct bh_note *m)
{
    return m->first >= 1 && m->last >= m->first &&
           m->last - m->first < BH_GROUP_MAX;
}

void
bh_note_encode(struct bh_buf *b, const struct bh_note *m)
{
    if (!note_valid(m)) b->failed = true;
    bh_msg_begin(b, BH_OP_NOTE);
    bh_buf_u32(b, m->tag);
    bh_buf_u64(b, (uint64_t)m->first);
    bh_buf_u64(b, (uint64_t)m->last);
}

bool
bh_note_decode(struct bh_reader *r, struct bh_note *m)
{
    m->tag = bh_read_u32(r);
    m->first = (int64_t)bh_read_u64(r);
    m->last = (int64_t)bh_read_u64(r);
    return bh_reader_done(r) && note_valid(m);
}

/* ---- NOTED: u32 tag, u32 n, n × u32 woken ---- */

void
bh_noted_encode(struct bh_buf *b, const struct bh_noted *m,
                const uint32_t *woken)
{
    if (m->n > BH_GROUP_MAX) {
        b->failed = true;
        return;
    }
    bh_msg_begin(b, BH_OP_NOTED);
    bh_buf_u32(b, m->tag);
    bh_buf_u32(b, m->n);
    for (uint32_t i = 0; i < m->n; i++) bh_buf_u32(b, woken[i]);
}

bool
bh_noted_decode(struct bh_reader *r, struct bh_noted *m)
{
    m->tag = bh_read_u32(r);
    m->n = bh_read_u32(r);
    return !r->failed && m->n <= BH_GROUP_MAX &&
           (size_t)(r->end - r->p) == m->n * sizeof(uint32_t);
}

/* ---- PING, PONG: u32 tag ---- */

void
bh_ping_encode(struct bh_buf *b, enum bh_op op, const struct bh_ping *m)
{
    bh_msg_begin(b, op);
    bh_buf_u32(b, m->tag);
}

bool
bh_ping_decode(struct bh_reader *r, struct bh_ping *m)
{
    m->tag = bh_read_u32(r);
    return bh_reader_done(r);
}

/* ---- ERROR: lstr text, without NUL ---- */

void
bh_error_encode(struct bh_buf *b, const char *text)
{
    bh_msg_begin(b, BH_OP_ERROR);
    bh_buf_lstr(b, text, strnlen(text, BH_ERROR_TEXT_MAX));
}

bool
bh_error_decode(struct bh_reader *r, struct bh_str *text)
{
    *text = bh_read_lstr(r, BH_ERROR_TEXT_MAX);
    return bh_reader_done(r) && memchr(text->p, '\0', text->len) == NULL;
}
