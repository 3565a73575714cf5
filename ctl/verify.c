/* verify.c: bellhopctl verify: is the log sound? */
#include "ctl.h"

#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

struct result {
    bool quiet, bad;
};

static void
tell(void *arg, enum bh_finding kind, const char *text)
{
    static const char *const marks[] = {"ok", "note", "BAD"};
    struct result *r = arg;

    if (kind == BH_FOUND_BAD) r->bad = true;
    if (r->quiet && kind == BH_FOUND_GOOD) return;
    printf("%-5s %s\n", marks[kind], text);
}

static int
verify(const char *path, bool quick, struct result *r)
{
    char err[512];

    if (bh_store_verify(path, quick, tell, r, err, sizeof err) < 0) {
        fprintf(stderr, "bellhopctl: %s\n", err);
        return EX_NOINPUT;
    }
    if (r->bad)
        fprintf(stderr,
                "bellhopctl: %s is not sound; keep a copy of it, and restore "
                "the last good backup\n",
                path);
    return r->bad ? EX_DATAERR : EX_OK;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    static const struct option longs[] = {{"quick", no_argument, NULL, 'k'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {NULL, 0, NULL, 0}};
    struct result r = {false, false};
    bool quick = false;
    int o;

    while ((o = getopt_long(argc, argv, "kq", longs, NULL)) != -1) {
        if (o == 'k')
            quick = true;
        else if (o == 'q')
            r.quiet = true;
        else
            return bh_ctl_usage(c, NULL);
    }
    if (argc - optind > 1) return bh_ctl_usage(c, "it takes one file at most");
    if (optind < argc) return verify(argv[optind], quick, &r);
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = verify(conf->log.path, quick, &r);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_verify = {
    "verify", "check the log, or a backup of it",
    "Usage: bellhopctl [-c FILE] verify [OPTION]... [FILE]\n"
    "Check the log, or FILE, without changing it: damage, the order and the "
    "numbers,\n"
    "events against their columns, tables that are missing or not ours.\n"
    "\n"
    "  -k, --quick  leave out what reads every event\n"
    "  -q, --quiet  print only what is wrong\n"
    "\n"
    "Exit: 0 it is sound, 65 it is not, 66 it can't be opened.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl verify\n"
    "  bellhopctl verify --quiet /var/backups/events-2026-11-23.db\n",
    run};
