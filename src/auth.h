/*
 * auth.h: who is asking. The only user of libjwt (1.10: it checks signatures
 * and nothing else, takes an HMAC made with a public key for good, and accepts
 * anything under an empty key; every such hole is closed in auth.c).
 */
#ifndef BH_AUTH_H
#define BH_AUTH_H

#include "base.h"
#include "conf.h"
#include "err.h"

/* What a verified token grants. Immutable, reference-counted, shared by
 * threads; strings are terminated and live as long as the claims. */
struct bh_claims {
    const char *user;
    const char *org;     /* NULL: no org */
    const char *jti;     /* the token's own name; NULL: none that is usable */
    bool all_properties; /* no `properties` claim */
    size_t n_properties; /* sorted by strcmp, no doubles */
    const char *const *properties;
    bool may_publish, may_metrics; /* scopes realtime:publish, :metrics */
    int64_t expires_ms;            /* wall clock */
    uint8_t digest[32];            /* SHA-256 of the token */
};
void bh_claims_put(const struct bh_claims *c); /* NULL is fine */

struct bh_auth;
/* Reads every key file CONF names. 0; or -EINVAL and a sentence in ERR that
 * names the key, its file and what is wrong. CONF must outlive the handle. */
int bh_auth_new(struct bh_auth **out, const struct bh_conf *conf, char *err,
                size_t err_size);
void bh_auth_free(struct bh_auth *a);

/*
 * Judge the value of an Authorization header (NULL or "": none). Thread-safe.
 * GRANTED and a reference in *OUT; else TOKEN_MISSING, TOKEN_INVALID,
 * TOKEN_EXPIRED or INTERNAL, and *WHY is a constant phrase for the client.
 * A token that was verified before is found by its SHA-256 until it expires.
 */
enum bh_refusal bh_auth_check(struct bh_auth *a, const char *authorization,
                              const struct bh_claims **out, const char **why);

bool bh_claims_permit(const struct bh_claims *c, const char *property);

/* For bellhopctl token. */
struct bh_grant {
    const char *user, *org;        /* org NULL: none */
    const char *const *properties; /* NULL: no claim */
    size_t n_properties;
    const char *const *scopes;
    size_t n_scopes;
    const char *jti; /* NULL: no claim */
    int64_t ttl_s;   /* may be negative */
    const char *kid; /* NULL: the first key that can sign */
};
/* A signed token, bh_free() it; NULL and a sentence in ERR. */
char *bh_auth_sign(const struct bh_conf *conf, const struct bh_grant *g,
                   char *err, size_t err_size);

#endif
