/* proto_control.c: the messages by which bellhopctl tells a running broker what
 * its operator wants. */
#include "proto.h"

#include <string.h>

/* ---- END: u32 tag, lstr domain, lstr org, lstr user ---- */

static bool
end_valid(const struct bh_end *m)
{
    return m->domain.len <= BH_DOMAIN_MAX && m->org.len > 0 &&
           m->org.len <= BH_NAME_MAX && m->user.len <= BH_NAME_MAX;
}

void
bh_end_encode(struct bh_buf *b, const struct bh_end *m)
{
    if (!end_valid(m)) b->failed = true;
    bh_msg_begin(b, BH_OP_END);
    bh_buf_u32(b, m->tag);
    bh_buf_lstr(b, m->domain.p, m->domain.len);
    bh_buf_lstr(b, m->org.p, m->org.len);
    bh_buf_lstr(b, m->user.p, m->user.len);
}

bool
bh_end_decode(struct bh_reader *r, struct bh_end *m)
{
    m->tag = bh_read_u32(r);
    m->domain = bh_read_lstr(r, UINT16_MAX);
    m->org = bh_read_lstr(r, UINT16_MAX);
    m->user = bh_read_lstr(r, UINT16_MAX);
    return bh_reader_done(r) && end_valid(m);
}

/* ---- ENDED: u32 tag, u32 n ---- */

void
bh_ended_encode(struct bh_buf *b, const struct bh_ended *m)
{
    bh_msg_begin(b, BH_OP_ENDED);
    bh_buf_u32(b, m->tag);
    bh_buf_u32(b, m->n);
}

bool
bh_ended_decode(struct bh_reader *r, struct bh_ended *m)
{
    m->tag = bh_read_u32(r);
    m->n = bh_read_u32(r);
    return bh_reader_done(r);
}

/* ---- RELOAD: u32 tag, u8 what ---- */

static bool
reload_valid(const struct bh_reload *m)
{
    return m->what == BH_RELOAD_CONF || m->what == BH_RELOAD_RULES;
}

void
bh_reload_encode(struct bh_buf *b, const struct bh_reload *m)
{
    if (!reload_valid(m)) b->failed = true;
    bh_msg_begin(b, BH_OP_RELOAD);
    bh_buf_u32(b, m->tag);
    bh_buf_u8(b, m->what);
}

bool
bh_reload_decode(struct bh_reader *r, struct bh_reload *m)
{
    m->tag = bh_read_u32(r);
    m->what = bh_read_u8(r);
    return bh_reader_done(r) && reload_valid(m);
}

/* ---- RELOADED: u32 tag, u8 ok, u32 ended, lstr text, lstr log ---- */

void
bh_reloaded_encode(struct bh_buf *b, const struct bh_reloaded *m)
{
    size_t len = m->text.len;

    if (len > BH_RELOAD_TEXT_MAX) len = BH_RELOAD_TEXT_MAX;
    if (m->log.len > BH_RELOAD_TEXT_MAX) b->failed = true;
    bh_msg_begin(b, BH_OP_RELOADED);
    bh_buf_u32(b, m->tag);
    bh_buf_u8(b, m->ok);
    bh_buf_u32(b, m->ended);
    bh_buf_lstr(b, m->text.p, len);
    bh_buf_lstr(b, m->log.p, m->log.len);
}

bool
bh_reloaded_decode(struct bh_reader *r, struct bh_reloaded *m)
{
    m->tag = bh_read_u32(r);
    uint8_t ok = bh_read_u8(r);
    m->ok = ok != 0;
    m->ended = bh_read_u32(r);
    m->text = bh_read_lstr(r, BH_RELOAD_TEXT_MAX);
    m->log = bh_read_lstr(r, BH_RELOAD_TEXT_MAX);
    return bh_reader_done(r) && ok <= 1 &&
           (m->log.len == 0 || memchr(m->log.p, '\0', m->log.len) == NULL);
}
