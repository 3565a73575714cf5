#include "cursor.h"

#include <stdio.h>
#include <string.h>

#include "suites.h"

#define ID "0123456789abcdef"

static const struct {
    const char *text;
    bool good;
    int64_t seq;
} texts[] = {
    {ID "-0", true, 0},
    {ID "-1042", true, 1042},
    {ID "-9223372036854775807", true, INT64_MAX},
    {ID "-9223372036854775808", false, 0},
    {ID "-18446744073709551617", false, 0},
    {ID "-99999999999999999999999999", false, 0},
    {ID "-", false, 0},
    {ID, false, 0},
    {ID "--1", false, 0},
    {ID "-+1", false, 0},
    {ID "- 1", false, 0},
    {ID "-1 ", false, 0},
    {ID "-01", false, 0},
    {ID "-00", false, 0},
    {ID "-0x1", false, 0},
    {ID "-1.0", false, 0},
    {ID "0-1", false, 0},
    {"9f3a1c2e-1042", true, 1042}, /* logs with other names */
    {"Zz-7", true, 7},
    {"0-0", true, 0},
    {"9f3a1c2e-01", false, 0},
    {"9f3a-1c2e-1", false, 0},
    {"9f3a 1c2e-1", false, 0},
    {"9f3a_1c2e-1", false, 0},
    {"\xc3\xa9-1", false, 0},
    {"-1", false, 0},
    {"", false, 0},
};

/* What stands before the dash. */
static const char *
log_of(const char *text)
{
    static char name[BH_LOG_ID_LEN + 1];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "-"), text);
    return name;
}

START_TEST(parses_only_the_form)
{
    const struct bh_cursor untouched = {"before", 77};
    struct bh_cursor c = untouched;
    const char *text = texts[_i].text;
    bool good = bh_cursor_parse(&c, text, strlen(text));

    ck_assert_msg(good == texts[_i].good, "\"%s\"", text);
    ck_assert_str_eq(c.log_id, good ? log_of(text) : "before");
    ck_assert_int_eq(c.seq, good ? texts[_i].seq : 77);
}
END_TEST

START_TEST(parses_within_its_length)
{
    struct bh_cursor c;

    ck_assert(bh_cursor_parse(&c, ID "-1234", BH_LOG_ID_LEN + 3));
    ck_assert_int_eq(c.seq, 12);
    ck_assert(!bh_cursor_parse(&c, ID "-1\0", BH_LOG_ID_LEN + 3));
    ck_assert(!bh_cursor_parse(&c, NULL, 0));
}
END_TEST

START_TEST(formats_what_it_parses)
{
    static const int64_t seqs[] = {0, 1, 1042, INT64_MAX};
    char text[BH_CURSOR_MAX];
    struct bh_cursor c;

    for (size_t i = 0; i < bh_countof(seqs); i++) {
        size_t len = bh_cursor_format(text, ID, seqs[i]);
        ck_assert_uint_eq(len, strlen(text));
        ck_assert(bh_cursor_parse(&c, text, len));
        ck_assert_str_eq(c.log_id, ID);
        ck_assert_int_eq(c.seq, seqs[i]);
    }
    bh_cursor_format(text, ID, 1042);
    ck_assert_str_eq(text, ID "-1042");
}
END_TEST

START_TEST(log_ids)
{
    ck_assert(bh_log_id_valid(ID, 16));
    ck_assert(!bh_log_id_valid(ID, 15));
    ck_assert(!bh_log_id_valid(ID "0", 17));
    ck_assert(!bh_log_id_valid("0123456789abcde\0", 16));
    ck_assert(!bh_log_id_valid(NULL, 0));
}
END_TEST

Suite *
check_cursor(void)
{
    Suite *s = suite_create("cursor");
    TCase *tc = tcase_create("cursor");

    tcase_add_loop_test(tc, parses_only_the_form, 0, bh_countof(texts));
    tcase_add_test(tc, parses_within_its_length);
    tcase_add_test(tc, formats_what_it_parses);
    tcase_add_test(tc, log_ids);
    suite_add_tcase(s, tc);
    return s;
}
