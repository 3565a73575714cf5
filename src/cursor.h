/* cursor.h: a position in a log, "<log id>-<seq>": I have everything up to it.
 */
#ifndef BH_CURSOR_H
#define BH_CURSOR_H

#include "base.h"

struct bh_cursor {
    char log_id[BH_LOG_ID_LEN + 1]; /* "" where there is none */
    int64_t seq;
};

/* Whether P is BH_LOG_ID_LEN lower-case hex digits. */
bool bh_log_id_valid(const char *p, size_t len);
/* Whether P may stand in a cursor for a log: 1 to BH_LOG_ID_LEN letters and
 * digits. A log that isn't ours may have been named in another way, and whoever
 * comes from it is to be told so, not that he has made a mistake. */
bool bh_cursor_log_valid(const char *p, size_t len);
/* False where the text is not of the form; *OUT is then left as it was. */
bool bh_cursor_parse(struct bh_cursor *out, const char *p, size_t len);
/* Writes at most BH_CURSOR_MAX bytes with the NUL; returns the length. */
size_t bh_cursor_format(char *out, const char *log_id, int64_t seq);

#endif
