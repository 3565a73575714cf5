/* auth_make.c: new keys, and keys from elsewhere, as files. */
#include "base.h"
#include "auth_make.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "clock.h"
#include "json.h"
#include "mem.h"

#define RSA_BITS  3072
#define FIELD_MAX 2048 /* bytes of a number in a JWK */

/* The curve of an ES algorithm (RFC 7518, 3.4), and its name in a JWK. */
static const struct curve {
    const char *algorithm, *openssl, *jwk;
    size_t bytes;
} curves[] = {{"ES256", "prime256v1", "P-256", 32},
              {"ES384", "secp384r1", "P-384", 48},
              {"ES512", "secp521r1", "P-521", 66}};

void
bh_made_key_fini(struct bh_made_key *k)
{
    if (k->file.p != NULL) bh_wipe(k->file.p, k->file.cap);
    if (k->sign_file.p != NULL) bh_wipe(k->sign_file.p, k->sign_file.cap);
    bh_buf_fini(&k->file);
    bh_buf_fini(&k->sign_file);
}

static bool
is_algorithm(const char *a)
{
    static const char known[] =
        "HS256 HS384 HS512 RS256 RS384 RS512 ES256 ES384 ES512";

    return strlen(a) == 5 && strchr(a, ' ') == NULL && strstr(known, a) != NULL;
}

/* ---- to PEM ---- */

static void
write_pem(struct bh_buf *out, EVP_PKEY *key, bool private)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    int ok = bio == NULL ? 0
             : private
                 ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                 : PEM_write_bio_PUBKEY(bio, key);

    if (ok == 1) {
        long len = BIO_get_mem_data(bio, &text);
        bh_buf_add(out, text, (size_t)len);
    } else {
        out->failed = true;
    }
    BIO_free(bio);
}

static int
set_pair(struct bh_made_key *k, EVP_PKEY *key, bool private)
{
    write_pem(&k->file, key, false);
    if (private) write_pem(&k->sign_file, key, true);
    return k->file.failed || k->sign_file.failed ? -ENOMEM : 0;
}

/* ---- new ones ---- */

/* Random bytes as hex digits: twice as many as the hash has, so that there is
 * nothing to be said of their encoding. */
static int
make_secret(struct bh_made_key *k)
{
    char hex[2 * 64 + 1];
    size_t bytes = (size_t)atoi(k->algorithm + 2) / 8;

    bh_random_hex(hex, bytes);
    bh_buf_fmt(&k->file, "%s\n", hex);
    bh_wipe(hex, sizeof hex);
    return k->file.failed ? -ENOMEM : 0;
}

int
bh_key_make(struct bh_made_key *out, const char *algorithm)
{
    EVP_PKEY *key = NULL;

    *out = (struct bh_made_key){.kid = ""};
    if (!is_algorithm(algorithm)) return -EINVAL;
    memcpy(out->algorithm, algorithm, 6);
    if (algorithm[0] == 'H') return make_secret(out);
    if (algorithm[0] == 'R') key = EVP_RSA_gen(RSA_BITS);
    for (size_t i = 0; i < bh_countof(curves); i++)
        if (strcmp(algorithm, curves[i].algorithm) == 0)
            key = EVP_EC_gen(curves[i].openssl);
    if (key == NULL) return -ENOMEM;
    int rc = set_pair(out, key, true);
    EVP_PKEY_free(key);
    return rc;
}

/* ---- which algorithm ---- */

static bool
is_short_rsa(const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
           EVP_PKEY_get_bits(key) < BH_RSA_BITS_MIN;
}

/* Whether ALGORITHM suits the key, and for want of one the usual one. */
static bool
settle_algorithm(struct bh_made_key *k, const char *wanted, const EVP_PKEY *key)
{
    char curve[64] = "";

    if (k->algorithm[0] == '\0' && wanted != NULL && is_algorithm(wanted))
        memcpy(k->algorithm, wanted, 6);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        if (k->algorithm[0] == '\0') memcpy(k->algorithm, "RS256", 6);
        return k->algorithm[0] == 'R' && !is_short_rsa(key);
    }
    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve,
                                   sizeof curve, NULL);
    for (size_t i = 0; i < bh_countof(curves); i++) {
        if (strcmp(curve, curves[i].openssl) != 0) continue;
        if (k->algorithm[0] == '\0')
            memcpy(k->algorithm, curves[i].algorithm, 6);
        return strcmp(k->algorithm, curves[i].algorithm) == 0;
    }
    return false;
}

/* ---- PEM ---- */

/* For OpenSSL, which else asks on the terminal. */
static int
no_passphrase(char *out BH_UNUSED, int size BH_UNUSED, int writing BH_UNUSED,
              void *arg BH_UNUSED)
{
    return -1;
}

static EVP_PKEY *
read_pem(struct bh_str text, bool private)
{
    BIO *bio = BIO_new_mem_buf(text.p, (int)text.len);
    EVP_PKEY *key = NULL;

    if (bio != NULL && private)
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    else if (bio != NULL)
        key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return key;
}

static int
import_pem(struct bh_str text, const char *algorithm, bh_made_key_fn *fn,
           void *arg, char *err, size_t size)
{
    struct bh_made_key k = {.kid = ""};
    EVP_PKEY *key = read_pem(text, true);
    bool private = key != NULL;
    int rc = -EINVAL;

    if (key == NULL) key = read_pem(text, false);
    if (key == NULL)
        snprintf(err, size,
                 "holds no public key and no unencrypted private "
                 "key in PEM");
    else if (is_short_rsa(key))
        snprintf(err, size, "the RSA key has %d bits, fewer than %d",
                 EVP_PKEY_get_bits(key), BH_RSA_BITS_MIN);
    else if (!settle_algorithm(&k, algorithm, key))
        snprintf(err, size, "the key doesn't suit %s",
                 algorithm != NULL ? algorithm : "any algorithm known here");
    else
        rc = set_pair(&k, key, private);
    if (rc == 0) fn(arg, &k);
    EVP_PKEY_free(key);
    bh_made_key_fini(&k);
    return rc;
}

/* ---- JWK ---- */

/* Base64url without padding (RFC 4648, section 5). The length, or 0. */
static size_t
decode64(unsigned char *out, size_t size, const char *p, size_t len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    size_t n = 0;
    int have = 0;

    for (size_t i = 0; i < len; i++) {
        const char *d = p[i] != '\0' ? strchr(digits, p[i]) : NULL;
        if (d == NULL || n == size) return 0;
        bits = bits << 6 | (uint32_t)(d - digits);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[n++] = (unsigned char)(bits >> have);
    }
    return n;
}

/* The member as text in OUT, "" where there is none. */
static void
text_member(struct bh_str jwk, const char *name, char *out, size_t size)
{
    struct bh_buf text = BH_BUF_INIT;
    struct bh_str value;

    out[0] = '\0';
    if (bh_json_member(jwk, name, &value) && value.p[0] == '"' &&
        bh_json_string(&text, value) == 0 && text.len < size) {
        memcpy(out, text.p, text.len);
        out[text.len] = '\0';
    }
    bh_buf_fini(&text);
}

static size_t
bytes_member(struct bh_str jwk, const char *name, unsigned char *out,
             size_t size)
{
    struct bh_str value;

    if (!bh_json_member(jwk, name, &value) || value.p[0] != '"') return 0;
    return decode64(out, size, value.p + 1, value.len - 2);
}

static EVP_PKEY *
build_key(const char *type, OSSL_PARAM_BLD *parts)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (params != NULL && ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

/* RFC 7518, 6.3.1. */
static EVP_PKEY *
rsa_key(struct bh_str jwk)
{
    unsigned char n[FIELD_MAX], e[16];
    size_t n_len = bytes_member(jwk, "n", n, sizeof n);
    size_t e_len = bytes_member(jwk, "e", e, sizeof e);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    BIGNUM *bn_n = BN_bin2bn(n, (int)n_len, NULL);
    BIGNUM *bn_e = BN_bin2bn(e, (int)e_len, NULL);
    EVP_PKEY *key = NULL;

    if (n_len > 0 && e_len > 0 && parts != NULL &&
        OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
        OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
        key = build_key("RSA", parts);
    OSSL_PARAM_BLD_free(parts);
    BN_free(bn_n);
    BN_free(bn_e);
    return key;
}

/* RFC 7518, 6.2.1: the point as both numbers, each at its full length. */
static EVP_PKEY *
ec_key(struct bh_str jwk)
{
    unsigned char point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
    OSSL_PARAM_BLD *parts;
    EVP_PKEY *key = NULL;
    char name[16];

    text_member(jwk, "crv", name, sizeof name);
    for (size_t i = 0; i < bh_countof(curves); i++) {
        size_t len = curves[i].bytes;
        if (strcmp(name, curves[i].jwk) != 0 ||
            bytes_member(jwk, "x", point + 1, len) != len ||
            bytes_member(jwk, "y", point + 1 + len, len) != len)
            continue;
        parts = OSSL_PARAM_BLD_new();
        if (parts != NULL &&
            OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME,
                                            curves[i].openssl, 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY,
                                             point, 1 + 2 * len) == 1)
            key = build_key("EC", parts);
        OSSL_PARAM_BLD_free(parts);
    }
    return key;
}

static bool
is_long_enough(const struct bh_made_key *k)
{
    return k->file.len >= (size_t)atoi(k->algorithm + 2) / 8;
}

/* RFC 7518, 6.4: a secret. */
static bool
take_secret(struct bh_made_key *k, struct bh_str jwk, const char *algorithm)
{
    unsigned char secret[FIELD_MAX];
    size_t len = bytes_member(jwk, "k", secret, sizeof secret);

    if (k->algorithm[0] == '\0' && algorithm != NULL && is_algorithm(algorithm))
        memcpy(k->algorithm, algorithm, 6);
    if (k->algorithm[0] == '\0') memcpy(k->algorithm, "HS256", 6);
    bh_buf_add(&k->file, secret, len);
    /* One newline at the end of a file is not taken for a part of it. */
    if (len > 0 && secret[len - 1] == '\n') bh_buf_str(&k->file, "\n");
    bh_wipe(secret, sizeof secret);
    return k->algorithm[0] == 'H' && len > 0 && is_long_enough(k);
}

/* Whether it is a key for signatures that is known here. */
static bool
take_jwk(struct bh_made_key *k, struct bh_str jwk, const char *algorithm)
{
    char type[8], use[8], named[16];

    if (jwk.len == 0 || jwk.p[0] != '{') return false;
    text_member(jwk, "kty", type, sizeof type);
    text_member(jwk, "use", use, sizeof use);
    text_member(jwk, "alg", named, sizeof named);
    text_member(jwk, "kid", k->kid, sizeof k->kid);
    if (use[0] != '\0' && strcmp(use, "sig") != 0) return false;
    if (named[0] != '\0' && !is_algorithm(named)) return false;
    if (named[0] != '\0') memcpy(k->algorithm, named, 6);
    if (strcmp(type, "oct") == 0) return take_secret(k, jwk, algorithm);
    EVP_PKEY *key = strcmp(type, "RSA") == 0  ? rsa_key(jwk)
                    : strcmp(type, "EC") == 0 ? ec_key(jwk)
                                              : NULL;
    bool ok = key != NULL && settle_algorithm(k, algorithm, key) &&
              set_pair(k, key, false) == 0;
    EVP_PKEY_free(key);
    return ok;
}

static size_t
import_jwk(struct bh_str jwk, const char *algorithm, bh_made_key_fn *fn,
           void *arg)
{
    struct bh_made_key k = {.kid = ""};
    bool ok = take_jwk(&k, jwk, algorithm);

    if (ok) fn(arg, &k);
    bh_made_key_fini(&k);
    return ok;
}

static int
import_json(struct bh_str text, const char *algorithm, bh_made_key_fn *fn,
            void *arg, size_t *left, char *err, size_t size)
{
    struct bh_buf checked = BH_BUF_INIT;
    struct bh_json_error wrong = {"", "there is no memory left"};
    struct bh_str keys, name, one;
    size_t pos = 0, taken = 0;

    if (bh_json_check(&checked, text, 8, "", &wrong) < 0) {
        snprintf(err, size, "neither PEM nor a JWK or JWKS: %s%s%s",
                 wrong.pointer, *wrong.pointer ? ": " : "", wrong.detail);
        bh_buf_fini(&checked);
        return -EINVAL;
    }
    struct bh_str whole = {checked.p, checked.len};
    if (whole.p[0] == '{' && bh_json_member(whole, "keys", &keys) &&
        keys.p[0] == '[') {
        while (bh_json_next(keys, &pos, &name, &one)) {
            size_t n = import_jwk(one, algorithm, fn, arg);
            taken += n;
            *left += !n;
        }
    } else {
        taken = import_jwk(whole, algorithm, fn, arg);
    }
    bh_wipe(checked.p, checked.cap);
    bh_buf_fini(&checked);
    if (taken > 0) return 0;
    snprintf(err, size, "holds no key for signatures that is known here");
    return -EINVAL;
}

int
bh_key_import(struct bh_str text, const char *algorithm, bh_made_key_fn *fn,
              void *arg, size_t *left, char *err, size_t err_size)
{
    *left = 0;
    if (memmem(text.p, text.len, "-----BEGIN ", 11) != NULL)
        return import_pem(text, algorithm, fn, arg, err, err_size);
    return import_json(text, algorithm, fn, arg, left, err, err_size);
}
