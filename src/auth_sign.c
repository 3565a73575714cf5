/* auth_sign.c: signs a token with a configured key, for bellhopctl. */
#include "auth_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>

#include "clock.h"
#include "json.h"
#include "mem.h"

static const struct bh_conf_key *
choose_key(const struct bh_conf *conf, const char *kid, char *err, size_t size)
{
    for (size_t i = 0; i < conf->n_keys; i++) {
        const struct bh_conf_key *k = &conf->keys[i];
        if (kid != NULL && strcmp(kid, k->kid) != 0) continue;
        if (bh_key_can_sign(k)) return k;
        if (kid != NULL) {
            snprintf(err, size,
                     "key \"%s\" can't sign here: it has no sign_file", kid);
            return NULL;
        }
    }
    snprintf(err, size,
             kid != NULL ? "there is no key of this kid"
                         : "no key can sign here: give one its sign_file");
    return NULL;
}

static bool
check_names(const char *const *v, size_t n, const char *what, char *err,
            size_t size)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(v[i]);
        if (bh_name_valid((struct bh_str){v[i], len}) &&
            bh_utf8_valid(v[i], len))
            continue;
        snprintf(err, size,
                 "%s must be 1 to 128 bytes of UTF-8 without control "
                 "characters",
                 what);
        return false;
    }
    return true;
}

static bool
check_grant(const struct bh_grant *g, char *err, size_t size)
{
    if (g->n_properties > BH_PROPERTIES_MAX) {
        snprintf(err, size, "a token holds at most %d properties",
                 BH_PROPERTIES_MAX);
        return false;
    }
    return check_names(&g->user, 1, "the user", err, size) &&
           check_names(&g->org, g->org != NULL, "the organisation", err,
                       size) &&
           check_names(&g->jti, g->jti != NULL, "the jti", err, size) &&
           check_names(g->properties, g->n_properties, "a property", err,
                       size) &&
           check_names(g->scopes, g->n_scopes, "a scope", err, size);
}

static void
add_string(struct bh_buf *b, const char *name, const char *value)
{
    bh_buf_str(b, b->len == 0 ? "{" : ",");
    bh_json_quote(b, name, strlen(name));
    bh_buf_str(b, ":");
    if (value != NULL) bh_json_quote(b, value, strlen(value));
}

static void
add_properties(struct bh_buf *b, const char *name, const struct bh_grant *g)
{
    add_string(b, name, NULL);
    for (size_t i = 0; i < g->n_properties; i++) {
        bh_buf_str(b, i == 0 ? "[" : ",");
        bh_json_quote(b, g->properties[i], strlen(g->properties[i]));
    }
    bh_buf_str(b, g->n_properties == 0 ? "[]" : "]");
}

static void
add_scopes(struct bh_buf *b, const char *name, const struct bh_grant *g)
{
    struct bh_buf words = BH_BUF_INIT;

    for (size_t i = 0; i < g->n_scopes; i++)
        bh_buf_fmt(&words, "%s%s", i > 0 ? " " : "", g->scopes[i]);
    add_string(b, name, bh_buf_cstr(&words));
    if (words.failed) b->failed = true;
    bh_buf_fini(&words);
}

/* The claims as JSON text; false where there is no memory, or no such time. */
static bool
write_claims(struct bh_buf *b, const struct bh_conf *conf,
             const struct bh_grant *g)
{
    int64_t now_s = bh_wall_ms() / 1000, exp_s;

    if (__builtin_add_overflow(now_s, g->ttl_s, &exp_s)) return false;
    add_string(b, conf->token.claim_user, g->user);
    if (g->org != NULL) add_string(b, conf->token.claim_org, g->org);
    if (g->jti != NULL) add_string(b, "jti", g->jti);
    if (g->properties != NULL)
        add_properties(b, conf->token.claim_properties, g);
    if (g->n_scopes > 0) add_scopes(b, conf->token.claim_scope, g);
    if (conf->token.issuer != NULL) add_string(b, "iss", conf->token.issuer);
    if (conf->token.audience != NULL)
        add_string(b, "aud", conf->token.audience);
    bh_buf_fmt(b, ",\"iat\":%lld,\"exp\":%lld}", (long long)now_s,
               (long long)exp_s);
    bh_buf_cstr(b);
    return !b->failed;
}

/* The signed token as libjwt's own memory, or NULL. */
static char *
encode(const struct bh_key *k, const char *claims)
{
    jwt_t *jwt = NULL;
    char *text = NULL;

    if (jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, claims) == 0 &&
        jwt_add_header(jwt, "kid", k->conf->kid) == 0 &&
        jwt_set_alg(jwt, jwt_str_alg(k->conf->algorithm), k->p, (int)k->len) ==
            0)
        text = jwt_encode_str(jwt);
    jwt_free(jwt);
    return text;
}

static char *
sign(const struct bh_conf *conf, const struct bh_grant *g,
     const struct bh_key *k)
{
    struct bh_buf claims = BH_BUF_INIT;
    char *token = NULL;
    char *text = write_claims(&claims, conf, g) ? encode(k, claims.p) : NULL;

    bh_buf_fini(&claims);
    if (text == NULL) return NULL;
    token = bh_strndup(text, strlen(text));
    bh_wipe(text, strlen(text));
    free(text); /* libjwt's malloc */
    return token;
}

char *
bh_auth_sign(const struct bh_conf *conf, const struct bh_grant *g, char *err,
             size_t err_size)
{
    struct bh_key k;

    if (!check_grant(g, err, err_size)) return NULL;
    const struct bh_conf_key *chosen = choose_key(conf, g->kid, err, err_size);
    if (chosen == NULL ||
        bh_key_load(&k, chosen, BH_KEY_SIGN, err, err_size) < 0)
        return NULL;
    char *token = sign(conf, g, &k);
    bh_key_wipe(&k);
    if (token == NULL)
        snprintf(err, err_size, "the token could not be signed");
    else if (strlen(token) > BH_TOKEN_MAX) {
        bh_free(token);
        token = NULL;
        snprintf(err, err_size,
                 "the token would be longer than %d bytes; name fewer "
                 "properties",
                 BH_TOKEN_MAX);
    }
    return token;
}
