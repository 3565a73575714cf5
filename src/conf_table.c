/* conf_table.c: the table of options, and what their texts must look like. */
#include "conf_parts.h"

#include <ctype.h>
#include <string.h>

static bool
printable(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f) return false;
    return true;
}

/* A text that is looked for in JSON, where a backslash would escape. */
static const char *
check_text(const char *s)
{
    if (!printable(s)) return "holds a control character";
    return strchr(s, '\\') != NULL ? "holds a backslash" : NULL;
}

static const char *
check_plain(const char *s)
{
    if (!printable(s)) return "holds a control character";
    return strlen(s) <= BH_NAME_MAX ? NULL : "is longer than 128 bytes";
}

static const char *
check_word(const char *s)
{
    const char *wrong = check_text(s);

    return wrong != NULL ? wrong : check_plain(s);
}

static const char *
check_path(const char *s)
{
    return printable(s) ? NULL : "holds a control character";
}

static const char *
check_domain(const char *s)
{
    return bh_domain_valid(s, strlen(s))
               ? NULL
               : "a domain is named by a small letter and up to 31 small "
                 "letters, digits and hyphens";
}

static const char *
check_kid(const char *s)
{
    return *s == '\0' ? "a key needs a name, its kid" : check_word(s);
}

static const char *
check_algorithm(const char *s)
{
    static const char *const known[] = {"HS256", "HS384", "HS512",
                                        "RS256", "RS384", "RS512",
                                        "ES256", "ES384", "ES512"};

    for (size_t i = 0; i < bh_countof(known); i++)
        if (strcmp(s, known[i]) == 0) return NULL;
    return "must be HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384 or "
           "ES512";
}

/* A field name of HTTP (RFC 9110, 5.1). */
static const char *
check_header(const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) &&
            strchr("!#$%&'*+-.^_`|~", s[i]) == NULL)
            return "is no header's name";
    return len > 0 && len <= 64 ? NULL : "is no header's name";
}

static bool
origin_host(const char *p, size_t len)
{
    if (len > 2 && p[0] == '[' && p[len - 1] == ']') { /* IPv6 */
        for (size_t i = 1; i + 1 < len; i++)
            if (strchr("0123456789abcdef:.", p[i]) == NULL) return false;
        return true;
    }
    for (size_t i = 0; i < len; i++)
        if (!islower((unsigned char)p[i]) && !isdigit((unsigned char)p[i]) &&
            strchr("-._", p[i]) == NULL)
            return false;
    return len > 0;
}

static bool
origin_port(const char *p)
{
    size_t len = strspn(p, "0123456789");

    return len > 0 && len <= 5 && p[len] == '\0' && p[0] != '0';
}

/* An origin is compared byte by byte with what the browser sends, so only the
 * serialised form can ever match (RFC 6454, 6.2). */
static const char *
check_origin(const char *s)
{
    if (strchr(s, '*') != NULL || strcmp(s, "null") == 0)
        return "list each origin by name: a wildcard or \"null\" would let any "
               "web page read a signed-in user's events";
    size_t scheme = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
    if (scheme > 0 && islower((unsigned char)s[0]) &&
        strncmp(s + scheme, "://", 3) == 0) {
        const char *host = s + scheme + 3;
        const char *end = *host == '[' ? strchr(host, ']') : strchr(host, ':');
        if (*host == '[' && end != NULL) end++;
        if (end == NULL) end = host + strlen(host);
        if (origin_host(host, (size_t)(end - host)) &&
            (*end == '\0' || (*end == ':' && origin_port(end + 1))))
            return NULL;
    }
    return "must be scheme://host or scheme://host:port as a browser sends it: "
           "small letters, no path, no slash at the end";
}

#define AT(member)        .at = offsetof(struct bh_conf, member)
#define LIST_AT(v, n)     AT(v), .at_n = offsetof(struct bh_conf, n)
#define KEY_AT(member)    .at = offsetof(struct bh_conf_key, member)
#define DOMAIN_AT(member) .at = offsetof(struct bh_conf_domain, member)
#define INT(lo, hi, times)                                                     \
    .kind = BH_OPTION_INT, .min = lo, .max = hi, .unit = times

/* clang-format off */
const struct bh_option bh_option_table[] = {
    {"", "log_level", .kind = BH_OPTION_LEVEL, AT(log_level), .def = "notice"},
    {"", "syslog", .kind = BH_OPTION_BOOL, AT(syslog), .def = "false", .fixed = true},

    {"log", "path", .kind = BH_OPTION_PATH, AT(log.path), .def = "/var/lib/bellhop/events.db", .check = check_path, .fixed = true},
    {"log", "sync", .kind = BH_OPTION_SYNC, AT(log.sync), .def = "full", .fixed = true},
    {"log", "deliveries_kept", INT(0, 100000000, 1), AT(log.deliveries_kept), .def = "0", .fixed = true},

    {"broker", "socket", .kind = BH_OPTION_SOCKET, AT(broker.socket), .def = "/run/bellhop/broker.sock", .check = check_path, .fixed = true},
    {"broker", "users", .kind = BH_OPTION_LIST, LIST_AT(broker.users, broker.n_users), .def = "www-data", .check = check_plain},
    {"broker", "buffer_events", INT(1, 100000, 1), AT(broker.buffer_events), .def = "200"},
    {"broker", "buffer_seconds", INT(1, 3600, 1000), AT(broker.buffer_ms), .def = "25"},
    {"broker", "buffer_megabytes", .kind = BH_OPTION_BYTES, .min = 1, .max = 1048576, .unit = 1048576, AT(broker.buffer_bytes), .def = "256"},
    {"broker", "poll_seconds", INT(1, 300, 1000), AT(broker.poll_ms), .def = "25"},
    {"broker", "poll_jitter_ms", INT(0, 60000, 1), AT(broker.poll_jitter_ms), .def = "1000"},
    {"broker", "coalesce_ms", INT(0, 1000, 1), AT(broker.coalesce_ms), .def = "10"},
    {"broker", "heartbeat_seconds", INT(1, 300, 1000), AT(broker.heartbeat_ms), .def = "15"},
    {"broker", "stream_max_seconds", INT(10, 86400, 1000), AT(broker.stream_max_ms), .def = "600"},
    {"broker", "waiters_per_channel", INT(1, 10000000, 1), AT(broker.waiters_per_channel), .def = "5000"},
    {"broker", "waiters_per_user", INT(1, 1000000, 1), AT(broker.waiters_per_user), .def = "20"},
    {"broker", "waiters", INT(0, 10000000, 1), AT(broker.waiters), .def = "0"},
    {"broker", "channels", INT(1, 100000000, 1), AT(broker.channels), .def = "1200000"},
    {"broker", "channel_idle_seconds", INT(1, 86400, 1000), AT(broker.channel_idle_ms), .def = "120"},

    {"worker", "socket", .kind = BH_OPTION_SOCKET, AT(worker.socket), .def = "", .check = check_path, .fixed = true},
    {"worker", "threads", INT(1, 256, 1), AT(worker.threads), .def = "8", .fixed = true},
    {"worker", "io_timeout_seconds", INT(1, 600, 1000), AT(worker.io_timeout_ms), .def = "30"},
    {"worker", "broker_timeout_seconds", INT(1, 600, 1000), AT(worker.broker_timeout_ms), .def = "1", .fixed = true},
    {"worker", "refusals_kept", INT(0, 10000000, 1), AT(worker.refusals_kept), .def = "10000"},

    {"limits", "publisher_events_per_second", INT(0, 1000000, 1), AT(limits.publisher_rate), .def = "50000"},
    {"limits", "publisher_burst", INT(1, 10000000, 1), AT(limits.publisher_burst), .def = "200000"},
    {"limits", "org_events_per_second", INT(0, 1000000, 1), AT(limits.org_rate), .def = "10000"},
    {"limits", "org_burst", INT(1, 10000000, 1), AT(limits.org_burst), .def = "100000"},
    /* From one event of full size to BH_BODY_MAX. */
    {"limits", "body_kilobytes", INT(65, 32002, 1024), AT(limits.body_bytes), .def = "32002"},

    {"telemetry", "rows", INT(0, 100000000, 1), AT(telemetry.rows), .def = "100000"},
    {"telemetry", "keep_days", INT(1, 3650, 1), AT(telemetry.days), .def = "30"},
    {"telemetry", "address_requests_per_minute", INT(0, 1000000, 1), AT(telemetry.address_rate), .def = "60"},
    {"telemetry", "address_burst", INT(1, 1000000, 1), AT(telemetry.address_burst), .def = "60"},
    {"telemetry", "entries_per_second", INT(0, 1000000, 1), AT(telemetry.rate), .def = "100"},
    {"telemetry", "burst", INT(1, 1000000, 1), AT(telemetry.burst), .def = "2000"},

    {"token", "issuer", .kind = BH_OPTION_STR, AT(token.issuer), .def = "", .check = check_text},
    {"token", "audience", .kind = BH_OPTION_STR, AT(token.audience), .def = "", .check = check_text},
    {"token", "leeway_seconds", INT(0, 300, 1), AT(token.leeway_s), .def = "30"},
    {"token", "cache", INT(0, 1000000, 1), AT(token.cache), .def = "10000"},
    {"token", "life_seconds", INT(60, 315360000, 1), AT(token.life_s), .def = "604800"},
    {"token", "claim_user", .kind = BH_OPTION_STR, AT(token.claim_user), .def = "sub", .check = check_word},
    {"token", "claim_org", .kind = BH_OPTION_STR, AT(token.claim_org), .def = "orgId", .check = check_word},
    {"token", "claim_properties", .kind = BH_OPTION_STR, AT(token.claim_properties), .def = "properties", .check = check_word},
    {"token", "claim_scope", .kind = BH_OPTION_STR, AT(token.claim_scope), .def = "scope", .check = check_word},

    {"key", "algorithm", .kind = BH_OPTION_STR, KEY_AT(algorithm), .def = NULL, .check = check_algorithm},
    {"key", "file", .kind = BH_OPTION_PATH, KEY_AT(file), .def = NULL, .check = check_path},
    {"key", "sign_file", .kind = BH_OPTION_PATH, KEY_AT(sign_file), .def = "", .check = check_path},

    {"cors", "origins_with_credentials", .kind = BH_OPTION_LIST, LIST_AT(cors.origins_with_credentials, cors.n_origins_with_credentials), .def = "", .check = check_origin},
    {"cors", "origins", .kind = BH_OPTION_LIST, LIST_AT(cors.origins, cors.n_origins), .def = "", .check = check_origin},
    {"cors", "headers", .kind = BH_OPTION_LIST, LIST_AT(cors.headers, cors.n_headers), .def = "Content-Type Authorization X-Request-ID Last-Event-ID X-Client-Id", .check = check_header},
    {"cors", "max_age_seconds", INT(0, 86400, 1), AT(cors.max_age_s), .def = "7200"},

    {"domain", "enabled", .kind = BH_OPTION_BOOL, DOMAIN_AT(enabled), .def = "true"},
    {"domain", "legacy", .kind = BH_OPTION_BOOL, DOMAIN_AT(legacy), .def = "false"},
};
const size_t bh_option_count = bh_countof(bh_option_table);

const struct bh_section bh_section_table[BH_SECTIONS] = {
    {.name = "log"},
    {.name = "broker"},
    {.name = "worker"},
    {.name = "limits"},
    {.name = "telemetry"},
    {.name = "token"},
    {"key", true, sizeof(struct bh_conf_key), LIST_AT(keys, n_keys), BH_KEYS_MAX, check_kid},
    {.name = "cors"},
    {"domain", true, sizeof(struct bh_conf_domain), LIST_AT(domains, n_domains), BH_DOMAINS_MAX, check_domain},
};
/* clang-format on */

/* An entry's title is its first member. */
_Static_assert(offsetof(struct bh_conf_key, kid) == 0, "title first");
_Static_assert(offsetof(struct bh_conf_domain, name) == 0, "title first");

const struct bh_option *
bh_option_find(const char *section, const char *name)
{
    for (size_t i = 0; i < bh_option_count; i++)
        if (strcmp(bh_option_table[i].section, section) == 0 &&
            strcmp(bh_option_table[i].name, name) == 0)
            return &bh_option_table[i];
    return NULL;
}

const struct bh_section *
bh_section_find(const char *name)
{
    for (size_t i = 0; i < BH_SECTIONS; i++)
        if (strcmp(bh_section_table[i].name, name) == 0)
            return &bh_section_table[i];
    return NULL;
}

bool
bh_domain_valid(const char *name, size_t len)
{
    if (len == 0 || len > BH_DOMAIN_MAX || name[0] < 'a' || name[0] > 'z')
        return false;
    for (size_t i = 1; i < len; i++)
        if (!(name[i] >= 'a' && name[i] <= 'z') &&
            !(name[i] >= '0' && name[i] <= '9') && name[i] != '-')
            return false;
    return true;
}
