#include "cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
bh_log_id_valid(const char *p, size_t len)
{
    if (len != BH_LOG_ID_LEN) return false;
    for (size_t i = 0; i < BH_LOG_ID_LEN; i++)
        if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'f'))
            return false;
    return true;
}

/* A decimal number as bh_cursor_format writes it: one text for one position. */
static bool
seq_parse(int64_t *out, const char *p, size_t len)
{
    int64_t seq = 0;

    if (len == 0 || (p[0] == '0' && len > 1)) return false;
    for (size_t i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
        if (__builtin_mul_overflow(seq, 10, &seq) ||
            __builtin_add_overflow(seq, p[i] - '0', &seq))
            return false;
    }
    *out = seq;
    return true;
}

bool
bh_cursor_parse(struct bh_cursor *out, const char *p, size_t len)
{
    const size_t before = BH_LOG_ID_LEN + 1;
    int64_t seq;

    if (len <= before || p[BH_LOG_ID_LEN] != '-' ||
        !bh_log_id_valid(p, BH_LOG_ID_LEN) ||
        !seq_parse(&seq, p + before, len - before))
        return false;
    memcpy(out->log_id, p, BH_LOG_ID_LEN);
    out->log_id[BH_LOG_ID_LEN] = '\0';
    out->seq = seq;
    return true;
}

size_t
bh_cursor_format(char *out, const char *log_id, int64_t seq)
{
    int n = snprintf(out, BH_CURSOR_MAX, "%.*s-%" PRId64, BH_LOG_ID_LEN, log_id,
                     seq);

    return n > 0 ? (size_t)n : 0;
}
