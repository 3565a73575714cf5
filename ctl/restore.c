/* restore.c: bellhopctl restore: put a copy of the log in its place. */
#include "control.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define PATH_MAX_BYTES 4096

/* "events.db.before-20261124T081500Z" */
static bool
name_aside(char *out, size_t size, const char *path)
{
    time_t now = (time_t)(bh_wall_ms() / 1000);
    char at[32];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &tm);
    return (size_t)snprintf(out, size, "%s.before-%s", path, at) < size;
}

static void
tell(const char *path, const char *aside, bool had_one, int64_t events)
{
    printf("%s: restored, %" PRId64 " events, under a new name\n", path,
           events);
    if (had_one)
        printf("What was there is now %s; remove it when all is well.\n",
               aside);
    printf(
        "Brokers and workers that run go over to it by themselves within a "
        "second.\n"
        "Every client is told by a gap (log) to fetch its data anew. What was "
        "published\n"
        "after the backup is not in it: let publishers send that again. Holds, "
        "denied tokens\n"
        "and switched domains are the backup's, too: bellhopctl hold list, "
        "deny list,\n"
        "domain list.\n");
}

static int
work(const struct bh_conf *conf, const char *from)
{
    struct bh_ctlchange change = bh_ctlchange_none;
    char err[512], aside[PATH_MAX_BYTES];
    int64_t events = 0;
    bool had_one = false;

    if (!name_aside(aside, sizeof aside, conf->log.path)) return EX_CONFIG;
    if (access(from, R_OK) != 0) {
        fprintf(stderr, "bellhopctl: %s: %s\n", from, strerror(errno));
        return EX_NOINPUT;
    }
    int rc = bh_store_restore(conf->log.path, from, aside, &had_one, &events,
                              err, sizeof err);
    if (rc < 0) {
        fprintf(stderr, "bellhopctl: %s\n", err);
        return EX_DATAERR;
    }
    tell(conf->log.path, aside, had_one, events);
    change.rules = true; /* the backup's are in force, not those of before */
    return bh_ctl_announce(conf->log.path, &change);
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    static const struct option longs[] = {{NULL, 0, NULL, 0}};

    if (getopt_long(argc, argv, "", longs, NULL) != -1)
        return bh_ctl_usage(c, NULL);
    if (optind + 1 != argc)
        return bh_ctl_usage(c, "it takes the name of a backup");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = work(conf, argv[optind]);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_restore = {
    "restore", "put a backup in the place of the log",
    "Usage: bellhopctl [-c FILE] restore FILE\n"
    "Check the backup FILE, copy it, give the copy a new name as a log, and "
    "put it in\n"
    "the place of the log under the writers' lock. The old log is kept beside "
    "it.\n"
    "\n"
    "Broker and workers may run: they see that the log was replaced. Since its "
    "name\n"
    "is new, a client whose cursor lies in the lost future is told to fetch "
    "its data\n"
    "anew, and is never given other events under numbers that it knows.\n"
    "\n"
    "Holds, denied tokens and switched domains go back to what they were then: "
    "note\n"
    "what hold list, deny list and domain list say before, and set it again.\n"
    "\n"
    "Example:\n"
    "  bellhopctl restore /var/backups/events-2026-11-23.db\n",
    run};
