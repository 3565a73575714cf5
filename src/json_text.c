/* json_text.c: the strings of JSON text: decoding, comparing, quoting, and the
 * JSON Pointer made of them (RFC 6901). */
#include "json_parts.h"

#include <errno.h>
#include <string.h>

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int
bh_json_hex4(const char *p, size_t len)
{
    int v = 0;

    if (len < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);

        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

/* The code point of the \u escape at *POS, which is moved behind it, or behind
 * the pair where it is the first of one. */
static uint32_t
unicode_escape(struct bh_str raw, size_t *pos)
{
    size_t i = *pos;
    int high = bh_json_hex4(raw.p + i + 2, raw.len - i - 2);

    *pos = i + 6;
    if (high < 0xd800 || high > 0xdbff) return (uint32_t)high;
    int low = bh_json_hex4(raw.p + i + 8, raw.len - i - 8);
    *pos = i + 12;
    return 0x10000u +
           (((uint32_t)high & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
}

/* Whether a whole \uXXXX, and a whole pair where one is begun, is at POS. */
static bool
is_unicode_escape(struct bh_str raw, size_t pos)
{
    const char *p = raw.p + pos;
    size_t left = raw.len - pos;

    if (left < 6 || p[1] != 'u') return false;
    int code = bh_json_hex4(p + 2, 4);
    if (code < 0xd800 || code > 0xdbff) return code >= 0;
    return left >= 12 && p[6] == '\\' && p[7] == 'u' &&
           bh_json_hex4(p + 8, 4) >= 0;
}

static char
short_escape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c; /* " \ / */
    }
}

size_t
bh_json_char(struct bh_str raw, size_t *pos, char out[4])
{
    size_t i = *pos;

    if (i >= raw.len) return 0;
    if (raw.p[i] != '\\' || i + 1 == raw.len) {
        size_t n = bh_utf8_char(raw.p + i, raw.len - i);

        if (n == 0) n = 1;
        memcpy(out, raw.p + i, n);
        *pos = i + n;
        return n;
    }
    if (is_unicode_escape(raw, i))
        return bh_utf8_put(out, unicode_escape(raw, pos));
    out[0] = short_escape(raw.p[i + 1]);
    *pos = i + 2;
    return 1;
}

bool
bh_json_same_text(struct bh_str a, struct bh_str b)
{
    size_t ai = 0, bi = 0;
    size_t an, bn;
    char ac[4], bc[4];

    if (a.len == b.len && memcmp(a.p, b.p, a.len) == 0) return true;
    do {
        an = bh_json_char(a, &ai, ac);
        bn = bh_json_char(b, &bi, bc);
        if (an != bn || memcmp(ac, bc, an) != 0) return false;
    } while (an > 0);
    return true;
}

bool
bh_json_named(struct bh_str name, const char *word)
{
    return name.p != NULL &&
           bh_json_same_text(name, (struct bh_str){word, strlen(word)});
}

int
bh_json_string(struct bh_buf *out, struct bh_str value)
{
    size_t pos = 0;
    size_t n;
    char c[4];

    if (value.len < 2) return out->failed ? -ENOMEM : 0;
    struct bh_str raw = {value.p + 1, value.len - 2};
    if (memchr(raw.p, '\\', raw.len) == NULL)
        bh_buf_add(out, raw.p, raw.len);
    else
        while ((n = bh_json_char(raw, &pos, c)) > 0) bh_buf_add(out, c, n);
    return out->failed ? -ENOMEM : 0;
}

static void
quote_char(struct bh_buf *out, char c)
{
    switch (c) {
    case '"':
        bh_buf_str(out, "\\\"");
        break;
    case '\\':
        bh_buf_str(out, "\\\\");
        break;
    case '\b':
        bh_buf_str(out, "\\b");
        break;
    case '\f':
        bh_buf_str(out, "\\f");
        break;
    case '\n':
        bh_buf_str(out, "\\n");
        break;
    case '\r':
        bh_buf_str(out, "\\r");
        break;
    case '\t':
        bh_buf_str(out, "\\t");
        break;
    default:
        bh_buf_fmt(out, "\\u%04x", (unsigned)c);
        break;
    }
}

void
bh_json_quote(struct bh_buf *out, const char *p, size_t len)
{
    size_t from = 0;

    bh_buf_u8(out, '"');
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
            continue;
        bh_buf_add(out, p + from, i - from);
        quote_char(out, p[i]);
        from = i + 1;
    }
    if (from < len) bh_buf_add(out, p + from, len - from);
    bh_buf_u8(out, '"');
}

bool
bh_pointer_add(char pointer[BH_POINTER_MAX], struct bh_str name)
{
    size_t start = strlen(pointer);
    size_t len = start;
    size_t pos = 0;
    size_t n;
    char c[4];

    if (len + 1 >= BH_POINTER_MAX) return false;
    pointer[len++] = '/';
    while ((n = bh_json_char(name, &pos, c)) > 0) {
        if (c[0] == '~' || c[0] == '/') {
            c[1] = c[0] == '~' ? '0' : '1';
            c[0] = '~';
            n = 2;
        }
        /* A U+0000 would end the pointer in the middle of a name. */
        if (c[0] == '\0' || len + n >= BH_POINTER_MAX) {
            pointer[start] = '\0';
            return false;
        }
        memcpy(pointer + len, c, n);
        len += n;
    }
    pointer[len] = '\0';
    return true;
}
