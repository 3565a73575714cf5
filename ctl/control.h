/* control.h: how bellhopctl's commands reach what runs: the log's tables, the
 * control page, the broker's socket. What fails is said on stderr. */
#ifndef BH_CTL_CONTROL_H
#define BH_CTL_CONTROL_H

#include "ctl.h"
#include "ctlpage.h"
#include "proto.h"
#include "store.h"

/* ---- the tables ---- */

/* One change of the log, in a transaction. 0 or a negative errno. */
typedef int bh_ctl_edit(struct bh_store *s, void *arg);
/* Make it, and announce it on the control page. EX_OK, or another of
 * sysexits.h. */
int bh_ctl_write(const struct bh_conf *conf, bh_ctl_edit *edit, void *arg);
/* A reader of the log; NULL: said why, *CODE is for exit. */
struct bh_store *bh_ctl_read(const struct bh_conf *conf, int *code);
int bh_ctl_announce(const char *log_path, const struct bh_ctlchange *c);

/* ---- the broker ---- */

/* Each of them: 1 where the broker has answered, 0 where none runs, -1 where it
 * didn't answer as it should, which has been said. */
int bh_ctl_end(const struct bh_conf *conf, const struct bh_end *m, uint32_t *n);
/* TEXT and LOG: the broker's lines, and the file of its log. */
int bh_ctl_reload(const struct bh_conf *conf, enum bh_reload_what what,
                  struct bh_reloaded *out, struct bh_buf *text,
                  struct bh_buf *log);
/* OUT: what the broker counts, its local figures left alone. */
int bh_ctl_stats(const struct bh_conf *conf, struct bh_report *out);
/* The rules have changed: tell the broker, and print what that has ended. */
void bh_ctl_enforce(const struct bh_conf *conf);

/* ---- words ---- */

/* A name of 1 to BH_NAME_MAX bytes, or leave with a sentence about OPTION. */
struct bh_str bh_ctl_name(const char *option, const char *text);
/* "90", "90s", "15m", "8h", "30d" in seconds, or leave. */
int64_t bh_ctl_duration(const char *option, const char *text);
/* UTC, as in "2026-11-24T08:00:00Z". */
const char *bh_ctl_time(char out[32], int64_t wall_ms);

/* Refuse the tokens of a user of an org (empty: any) until UNTIL_MS (0: for
 * good). As bh_ctl_write. */
int bh_ctl_deny(const struct bh_conf *conf, const struct bh_denied *d);

#endif
