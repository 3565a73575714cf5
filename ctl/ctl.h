/* ctl.h: bellhopctl's commands. Each is one file and one row of the table in
 * main.c; it returns a code of sysexits.h. Whether what it has printed could be
 * written main.c sees. */
#ifndef BH_CTL_H
#define BH_CTL_H

#include "base.h"
#include "conf.h"
#include "store_admin.h"

struct bh_command {
    const char *name;
    const char *what; /* one line for the list of commands */
    const char *help; /* usage, options, examples */
    int (*run)(const struct bh_command *c, const char *conf, int argc,
               char **argv);
};

extern const struct bh_command bh_cmd_token, bh_cmd_log, bh_cmd_publish;
extern const struct bh_command bh_cmd_prune, bh_cmd_hold, bh_cmd_summarize;
extern const struct bh_command bh_cmd_backup, bh_cmd_restore, bh_cmd_verify;
extern const struct bh_command bh_cmd_stats, bh_cmd_keys;
extern const struct bh_command bh_cmd_deny, bh_cmd_disconnect, bh_cmd_domain;
extern const struct bh_command bh_cmd_loglevel, bh_cmd_reload, bh_cmd_doctor;

/* Read the configuration, or say what is wrong with it and leave. */
struct bh_conf *bh_ctl_conf(const char *path);
/* Open the log that is there for writing. 0, or a negative errno that was told
 * to nobody yet (bh_store_error(NULL)). */
int bh_ctl_writer(struct bh_store **out, const struct bh_conf *conf);
/* Send off what was printed. False: nothing more can be. Unless it is only that
 * the reader has left and wants no more, stdout's error stays, for main.c. */
bool bh_ctl_flush(void);
/* A wrong option or argument: point to the help, and EX_USAGE. */
int bh_ctl_usage(const struct bh_command *c, const char *why);
/* A whole number within MIN…MAX, or leave with a sentence about OPTION. */
int64_t bh_ctl_number(const char *option, const char *text, int64_t min,
                      int64_t max);

#endif
