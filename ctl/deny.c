/* deny.c: bellhopctl deny: tokens and users that are turned away. */
#include "control.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "log.h"

struct request {
    struct bh_denied entry;
    int64_t for_s; /* 0: not said */
};

static const struct option longs[] = {{"jti", required_argument, NULL, 'j'},
                                      {"sub", required_argument, NULL, 's'},
                                      {"org", required_argument, NULL, 'o'},
                                      {"for", required_argument, NULL, 'f'},
                                      {"reason", required_argument, NULL, 'r'},
                                      {NULL, 0, NULL, 0}};

/* NULL, or what is wrong; "" where getopt has said it. */
static const char *
take_option(struct request *q, int option, const char *value)
{
    switch (option) {
    case 'j':
    case 's':
        if (q->entry.value.len > 0) return "one --jti or one --sub at a time";
        q->entry.kind = option == 'j' ? BH_DENIED_JTI : BH_DENIED_SUB;
        q->entry.value = bh_ctl_name(option == 'j' ? "--jti" : "--sub", value);
        return NULL;
    case 'o':
        q->entry.org = bh_ctl_name("--org", value);
        return NULL;
    case 'f':
        q->for_s = bh_ctl_duration("--for", value);
        return NULL;
    case 'r':
        q->entry.reason = (struct bh_str){value, strlen(value)};
        return q->entry.reason.len <= BH_REASON_MAX ? NULL
                                                    : "--reason is too long";
    default:
        return "";
    }
}

static const char *
kind_word(enum bh_denied_kind kind)
{
    return kind == BH_DENIED_JTI ? "jti" : "sub";
}

/* ---- add, remove ---- */

/* A token is forgotten when it has expired by itself; a user isn't. */
static int64_t
end_of(const struct request *q, const struct bh_conf *conf)
{
    int64_t s = q->for_s;

    if (s == 0 && q->entry.kind == BH_DENIED_JTI) s = conf->token.life_s;
    return s > 0 ? bh_wall_ms() + s * 1000 : 0;
}

static int
add(const struct bh_conf *conf, struct request *q)
{
    char until[32];

    q->entry.until = end_of(q, conf);
    int code = bh_ctl_deny(conf, &q->entry);
    if (code != EX_OK) return code;
    printf("denied until %s\n", q->entry.until > 0
                                    ? bh_ctl_time(until, q->entry.until)
                                    : "it is removed");
    bh_ctl_enforce(conf);
    return EX_OK;
}

struct removal {
    const struct bh_denied *entry;
    bool found;
};

static int
undeny(struct bh_store *s, void *arg)
{
    struct removal *r = arg;

    return bh_store_undeny(s, r->entry->kind, r->entry->value, r->entry->org,
                           &r->found);
}

static int
remove_entry(const struct bh_conf *conf, struct request *q)
{
    struct removal r = {&q->entry, false};
    int code = bh_ctl_write(conf, undeny, &r);

    if (code != EX_OK) return code;
    if (!r.found) {
        fprintf(stderr, "bellhopctl: there is no such entry; bellhopctl deny "
                        "list shows them (an --org must be named too)\n");
        return EX_DATAERR;
    }
    puts("removed");
    bh_ctl_enforce(conf);
    return EX_OK;
}

/* ---- list ---- */

static bool
print_entry(void *arg BH_UNUSED, const struct bh_denied *d)
{
    char value[BH_NAME_MAX * 4 + 1], org[BH_NAME_MAX * 4 + 1];
    char reason[BH_REASON_MAX * 4 + 1], until[32], since[32];

    if (d->until > 0 && d->until <= bh_wall_ms()) return true;
    printf("%s\t%s\torg %s\tsince %s\tuntil %s\t%s\n", kind_word(d->kind),
           bh_log_word(value, sizeof value, d->value.p, d->value.len),
           d->org.len > 0 ? bh_log_word(org, sizeof org, d->org.p, d->org.len)
                          : "any",
           bh_ctl_time(since, d->created_at),
           d->until > 0 ? bh_ctl_time(until, d->until) : "removed",
           bh_log_word(reason, sizeof reason, d->reason.p, d->reason.len));
    return true;
}

static int
list(const struct bh_conf *conf, struct request *q BH_UNUSED)
{
    int code;
    struct bh_store *s = bh_ctl_read(conf, &code);

    if (s == NULL) return code;
    if (bh_store_denied(s, print_entry, NULL) < 0) {
        fprintf(stderr, "bellhopctl: %s\n", bh_store_error(s));
        code = EX_UNAVAILABLE;
    }
    bh_store_close(s);
    return code;
}

static const struct verb {
    const char *name;
    bool takes_entry;
    int (*run)(const struct bh_conf *conf, struct request *q);
} verbs[] = {
    {"add", true, add}, {"remove", true, remove_entry}, {"list", false, list}};

static const struct verb *
find_verb(const char *name)
{
    for (size_t i = 0; name != NULL && i < bh_countof(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
    return NULL;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    struct request q = {.for_s = 0};
    int o;

    while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        const char *wrong = take_option(&q, o, optarg);
        if (wrong != NULL) return bh_ctl_usage(c, *wrong ? wrong : NULL);
    }
    const struct verb *v = find_verb(argv[optind]);
    if (v == NULL || optind + 1 != argc)
        return bh_ctl_usage(c, "say add, list or remove");
    if (v->takes_entry && q.entry.value.len == 0)
        return bh_ctl_usage(c, "whose? --jti=NAME or --sub=USER");
    if (!v->takes_entry && (q.entry.value.len > 0 || q.entry.org.len > 0))
        return bh_ctl_usage(c, "list takes no options");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = v->run(conf, &q);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_deny = {
    "deny", "turn away a token or a user",
    "Usage: bellhopctl [-c FILE] deny add --jti=NAME|--sub=USER [OPTION]...\n"
    "       bellhopctl [-c FILE] deny remove --jti=NAME|--sub=USER "
    "[--org=ORG]\n"
    "       bellhopctl [-c FILE] deny list\n"
    "Refuse tokens with 401 token_invalid, by the token's jti claim or its "
    "user,\n"
    "from the next request on and over restarts. A user's waiting requests end "
    "at\n"
    "once; those of one token (jti) at their own end: a poll after 26 s, a "
    "stream\n"
    "after 12 minutes at most. 'bellhopctl disconnect' ends them at once.\n"
    "\n"
    "  --jti=NAME     one token; for token.life_seconds unless --for is given\n"
    "  --sub=USER     all tokens of a user; until removed unless --for is "
    "given\n"
    "  --org=ORG      only where the token is of this organisation\n"
    "  --for=TIME     how long: 90s, 15m, 8h, 30d\n"
    "  --reason=TEXT  for the list\n"
    "\n"
    "The list holds at most 10000 entries; those that have ended go by "
    "themselves.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl deny add --sub anna --org hotel-1 --for 8h --reason 'lost "
    "phone'\n"
    "  bellhopctl deny remove --sub anna --org hotel-1\n",
    run};
