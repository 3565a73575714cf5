/* domain.c: bellhopctl domain: switch a domain off and on while it runs. */
#include "control.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "mem.h"

/* ---- list ---- */

struct row {
    bool known, enabled; /* what bellhopctl domain said last */
    int64_t changed_at;
};

struct table {
    const struct bh_conf *conf;
    struct row rows[BH_DOMAINS_MAX]; /* as conf->domains */
};

static bool
take_switch(void *arg, struct bh_str domain, bool enabled, int64_t changed_at)
{
    struct table *t = arg;
    const struct bh_conf_domain *d =
        bh_conf_domain(t->conf, domain.p, domain.len);

    if (d != NULL)
        t->rows[d - t->conf->domains] = (struct row){true, enabled, changed_at};
    return true;
}

static void
print_row(const struct bh_conf_domain *d, const struct row *r)
{
    char at[32];
    bool off = !d->enabled || (r->known && !r->enabled);
    const char *comma = "";

    printf("%s\t%s\t", d->name, off ? "off" : "on");
    if (r->known && !r->enabled) {
        printf("bellhopctl domain disable, %s", bh_ctl_time(at, r->changed_at));
        comma = "; ";
    }
    if (d->off_by_environment)
        printf("%sENABLE_…_REALTIME_V2 in this shell's environment", comma);
    else if (!d->enabled)
        printf("%senabled = false in the configuration", comma);
    putchar('\n');
}

static int
list(const struct bh_conf *conf)
{
    struct table *t = bh_zalloc(sizeof *t);
    int code;
    struct bh_store *s = bh_ctl_read(conf, &code);

    if (t != NULL && s != NULL) {
        t->conf = conf;
        if (bh_store_switches(s, take_switch, t) < 0) {
            fprintf(stderr, "bellhopctl: %s\n", bh_store_error(s));
            code = EX_UNAVAILABLE;
        }
        for (size_t i = 0; code == EX_OK && i < conf->n_domains; i++)
            print_row(&conf->domains[i], &t->rows[i]);
    }
    bh_store_close(s);
    bh_free(t);
    return code;
}

/* ---- enable, disable ---- */

struct flip {
    struct bh_str domain;
    bool enabled;
};

static int
flip(struct bh_store *s, void *arg)
{
    const struct flip *f = arg;

    return bh_store_switch(s, f->domain, f->enabled);
}

/* Somebody who has just enabled a domain wants to know why it stays off. */
static void
warn_of_others(const struct bh_conf_domain *d, bool enabled)
{
    if (!enabled || d->enabled) return;
    printf("it stays off: %s\n",
           d->off_by_environment
               ? "the environment says so (ENABLE_…_REALTIME_V2); start "
                 "broker and workers without it"
               : "the configuration says enabled = false; change it, then "
                 "bellhopctl reload");
}

static int
set(const struct bh_conf *conf, const char *name, bool enabled)
{
    struct flip f = {{name, strlen(name)}, enabled};
    const struct bh_conf_domain *d = bh_conf_domain(conf, name, f.domain.len);

    if (d == NULL) {
        fprintf(stderr,
                "bellhopctl: the configuration has no such domain; bellhopctl "
                "domain list shows them\n");
        return EX_DATAERR;
    }
    int code = bh_ctl_write(conf, flip, &f);
    if (code != EX_OK) return code;
    printf("%s: %s\n", name, enabled ? "enabled" : "disabled");
    warn_of_others(d, enabled);
    bh_ctl_enforce(conf);
    return EX_OK;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    bool lists = argc == 2 && strcmp(argv[1], "list") == 0;
    bool on = argc == 3 && strcmp(argv[1], "enable") == 0;
    bool off = argc == 3 && strcmp(argv[1], "disable") == 0;

    if (!lists && !on && !off)
        return bh_ctl_usage(c, "say list, enable NAME or disable NAME");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = lists ? list(conf) : set(conf, argv[2], on);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_domain = {
    "domain", "switch a domain off or on, or list them",
    "Usage: bellhopctl [-c FILE] domain list\n"
    "       bellhopctl [-c FILE] domain disable NAME\n"
    "       bellhopctl [-c FILE] domain enable NAME\n"
    "A disabled domain answers 503 domain_disabled at once, those who wait "
    "included.\n"
    "Its events stay in the log, and clients that come back go on where they "
    "were.\n"
    "\n"
    "A domain is off where any of these says so: this switch, which outlives\n"
    "restarts; enabled = false in the configuration;\n"
    "ENABLE_<DOMAIN>_REALTIME_V2=false in the environment of broker and "
    "workers.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl domain disable tasks\n"
    "  bellhopctl domain list\n",
    run};
