#include "clock.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "suites.h"

START_TEST(real_clocks)
{
    int64_t before = bh_now_ms(), us = bh_now_us();
    int64_t wall = bh_wall_ms(), system = (int64_t)time(NULL) * 1000;

    ck_assert_int_gt(before, 0);
    ck_assert_int_ge(bh_now_ms(), before);
    ck_assert_int_ge(us / 1000, before);
    ck_assert_int_lt(us / 1000, before + 10000);
    ck_assert_int_ge(wall, system - 10000);
    ck_assert_int_le(wall, system + 10000);
}
END_TEST

START_TEST(fake_clocks_stand)
{
    bh_clock_fake(5000, 1763900000123);
    ck_assert_int_eq(bh_now_ms(), 5000);
    ck_assert_int_eq(bh_now_us(), 5000000);
    ck_assert_int_eq(bh_wall_ms(), 1763900000123);
    bh_clock_fake(5001, 7);
    ck_assert_int_eq(bh_now_ms(), 5001);
    ck_assert_int_eq(bh_wall_ms(), 7);
    bh_clock_real();
    ck_assert_int_gt(bh_wall_ms(), 1763900000123);
}
END_TEST

START_TEST(random_stays_below)
{
    static const uint32_t bounds[] = {1, 2, 3, 10, 1u << 31, UINT32_MAX};

    for (size_t i = 0; i < bh_countof(bounds); i++)
        for (int n = 0; n < 1000; n++)
            ck_assert_uint_lt(bh_random_below(bounds[i]), bounds[i]);
}
END_TEST

/* Each of seven values within a tenth (over ten standard deviations) of its
 * share. Below three quarters of 2^32, scaling alone would make multiples of
 * three as frequent as all others together, and a remainder the low ones. */
START_TEST(random_is_even)
{
    int seen[7] = {0}, low = 0, threes = 0;

    for (int n = 0; n < 70000; n++) seen[bh_random_below(7)]++;
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_gt(seen[i], 9000);
        ck_assert_int_lt(seen[i], 11000);
    }
    for (int n = 0; n < 60000; n++) {
        uint32_t v = bh_random_below(3u << 30);
        low += v < 1u << 30;
        threes += v % 3 == 0;
    }
    ck_assert_int_gt(low, 18000);
    ck_assert_int_lt(low, 22000);
    ck_assert_int_gt(threes, 18000);
    ck_assert_int_lt(threes, 22000);
}
END_TEST

static void *
first_numbers(void *arg)
{
    uint32_t *v = arg;

    for (size_t i = 0; i < 4; i++) v[i] = bh_random_below(UINT32_MAX);
    return NULL;
}

START_TEST(threads_differ)
{
    uint32_t mine[4], other[4];
    pthread_t t;

    ck_assert_int_eq(pthread_create(&t, NULL, first_numbers, other), 0);
    pthread_join(t, NULL);
    first_numbers(mine);
    ck_assert_mem_ne(mine, other, sizeof mine);
}
END_TEST

START_TEST(bytes_fill_all)
{
    unsigned char a[1000] = {0}, zeros[16] = {0};

    bh_random_bytes(a, sizeof a);
    for (size_t i = 0; i + 16 < sizeof a; i += 16)
        ck_assert_mem_ne(a + i, zeros, 16);
    bh_random_bytes(a, 0);
}
END_TEST

START_TEST(hex_digits)
{
    char a[33], b[33];

    memset(a, '?', sizeof a);
    bh_random_hex(a, 16);
    bh_random_hex(b, 16);
    ck_assert_uint_eq(strlen(a), 32);
    ck_assert_uint_eq(strspn(a, "0123456789abcdef"), 32);
    ck_assert_str_ne(a, b);
    bh_random_hex(a, 0);
    ck_assert_str_eq(a, "");
}
END_TEST

Suite *
check_clock(void)
{
    Suite *s = suite_create("clock");
    TCase *tc = tcase_create("clock");

    tcase_add_test(tc, real_clocks);
    tcase_add_test(tc, fake_clocks_stand);
    tcase_add_test(tc, random_stays_below);
    tcase_add_test(tc, random_is_even);
    tcase_add_test(tc, threads_differ);
    tcase_add_test(tc, bytes_fill_all);
    tcase_add_test(tc, hex_digits);
    suite_add_tcase(s, tc);
    return s;
}
