/* check_beacon.c: telemetry bodies, a table of what passes and how, and of what
 * is refused and where. */
#include "fcgi/beacon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "suites.h"

static struct bh_link list;
static struct bh_event_errors errors;

static void
start(void)
{
    bh_list_init(&list);
}

static void
finish(void)
{
    bh_beacons_free(&list);
}

static int
parse(const char *body)
{
    bh_beacons_free(&list);
    return bh_beacon_parse(&list, (struct bh_str){body, strlen(body)}, &errors);
}

#define ONE "\"eventType\":\"gap\",\"domain\":\"tasks\""

/* What passes: "type domain timestamp session tab data" of each entry. */
static const struct {
    const char *body, *rows;
} good[] = {
    {"{" ONE "}", "gap tasks -1 - - {}|"},
    {"{\"eventType\":\"fast_empty\",\"timestamp\":1763900000000,"
     "\"domain\":\"tasks\", \"elapsedMs\": 40, \"isLeader\" : true}",
     "fast_empty tasks 1763900000000 - - "
     "{\"elapsedMs\":40,\"isLeader\":true}|"},
    {"{\"domain\":\"t-1\",\"sessionId\":\"s\\u0031\",\"tabId\":\"t\","
     "\"timestamp\":0,\"data\":{\"a\":[1,2.50]},\"eventType\":\"steal\"}",
     "steal t-1 0 s1 t {\"data\":{\"a\":[1,2.50]}}|"},
    {"[{" ONE "},{" ONE ",\"x\":\"\\u00e9\"}]",
     "gap tasks -1 - - {}|gap tasks -1 - - {\"x\":\"\\u00e9\"}|"},
    {" {\"events\" : [ {" ONE "} ] } ", "gap tasks -1 - - {}|"},
    {"{\"eventType\":\"leader_acquired\",\"domain\":\"tasks\"}",
     "leader_acquired tasks -1 - - {}|"},
    {"{\"eventType\":\"leader_takeover\",\"domain\":\"tasks\"}",
     "leader_takeover tasks -1 - - {}|"},
    {"{\"eventType\":\"subscribe_error\",\"domain\":\"tasks\"}",
     "subscribe_error tasks -1 - - {}|"},
    /* An unknown type stays to be seen. */
    {"{\"a\":1,\"eventType\":\"Gap\",\"domain\":\"tasks\"}",
     "other tasks -1 - - {\"a\":1,\"eventType\":\"Gap\"}|"},
    /* As deep as may be, whatever lies around it. */
    {"{" ONE ",\"a\":[[[[[[[1]]]]]]]}",
     "gap tasks -1 - - {\"a\":[[[[[[[1]]]]]]]}|"},
    {"{\"events\":[{" ONE ",\"a\":[[[[[[[1]]]]]]]}]}",
     "gap tasks -1 - - {\"a\":[[[[[[[1]]]]]]]}|"},
};

static const char *
rows(void)
{
    static char out[1024];
    size_t len = 0;

    bh_list_each (l, &list) {
        const struct bh_beacon *b = bh_beacon_of(l);
        ck_assert_int_eq(bh_beacon_known(b), strcmp(b->type, "other") != 0);
        len += (size_t)snprintf(
            out + len, sizeof out - len, "%s %s %lld %s %s %.*s|", b->type,
            b->domain, (long long)b->timestamp,
            b->session[0] ? b->session : "-", b->tab[0] ? b->tab : "-",
            (int)b->data_len, b->data);
    }
    return out;
}

START_TEST(test_good)
{
    int n = parse(good[_i].body);

    ck_assert_msg(n > 0, "%s: %s %s", good[_i].body, errors.v[0].pointer,
                  errors.v[0].detail);
    ck_assert_str_eq(rows(), good[_i].rows);
}
END_TEST

static const struct {
    const char *body, *pointer, *detail;
} bad[] = {
    {"", "", ""},
    {"x", "", ""},
    {"7", "", "must be an object"},
    {"{}", "/eventType", "is missing"},
    {"[]", "", "must have an entry"},
    {"[{" ONE "},7]", "/1", "must be an object"},
    {"{\"events\":[]}", "/events", "must have an entry"},
    {"{\"events\":7}", "/events", "must be an array"},
    {"{\"events\":[{" ONE "}],\"x\":1}", "", "beside events"},
    {"{\"events\":[{" ONE "},{\"eventType\":7}]}", "/events/1/eventType",
     "must be a string"},
    {"{" ONE "} x", "", ""},
    {"{" ONE ",\"domain\":\"tasks\"}", "/domain", ""},
    {"{\"eventType\":\"gap\"}", "/domain", "is missing"},
    {"{\"eventType\":\"gap\",\"domain\":\"Tasks\"}", "/domain", "domain's"},
    {"{\"eventType\":\"gap\",\"domain\":null}", "/domain", "string"},
    {"{\"eventType\":\"\",\"domain\":\"tasks\"}", "/eventType", "1 to 64"},
    {"{" ONE ",\"timestamp\":-1}", "/timestamp", "whole number"},
    {"{" ONE ",\"timestamp\":1.5}", "/timestamp", "whole number"},
    {"{" ONE ",\"timestamp\":\"1\"}", "/timestamp", "whole number"},
    {"{" ONE ",\"timestamp\":9007199254740992}", "/timestamp", "whole number"},
    {"{" ONE ",\"timestamp\":null}", "/timestamp", "whole number"},
    {"{" ONE ",\"sessionId\":\"a\\u0000b\"}", "/sessionId", "control"},
    {"{" ONE ",\"sessionId\":\"\"}", "/sessionId", "1 to 64"},
    {"{" ONE ",\"tabId\":{}}", "/tabId", "string"},
    {"{" ONE ",\"a\":\"\xff\"}", "/a", ""},
    {"{" ONE ",\"a\":[[[[[[[[[[[1]]]]]]]]]]]}", "", ""},
    {"{" ONE ",\"a\":[[[[[[[[1]]]]]]]]}", "", ""},
    {"[{" ONE ",\"a\":[[[[[[[[1]]]]]]]]}]", "", ""},
};

START_TEST(test_bad)
{
    int rc = parse(bad[_i].body);

    ck_assert_msg(rc == -EINVAL, "%s: %d", bad[_i].body, rc);
    ck_assert_uint_eq(errors.n, 1);
    ck_assert(bh_list_empty(&list));
    if (bad[_i].detail[0] == '\0') {
        ck_assert_uint_gt(strlen(errors.v[0].detail), 0);
        return;
    }
    ck_assert_str_eq(errors.v[0].pointer, bad[_i].pointer);
    ck_assert_msg(strstr(errors.v[0].detail, bad[_i].detail), "%s: %s",
                  bad[_i].body, errors.v[0].detail);
}
END_TEST

/* The longest that passes, and one byte more. */
static void
check_edge(const char *before, size_t n, const char *after, bool passes)
{
    char body[BH_TELEMETRY_MAX], run[2048];

    memset(run, 'x', n);
    run[n] = '\0';
    snprintf(body, sizeof body, "%s%s%s", before, run, after);
    ck_assert_msg((parse(body) == 1) == passes, "%s…: %zu: %s", before, n,
                  errors.v[0].detail);
}

START_TEST(test_edges)
{
    /* {"a":"…"} takes eight bytes beside the text. */
    check_edge("{" ONE ",\"a\":\"", 1024 - 8, "\"}", true);
    check_edge("{" ONE ",\"a\":\"", 1024 - 7, "\"}", false);
    check_edge("{" ONE ",\"sessionId\":\"", 64, "\"}", true);
    check_edge("{" ONE ",\"sessionId\":\"", 65, "\"}", false);
    check_edge("{" ONE ",\"tabId\":\"", 65, "\"}", false);
    check_edge("{\"domain\":\"tasks\",\"eventType\":\"", 64, "\"}", true);
    check_edge("{\"domain\":\"tasks\",\"eventType\":\"", 65, "\"}", false);
    check_edge("{\"eventType\":\"gap\",\"domain\":\"", 32, "\"}", true);
    check_edge("{\"eventType\":\"gap\",\"domain\":\"", 33, "\"}", false);
}
END_TEST

START_TEST(test_twenty)
{
    char body[2048] = "[";

    for (int i = 0; i < 20; i++)
        strcat(strcat(body, i == 0 ? "" : ","), "{" ONE "}");
    char *end = body + strlen(body);
    strcpy(end, "]");
    ck_assert_int_eq(parse(body), 20);
    strcpy(end, ",{" ONE "}]");
    ck_assert_int_eq(parse(body), -EINVAL);
    ck_assert(bh_list_empty(&list));
}
END_TEST

Suite *
check_beacon(void)
{
    Suite *s = suite_create("beacon");
    TCase *c = tcase_create("beacon");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_loop_test(c, test_good, 0, (int)bh_countof(good));
    tcase_add_loop_test(c, test_bad, 0, (int)bh_countof(bad));
    tcase_add_test(c, test_edges);
    tcase_add_test(c, test_twenty);
    suite_add_tcase(s, c);
    return s;
}
