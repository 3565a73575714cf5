#include "fcgirec.h"

#include <string.h>

#include "mem.h"
#include "suites.h"

static struct bh_buf out;

static void
setup(void)
{
    out = (struct bh_buf)BH_BUF_INIT;
}

static void
teardown(void)
{
    bh_buf_fini(&out);
}

START_TEST(a_header)
{
    unsigned char h[BH_FCGI_HEADER];

    bh_fcgi_header(h, BH_FCGI_STDOUT, 0x1234, 0xfff8);
    ck_assert_mem_eq(h, "\x01\x06\x12\x34\xff\xf8\x00\x00", 8);
    bh_fcgi_header(h, BH_FCGI_END_REQUEST, 1, 8);
    ck_assert_mem_eq(h, "\x01\x03\x00\x01\x00\x08\x00\x00", 8);
}
END_TEST

START_TEST(a_short_stream_is_one_record)
{
    bh_fcgi_stream(&out, BH_FCGI_STDIN, 1, "hello", 5);
    ck_assert_uint_eq(out.len, 13);
    ck_assert_mem_eq(out.p, "\x01\x05\x00\x01\x00\x05\x00\x00hello", 13);
}
END_TEST

START_TEST(nothing_is_an_empty_record)
{
    bh_fcgi_stream(&out, BH_FCGI_PARAMS, 1, NULL, 0);
    ck_assert_uint_eq(out.len, 8);
    ck_assert_mem_eq(out.p, "\x01\x04\x00\x01\x00\x00\x00\x00", 8);
}
END_TEST

/* Take the records of the buffer apart again; the number of records. */
static size_t
join(struct bh_buf *content)
{
    size_t n = 0;

    for (size_t at = 0; at < out.len; n++) {
        const unsigned char *h = (const unsigned char *)out.p + at;
        size_t len = (size_t)h[4] << 8 | h[5];
        ck_assert_uint_ge(out.len - at, BH_FCGI_HEADER + len);
        ck_assert_uint_eq(h[6], 0);
        bh_buf_add(content, h + BH_FCGI_HEADER, len);
        at += BH_FCGI_HEADER + len;
    }
    return n;
}

START_TEST(long_streams_are_split)
{
    static const struct {
        size_t len, records;
    } cases[] = {{BH_FCGI_CONTENT_MAX - 1, 1},
                 {BH_FCGI_CONTENT_MAX, 1},
                 {BH_FCGI_CONTENT_MAX + 1, 2},
                 {3 * BH_FCGI_CONTENT_MAX, 3},
                 {3 * BH_FCGI_CONTENT_MAX + 100, 4}};
    static char body[3 * BH_FCGI_CONTENT_MAX + 100];
    struct bh_buf joined = BH_BUF_INIT;

    for (size_t i = 0; i < sizeof body; i++) body[i] = (char)(i * 7 % 251);
    for (size_t i = 0; i < bh_countof(cases); i++) {
        bh_buf_reset(&out);
        bh_buf_reset(&joined);
        bh_fcgi_stream(&out, BH_FCGI_STDOUT, 1, body, cases[i].len);
        ck_assert_uint_eq(join(&joined), cases[i].records);
        ck_assert_uint_eq(joined.len, cases[i].len);
        ck_assert_mem_eq(joined.p, body, joined.len);
    }
    bh_buf_fini(&joined);
}
END_TEST

START_TEST(the_end)
{
    bh_fcgi_end(&out, 0x0102);
    ck_assert_uint_eq(out.len, 24);
    ck_assert_mem_eq(out.p,
                     "\x01\x06\x01\x02\x00\x00\x00\x00"
                     "\x01\x03\x01\x02\x00\x08\x00\x00"
                     "\x00\x00\x00\x00\x00\x00\x00\x00",
                     24);
}
END_TEST

START_TEST(params)
{
    char value[200];

    memset(value, 'v', sizeof value);
    value[127] = '\0';
    bh_fcgi_param(&out, "NAME", value);
    ck_assert_mem_eq(out.p, "\x04\x7fNAMEv", 7);
    ck_assert_uint_eq(out.len, 2 + 4 + 127);
    bh_buf_reset(&out);
    value[127] = 'v';
    value[128] = '\0';
    bh_fcgi_param(&out, "N", value);
    ck_assert_mem_eq(out.p, "\x01\x80\x00\x00\x80Nv", 7);
    ck_assert_uint_eq(out.len, 5 + 1 + 128);
    bh_buf_reset(&out);
    bh_fcgi_param(&out, "N", "");
    ck_assert_mem_eq(out.p, "\x01\x00N", 3);
    ck_assert_uint_eq(out.len, 3);
}
END_TEST

START_TEST(no_memory)
{
    bh_mem_fail_at(1);
    bh_fcgi_stream(&out, BH_FCGI_STDOUT, 1, "x", 1);
    ck_assert(out.failed);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

Suite *
check_fcgirec(void)
{
    Suite *s = suite_create("fcgirec");
    TCase *tc = tcase_create("fcgirec");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_header);
    tcase_add_test(tc, a_short_stream_is_one_record);
    tcase_add_test(tc, nothing_is_an_empty_record);
    tcase_add_test(tc, long_streams_are_split);
    tcase_add_test(tc, the_end);
    tcase_add_test(tc, params);
    tcase_add_test(tc, no_memory);
    suite_add_tcase(s, tc);
    return s;
}
