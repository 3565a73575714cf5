/* loglevel.c: bellhopctl loglevel: how much running programs log. */
#include "control.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"

static const char *const parts[BH_PARTS] = {
    [BH_PART_WORKER] = "worker", [BH_PART_BROKER] = "broker"};
static const char *const levels[] = {"error", "warn", "notice", "info",
                                     "debug"};

static int
show(const struct bh_conf *conf)
{
    struct bh_ctlfile f;
    struct bh_ctlpage page = {.rules = 0};
    int rc = bh_ctlfile_init(&f, conf->log.path);

    if (rc == 0) rc = bh_ctlpage_read(&f, &page);
    bh_ctlfile_fini(&f);
    if (rc < 0 && rc != -ENOENT) {
        fprintf(stderr, "bellhopctl: %s.control: %s\n", conf->log.path,
                strerror(-rc));
        return EX_UNAVAILABLE;
    }
    for (int i = 0; i < BH_PARTS; i++) {
        uint8_t level = page.level[i];
        printf("%s\t%s\t%s\n", parts[i],
               levels[level > 0 ? level - 1 : (int)conf->log_level],
               level > 0 ? "by bellhopctl loglevel" : "by the configuration");
    }
    return EX_OK;
}

static int
set(const struct bh_conf *conf, const struct bh_ctlchange *change)
{
    struct bh_buf text = BH_BUF_INIT, log = BH_BUF_INIT;
    struct bh_reloaded done;
    int code = bh_ctl_announce(conf->log.path, change);

    /* So that the broker looks now; it would by itself in a tenth of a second.
     */
    if (code == EX_OK) bh_ctl_reload(conf, BH_RELOAD_RULES, &done, &text, &log);
    bh_buf_fini(&text);
    bh_buf_fini(&log);
    return code;
}

/* Into CHANGE; false where LEVEL or PART is no such word. */
static bool
read_change(struct bh_ctlchange *change, const char *level, const char *part)
{
    enum bh_level to;
    int value = 0;
    bool any = false;

    *change = bh_ctlchange_none;
    if (strcmp(level, "conf") != 0) {
        if (!bh_level_parse(level, &to)) return false;
        value = (int)to + 1;
    }
    for (int i = 0; i < BH_PARTS; i++)
        if (part == NULL || strcmp(part, parts[i]) == 0) {
            change->level[i] = value;
            any = true;
        }
    return any;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    static const struct option longs[] = {
        {"part", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
    struct bh_ctlchange change;
    const char *part = NULL;
    int o;

    while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (o != 'p') return bh_ctl_usage(c, NULL);
        part = optarg;
    }
    bool shows = optind == argc && part == NULL;
    if (!shows && optind + 1 != argc)
        return bh_ctl_usage(c, "which level? one, please");
    if (!shows && !read_change(&change, argv[optind], part))
        return bh_ctl_usage(c,
                            "the levels are error, warn, notice, info, debug "
                            "and conf; the parts worker and broker");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = shows ? show(conf) : set(conf, &change);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_loglevel = {
    "loglevel", "show or change how much running programs log",
    "Usage: bellhopctl [-c FILE] loglevel [LEVEL] [--part=worker|broker]\n"
    "Without LEVEL, show what is in force. LEVEL is the least important "
    "message "
    "to be\n"
    "logged, error, warn, notice, info or debug; or conf: what log_level says "
    "in the\n"
    "configuration. It holds until it is changed again, over restarts too.\n"
    "\n"
    "  --part=PART  only the workers, or only the broker\n"
    "\n"
    "Workers follow with their next request. Completed and refused requests "
    "are "
    "at\n"
    "info.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl loglevel info --part worker\n"
    "  bellhopctl loglevel conf\n",
    run};
