/*
 * auth.c: from the Authorization header to what its sender may do.
 *
 * The order matters. The key, and with it the algorithm, is chosen by the
 * configuration before libjwt sees the token, so that a token can't talk it
 * into another one; after it the algorithm is looked at again, because libjwt
 * 1.10 reports success where it ran out of memory; and claims are read last,
 * from the text that the signature covers.
 */
#include "auth_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jwt.h>
#include <openssl/evp.h>

#include "clock.h"
#include "mem.h"

static const char no_memory[] = "There is no memory left.";

struct bh_auth {
    const struct bh_conf *conf;
    struct bh_key keys[BH_KEYS_MAX];
    size_t n_keys;
    EVP_MD *sha256;
    struct bh_auth_cache *cache;
};

static int
load_keys(struct bh_auth *a, char *err, size_t err_size)
{
    for (size_t i = 0; i < a->conf->n_keys && i < BH_KEYS_MAX; i++) {
        int rc = bh_key_load(&a->keys[i], &a->conf->keys[i], BH_KEY_VERIFY, err,
                             err_size);
        if (rc < 0) return rc;
        a->n_keys++;
    }
    return 0;
}

int
bh_auth_new(struct bh_auth **out, const struct bh_conf *conf, char *err,
            size_t err_size)
{
    struct bh_auth *a = bh_zalloc(sizeof(*a));

    *out = NULL;
    snprintf(err, err_size, "tokens: there is no memory left");
    if (a == NULL) return -EINVAL;
    a->conf = conf;
    a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    a->cache = bh_auth_cache_new((size_t)conf->token.cache);
    if (a->sha256 == NULL || a->cache == NULL ||
        load_keys(a, err, err_size) < 0) {
        bh_auth_free(a);
        return -EINVAL;
    }
    *out = a;
    return 0;
}

void
bh_auth_free(struct bh_auth *a)
{
    if (a == NULL) return;
    for (size_t i = 0; i < a->n_keys; i++) bh_key_wipe(&a->keys[i]);
    bh_auth_cache_free(a->cache);
    EVP_MD_free(a->sha256);
    bh_free(a);
}

/* A part of the token as JSON text; WRONG is said where it is none. */
static enum bh_refusal
decode_part(struct bh_buf *json, struct bh_str part, const char *wrong,
            const char **why)
{
    int rc = bh_token_part(json, part);

    if (rc == 0) return BH_GRANTED;
    *why = rc == -ENOMEM ? no_memory : wrong;
    return rc == -ENOMEM ? BH_INTERNAL : BH_TOKEN_INVALID;
}

static enum bh_refusal
choose_key(const struct bh_auth *a, const struct bh_token *t,
           const struct bh_key **key, const char **why)
{
    struct bh_buf header = BH_BUF_INIT;
    enum bh_refusal r = decode_part(
        &header, t->header, "The token's header isn't one JSON object.", why);

    if (r == BH_GRANTED) {
        *key = bh_token_key((struct bh_str){header.p, header.len}, a->keys,
                            a->n_keys, why);
        if (*key == NULL) r = BH_TOKEN_INVALID;
    }
    bh_buf_fini(&header);
    return r;
}

static bool
signature_good(const struct bh_key *k, const struct bh_token *t)
{
    jwt_t *jwt = NULL;
    bool good = k->len > 0 &&
                jwt_decode(&jwt, t->text, k->p, (int)k->len) == 0 &&
                jwt_get_alg(jwt) == jwt_str_alg(k->conf->algorithm);

    jwt_free(jwt);
    return good;
}

static enum bh_refusal
read_claims(const struct bh_auth *a, const struct bh_token *t, int64_t now_ms,
            struct bh_held **out, const char **why)
{
    struct bh_buf payload = BH_BUF_INIT;
    enum bh_refusal r =
        decode_part(&payload, t->payload,
                    "The token's claims aren't one JSON object.", why);

    if (r == BH_GRANTED)
        r = bh_claims_read(
            out, a->conf, (struct bh_str){payload.p, payload.len}, now_ms, why);
    bh_buf_fini(&payload);
    return r;
}

/* A token that isn't in the cache. */
static enum bh_refusal
verify(struct bh_auth *a, const struct bh_token *t, const uint8_t digest[32],
       int64_t now_ms, struct bh_held **out, const char **why)
{
    const struct bh_key *key;
    enum bh_refusal r = choose_key(a, t, &key, why);

    if (r != BH_GRANTED) return r;
    if (!signature_good(key, t)) {
        *why = "The token's signature isn't good.";
        return BH_TOKEN_INVALID;
    }
    r = read_claims(a, t, now_ms, out, why);
    if (r != BH_GRANTED) return r;
    memcpy((*out)->claims.digest, digest, sizeof((*out)->claims.digest));
    bh_auth_cache_add(a->cache, *out);
    return BH_GRANTED;
}

enum bh_refusal
bh_auth_check(struct bh_auth *a, const char *authorization,
              const struct bh_claims **out, const char **why)
{
    struct bh_token t;
    struct bh_held *held;
    uint8_t digest[32];
    int64_t now_ms = bh_wall_ms();
    bool expired;

    *out = NULL;
    enum bh_refusal r = bh_token_split(&t, authorization, why);
    if (r != BH_GRANTED) return r;
    if (EVP_Digest(t.text, t.len, digest, NULL, a->sha256, NULL) != 1) {
        *why = no_memory;
        return BH_INTERNAL;
    }
    held = bh_auth_cache_find(a->cache, digest, now_ms, &expired);
    if (expired) {
        *why = "The token has expired.";
        return BH_TOKEN_EXPIRED;
    }
    if (held == NULL) r = verify(a, &t, digest, now_ms, &held, why);
    if (r == BH_GRANTED) *out = &held->claims;
    return r;
}
