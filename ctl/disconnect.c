/* disconnect.c: bellhopctl disconnect: end what waits, at once. */
#include "control.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"

struct request {
    struct bh_end end;
    bool deny;
    int64_t for_s; /* 0: until removed */
};

static const struct option longs[] = {{"org", required_argument, NULL, 'o'},
                                      {"user", required_argument, NULL, 'u'},
                                      {"domain", required_argument, NULL, 'd'},
                                      {"deny", optional_argument, NULL, 'n'},
                                      {NULL, 0, NULL, 0}};

/* NULL, or what is wrong; "" where getopt has said it. */
static const char *
take_option(struct request *q, int option, const char *value)
{
    switch (option) {
    case 'o':
        q->end.org = bh_ctl_name("--org", value);
        return NULL;
    case 'u':
        q->end.user = bh_ctl_name("--user", value);
        return NULL;
    case 'd':
        q->end.domain = (struct bh_str){value, strlen(value)};
        return bh_domain_valid(value, strlen(value)) ? NULL
                                                     : "no domain's name";
    case 'n':
        q->deny = true;
        if (value != NULL) q->for_s = bh_ctl_duration("--deny", value);
        return NULL;
    default:
        return "";
    }
}

/* DENIED: so many have been ended already, or -1 where nobody was denied. */
static int
end(const struct bh_conf *conf, const struct request *q, int64_t denied)
{
    uint32_t n;
    int rc = bh_ctl_end(conf, &q->end, &n);

    if (rc == 0)
        fprintf(stderr, "bellhopctl: no broker runs at %s, so nothing waits\n",
                conf->broker.socket);
    if (rc == 0 && denied >= 0) return EX_OK;
    if (rc <= 0) return EX_UNAVAILABLE;
    printf("%" PRId64 " waiting requests were ended\n",
           n + (denied > 0 ? denied : 0));
    return EX_OK;
}

/* How many a broker, if there is one, has ended since they are denied. */
static uint32_t
end_denied(const struct bh_conf *conf)
{
    struct bh_buf text = BH_BUF_INIT, log = BH_BUF_INIT;
    struct bh_reloaded done;
    int rc = bh_ctl_reload(conf, BH_RELOAD_RULES, &done, &text, &log);

    bh_buf_fini(&text);
    bh_buf_fini(&log);
    return rc > 0 ? done.ended : 0;
}

/* Before the end, so that whoever is ended can't come back. */
static int
deny(const struct bh_conf *conf, const struct request *q)
{
    char until[32];
    struct bh_denied d = {.kind = BH_DENIED_SUB,
                          .value = q->end.user,
                          .org = q->end.org,
                          .until =
                              q->for_s > 0 ? bh_wall_ms() + q->for_s * 1000 : 0,
                          .reason = {"disconnected", 12}};
    int code = bh_ctl_deny(conf, &d);

    if (code == EX_OK)
        printf("denied until %s\n",
               d.until > 0 ? bh_ctl_time(until, d.until) : "it is removed");
    return code;
}

static int
disconnect(const struct bh_conf *conf, const struct request *q)
{
    if (!q->deny) return end(conf, q, -1);
    int code = deny(conf, q);
    return code == EX_OK ? end(conf, q, end_denied(conf)) : code;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    struct request q = {.deny = false};
    int o;

    while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        const char *wrong = take_option(&q, o, optarg);
        if (wrong != NULL) return bh_ctl_usage(c, *wrong ? wrong : NULL);
    }
    if (optind < argc) return bh_ctl_usage(c, "it takes options only");
    if (q.end.org.len == 0)
        return bh_ctl_usage(c, "--org is needed: whose requests?");
    if (q.deny && q.end.user.len == 0)
        return bh_ctl_usage(c, "--deny needs --user: an org isn't denied");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = disconnect(conf, &q);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_disconnect = {
    "disconnect", "end the waiting requests of an org or a user",
    "Usage: bellhopctl [-c FILE] disconnect --org=ORG [OPTION]...\n"
    "End the polls and streams of an organisation, or of one of its users, "
    "with "
    "401\n"
    "token_invalid, at once. Their tokens stay good: a client that signs in "
    "again, or\n"
    "just asks again, is served. --deny, or bellhopctl deny, keeps it out.\n"
    "\n"
    "  --org=ORG        whose\n"
    "  --user=USER      only this user's\n"
    "  --domain=NAME    only in this domain\n"
    "  --deny[=TIME]    refuse the user's tokens of this org too, for 90s, "
    "15m,\n"
    "                   8h, 30d, or until `deny remove`\n"
    "\n"
    "Examples:\n"
    "  bellhopctl disconnect --org hotel-1\n"
    "  bellhopctl disconnect --org hotel-1 --user anna --deny=1h\n",
    run};
