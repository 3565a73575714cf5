/* words.h: what is typed and shown: times, sizes, progress, colours. */
#ifndef BH_CTL_WORDS_H
#define BH_CTL_WORDS_H

#include "base.h"

/* "90s", "15m", "1h", "7d", "2w" in milliseconds; false where it is none. */
bool bh_parse_age(const char *text, int64_t *ms);
/* An age (so long ago), 2026-11-24, "2026-11-24 08:00[:30]" or with T and Z,
 * all UTC, or "@" and seconds since 1970; as milliseconds since 1970. */
bool bh_parse_time(const char *text, int64_t *wall_ms);
/* "500M", "2G", "10k", "100B", by 1024; false where it is none, or without a
 * unit: who means gigabytes would get bytes. */
bool bh_parse_size(const char *text, int64_t *bytes);

#define BH_STAMP_MAX 32
/* 2026-11-24T08:00:00.123Z */
const char *bh_stamp(char out[BH_STAMP_MAX], int64_t wall_ms);

#define BH_SIZE_MAX 24
/* "1.5 GiB" */
const char *bh_size_text(char out[BH_SIZE_MAX], int64_t bytes);

/* A bar on standard error, where that is a terminal; at most ten times a
 * second. ALL 0: a count alone. */
struct bh_bar {
    const char *what;
    int64_t shown_at;
    bool shown;
};
void bh_bar_show(struct bh_bar *bar, int64_t done, int64_t all);
void bh_bar_end(struct bh_bar *bar); /* leaves no trace of it */

/* Whether standard output takes colours: a terminal that isn't dumb, and no
 * NO_COLOR. */
bool bh_colours(void);

#endif
