/* auth_token.c: a token in its compact form (RFC 7515, 7.1), as far as it is
 * read before its signature has been checked. */
#include "auth_parts.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "json.h"

/* The six bits of a digit of base64url, -1 for any other byte. */
static int
digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    return c == '_' ? 63 : -1;
}

/* The same, as a set of bits: hundreds are asked for with every request. */
static bool
is_digit(char c)
{
    static const uint64_t set[] = {(uint64_t)1 << '-' | (uint64_t)0x3ff << '0',
                                   (uint64_t)0x3ffffff << ('A' - 64) |
                                       (uint64_t)1 << ('_' - 64) |
                                       (uint64_t)0x3ffffff << ('a' - 64)};
    unsigned char u = (unsigned char)c;

    return u < 128 && (set[u / 64] >> u % 64 & 1);
}

/* Whether S is the one way to write its bytes: digits only, no length that
 * can't be, no spare bits set. So a token has exactly one text. */
static bool
canonical(struct bh_str s)
{
    if (s.len == 0 || s.len % 4 == 1) return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.p[i])) return false;
    int last = digit(s.p[s.len - 1]);
    return (s.len % 4 != 2 || last % 16 == 0) &&
           (s.len % 4 != 3 || last % 4 == 0);
}

/* Up to the next full stop or the end. */
static struct bh_str
part(const char *p)
{
    return (struct bh_str){p, strcspn(p, ".")};
}

enum bh_refusal
bh_token_split(struct bh_token *t, const char *authorization, const char **why)
{
    static const char scheme[] = "Bearer ";
    size_t skip = sizeof(scheme) - 1;

    if (authorization == NULL || *authorization == '\0') {
        *why = "There is no Authorization header.";
        return BH_TOKEN_MISSING;
    }
    *why = "The Authorization header must be Bearer, a space and a token.";
    if (strncasecmp(authorization, scheme, skip) != 0) return BH_TOKEN_INVALID;
    t->text = authorization + skip;
    t->len = strnlen(t->text, BH_TOKEN_MAX + 1);
    if (t->len > BH_TOKEN_MAX) {
        *why = "The token is longer than 8192 bytes.";
        return BH_TOKEN_INVALID;
    }

    *why = "The token isn't a signed JWT in its compact form.";
    t->header = part(t->text);
    if (t->header.p[t->header.len] != '.') return BH_TOKEN_INVALID;
    t->payload = part(t->header.p + t->header.len + 1);
    if (t->payload.p[t->payload.len] != '.') return BH_TOKEN_INVALID;
    struct bh_str signature = part(t->payload.p + t->payload.len + 1);
    if (signature.p[signature.len] != '\0') return BH_TOKEN_INVALID;
    return canonical(t->header) && canonical(t->payload) && canonical(signature)
               ? BH_GRANTED
               : BH_TOKEN_INVALID;
}

static void
decode(struct bh_buf *out, struct bh_str in)
{
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < in.len; i++) {
        bits = (bits << 6 | (uint32_t)digit(in.p[i])) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            bh_buf_u8(out, (uint8_t)(bits >> have));
        }
    }
}

int
bh_token_part(struct bh_buf *json, struct bh_str part_text)
{
    struct bh_buf raw = BH_BUF_INIT;
    struct bh_json_error at;
    int rc;

    decode(&raw, part_text);
    if (raw.failed)
        rc = -ENOMEM;
    else
        rc = bh_json_check(json, (struct bh_str){raw.p, raw.len}, BH_DEPTH_MAX,
                           "", &at);
    bh_buf_fini(&raw);
    if (rc == 0 && json->p[0] != '{') rc = -EINVAL;
    return rc;
}

bool
bh_token_says(struct bh_str value, const char *text)
{
    return value.len >= 2 && value.p[0] == '"' &&
           bh_json_named((struct bh_str){value.p + 1, value.len - 2}, text);
}

static const struct bh_key *
find_key(struct bh_str header, const struct bh_key *keys, size_t n)
{
    struct bh_str kid;

    if (!bh_json_member(header, "kid", &kid)) return n == 1 ? &keys[0] : NULL;
    for (size_t i = 0; i < n; i++)
        if (bh_token_says(kid, keys[i].conf->kid)) return &keys[i];
    return NULL;
}

const struct bh_key *
bh_token_key(struct bh_str header, const struct bh_key *keys, size_t n,
             const char **why)
{
    struct bh_str value;

    /* Whatever crit lists, we don't understand it (RFC 7515, 4.1.11). */
    if (bh_json_member(header, "crit", &value)) {
        *why = "The token's header has crit, which is not understood.";
        return NULL;
    }
    /* libjwt takes no other type, and calls it a bad signature. */
    if (bh_json_member(header, "typ", &value) && !bh_token_says(value, "JWT") &&
        !bh_token_says(value, "jwt")) {
        *why = "The token's typ is not JWT.";
        return NULL;
    }
    const struct bh_key *k = find_key(header, keys, n);
    if (k == NULL) {
        *why = "The token's kid names no key of this server.";
        return NULL;
    }
    if (!bh_json_member(header, "alg", &value) ||
        !bh_token_says(value, k->conf->algorithm)) {
        *why = "The token's alg is not the one its key is for.";
        return NULL;
    }
    return k;
}
