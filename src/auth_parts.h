/* auth_parts.h: what the sources behind auth.h share; nobody else includes
 * it. */
#ifndef BH_AUTH_PARTS_H
#define BH_AUTH_PARTS_H

#include "base.h"

#include <stdatomic.h>

#include "auth.h"
#include "buf.h"
#include "list.h"
#include "map.h"

/* ---- auth_key.c ---- */

struct bh_key {
    const struct bh_conf_key *conf;
    unsigned char *p; /* the secret, or the PEM text; terminated */
    size_t len;
};

enum bh_key_use { BH_KEY_VERIFY, BH_KEY_SIGN };

/*
 * Read the key's file (to sign with RSA or EC: its sign_file) and see that it
 * fits the key's algorithm. 0, or -EINVAL and a sentence in ERR.
 */
int bh_key_load(struct bh_key *k, const struct bh_conf_key *conf,
                enum bh_key_use use, char *err, size_t err_size);
void bh_key_wipe(struct bh_key *k); /* and free */
/* Whether the key has what it takes to sign: a secret or a sign_file. */
bool bh_key_can_sign(const struct bh_conf_key *conf);

/* ---- auth_token.c ---- */

/* The value of an Authorization header, taken apart but not yet believed. */
struct bh_token {
    const char *text; /* terminated: the rest of the header's value */
    size_t len;
    struct bh_str header, payload; /* base64url, inside text */
};

/* GRANTED, TOKEN_MISSING or TOKEN_INVALID with *WHY. */
enum bh_refusal bh_token_split(struct bh_token *t, const char *authorization,
                               const char **why);
/*
 * Decode PART (RFC 4648, section 5, no padding, no spare bits set) and check it
 * as JSON text, an object. 0, -EINVAL or -ENOMEM.
 */
int bh_token_part(struct bh_buf *json, struct bh_str part);

/* Whether VALUE, a checked one, is the string TEXT, which has no backslash. It
 * takes no memory, so it can't say no for want of it. */
bool bh_token_says(struct bh_str value, const char *text);

/*
 * The one of the N keys that HEADER, a checked object, asks for: by its kid, or
 * without one where there is only one key; and only under the algorithm that
 * the key is configured for. NULL with *WHY.
 */
const struct bh_key *bh_token_key(struct bh_str header,
                                  const struct bh_key *keys, size_t n,
                                  const char **why);

/* ---- auth_claims.c ---- */

/* Claims with their count of owners, and their place in the cache. */
struct bh_held {
    atomic_uint refs;
    struct bh_node node;
    struct bh_link link;
    struct bh_claims claims;
};

/*
 * Judge the claims of PAYLOAD, a checked object whose signature is good, at the
 * wall clock's NOW_MS. GRANTED and *OUT with one reference, its digest not yet
 * set; else TOKEN_INVALID, TOKEN_EXPIRED or INTERNAL.
 */
enum bh_refusal bh_claims_read(struct bh_held **out, const struct bh_conf *conf,
                               struct bh_str payload, int64_t now_ms,
                               const char **why);
struct bh_held *bh_held_get(struct bh_held *h);
void bh_held_put(struct bh_held *h);
/* Whether S may be a user, an organisation or a property. */
bool bh_name_valid(struct bh_str s);

/* ---- auth_cache.c ---- */

/* The claims last verified, at most MAX of them, by the digest of the token. */
struct bh_auth_cache;
struct bh_auth_cache *bh_auth_cache_new(size_t max); /* NULL: no memory */
void bh_auth_cache_free(struct bh_auth_cache *c);
/* A reference, or NULL. What has expired is dropped, and *EXPIRED told. */
struct bh_held *bh_auth_cache_find(struct bh_auth_cache *c,
                                   const uint8_t digest[32], int64_t now_ms,
                                   bool *expired);
/* Takes a reference of its own; the one unused for longest goes. */
void bh_auth_cache_add(struct bh_auth_cache *c, struct bh_held *h);

#endif
