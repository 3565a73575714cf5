/* request.c: from CGI variables to a checked struct. */
#include "request.h"

#include <string.h>
#include <strings.h>

#include "json.h"

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "abcdefghijklmnopqrstuvwxyz0123456789._-";

static bool
refuse(struct hotel_request *rq, enum hotel_code code, const char *detail)
{
    rq->refused = code;
    rq->detail = detail;
    return false;
}

static const char *
param(FCGX_ParamArray envp, const char *name)
{
    const char *value = FCGX_GetParam(name, envp);

    return value != NULL ? value : "";
}

bool
hotel_id_valid(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= HOTEL_ID_MAX && strspn(text, plain) == len;
}

static enum hotel_method
method_of(const char *name)
{
    static const char *const names[] = {"GET", "POST", "PATCH", "DELETE",
                                        "OPTIONS"};

    for (size_t i = 0; i < bh_countof(names); i++)
        if (strcmp(name, names[i]) == 0) return (enum hotel_method)i;
    return HOTEL_OTHER;
}

/* ---- path and query ---- */

/* Nothing of ours has a byte that would have to be escaped. */
static bool
read_path(struct hotel_request *rq, const char *uri)
{
    size_t len = strcspn(uri, "?");

    if (len == 0 || len > HOTEL_PATH_MAX)
        return refuse(rq, HOTEL_NOT_FOUND, "There is nothing at this path.");
    memcpy(rq->path, uri, len);
    rq->path[len] = '\0';
    return true;
}

/* The LEN bytes at P to OUT, where they are plain ones that fit SIZE. */
static bool
take_plain(char *out, size_t size, const char *p, size_t len)
{
    if (len == 0 || len >= size) return false;
    memcpy(out, p, len);
    out[len] = '\0';
    return strspn(out, plain) == len;
}

static bool
read_parameter(struct hotel_request *rq, const char *p, size_t len)
{
    static const char detail[] =
        "The query takes propertyId, status and assignee, each once, with "
        "letters, digits, dots and dashes.";
    const char *equals = memchr(p, '=', len);
    size_t name = equals != NULL ? (size_t)(equals - p) : len;
    char *out = NULL;
    size_t size = HOTEL_ID_MAX + 1;

    if (name == 10 && memcmp(p, "propertyId", 10) == 0) out = rq->property;
    if (name == 8 && memcmp(p, "assignee", 8) == 0) out = rq->assignee;
    if (name == 6 && memcmp(p, "status", 6) == 0) {
        out = rq->status;
        size = HOTEL_WORD_MAX + 1;
    }
    if (out == NULL || equals == NULL || out[0] != '\0' ||
        !take_plain(out, size, equals + 1, len - name - 1))
        return refuse(rq, HOTEL_BAD_REQUEST, detail);
    return true;
}

static bool
read_query(struct hotel_request *rq, const char *query)
{
    if (strlen(query) > HOTEL_QUERY_MAX)
        return refuse(rq, HOTEL_BAD_REQUEST, "The query is too long.");
    while (*query != '\0') {
        size_t len = strcspn(query, "&");
        if (len > 0 && !read_parameter(rq, query, len)) return false;
        query += len + (query[len] == '&');
    }
    return true;
}

/* ---- the cookie ---- */

/* One that isn't ours, or isn't whole, is none. */
static void
read_cookie(struct hotel_request *rq, const char *header)
{
    static const char name[] = "hotel-refresh=";
    size_t digits = sizeof rq->refresh - 1;

    if (strlen(header) > HOTEL_COOKIE_MAX) return;
    while (*header != '\0') {
        header += strspn(header, "; ");
        size_t len = strcspn(header, ";");
        if (len == sizeof(name) - 1 + digits &&
            memcmp(header, name, sizeof(name) - 1) == 0 &&
            strspn(header + sizeof(name) - 1, "0123456789abcdef") == digits)
            memcpy(rq->refresh, header + sizeof(name) - 1, digits);
        header += len;
    }
}

/* ---- the body ---- */

/* All of it, so that the web server isn't left writing; what is over the limit
 * is counted and dropped. False where the connection broke. */
static bool
drain(FCGX_Stream *in, struct bh_buf *out, size_t *total)
{
    char chunk[4096];
    int n;

    *total = 0;
    while ((n = FCGX_GetStr(chunk, sizeof chunk, in)) > 0) {
        *total += (size_t)n;
        if (*total <= HOTEL_BODY_MAX) bh_buf_add(out, chunk, (size_t)n);
    }
    return FCGX_GetError(in) == 0;
}

static bool
is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t len = strcspn(type, "; ");

    return len == sizeof(json) - 1 && strncasecmp(type, json, len) == 0;
}

/* A page of another origin can send a form, but no JSON without asking by a
 * preflight first: so the type is more than a formality. */
static bool
check_body(struct hotel_request *rq, const struct bh_buf *raw, size_t total,
           const char *type)
{
    struct bh_json_error at;

    if (total > HOTEL_BODY_MAX)
        return refuse(rq, HOTEL_TOO_LARGE, "The body has over 8192 bytes.");
    if (raw->failed)
        return refuse(rq, HOTEL_INTERNAL, "There is no memory left.");
    if (total == 0) return true;
    if (!is_json(type))
        return refuse(rq, HOTEL_UNSUPPORTED_TYPE,
                      "The body must be application/json.");
    if (bh_json_check(&rq->body, (struct bh_str){raw->p, raw->len},
                      HOTEL_DEPTH_MAX, "", &at) != 0)
        return refuse(rq, HOTEL_BAD_REQUEST, "The body is not sound JSON.");
    if (rq->body.p[0] != '{')
        return refuse(rq, HOTEL_BAD_REQUEST, "The body must be an object.");
    return true;
}

bool
hotel_request_read(struct hotel_request *rq, FCGX_ParamArray envp,
                   FCGX_Stream *in)
{
    struct bh_buf raw = BH_BUF_INIT;
    size_t total;

    *rq = (struct hotel_request){
        .method = method_of(param(envp, "REQUEST_METHOD")),
        .authorization = FCGX_GetParam("HTTP_AUTHORIZATION", envp),
        .origin = param(envp, "HTTP_ORIGIN"),
        .host = param(envp, "HTTP_HOST"),
        .https = strcasecmp(param(envp, "HTTPS"), "on") == 0,
        .body = BH_BUF_INIT};
    bool whole = drain(in, &raw, &total);
    read_cookie(rq, param(envp, "HTTP_COOKIE"));
    (void)(read_path(rq, param(envp, "REQUEST_URI")) &&
           read_query(rq, param(envp, "QUERY_STRING")) &&
           check_body(rq, &raw, total, param(envp, "CONTENT_TYPE")));
    bh_buf_fini(&raw);
    return whole;
}

void
hotel_request_free(struct hotel_request *rq)
{
    bh_buf_fini(&rq->body);
}
