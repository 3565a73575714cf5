#include "words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define BAR_WIDTH 30
#define BAR_MS    100

/* ---- reading ---- */

/* A number and one letter of UNITS, each worth WORTH; "" is unit 0. */
static bool
parse_unit(const char *text, const char *units, const int64_t *worth,
           int64_t *out)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end) : units;

    if (errno != 0 || end == text || n < 0 || unit == NULL) return false;
    if (*end != '\0' && end[1] != '\0') return false;
    return !__builtin_mul_overflow(n, worth[unit - units], out);
}

bool
bh_parse_age(const char *text, int64_t *ms)
{
    static const int64_t worth[] = {1000, 60000, 3600000, 86400000, 604800000};
    size_t len = strlen(text);

    if (len == 0 || strchr("smhdw", text[len - 1]) == NULL) return false;
    return parse_unit(text, "smhdw", worth, ms);
}

bool
bh_parse_size(const char *text, int64_t *bytes)
{
    static const int64_t worth[] = {1, 1024, 1024, 1 << 20, 1 << 30, 1LL << 40};
    size_t len = strlen(text);

    if (len == 0 || strchr("BkKMGT", text[len - 1]) == NULL) return false;
    return parse_unit(text,
                      "Bkk"
                      "MGT",
                      worth, bytes) ||
           parse_unit(text,
                      "BKK"
                      "MGT",
                      worth, bytes);
}

bool
bh_parse_time(const char *text, int64_t *wall_ms)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ",
                                        "%Y-%m-%dT%H:%M:%S",
                                        "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%dT%H:%MZ",
                                        "%Y-%m-%d %H:%M",
                                        "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d"};
    int64_t age, seconds;
    static const int64_t one[] = {1000};

    if (bh_parse_age(text, &age)) {
        *wall_ms = bh_wall_ms() - age;
        return *wall_ms > 0;
    }
    if (*text == '@' && parse_unit(text + 1, "", one, &seconds)) {
        *wall_ms = seconds;
        return true;
    }
    for (size_t i = 0; i < bh_countof(forms); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        if (end == NULL || *end != '\0') continue;
        *wall_ms = (int64_t)timegm(&tm) * 1000;
        return *wall_ms > 0;
    }
    return false;
}

/* ---- writing ---- */

const char *
bh_stamp(char out[BH_STAMP_MAX], int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, BH_STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, BH_STAMP_MAX - n, ".%03dZ", (int)(wall_ms % 1000));
    return out;
}

const char *
bh_size_text(char out[BH_SIZE_MAX], int64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    size_t i = 0;

    for (; n >= 1024 && i + 1 < bh_countof(units); i++) n /= 1024;
    snprintf(out, BH_SIZE_MAX, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
    return out;
}

bool
bh_colours(void)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

/* ---- progress ---- */

void
bh_bar_show(struct bh_bar *bar, int64_t done, int64_t all)
{
    static const char full[] = "##############################";
    int64_t now = bh_now_ms();

    if (!isatty(STDERR_FILENO)) return;
    if (bar->shown && now - bar->shown_at < BAR_MS) return;
    bar->shown = true;
    bar->shown_at = now;
    if (all > 0 && done <= all) {
        int width = (int)(done * BAR_WIDTH / all);
        fprintf(stderr, "\r%s [%-*.*s] %3d %%\033[K", bar->what, BAR_WIDTH,
                width, full, (int)(done * 100 / all));
    } else {
        fprintf(stderr, "\r%s %" PRId64 "\033[K", bar->what, done);
    }
    fflush(stderr);
}

void
bh_bar_end(struct bh_bar *bar)
{
    if (bar->shown) fputs("\r\033[K", stderr);
    bar->shown = false;
}
