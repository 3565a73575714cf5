/* utf8.c: UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing
 * over U+10FFFF. */
#include "json_parts.h"

static bool
is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Whether C may follow the lead byte LEAD (RFC 3629, 4: the four leads whose
 * second byte has a narrower range than a tail's). */
static bool
is_second(unsigned char lead, unsigned char c)
{
    switch (lead) {
    case 0xe0:
        return c >= 0xa0 && c <= 0xbf;
    case 0xed:
        return c >= 0x80 && c <= 0x9f;
    case 0xf0:
        return c >= 0x90 && c <= 0xbf;
    case 0xf4:
        return c >= 0x80 && c <= 0x8f;
    default:
        return is_tail(c);
    }
}

static size_t
length_by_lead(unsigned char lead)
{
    if (lead < 0x80) return 1;
    if (lead < 0xc2) return 0;
    if (lead < 0xe0) return 2;
    if (lead < 0xf0) return 3;
    return lead < 0xf5 ? 4 : 0;
}

size_t
bh_utf8_char(const char *p, size_t len)
{
    const unsigned char *u = (const unsigned char *)p;

    if (len == 0) return 0;
    size_t n = length_by_lead(u[0]);
    if (n <= 1) return n;
    if (n > len || !is_second(u[0], u[1])) return 0;
    for (size_t i = 2; i < n; i++)
        if (!is_tail(u[i])) return 0;
    return n;
}

bool
bh_utf8_valid(const char *p, size_t len)
{
    while (len > 0) {
        size_t n = bh_utf8_char(p, len);

        if (n == 0) return false;
        p += n;
        len -= n;
    }
    return true;
}

size_t
bh_utf8_put(char out[4], uint32_t code)
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((n == 1 ? 0 : lead[n]) | code);
    return n;
}
