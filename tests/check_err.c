#include "err.h"

#include <ctype.h>
#include <string.h>

#include "buf.h"
#include "mem.h"
#include "suites.h"

START_TEST(words_are_unique_and_plain)
{
    for (int i = BH_GRANTED + 1; i < BH_REFUSAL_COUNT; i++) {
        const char *word = bh_refusal_word((enum bh_refusal)i);
        ck_assert_uint_gt(strlen(word), 0);
        for (const char *p = word; *p != '\0'; p++)
            ck_assert(islower((unsigned char)*p) || *p == '_');
        for (int j = BH_GRANTED + 1; j < i; j++)
            ck_assert_str_ne(word, bh_refusal_word((enum bh_refusal)j));
    }
}
END_TEST

START_TEST(every_row_is_complete)
{
    for (int i = BH_GRANTED + 1; i < BH_REFUSAL_COUNT; i++) {
        enum bh_refusal r = (enum bh_refusal)i;
        const char *next = bh_refusal_next(r);
        ck_assert_int_ge(bh_refusal_status(r), 400);
        ck_assert_str_ne(bh_status_phrase(bh_refusal_status(r)), "");
        ck_assert_str_ne(bh_refusal_title(r), "");
        ck_assert_int_eq(next[strlen(next) - 1], '.');
    }
}
END_TEST

START_TEST(the_contracts_statuses)
{
    ck_assert_int_eq(bh_refusal_status(BH_TOKEN_EXPIRED), 401);
    ck_assert_int_eq(bh_refusal_status(BH_EVENT_CONFLICT), 409);
    ck_assert_int_eq(bh_refusal_status(BH_GONE), 410);
    ck_assert_int_eq(bh_refusal_status(BH_INVALID_EVENT), 422);
    ck_assert_int_eq(bh_refusal_status(BH_DOMAIN_DISABLED), 503);
    ck_assert_str_eq(bh_refusal_word(BH_LOG_UNAVAILABLE), "log_unavailable");
}
END_TEST

START_TEST(phrases)
{
    ck_assert_str_eq(bh_status_phrase(200), "OK");
    ck_assert_str_eq(bh_status_phrase(204), "No Content");
    ck_assert_str_eq(bh_status_phrase(503), "Service Unavailable");
    ck_assert_str_eq(bh_status_phrase(299), "");
}
END_TEST

START_TEST(body_of_one)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_refusal_body(&b, BH_SUPERSEDED);
    ck_assert_str_eq(bh_buf_cstr(&b),
                     "{\"type\":\"about:blank\",\"title\":\"Superseded\","
                     "\"status\":409,\"detail\":\"A newer request of the same "
                     "X-Client-Id took this one's place.\","
                     "\"code\":\"superseded\"}");
    bh_buf_fini(&b);
}
END_TEST

/* bh_refusal_body escapes nothing, so nothing may need it. */
START_TEST(bodies_need_no_escaping)
{
    struct bh_buf b = BH_BUF_INIT;

    for (int i = BH_GRANTED + 1; i < BH_REFUSAL_COUNT; i++) {
        size_t quotes = 0;
        bh_buf_reset(&b);
        bh_refusal_body(&b, (enum bh_refusal)i);
        ck_assert(!b.failed);
        for (size_t k = 0; k < b.len; k++) {
            ck_assert(isprint((unsigned char)b.p[k]));
            ck_assert_int_ne(b.p[k], '\\');
            quotes += b.p[k] == '"';
        }
        ck_assert_uint_eq(quotes, 5 * 2 + 4 * 2);
    }
    bh_buf_fini(&b);
}
END_TEST

START_TEST(body_without_memory)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_mem_fail_at(1);
    bh_refusal_body(&b, BH_INTERNAL);
    ck_assert(b.failed);
    bh_buf_fini(&b);
}
END_TEST

Suite *
check_err(void)
{
    Suite *s = suite_create("err");
    TCase *tc = tcase_create("err");

    tcase_add_test(tc, words_are_unique_and_plain);
    tcase_add_test(tc, every_row_is_complete);
    tcase_add_test(tc, the_contracts_statuses);
    tcase_add_test(tc, phrases);
    tcase_add_test(tc, body_of_one);
    tcase_add_test(tc, bodies_need_no_escaping);
    tcase_add_test(tc, body_without_memory);
    suite_add_tcase(s, tc);
    return s;
}
