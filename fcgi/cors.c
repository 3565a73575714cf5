#include "cors.h"

#include <string.h>

/* The configuration's own copy of ORIGIN, so that no byte from outside is ever
 * echoed; NULL where it isn't listed. */
static const char *
find(char *const *list, size_t n, const char *origin)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], origin) == 0) return list[i];
    return NULL;
}

/* The lines that both kinds of answer begin with. False for a stranger. */
static bool
admit(struct bh_buf *out, const struct bh_conf *conf, const char *origin)
{
    bh_buf_str(out, "Vary: Origin\r\n");
    if (origin[0] == '\0') return false;
    const char *known = find(conf->cors.origins_with_credentials,
                             conf->cors.n_origins_with_credentials, origin);
    bool credentials = known != NULL;
    if (known == NULL)
        known = find(conf->cors.origins, conf->cors.n_origins, origin);
    if (known == NULL) return false;
    bh_buf_fmt(out, "Access-Control-Allow-Origin: %s\r\n", known);
    if (credentials)
        bh_buf_str(out, "Access-Control-Allow-Credentials: true\r\n");
    return true;
}

void
bh_cors_answer(struct bh_buf *out, const struct bh_conf *conf,
               const char *origin)
{
    if (admit(out, conf, origin))
        bh_buf_str(out, "Access-Control-Expose-Headers: "
                        "X-Request-ID, Retry-After\r\n");
}

void
bh_cors_preflight(struct bh_buf *out, const struct bh_conf *conf,
                  const char *origin, const char *methods)
{
    if (!admit(out, conf, origin)) return;
    bh_buf_fmt(out, "Access-Control-Allow-Methods: %s\r\n", methods);
    for (size_t i = 0; i < conf->cors.n_headers; i++)
        bh_buf_fmt(out, "%s%s",
                   i == 0 ? "Access-Control-Allow-Headers: " : ", ",
                   conf->cors.headers[i]);
    if (conf->cors.n_headers > 0) bh_buf_str(out, "\r\n");
    bh_buf_fmt(out, "Access-Control-Max-Age: %d\r\n", conf->cors.max_age_s);
}
