/* check_active.c: how many orgs were active: nearly, and only lately. */
#include "broker/active.h"

#include <stdlib.h>

#include "suites.h"

static struct bh_active *a;

static void
start(void)
{
    a = calloc(1, sizeof *a);
}

static void
finish(void)
{
    free(a);
}

/* The same in every run (SplitMix64): with the programs' keyed hash one run in
 * two hundred would find two of ten in one register. */
static uint64_t
hash_of(int i)
{
    uint64_t z = (uint64_t)(i + 1) * 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void
add(int from, int to, int64_t now)
{
    for (int i = from; i < to; i++) bh_active_add(a, hash_of(i), now);
}

START_TEST(few_are_exact)
{
    ck_assert_uint_eq(bh_active_count(a, 0), 0);
    for (int i = 0; i < 10; i++) {
        add(i, i + 1, 1000);
        add(0, i + 1, 2000); /* the same again */
        ck_assert_int_eq((int)bh_active_count(a, 3000), i + 1);
    }
}
END_TEST

START_TEST(many_are_near)
{
    for (int n = 1000; n <= 1000000; n *= 10) {
        add(0, n, 1000);
        int got = (int)bh_active_count(a, 1000);
        /* Twice the error that active.h claims. */
        ck_assert_int_ge(got, n - n / 16);
        ck_assert_int_le(got, n + n / 16);
    }
}
END_TEST

START_TEST(forgotten_after_five_minutes)
{
    add(0, 5, 0);
    add(5, 8, 240000);
    ck_assert_uint_eq(bh_active_count(a, 299999), 8);
    ck_assert_uint_eq(bh_active_count(a, 360000), 3);
    ck_assert_uint_eq(bh_active_count(a, 10000000), 0);
    add(8, 9, 10000000);
    ck_assert_uint_eq(bh_active_count(a, 10000000), 1);
}
END_TEST

Suite *
check_active(void)
{
    Suite *s = suite_create("active");
    TCase *t = tcase_create("active");

    tcase_add_checked_fixture(t, start, finish);
    tcase_add_test(t, few_are_exact);
    tcase_add_test(t, many_are_near);
    tcase_add_test(t, forgotten_after_five_minutes);
    suite_add_tcase(s, t);
    return s;
}
