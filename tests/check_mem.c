#include "mem.h"

#include <pthread.h>
#include <string.h>

#include "suites.h"

START_TEST(counts_what_is_held)
{
    size_t before = bh_mem_used();
    char *p = bh_alloc(1000);

    ck_assert_ptr_nonnull(p);
    ck_assert_uint_ge(bh_mem_used(), before + 1000);
    p = bh_realloc(p, 5000);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_ge(bh_mem_used(), before + 5000);
    ck_assert_uint_lt(bh_mem_used(), before + 6000);
    bh_free(p);
    ck_assert_uint_eq(bh_mem_used(), before);
    bh_free(NULL);
    ck_assert_uint_eq(bh_mem_used(), before);
}
END_TEST

START_TEST(zalloc_is_zeroed)
{
    static const char zeros[256];
    char *p = bh_alloc(256);

    ck_assert_ptr_nonnull(p);
    memset(p, 0xff, 256);
    bh_free(p);
    p = bh_zalloc(256);
    ck_assert_mem_eq(p, zeros, 256);
    bh_free(p);
}
END_TEST

START_TEST(no_bytes_are_no_failure)
{
    void *p = bh_alloc(0), *q = bh_zalloc(0), *r = bh_alloc(8);

    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_nonnull(q);
    r = bh_realloc(r, 0);
    ck_assert_ptr_nonnull(r);
    bh_free(p);
    bh_free(q);
    bh_free(r);
}
END_TEST

START_TEST(strndup_copies_and_ends)
{
    char *p = bh_strndup("abcdef", 3), *empty = bh_strndup(NULL, 0);

    ck_assert_str_eq(p, "abc");
    ck_assert_str_eq(empty, "");
    ck_assert_ptr_null(bh_strndup("x", SIZE_MAX));
    bh_free(p);
    bh_free(empty);
}
END_TEST

START_TEST(the_nth_fails_once)
{
    ck_assert(!bh_mem_fail_at(3));
    void *a = bh_alloc(1), *b = bh_zalloc(1);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_null(bh_strndup("x", 1));
    void *c = bh_alloc(1);
    ck_assert_ptr_nonnull(c);
    ck_assert(!bh_mem_fail_at(2));
    ck_assert(bh_mem_fail_at(0));
    ck_assert(!bh_mem_fail_at(0));
    bh_free(a);
    bh_free(b);
    bh_free(c);
}
END_TEST

START_TEST(a_failed_realloc_keeps_the_block)
{
    size_t before = bh_mem_used();
    char *p = bh_strndup("kept", 4);

    bh_mem_fail_at(1);
    ck_assert_ptr_null(bh_realloc(p, 100000));
    ck_assert_str_eq(p, "kept");
    bh_free(p);
    ck_assert_uint_eq(bh_mem_used(), before);
}
END_TEST

static void *
churn(void *arg)
{
    for (size_t i = 1; i < 5000; i++) {
        void *p = bh_realloc(bh_alloc(i), i * 2);
        bh_free(p);
    }
    return arg;
}

START_TEST(threads_keep_the_count)
{
    size_t before = bh_mem_used();
    pthread_t t[4];

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, churn, NULL), 0);
    for (size_t i = 0; i < 4; i++) pthread_join(t[i], NULL);
    ck_assert_uint_eq(bh_mem_used(), before);
}
END_TEST

START_TEST(wipe_clears)
{
    char secret[8] = "secret!", zeros[8] = {0};

    bh_wipe(secret, sizeof secret);
    ck_assert_mem_eq(secret, zeros, sizeof secret);
    bh_wipe(NULL, 0);
}
END_TEST

Suite *
check_mem(void)
{
    Suite *s = suite_create("mem");
    TCase *tc = tcase_create("mem");

    tcase_add_test(tc, counts_what_is_held);
    tcase_add_test(tc, zalloc_is_zeroed);
    tcase_add_test(tc, no_bytes_are_no_failure);
    tcase_add_test(tc, strndup_copies_and_ends);
    tcase_add_test(tc, the_nth_fails_once);
    tcase_add_test(tc, a_failed_realloc_keeps_the_block);
    tcase_add_test(tc, threads_keep_the_count);
    tcase_add_test(tc, wipe_clears);
    suite_add_tcase(s, tc);
    return s;
}
