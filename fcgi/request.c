#include "request.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <fcgiapp.h>

#include "clock.h"
#include "conf.h"
#include "json.h"

/* A body that takes longer is a client that drips it to hold a thread. */
#define BODY_MS 30000

/* The parameters that count, and where they go while they are judged. */
struct raw {
    const char *method, *script, *path_info, *uri, *query;
    const char *content_type, *content_length, *accept;
    const char *authorization, *origin, *user_agent, *client_id;
    const char *last_event_id, *request_id, *address, *protocol;
};

#define WANT(text, member)                                                     \
    {                                                                          \
        text, sizeof text - 1, offsetof(struct raw, member)                    \
    }

/* Some thirty parameters come with every request: a look at length and last
 * letter settles nearly all of them. */
static void
collect(struct raw *raw, char **envp)
{
    static const struct {
        const char *name;
        size_t len, at;
    } wanted[] = {
        WANT("REQUEST_METHOD", method),
        WANT("SCRIPT_NAME", script),
        WANT("PATH_INFO", path_info),
        WANT("REQUEST_URI", uri),
        WANT("QUERY_STRING", query),
        WANT("CONTENT_TYPE", content_type),
        WANT("CONTENT_LENGTH", content_length),
        WANT("HTTP_ACCEPT", accept),
        WANT("HTTP_AUTHORIZATION", authorization),
        WANT("HTTP_ORIGIN", origin),
        WANT("HTTP_USER_AGENT", user_agent),
        WANT("HTTP_X_CLIENT_ID", client_id),
        WANT("HTTP_LAST_EVENT_ID", last_event_id),
        WANT("HTTP_X_REQUEST_ID", request_id),
        WANT("REMOTE_ADDR", address),
        WANT("SERVER_PROTOCOL", protocol),
    };

    for (size_t i = 0; i < bh_countof(wanted); i++)
        *(const char **)(void *)((char *)raw + wanted[i].at) = "";
    for (; *envp != NULL; envp++) {
        const char *eq = strchr(*envp, '=');
        if (eq == NULL) continue;
        size_t len = (size_t)(eq - *envp);
        for (size_t i = 0; i < bh_countof(wanted); i++)
            if (wanted[i].len == len &&
                wanted[i].name[len - 1] == (*envp)[len - 1] &&
                memcmp(*envp, wanted[i].name, len) == 0)
                *(const char **)(void *)((char *)raw + wanted[i].at) = eq + 1;
    }
}

/* ---- words ---- */

static bool
is_sane_word(const char *s, size_t max)
{
    size_t len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return len >= 1 && len <= max && s[len] == '\0';
}

/* Decimal digits only, at most MAX; -1 for anything else. */
static int64_t
whole_number(const char *s, int64_t max)
{
    int64_t v = 0;

    if (*s == '\0') return -1;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9') return -1;
        v = v * 10 + (*s - '0');
        if (v > max) return -1;
    }
    return v;
}

static enum bh_method
parse_method(const char *s)
{
    if (strcmp(s, "GET") == 0) return BH_GET;
    if (strcmp(s, "POST") == 0) return BH_POST;
    if (strcmp(s, "OPTIONS") == 0) return BH_OPTIONS;
    return BH_OTHER_METHOD;
}

static const char *
skip_space(const char *s)
{
    return s + strspn(s, " \t");
}

/* RFC 9110, section 8.3.1. The one parameter that may follow is charset=utf-8:
 * JSON is UTF-8 whatever it says, so another charset is a mistake to name. */
static enum bh_media
parse_media(const char *s)
{
    size_t len = strcspn(s, "; \t");
    enum bh_media media = BH_MEDIA_OTHER;

    if (len == 16 && strncasecmp(s, "application/json", len) == 0)
        media = BH_MEDIA_JSON;
    if (len == 20 && strncasecmp(s, "application/x-ndjson", len) == 0)
        media = BH_MEDIA_NDJSON;
    if (len == 10 && strncasecmp(s, "text/plain", len) == 0)
        media = BH_MEDIA_TEXT;
    s = skip_space(s + len);
    if (*s == '\0') return media;
    if (*s != ';') return BH_MEDIA_OTHER;
    s = skip_space(s + 1);
    if (*s == '\0') return media;
    if (strncasecmp(s, "charset=", 8) != 0) return BH_MEDIA_OTHER;
    s += 8;
    if (strcasecmp(s, "utf-8") == 0 || strcasecmp(s, "\"utf-8\"") == 0)
        return media;
    return BH_MEDIA_OTHER;
}

/* ---- the path ---- */

/*
 * SCRIPT_NAME and PATH_INFO together are the path, wherever a web server cuts
 * it; one that sends neither leaves REQUEST_URI.
 */
static void
parse_path(struct bh_request *rq, const struct raw *raw)
{
    const char *uri =
        raw->script[0] == '\0' && raw->path_info[0] == '\0' ? raw->uri : "";
    int n = snprintf(rq->path, sizeof rq->path, "%s%s%.*s", raw->script,
                     raw->path_info, (int)strcspn(uri, "?"), uri);

    if (n < 0 || (size_t)n >= sizeof rq->path || rq->path[0] != '/')
        rq->path[0] = '\0';
    rq->domain = rq->action = (struct bh_str){"", 0};
    const char *slash = rq->path[0] ? strchr(rq->path + 1, '/') : NULL;
    if (slash == NULL) return;
    size_t len = (size_t)(slash - (rq->path + 1));
    if (!bh_domain_valid(rq->path + 1, len)) return;
    rq->domain = (struct bh_str){rq->path + 1, len};
    rq->action = (struct bh_str){slash + 1, strlen(slash + 1)};
}

/* ---- the query ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/*
 * application/x-www-form-urlencoded, which is what URLSearchParams writes.
 * False for a broken escape, and for what is too long for SIZE, is not UTF-8 or
 * has a control character: nothing in a query of ours may.
 */
static bool
url_decode(char *out, size_t size, const char *p, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)p[i];
        if (c == '+') c = ' ';
        if (c == '%') {
            int hi = i + 2 < len ? hex_digit(p[i + 1]) : -1;
            int lo = hi >= 0 ? hex_digit(p[i + 2]) : -1;
            if (lo < 0) return false;
            c = hi * 16 + lo;
            i += 2;
        }
        if (n + 1 >= size || c < 0x20 || c == 0x7f) return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return bh_utf8_valid(out, n);
}

static bool
take_property(struct bh_request *rq, const char *value)
{
    size_t len = strlen(value);

    if (len < 1 || len > BH_NAME_MAX) return false;
    memcpy(rq->property, value, len + 1);
    return true;
}

static bool
take_wait(struct bh_request *rq, const char *value)
{
    rq->wait_s = (int)whole_number(value, BH_WAIT_MAX);
    return rq->wait_s >= 0;
}

static bool
take_limit(struct bh_request *rq, const char *value)
{
    rq->limit = (int)whole_number(value, BH_PAGE_MAX);
    return rq->limit >= 1;
}

static bool
take_cursor(struct bh_request *rq, const char *value)
{
    rq->has_cursor = true;
    return bh_cursor_parse(&rq->cursor, value, strlen(value));
}

static bool
take_live(struct bh_request *rq BH_UNUSED, const char *value BH_UNUSED)
{
    return true;
}

static const struct member {
    const char *name;
    unsigned item;
    bool (*take)(struct bh_request *rq, const char *value);
} members[] = {
    {"propertyId", BH_PROPERTY, take_property},
    {"wait", BH_WAIT, take_wait},
    {"limit", BH_LIMIT, take_limit},
    {"cursor", BH_CURSOR, take_cursor},
    {"live", BH_LIVE, take_live},
};

static const struct member *
find_member(const char *p, size_t len)
{
    for (size_t i = 0; i < bh_countof(members); i++)
        if (strlen(members[i].name) == len &&
            memcmp(members[i].name, p, len) == 0)
            return &members[i];
    return NULL;
}

static void
parse_member(struct bh_request *rq, const char *p, size_t len)
{
    char value[BH_NAME_MAX + 2];
    const char *eq = memchr(p, '=', len);
    size_t name_len = eq != NULL ? (size_t)(eq - p) : len;
    const char *v = eq != NULL ? eq + 1 : p + len;
    const struct member *m = find_member(p, name_len);

    if (m == NULL || (rq->given & m->item)) {
        rq->bad_query = true;
        return;
    }
    rq->given |= m->item;
    if (!url_decode(value, sizeof value, v, (size_t)(p + len - v)) ||
        !m->take(rq, value))
        rq->bad |= m->item;
}

static void
parse_query(struct bh_request *rq, const char *query)
{
    if (strlen(query) > BH_QUERY_MAX) {
        rq->bad_query = true;
        return;
    }
    while (*query != '\0') {
        size_t len = strcspn(query, "&");
        if (len > 0) parse_member(rq, query, len);
        query += len;
        if (*query == '&') query++;
    }
}

/* ---- headers ---- */

/* The header wins over the query, a bad header over a good query too. */
static void
parse_last_event_id(struct bh_request *rq, const char *value)
{
    if (value[0] == '\0') return;
    rq->bad &= ~(unsigned)BH_CURSOR;
    if (!take_cursor(rq, value)) rq->bad |= BH_CURSOR;
}

static void
parse_client_id(struct bh_request *rq, const char *value)
{
    rq->client_id = "";
    if (value[0] == '\0') return;
    if (is_sane_word(value, BH_CLIENT_ID_MAX))
        rq->client_id = value;
    else
        rq->bad |= BH_CLIENT_ID;
}

static void
parse_request_id(struct bh_request *rq, const char *value)
{
    if (is_sane_word(value, BH_REQUEST_ID_MAX))
        memcpy(rq->id, value, strlen(value) + 1);
    else
        bh_random_id(rq->id, 16);
}

/* A household has a /64 of its own to choose addresses from (RFC 6177). */
static void
parse_address(struct bh_request *rq, const char *value)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    size_t len = strcspn(value, "%"); /* a zone */

    if (len >= sizeof text) return;
    memcpy(text, value, len);
    text[len] = '\0';
    if (inet_pton(AF_INET, text, rq->address + sizeof mapped) == 1)
        memcpy(rq->address, mapped, sizeof mapped);
    else if (inet_pton(AF_INET6, text, rq->address) == 1 &&
             memcmp(rq->address, mapped, sizeof mapped) != 0)
        memset(rq->address + 8, 0, 8);
}

/* Whether a list of media ranges names TYPE (RFC 9110, section 12.5.1). Weights
 * are left alone: nobody names what they don't want. */
static bool
accepts(const char *list, const char *type)
{
    while (*list != '\0') {
        list += strspn(list, " \t,");
        size_t len = strcspn(list, ";, \t");
        if (len == strlen(type) && strncasecmp(list, type, len) == 0)
            return true;
        list += len;
        list += strcspn(list, ",");
    }
    return false;
}

static int64_t
parse_content_length(const char *value)
{
    if (value[0] == '\0') return -1;
    int64_t n = whole_number(value, INT64_MAX / 100);
    return n < 0 ? -2 : n;
}

bool
bh_request_parse(struct bh_request *rq, char **envp, struct FCGX_Stream *in)
{
    struct raw raw;

    memset(rq, 0, sizeof *rq);
    rq->in = in;
    rq->limit = BH_PAGE_DEFAULT;
    collect(&raw, envp);
    if (raw.method[0] == '\0') return false;

    rq->method = parse_method(raw.method);
    parse_path(rq, &raw);
    parse_query(rq, raw.query);
    parse_last_event_id(rq, raw.last_event_id);
    parse_client_id(rq, raw.client_id);
    parse_request_id(rq, raw.request_id);
    parse_address(rq, raw.address);
    rq->authorization = raw.authorization;
    rq->origin = strlen(raw.origin) < BH_ORIGIN_MAX ? raw.origin : "";
    rq->user_agent = raw.user_agent;
    rq->media = parse_media(raw.content_type);
    rq->wants_lines = accepts(raw.accept, "application/x-ndjson");
    rq->content_length = parse_content_length(raw.content_length);
    rq->http1 = strncmp(raw.protocol, "HTTP/1.", 7) == 0;
    return true;
}

const char *
bh_request_fault(const struct bh_request *rq, unsigned takes)
{
    static const struct {
        unsigned item;
        const char *fault;
    } faults[] = {
        {BH_PROPERTY, "propertyId must be 1 to 128 bytes of UTF-8 without "
                      "control characters."},
        {BH_WAIT, "wait must be a whole number of seconds from 0 to 25."},
        {BH_LIMIT, "limit must be a whole number from 1 to 1000."},
        {BH_CURSOR, "The cursor is none that was given out."},
        {BH_CLIENT_ID, "X-Client-Id must be 1 to 64 of A-Z a-z 0-9 . _ -"},
    };

    if (takes & BH_ANY_QUERY) return NULL;
    if (rq->bad_query || (rq->given & ~takes))
        return "The query has a member that is unknown here, or one twice.";
    for (size_t i = 0; i < bh_countof(faults); i++)
        if (rq->bad & takes & faults[i].item) return faults[i].fault;
    return NULL;
}

/* ---- the body ---- */

/*
 * What has arrived, at least one byte: FCGX_GetStr alone would wait until SIZE
 * bytes are there, and with them for a client that sends one a second. 0 at the
 * end or after an error.
 */
static size_t
read_some(FCGX_Stream *in, char *out, size_t size)
{
    int c = FCGX_GetChar(in);

    if (c == EOF) return 0;
    out[0] = (char)c;
    size_t ready = (size_t)(in->stop - in->rdNext);
    if (ready > size - 1) ready = size - 1;
    if (ready == 0) return 1;
    int n = FCGX_GetStr(out + 1, (int)ready, in);
    return n > 0 ? (size_t)n + 1 : 1;
}

static enum bh_refusal
read_to_end(struct bh_request *rq, struct bh_buf *out, size_t cap, int ms)
{
    char chunk[8192];
    int64_t deadline = bh_now_ms() + ms;
    size_t n;

    while ((n = read_some(rq->in, chunk, sizeof chunk)) > 0) {
        rq->body_len += n;
        if (rq->body_len > cap) return BH_TOO_LARGE;
        if (out != NULL) bh_buf_add(out, chunk, n);
        if (out != NULL && out->failed) return BH_INTERNAL;
        if (bh_now_ms() > deadline) break;
    }
    if (n > 0 || FCGX_GetError(rq->in) != 0) {
        rq->broken = true;
        return BH_INTERNAL;
    }
    rq->drained = true;
    return BH_GRANTED;
}

enum bh_refusal
bh_request_body(struct bh_request *rq, struct bh_buf *out, size_t cap)
{
    if (rq->content_length == -2) return BH_BAD_REQUEST;
    if (rq->content_length > (int64_t)cap) return BH_TOO_LARGE;
    if (rq->in == NULL) return BH_GRANTED;
    enum bh_refusal no = read_to_end(rq, out, cap, BODY_MS);
    if (no == BH_GRANTED && rq->content_length >= 0 &&
        rq->content_length != (int64_t)rq->body_len)
        return BH_BAD_REQUEST;
    return no;
}

bool
bh_request_discard(struct bh_request *rq, size_t cap, int ms)
{
    bool fits = rq->content_length <= (int64_t)cap;

    if (!rq->drained && fits && rq->in != NULL) read_to_end(rq, NULL, cap, ms);
    return rq->drained;
}
