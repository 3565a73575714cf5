#include "heap.h"

#include <errno.h>

#include "clock.h"
#include "mem.h"
#include "suites.h"

#define MANY 500

static struct bh_heap heap;
static struct bh_timer timers[MANY];

static void
setup(void)
{
    bh_heap_init(&heap);
    for (size_t i = 0; i < MANY; i++) bh_timer_init(&timers[i]);
}

static void
teardown(void)
{
    bh_heap_fini(&heap);
}

START_TEST(empty)
{
    ck_assert_ptr_null(bh_heap_first(&heap));
    bh_heap_del(&heap, &timers[0]);
    ck_assert(bh_heap_valid(&heap));
}
END_TEST

START_TEST(comes_out_in_order)
{
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_int_eq(
            bh_heap_set(&heap, &timers[i], bh_random_below(MANY / 4)), 0);
    ck_assert_uint_eq(heap.len, MANY);
    int64_t last = INT64_MIN;
    while (heap.len > 0) {
        struct bh_timer *t = bh_heap_first(&heap);
        ck_assert_int_ge(t->at, last);
        last = t->at;
        bh_heap_del(&heap, t);
        ck_assert_uint_eq(t->index, BH_HEAP_NONE);
        ck_assert(bh_heap_valid(&heap));
    }
}
END_TEST

/* The earliest of those that are in, by looking at all. */
static int64_t
earliest(void)
{
    int64_t at = INT64_MAX;

    for (size_t i = 0; i < MANY; i++)
        if (timers[i].index != BH_HEAP_NONE && timers[i].at < at)
            at = timers[i].at;
    return at;
}

START_TEST(random_operations)
{
    for (int step = 0; step < 20000; step++) {
        struct bh_timer *t = &timers[bh_random_below(MANY)];
        if (bh_random_below(3) == 0)
            bh_heap_del(&heap, t);
        else
            ck_assert_int_eq(
                bh_heap_set(&heap, t, (int64_t)bh_random_below(1000) - 500), 0);
        if (step % 16 != 0) continue;
        ck_assert(bh_heap_valid(&heap));
        struct bh_timer *first = bh_heap_first(&heap);
        ck_assert_int_eq(first != NULL ? first->at : INT64_MAX, earliest());
    }
}
END_TEST

START_TEST(moves_both_ways)
{
    for (int64_t i = 0; i < 10; i++) bh_heap_set(&heap, &timers[i], i * 10);
    bh_heap_set(&heap, &timers[9], -1);
    ck_assert_ptr_eq(bh_heap_first(&heap), &timers[9]);
    bh_heap_set(&heap, &timers[9], 1000);
    ck_assert_ptr_eq(bh_heap_first(&heap), &timers[0]);
    ck_assert_uint_eq(heap.len, 10);
    ck_assert(bh_heap_valid(&heap));
    bh_heap_del(&heap, &timers[3]);
    bh_heap_del(&heap, &timers[3]);
    ck_assert_uint_eq(heap.len, 9);
}
END_TEST

START_TEST(valid_tells_the_invalid)
{
    for (int64_t i = 0; i < 5; i++) bh_heap_set(&heap, &timers[i], i);
    timers[0].at = 100;
    ck_assert(!bh_heap_valid(&heap));
    timers[0].at = 0;
    ck_assert(bh_heap_valid(&heap));
    timers[4].index = 3;
    ck_assert(!bh_heap_valid(&heap));
}
END_TEST

START_TEST(no_memory_for_another)
{
    size_t i = 0;

    do ck_assert_int_eq(bh_heap_set(&heap, &timers[i], (int64_t)i), 0);
    while (++i < heap.cap);
    bh_mem_fail_at(1);
    ck_assert_int_eq(bh_heap_set(&heap, &timers[i], 0), -ENOMEM);
    ck_assert_uint_eq(timers[i].index, BH_HEAP_NONE);
    ck_assert_uint_eq(heap.len, i);
    ck_assert(bh_heap_valid(&heap));
    /* Moving needs none. */
    bh_mem_fail_at(1);
    ck_assert_int_eq(bh_heap_set(&heap, &timers[0], 1000), 0);
    bh_mem_fail_at(0);
    ck_assert_int_eq(bh_heap_set(&heap, &timers[i], 0), 0);
}
END_TEST

START_TEST(gives_memory_back)
{
    for (int64_t i = 0; i < MANY; i++) bh_heap_set(&heap, &timers[i], i);
    uint32_t full = heap.cap;
    bh_mem_fail_at(1); /* the first try to shrink fails, without harm */
    for (int64_t i = 0; i < MANY; i++) bh_heap_del(&heap, &timers[i]);
    ck_assert(!bh_mem_fail_at(0));
    ck_assert_uint_lt(heap.cap, full);
    ck_assert_uint_eq(heap.len, 0);
}
END_TEST

Suite *
check_heap(void)
{
    Suite *s = suite_create("heap");
    TCase *tc = tcase_create("heap");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, empty);
    tcase_add_test(tc, comes_out_in_order);
    tcase_add_test(tc, random_operations);
    tcase_add_test(tc, moves_both_ways);
    tcase_add_test(tc, valid_tells_the_invalid);
    tcase_add_test(tc, no_memory_for_another);
    tcase_add_test(tc, gives_memory_back);
    suite_add_tcase(s, tc);
    return s;
}
