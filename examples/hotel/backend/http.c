/* http.c: libcurl, held to what is needed here. */
#include "http.h"

#include <curl/curl.h>

#include "mem.h"

struct hotel_http {
    CURL *curl;
};

struct hotel_http *
hotel_http_new(void)
{
    struct hotel_http *h = bh_zalloc(sizeof *h);

    if (h == NULL) return NULL;
    h->curl = curl_easy_init();
    if (h->curl != NULL) return h;
    bh_free(h);
    return NULL;
}

void
hotel_http_free(struct hotel_http *h)
{
    if (h == NULL) return;
    curl_easy_cleanup(h->curl);
    bh_free(h);
}

void
hotel_answer_free(struct hotel_answer *a)
{
    bh_buf_fini(&a->body);
}

/* Less than asked for ends the transfer. */
static size_t
take(char *p, size_t size, size_t n, void *arg)
{
    struct bh_buf *body = arg;

    if (body->len + size * n > HOTEL_ANSWER_MAX) return 0;
    bh_buf_add(body, p, size * n);
    return body->failed ? 0 : size * n;
}

/* No redirect is followed and no proxy asked: the token is for Bellhop alone.
 */
static void
set_options(CURL *c, const char *url, int timeout_ms, struct bh_buf *answer)
{
    curl_easy_reset(c);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
}

/* "Expect:": else curl waits for a word of permission before a larger body. */
static struct curl_slist *
make_headers(const char *authorization)
{
    struct bh_buf line = BH_BUF_INIT;

    bh_buf_fmt(&line, "Authorization: %s", authorization);
    struct curl_slist *list = curl_slist_append(NULL, bh_buf_cstr(&line));
    if (line.p != NULL) bh_wipe(line.p, line.cap);
    bh_buf_fini(&line);
    if (list == NULL) return NULL;
    struct curl_slist *more =
        curl_slist_append(list, "Content-Type: application/json");
    if (more != NULL) more = curl_slist_append(more, "Expect:");
    if (more == NULL) curl_slist_free_all(list);
    return more;
}

void
hotel_http_send(struct hotel_http *h, const char *url,
                const char *authorization, const struct bh_buf *body,
                int timeout_ms, struct hotel_answer *out)
{
    struct curl_slist *headers = make_headers(authorization);
    curl_off_t after = 0;
    long status = 0;

    *out = (struct hotel_answer){.error = "there is no memory"};
    if (headers == NULL) return;
    set_options(h->curl, url, timeout_ms, &out->body);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    if (body != NULL) {
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)body->len);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body->p);
    }
    CURLcode rc = curl_easy_perform(h->curl);
    if (rc == CURLE_OK) {
        curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &after);
    }
    out->status = (int)status;
    out->retry_after_s = after > 0 && after < 3600 ? (int)after : 0;
    out->error = curl_easy_strerror(rc);
    curl_slist_free_all(headers);
}
