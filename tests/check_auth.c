/* check_auth.c: which tokens are believed, up to their signature. */
#include "authkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "clock.h"
#include "log.h"
#include "suites.h"

#define HEAD "{\"alg\":\"HS256\"}"

static const char not_jwt[] = "isn't a signed JWT";

START_TEST(missing)
{
    ak_open(AK_DOMAIN AK_HS);
    ak_refused("NULL", NULL, BH_TOKEN_MISSING, "no Authorization");
    ak_refused("empty", "", BH_TOKEN_MISSING, "no Authorization");
}
END_TEST

START_TEST(schemes)
{
    char text[1024];
    const char *good = ak_hs(AK_GOOD);
    static const char *const taken[] = {"Bearer %s", "bearer %s", "BEARER %s"};
    static const char *const refused[] = {
        "%s", "Bearer%s", "Bearer\t%s", "Basic %s", " Bearer %s", "Token %s"};

    struct bh_auth *a = ak_open(AK_DOMAIN AK_HS);
    for (size_t i = 0; i < bh_countof(taken); i++) {
        const struct bh_claims *c;
        const char *why;
        char *s = strstr(strcpy(text, taken[i]), "%s");
        strcpy(s, good);
        ck_assert_int_eq(bh_auth_check(a, text, &c, &why), BH_GRANTED);
        bh_claims_put(c);
    }
    for (size_t i = 0; i < bh_countof(refused); i++) {
        char *s = strstr(strcpy(text, refused[i]), "%s");
        strcpy(s, good);
        ak_refused(refused[i], text, BH_TOKEN_INVALID, "must be Bearer");
    }
    ak_refused("the scheme alone", "Bearer", BH_TOKEN_INVALID, "must be");
}
END_TEST

/* ---- the compact form ---- */

/* Each '*' of a pattern is the part of a good token in its turn: its header,
 * its payload, its signature. */
START_TEST(shapes)
{
    static const char *const patterns[] = {
        "",        "a",      "abc",       ".",       "..",       "...",
        "*",       "*.*",    "*.*.",      "*..",     ".*.*",     "*.*.*.",
        "*.*.*.*", ".*.*.*", "*.*.* ",    " *.*.*",  "*.*.*\n",  "*.*.*\r",
        "*.*.*=",  "*.*=.*", "*=.*.*",    "*. *.*",  "*.*.*AA",  "*.*.*AB%",
        "*+.*.*",  "*.*/.*", "*.*.*\x80", "*.*.*,*", "*.*.*\x01"};
    char good[512], text[1024];

    strcpy(good, ak_hs(AK_GOOD));
    char *part[] = {strtok(good, "."), strtok(NULL, "."), strtok(NULL, ".")};
    ak_open(AK_DOMAIN AK_HS);
    for (size_t i = 0; i < bh_countof(patterns); i++) {
        char *out = text;
        size_t n = 0;
        for (const char *p = patterns[i]; *p != '\0'; p++)
            if (*p == '*')
                out = stpcpy(out, part[n++ % 3]);
            else
                *out++ = *p;
        *out = '\0';
        ak_refused(patterns[i], ak_bearer(text), BH_TOKEN_INVALID, not_jwt);
    }
    snprintf(text, sizeof(text), "%s.%s.%s", part[0], part[1], part[2]);
    bh_claims_put(ak_granted(text));
}
END_TEST

/* The bits of the last digit that no byte takes must be 0: else one token had
 * many texts. libjwt's decoder takes them all. */
START_TEST(spare_bits)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    char text[1024];

    ak_open(AK_DOMAIN AK_RS);
    strcpy(text, ak_token("{\"alg\":\"RS256\"}", AK_GOOD, "rs.pem"));
    bh_claims_put(ak_granted(text));
    char *last = text + strlen(text) - 1; /* 256 bytes: four spare bits */
    size_t at = (size_t)(strchr(digits, *last) - digits);
    for (size_t i = 1; i < 16; i++) {
        *last = digits[at + i];
        ak_refused("spare bits", ak_bearer(text), BH_TOKEN_INVALID, not_jwt);
    }
}
END_TEST

START_TEST(not_json)
{
    static const char *const wrong[] = {"x",
                                        "[]",
                                        "\"alg\"",
                                        "1",
                                        "null",
                                        "{",
                                        "{}{}",
                                        "{\"alg\":}",
                                        "{'alg':1}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"a\":1",
                                        "\xef\xbb\xbf{}",
                                        "{\"a\":01}",
                                        "{,}",
                                        "{\"a\":\"\t\"}"};

    ak_open(AK_DOMAIN AK_HS);
    for (size_t i = 0; i < bh_countof(wrong); i++) {
        ak_refused(wrong[i], ak_bearer(ak_token(wrong[i], AK_GOOD, "hs.key")),
                   BH_TOKEN_INVALID, "header isn't one JSON object");
        /* libjwt looks into the payload first, and calls it a signature. */
        ak_refused(wrong[i], ak_bearer(ak_token(HEAD, wrong[i], "hs.key")),
                   BH_TOKEN_INVALID, "The token's ");
    }
}
END_TEST

/* A token of exactly LEN bytes, by white space in its header and payload. */
static const char *
token_of_length(size_t len)
{
    static char payload[16384];

    for (int spaces = 0; spaces < 4; spaces++) {
        char header[64];
        snprintf(header, sizeof(header), "%*s%s", spaces, "", HEAD);
        size_t least = strlen(ak_token(header, AK_GOOD, "hs.key"));
        for (size_t pad = (len - least) * 3 / 4 - 3;
             pad < (len - least) * 3 / 4 + 3; pad++) {
            memset(payload, ' ', pad);
            strcpy(payload + pad, AK_GOOD);
            const char *t = ak_token(header, payload, "hs.key");
            if (strlen(t) == len) return t;
        }
    }
    ck_abort_msg("no token has %zu bytes", len);
}

START_TEST(too_long)
{
    ak_open(AK_DOMAIN AK_HS);
    bh_claims_put(ak_granted(token_of_length(BH_TOKEN_MAX)));
    ak_refused("one over", ak_bearer(token_of_length(BH_TOKEN_MAX + 1)),
               BH_TOKEN_INVALID, "longer than 8192 bytes");
    ak_refused("16 KB", ak_bearer(token_of_length(16384)), BH_TOKEN_INVALID,
               "longer than 8192 bytes");
}
END_TEST

/* ---- the algorithm ---- */

START_TEST(algorithms)
{
    static const struct {
        const char *header, *file;
    } wrong[] = {
        {"{\"alg\":\"none\"}", NULL},
        {"{\"alg\":\"none\"}", "hs.key"},
        {"{\"alg\":\"None\"}", "hs.key"},
        {"{\"alg\":\"NONE\"}", "hs.key"},
        {"{\"alg\":\"\"}", "hs.key"},
        {"{}", "hs.key"},
        {"{\"typ\":\"JWT\"}", "hs.key"},
        {"{\"alg\":null}", "hs.key"},
        {"{\"alg\":0}", "hs.key"},
        {"{\"alg\":[\"HS256\"]}", "hs.key"},
        {"{\"alg\":\"hs256\"}", "hs.key"},
        {"{\"alg\":\"HS2560\"}", "hs.key"},
        {"{\"alg\":\"HS256\\u0000\"}", "hs.key"},
        {"{\"alg\":\"HS384\"}", "hs.key"},
        {"{\"alg\":\"HS512\"}", "hs.key"},
        {"{\"alg\":\"RS256\"}", "rs.pem"},
        {"{\"alg\":\"ES256\"}", "es.pem"},
        {"{\"ALG\":\"HS256\"}", "hs.key"},
    };

    ak_open(AK_DOMAIN AK_HS);
    for (size_t i = 0; i < bh_countof(wrong); i++) {
        const char *t = ak_token(wrong[i].header, AK_GOOD, wrong[i].file);
        ak_refused(wrong[i].header, ak_bearer(t), BH_TOKEN_INVALID,
                   wrong[i].file != NULL ? "alg is not" : not_jwt);
    }
    bh_claims_put(ak_granted(ak_token(HEAD, AK_GOOD, "hs.key")));
    bh_claims_put(ak_granted(ak_token(
        "{\"al\\u0067\":\"H\\u0053256\",\"typ\":\"JWT\"}", AK_GOOD, "hs.key")));
}
END_TEST

/* Everybody has a public key. libjwt takes an HMAC made with its PEM. */
START_TEST(hmac_with_the_public_key)
{
    static const char *const pub[] = {"rs.pub", "es.pub"};

    ak_open(AK_DOMAIN AK_RS AK_ES);
    for (size_t i = 0; i < bh_countof(pub); i++) {
        char header[64];
        snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%.2s\"}",
                 pub[i]);
        ak_refused(pub[i], ak_bearer(ak_token(header, AK_GOOD, pub[i])),
                   BH_TOKEN_INVALID, "alg is not");
    }
}
END_TEST

/* Each key under its own algorithm, and under none of the others'. */
START_TEST(keys_and_algorithms)
{
    static const char *const alg[] = {"HS256", "HS384", "HS512",
                                      "RS256", "RS384", "RS512",
                                      "ES256", "ES384", "ES512"};
    static const char *const secret[] = {"hs.key", "hs.key",   "hs.key",
                                         "rs.pem", "rs.pem",   "rs.pem",
                                         "es.pem", "p384.pem", "p521.pem"};
    static const char *const file[] = {"hs.key", "hs.key",   "hs.key",
                                       "rs.pub", "rs.pub",   "rs.pub",
                                       "es.pub", "p384.pub", "p521.pub"};
    char conf[128], header[64];

    ak_make_pair("p384", "EC", 0, "P-384");
    ak_make_pair("p521", "EC", 0, "P-521");
    for (size_t i = 0; i < bh_countof(alg); i++) {
        snprintf(conf, sizeof(conf),
                 AK_DOMAIN "key k { algorithm = %s file = %s }\n", alg[i],
                 file[i]);
        ak_open(conf);
        for (size_t j = 0; j < bh_countof(alg); j++) {
            snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", alg[j]);
            const char *t = ak_token(header, AK_GOOD, secret[j]);
            if (i == j)
                bh_claims_put(ak_granted(t));
            else
                ak_refused(header, ak_bearer(t), BH_TOKEN_INVALID, "alg");
        }
        /* The right words, and a signature by the key of another kind. */
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", alg[i]);
        ak_refused(header,
                   ak_bearer(ak_token(header, AK_GOOD, secret[(i + 3) % 9])),
                   BH_TOKEN_INVALID, "signature");
    }
}
END_TEST

/* ---- the rest of the header ---- */

START_TEST(kids)
{
    static const char other[] =
        "key two { algorithm = HS256 file = other.key }\n";
    static const char none[] = HEAD;
    static const char hs[] = "{\"alg\":\"HS256\",\"kid\":\"hs\"}";
    static const char two[] = "{\"alg\":\"HS256\",\"kid\":\"two\"}";
    static const char *const unknown[] = {
        "{\"alg\":\"HS256\",\"kid\":\"HS\"}",
        "{\"alg\":\"HS256\",\"kid\":\"h\"}",
        "{\"alg\":\"HS256\",\"kid\":\"hss\"}",
        "{\"alg\":\"HS256\",\"kid\":\"\"}",
        "{\"alg\":\"HS256\",\"kid\":null}",
        "{\"alg\":\"HS256\",\"kid\":0}",
        "{\"alg\":\"HS256\",\"kid\":[\"hs\"]}",
        "{\"alg\":\"HS256\",\"kid\":\"../hs.key\"}",
        "{\"alg\":\"HS256\",\"kid\":\"hs\\u0000\"}",
    };
    char text[256];

    for (int keys = 1; keys <= 2; keys++) {
        snprintf(text, sizeof(text), AK_DOMAIN AK_HS "%s",
                 keys == 2 ? other : "");
        ak_open(text);
        for (size_t i = 0; i < bh_countof(unknown); i++)
            ak_refused(unknown[i],
                       ak_bearer(ak_token(unknown[i], AK_GOOD, "hs.key")),
                       BH_TOKEN_INVALID, "kid names no key");
        bh_claims_put(ak_granted(ak_token(hs, AK_GOOD, "hs.key")));
        if (keys == 1)
            bh_claims_put(ak_granted(ak_token(none, AK_GOOD, "hs.key")));
    }
    ak_refused("none of two", ak_bearer(ak_token(none, AK_GOOD, "hs.key")),
               BH_TOKEN_INVALID, "kid names no key");
    bh_claims_put(ak_granted(ak_token(two, AK_GOOD, "other.key")));
    ak_refused("the other's", ak_bearer(ak_token(hs, AK_GOOD, "other.key")),
               BH_TOKEN_INVALID, "signature");
    ak_refused("the other's", ak_bearer(ak_token(two, AK_GOOD, "hs.key")),
               BH_TOKEN_INVALID, "signature");
}
END_TEST

START_TEST(headers)
{
    static const struct {
        const char *header, *says;
    } wrong[] = {
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", "crit"},
        {"{\"alg\":\"HS256\",\"crit\":[]}", "crit"},
        {"{\"alg\":\"HS256\",\"crit\":null}", "crit"},
        {"{\"alg\":\"HS256\",\"cr\\u0069t\":[\"b64\"],\"b64\":false}", "crit"},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "one JSON object"},
        {"{\"alg\":\"none\",\"alg\":\"HS256\"}", "one JSON object"},
        {"{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", "one JSON object"},
        {"{\"alg\":\"HS256\",\"kid\":\"hs\",\"kid\":\"x\"}", "one JSON object"},
        {"{\"alg\":\"HS256\",\"x\":{\"a\":1,\"a\":2}}", "one JSON object"},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", "typ"},
        {"{\"alg\":\"HS256\",\"typ\":\"JWE\"}", "typ"},
        {"{\"alg\":\"HS256\",\"typ\":1}", "typ"},
    };
    static const char *const taken[] = {
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
        "{\"jku\":\"http://127.0.0.1/\",\"jwk\":{},\"alg\":\"HS256\"}",
        " { \"kid\" : \"hs\" , \"alg\" : \"HS256\" } ",
    };

    ak_open(AK_DOMAIN AK_HS);
    for (size_t i = 0; i < bh_countof(wrong); i++)
        ak_refused(wrong[i].header,
                   ak_bearer(ak_token(wrong[i].header, AK_GOOD, "hs.key")),
                   BH_TOKEN_INVALID, wrong[i].says);
    for (size_t i = 0; i < bh_countof(taken); i++)
        bh_claims_put(ak_granted(ak_token(taken[i], AK_GOOD, "hs.key")));
}
END_TEST

/* ---- the signature ---- */

/* Whatever single character is another, the token isn't taken. */
static void
try_each_character(const char *token)
{
    char text[1024];

    bh_claims_put(ak_granted(token));
    for (size_t i = 0; token[i] != '\0'; i++) {
        strcpy(text, token);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        ak_refused(text + i, ak_bearer(text), BH_TOKEN_INVALID, "");
    }
}

START_TEST(another_character)
{
    ak_open(AK_DOMAIN AK_HS AK_RS AK_ES);
    try_each_character(ak_hs(AK_GOOD));
    try_each_character(
        ak_token("{\"alg\":\"RS256\",\"kid\":\"rs\"}", AK_GOOD, "rs.pem"));
    try_each_character(
        ak_token("{\"alg\":\"ES256\",\"kid\":\"es\"}", AK_GOOD, "es.pem"));
}
END_TEST

START_TEST(another_signature)
{
    char text[2048], owner[1024], *sig;

    ak_open(AK_DOMAIN AK_HS);
    ak_refused("other secret", ak_bearer(ak_token(HEAD, AK_GOOD, "other.key")),
               BH_TOKEN_INVALID, "signature isn't good");
    strcpy(owner, ak_hs("{\"sub\":\"owner\"," AK_EXP "}"));
    strcpy(text, ak_hs(AK_GOOD));
    sig = strrchr(text, '.') + 1;
    strcpy(sig, strrchr(owner, '.') + 1);
    ak_refused("another token's", ak_bearer(text), BH_TOKEN_INVALID,
               "signature isn't good");
    strcpy(text, ak_hs(AK_GOOD));
    text[strlen(text) - 3] = '\0'; /* 40 of 43 digits: 30 bytes */
    ak_refused("cut", ak_bearer(text), BH_TOKEN_INVALID,
               "signature isn't good");
    strcat(text, "AAAAAAAAAAAA");
    ak_refused("longer", ak_bearer(text), BH_TOKEN_INVALID,
               "signature isn't good");
}
END_TEST

START_TEST(digest)
{
    unsigned char expected[32];
    const char *t = ak_hs(AK_GOOD);

    ak_open(AK_DOMAIN AK_HS);
    const struct bh_claims *c = ak_granted(t);
    ck_assert(EVP_Digest(t, strlen(t), expected, NULL, EVP_sha256(), NULL) ==
              1);
    ck_assert_mem_eq(c->digest, expected, sizeof(expected));
    bh_claims_put(c);
}
END_TEST

/* Granted or refused, a token leaves no word in the log. */
START_TEST(nothing_in_the_log)
{
    const char *t = ak_hs(AK_GOOD);
    char text[1024];

    bh_log_level(BH_DEBUG);
    ak_open(AK_DOMAIN AK_HS);
    ak_log_begin();
    bh_claims_put(ak_granted(t));
    snprintf(text, sizeof(text), "%s.x", t);
    ak_refused("shape", ak_bearer(text), BH_TOKEN_INVALID, "");
    ak_refused("alg",
               ak_bearer(ak_token("{\"alg\":\"none\"}", AK_GOOD, "hs.key")),
               BH_TOKEN_INVALID, "");
    ak_refused("key", ak_bearer(ak_token(HEAD, AK_GOOD, "rs.pub")),
               BH_TOKEN_INVALID, "");
    ak_refused("claims", ak_bearer(ak_hs("{}")), BH_TOKEN_INVALID, "");
    ak_refused("expired", ak_bearer(ak_hs("{\"sub\":\"u\",\"exp\":1}")),
               BH_TOKEN_EXPIRED, "");
    ck_assert_str_eq(ak_log_end(), "");
}
END_TEST

Suite *
check_auth(void)
{
    Suite *suite = suite_create("auth");
    TCase *tc = tcase_create("auth");

    tcase_add_unchecked_fixture(tc, ak_make_folder, ak_remove_folder);
    tcase_add_checked_fixture(tc, ak_start, ak_stop);
    tcase_add_test(tc, missing);
    tcase_add_test(tc, schemes);
    tcase_add_test(tc, shapes);
    tcase_add_test(tc, spare_bits);
    tcase_add_test(tc, not_json);
    tcase_add_test(tc, too_long);
    tcase_add_test(tc, algorithms);
    tcase_add_test(tc, hmac_with_the_public_key);
    tcase_add_test(tc, keys_and_algorithms);
    tcase_add_test(tc, kids);
    tcase_add_test(tc, headers);
    tcase_add_test(tc, another_character);
    tcase_add_test(tc, another_signature);
    tcase_add_test(tc, digest);
    tcase_add_test(tc, nothing_in_the_log);
    suite_add_tcase(suite, tc);
    return suite;
}
