/* check_auth_claims.c: what is asked of the claims, and what they grant. */
#include "authkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "suites.h"

#define SUB   "{\"sub\":\"u\","
#define KNOWN SUB AK_EXP

struct row {
    const char *payload;
    const char *says; /* NULL: granted */
};

static void
judge(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].says == NULL)
            bh_claims_put(ak_granted(ak_hs(rows[i].payload)));
        else
            ak_refused(rows[i].payload, ak_bearer(ak_hs(rows[i].payload)),
                       BH_TOKEN_INVALID, rows[i].says);
}

/* ---- times ---- */

START_TEST(expiry_must_be_a_number)
{
    static const struct row rows[] = {
        {"{}", "no exp"},
        {"{\"sub\":\"u\"}", "no exp"},
        {SUB "\"EXP\":1795492800}", "no exp"},
        {SUB "\"exp\":null}", "exp isn't a whole number"},
        {SUB "\"exp\":true}", "exp isn't a whole number"},
        {SUB "\"exp\":\"1795492800\"}", "exp isn't a whole number"},
        {SUB "\"exp\":1795492800.0}", "exp isn't a whole number"},
        {SUB "\"exp\":1795492800.5}", "exp isn't a whole number"},
        {SUB "\"exp\":1.7954928e9}", "exp isn't a whole number"},
        {SUB "\"exp\":2e9}", "exp isn't a whole number"},
        {SUB "\"exp\":[1795492800]}", "exp isn't a whole number"},
        {SUB "\"exp\":{}}", "exp isn't a whole number"},
        /* One more than fits in milliseconds; 2^63-1. */
        {SUB "\"exp\":9223372036854776}", "exp isn't a whole number"},
        {SUB "\"exp\":9223372036854775807}", "exp isn't a whole number"},
        {SUB "\"exp\":-9223372036854775808}", "exp isn't a whole number"},
        /* libjwt can't read these at all. */
        {SUB "\"exp\":9223372036854775808}", "The token's "},
        {SUB "\"exp\":18446744075505044416}", "The token's "},
        {SUB "\"exp\":1e999}", "The token's "},
        {SUB "\"exp\":1795492800,\"exp\":1795492801}", "one JSON object"},
        {SUB "\"exp\":1795492800,\"e\\u0078p\":1}", "one JSON object"},
        {SUB "\"e\\u0078p\":1795492800}", NULL},
        {SUB "\"exp\":9223372036854775}", NULL},
    };

    ak_open(AK_DOMAIN AK_HS);
    judge(rows, bh_countof(rows));
    const struct bh_claims *c =
        ak_granted(ak_hs(SUB "\"exp\":9223372036854775}"));
    ck_assert_int_eq(c->expires_ms, 9223372036854775000);
    bh_claims_put(c);
}
END_TEST

START_TEST(expired)
{
    static const char *const past[] = {
        "1795492200", "1795492199", "1", "0", "-0", "-1", "-1795492800"};
    char payload[128];

    ak_open(AK_DOMAIN AK_HS);
    for (size_t i = 0; i < bh_countof(past); i++) {
        snprintf(payload, sizeof(payload), SUB "\"exp\":%s}", past[i]);
        ak_refused(payload, ak_bearer(ak_hs(payload)), BH_TOKEN_EXPIRED,
                   "has expired");
    }
    bh_claims_put(ak_granted(ak_hs(SUB "\"exp\":1795492201}")));
    /* No leeway: a millisecond before, and at it. */
    bh_clock_fake(1000, (AK_NOW + 600) * 1000LL - 1);
    bh_claims_put(ak_granted(ak_hs(KNOWN ",\"a\":1}")));
    bh_clock_fake(1000, (AK_NOW + 600) * 1000LL);
    ak_refused("at exp", ak_bearer(ak_hs(KNOWN ",\"a\":2}")), BH_TOKEN_EXPIRED,
               "has expired");
}
END_TEST

/* What is expired and wrong as well is wrong: a fresh one would not help. */
START_TEST(expired_and_wrong)
{
    ak_open(AK_DOMAIN AK_HS "token { issuer = me }\n");
    ak_refused("issuer", ak_bearer(ak_hs(SUB "\"exp\":1,\"iss\":\"you\"}")),
               BH_TOKEN_INVALID, "iss");
    ak_refused("no user", ak_bearer(ak_hs("{\"exp\":1,\"iss\":\"me\"}")),
               BH_TOKEN_INVALID, "user");
}
END_TEST

START_TEST(not_before)
{
    static const struct row rows[] = {
        {KNOWN ",\"nbf\":1795492231}", "isn't valid yet"},
        {KNOWN ",\"nbf\":9223372036854775}", "isn't valid yet"},
        {KNOWN ",\"nbf\":1795492230}", NULL}, /* the leeway */
        {KNOWN ",\"nbf\":1795492200}", NULL},
        {KNOWN ",\"nbf\":1}", NULL},
        {KNOWN ",\"nbf\":-1}", NULL},
        {KNOWN ",\"nbf\":1.5}", "nbf isn't a whole number"},
        {KNOWN ",\"nbf\":1795492300.5}", "nbf isn't a whole number"},
        {KNOWN ",\"nbf\":\"1\"}", "nbf isn't a whole number"},
        {KNOWN ",\"nbf\":null}", "nbf isn't a whole number"},
        {KNOWN ",\"nbf\":9223372036854776}", "nbf isn't a whole number"},
        {KNOWN ",\"nbf\":1,\"nbf\":1}", "one JSON object"},
    };

    ak_open(AK_DOMAIN AK_HS);
    judge(rows, bh_countof(rows));
    ak_open(AK_DOMAIN AK_HS "token { leeway_seconds = 0 }\n");
    judge(&(struct row){KNOWN ",\"nbf\":1795492201}", "isn't valid yet"}, 1);
    judge(&(struct row){KNOWN ",\"nbf\":1795492200}", NULL}, 1);
    /* It becomes good with the time. */
    bh_clock_fake(2000, (AK_NOW + 1) * 1000LL);
    judge(&(struct row){KNOWN ",\"nbf\":1795492201}", NULL}, 1);
}
END_TEST

/* ---- issuer and audience ---- */

START_TEST(issuer_and_audience)
{
    static const struct row rows[] = {
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":\"api\"}", NULL},
        {KNOWN ",\"iss\":\"https:\\/\\/id/\",\"aud\":\"\\u0061pi\"}", NULL},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":[\"api\"]}", NULL},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":[1,\"x\",\"api\",\"y\"]}",
         NULL},
        {KNOWN ",\"aud\":\"api\"}", "iss"},
        {KNOWN ",\"iss\":\"https://id\",\"aud\":\"api\"}", "iss"},
        {KNOWN ",\"iss\":\"https://id/x\",\"aud\":\"api\"}", "iss"},
        {KNOWN ",\"iss\":\"HTTPS://id/\",\"aud\":\"api\"}", "iss"},
        {KNOWN ",\"iss\":\"\",\"aud\":\"api\"}", "iss"},
        {KNOWN ",\"iss\":[\"https://id/\"],\"aud\":\"api\"}", "iss"},
        {KNOWN ",\"iss\":null,\"aud\":\"api\"}", "iss"},
        {KNOWN ",\"iss\":\"https://id/\"}", "aud"},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":\"apis\"}", "aud"},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":\"\"}", "aud"},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":null}", "aud"},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":[]}", "aud"},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":[\"x\",[\"api\"]]}", "aud"},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":{\"api\":\"api\"}}", "aud"},
        {KNOWN ",\"iss\":\"https://id/\",\"aud\":[\"api \"]}", "aud"},
    };

    ak_open(AK_DOMAIN AK_HS
            "token { issuer = \"https://id/\" audience = \"api\" }\n");
    judge(rows, bh_countof(rows));
    ak_open(AK_DOMAIN AK_HS); /* not configured: not looked at */
    judge(&(struct row){KNOWN ",\"iss\":\"x\",\"aud\":[]}", NULL}, 1);
}
END_TEST

/* ---- who, and where ---- */

/* BEFORE is a payload up to a name's value; SAYS is said where that is wrong.
 */
static void
judge_names(const char *before, const char *says)
{
    static const char *const wrong[] = {"\"\"",
                                        "null",
                                        "1",
                                        "[\"o\"]",
                                        "{}",
                                        "\"\\n\"",
                                        "\"a\\u001fb\"",
                                        "\"a\\u007fb\"",
                                        "\"a\x7f\""};
    char payload[512], name[130];

    for (size_t i = 0; i < bh_countof(wrong); i++) {
        snprintf(payload, sizeof(payload), "%s%s}", before, wrong[i]);
        judge(&(struct row){payload, says}, 1);
    }
    /* libjwt takes no U+0000, and calls it a bad signature. */
    snprintf(payload, sizeof(payload), "%s\"a\\u0000b\"}", before);
    judge(&(struct row){payload, "The token's "}, 1);
    memset(name, 'x', sizeof(name));
    for (int len = BH_NAME_MAX; len <= BH_NAME_MAX + 1; len++) {
        snprintf(payload, sizeof(payload), "%s\"%.*s\"}", before, len, name);
        judge(&(struct row){payload, len > BH_NAME_MAX ? says : NULL}, 1);
    }
}

START_TEST(user_and_org)
{
    ak_open(AK_DOMAIN AK_HS);
    judge_names("{" AK_EXP ",\"sub\":", "names no user");
    judge_names(KNOWN ",\"orgId\":", "organisation isn't a text");
    judge(&(struct row){"{" AK_EXP "}", "names no user"}, 1);

    const struct bh_claims *c = ak_granted(ak_hs(
        "{\"sub\":\"\\u00e9 \\\"q\\\" \\ud83d\\ude00\",\"orgId\":\"o\xc3\xa9/"
        "\\\\1\"," AK_EXP "}"));
    ck_assert_str_eq(c->user, "\xc3\xa9 \"q\" \xf0\x9f\x98\x80");
    ck_assert_str_eq(c->org, "o\xc3\xa9/\\1");
    ck_assert_int_eq(c->expires_ms, (AK_NOW + 600) * 1000LL);
    ck_assert(c->all_properties && c->n_properties == 0);
    ck_assert(!c->may_publish && !c->may_metrics);
    bh_claims_put(c);
    c = ak_granted(ak_hs(AK_GOOD));
    ck_assert_ptr_null(c->org);
    bh_claims_put(c);
}
END_TEST

START_TEST(other_claim_names)
{
    ak_open(AK_DOMAIN AK_HS
            "token { claim_user = uid claim_org = \"https://x/org\"\n"
            "claim_properties = hotels claim_scope = scp }\n");
    const struct bh_claims *c = ak_granted(ak_hs(
        "{\"uid\":\"u\",\"sub\":\"s\",\"https://x/org\":\"o\",\"orgId\":1,"
        "\"hotels\":[\"h\"],\"properties\":0,\"scope\":[],"
        "\"scp\":\"realtime:publish\"," AK_EXP "}"));
    ck_assert_str_eq(c->user, "u");
    ck_assert_str_eq(c->org, "o");
    ck_assert(!c->all_properties && bh_claims_permit(c, "h"));
    ck_assert(c->may_publish);
    bh_claims_put(c);
    judge(&(struct row){AK_GOOD, "names no user"}, 1);
}
END_TEST

/* What can't be on the deny list is as good as none. */
START_TEST(jti)
{
    static const struct {
        const char *payload, *jti;
    } rows[] = {
        {KNOWN "}", NULL},
        {KNOWN ",\"jti\":\"t-\\u0031\"}", "t-1"},
        {KNOWN ",\"jti\":\"\"}", NULL},
        {KNOWN ",\"jti\":17}", NULL},
        {KNOWN ",\"jti\":null}", NULL},
        {KNOWN ",\"jti\":\"a\\nb\",\"scope\":\"realtime:publish\"}", NULL},
    };

    ak_open(AK_DOMAIN AK_HS);
    for (size_t i = 0; i < bh_countof(rows); i++) {
        const struct bh_claims *c = ak_granted(ak_hs(rows[i].payload));
        ck_assert_pstr_eq(c->jti, rows[i].jti);
        ck_assert_str_eq(c->user, "u");
        bh_claims_put(c);
    }
}
END_TEST

START_TEST(duplicates)
{
    static const struct row rows[] = {
        {KNOWN ",\"sub\":\"u\"}", "one JSON object"},
        {KNOWN ",\"orgId\":\"a\",\"orgId\":\"b\"}", "one JSON object"},
        {KNOWN ",\"orgId\":\"a\",\"org\\u0049d\":\"b\"}", "one JSON object"},
        {KNOWN ",\"properties\":[],\"properties\":[\"p\"]}", "one JSON object"},
        {KNOWN ",\"x\":[{\"a\":1,\"a\":1}]}", "one JSON object"},
        {KNOWN ",\"x\":[{\"a\":1},{\"a\":1}]}", NULL},
    };

    ak_open(AK_DOMAIN AK_HS);
    judge(rows, bh_countof(rows));
}
END_TEST

/* ---- properties ---- */

START_TEST(properties)
{
    static const struct row rows[] = {
        {KNOWN ",\"properties\":null}", "properties aren't"},
        {KNOWN ",\"properties\":\"p\"}", "properties aren't"},
        {KNOWN ",\"properties\":{\"p\":\"p\"}}", "properties aren't"},
        {KNOWN ",\"properties\":1}", "properties aren't"},
        {KNOWN ",\"properties\":[1]}", "properties aren't"},
        {KNOWN ",\"properties\":[\"p\",null]}", "properties aren't"},
        {KNOWN ",\"properties\":[[\"p\"]]}", "properties aren't"},
        {KNOWN ",\"properties\":[\"\"]}", "properties aren't"},
        {KNOWN ",\"properties\":[\"a\\u0001\"]}", "properties aren't"},
        {KNOWN ",\"properties\":[]}", NULL},
    };

    ak_open(AK_DOMAIN AK_HS);
    judge(rows, bh_countof(rows));
    const struct bh_claims *c = ak_granted(ak_hs(
        KNOWN ",\"properties\":[\"p2\",\"p10\",\"p2\",\"p1\",\"\\u00702\","
              "\"\xc3\xa9\"]}"));
    static const char *const sorted[] = {"p1", "p10", "p2", "\xc3\xa9"};
    ck_assert(!c->all_properties);
    ck_assert_uint_eq(c->n_properties, bh_countof(sorted));
    for (size_t i = 0; i < bh_countof(sorted); i++) {
        ck_assert_str_eq(c->properties[i], sorted[i]);
        ck_assert(bh_claims_permit(c, sorted[i]));
    }
    ck_assert(!bh_claims_permit(c, "p"));
    ck_assert(!bh_claims_permit(c, "p3"));
    ck_assert(!bh_claims_permit(c, ""));
    bh_claims_put(c);
    c = ak_granted(ak_hs(AK_GOOD));
    ck_assert(bh_claims_permit(c, "whatever"));
    bh_claims_put(c);
    c = ak_granted(ak_hs(KNOWN ",\"properties\":[]}"));
    ck_assert(!c->all_properties && !bh_claims_permit(c, "p"));
    bh_claims_put(c);
}
END_TEST

START_TEST(many_properties)
{
    char payload[6000];

    ak_open(AK_DOMAIN AK_HS);
    for (int n = BH_PROPERTIES_MAX; n <= BH_PROPERTIES_MAX + 1; n++) {
        char *p = stpcpy(payload, KNOWN ",\"properties\":[");
        for (int i = 0; i < n; i++)
            p += sprintf(p, "%s\"property %d\"", i > 0 ? "," : "", i);
        strcpy(p, "]}");
        judge(&(struct row){payload,
                            n > BH_PROPERTIES_MAX ? "at most 256" : NULL},
              1);
    }
    payload[strlen(payload) - 2] = '\0';
    *strrchr(payload, ',') = ']'; /* without the last */
    strcpy(strrchr(payload, ']') + 1, "}");
    const struct bh_claims *c = ak_granted(ak_hs(payload));
    ck_assert_uint_eq(c->n_properties, BH_PROPERTIES_MAX);
    ck_assert(bh_claims_permit(c, "property 0"));
    ck_assert(bh_claims_permit(c, "property 255"));
    ck_assert(!bh_claims_permit(c, "property 256"));
    bh_claims_put(c);
}
END_TEST

/* ---- scope ---- */

START_TEST(scopes)
{
    static const struct {
        const char *scope;
        bool publish, metrics;
    } rows[] = {
        {"\"\"", false, false},
        {"\"realtime:publish\"", true, false},
        {"\"realtime:metrics\"", false, true},
        {"\"openid realtime:publish  realtime:metrics \"", true, true},
        {"\"realtime\\u003apublish\"", true, false},
        {"[]", false, false},
        {"[\"x\",\"realtime:metrics\"]", false, true},
        {"[\"realtime:metrics\",\"realtime:publish\"]", true, true},
        {"\"realtime:publisher\"", false, false},
        {"\"realtime:publis\"", false, false},
        {"\"xrealtime:publish\"", false, false},
        {"\"REALTIME:PUBLISH\"", false, false},
        {"\"realtime:publish,realtime:metrics\"", false, false},
        {"\"realtime:publish\\tx\"", false, false},
    };
    static const struct row wrong[] = {
        {KNOWN ",\"scope\":1}", "scope is neither"},
        {KNOWN ",\"scope\":null}", "scope is neither"},
        {KNOWN ",\"scope\":{\"realtime:publish\":true}}", "scope is neither"},
        {KNOWN ",\"scope\":[\"realtime:publish\",1]}", "scope is neither"},
        {KNOWN ",\"scope\":[[\"realtime:publish\"]]}", "scope is neither"},
    };
    char payload[256];

    ak_open(AK_DOMAIN AK_HS);
    for (size_t i = 0; i < bh_countof(rows); i++) {
        snprintf(payload, sizeof(payload), KNOWN ",\"scope\":%s}",
                 rows[i].scope);
        const struct bh_claims *c = ak_granted(ak_hs(payload));
        ck_assert_msg(c->may_publish == rows[i].publish &&
                          c->may_metrics == rows[i].metrics,
                      "%s", payload);
        bh_claims_put(c);
    }
    judge(wrong, bh_countof(wrong));
}
END_TEST

/* The n-th allocation fails: the client is told to try again, never that its
 * token is bad, and nothing is left over. */
START_TEST(no_memory)
{
    char authorization[1024];
    const struct bh_claims *c;
    const char *why = NULL;
    struct bh_auth *a = ak_open(
        AK_DOMAIN AK_HS "token { issuer = me audience = you cache = 0 }\n");

    strcpy(
        authorization,
        ak_bearer(ak_hs(KNOWN ",\"iss\":\"m\\u0065\",\"aud\":[\"yo\\u0075\"],"
                              "\"orgId\":\"o\",\"properties\":[\"p\",\"q\"],"
                              "\"scope\":[\"a b\",\"c\"]}")));
    size_t before = bh_mem_used();
    for (unsigned long n = 1;; n++) {
        bh_mem_fail_at(n);
        enum bh_refusal r = bh_auth_check(a, authorization, &c, &why);
        if (bh_mem_fail_at(0)) {
            ck_assert_int_eq(r, BH_GRANTED);
            ck_assert_uint_gt(n, 4);
            bh_claims_put(c);
            break;
        }
        ck_assert_msg(r == BH_INTERNAL, "allocation %lu: %d", n, (int)r);
        ck_assert_ptr_nonnull(strstr(why, "memory"));
        ck_assert_ptr_null(c);
        ck_assert_uint_eq(bh_mem_used(), before);
    }
    ck_assert_uint_eq(bh_mem_used(), before);
}
END_TEST

Suite *
check_auth_claims(void)
{
    Suite *suite = suite_create("auth_claims");
    TCase *tc = tcase_create("auth_claims");

    tcase_add_unchecked_fixture(tc, ak_make_folder, ak_remove_folder);
    tcase_add_checked_fixture(tc, ak_start, ak_stop);
    tcase_add_test(tc, expiry_must_be_a_number);
    tcase_add_test(tc, expired);
    tcase_add_test(tc, expired_and_wrong);
    tcase_add_test(tc, not_before);
    tcase_add_test(tc, issuer_and_audience);
    tcase_add_test(tc, user_and_org);
    tcase_add_test(tc, other_claim_names);
    tcase_add_test(tc, jti);
    tcase_add_test(tc, duplicates);
    tcase_add_test(tc, properties);
    tcase_add_test(tc, many_properties);
    tcase_add_test(tc, scopes);
    tcase_add_test(tc, no_memory);
    suite_add_tcase(suite, tc);
    return suite;
}
