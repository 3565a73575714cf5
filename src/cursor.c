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

bool
bh_cursor_log_valid(const char *p, size_t len)
{
    if (len == 0 || len > BH_LOG_ID_LEN) return false;
    for (size_t i = 0; i < len; i++)
        if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'z') &&
            !(p[i] >= 'A' && p[i] <= 'Z'))
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
    const char *dash = len == 0 ? NULL : memchr(p, '-', len);
    size_t before = dash == NULL ? 0 : (size_t)(dash - p);
    int64_t seq;

    if (!bh_cursor_log_valid(p, before) ||
        !seq_parse(&seq, dash + 1, len - before - 1))
        return false;
    memcpy(out->log_id, p, before);
    out->log_id[before] = '\0';
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
