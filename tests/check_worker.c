/* check_worker.c: a real worker, asked by FastCGI, without a broker: publish,
 * refusals, reading the log, CORS, health. */
#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "clock.h"
#include "fcgiclient.h"
#include "store.h"
#include "suites.h"
#include "logbox.h"
#include "workerkit.h"

#define PUBLISH   "/tasks/realtime/publish"
#define SUBSCRIBE "/tasks/realtime/subscribe"
#define HISTORY   "/tasks/realtime/history"
#define JSON      "CONTENT_TYPE", "application/json"
#define NDJSON    "CONTENT_TYPE", "application/x-ndjson"
#define AUTH(t)   "HTTP_AUTHORIZATION", t

static struct workerkit k;
static struct fcgi_answer a;

static void
start(void)
{
    wk_open(&k);
}

static void
finish(void)
{
    fcgi_answer_fini(&a);
    wk_close(&k);
}

/* Take the answer of connection FD. */
static const char *
answer(int fd)
{
    fcgi_answer_fini(&a);
    a = fcgi_read(fd, WK_MS);
    ck_assert(a.ended);
    return fcgi_body(&a);
}

#define ask(...) answer(fcgi_ask(k.socket, __VA_ARGS__, NULL))

/* Whether the body has TEXT. */
static bool
says(const char *text)
{
    return strstr(fcgi_body(&a), text) != NULL;
}

/* EVENT's JSON, of org ORG; a member MORE (with its comma) at the end. */
static const char *
event(const char *id, const char *org, const char *more)
{
    static char text[4][1024];
    static unsigned next;
    char *out = text[next++ % 4];

    snprintf(out, sizeof text[0],
             "{\"eventId\":\"%s\",\"eventType\":\"T\",\"timestamp\":1,"
             "\"orgId\":\"%s\",\"payload\":{}%s}",
             id, org, more);
    return out;
}

/* The log's cursor with SEQ, from the answer at hand. */
static void
cursor_of(char out[BH_CURSOR_MAX], int64_t seq)
{
    const char *p = strstr(fcgi_body(&a), "\"cursor\":\"");

    ck_assert_ptr_nonnull(p);
    snprintf(out, BH_CURSOR_MAX, "%.*s-%lld", BH_LOG_ID_LEN, p + 10,
             (long long)seq);
}

static int64_t
rows(void)
{
    struct bh_store *s;
    struct bh_span span;

    ck_assert_int_eq(bh_store_open_reader(&s, k.log), 0);
    ck_assert_int_eq(bh_store_span(s, &span), 0);
    bh_store_close(s);
    return span.head;
}

/* ---- publish ---- */

START_TEST(test_publish_one)
{
    ask("POST", PUBLISH, event("e\\u0041\\\"", "o1", ""), JSON,
        AUTH(wk_publisher(&k)));
    ck_assert_int_eq(a.status, 200);
    ck_assert(
        says("{\"results\":[{\"eventId\":\"eA\\\"\",\"status\":\"stored\","
             "\"seq\":1,\"woken\":null}],\"cursor\":\""));
    ck_assert_str_eq(fcgi_header(&a, "Content-Type"), "application/json");
    ck_assert_str_eq(fcgi_header(&a, "Cache-Control"), "no-store");
    ask("POST", PUBLISH, event("eA\\u0022", "o1", ""), JSON,
        AUTH(wk_publisher(&k)));
    ck_assert_int_eq(a.status, 409); /* another spelling is another body */
    ck_assert(says("\"pointer\":\"/eventId\""));
    ask("POST", PUBLISH, event("e\\u0041\\\"", "o1", ""), JSON,
        AUTH(wk_publisher(&k)));
    ck_assert_int_eq(a.status, 200);
    ck_assert(says("\"status\":\"duplicate\",\"seq\":1,\"woken\":0"));
    ck_assert_int_eq(rows(), 1);
}
END_TEST

START_TEST(test_publish_batch)
{
    char body[4096];

    snprintf(body, sizeof body, " {\"events\":[%s,%s,%s]}",
             event("a", "o1", ""), event("b", "o2", ""), event("a", "o1", ""));
    ask("POST", PUBLISH, body, "CONTENT_TYPE",
        "application/json; charset=utf-8", AUTH(wk_publisher(&k)));
    ck_assert_int_eq(a.status, 200);
    ck_assert(says("\"eventId\":\"b\",\"status\":\"stored\",\"seq\":2"));
    ck_assert(says("\"eventId\":\"a\",\"status\":\"duplicate\",\"seq\":1"));
    ck_assert(says("-2\"}"));
    snprintf(body, sizeof body, "{\"events\":[%s,%s]}", event("c", "o1", ""),
             event("b", "o2", ",\"propertyId\":\"p\""));
    ask("POST", PUBLISH, body, JSON, AUTH(wk_publisher(&k)));
    ck_assert_int_eq(a.status, 409);
    ck_assert(says("\"code\":\"event_conflict\""));
    ck_assert(says("\"pointer\":\"/events/1/eventId\""));
    ck_assert_int_eq(rows(), 2);
}
END_TEST

START_TEST(test_publish_ndjson)
{
    char body[4096];

    snprintf(body, sizeof body, "%s\n\n%s\r\n", event("a", "o1", ""),
             event("b", "o1", ""));
    ask("POST", PUBLISH, body, NDJSON, AUTH(wk_publisher(&k)));
    ck_assert_int_eq(a.status, 200);
    ck_assert(says("\"eventId\":\"b\",\"status\":\"stored\",\"seq\":2"));
    snprintf(body, sizeof body, "%s\n%s\n", event("c", "o1", ""),
             event("d", "o1", ",\"odd\":1"));
    ask("POST", PUBLISH, body, NDJSON, AUTH(wk_publisher(&k)));
    ck_assert_int_eq(a.status, 422);
    ck_assert(says("\"pointer\":\"/1/odd\""));
    ck_assert_int_eq(rows(), 2);
}
END_TEST

START_TEST(test_publish_own_org_only)
{
    char body[4096];
    const char *token = wk_token(&k, "o1", NULL, "realtime:publish");

    snprintf(body, sizeof body, "{\"events\":[%s,%s]}", event("a", "o1", ""),
             event("b", "o2", ""));
    ask("POST", PUBLISH, body, JSON, AUTH(token));
    ck_assert_int_eq(a.status, 403);
    ck_assert(says("\"pointer\":\"/events/1/orgId\""));
    ck_assert_int_eq(rows(), 0);
    ask("POST", PUBLISH, event("a", "o1", ""), JSON, AUTH(token));
    ck_assert_int_eq(a.status, 200);
}
END_TEST

/* ---- refusals ---- */

enum bearer { NO_TOKEN, GARBAGE, PLAIN, ORG, ONE_PROPERTY, PUBLISHER, MONITOR };

static const struct {
    const char *method, *path, *body, *type;
    enum bearer bearer;
    int status;
    const char *code;
} refusals[] = {
    {"GET", "/", NULL, "", NO_TOKEN, 404, "not_found"},
    {"GET", "/tasks", NULL, "", NO_TOKEN, 404, "not_found"},
    {"GET", "/tasks/", NULL, "", NO_TOKEN, 404, "not_found"},
    {"GET", "/none/realtime/subscribe", NULL, "", ORG, 404, "not_found"},
    {"GET", "/tasks/realtime/subscribe/", NULL, "", ORG, 404, "not_found"},
    {"GET", "/tasks/realtime/streams", NULL, "", ORG, 404, "not_found"},
    {"GET", "/metrics", NULL, "", ORG, 403, "forbidden"},
    {"GET", "/metrics", NULL, "", NO_TOKEN, 401, "token_missing"},
    {"POST", "/metrics", NULL, "", ORG, 405, "method_not_allowed"},
    {"GET", "/tasks/realtime/metrics", NULL, "", ORG, 403, "forbidden"},
    {"GET", "/tasks/realtime/metrics?x=1", NULL, "", MONITOR, 400,
     "bad_request"},
    {"POST", SUBSCRIBE, NULL, "", ORG, 405, "method_not_allowed"},
    {"HEAD", SUBSCRIBE, NULL, "", ORG, 405, "method_not_allowed"},
    {"GET", PUBLISH, NULL, "", ORG, 405, "method_not_allowed"},
    {"DELETE", "/healthz", NULL, "", NO_TOKEN, 405, "method_not_allowed"},
    {"GET", "/off/realtime/subscribe", NULL, "", ORG, 503, "domain_disabled"},
    {"POST", "/off/realtime/publish", "{}", "application/json", PUBLISHER, 503,
     "domain_disabled"},
    {"GET", SUBSCRIBE, NULL, "", NO_TOKEN, 401, "token_missing"},
    {"GET", HISTORY, NULL, "", GARBAGE, 401, "token_invalid"},
    {"POST", PUBLISH, "{}", "application/json", GARBAGE, 401, "token_invalid"},
    {"GET", SUBSCRIBE, NULL, "", PLAIN, 403, "forbidden"},
    {"GET", "/tasks/realtime/cursor", NULL, "", PLAIN, 403, "forbidden"},
    {"POST", PUBLISH, "{}", "application/json", ORG, 403, "forbidden"},
    {"GET", SUBSCRIBE "?propertyId=q", NULL, "", ONE_PROPERTY, 403,
     "forbidden"},
    {"GET", HISTORY "?propertyId=q", NULL, "", ONE_PROPERTY, 403, "forbidden"},
    {"GET", SUBSCRIBE "?wait=26", NULL, "", ORG, 400, "bad_request"},
    {"GET", SUBSCRIBE "?limit=1", NULL, "", ORG, 400, "bad_request"},
    {"GET", SUBSCRIBE "?cursor=x", NULL, "", ORG, 400, "bad_request"},
    {"GET", SUBSCRIBE "?wait=1&wait=1", NULL, "", ORG, 400, "bad_request"},
    {"GET", SUBSCRIBE "?propertyId=%0A", NULL, "", ORG, 400, "bad_request"},
    {"GET", HISTORY "?wait=1", NULL, "", ORG, 400, "bad_request"},
    {"GET", HISTORY "?limit=1001", NULL, "", ORG, 400, "bad_request"},
    {"GET", "/tasks/realtime/cursor?x", NULL, "", ORG, 400, "bad_request"},
    {"GET", "/healthz?dead", NULL, "", NO_TOKEN, 400, "bad_request"},
    {"POST", PUBLISH "?x=1", "{}", "application/json", PUBLISHER, 400,
     "bad_request"},
    {"POST", PUBLISH, "{}", "text/plain", PUBLISHER, 415,
     "unsupported_media_type"},
    {"POST", PUBLISH, "{}", "", PUBLISHER, 415, "unsupported_media_type"},
    {"POST", PUBLISH, "", "application/json", PUBLISHER, 422, "invalid_event"},
    {"POST", PUBLISH, "", "application/x-ndjson", PUBLISHER, 422,
     "invalid_event"},
    {"POST", PUBLISH, "{", "application/json", PUBLISHER, 422, "invalid_event"},
    {"POST", PUBLISH, "{}", "application/json", PUBLISHER, 422,
     "invalid_event"},
    {"POST", PUBLISH, "{\"events\":[]}", "application/json", PUBLISHER, 422,
     "invalid_event"},
    {"GET", "/tasks/events/subscribe?since=1", NULL, "", NO_TOKEN, 410, "gone"},
};

static const char *
bearer(enum bearer b)
{
    switch (b) {
    case GARBAGE:
        return "Bearer abc.def.ghi";
    case PLAIN:
        return wk_token(&k, NULL, NULL, NULL);
    case ORG:
        return wk_token(&k, "o1", NULL, NULL);
    case ONE_PROPERTY:
        return wk_token(&k, "o1", "p", NULL);
    case PUBLISHER:
        return wk_publisher(&k);
    case MONITOR:
        return wk_token(&k, NULL, NULL, "realtime:metrics");
    default:
        return "";
    }
}

START_TEST(test_refusals)
{
    char code[64];

    for (size_t i = 0; i < bh_countof(refusals); i++) {
        snprintf(code, sizeof code, "\"code\":\"%s\"", refusals[i].code);
        ask(refusals[i].method, refusals[i].path, refusals[i].body,
            "CONTENT_TYPE", refusals[i].type, AUTH(bearer(refusals[i].bearer)),
            "HTTP_X_REQUEST_ID", "r-1", "HTTP_ORIGIN", "https://app.example");
        ck_assert_msg(a.status == refusals[i].status && says(code),
                      "%s %s: %d %s", refusals[i].method, refusals[i].path,
                      a.status, fcgi_body(&a));
        ck_assert_str_eq(fcgi_header(&a, "Content-Type"),
                         "application/problem+json");
        ck_assert_str_eq(fcgi_header(&a, "X-Request-ID"), "r-1");
        ck_assert_str_eq(fcgi_header(&a, "Access-Control-Allow-Origin"),
                         "https://app.example");
        ck_assert_int_eq(fcgi_header(&a, "WWW-Authenticate") != NULL,
                         a.status == 401);
        ck_assert_int_eq(fcgi_header(&a, "Allow") != NULL, a.status == 405);
        ck_assert_int_eq(fcgi_header(&a, "Retry-After") != NULL,
                         a.status == 503);
    }
    ck_assert_int_eq(rows(), 0);
}
END_TEST

START_TEST(test_long_token)
{
    char *token = malloc(16384 + 8);

    ck_assert_ptr_nonnull(token);
    strcpy(token, "Bearer ");
    memset(token + 7, 'a', 16384);
    token[16384 + 7] = '\0';
    ask("GET", SUBSCRIBE, NULL, AUTH(token));
    ck_assert_int_eq(a.status, 401);
    ck_assert(says("\"code\":\"token_invalid\""));
    free(token);
}
END_TEST

START_TEST(test_too_large)
{
    ask("POST", PUBLISH, "{}", JSON, AUTH(wk_publisher(&k)), "CONTENT_LENGTH",
        "99999999999");
    ck_assert_int_eq(a.status, 413);
    ask("GET", SUBSCRIBE, NULL, AUTH(wk_token(&k, "o1", NULL, NULL)),
        "CONTENT_LENGTH", "4097");
    ck_assert_int_eq(a.status, 413);
    ask("POST", PUBLISH, "{}", JSON, AUTH(wk_publisher(&k)), "CONTENT_LENGTH",
        "3");
    ck_assert_int_eq(a.status, 400);
    ask("POST", PUBLISH, "{}", JSON, AUTH(wk_publisher(&k)), "CONTENT_LENGTH",
        "two");
    ck_assert_int_eq(a.status, 400);
}
END_TEST

static const char *
connection_after(const char *protocol, const char *length)
{
    ask("POST", PUBLISH, "{}", JSON, "SERVER_PROTOCOL", protocol,
        "CONTENT_LENGTH", length);
    ck_assert_int_eq(a.status, 401);
    return fcgi_header(&a, "Connection");
}

/* What can't be read to its end ends the connection, where it is one's own. */
START_TEST(test_refused_in_its_body)
{
    ck_assert_ptr_null(connection_after("HTTP/1.1", "2"));
    ck_assert_ptr_null(connection_after("HTTP/1.1", ""));
    ck_assert_str_eq(connection_after("HTTP/1.1", "99999999999"), "close");
    ck_assert_ptr_null(connection_after("HTTP/2.0", "99999999999"));
}
END_TEST

/* What the table of refusals holds, as "code:subject " … */
static const char *
recorded(void)
{
    static char text[256];
    sqlite3 *db;
    sqlite3_stmt *q;

    ck_assert_int_eq(sqlite3_open(k.log, &db), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_prepare_v2(db,
                           "SELECT group_concat(code || ':' || subject, ' ') "
                           "FROM (SELECT * FROM refusals ORDER BY id)",
                           -1, &q, NULL),
        SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
    const unsigned char *found = sqlite3_column_text(q, 0);
    snprintf(text, sizeof text, "%s", found ? (const char *)found : "");
    sqlite3_finalize(q);
    sqlite3_close(db);
    return text;
}

START_TEST(test_refused_publish_is_recorded)
{
    ask("POST", PUBLISH, "{}", JSON, AUTH("Bearer a.b.c"));
    ask("POST", PUBLISH, "{}", JSON, AUTH(wk_publisher(&k)));
    ask("POST", PUBLISH, "{}", JSON, AUTH(wk_token(&k, "o1", NULL, NULL)));
    ask("GET", HISTORY "?limit=x", NULL, AUTH(wk_token(&k, "o1", NULL, NULL)));
    wk_stop(&k); /* the writer has then stored what was queued */
    ck_assert_str_eq(recorded(), "invalid_event:u1 forbidden:u1");
}
END_TEST

/* ---- CORS ---- */

static const struct {
    const char *path, *methods;
} endpoints[] = {
    {SUBSCRIBE, "GET, OPTIONS"},
    {HISTORY, "GET, OPTIONS"},
    {"/tasks/realtime/cursor", "GET, OPTIONS"},
    {PUBLISH, "POST, OPTIONS"},
    {"/off/realtime/subscribe", "GET, OPTIONS"},
    {"/tasks/events/subscribe", "GET, OPTIONS"},
    {"/healthz", "GET, OPTIONS"},
};

START_TEST(test_preflights)
{
    for (size_t i = 0; i < bh_countof(endpoints); i++) {
        ask("OPTIONS", endpoints[i].path, NULL, "HTTP_ORIGIN",
            "https://app.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "GET");
        ck_assert_int_eq(a.status, 204);
        ck_assert_str_eq(fcgi_body(&a), "");
        ck_assert_str_eq(fcgi_header(&a, "Access-Control-Allow-Origin"),
                         "https://app.example");
        ck_assert_str_eq(fcgi_header(&a, "Access-Control-Allow-Credentials"),
                         "true");
        ck_assert_str_eq(fcgi_header(&a, "Access-Control-Allow-Methods"),
                         endpoints[i].methods);
        ck_assert_str_eq(fcgi_header(&a, "Access-Control-Allow-Headers"),
                         "Content-Type, Authorization, X-Request-ID, "
                         "Last-Event-ID, X-Client-Id");
        ck_assert_str_eq(fcgi_header(&a, "Access-Control-Max-Age"), "7200");
        ck_assert_str_eq(fcgi_header(&a, "Vary"), "Origin");
    }
    ask("OPTIONS", SUBSCRIBE, NULL, "HTTP_ORIGIN", "https://kiosk.example");
    ck_assert_int_eq(a.status, 204);
    ck_assert_ptr_null(fcgi_header(&a, "Access-Control-Allow-Credentials"));
    ask("OPTIONS", SUBSCRIBE, NULL, "HTTP_ORIGIN", "https://evil.example");
    ck_assert_int_eq(a.status, 204);
    ck_assert_ptr_null(strstr(bh_buf_cstr(&a.head), "Access-Control"));
}
END_TEST

/* ---- reading the log ---- */

START_TEST(test_history)
{
    char cursor[BH_CURSOR_MAX];
    const char *token = wk_token(&k, "o1", NULL, NULL);

    ask("GET", HISTORY, NULL, AUTH(token));
    ck_assert_ptr_nonnull(
        strstr(fcgi_body(&a), "{\"events\":[],\"cursor\":\""));
    ck_assert(says("-0\",\"gap\":null,\"more\":false}"));
    ask("POST", PUBLISH, event("a", "o1", ",\"propertyId\":\"p\""), JSON,
        AUTH(wk_publisher(&k)));
    ask("POST", PUBLISH, event("b", "o2", ""), JSON, AUTH(wk_publisher(&k)));
    ask("POST", PUBLISH, event("c", "o1", ""), JSON, AUTH(wk_publisher(&k)));
    ask("POST", PUBLISH, event("d", "o1", ",\"propertyId\":\"q\""), JSON,
        AUTH(wk_publisher(&k)));

    ask("GET", HISTORY "?limit=2", NULL, AUTH(token));
    ck_assert(says("\"eventId\":\"a\"") && says("\"eventId\":\"c\""));
    ck_assert(says(",\"seq\":3}]") && says("-3\",\"gap\":null,\"more\":true}"));
    ck_assert(!says("\"eventId\":\"b\""));
    cursor_of(cursor, 3);
    ask("GET", HISTORY, NULL, AUTH(token), "HTTP_LAST_EVENT_ID", cursor);
    ck_assert(says("\"eventId\":\"d\"") && !says("\"eventId\":\"c\""));
    ck_assert(says("-4\",\"gap\":null,\"more\":false}"));
    ask("GET", HISTORY "?propertyId=p", NULL, AUTH(token));
    ck_assert(says("\"eventId\":\"a\"") && says("\"eventId\":\"c\"") &&
              !says("\"eventId\":\"d\""));
    ask("GET", HISTORY, NULL, AUTH(wk_token(&k, "o1", "q", NULL)));
    ck_assert(!says("\"eventId\":\"a\"") && says("\"eventId\":\"c\"") &&
              says("\"eventId\":\"d\""));
    ask("GET", "/tasks/realtime/cursor", NULL, AUTH(token));
    cursor_of(cursor, 4);
    ck_assert(says(cursor));
}
END_TEST

START_TEST(test_gaps)
{
    char cursor[BH_CURSOR_MAX];
    struct bh_store *s;
    int n;
    const char *token = wk_token(&k, "o1", NULL, NULL);

    ask("POST", PUBLISH, event("a", "o1", ""), JSON, AUTH(wk_publisher(&k)));
    ask("POST", PUBLISH, event("b", "o1", ""), JSON, AUTH(wk_publisher(&k)));
    cursor_of(cursor, 99);
    ask("GET", HISTORY, NULL, AUTH(token), "HTTP_LAST_EVENT_ID", cursor);
    ck_assert(says("{\"events\":[],\"cursor\":\""));
    ck_assert(says("-2\",\"gap\":{\"reason\":\"log\"},\"more\":false}"));
    ask("GET", HISTORY "?cursor=0123456789abcdef-1", NULL, AUTH(token));
    ck_assert(says("\"gap\":{\"reason\":\"log\"}"));
    ck_assert_int_eq(bh_store_open_writer(&s, k.log, BH_SYNC_NORMAL), 0);
    ck_assert_int_eq(bh_store_begin(s), 0);
    ck_assert_int_eq(bh_logbox_prune(s, bh_wall_ms() + 60000, 1, &n), 0);
    ck_assert_int_eq(bh_store_commit(s), 0);
    bh_store_close(s);
    cursor_of(cursor, 0);
    ask("GET", HISTORY, NULL, AUTH(token), "HTTP_LAST_EVENT_ID", cursor);
    ck_assert(says("{\"events\":[],\"cursor\":\""));
    ck_assert(says("-2\",\"gap\":{\"reason\":\"expired\"}"));
    cursor_of(cursor, 1);
    ask("GET", HISTORY, NULL, AUTH(token), "HTTP_LAST_EVENT_ID", cursor);
    ck_assert(says("\"eventId\":\"b\"") && says("\"gap\":null"));
}
END_TEST

/* No broker: the log answers at once. */
START_TEST(test_subscribe_from_the_log)
{
    char cursor[BH_CURSOR_MAX];
    const char *token = wk_token(&k, "o1", NULL, NULL);

    ask("POST", PUBLISH, event("a", "o1", ""), JSON, AUTH(wk_publisher(&k)));
    ask("POST", PUBLISH, event("b", "o1", ""), JSON, AUTH(wk_publisher(&k)));
    ask("GET", SUBSCRIBE, NULL, AUTH(token));
    ck_assert_int_eq(a.status, 200);
    ck_assert(says("{\"events\":[],\"cursor\":\"") &&
              says("-2\",\"gap\":null}"));
    ck_assert_int_ge(atoi(fcgi_header(&a, "Retry-After")), 1);
    cursor_of(cursor, 1);
    ask("GET", SUBSCRIBE "?wait=25", NULL, AUTH(token), "HTTP_LAST_EVENT_ID",
        cursor);
    ck_assert(says("\"eventId\":\"b\"") && !says("\"eventId\":\"a\""));
    ck_assert(says(",\"seq\":2}],\"cursor\":\"") && says("-2\",\"gap\":null}"));
    ck_assert_int_le(atoi(fcgi_header(&a, "Retry-After")), 5);
}
END_TEST

/* ---- health and the retired poll ---- */

START_TEST(test_health)
{
    ask("GET", "/healthz?live", NULL);
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_eq(fcgi_body(&a), "{\"worker\":\"up\"}");
    ask("GET", "/healthz", NULL);
    ck_assert_int_eq(a.status, 503);
    ck_assert_str_eq(fcgi_body(&a), "{\"status\":\"down\",\"worker\":\"up\","
                                    "\"broker\":\"down\",\"log\":\"up\"}");
    ck_assert_ptr_nonnull(fcgi_header(&a, "Retry-After"));
    wk_broker_listen(&k);
    do {
        int fd = fcgi_ask(k.socket, "GET", "/healthz", NULL, NULL);
        wk_broker_greet(&k);
        answer(fd);
    } while (a.status == 503 && says("\"broker\":\"down\"")); /* too slow */
    ck_assert_int_eq(a.status, 200);
    ck_assert(says("\"status\":\"up\""));
}
END_TEST

START_TEST(test_legacy)
{
    ask("GET", "/tasks/events/subscribe", NULL);
    ck_assert_int_eq(a.status, 410);
    ck_assert_str_eq(fcgi_header(&a, "Link"),
                     "</tasks/realtime/subscribe>; rel=\"successor-version\"");
    ask("GET", "/old/events/subscribe?any=thing", NULL);
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_eq(fcgi_body(&a), "{\"events\":[]}");
}
END_TEST

Suite *
check_worker(void)
{
    Suite *s = suite_create("worker");
    TCase *c = tcase_create("http");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, test_publish_one);
    tcase_add_test(c, test_publish_batch);
    tcase_add_test(c, test_publish_ndjson);
    tcase_add_test(c, test_publish_own_org_only);
    tcase_add_test(c, test_refusals);
    tcase_add_test(c, test_long_token);
    tcase_add_test(c, test_too_large);
    tcase_add_test(c, test_refused_in_its_body);
    tcase_add_test(c, test_refused_publish_is_recorded);
    tcase_add_test(c, test_preflights);
    tcase_add_test(c, test_history);
    tcase_add_test(c, test_gaps);
    tcase_add_test(c, test_subscribe_from_the_log);
    tcase_add_test(c, test_health);
    tcase_add_test(c, test_legacy);
    suite_add_tcase(s, c);
    return s;
}
