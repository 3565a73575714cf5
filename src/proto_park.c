/* proto_park.c: PARK, the one message with many fields. */
#include "proto.h"

#include <string.h>

enum { HAS_CURSOR = 1, ALL_PROPERTIES = 2 };

/* The strings in the order of the wire, and how long each may be. */
static const struct {
    size_t offset;
    uint16_t min, max;
} strings[] = {
#define STRING(member, min, max)                                               \
    {                                                                          \
        offsetof(struct bh_park, member), min, max                             \
    }
    STRING(cursor_log, 0, BH_LOG_ID_LEN),
    STRING(domain, 1, BH_DOMAIN_MAX),
    STRING(org, 1, BH_NAME_MAX),
    STRING(user, 0, BH_NAME_MAX),
    STRING(client_id, 0, BH_CLIENT_ID_MAX),
    STRING(property, 0, BH_NAME_MAX),
    STRING(origin, 0, BH_WORD_MAX),
    STRING(ua, 0, BH_WORD_MAX),
    STRING(request_id_text, 1, BH_REQUEST_ID_MAX),
    STRING(head, 0, BH_HEAD_MAX),
#undef STRING
};

static struct bh_str
get_string(const struct bh_park *m, size_t i)
{
    struct bh_str s;

    memcpy(&s, (const char *)m + strings[i].offset, sizeof s);
    return s;
}

static void
set_string(struct bh_park *m, size_t i, struct bh_str s)
{
    memcpy((char *)m + strings[i].offset, &s, sizeof s);
}

static bool
lengths_valid(const struct bh_park *m)
{
    for (size_t i = 0; i < bh_countof(strings); i++) {
        size_t len = get_string(m, i).len;
        if (len < strings[i].min || len > strings[i].max) return false;
    }
    return true;
}

static bool
cursor_valid(const struct bh_park *m)
{
    if (!m->has_cursor) return m->cursor_log.len == 0 && m->cursor_seq == 0;
    return bh_cursor_log_valid(m->cursor_log.p, m->cursor_log.len) &&
           m->cursor_seq >= 0;
}

/* Every byte of P within FIRST…LAST. */
static bool
bytes_within(const char *p, size_t len, char first, char last)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] < first || p[i] > last) return false;
    return true;
}

/* Header lines, each ended by CRLF. No empty one, which would end the head and
 * begin a body; none that starts with a space, which would continue the line
 * before (RFC 9112, section 5.2). */
static bool
head_valid(struct bh_str head)
{
    while (head.len > 0) {
        const char *lf = memchr(head.p, '\n', head.len);
        if (lf == NULL) return false;
        size_t len = (size_t)(lf - head.p) + 1;
        if (len < 3 || lf[-1] != '\r' || head.p[0] == ' ' ||
            !bytes_within(head.p, len - 2, ' ', '~'))
            return false;
        head.p += len;
        head.len -= len;
    }
    return true;
}

/* The order of strcmp for two names without NUL. */
static bool
before(struct bh_str a, struct bh_str b)
{
    int c = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

    return c < 0 || (c == 0 && a.len < b.len);
}

/* N strings that fill their bytes, rising: no doubles. */
static bool
properties_valid(const struct bh_park *m)
{
    struct bh_reader r;
    struct bh_str last = {"", 0};

    if (m->n_properties > BH_PROPERTIES_MAX) return false;
    if (m->all_properties && m->n_properties > 0) return false;
    bh_reader_init(&r, m->properties.p, m->properties.len);
    for (size_t i = 0; i < m->n_properties; i++) {
        struct bh_str s = bh_read_lstr(&r, BH_NAME_MAX);
        if (r.failed || !before(last, s)) return false;
        last = s;
    }
    return bh_reader_done(&r);
}

static bool
numbers_valid(const struct bh_park *m)
{
    return m->kind >= BH_PARK_POLL && m->kind <= BH_PARK_NDJSON &&
           m->request_id != 0 && m->expires_ms >= 0 &&
           (m->wait_ms == BH_WAIT_DEFAULT || m->wait_ms <= BH_WAIT_MAX * 1000);
}

static bool
park_valid(const struct bh_park *m)
{
    return numbers_valid(m) && lengths_valid(m) && cursor_valid(m) &&
           bytes_within(m->request_id_text.p, m->request_id_text.len, '!',
                        '~') &&
           head_valid(m->head) && properties_valid(m);
}

/* u16 request id, u8 kind, u8 flags, u64 cursor seq, u64 expiry, u32 wait,
 * 16 bytes of digest, the strings, u16 n, n × lstr. */
void
bh_park_encode(struct bh_buf *b, const struct bh_park *m)
{
    int flags = (m->has_cursor ? HAS_CURSOR : 0) |
                (m->all_properties ? ALL_PROPERTIES : 0);

    if (!park_valid(m)) b->failed = true;
    bh_msg_begin(b, BH_OP_PARK);
    bh_buf_u16(b, m->request_id);
    bh_buf_u8(b, m->kind);
    bh_buf_u8(b, (uint8_t)flags);
    bh_buf_u64(b, (uint64_t)m->cursor_seq);
    bh_buf_u64(b, (uint64_t)m->expires_ms);
    bh_buf_u32(b, m->wait_ms);
    bh_buf_add(b, m->token_digest, sizeof m->token_digest);
    for (size_t i = 0; i < bh_countof(strings); i++) {
        struct bh_str s = get_string(m, i);
        bh_buf_lstr(b, s.p, s.len);
    }
    bh_buf_u16(b, m->n_properties);
    bh_buf_add(b, m->properties.p, m->properties.len);
}

static bool
read_numbers(struct bh_reader *r, struct bh_park *m)
{
    m->request_id = bh_read_u16(r);
    m->kind = bh_read_u8(r);
    uint8_t flags = bh_read_u8(r);
    m->has_cursor = flags & HAS_CURSOR;
    m->all_properties = flags & ALL_PROPERTIES;
    m->cursor_seq = (int64_t)bh_read_u64(r);
    m->expires_ms = (int64_t)bh_read_u64(r);
    m->wait_ms = bh_read_u32(r);
    const void *digest = bh_read_bytes(r, sizeof m->token_digest);
    if (digest == NULL || flags & ~(HAS_CURSOR | ALL_PROPERTIES)) return false;
    memcpy(m->token_digest, digest, sizeof m->token_digest);
    return true;
}

bool
bh_park_decode(struct bh_reader *r, struct bh_park *m)
{
    if (!read_numbers(r, m)) return false;
    for (size_t i = 0; i < bh_countof(strings); i++)
        set_string(m, i, bh_read_lstr(r, strings[i].max));
    m->n_properties = bh_read_u16(r);
    m->properties.len = (size_t)(r->end - r->p);
    m->properties.p = bh_read_bytes(r, m->properties.len);
    return bh_reader_done(r) && park_valid(m);
}
