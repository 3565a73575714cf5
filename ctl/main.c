/* bellhopctl: what admins and developers do by hand. */
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif
#ifndef BH_DEFAULT_CONF
#define BH_DEFAULT_CONF "/etc/bellhop/bellhop.conf"
#endif

static const struct bh_command *const commands[] = {
    &bh_cmd_token,     &bh_cmd_log,    &bh_cmd_publish, &bh_cmd_prune,
    &bh_cmd_hold,      &bh_cmd_backup, &bh_cmd_restore, &bh_cmd_verify,
    &bh_cmd_summarize, &bh_cmd_keys,   &bh_cmd_stats,   &bh_cmd_disconnect,
    &bh_cmd_deny,      &bh_cmd_domain, &bh_cmd_reload,  &bh_cmd_loglevel,
    &bh_cmd_doctor,
};

static void
print_mistake(void *arg, const char *message)
{
    (void)arg;
    fprintf(stderr, "bellhopctl: %s\n", message);
}

struct bh_conf *
bh_ctl_conf(const char *path)
{
    struct bh_conf *c = bh_conf_read(path, print_mistake, NULL);

    if (c != NULL) return c;
    fprintf(stderr,
            "bellhopctl: can't use %s; name another file with -c or in "
            "BELLHOP_CONF\n",
            path);
    exit(EX_CONFIG);
}

int
bh_ctl_writer(struct bh_store **out, const struct bh_conf *conf)
{
    struct bh_store *s;
    int rc = bh_store_open_reader(&s, conf->log.path); /* lays none */

    bh_store_close(s);
    if (rc == -ENOENT) {
        *out = NULL;
        return rc;
    }
    return bh_store_open_writer(out, conf->log.path, conf->log.sync);
}

bool
bh_ctl_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return true;
    if (errno == EPIPE) clearerr(stdout);
    return false;
}

int
bh_ctl_usage(const struct bh_command *c, const char *why)
{
    if (why != NULL) fprintf(stderr, "bellhopctl %s: %s\n", c->name, why);
    fprintf(stderr, "Try 'bellhopctl %s --help'.\n", c->name);
    return EX_USAGE;
}

int64_t
bh_ctl_number(const char *option, const char *text, int64_t min, int64_t max)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && n >= min && n <= max)
        return n;
    fprintf(stderr, "bellhopctl: %s takes a whole number from %lld to %lld\n",
            option, (long long)min, (long long)max);
    exit(EX_USAGE);
}

static void
print_help(void)
{
    fputs(
        "Usage: bellhopctl [-c FILE] COMMAND [ARGUMENT]...\n"
        "Look after Bellhop: tokens, keys, the log of events, and what runs.\n"
        "\n"
        "  -c, --config=FILE  read FILE instead of $BELLHOP_CONF or\n"
        "                     " BH_DEFAULT_CONF "\n"
        "  -h, --help         print this and leave\n"
        "  -V, --version      print the version and leave\n"
        "\n"
        "Commands:\n",
        stdout);
    for (size_t i = 0; i < bh_countof(commands); i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->what);
    fputs("\n'bellhopctl help COMMAND' explains one, with examples.\n", stdout);
}

static const struct bh_command *
find(const char *name)
{
    for (size_t i = 0; i < bh_countof(commands); i++)
        if (strcmp(name, commands[i]->name) == 0) return commands[i];
    fprintf(stderr,
            "bellhopctl: there is no such command; 'bellhopctl --help' lists "
            "them\n");
    return NULL;
}

/* "help", "help COMMAND". */
static int
help(const char *name)
{
    const struct bh_command *c = name != NULL ? find(name) : NULL;

    if (name == NULL)
        print_help();
    else if (c != NULL)
        fputs(c->help, stdout);
    return name == NULL || c != NULL ? EX_OK : EX_USAGE;
}

static bool
wants_help(int argc, char **argv)
{
    return argc > 1 &&
           (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

/* Half of what was asked for must not pass for the whole. */
static int
printed(int code)
{
    if (bh_ctl_flush() || !ferror(stdout)) return code;
    fputs("bellhopctl: not all of it could be printed: is the disk full?\n",
          stderr);
    return code == EX_OK ? EX_IOERR : code;
}

static int
run(const char *conf, int argc, char **argv)
{
    if (strcmp(argv[0], "help") == 0) return printed(help(argv[1]));
    const struct bh_command *c = find(argv[0]);
    char name[64];
    if (c == NULL) return EX_USAGE;
    /* getopt names a wrong option's program by it. */
    snprintf(name, sizeof name, "bellhopctl %s", c->name);
    argv[0] = name;
    return printed(wants_help(argc, argv) ? help(c->name)
                                          : c->run(c, conf, argc, argv));
}

int
main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0}};
    const char *conf = getenv("BELLHOP_CONF");
    int o;

    bh_log_open("bellhopctl", false);
    if (conf == NULL || *conf == '\0') conf = BH_DEFAULT_CONF;
    /* "+": what follows the command is the command's. */
    while ((o = getopt_long(argc, argv, "+c:hV", longs, NULL)) != -1) {
        if (o == 'c') {
            conf = optarg;
        } else if (o == 'h') {
            print_help();
            return printed(EX_OK);
        } else if (o == 'V') {
            puts("bellhopctl " PACKAGE_VERSION);
            return printed(EX_OK);
        } else {
            fputs("Try 'bellhopctl --help'.\n", stderr);
            return EX_USAGE;
        }
    }
    if (optind == argc) {
        fputs("bellhopctl: which command? 'bellhopctl --help' lists them\n",
              stderr);
        return EX_USAGE;
    }
    argc -= optind;
    argv += optind;
    optind = 0; /* getopt starts anew, with the command as argv[0] */
    return run(conf, argc, argv);
}
