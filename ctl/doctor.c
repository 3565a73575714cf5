/* doctor.c: bellhopctl doctor: what is wrong with a running installation, and
 * how to mend it. */
#include "doctor.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"
#include "mem.h"

static const struct {
    const char *name;
    void (*run)(struct bh_doctor *d);
} checks[] = {
#define ROW(name, fn, what) {name, fn},
    BH_CHECKS(ROW)
#undef ROW
};

static void
run_checks(struct bh_doctor *d)
{
    for (size_t i = 0; i < bh_countof(checks); i++) {
        d->check = checks[i].name;
        checks[i].run(d);
    }
    bh_tell_end(d);
}

static int
examine(struct bh_doctor *d)
{
    bh_log_level(BH_ERROR); /* its warnings are findings here */
    d->report = bh_zalloc(sizeof *d->report);
    if (d->report == NULL) return EX_OSERR;
    run_checks(d);
    bh_free(d->report);
    bh_store_close(d->log);
    bh_conf_free(d->conf);
    bh_buf_fini(&d->out);
    return d->n[BH_WRONG] > 0 ? 1 : EX_OK;
}

/* ---- the command ---- */

static const struct option longs[] = {
    {"url", required_argument, NULL, 'u'},
    {"domain", required_argument, NULL, 'd'},
    {"kid", required_argument, NULL, 'k'},
    {"web-user", required_argument, NULL, 'w'},
    {"insecure", no_argument, NULL, 'i'},
    {"quick", no_argument, NULL, 'q'},
    {"json", no_argument, NULL, 'j'},
    {NULL, 0, NULL, 0}};

static const char *
take_url(struct bh_doctor *d, char *url)
{
    size_t len = strlen(url);

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return "--url takes http://HOST[:PORT] or https://HOST[:PORT]";
    while (len > 0 && url[len - 1] == '/') url[--len] = '\0';
    d->url = url;
    return NULL;
}

/* NULL, or what is wrong with it; "" for an unknown one. */
static const char *
take_option(struct bh_doctor *d, int option, char *value)
{
    switch (option) {
    case 'u':
        return take_url(d, value);
    case 'd':
        d->domain = value;
        return bh_domain_valid(value, strlen(value)) ? NULL
                                                     : "no domain's name";
    case 'k':
        d->kid = value;
        return NULL;
    case 'w':
        d->web_user = value;
        return NULL;
    case 'i':
        d->insecure = true;
        return NULL;
    case 'q':
        d->quick = true;
        return NULL;
    case 'j':
        d->json = true;
        return NULL;
    default:
        return "";
    }
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    struct bh_doctor d = {.conf_path = path, .out = BH_BUF_INIT};
    int option;

    while ((option = getopt_long(argc, argv, "u:d:qj", longs, NULL)) != -1) {
        const char *wrong = take_option(&d, option, optarg);
        if (wrong != NULL) return bh_ctl_usage(c, *wrong ? wrong : NULL);
    }
    if (optind < argc) return bh_ctl_usage(c, "it takes options only");
    return examine(&d);
}

const struct bh_command bh_cmd_doctor = {
    "doctor", "find what is wrong with what runs, and say how to mend it",
    "Usage: bellhopctl [-c FILE] doctor [--url URL] [OPTION]...\n"
    "Look at a running installation, one line for each check: ok, warn, bad, "
    "or\n"
    "skipped with the reason; then what to do. It changes nothing, and prints "
    "no\n"
    "token, key or payload. Run it as root, who may look at other users' "
    "processes.\n"
    "\n"
    "  -u, --url=URL        ask through the web server, too, as browsers do:\n"
    "                       https://HOST. It makes its own token and takes a\n"
    "                       poll's time, 26 s\n"
    "  -d, --domain=NAME    whose paths to ask; else the first that is on\n"
    "      --kid=KEY        sign with this key; else the first that can\n"
    "      --web-user=USER  whom the worker's socket must be open to; else "
    "the\n"
    "                       users of the web servers that run here\n"
    "      --insecure       take any TLS certificate\n"
    "  -q, --quick          leave out what takes seconds: the poll, the "
    "stream,\n"
    "                       the full body, the log's integrity\n"
    "  -j, --json           for another program\n"
    "\n"
    "Exit: 0 nothing is bad, 1 something is, 64 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl doctor\n"
    "  bellhopctl doctor --url https://app.example.com --domain tasks\n"
    "  bellhopctl doctor --quick --json | jq '.checks[] | "
    "select(.verdict == \"bad\")'\n",
    run};
