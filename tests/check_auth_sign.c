/* check_auth_sign.c: what is signed here is taken here. */
#include "authkit.h"

#include <string.h>

#include "mem.h"
#include "suites.h"

/* The grant signed under CONF, judged by the same configuration. */
static enum bh_refusal
round_trip(const char *conf, const struct bh_grant *g,
           const struct bh_claims **out)
{
    char err[256];
    const char *why;
    char *token = bh_auth_sign(ak_conf(conf), g, err, sizeof err);

    ck_assert_msg(token != NULL, "%s", err);
    enum bh_refusal r =
        bh_auth_check(ak_open(conf), ak_bearer(token), out, &why);
    bh_free(token);
    return r;
}

START_TEST(every_kind_of_key)
{
    static const char *const confs[] = {AK_DOMAIN AK_HS, AK_DOMAIN AK_RS,
                                        AK_DOMAIN AK_ES};
    static const char *const properties[] = {"p-2", "p-1"};
    static const char *const scopes[] = {"realtime:publish",
                                         "realtime:metrics"};
    const struct bh_grant g = {.user = "anna",
                               .org = "hotel \"1\"",
                               .properties = properties,
                               .n_properties = 2,
                               .scopes = scopes,
                               .n_scopes = 2,
                               .ttl_s = 60};

    for (size_t i = 0; i < bh_countof(confs); i++) {
        const struct bh_claims *c;

        ck_assert_int_eq(round_trip(confs[i], &g, &c), BH_GRANTED);
        ck_assert_str_eq(c->user, "anna");
        ck_assert_str_eq(c->org, "hotel \"1\"");
        ck_assert(c->may_publish && c->may_metrics && !c->all_properties);
        ck_assert_uint_eq(c->n_properties, 2);
        ck_assert_str_eq(c->properties[0], "p-1");
        ck_assert_int_eq(c->expires_ms, (AK_NOW + 60) * 1000LL);
        bh_claims_put(c);
    }
}
END_TEST

START_TEST(as_little_as_possible)
{
    const struct bh_grant g = {.user = "u", .ttl_s = 1};
    const struct bh_claims *c;

    ck_assert_int_eq(round_trip(AK_DOMAIN AK_HS, &g, &c), BH_GRANTED);
    ck_assert_ptr_null(c->org);
    ck_assert(c->all_properties && !c->may_publish && !c->may_metrics);
    bh_claims_put(c);
}
END_TEST

START_TEST(expired_on_purpose)
{
    const struct bh_grant g = {.user = "u", .ttl_s = -1};
    const struct bh_claims *c;

    ck_assert_int_eq(round_trip(AK_DOMAIN AK_HS, &g, &c), BH_TOKEN_EXPIRED);
}
END_TEST

START_TEST(chooses_the_key)
{
    struct bh_grant g = {.user = "u", .ttl_s = 60, .kid = "es"};
    const struct bh_claims *c;
    char err[256];

    ck_assert_int_eq(round_trip(AK_DOMAIN AK_HS AK_ES, &g, &c), BH_GRANTED);
    bh_claims_put(c);
    g.kid = "nobody's";
    ck_assert_ptr_null(
        bh_auth_sign(ak_conf(AK_DOMAIN AK_HS), &g, err, sizeof err));
    ck_assert_ptr_nonnull(strstr(err, "no key of this kid"));
    g.kid = NULL;
    ck_assert_ptr_null(bh_auth_sign(
        ak_conf(AK_DOMAIN "key rs { algorithm = RS256 file = rs.pub }\n"), &g,
        err, sizeof err));
    ck_assert_ptr_nonnull(strstr(err, "sign_file"));
}
END_TEST

START_TEST(refuses_what_no_token_may_hold)
{
    const struct bh_grant control = {.user = "a\nb", .ttl_s = 60};
    const struct bh_grant empty = {.user = "u", .org = "", .ttl_s = 60};
    const struct bh_conf *conf = ak_conf(AK_DOMAIN AK_HS);
    char err[256];

    ck_assert_ptr_null(bh_auth_sign(conf, &control, err, sizeof err));
    ck_assert_ptr_nonnull(strstr(err, "the user"));
    ck_assert_ptr_null(bh_auth_sign(conf, &empty, err, sizeof err));
    ck_assert_ptr_nonnull(strstr(err, "the organisation"));
}
END_TEST

Suite *
check_auth_sign(void)
{
    Suite *suite = suite_create("auth_sign");
    TCase *tc = tcase_create("auth_sign");

    tcase_add_unchecked_fixture(tc, ak_make_folder, ak_remove_folder);
    tcase_add_checked_fixture(tc, ak_start, ak_stop);
    tcase_add_test(tc, every_kind_of_key);
    tcase_add_test(tc, as_little_as_possible);
    tcase_add_test(tc, expired_on_purpose);
    tcase_add_test(tc, chooses_the_key);
    tcase_add_test(tc, refuses_what_no_token_may_hold);
    suite_add_tcase(suite, tc);
    return suite;
}
