/* hold.c: bellhopctl hold: organisations of which nothing may be pruned. */
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"
#include "words.h"

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, strlen(s)};
}

static int
tell_failure(struct bh_store *s)
{
    fprintf(stderr, "bellhopctl: %s\n", bh_store_error(s));
    bh_store_close(s);
    return EX_UNAVAILABLE;
}

static int
change(const struct bh_conf *conf, const char *org, const char *reason)
{
    struct bh_store *s;
    bool changed = false;
    int rc = bh_ctl_writer(&s, conf);

    if (rc == 0) rc = bh_store_begin(s);
    if (rc == 0 && reason != NULL)
        rc = bh_store_hold(s, str(org), str(reason), &changed);
    else if (rc == 0)
        rc = bh_store_unhold(s, str(org), &changed);
    if (rc == 0) rc = bh_store_commit(s);
    if (rc < 0) return tell_failure(s);
    bh_store_close(s);
    if (!changed)
        printf("%s\n",
               reason != NULL ? "it is on hold already" : "it was not on hold");
    return EX_OK;
}

static void
print_hold(void *arg, const struct bh_hold *h)
{
    char at[BH_STAMP_MAX], org[BH_WORD_MAX * 4], reason[BH_WORD_MAX * 4];

    (void)arg;
    printf("%s  %s  %s\n", bh_stamp(at, h->held_at),
           bh_log_word(org, sizeof org, h->org.p, h->org.len),
           bh_log_word(reason, sizeof reason, h->reason.p, h->reason.len));
}

static int
list(const struct bh_conf *conf)
{
    struct bh_store *s;
    int rc = bh_store_open_reader(&s, conf->log.path);

    if (rc == 0) rc = bh_store_holds(s, print_hold, NULL);
    if (rc < 0) return tell_failure(s);
    bh_store_close(s);
    return EX_OK;
}

/* 'a', 'r', 'l'; 0: it isn't to be understood. */
static char
understand(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) return 'l';
    if (argc < 3 || *argv[2] == '\0' || strlen(argv[2]) > BH_NAME_MAX) return 0;
    if (argc == 3 && strcmp(argv[1], "remove") == 0) return 'r';
    if (argc <= 4 && strcmp(argv[1], "add") == 0) return 'a';
    return 0;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    char what = understand(argc, argv);

    if (what == 0)
        return bh_ctl_usage(c, "it takes list, add ORG [REASON] or remove ORG");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code;
    if (what == 'l')
        code = list(conf);
    else if (what == 'r')
        code = change(conf, argv[2], NULL);
    else
        code = change(conf, argv[2], argc == 4 ? argv[3] : "");
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_hold = {
    "hold", "keep all events of an organisation",
    "Usage: bellhopctl [-c FILE] hold list\n"
    "       bellhopctl [-c FILE] hold add ORG [REASON]\n"
    "       bellhopctl [-c FILE] hold remove ORG\n"
    "A legal hold: nothing of the organisation is pruned, in any domain, until "
    "the\n"
    "hold is removed. What was pruned before stays gone.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl hold add hotel-1 'case 2026-17, ask Ms Berg'\n"
    "  bellhopctl hold list\n",
    run};
