/* backup.c: bellhopctl backup: a checked copy of the log, while it is written.
 */
#include "ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "words.h"

static void
show(void *arg, int64_t done, int64_t all)
{
    bh_bar_show(arg, done, all);
}

/* The log itself, or a file beside it: a copy put in its place would take what
 * is published meanwhile along, and leave the journal to another file. */
static bool
is_of_log(const char *log, const char *to)
{
    static const char *const parts[] = {"",      "-wal",     "-shm",
                                        ".lock", ".control", ".rates"};
    char part[4096];
    struct stat a, b;

    if (stat(to, &a) != 0) return false;
    for (size_t i = 0; i < bh_countof(parts); i++) {
        snprintf(part, sizeof part, "%s%s", log, parts[i]);
        if (stat(part, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
            return true;
    }
    return false;
}

static int
work(const struct bh_conf *conf, const char *to)
{
    struct bh_bar bar = {.what = "copying"};
    char err[512], size[BH_SIZE_MAX];
    int64_t events;
    struct stat st;

    if (is_of_log(conf->log.path, to)) {
        fprintf(stderr, "bellhopctl: %s is the log's own; take another name\n",
                to);
        return EX_CANTCREAT;
    }
    int rc = bh_store_backup(conf->log.path, to, show, &bar, &events, err,
                             sizeof err);

    bh_bar_end(&bar);
    if (rc < 0) {
        fprintf(stderr, "bellhopctl: %s\n", err);
        return EX_IOERR;
    }
    if (stat(to, &st) != 0) st.st_size = 0;
    printf("%s: %" PRId64 " events, %s, checked\n", to, events,
           bh_size_text(size, st.st_size));
    return EX_OK;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    static const struct option longs[] = {{"force", no_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    bool force = false;
    int o;

    while ((o = getopt_long(argc, argv, "f", longs, NULL)) != -1) {
        if (o != 'f') return bh_ctl_usage(c, NULL);
        force = true;
    }
    if (optind + 1 != argc)
        return bh_ctl_usage(c, "it takes the name of a file");
    if (!force && access(argv[optind], F_OK) == 0) {
        fprintf(stderr,
                "bellhopctl: %s is there already; take another name, or "
                "--force\n",
                argv[optind]);
        return EX_CANTCREAT;
    }
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = work(conf, argv[optind]);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_backup = {
    "backup", "copy the log while it is in use, and check the copy",
    "Usage: bellhopctl [-c FILE] backup [--force] FILE\n"
    "Write a copy of the log as it is now to FILE, while Bellhop goes on. The "
    "copy is\n"
    "made under another name, checked (integrity, number of events) and "
    "renamed. It\n"
    "is one file, readable by its owner only, for sqlite3 and bellhopctl "
    "restore.\n"
    "\n"
    "  -f, --force  replace FILE if it is there\n"
    "\n"
    "Examples:\n"
    "  bellhopctl backup /var/backups/events-$(date +%F).db\n"
    "  bellhopctl backup --force /var/backups/events.db && rsync ...\n",
    run};
