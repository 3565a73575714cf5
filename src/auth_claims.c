/* auth_claims.c: what a token whose signature is good says (RFC 7519). Every
 * claim is read from one text by one parser, and judged here: libjwt 1.10
 * judges none. */
#include "auth_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "mem.h"

#define TIME_MAX_S (INT64_MAX / 1000) /* so that it fits in milliseconds */

/* The claims while they are being read. Texts lie in TEXT, terminated, and are
 * known by their offsets, since it moves as it grows. */
struct draft {
    struct bh_buf text;
    size_t user, org, jti; /* the last two SIZE_MAX: none */
    bool all_properties;
    size_t properties[BH_PROPERTIES_MAX];
    size_t n_properties;
    bool may_publish, may_metrics;
    int64_t expires_ms;
};

static bool
is_string(struct bh_str value)
{
    return value.len >= 2 && value.p[0] == '"';
}

static bool
is_array(struct bh_str value)
{
    return value.len >= 2 && value.p[0] == '[';
}

/* A whole number of seconds that fits; RFC 7519 would allow a fraction, which
 * no issuer of ours sends and which a parser might take for 0. */
static bool
read_time(struct bh_str value, int64_t *out)
{
    bool negative = value.len > 0 && value.p[0] == '-';
    int64_t v = 0;

    if (value.len == (negative ? 1 : 0)) return false;
    for (size_t i = negative ? 1 : 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') return false;
        v = v * 10 + (value.p[i] - '0');
        if (v > TIME_MAX_S) return false;
    }
    *out = negative ? -v : v;
    return true;
}

bool
bh_name_valid(struct bh_str s)
{
    if (s.len == 0 || s.len > BH_NAME_MAX) return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

/* A name claim, decoded to the end of the draft's text. 0, -EINVAL, -ENOMEM. */
static int
read_name(struct draft *d, struct bh_str value, size_t *at)
{
    size_t from = d->text.len;

    if (!is_string(value)) return -EINVAL;
    if (bh_json_string(&d->text, value) < 0) return -ENOMEM;
    if (!bh_name_valid((struct bh_str){d->text.p + from, d->text.len - from}))
        return -EINVAL;
    bh_buf_u8(&d->text, '\0');
    *at = from;
    return d->text.failed ? -ENOMEM : 0;
}

static int
read_user(struct draft *d, const struct bh_conf *conf, struct bh_str payload)
{
    struct bh_str value;

    if (!bh_json_member(payload, conf->token.claim_user, &value))
        return -EINVAL;
    return read_name(d, value, &d->user);
}

static int
read_org(struct draft *d, const struct bh_conf *conf, struct bh_str payload)
{
    struct bh_str value;

    d->org = SIZE_MAX;
    if (!bh_json_member(payload, conf->token.claim_org, &value)) return 0;
    return read_name(d, value, &d->org);
}

/* One that isn't a name can't be on the deny list, and hurts nobody. */
static int
read_jti(struct draft *d, const struct bh_conf *conf BH_UNUSED,
         struct bh_str payload)
{
    struct bh_str value;

    d->jti = SIZE_MAX;
    if (!bh_json_member(payload, "jti", &value)) return 0;
    int rc = read_name(d, value, &d->jti);
    return rc == -ENOMEM ? rc : 0;
}

static int
read_properties(struct draft *d, const struct bh_conf *conf,
                struct bh_str payload)
{
    struct bh_str list, name, value;
    size_t pos = 0;

    d->all_properties =
        !bh_json_member(payload, conf->token.claim_properties, &list);
    if (d->all_properties) return 0;
    if (!is_array(list)) return -EINVAL;
    while (bh_json_next(list, &pos, &name, &value)) {
        if (d->n_properties == BH_PROPERTIES_MAX) return -EINVAL;
        int rc = read_name(d, value, &d->properties[d->n_properties]);
        if (rc < 0) return rc;
        d->n_properties++;
    }
    return 0;
}

static void
take_scope(struct draft *d, const char *p, size_t len)
{
    static const char publish[] = "realtime:publish";
    static const char metrics[] = "realtime:metrics";

    if (len == sizeof(publish) - 1 && memcmp(p, publish, len) == 0)
        d->may_publish = true;
    if (len == sizeof(metrics) - 1 && memcmp(p, metrics, len) == 0)
        d->may_metrics = true;
}

/* The words of a scope (RFC 6749, 3.3). */
static int
take_scopes(struct draft *d, struct bh_str value)
{
    struct bh_buf text = BH_BUF_INIT;
    size_t from = 0;

    if (!is_string(value)) return -EINVAL;
    int rc = bh_json_string(&text, value);
    for (size_t i = 0; rc == 0 && i <= text.len; i++)
        if (i == text.len || text.p[i] == ' ') {
            if (i > from) take_scope(d, text.p + from, i - from);
            from = i + 1;
        }
    bh_buf_fini(&text);
    return rc;
}

static int
read_scope(struct draft *d, const struct bh_conf *conf, struct bh_str payload)
{
    struct bh_str value, name, element;
    size_t pos = 0;
    int rc = 0;

    if (!bh_json_member(payload, conf->token.claim_scope, &value)) return 0;
    if (!is_array(value)) return take_scopes(d, value);
    while (rc == 0 && bh_json_next(value, &pos, &name, &element))
        rc = take_scopes(d, element);
    return rc;
}

/* `aud` is a string or an array of them (RFC 7519, 4.1.3). */
static bool
meant_for(const char *audience, struct bh_str payload)
{
    struct bh_str value, name, element;
    size_t pos = 0;

    if (!bh_json_member(payload, "aud", &value)) return false;
    if (!is_array(value)) return bh_token_says(value, audience);
    while (bh_json_next(value, &pos, &name, &element))
        if (bh_token_says(element, audience)) return true;
    return false;
}

/* NULL, or the first of the registered claims that is not as it must be. */
static const char *
check_registered(struct draft *d, const struct bh_conf *conf,
                 struct bh_str payload, int64_t now_ms)
{
    struct bh_str value;
    int64_t t;

    if (!bh_json_member(payload, "exp", &value)) return "The token has no exp.";
    if (!read_time(value, &t))
        return "The token's exp isn't a whole number of seconds.";
    d->expires_ms = t * 1000;
    if (bh_json_member(payload, "nbf", &value)) {
        if (!read_time(value, &t))
            return "The token's nbf isn't a whole number of seconds.";
        if (t * 1000 > now_ms + conf->token.leeway_s * 1000LL)
            return "The token isn't valid yet.";
    }
    if (conf->token.issuer != NULL &&
        !(bh_json_member(payload, "iss", &value) &&
          bh_token_says(value, conf->token.issuer)))
        return "The token's iss is not the issuer that is trusted here.";
    if (conf->token.audience != NULL &&
        !meant_for(conf->token.audience, payload))
        return "The token's aud doesn't name this service.";
    return NULL;
}

static int
read_own(struct draft *d, const struct bh_conf *conf, struct bh_str payload,
         const char **why)
{
    static const struct {
        int (*read)(struct draft *, const struct bh_conf *, struct bh_str);
        const char *why;
    } claims[] = {
        {read_user, "The token names no user, or not in 1 to 128 bytes without "
                    "control characters."},
        {read_org, "The token's organisation isn't a text of 1 to 128 bytes "
                   "without control characters."},
        {read_properties, "The token's properties aren't an array of at most "
                          "256 texts, each of 1 to 128 bytes."},
        {read_jti, NULL},
        {read_scope, "The token's scope is neither a text nor an array of "
                     "texts."},
    };

    for (size_t i = 0; i < bh_countof(claims); i++) {
        int rc = claims[i].read(d, conf, payload);
        if (rc < 0) {
            *why = claims[i].why;
            return rc;
        }
    }
    return 0;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, and each once. */
static size_t
sort_properties(const char **v, size_t n)
{
    size_t kept = 0;

    if (n > 0) qsort(v, n, sizeof(*v), by_name);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(v[kept - 1], v[i]) != 0) v[kept++] = v[i];
    return kept;
}

/* The draft as one block of memory: the struct, the pointers, the texts. */
static struct bh_held *
finish(const struct draft *d)
{
    size_t pointers = d->n_properties * sizeof(char *);
    struct bh_held *h = bh_zalloc(sizeof(*h) + pointers + d->text.len);
    if (h == NULL) return NULL;

    const char **properties = (const char **)(void *)(h + 1);
    char *text = (char *)(h + 1) + pointers;
    memcpy(text, d->text.p, d->text.len);
    for (size_t i = 0; i < d->n_properties; i++)
        properties[i] = text + d->properties[i];
    atomic_init(&h->refs, 1);
    h->claims = (struct bh_claims){
        .user = text + d->user,
        .org = d->org != SIZE_MAX ? text + d->org : NULL,
        .jti = d->jti != SIZE_MAX ? text + d->jti : NULL,
        .all_properties = d->all_properties,
        .n_properties = sort_properties(properties, d->n_properties),
        .properties = properties,
        .may_publish = d->may_publish,
        .may_metrics = d->may_metrics,
        .expires_ms = d->expires_ms,
    };
    return h;
}

enum bh_refusal
bh_claims_read(struct bh_held **out, const struct bh_conf *conf,
               struct bh_str payload, int64_t now_ms, const char **why)
{
    struct draft d = {.text = BH_BUF_INIT};
    enum bh_refusal r = BH_TOKEN_INVALID;

    *why = check_registered(&d, conf, payload, now_ms);
    int rc = *why != NULL ? -EINVAL : read_own(&d, conf, payload, why);
    if (rc == 0 && d.expires_ms <= now_ms) {
        *why = "The token has expired.";
        r = BH_TOKEN_EXPIRED;
        rc = -EINVAL;
    }
    if (rc == 0) {
        *out = finish(&d);
        rc = *out != NULL ? 0 : -ENOMEM;
        r = BH_GRANTED;
    }
    if (rc == -ENOMEM) {
        *why = "There is no memory left.";
        r = BH_INTERNAL;
    }
    bh_buf_fini(&d.text);
    return r;
}

struct bh_held *
bh_held_get(struct bh_held *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void
bh_held_put(struct bh_held *h)
{
    if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1)
        bh_free(h);
}

void
bh_claims_put(const struct bh_claims *c)
{
    if (c == NULL) return;
    struct bh_claims *own = (struct bh_claims *)(uintptr_t)c;
    bh_held_put(bh_container_of(own, struct bh_held, claims));
}

bool
bh_claims_permit(const struct bh_claims *c, const char *property)
{
    if (c->all_properties) return true;
    return bsearch(&property, c->properties, c->n_properties,
                   sizeof(*c->properties), by_name) != NULL;
}
