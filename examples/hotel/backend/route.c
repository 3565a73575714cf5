/* route.c: which handler, and who may call it. */
#include "call.h"

#include <string.h>

static const struct route {
    enum hotel_method method;
    const char *path; /* a '*' at the end stands for a task's id */
    void (*run)(struct hotel_call *c);
    bool token;  /* a user's token is needed */
    bool cookie; /* it works on a cookie: only for pages of ours */
} routes[] = {
    {HOTEL_GET, "/hotel/healthz", hotel_handle_health, false, false},
    {HOTEL_GET, "/hotel/auth/staff", hotel_handle_staff, false, false},
    {HOTEL_POST, "/hotel/auth/login", hotel_handle_login, false, true},
    {HOTEL_POST, "/hotel/auth/refresh", hotel_handle_refresh, false, true},
    {HOTEL_POST, "/hotel/auth/logout", hotel_handle_logout, false, true},
    {HOTEL_GET, "/hotel/api/hotel", hotel_handle_hotel, true, false},
    {HOTEL_GET, "/hotel/api/summary", hotel_handle_summary, true, false},
    {HOTEL_GET, "/hotel/api/tasks", hotel_handle_list, true, false},
    {HOTEL_POST, "/hotel/api/tasks", hotel_handle_create, true, false},
    {HOTEL_PATCH, "/hotel/api/tasks/*", hotel_handle_update, true, false},
    {HOTEL_DELETE, "/hotel/api/tasks/*", hotel_handle_delete, true, false},
};

/* Whether PATH is the route's; *ID is what its '*' stands for. */
static bool
matches(const struct route *r, const char *path, const char **id)
{
    size_t len = strlen(r->path) - 1;

    if (r->path[len] != '*') return strcmp(path, r->path) == 0;
    if (strncmp(path, r->path, len) != 0 || !hotel_id_valid(path + len))
        return false;
    *id = path + len;
    return true;
}

/* A page of another origin could make the browser send the cookie along. The
 * cookie's SameSite forbids it; this one doesn't rest on the browser's age. */
static bool
is_foreign(const struct hotel_call *c)
{
    const char *origin = c->rq->origin;
    const char *host = strstr(origin, "://");

    if (origin[0] == '\0') return false;
    if (host != NULL && strcmp(host + 3, c->rq->host) == 0) return false;
    return hotel_origin_known(c->hotel->conf, origin) == NULL;
}

/* A token of the backend's own has no org, and is nobody's. */
static bool
admit(struct hotel_call *c)
{
    const char *why = "";
    enum bh_refusal no =
        bh_auth_check(c->hotel->auth, c->rq->authorization, &c->claims, &why);

    if (no == BH_GRANTED && c->claims->org != NULL) return true;
    if (no == BH_GRANTED)
        hotel_refuse(&c->reply, HOTEL_FORBIDDEN, "The token is no user's.",
                     NULL);
    else if (no == BH_TOKEN_MISSING)
        hotel_refuse(&c->reply, HOTEL_TOKEN_MISSING, why, NULL);
    else if (no == BH_TOKEN_EXPIRED)
        hotel_refuse(&c->reply, HOTEL_TOKEN_EXPIRED, why, NULL);
    else if (no == BH_TOKEN_INVALID)
        hotel_refuse(&c->reply, HOTEL_TOKEN_INVALID, why, NULL);
    else
        hotel_refuse(&c->reply, HOTEL_INTERNAL, "There is no memory left.",
                     NULL);
    return false;
}

static void
run(const struct route *r, struct hotel_call *c)
{
    if (r->cookie && is_foreign(c))
        hotel_refuse(&c->reply, HOTEL_FORBIDDEN,
                     "This origin isn't among those of the configuration.",
                     NULL);
    else if (!r->token || admit(c))
        r->run(c);
}

void
hotel_route_run(struct hotel_call *c)
{
    bool known = false;

    if (c->rq->refused != HOTEL_OK) {
        hotel_refuse(&c->reply, c->rq->refused, c->rq->detail, NULL);
        return;
    }
    for (size_t i = 0; i < bh_countof(routes); i++) {
        if (!matches(&routes[i], c->rq->path, &c->id)) continue;
        known = true;
        if (routes[i].method != c->rq->method) continue;
        run(&routes[i], c);
        return;
    }
    if (known && c->rq->method == HOTEL_OPTIONS)
        c->reply.status = 204;
    else if (known)
        hotel_refuse(&c->reply, HOTEL_METHOD, "The path takes other methods.",
                     NULL);
    else
        hotel_refuse(&c->reply, HOTEL_NOT_FOUND,
                     "There is nothing at this path.", NULL);
}
