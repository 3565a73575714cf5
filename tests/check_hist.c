/* check_hist.c: the histogram: its stated error, and nothing lost. */
#include "hist.h"

#include <stdlib.h>

#include "suites.h"

static struct bh_hist h;

static void
start(void)
{
    h = (struct bh_hist){.count = 0};
}

START_TEST(an_empty_one)
{
    ck_assert_uint_eq(bh_hist_percentile(&h, 50), 0);
    ck_assert_uint_eq(bh_hist_within(&h, 1000), 0);
}
END_TEST

START_TEST(small_values_are_exact)
{
    for (int i = 1; i <= 20; i++) bh_hist_add(&h, i);
    ck_assert_uint_eq(bh_hist_percentile(&h, 50), 10);
    ck_assert_uint_eq(bh_hist_percentile(&h, 100), 20);
    ck_assert_uint_eq(bh_hist_within(&h, 5), 5);
    ck_assert_uint_eq(h.max, 20);
}
END_TEST

/* At most 3 % too high, never too low, over all sizes. */
START_TEST(percentiles_are_nearly_right)
{
    for (uint64_t v = 1; v < 1ULL << 39; v += v / 7 + 1) {
        h = (struct bh_hist){.count = 0};
        bh_hist_add(&h, (int64_t)v);
        bh_hist_add(&h, (int64_t)v * 2);
        uint64_t p = bh_hist_percentile(&h, 50);
        ck_assert_uint_ge(p, v);
        ck_assert_uint_le(p, v + v * 3 / 100 + 1);
    }
}
END_TEST

START_TEST(many_at_once)
{
    bh_hist_add_n(&h, 3, 99);
    bh_hist_add_n(&h, 5000, 1);
    bh_hist_add_n(&h, 9, 0);
    ck_assert_uint_eq(h.count, 100);
    ck_assert_uint_eq(bh_hist_percentile(&h, 99), 3);
    ck_assert_uint_eq(bh_hist_percentile(&h, 99.5), 5000);
    ck_assert_uint_eq(bh_hist_within(&h, 4), 99);
    ck_assert_uint_eq(bh_hist_within(&h, 10000), 100);
}
END_TEST

START_TEST(what_is_out_of_bounds)
{
    bh_hist_add(&h, -5);
    bh_hist_add(&h, INT64_MAX);
    ck_assert_uint_eq(h.count, 2);
    ck_assert_uint_eq(bh_hist_within(&h, 0), 1);
    ck_assert_uint_eq(h.max, INT64_MAX);
}
END_TEST

Suite *
check_hist(void)
{
    Suite *s = suite_create("hist");
    TCase *t = tcase_create("hist");

    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_test(t, an_empty_one);
    tcase_add_test(t, small_values_are_exact);
    tcase_add_test(t, percentiles_are_nearly_right);
    tcase_add_test(t, many_at_once);
    tcase_add_test(t, what_is_out_of_bounds);
    suite_add_tcase(s, t);
    return s;
}
