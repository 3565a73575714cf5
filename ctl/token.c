/* token.c: bellhopctl token: sign a token with a configured key. */
#include "ctl.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "auth.h"
#include "mem.h"

#define SCOPES_MAX  64
#define TTL_DEFAULT 3600
#define TTL_MAX     (100LL * 365 * 86400)

struct lists {
    const char *properties[BH_PROPERTIES_MAX];
    const char *scopes[SCOPES_MAX];
};

static const struct option longs[] = {
    {"sub", required_argument, NULL, 'u'},
    {"org", required_argument, NULL, 'o'},
    {"property", required_argument, NULL, 'p'},
    {"scope", required_argument, NULL, 's'},
    {"ttl", required_argument, NULL, 't'},
    {"kid", required_argument, NULL, 'k'},
    {"jti", required_argument, NULL, 'j'},
    {NULL, 0, NULL, 0}};

/* NULL, or what is wrong. */
static const char *
take_option(struct bh_grant *g, struct lists *l, int option, const char *value)
{
    switch (option) {
    case 'u':
        g->user = value;
        return NULL;
    case 'o':
        g->org = value;
        return NULL;
    case 'k':
        g->kid = value;
        return NULL;
    case 'j':
        g->jti = value;
        return NULL;
    case 't':
        g->ttl_s = bh_ctl_number("--ttl", value, -TTL_MAX, TTL_MAX);
        return NULL;
    case 'p':
        if (g->n_properties == BH_PROPERTIES_MAX) return "too many properties";
        l->properties[g->n_properties++] = value;
        g->properties = l->properties;
        return NULL;
    case 's':
        if (g->n_scopes == SCOPES_MAX) return "too many scopes";
        l->scopes[g->n_scopes++] = value;
        g->scopes = l->scopes;
        return NULL;
    default:
        return "";
    }
}

static int
print_token(const char *path, const struct bh_grant *g)
{
    struct bh_conf *conf = bh_ctl_conf(path);
    char err[256];
    char *token = bh_auth_sign(conf, g, err, sizeof err);

    if (token != NULL)
        puts(token);
    else
        fprintf(stderr, "bellhopctl: %s\n", err);
    int code = token != NULL ? EX_OK : EX_CONFIG;
    bh_free(token);
    bh_conf_free(conf);
    return code;
}

static int
run(const struct bh_command *c, const char *conf, int argc, char **argv)
{
    struct bh_grant g = {.ttl_s = TTL_DEFAULT};
    struct lists lists;
    int o;

    while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        const char *wrong = take_option(&g, &lists, o, optarg);

        if (wrong != NULL) return bh_ctl_usage(c, *wrong ? wrong : NULL);
    }
    if (optind < argc) return bh_ctl_usage(c, "it takes options only");
    if (g.user == NULL) return bh_ctl_usage(c, "--sub is needed: whose is it?");
    return print_token(conf, &g);
}

const struct bh_command bh_cmd_token = {
    "token", "print a signed token",
    "Usage: bellhopctl [-c FILE] token --sub USER [OPTION]...\n"
    "Print a JWT signed with a configured key.\n"
    "\n"
    "  --sub=USER       whose token it is\n"
    "  --org=ORG        the organisation; without one it may publish to any\n"
    "  --property=NAME  may see this property; repeat it; without any: all\n"
    "  --scope=SCOPE    realtime:publish or realtime:metrics; repeat it\n"
    "  --ttl=SECONDS    how long it is good for, 3600 unless said; negative: "
    "an\n"
    "                   expired one, for tests\n"
    "  --jti=NAME       the token's own name, by which it can be denied\n"
    "  --kid=KEY        sign with this key; else the first that can\n"
    "\n"
    "Whoever has the token has its rights: keep it out of logs and histories.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl token --sub anna --org hotel-1 --property p-3\n"
    "  bellhopctl token --sub backend --scope realtime:publish --ttl 86400\n",
    run};
