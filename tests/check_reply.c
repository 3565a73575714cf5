/* check_reply.c: answers as they go out, and which origins may read them. */
#include "fcgi/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/cors.h"
#include "json.h"
#include "mem.h"
#include "suites.h"

static struct bh_reply reply;
static struct bh_buf out;

static void
start(void)
{
    bh_reply_init(&reply);
    out = (struct bh_buf)BH_BUF_INIT;
}

static void
finish(void)
{
    bh_reply_fini(&reply);
    bh_buf_fini(&out);
}

static const char *
encoded(void)
{
    bh_reply_encode(&out, &reply, "rid", "Vary: Origin\r\n");
    return bh_buf_cstr(&out);
}

static bool
body_is_json(void)
{
    struct bh_buf b = BH_BUF_INIT;
    struct bh_json_error err;
    struct bh_str text = {reply.body.p, reply.body.len};
    int rc = bh_json_check(&b, text, 8, "", &err);

    bh_buf_fini(&b);
    return rc == 0;
}

START_TEST(test_json)
{
    bh_buf_str(bh_reply_json(&reply), "{}");
    ck_assert_str_eq(encoded(), "Status: 200 OK\r\n"
                                "Content-Type: application/json\r\n"
                                "Content-Length: 2\r\n"
                                "Cache-Control: no-store\r\n"
                                "X-Request-ID: rid\r\n"
                                "Vary: Origin\r\n\r\n{}");
}
END_TEST

START_TEST(test_no_content)
{
    reply.status = 204;
    ck_assert_str_eq(encoded(), "Status: 204 No Content\r\n"
                                "Cache-Control: no-store\r\n"
                                "X-Request-ID: rid\r\n"
                                "Vary: Origin\r\n\r\n");
}
END_TEST

START_TEST(test_each_refusal)
{
    enum bh_refusal r = (enum bh_refusal)_i;
    char word[64];

    bh_buf_str(bh_reply_json(&reply), "what was begun before");
    bh_reply_refuse(&reply, r, NULL, NULL);
    snprintf(word, sizeof word, "\"code\":\"%s\"}", bh_refusal_word(r));
    ck_assert(body_is_json());
    ck_assert_ptr_nonnull(strstr(encoded(), word));
    ck_assert_ptr_nonnull(
        strstr(out.p, "Content-Type: application/problem+json\r\n"));
    bool retry = bh_refusal_status(r) == 429 || bh_refusal_status(r) == 503;
    ck_assert_int_eq(strstr(out.p, "\r\nRetry-After: ") != NULL, retry);
    ck_assert_int_eq(reply.status, bh_refusal_status(r));
    ck_assert_ptr_null(strstr(out.p, "begun"));
}
END_TEST

START_TEST(test_errors_are_quoted)
{
    struct bh_event_errors errors = {.n = 2};

    strcpy(errors.v[0].pointer, "/events/3/a\"b\\");
    strcpy(errors.v[0].detail, "is unknown");
    bh_reply_refuse(&reply, BH_INVALID_EVENT, "So it is.", &errors);
    ck_assert(body_is_json());
    ck_assert_ptr_nonnull(strstr(bh_buf_cstr(&reply.body),
                                 "\"errors\":[{\"pointer\":\"/events/3/a\\\"b"
                                 "\\\\\",\"detail\":\"is unknown\"},{"));
    ck_assert_ptr_nonnull(strstr(reply.body.p, "\"detail\":\"So it is.\""));
    ck_assert_str_eq(reply.first.detail, "is unknown");
}
END_TEST

START_TEST(test_challenge)
{
    bh_reply_challenge(&reply, BH_TOKEN_MISSING, "There is none.");
    ck_assert_ptr_nonnull(
        strstr(encoded(), "WWW-Authenticate: Bearer realm=\"bellhop\"\r\n"));
    bh_reply_challenge(&reply, BH_TOKEN_EXPIRED, "It is over.");
    ck_assert_ptr_nonnull(strstr(encoded(),
                                 "WWW-Authenticate: Bearer realm=\"bellhop\", "
                                 "error=\"invalid_token\", "
                                 "error_description=\"It is over.\"\r\n"));
    ck_assert(body_is_json());
}
END_TEST

/* Whatever allocation fails, what goes out is whole, or nothing does. */
START_TEST(test_no_memory)
{
    for (unsigned long n = 1;; n++) {
        struct bh_reply r;
        struct bh_buf text = BH_BUF_INIT;
        bh_reply_init(&r);
        bh_mem_fail_at(n);
        bh_reply_challenge(&r, BH_TOKEN_EXPIRED, "It is over.");
        bh_reply_encode(&text, &r, "rid", "Vary: Origin\r\n");
        bool waiting = bh_mem_fail_at(0);
        const char *p = bh_buf_cstr(&text);
        if (!text.failed) {
            ck_assert_ptr_nonnull(strstr(p, "\r\n\r\n{"));
            ck_assert_int_eq(text.p[text.len - 1], '}');
            ck_assert_ptr_nonnull(strstr(p, "X-Request-ID: rid\r\n"));
        }
        bool whole = strncmp(p, "Status: 401", 11) == 0;
        ck_assert(whole == waiting || !waiting);
        bh_buf_fini(&text);
        bh_reply_fini(&r);
        if (waiting) return;
    }
}
END_TEST

/* ---- CORS ---- */

static char *with[] = {(char *)(uintptr_t) "https://app.example"};
static char *without[] = {(char *)(uintptr_t) "https://kiosk.example"};
static char *headers[] = {(char *)(uintptr_t) "Content-Type",
                          (char *)(uintptr_t) "Authorization"};
static const struct bh_conf conf = {
    .cors = {.origins_with_credentials = with,
             .n_origins_with_credentials = 1,
             .origins = without,
             .n_origins = 1,
             .headers = headers,
             .n_headers = 2,
             .max_age_s = 7200},
};

static const char *
cors(const char *origin)
{
    bh_buf_reset(&out);
    bh_cors_answer(&out, &conf, origin);
    return bh_buf_cstr(&out);
}

START_TEST(test_cors_answers)
{
    ck_assert_str_eq(
        cors("https://app.example"),
        "Vary: Origin\r\n"
        "Access-Control-Allow-Origin: https://app.example\r\n"
        "Access-Control-Allow-Credentials: true\r\n"
        "Access-Control-Expose-Headers: X-Request-ID, Retry-After\r\n");
    ck_assert_str_eq(
        cors("https://kiosk.example"),
        "Vary: Origin\r\n"
        "Access-Control-Allow-Origin: https://kiosk.example\r\n"
        "Access-Control-Expose-Headers: X-Request-ID, Retry-After\r\n");
}
END_TEST

START_TEST(test_cors_strangers)
{
    static const char *const strangers[] = {
        "",
        "null",
        "*",
        "http://app.example",
        "https://app.example:443",
        "https://app.example.evil",
        "https://app.exampl",
        "https://APP.example",
    };
    for (size_t i = 0; i < bh_countof(strangers); i++)
        ck_assert_str_eq(cors(strangers[i]), "Vary: Origin\r\n");
}
END_TEST

START_TEST(test_cors_preflight)
{
    bh_cors_preflight(&out, &conf, "https://app.example", "GET, OPTIONS");
    ck_assert_str_eq(bh_buf_cstr(&out),
                     "Vary: Origin\r\n"
                     "Access-Control-Allow-Origin: https://app.example\r\n"
                     "Access-Control-Allow-Credentials: true\r\n"
                     "Access-Control-Allow-Methods: GET, OPTIONS\r\n"
                     "Access-Control-Allow-Headers: Content-Type, "
                     "Authorization\r\n"
                     "Access-Control-Max-Age: 7200\r\n");
    bh_buf_reset(&out);
    bh_cors_preflight(&out, &conf, "https://evil.example", "GET, OPTIONS");
    ck_assert_str_eq(bh_buf_cstr(&out), "Vary: Origin\r\n");
}
END_TEST

Suite *
check_reply(void)
{
    Suite *s = suite_create("reply");
    TCase *c = tcase_create("reply");

    tcase_add_checked_fixture(c, start, finish);
    tcase_add_test(c, test_json);
    tcase_add_test(c, test_no_content);
    tcase_add_loop_test(c, test_each_refusal, BH_GRANTED + 1, BH_REFUSAL_COUNT);
    tcase_add_test(c, test_errors_are_quoted);
    tcase_add_test(c, test_challenge);
    tcase_add_test(c, test_no_memory);
    tcase_add_test(c, test_cors_answers);
    tcase_add_test(c, test_cors_strangers);
    tcase_add_test(c, test_cors_preflight);
    suite_add_tcase(s, c);
    return s;
}
