#include "doctor_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "clock.h"

#define CONNECT_MS 5000L
#define LOOK_MS    100 /* between two looks at what is enough */
#define HEAD_BYTES 32768
#define BODY_BYTES 65536

bool
bh_http_start(void)
{
    static bool started;

    if (!started) started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return started;
}

/* ---- libcurl calls these ---- */

static size_t
take_head(char *p, size_t size, size_t n, void *arg)
{
    struct bh_http *h = arg;

    /* After "100 Continue" the real one comes. */
    if (size * n > 5 && memcmp(p, "HTTP/", 5) == 0)
        bh_buf_reset(&h->answer.head);
    if (h->answer.head.len + size * n <= HEAD_BYTES)
        bh_buf_add(&h->answer.head, p, size * n);
    return size * n;
}

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
    struct bh_http *h = arg;
    size_t room = BODY_BYTES - h->answer.body.len;

    h->last = bh_now_ms() - h->began;
    if (h->first < 0) h->first = h->last;
    h->bytes += (int64_t)(size * n);
    bh_buf_add(&h->answer.body, p, size * n < room ? size * n : room);
    return size * n;
}

static size_t
give_spaces(char *p, size_t size, size_t n, void *arg)
{
    struct bh_http *h = arg;
    size_t len = size * n < h->to_send ? size * n : h->to_send;

    memset(p, ' ', len);
    h->to_send -= len;
    return len;
}

/* ---- one request ---- */

static void
set_method(CURL *c, const char *method)
{
    if (strcmp(method, "POST") == 0)
        curl_easy_setopt(c, CURLOPT_POST, 1L);
    else
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
}

/* No proxy: it is the web server itself that is looked at. */
static void
set_limits(CURL *c, const struct bh_doctor *d)
{
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "bellhopctl-doctor");
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, d->insecure ? 0L : 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, d->insecure ? 0L : 2L);
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
}

void
bh_http_init(struct bh_http *h, const struct bh_doctor *d, const char *method,
             const char *path)
{
    struct bh_buf url = BH_BUF_INIT;
    CURL *c = bh_http_start() ? curl_easy_init() : NULL;

    *h = (struct bh_http){.first = -1, .last = -1, .ended = -1, .handle = c};
    if (c == NULL) {
        h->failed = true;
        snprintf(h->why, sizeof h->why, "libcurl has no memory");
        return;
    }
    bh_buf_fmt(&url, "%s%s", d->url, path);
    curl_easy_setopt(c, CURLOPT_URL, bh_buf_cstr(&url)); /* copied */
    bh_buf_fini(&url);
    set_method(c, method);
    set_limits(c, d);
    curl_easy_setopt(c, CURLOPT_PRIVATE, h);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
}

static void
add_line(struct bh_http *h, const char *line)
{
    struct curl_slist *more = curl_slist_append(h->headers, line);

    if (more != NULL) h->headers = more;
}

void
bh_http_header(struct bh_http *h, const char *name, const char *value)
{
    struct bh_buf line = BH_BUF_INIT;

    bh_buf_fmt(&line, "%s: %s", name, value);
    add_line(h, bh_buf_cstr(&line));
    bh_buf_fini(&line);
}

void
bh_http_body(struct bh_http *h, size_t n)
{
    if (h->handle == NULL) return;
    h->to_send = n;
    bh_http_header(h, "Content-Type", "application/json");
    add_line(h, "Expect:"); /* else libcurl asks first, which no browser does */
    curl_easy_setopt(h->handle, CURLOPT_READFUNCTION, give_spaces);
    curl_easy_setopt(h->handle, CURLOPT_READDATA, h);
    curl_easy_setopt(h->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
}

void
bh_http_fini(struct bh_http *h)
{
    if (h->handle != NULL) curl_easy_cleanup(h->handle);
    curl_slist_free_all(h->headers);
    bh_answer_fini(&h->answer);
}

/* ---- running them ---- */

static void
finish(struct bh_http *h, CURLcode code)
{
    h->ended = bh_now_ms() - h->began;
    h->failed = code != CURLE_OK;
    snprintf(h->why, sizeof h->why, "%s", curl_easy_strerror(code));
}

static void
take_status(struct bh_http *h)
{
    long status = 0, version = 0;

    if (h->handle == NULL) return;
    curl_easy_getinfo(h->handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(h->handle, CURLINFO_HTTP_VERSION, &version);
    h->answer.status = (int)status;
    h->version = version == CURL_HTTP_VERSION_1_0   ? 10
                 : version == CURL_HTTP_VERSION_1_1 ? 11
                 : version >= CURL_HTTP_VERSION_2_0 ? 20
                                                    : 0;
}

static void
take_messages(CURLM *multi)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(multi, &left)) != NULL) {
        struct bh_http *h = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&h);
        finish(h, m->data.result);
    }
}

static void
add_all(CURLM *multi, struct bh_http **v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i]->began = bh_now_ms();
        if (v[i]->handle == NULL) continue;
        curl_easy_setopt(v[i]->handle, CURLOPT_HTTPHEADER, v[i]->headers);
        curl_multi_add_handle(multi, v[i]->handle);
    }
}

void
bh_http_run(struct bh_http **v, size_t n, int64_t ms, bool (*enough)(void *arg),
            void *arg)
{
    CURLM *multi = curl_multi_init();
    int64_t until = bh_now_ms() + ms;
    int running = 1;

    if (multi == NULL) return;
    add_all(multi, v, n);
    while (running > 0 && bh_now_ms() < until &&
           (enough == NULL || !enough(arg))) {
        if (curl_multi_perform(multi, &running) != CURLM_OK) break;
        take_messages(multi);
        if (running > 0) curl_multi_poll(multi, NULL, 0, LOOK_MS, NULL);
    }
    take_messages(multi);
    for (size_t i = 0; i < n; i++) {
        take_status(v[i]);
        if (v[i]->handle != NULL) curl_multi_remove_handle(multi, v[i]->handle);
    }
    curl_multi_cleanup(multi);
}

/* ---- the answer's head ---- */

static void
take_value(const char *p, const char *end, char out[256])
{
    while (p < end && (*p == ' ' || *p == '\t')) p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) end--;
    snprintf(out, 256, "%.*s", (int)(end - p), p);
}

const char *
bh_http_got(const struct bh_http *h, const char *name, char out[256], int *n)
{
    size_t len = strlen(name);
    const char *p = h->answer.head.p, *end = p + h->answer.head.len;
    int found = 0;

    *out = '\0';
    while (p != NULL && p < end) {
        const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);
        if (eol == NULL) break;
        if ((size_t)(eol - p) > len && p[len] == ':' &&
            strncasecmp(p, name, len) == 0 && found++ == 0)
            take_value(p + len + 1, eol, out);
        p = eol + 2;
    }
    if (n != NULL) *n = found;
    return out;
}
