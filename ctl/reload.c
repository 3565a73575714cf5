/* reload.c: bellhopctl reload: have the configuration read again. */
#include "control.h"

#include <stdio.h>
#include <sysexits.h>

#include "auth.h"

/* Whether the keys that CONF names can be used: the workers will want them. */
static bool
keys_are_good(const struct bh_conf *conf)
{
    struct bh_auth *a;
    char err[512];

    if (bh_auth_new(&a, conf, err, sizeof err) == 0) {
        bh_auth_free(a);
        return true;
    }
    fprintf(stderr, "bellhopctl: %s\n", err);
    return false;
}

static int
refuse(void)
{
    fputs("bellhopctl: nothing was reloaded: everything runs on as it was\n",
          stderr);
    return EX_CONFIG;
}

/* EX_OK also where there is no broker: it reads the file when it starts. LOG:
 * the log that it follows, which the file may not name any more. */
static int
tell_broker(const struct bh_conf *conf, struct bh_buf *log)
{
    struct bh_buf text = BH_BUF_INIT;
    struct bh_reloaded done;
    int rc = bh_ctl_reload(conf, BH_RELOAD_CONF, &done, &text, log);
    int code = rc < 0 ? EX_UNAVAILABLE : EX_OK;

    if (rc == 0)
        fprintf(stderr,
                "bellhopctl: no broker runs at %s; the workers are "
                "told all the same\n",
                conf->broker.socket);
    if (rc > 0 && text.len > 0)
        fprintf(done.ok ? stdout : stderr, "broker: %s", bh_buf_cstr(&text));
    if (rc > 0 && !done.ok) code = refuse();
    if (rc > 0 && done.ok && done.ended > 0)
        printf("%u waiting requests were ended\n", done.ended);
    bh_buf_fini(&text);
    return code;
}

/* The broker first: where it refuses, the workers aren't told. */
static int
reload(const struct bh_conf *conf)
{
    struct bh_ctlchange change = bh_ctlchange_none;
    struct bh_buf log = BH_BUF_INIT;
    int code = keys_are_good(conf) ? tell_broker(conf, &log) : refuse();

    change.conf = true;
    if (code == EX_OK)
        code = bh_ctl_announce(log.len > 0 ? bh_buf_cstr(&log) : conf->log.path,
                               &change);
    if (code == EX_OK)
        puts("reloaded; workers follow before their next request");
    bh_buf_fini(&log);
    return code;
}

static int
run(const struct bh_command *c, const char *path, int argc,
    char **argv BH_UNUSED)
{
    if (argc > 1) return bh_ctl_usage(c, "it takes no arguments");
    struct bh_conf *conf = bh_ctl_conf(path);
    int code = reload(conf);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_reload = {
    "reload", "have the configuration and the keys read again",
    "Usage: bellhopctl [-c FILE] reload\n"
    "Have broker and workers read the configuration and the keys again: keys,\n"
    "origins, domains, limits. All of it takes effect, or, where there is a "
    "mistake\n"
    "(exit 78), nothing. No request is dropped by it. FILE must be the one "
    "that "
    "they\n"
    "were started with. What needs a restart (sockets, the log, threads, "
    "syslog) is\n"
    "named.\n"
    "\n"
    "Example: bellhopctl reload\n",
    run};
