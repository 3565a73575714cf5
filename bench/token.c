/* token.c: see token.h. */
#include "base.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "token.h"

/* Base64url without padding (RFC 4648, section 5; RFC 7515, section 2). */
static void
add_base64url(struct bh_buf *out, const void *bytes, size_t len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16;
        if (n > 1) v |= (uint32_t)p[i + 1] << 8;
        if (n > 2) v |= p[i + 2];
        for (size_t k = 0; k <= n; k++)
            bh_buf_add(out, &digits[(v >> (18 - 6 * k)) & 63], 1);
    }
}

static void
add_claims(struct bh_buf *out, const struct bh_token *t)
{
    bh_buf_fmt(out, "{\"sub\":\"%s\"", t->user);
    if (t->org) bh_buf_fmt(out, ",\"orgId\":\"%s\"", t->org);
    if (t->scope) bh_buf_fmt(out, ",\"scope\":\"%s\"", t->scope);
    bh_buf_fmt(out, ",\"exp\":%" PRId64 "}", t->expires_s);
}

void
bh_token_mint(struct bh_buf *out, const struct bh_token *t)
{
    struct bh_buf part = BH_BUF_INIT;
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    size_t start = out->len;

    bh_buf_fmt(&part, "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
               t->kid);
    add_base64url(out, part.p, part.len);
    bh_buf_reset(&part);
    add_claims(&part, t);
    bh_buf_str(out, ".");
    add_base64url(out, part.p, part.len);

    if (part.failed || out->failed ||
        !HMAC(EVP_sha256(), t->key.p, (int)t->key.len,
              (const unsigned char *)out->p + start, out->len - start, mac,
              &mac_len))
        out->failed = true;
    bh_buf_str(out, ".");
    add_base64url(out, mac, mac_len);
    bh_buf_fini(&part);
}
