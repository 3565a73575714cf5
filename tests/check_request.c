/* check_request.c: from parameters to a typed request: what passes, what is
 * bad, what is over-long. */
#include "fcgi/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

#define LOG_ID "0123456789abcdef"

static struct bh_request rq;

/* A GET of /tasks/realtime/subscribe, but for PARAM (NAME=VALUE), which comes
 * last and so wins. */
static bool
parse(const char *param)
{
    char *envp[] = {(char *)(uintptr_t) "REQUEST_METHOD=GET",
                    (char *)(uintptr_t) "SCRIPT_NAME=/tasks/realtime/subscribe",
                    (char *)(uintptr_t)param, NULL};
    return bh_request_parse(&rq, envp, NULL);
}

static bool
domain_is(const char *domain, const char *action)
{
    return rq.domain.len == strlen(domain) &&
           memcmp(rq.domain.p, domain, rq.domain.len) == 0 &&
           rq.action.len == strlen(action) &&
           memcmp(rq.action.p, action, rq.action.len) == 0;
}

START_TEST(test_nothing_is_no_request)
{
    char *none[] = {NULL};
    char *odd[] = {(char *)(uintptr_t) "REQUEST_METHOD",
                   (char *)(uintptr_t) "=x",
                   (char *)(uintptr_t) "REQUEST_METHODS=GET", NULL};

    ck_assert(!bh_request_parse(&rq, none, NULL));
    ck_assert(!bh_request_parse(&rq, odd, NULL));
}
END_TEST

START_TEST(test_least)
{
    ck_assert(parse("X=y"));
    ck_assert_int_eq(rq.method, BH_GET);
    ck_assert(domain_is("tasks", "realtime/subscribe"));
    ck_assert_str_eq(rq.authorization, "");
    ck_assert_str_eq(rq.client_id, "");
    ck_assert_int_eq(rq.media, BH_MEDIA_OTHER);
    ck_assert_int_eq(rq.content_length, -1);
    ck_assert_int_eq(rq.limit, BH_PAGE_DEFAULT);
    ck_assert(!rq.has_cursor && !rq.bad_query && rq.bad == 0);
    ck_assert_uint_eq(strlen(rq.id), 32);
    ck_assert_uint_eq(strspn(rq.id, "0123456789abcdef"), 32);
}
END_TEST

START_TEST(test_methods)
{
    parse("REQUEST_METHOD=POST");
    ck_assert_int_eq(rq.method, BH_POST);
    parse("REQUEST_METHOD=OPTIONS");
    ck_assert_int_eq(rq.method, BH_OPTIONS);
    parse("REQUEST_METHOD=get");
    ck_assert_int_eq(rq.method, BH_OTHER_METHOD);
    parse("REQUEST_METHOD=HEAD");
    ck_assert_int_eq(rq.method, BH_OTHER_METHOD);
}
END_TEST

/* Web servers cut the path in two wherever they like. */
START_TEST(test_path)
{
    char longer[BH_PATH_MAX + 32] = "SCRIPT_NAME=/tasks/";

    parse("SCRIPT_NAME=/tasks");
    ck_assert_str_eq(rq.path, "/tasks");
    ck_assert(domain_is("", ""));
    parse("SCRIPT_NAME=/Tasks/realtime/subscribe");
    ck_assert(domain_is("", ""));
    parse("SCRIPT_NAME=//realtime/subscribe");
    ck_assert(domain_is("", ""));
    parse("SCRIPT_NAME=tasks/realtime/subscribe");
    ck_assert_str_eq(rq.path, "");
    memset(longer + strlen(longer), 'x', BH_PATH_MAX);
    parse(longer);
    ck_assert_str_eq(rq.path, "");
    ck_assert(domain_is("", ""));
}
END_TEST

START_TEST(test_path_elsewhere)
{
    char *cut[] = {(char *)(uintptr_t) "REQUEST_METHOD=GET",
                   (char *)(uintptr_t) "SCRIPT_NAME=/tasks",
                   (char *)(uintptr_t) "PATH_INFO=/realtime/cursor",
                   (char *)(uintptr_t) "REQUEST_URI=/other/thing", NULL};
    char *uri[] = {
        (char *)(uintptr_t) "REQUEST_METHOD=GET",
        (char *)(uintptr_t) "REQUEST_URI=/tasks/realtime/cursor?a=/b", NULL};

    ck_assert(bh_request_parse(&rq, cut, NULL));
    ck_assert(domain_is("tasks", "realtime/cursor"));
    ck_assert(bh_request_parse(&rq, uri, NULL));
    ck_assert(domain_is("tasks", "realtime/cursor"));
}
END_TEST

START_TEST(test_query)
{
    parse("QUERY_STRING=propertyId=a%20b%2Bc%C3%A9+d&wait=25&&cursor=" LOG_ID
          "-7&limit=1000&live");
    ck_assert(!rq.bad_query);
    ck_assert_uint_eq(rq.bad, 0);
    ck_assert_str_eq(rq.property, "a b+c\xc3\xa9 d");
    ck_assert_int_eq(rq.wait_s, 25);
    ck_assert_int_eq(rq.limit, 1000);
    ck_assert(rq.has_cursor);
    ck_assert_str_eq(rq.cursor.log_id, LOG_ID);
    ck_assert_int_eq(rq.cursor.seq, 7);
    ck_assert_uint_eq(rq.given,
                      BH_PROPERTY | BH_WAIT | BH_CURSOR | BH_LIMIT | BH_LIVE);
}
END_TEST

static const struct {
    const char *query;
    unsigned bad;
    bool bad_query;
} queries[] = {
    {"propertyId=", BH_PROPERTY, false},
    {"propertyId", BH_PROPERTY, false},
    {"propertyId=%", BH_PROPERTY, false},
    {"propertyId=%4", BH_PROPERTY, false},
    {"propertyId=%4&wait=1", BH_PROPERTY, false},
    {"propertyId=%zz", BH_PROPERTY, false},
    {"propertyId=a%00b", BH_PROPERTY, false},
    {"propertyId=a%0Ab", BH_PROPERTY, false},
    {"propertyId=a%7f", BH_PROPERTY, false},
    {"propertyId=%C3", BH_PROPERTY, false},
    {"propertyId=%ED%A0%80", BH_PROPERTY, false},
    {"wait=26", BH_WAIT, false},
    {"wait=-1", BH_WAIT, false},
    {"wait=1.5", BH_WAIT, false},
    {"wait=", BH_WAIT, false},
    {"wait=99999999999999999999999", BH_WAIT, false},
    {"limit=0", BH_LIMIT, false},
    {"limit=1001", BH_LIMIT, false},
    {"cursor=", BH_CURSOR, false},
    {"cursor=" LOG_ID, BH_CURSOR, false},
    {"cursor=" LOG_ID "-99999999999999999999", BH_CURSOR, false},
    {"wait=1&wait=1", 0, true},
    {"Wait=1", 0, true},
    {"propertyI=1", 0, true},
    {"=1", 0, true},
    {"token=abc", 0, true},
    {"wait=1&x", 0, true},
    {"&&&", 0, false},
};

START_TEST(test_bad_queries)
{
    char param[256];

    snprintf(param, sizeof param, "QUERY_STRING=%s", queries[_i].query);
    parse(param);
    ck_assert_msg(rq.bad == queries[_i].bad &&
                      rq.bad_query == queries[_i].bad_query,
                  "%s: bad %u, bad query %d", param, rq.bad, rq.bad_query);
}
END_TEST

START_TEST(test_query_bounds)
{
    char param[BH_QUERY_MAX + 64];
    char *value = param + sprintf(param, "QUERY_STRING=propertyId=");

    memset(value, 'p', BH_NAME_MAX);
    value[BH_NAME_MAX] = '\0';
    parse(param);
    ck_assert_uint_eq(rq.bad, 0);
    ck_assert_uint_eq(strlen(rq.property), BH_NAME_MAX);
    strcat(param, "p");
    parse(param);
    ck_assert_uint_eq(rq.bad, BH_PROPERTY);
    memset(param + 13, '&', BH_QUERY_MAX);
    param[13 + BH_QUERY_MAX] = '\0';
    parse(param);
    ck_assert(!rq.bad_query);
    strcat(param, "&");
    parse(param);
    ck_assert(rq.bad_query);
}
END_TEST

START_TEST(test_last_event_id_wins)
{
    char *envp[] = {(char *)(uintptr_t) "REQUEST_METHOD=GET",
                    (char *)(uintptr_t) "QUERY_STRING=cursor=nonsense",
                    (char *)(uintptr_t) "HTTP_LAST_EVENT_ID=" LOG_ID "-3",
                    NULL};

    ck_assert(bh_request_parse(&rq, envp, NULL));
    ck_assert(rq.has_cursor && rq.bad == 0);
    ck_assert_int_eq(rq.cursor.seq, 3);
    envp[1] = (char *)(uintptr_t) "QUERY_STRING=cursor=" LOG_ID "-4";
    envp[2] = (char *)(uintptr_t) "HTTP_LAST_EVENT_ID=x";
    ck_assert(bh_request_parse(&rq, envp, NULL));
    ck_assert_uint_eq(rq.bad, BH_CURSOR);
    envp[2] = (char *)(uintptr_t) "HTTP_LAST_EVENT_ID=";
    ck_assert(bh_request_parse(&rq, envp, NULL));
    ck_assert(rq.has_cursor && rq.bad == 0);
    ck_assert_int_eq(rq.cursor.seq, 4);
}
END_TEST

START_TEST(test_ids)
{
    parse("HTTP_X_REQUEST_ID=req-1._A");
    ck_assert_str_eq(rq.id, "req-1._A");
    parse("HTTP_X_REQUEST_ID=a b");
    ck_assert_uint_eq(strlen(rq.id), 32);
    parse("HTTP_X_REQUEST_ID=12345678901234567890123456789012345678901234567890"
          "123456789012345");
    ck_assert_uint_eq(strlen(rq.id), 32);
    parse("HTTP_X_CLIENT_ID=tab-1");
    ck_assert_str_eq(rq.client_id, "tab-1");
    parse("HTTP_X_CLIENT_ID=tab/1");
    ck_assert_str_eq(rq.client_id, "");
    ck_assert_uint_eq(rq.bad, BH_CLIENT_ID);
}
END_TEST

static const struct {
    const char *type;
    enum bh_media media;
} types[] = {
    {"application/json", BH_MEDIA_JSON},
    {"Application/JSON", BH_MEDIA_JSON},
    {"application/json;charset=utf-8", BH_MEDIA_JSON},
    {"application/json ; charset=\"UTF-8\"", BH_MEDIA_JSON},
    {"application/json;", BH_MEDIA_JSON},
    {"application/x-ndjson; charset=utf-8", BH_MEDIA_NDJSON},
    {"application/json; charset=latin1", BH_MEDIA_OTHER},
    {"application/json; boundary=x", BH_MEDIA_OTHER},
    {"application/jsonp", BH_MEDIA_OTHER},
    {"application/json, text/plain", BH_MEDIA_OTHER},
    {"text/plain", BH_MEDIA_TEXT},
    {"text/plain;charset=UTF-8", BH_MEDIA_TEXT},
    {"text/plainer", BH_MEDIA_OTHER},
    {"", BH_MEDIA_OTHER},
};

START_TEST(test_media)
{
    char param[128];

    snprintf(param, sizeof param, "CONTENT_TYPE=%s", types[_i].type);
    parse(param);
    ck_assert_msg(rq.media == types[_i].media, "%s", param);
}
END_TEST

/* Whom limits are for, as hex. */
static const struct {
    const char *address, *bytes;
} addresses[] = {
    {"192.0.2.7", "00000000000000000000ffffc0000207"},
    {"::ffff:192.0.2.7", "00000000000000000000ffffc0000207"},
    {"2001:db8:1:2:3:4:5:6", "20010db8000100020000000000000000"},
    {"2001:db8:1:2:ffff::", "20010db8000100020000000000000000"},
    {"fe80::1%eth0", "fe800000000000000000000000000000"},
    {"", "00000000000000000000000000000000"},
    {"unix:", "00000000000000000000000000000000"},
    {"192.0.2.7 ", "00000000000000000000000000000000"},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
     "00000000000000000000000000000000"},
};

START_TEST(test_address)
{
    char param[128], hex[33];

    snprintf(param, sizeof param, "REMOTE_ADDR=%s", addresses[_i].address);
    parse(param);
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", rq.address[i]);
    ck_assert_str_eq(hex, addresses[_i].bytes);
}
END_TEST

START_TEST(test_content_length)
{
    parse("CONTENT_LENGTH=12");
    ck_assert_int_eq(rq.content_length, 12);
    parse("CONTENT_LENGTH=");
    ck_assert_int_eq(rq.content_length, -1);
    parse("CONTENT_LENGTH=-1");
    ck_assert_int_eq(rq.content_length, -2);
    parse("CONTENT_LENGTH=99999999999999999999");
    ck_assert_int_eq(rq.content_length, -2);
    ck_assert_int_eq(bh_request_body(&rq, NULL, 10), BH_BAD_REQUEST);
    parse("CONTENT_LENGTH=11");
    ck_assert_int_eq(bh_request_body(&rq, NULL, 10), BH_TOO_LARGE);
}
END_TEST

START_TEST(test_faults)
{
    parse("QUERY_STRING=wait=1");
    ck_assert_ptr_null(bh_request_fault(&rq, BH_WAIT));
    ck_assert_ptr_nonnull(bh_request_fault(&rq, BH_LIMIT));
    parse("QUERY_STRING=wait=x");
    ck_assert_ptr_nonnull(strstr(bh_request_fault(&rq, BH_WAIT), "wait"));
    ck_assert_ptr_null(bh_request_fault(&rq, BH_ANY_QUERY));
    parse("QUERY_STRING=cursor=" LOG_ID "-1");
    ck_assert_ptr_nonnull(bh_request_fault(&rq, 0));
    parse("HTTP_LAST_EVENT_ID=x");
    ck_assert_ptr_null(bh_request_fault(&rq, 0));
    ck_assert_ptr_nonnull(bh_request_fault(&rq, BH_CURSOR));
    parse("HTTP_X_CLIENT_ID=/");
    ck_assert_ptr_null(bh_request_fault(&rq, BH_CURSOR));
    ck_assert_ptr_nonnull(bh_request_fault(&rq, BH_CLIENT_ID));
}
END_TEST

Suite *
check_request(void)
{
    Suite *s = suite_create("request");
    TCase *c = tcase_create("parse");

    tcase_add_test(c, test_nothing_is_no_request);
    tcase_add_test(c, test_least);
    tcase_add_test(c, test_methods);
    tcase_add_test(c, test_path);
    tcase_add_test(c, test_path_elsewhere);
    tcase_add_test(c, test_query);
    tcase_add_loop_test(c, test_bad_queries, 0, (int)bh_countof(queries));
    tcase_add_test(c, test_query_bounds);
    tcase_add_test(c, test_last_event_id_wins);
    tcase_add_test(c, test_ids);
    tcase_add_loop_test(c, test_media, 0, (int)bh_countof(types));
    tcase_add_loop_test(c, test_address, 0, (int)bh_countof(addresses));
    tcase_add_test(c, test_content_length);
    tcase_add_test(c, test_faults);
    suite_add_tcase(s, c);
    return s;
}
