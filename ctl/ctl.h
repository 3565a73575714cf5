/* ctl.h: bellhopctl's commands. Each is one file and one row of the table in
 * main.c; it returns a code of sysexits.h. */
#ifndef BH_CTL_H
#define BH_CTL_H

#include "base.h"
#include "conf.h"

struct bh_command {
    const char *name;
    const char *what; /* one line for the list of commands */
    const char *help; /* usage, options, examples */
    int (*run)(const struct bh_command *c, const char *conf, int argc,
               char **argv);
};

extern const struct bh_command bh_cmd_token, bh_cmd_log;
extern const struct bh_command bh_cmd_deny, bh_cmd_disconnect, bh_cmd_domain;
extern const struct bh_command bh_cmd_loglevel, bh_cmd_reload;

/* Read the configuration, or say what is wrong with it and leave. */
struct bh_conf *bh_ctl_conf(const char *path);
/* A wrong option or argument: point to the help, and EX_USAGE. */
int bh_ctl_usage(const struct bh_command *c, const char *why);
/* A whole number within MIN…MAX, or leave with a sentence about OPTION. */
int64_t bh_ctl_number(const char *option, const char *text, int64_t min,
                      int64_t max);

#endif
