/*
 * token.h: JSON Web Tokens for the load generator, HS256 (RFC 7515, RFC 7518
 * section 3.2), by the thousand. bellhopctl makes one per process.
 */
#ifndef BH_TOKEN_H
#define BH_TOKEN_H

#include "buf.h"

struct bh_token {
    struct bh_str key;
    const char *kid;
    const char *user, *org, *scope; /* org, scope NULL: no such claim */
    int64_t expires_s;              /* since 1970 */
};

/* Append the signed token. The names must need no escaping in JSON. */
void bh_token_mint(struct bh_buf *out, const struct bh_token *t);

#endif
