/* summarize.c: bellhopctl summarize: bring the summary tables up to date. */
#include "ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "steps.h"
#include "words.h"

static int
work(const struct bh_conf *conf, bool quiet)
{
    struct bh_bar bar = {.what = "counting"};
    struct bh_steps steps;
    struct bh_store *s;
    int64_t rows = 0;
    int rc = bh_ctl_writer(&s, conf);

    if (rc == 0) {
        rc = bh_steps_init(&steps, s);
        if (rc == 0) rc = bh_steps_summarize(&steps, &bar, &rows);
    }
    bh_bar_end(&bar);
    if (rc < 0)
        fprintf(stderr, "bellhopctl: %s\n", bh_store_error(s));
    else if (!quiet)
        printf("counted %" PRId64 " events and deliveries\n", rows);
    bh_store_close(s);
    return rc < 0 ? EX_UNAVAILABLE : EX_OK;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    static const struct option longs[] = {{"quiet", no_argument, NULL, 'q'},
                                          {NULL, 0, NULL, 0}};
    bool quiet = false;
    int o;

    while ((o = getopt_long(argc, argv, "q", longs, NULL)) != -1) {
        if (o != 'q') return bh_ctl_usage(c, NULL);
        quiet = true;
    }
    if (optind < argc) return bh_ctl_usage(c, "it takes options only");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = work(conf, quiet);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_summarize = {
    "summarize", "count new events into the log's summaries",
    "Usage: bellhopctl [-c FILE] summarize [--quiet]\n"
    "Bring the tables up to date that the views of the log read (docs/sql.md). "
    "Run it\n"
    "from a timer, every few minutes; prune does it too.\n"
    "\n"
    "Example:\n"
    "  bellhopctl summarize && sqlite3 -readonly -box events.db \\\n"
    "      \"SELECT * FROM busiest_orgs WHERE day = date('now') LIMIT 10\"\n",
    run};
