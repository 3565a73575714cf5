/* check_event.c: publish bodies in their three forms, what is refused and
 * where, and bodies as they are stored and sent. */
#include "event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "suites.h"

#define TEXT(s) ((struct bh_str){s, sizeof(s) - 1})

static struct bh_batch batch;
static struct bh_event_errors errors;

static void
finish(void)
{
    bh_batch_fini(&batch);
}

static struct bh_str
str(const struct bh_buf *b)
{
    return (struct bh_str){b->p, b->len};
}

/* Parse a copy of BODY that is gone afterwards: the batch must own what it
 * has. */
static int
parse(struct bh_str body, enum bh_body_form form)
{
    char *copy = malloc(body.len + (body.len == 0));

    if (body.len > 0) memcpy(copy, body.p, body.len);
    bh_batch_fini(&batch);
    int rc =
        bh_batch_parse(&batch, (struct bh_str){copy, body.len}, form, &errors);
    free(copy);
    ck_assert(rc != -EINVAL || errors.n > 0);
    ck_assert(rc == -EINVAL || errors.n == 0);
    return rc;
}

static void
assert_str(struct bh_str got, const char *want)
{
    ck_assert_ptr_nonnull(got.p);
    ck_assert_uint_eq(got.len, strlen(want));
    ck_assert_mem_eq(got.p, want, got.len);
}

static void
assert_error(size_t i, const char *pointer, const char *part)
{
    ck_assert_uint_lt(i, errors.n);
    ck_assert_str_eq(errors.v[i].pointer, pointer);
    ck_assert_msg(strstr(errors.v[i].detail, part) != NULL, "%s: %s", pointer,
                  errors.v[i].detail);
}

/* A good event whose id is N. */
static void
add_event(struct bh_buf *b, int n)
{
    bh_buf_fmt(b,
               "{\"eventId\":\"e-%d\",\"eventType\":\"T\",\"timestamp\":%d,"
               "\"orgId\":\"o\",\"payload\":{}}",
               n, n);
}

/* ---- what passes ---- */

START_TEST(test_single)
{
    ck_assert_int_eq(
        parse(TEXT(" { \"payload\" : { \"n\" : [ 1.0, 12345678901234567890, "
                   "1e400 ],\n \"s\" : \"\\u0000 \xf0\x9f\x98\x80 \\ud83d"
                   "\\ude00\" } , \"propertyId\":\"p\", \"eventId\":"
                   "\"7f\\u0030c\", \"eventType\":\"Task\\/\xc3\xa9\","
                   "\"timestamp\": 1763900000000, \"org\\u0049d\":\"org-1\" } "
                   "\n"),
              BH_FORM_JSON),
        0);
    ck_assert_uint_eq(batch.n, 1);
    assert_str(batch.v[0].event_id, "7f0c");
    assert_str(batch.v[0].event_type, "Task/\xc3\xa9");
    assert_str(batch.v[0].org, "org-1");
    assert_str(batch.v[0].property, "p");
    ck_assert_int_eq(batch.v[0].timestamp, 1763900000000);
    assert_str(batch.v[0].body,
               "{\"payload\":{\"n\":[1.0,12345678901234567890,1e400],"
               "\"s\":\"\\u0000 \xf0\x9f\x98\x80 \\ud83d\\ude00\"},"
               "\"propertyId\":\"p\",\"eventId\":\"7f\\u0030c\","
               "\"eventType\":\"Task\\/\xc3\xa9\",\"timestamp\":1763900000000,"
               "\"org\\u0049d\":\"org-1\"}");
}
END_TEST

START_TEST(test_no_property)
{
    struct bh_buf b = BH_BUF_INIT;

    add_event(&b, 1);
    ck_assert_int_eq(parse(str(&b), BH_FORM_JSON), 0);
    ck_assert_ptr_null(batch.v[0].property.p);
    ck_assert_uint_eq(batch.v[0].property.len, 0);
    bh_buf_fini(&b);
}
END_TEST

/* Every event of a batch that add_event has made. */
static void
assert_events(size_t n)
{
    struct bh_buf want = BH_BUF_INIT;
    char id[16];

    ck_assert_uint_eq(batch.n, n);
    for (size_t i = 0; i < n; i++) {
        bh_buf_reset(&want);
        add_event(&want, (int)i);
        assert_str(batch.v[i].body, bh_buf_cstr(&want));
        snprintf(id, sizeof(id), "e-%zu", i);
        assert_str(batch.v[i].event_id, id);
        assert_str(batch.v[i].event_type, "T");
        assert_str(batch.v[i].org, "o");
        ck_assert_ptr_null(batch.v[i].property.p);
        ck_assert_int_eq(batch.v[i].timestamp, (int64_t)i);
    }
    bh_buf_fini(&want);
}

static void
make_batch(struct bh_buf *b, int n)
{
    bh_buf_reset(b);
    bh_buf_str(b, " {\"events\" : [ ");
    for (int i = 0; i < n; i++) {
        if (i > 0) bh_buf_str(b, " ,\n");
        add_event(b, i);
    }
    bh_buf_str(b, "]}\n");
}

START_TEST(test_batch)
{
    struct bh_buf b = BH_BUF_INIT;

    make_batch(&b, 1);
    ck_assert_int_eq(parse(str(&b), BH_FORM_JSON), 0);
    assert_events(1);
    make_batch(&b, BH_BATCH_MAX);
    ck_assert_int_eq(parse(str(&b), BH_FORM_JSON), 0);
    assert_events(BH_BATCH_MAX);
    make_batch(&b, BH_BATCH_MAX + 1);
    ck_assert_int_eq(parse(str(&b), BH_FORM_JSON), -EINVAL);
    ck_assert_uint_eq(errors.n, 1);
    assert_error(0, "/events", "1 to 500");
    make_batch(&b, 0);
    ck_assert_int_eq(parse(str(&b), BH_FORM_JSON), -EINVAL);
    assert_error(0, "/events", "1 to 500");
    bh_buf_fini(&b);
}
END_TEST

static void
make_lines(struct bh_buf *b, int n)
{
    static const char *const ends[] = {"\n", "\r\n", "\n\n \t\r\n\r\n"};

    bh_buf_reset(b);
    bh_buf_str(b, "\n \r\n");
    for (int i = 0; i < n; i++) {
        add_event(b, i);
        bh_buf_str(b, i == n - 1 ? "" : ends[i % 3]);
    }
}

START_TEST(test_lines)
{
    struct bh_buf b = BH_BUF_INIT;

    make_lines(&b, 1);
    ck_assert_int_eq(parse(str(&b), BH_FORM_NDJSON), 0);
    assert_events(1);
    make_lines(&b, BH_BATCH_MAX);
    ck_assert_int_eq(parse(str(&b), BH_FORM_NDJSON), 0);
    assert_events(BH_BATCH_MAX);
    bh_buf_str(&b, "\n\n");
    ck_assert_int_eq(parse(str(&b), BH_FORM_NDJSON), 0);
    assert_events(BH_BATCH_MAX);
    make_lines(&b, BH_BATCH_MAX + 1);
    ck_assert_int_eq(parse(str(&b), BH_FORM_NDJSON), -EINVAL);
    ck_assert_uint_eq(errors.n, 1);
    assert_error(0, "", "1 to 500");
    ck_assert_int_eq(parse(TEXT("\n \r\n"), BH_FORM_NDJSON), -EINVAL);
    assert_error(0, "", "1 to 500");
    bh_buf_fini(&b);
}
END_TEST

/* ---- what doesn't, and where ---- */

/* An event with one of its members replaced, or with more of them. */
#define ID           "\"eventId\":\"i\","
#define TYPE         "\"eventType\":\"t\","
#define TIME         "\"timestamp\":1,"
#define ORG          "\"orgId\":\"o\","
#define LOAD         "\"payload\":0"
#define E(all)       "{" all "}"
#define WITH_ID(v)   E("\"eventId\":" v "," TYPE TIME ORG LOAD)
#define WITH_TIME(v) E(ID TYPE "\"timestamp\":" v "," ORG LOAD)
#define WITH_PROP(v) E(ID TYPE TIME ORG "\"propertyId\":" v "," LOAD)
#define GOOD         E(ID TYPE TIME ORG LOAD)

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONGEST HUNDRED TEN TEN "01234567" /* 128 bytes */
_Static_assert(sizeof(LONGEST) - 1 == BH_NAME_MAX, "LONGEST");

static const struct {
    const char *body;
    const char *pointer; /* NULL: it passes */
    const char *detail;
} rows[] = {
    {GOOD, NULL, NULL},
    /* names */
    {WITH_ID("\"" LONGEST "\""), NULL, NULL},
    {WITH_ID("\"" LONGEST "x\""), "/eventId", "1 to 128 bytes"},
    {WITH_ID("\"" HUNDRED TEN TEN "0123456\xc3\xa9\""), "/eventId",
     "1 to 128 bytes"},
    {WITH_ID("\"" HUNDRED TEN TEN "012345\\u00e9\""), NULL, NULL},
    {WITH_ID("\"" LONGEST LONGEST LONGEST LONGEST LONGEST LONGEST "x\""),
     "/eventId", "1 to 128 bytes"},
    {WITH_ID("\"\""), "/eventId", "1 to 128 bytes"},
    {WITH_ID("\" \""), NULL, NULL},
    {WITH_ID("\"a\\u0000b\""), "/eventId", "control"},
    {WITH_ID("\"\\u0000\""), "/eventId", "control"},
    {WITH_ID("\"a\\n\""), "/eventId", "control"},
    {WITH_ID("\"a\\u001f\""), "/eventId", "control"},
    {WITH_ID("\"a\x7f\""), "/eventId", "control"},
    {WITH_ID("\"a\\u007f\""), "/eventId", "control"},
    {WITH_ID("\"a\\u0080\""), "/eventId", "control"},
    {WITH_ID("\"a\xc2\x85\""), "/eventId", "control"},
    {WITH_ID("\"a\xc2\x9f\""), "/eventId", "control"},
    {WITH_ID("\"a\xc2\xa0\xe2\x80\xa8\xc3\x85\""), NULL, NULL},
    {WITH_ID("1"), "/eventId", "must be a string"},
    {WITH_ID("null"), "/eventId", "must be a string"},
    {WITH_ID("true"), "/eventId", "must be a string"},
    {WITH_ID("[\"i\"]"), "/eventId", "must be a string"},
    {WITH_ID("{}"), "/eventId", "must be a string"},
    {WITH_PROP("\"p\""), NULL, NULL},
    {WITH_PROP("\"\""), "/propertyId", "1 to 128 bytes"},
    {WITH_PROP("null"), "/propertyId", "must be a string"},
    {WITH_PROP("\"\\t\""), "/propertyId", "control"},
    {E(ID "\"eventType\":\"\\r\"," TIME ORG LOAD), "/eventType", "control"},
    {E(ID TYPE TIME "\"orgId\":7," LOAD), "/orgId", "must be a string"},
    /* the timestamp */
    {WITH_TIME("0"), NULL, NULL},
    {WITH_TIME("9007199254740991"), NULL, NULL},
    {WITH_TIME("9007199254740992"), "/timestamp", "9007199254740991"},
    {WITH_TIME("12345678901234567"), "/timestamp", "whole number"},
    {WITH_TIME("99999999999999999999999999"), "/timestamp", "whole number"},
    {WITH_TIME("-1"), "/timestamp", "whole number"},
    {WITH_TIME("-0"), "/timestamp", "whole number"},
    {WITH_TIME("1.0"), "/timestamp", "whole number"},
    {WITH_TIME("1e3"), "/timestamp", "whole number"},
    {WITH_TIME("\"1\""), "/timestamp", "whole number"},
    {WITH_TIME("null"), "/timestamp", "whole number"},
    {WITH_TIME("[]"), "/timestamp", "whole number"},
    /* members missing, unknown, twice */
    {E(TYPE TIME ORG LOAD), "/eventId", "missing"},
    {E(ID TIME ORG LOAD), "/eventType", "missing"},
    {E(ID TYPE ORG LOAD), "/timestamp", "missing"},
    {E(ID TYPE TIME LOAD), "/orgId", "missing"},
    {E(ID TYPE TIME "\"orgId\":\"o\""), "/payload", "missing"},
    {E(ID TYPE TIME ORG LOAD ",\"seq\":1"), "/seq", "not a member"},
    {E(ID TYPE TIME ORG LOAD ",\"a/b\":1"), "/a~1b", "not a member"},
    {E(ID TYPE TIME ORG LOAD ",\"\":1"), "/", "not a member"},
    {E(ID TYPE TIME ORG LOAD ",\"EventId\":\"i\""), "/EventId", "not a member"},
    {E(ID TYPE TIME ORG LOAD ",\"eventId\\u0000\":\"i\""), "", "not a member"},
    {E(ID TYPE TIME ORG LOAD ",\"payload\":0"), "/payload", "this name"},
    {E(ID TYPE TIME ORG LOAD ",\"event\\u0049d\":\"i\""), "/eventId",
     "this name"},
    {E(ID TYPE TIME ORG "\"payload\":[{\"a\":1,\"a\":1}]"), "/payload/0/a",
     "this name"},
    /* any payload */
    {E(ID TYPE TIME ORG "\"payload\":null"), NULL, NULL},
    {E(ID TYPE TIME ORG "\"payload\":\"\\u0000\""), NULL, NULL},
    {E(ID TYPE TIME ORG "\"payload\":{\"events\":[]}"), NULL, NULL},
    {E(ID TYPE TIME ORG "\"payload\":01"), "/payload", "leading zero"},
    /* no event at all */
    {"", "", "ends"},
    {"[]", "", "object"},
    {"[" GOOD "]", "", "object"},
    {"1", "", "object"},
    {"\"x\"", "", "object"},
    {GOOD GOOD, "", "follow"},
    {GOOD "\n" GOOD, "", "follow"},
    /* batches */
    {"{\"events\":[" GOOD "]}", NULL, NULL},
    {"{\"\\u0065vents\":[" GOOD "]}", NULL, NULL},
    {"{\"events\":{}}", "/events", "array"},
    {"{\"events\":null}", "/events", "array"},
    {"{\"events\":[1]}", "/events/0", "object"},
    {"{\"events\":[" GOOD ",[]]}", "/events/1", "object"},
    {"{\"events\":[" GOOD "],\"x\":1}", "/x", "beside"},
    {"{\"a\":1,\"events\":[" GOOD "]}", "/a", "beside"},
    {"{\"events\":[" GOOD "],\"events\":[]}", "/events", "this name"},
    {"{\"events\":[" GOOD "," E(ID TYPE TIME LOAD) "]}", "/events/1/orgId",
     "missing"},
    {"{\"events\":[" WITH_TIME("-1") "," GOOD "]}", "/events/0/timestamp",
     "whole number"},
    {"{\"events\":[{\"events\":[]}]}", "/events/0/events", "not a member"},
    {"{\"events\":[" GOOD "," GOOD, "/events", "ends"},
};

START_TEST(test_rows)
{
    struct bh_str body = {rows[_i].body, strlen(rows[_i].body)};
    int rc = parse(body, BH_FORM_JSON);

    if (rows[_i].pointer == NULL) {
        ck_assert_int_eq(rc, 0);
        return;
    }
    ck_assert_int_eq(rc, -EINVAL);
    assert_error(0, rows[_i].pointer, rows[_i].detail);
}
END_TEST

/* The same refused as a line: the pointer begins with its number. */
START_TEST(test_rows_as_lines)
{
    struct bh_buf b = BH_BUF_INIT;
    char pointer[BH_POINTER_MAX + 2];
    struct bh_str ignored;
    size_t n = strlen(rows[_i].body);

    if (n == 0 || strchr(rows[_i].body, '\n') != NULL) return;
    if (bh_json_member((struct bh_str){rows[_i].body, n}, "events", &ignored))
        return;
    bh_buf_fmt(&b, "%s\r\n\n%s", GOOD, rows[_i].body);
    int rc = parse(str(&b), BH_FORM_NDJSON);
    if (rows[_i].pointer == NULL) {
        ck_assert_int_eq(rc, 0);
        ck_assert_uint_eq(batch.n, 2);
    } else {
        ck_assert_int_eq(rc, -EINVAL);
        snprintf(pointer, sizeof(pointer), "/1%s", rows[_i].pointer);
        assert_error(0, pointer, rows[_i].detail);
    }
    bh_buf_fini(&b);
}
END_TEST

START_TEST(test_lines_refused)
{
    ck_assert_int_eq(
        parse(TEXT(GOOD "\n{\"events\":[" GOOD "]}"), BH_FORM_NDJSON), -EINVAL);
    assert_error(0, "/1/events", "not a member");
    /* A mark belongs to the first line; two events in one are no event. */
    ck_assert_int_eq(parse(TEXT("\xef\xbb\xbf" GOOD "\n"), BH_FORM_NDJSON),
                     -EINVAL);
    assert_error(0, "/0", "byte order mark");
    ck_assert_int_eq(parse(TEXT(GOOD "\r" GOOD), BH_FORM_NDJSON), -EINVAL);
    assert_error(0, "/0", "follow");
    ck_assert_int_eq(parse(TEXT(GOOD "\0\n"), BH_FORM_NDJSON), -EINVAL);
    assert_error(0, "/0", "follow");
}
END_TEST

/* Every event cut short anywhere, and with any byte replaced by NUL. */
START_TEST(test_truncated)
{
    const struct bh_str whole =
        TEXT("{\"eventId\":\"7f\",\"eventType\":\"T\\u00e9\",\"timestamp\":17,"
             "\"orgId\":\"o\xc3\xa9\",\"propertyId\":\"p\",\"payload\":"
             "{\"a\":[1.5,true,null,\"\\ud83d\\ude00\"]}}");
    char copy[256];

    ck_assert_int_eq(parse(whole, BH_FORM_JSON), 0);
    ck_assert_int_eq(parse(whole, BH_FORM_NDJSON), 0);
    ck_assert_uint_lt(whole.len, sizeof(copy));
    for (size_t n = 0; n < whole.len; n++) {
        ck_assert_int_eq(parse((struct bh_str){whole.p, n}, BH_FORM_JSON),
                         -EINVAL);
        ck_assert_int_eq(parse((struct bh_str){whole.p, n}, BH_FORM_NDJSON),
                         -EINVAL);
        memcpy(copy, whole.p, whole.len);
        copy[n] = '\0';
        ck_assert_int_eq(parse((struct bh_str){copy, whole.len}, BH_FORM_JSON),
                         -EINVAL);
    }
}
END_TEST

START_TEST(test_several_errors)
{
    ck_assert_int_eq(parse(TEXT("{\"events\":[" GOOD "," WITH_TIME(
                               "1.5") "," GOOD ",{\"eventId\":1,\"x\":2},7]}"),
                           BH_FORM_JSON),
                     -EINVAL);
    ck_assert_uint_eq(errors.n, 8);
    assert_error(0, "/events/1/timestamp", "whole number");
    assert_error(1, "/events/3/x", "not a member");
    assert_error(2, "/events/3/eventId", "string");
    assert_error(3, "/events/3/eventType", "missing");
    assert_error(4, "/events/3/orgId", "missing");
    assert_error(5, "/events/3/timestamp", "missing");
    assert_error(6, "/events/3/payload", "missing");
    assert_error(7, "/events/4", "object");

    ck_assert_int_eq(
        parse(TEXT("{\n" GOOD "\n[]\n" WITH_ID("\"\"")), BH_FORM_NDJSON),
        -EINVAL);
    ck_assert_uint_eq(errors.n, 3);
    assert_error(0, "/0", "ends");
    assert_error(1, "/2", "object");
    assert_error(2, "/3/eventId", "1 to 128");
}
END_TEST

START_TEST(test_errors_bounded)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_str(&b, "{\"events\":[0");
    for (int i = 1; i < 100; i++) bh_buf_str(&b, ",0");
    bh_buf_str(&b, "]}");
    ck_assert_int_eq(parse(str(&b), BH_FORM_JSON), -EINVAL);
    ck_assert_uint_eq(errors.n, BH_ERRORS_MAX);
    assert_error(BH_ERRORS_MAX - 1, "/events/15", "object");
    bh_buf_reset(&b);
    for (int i = 0; i < 100; i++) bh_buf_str(&b, "[\n");
    ck_assert_int_eq(parse(str(&b), BH_FORM_NDJSON), -EINVAL);
    ck_assert_uint_eq(errors.n, BH_ERRORS_MAX);
    bh_buf_fini(&b);
}
END_TEST

/* ---- bounds ---- */

/* PREFIX, an event that takes SIZE bytes as it is sent, GAP of them white space
 * before its closing brace, SUFFIX. */
static struct bh_str
sized(struct bh_buf *b, const char *prefix, size_t size, size_t gap,
      const char *suffix)
{
    static const char head[] = "{" ID TYPE TIME ORG "\"payload\":\"";

    bh_buf_reset(b);
    bh_buf_str(b, prefix);
    bh_buf_str(b, head);
    for (size_t i = sizeof(head) - 1 + 2 + gap; i < size; i++)
        bh_buf_str(b, "x");
    bh_buf_str(b, "\"");
    for (size_t i = 0; i < gap; i++) bh_buf_str(b, " ");
    bh_buf_str(b, "}");
    bh_buf_str(b, suffix);
    return str(b);
}

static const struct {
    const char *prefix, *suffix, *pointer;
    enum bh_body_form form;
} around[] = {
    {"", "", "", BH_FORM_JSON},
    {" \n", " \n", "", BH_FORM_JSON},
    {"{\"events\":[" GOOD " , ", " ] }", "/events/1", BH_FORM_JSON},
    {GOOD "\n  ", " \r\n", "/1", BH_FORM_NDJSON},
};

START_TEST(test_event_size)
{
    struct bh_buf b = BH_BUF_INIT;

    for (size_t gap = 0; gap < 50000; gap += 49999) {
        struct bh_str body =
            sized(&b, around[_i].prefix, BH_EVENT_MAX, gap, around[_i].suffix);

        ck_assert_int_eq(parse(body, around[_i].form), 0);
        ck_assert_uint_eq(batch.v[batch.n - 1].body.len, BH_EVENT_MAX - gap);
        body = sized(&b, around[_i].prefix, BH_EVENT_MAX + 1, gap,
                     around[_i].suffix);
        ck_assert_int_eq(parse(body, around[_i].form), -EINVAL);
        ck_assert_uint_eq(errors.n, 1);
        assert_error(0, around[_i].pointer, "65536");
    }
    bh_buf_fini(&b);
}
END_TEST

/* Parse an event of LEVELS levels, itself the first, as around[ROW] has it. */
static int
parse_nested(struct bh_buf *b, int row, int levels)
{
    bh_buf_reset(b);
    bh_buf_str(b, around[row].prefix);
    bh_buf_str(b, "{" ID TYPE TIME ORG "\"payload\":");
    for (int i = 1; i < levels; i++) bh_buf_str(b, "[");
    for (int i = 1; i < levels; i++) bh_buf_str(b, "]");
    bh_buf_str(b, "}");
    bh_buf_str(b, around[row].suffix);
    return parse(str(b), around[row].form);
}

START_TEST(test_event_depth)
{
    struct bh_buf b = BH_BUF_INIT;
    char pointer[BH_POINTER_MAX + 8];

    ck_assert_int_eq(parse_nested(&b, _i, BH_DEPTH_MAX), 0);
    for (int levels = BH_DEPTH_MAX + 1; levels < BH_DEPTH_MAX + 5; levels++) {
        ck_assert_int_eq(parse_nested(&b, _i, levels), -EINVAL);
        ck_assert_uint_eq(errors.n, 1);
        snprintf(pointer, sizeof(pointer), "%s/payload/0/0/0",
                 around[_i].pointer);
        ck_assert_int_eq(strncmp(errors.v[0].pointer, pointer, strlen(pointer)),
                         0);
        ck_assert_ptr_nonnull(strstr(errors.v[0].detail, "deep"));
    }
    bh_buf_fini(&b);
}
END_TEST

/* In a text that is too deep for an event but not for a batch, what is wrong
 * further on is told, since nobody can say yet which of the two it is. */
START_TEST(test_depth_and_syntax)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_buf_str(&b, "{\"events\":[{\"payload\":");
    for (int i = 1; i < BH_DEPTH_MAX; i++) bh_buf_str(&b, "[");
    for (int i = 1; i < BH_DEPTH_MAX; i++) bh_buf_str(&b, "]");
    bh_buf_str(&b, ",\"x\":01}]}");
    ck_assert_int_eq(parse(str(&b), BH_FORM_JSON), -EINVAL);
    assert_error(0, "/events/0/x", "leading zero");
    bh_buf_fini(&b);
}
END_TEST

/* ---- out of memory ---- */

/* Fail each allocation in turn until none is left to fail. */
static void
assert_bears_no_memory(struct bh_str body, enum bh_body_form form, int want)
{
    unsigned long n = 1;
    int rc;

    do {
        bh_batch_fini(&batch);
        bh_mem_fail_at(n++);
        rc = bh_batch_parse(&batch, body, form, &errors);
        ck_assert_int_eq(rc, bh_mem_fail_at(0) ? want : -ENOMEM);
        ck_assert_uint_lt(n, 1000);
    } while (rc == -ENOMEM);
    ck_assert_uint_gt(n, 3);
}

START_TEST(test_no_memory)
{
    struct bh_buf b = BH_BUF_INIT;

    make_batch(&b, 100);
    assert_bears_no_memory(str(&b), BH_FORM_JSON, 0);
    make_lines(&b, 100);
    assert_bears_no_memory(str(&b), BH_FORM_NDJSON, 0);
    assert_bears_no_memory(TEXT(WITH_ID("\"\\u0061\"")), BH_FORM_JSON, 0);
    assert_bears_no_memory(
        TEXT(WITH_ID("\"\\u0061\"") "\n" WITH_ID("\"\"") "\n"), BH_FORM_NDJSON,
        -EINVAL);
    bh_buf_reset(&b);
    bh_buf_str(&b, "{" ID TYPE TIME ORG "\"payload\":{\"\\u0061\":0");
    for (int i = 0; i < 300; i++) bh_buf_fmt(&b, ",\"%d\":0", i);
    bh_buf_str(&b, "}}");
    assert_bears_no_memory(str(&b), BH_FORM_JSON, 0);
    bh_buf_fini(&b);
}
END_TEST

/* ---- stored bodies ---- */

static const struct {
    const char *a, *b;
    bool same;
} pairs[] = {
    {GOOD, GOOD, true},
    {GOOD, E(LOAD "," ORG TIME TYPE "\"eventId\":\"i\""), true},
    {GOOD, WITH_ID("\"j\""), false},
    {GOOD, WITH_ID("\"ii\""), false},
    {GOOD, WITH_ID("\"\\u0069\""), false}, /* another raw text */
    {GOOD, E(ID TYPE TIME "\"org\\u0049d\":\"o\"," LOAD), true},
    {GOOD, WITH_TIME("2"), false},
    {GOOD, WITH_PROP("\"p\""), false},
    {WITH_PROP("\"p\""), GOOD, false},
    {WITH_PROP("\"p\""), WITH_PROP("\"q\""), false},
    {GOOD, E(ID TYPE TIME ORG "\"payload\":0.0"), false},
    {E(ID TYPE TIME ORG "\"payload\":{\"a\":1,\"b\":2}"),
     E(ID TYPE TIME ORG "\"payload\":{\"b\":2,\"a\":1}"), false},
    {GOOD, E(ID TYPE TIME ORG LOAD ",\"x\":1"), false},
    {GOOD, "", false},
    {GOOD, "{", false},
    {"not JSON", GOOD, false},
};

START_TEST(test_same)
{
    struct bh_str a = {pairs[_i].a, strlen(pairs[_i].a)};
    struct bh_str b = {pairs[_i].b, strlen(pairs[_i].b)};

    ck_assert(bh_event_same(a, b) == pairs[_i].same);
    ck_assert(bh_event_same(b, a) == pairs[_i].same);
    ck_assert(bh_event_same(a, a) && bh_event_same(b, b));
}
END_TEST

START_TEST(test_with_seq)
{
    struct bh_buf b = BH_BUF_INIT;

    bh_event_with_seq(&b, TEXT("{\"a\":{}}"), 1042);
    assert_str(str(&b), "{\"a\":{},\"seq\":1042}");
    bh_event_with_seq(&b, TEXT("{\"b\":1}"), INT64_MAX);
    assert_str(str(&b), "{\"a\":{},\"seq\":1042}"
                        "{\"b\":1,\"seq\":9223372036854775807}");
    bh_buf_reset(&b);
    bh_event_with_seq(&b, TEXT("{}"), 1);
    assert_str(str(&b), "{\"seq\":1}");
    bh_buf_fini(&b);
}
END_TEST

Suite *
check_event(void)
{
    Suite *s = suite_create("event");
    TCase *t = tcase_create("event");

    tcase_add_checked_fixture(t, NULL, finish);
    tcase_add_test(t, test_single);
    tcase_add_test(t, test_no_property);
    tcase_add_test(t, test_batch);
    tcase_add_test(t, test_lines);
    tcase_add_loop_test(t, test_rows, 0, (int)bh_countof(rows));
    tcase_add_loop_test(t, test_rows_as_lines, 0, (int)bh_countof(rows));
    tcase_add_test(t, test_lines_refused);
    tcase_add_test(t, test_truncated);
    tcase_add_test(t, test_several_errors);
    tcase_add_test(t, test_errors_bounded);
    tcase_add_loop_test(t, test_event_size, 0, (int)bh_countof(around));
    tcase_add_loop_test(t, test_event_depth, 0, (int)bh_countof(around));
    tcase_add_test(t, test_depth_and_syntax);
    tcase_add_test(t, test_no_memory);
    tcase_add_loop_test(t, test_same, 0, (int)bh_countof(pairs));
    tcase_add_test(t, test_with_seq);
    suite_add_tcase(s, t);
    return s;
}
