#include "buf.h"

#include <string.h>

#include "mem.h"
#include "suites.h"

START_TEST(appends_and_grows)
{
    struct bh_buf b = BH_BUF_INIT;

    for (int i = 0; i < 10000; i++) bh_buf_add(&b, "0123456789", 10);
    ck_assert(!b.failed);
    ck_assert_uint_eq(b.len, 100000);
    ck_assert_uint_ge(b.cap, b.len);
    for (size_t i = 0; i < b.len; i++)
        ck_assert_int_eq(b.p[i], '0' + (int)(i % 10));
    bh_buf_fini(&b);
    ck_assert_ptr_null(b.p);
    ck_assert_uint_eq(b.cap, 0);
}
END_TEST

START_TEST(nothing_needs_no_memory)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_add(&b, NULL, 0);
    bh_buf_str(&b, "");
    ck_assert_ptr_null(b.p);
    ck_assert(!b.failed);
    ck_assert_ptr_nonnull(bh_buf_reserve(&b, 0));
    bh_buf_fini(&b);
    bh_buf_fini(&b);
}
END_TEST

START_TEST(reset_keeps_the_memory)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_str(&b, "some words");
    char *p = b.p;
    b.failed = true;
    bh_buf_reset(&b);
    ck_assert_uint_eq(b.len, 0);
    ck_assert(!b.failed);
    bh_buf_str(&b, "other");
    ck_assert_ptr_eq(b.p, p);
    ck_assert_str_eq(bh_buf_cstr(&b), "other");
    bh_buf_fini(&b);
}
END_TEST

/* Text that just fits, just doesn't, and needs several doublings. */
START_TEST(formats_at_every_length)
{
    struct bh_buf b = BH_BUF_INIT;
    char text[300];

    for (size_t len = 0; len < sizeof text - 1; len++) {
        memset(text, 'x', len);
        text[len] = '\0';
        bh_buf_fini(&b);
        bh_buf_fmt(&b, "%s", "ab");
        bh_buf_fmt(&b, "%s-%d", text, 7);
        ck_assert(!b.failed);
        ck_assert_uint_eq(b.len, 2 + len + 2);
        ck_assert_mem_eq(b.p + 2, text, len);
        ck_assert_mem_eq(b.p + 2 + len, "-7", 2);
    }
    bh_buf_fini(&b);
}
END_TEST

START_TEST(integers_are_little_endian)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_u8(&b, 0xfe);
    bh_buf_u16(&b, 0x0102);
    bh_buf_u32(&b, 0x03040506);
    bh_buf_u64(&b, 0x0708090a0b0c0d0eu);
    ck_assert_uint_eq(b.len, 15);
    ck_assert_mem_eq(b.p,
                     "\xfe\x02\x01\x06\x05\x04\x03"
                     "\x0e\x0d\x0c\x0b\x0a\x09\x08\x07",
                     15);
    bh_buf_fini(&b);
}
END_TEST

START_TEST(lstr_has_a_limit)
{
    static char text[UINT16_MAX + 1];
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_lstr(&b, text, UINT16_MAX);
    ck_assert(!b.failed);
    ck_assert_uint_eq(b.len, 2 + UINT16_MAX);
    bh_buf_lstr(&b, text, UINT16_MAX + 1);
    ck_assert(b.failed);
    bh_buf_fini(&b);
}
END_TEST

START_TEST(a_failure_sticks)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_str(&b, "before");
    bh_mem_fail_at(1);
    ck_assert_ptr_null(bh_buf_reserve(&b, 1000));
    ck_assert(b.failed);
    bh_buf_str(&b, "after");
    bh_buf_u64(&b, 1);
    bh_buf_fmt(&b, "%d", 1);
    ck_assert_uint_eq(b.len, 6);
    ck_assert_str_eq(bh_buf_cstr(&b), "");
    bh_buf_fini(&b);
    ck_assert(!b.failed);
}
END_TEST

START_TEST(too_much_is_refused)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_str(&b, "x");
    ck_assert_ptr_null(bh_buf_reserve(&b, SIZE_MAX));
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 1);
    bh_buf_fini(&b);
}
END_TEST

static void
write_all_kinds(struct bh_buf *b)
{
    static const char big[3000];

    bh_buf_u8(b, 1);
    bh_buf_str(b, "text");
    bh_buf_add(b, big, sizeof big);
    bh_buf_fmt(b, "%0*d", 5000, 1);
    bh_buf_u16(b, 2);
    bh_buf_lstr(b, big, sizeof big);
    bh_buf_u64(b, 3);
}

/* Whichever allocation fails: the flag tells, and nothing is lost or read. */
START_TEST(every_allocation_may_fail)
{
    size_t before = bh_mem_used();
    unsigned long n = 0;
    bool reached = true;

    while (reached) {
        struct bh_buf b = BH_BUF_INIT;
        bh_mem_fail_at(++n);
        write_all_kinds(&b);
        reached = !bh_mem_fail_at(0);
        ck_assert(b.failed == reached);
        bh_buf_fini(&b);
        ck_assert_uint_eq(bh_mem_used(), before);
    }
    ck_assert_uint_gt(n, 3);
}
END_TEST

START_TEST(cstr_ends_the_text)
{
    struct bh_buf b = BH_BUF_INIT;

    ck_assert_str_eq(bh_buf_cstr(&b), "");
    for (size_t i = 1; i <= 200; i++) {
        bh_buf_u8(&b, 'a');
        ck_assert_uint_eq(strlen(bh_buf_cstr(&b)), i);
        ck_assert_uint_eq(b.len, i);
    }
    bh_buf_fini(&b);
}
END_TEST

START_TEST(reader_reads_what_was_written)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_reader r;

    bh_buf_u8(&b, 200);
    bh_buf_u16(&b, 60000);
    bh_buf_u32(&b, 4000000000u);
    bh_buf_u64(&b, UINT64_MAX - 1);
    bh_buf_lstr(&b, "name", 4);
    bh_buf_lstr(&b, "", 0);
    bh_buf_add(&b, "raw", 3);
    bh_reader_init(&r, b.p, b.len);
    ck_assert_uint_eq(bh_read_u8(&r), 200);
    ck_assert_uint_eq(bh_read_u16(&r), 60000);
    ck_assert_uint_eq(bh_read_u32(&r), 4000000000u);
    ck_assert_uint_eq(bh_read_u64(&r), UINT64_MAX - 1);
    struct bh_str s = bh_read_lstr(&r, 4);
    ck_assert_uint_eq(s.len, 4);
    ck_assert_mem_eq(s.p, "name", 4);
    ck_assert_uint_eq(bh_read_lstr(&r, 4).len, 0);
    ck_assert(!bh_reader_done(&r));
    ck_assert_mem_eq(bh_read_bytes(&r, 3), "raw", 3);
    ck_assert(bh_reader_done(&r));
    bh_buf_fini(&b);
}
END_TEST

START_TEST(reader_stops_at_the_end)
{
    struct bh_reader r;

    bh_reader_init(&r, "\x01\x02\x03", 3);
    ck_assert_uint_eq(bh_read_u32(&r), 0);
    ck_assert(r.failed);
    ck_assert_uint_eq(bh_read_u8(&r), 0);
    ck_assert_ptr_null(bh_read_bytes(&r, 0));
    ck_assert_uint_eq(bh_read_lstr(&r, 10).len, 0);
    ck_assert(!bh_reader_done(&r));
    bh_reader_init(&r, NULL, 0);
    ck_assert(bh_reader_done(&r));
    ck_assert_ptr_null(bh_read_bytes(&r, SIZE_MAX));
    ck_assert(!bh_reader_done(&r));
}
END_TEST

START_TEST(reader_refuses_long_and_cut_strings)
{
    struct bh_reader r;

    bh_reader_init(&r,
                   "\x03\x00"
                   "abc",
                   5);
    ck_assert_uint_eq(bh_read_lstr(&r, 2).len, 0);
    ck_assert(r.failed);
    bh_reader_init(&r,
                   "\x04\x00"
                   "abc",
                   5);
    struct bh_str s = bh_read_lstr(&r, 100);
    ck_assert_ptr_nonnull(s.p);
    ck_assert_uint_eq(s.len, 0);
    ck_assert(r.failed);
}
END_TEST

Suite *
check_buf(void)
{
    Suite *s = suite_create("buf");
    TCase *tc = tcase_create("writer");

    tcase_add_test(tc, appends_and_grows);
    tcase_add_test(tc, nothing_needs_no_memory);
    tcase_add_test(tc, reset_keeps_the_memory);
    tcase_add_test(tc, formats_at_every_length);
    tcase_add_test(tc, integers_are_little_endian);
    tcase_add_test(tc, lstr_has_a_limit);
    tcase_add_test(tc, a_failure_sticks);
    tcase_add_test(tc, too_much_is_refused);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, cstr_ends_the_text);
    suite_add_tcase(s, tc);
    tc = tcase_create("reader");
    tcase_add_test(tc, reader_reads_what_was_written);
    tcase_add_test(tc, reader_stops_at_the_end);
    tcase_add_test(tc, reader_refuses_long_and_cut_strings);
    suite_add_tcase(s, tc);
    return s;
}
