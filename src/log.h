/*
 * log.h: one line per message to stderr or syslog. Control bytes in the
 * finished line are escaped as \xNN, so that nothing from outside can forge a
 * line. Tokens, payloads and keys are never passed to these functions.
 */
#ifndef BH_LOG_H
#define BH_LOG_H

#include "base.h"

enum bh_level { BH_ERROR, BH_WARN, BH_NOTICE, BH_INFO, BH_DEBUG };

/* NAME stands before each line and must outlive the process. Under systemd
 * (JOURNAL_STREAM names stderr) lines bear a <priority> instead of a time. To
 * be called before anything is opened: standard descriptors that are closed are
 * taken, or the next file or connection would be one, and be written into. */
void bh_log_open(const char *name, bool to_syslog);
void bh_log_level(enum bh_level level); /* messages above it are dropped */
bool bh_log_wants(enum bh_level level);
/* "error" … "debug" to a level; false if it is none of them. */
bool bh_level_parse(const char *word, enum bh_level *out);

/* errno is kept. */
void bh_log(enum bh_level level, const char *fmt, ...) BH_PRINTF(2, 3);
/* To stderr, whatever the level, then exit(CODE). For start-up only. */
void bh_die(int code, const char *fmt, ...) BH_PRINTF(2, 3)
    __attribute__((noreturn));

/* A foreign word for a log line: control bytes, quotes, backslashes and what is
 * not UTF-8 escaped, cut so that it fits SIZE with its NUL, "-" if empty.
 * Returns OUT. */
const char *bh_log_word(char *out, size_t size, const char *p, size_t len);
/* The same for a place without quotes: spaces too, or a word could forge the
 * fields that follow it. */
const char *bh_log_field(char *out, size_t size, const char *p, size_t len);

#endif
