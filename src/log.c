#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* A line with its newline: one write, which a pipe keeps in one piece. */
#define LINE_MAX_BYTES 1024
#define ELLIPSIS       "\xe2\x80\xa6"

static const struct {
    const char *word;
    int priority;
} levels[] = {
    [BH_ERROR] = {"error", LOG_ERR},      [BH_WARN] = {"warn", LOG_WARNING},
    [BH_NOTICE] = {"notice", LOG_NOTICE}, [BH_INFO] = {"info", LOG_INFO},
    [BH_DEBUG] = {"debug", LOG_DEBUG},
};

static const char *program = "bellhop";
static bool use_syslog, use_journal;
static atomic_int threshold = BH_INFO;

/* A bounded line under construction. */
struct line {
    char *p;
    size_t len, cap;
};

static bool
put(struct line *l, const void *p, size_t n)
{
    if (n > l->cap - l->len) return false;
    memcpy(l->p + l->len, p, n);
    l->len += n;
    return true;
}

/* The length of the well-formed UTF-8 character at P (RFC 3629, section 4), or
 * 0. C1 controls count as broken: some terminals obey them. */
static size_t
utf8_length(const unsigned char *p, size_t len)
{
    unsigned char first = p[0];
    size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (n == 1) return 1;
    if (first < 0xc2 || first > 0xf4 || n > len) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((first == 0xc2 && p[1] < 0xa0) || /* C1 */
        (first == 0xe0 && p[1] < 0xa0) || /* too long a form */
        (first == 0xed && p[1] > 0x9f) || /* surrogates */
        (first == 0xf0 && p[1] < 0x90) || /* too long a form */
        (first == 0xf4 && p[1] > 0x8f))   /* over U+10FFFF */
        return 0;
    return n;
}

/* Append P, escaping control bytes, broken UTF-8 and the bytes in ALSO. False
 * where it had to be cut, between two characters. */
static bool
put_escaped(struct line *l, const char *text, size_t len, const char *also)
{
    const unsigned char *p = (const unsigned char *)text;

    while (len > 0) {
        size_t n = utf8_length(p, len);
        char hex[5];

        if (n == 0 || *p < 0x20 || *p == 0x7f || strchr(also, *p) != NULL) {
            snprintf(hex, sizeof hex, "\\x%02x", *p);
            if (!put(l, hex, 4)) return false;
            n = 1;
        } else if (!put(l, p, n)) {
            return false;
        }
        p += n;
        len -= n;
    }
    return true;
}

/* What stands before the text on stderr. */
static void
put_prefix(struct line *l, enum bh_level level)
{
    char s[160];
    int n;

    if (use_journal) {
        n = snprintf(s, sizeof s, "<%d>%.64s: ", levels[level].priority,
                     program);
    } else {
        int64_t ms = bh_wall_ms();
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        char stamp[32] = "";

        if (gmtime_r(&seconds, &tm) != NULL)
            strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
        n = snprintf(s, sizeof s, "%s.%03dZ %.64s[%ld] %s: ", stamp,
                     (int)(ms % 1000), program, (long)getpid(),
                     levels[level].word);
    }
    if (n > 0) put(l, s, (size_t)n);
}

/* Format and escape; whatever is longer than a line ends in an ellipsis. */
static void BH_PRINTF(2, 0)
    put_text(struct line *l, const char *fmt, va_list ap)
{
    /* As long as a whole line: what vsnprintf cuts off could not be shown. */
    char raw[LINE_MAX_BYTES];
    int n = vsnprintf(raw, sizeof raw, fmt, ap);

    if (n < 0) return;
    size_t len = (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
    bool whole;
    l->cap -= sizeof ELLIPSIS - 1;
    whole = put_escaped(l, raw, len, "");
    l->cap += sizeof ELLIPSIS - 1;
    if (!whole) put(l, ELLIPSIS, sizeof ELLIPSIS - 1);
}

static void BH_PRINTF(3, 0)
    write_line(enum bh_level level, bool to_syslog, const char *fmt, va_list ap)
{
    char space[LINE_MAX_BYTES];
    struct line l = {space, 0, sizeof space - 1};
    int told = errno; /* for a %m: the prefix's calls may set another */

    if (!to_syslog) put_prefix(&l, level);
    errno = told;
    put_text(&l, fmt, ap);
    if (to_syslog) {
        syslog(levels[level].priority, "%.*s", (int)l.len, space);
        return;
    }
    space[l.len++] = '\n';
    ssize_t n;
    do n = write(STDERR_FILENO, space, l.len);
    while (n < 0 && errno == EINTR);
}

/* Whether stderr is the journal's: systemd gives its device and inode, since
 * the variable also reaches children whose stderr is another. */
static bool
stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char mine[64];

    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0) return false;
    snprintf(mine, sizeof mine, "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino);
    return strcmp(stream, mine) == 0;
}

/* Not for writing: what is printed where nobody listens still fails. */
static void
hold_standard(void)
{
    int fd;

    do fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
}

void
bh_log_open(const char *name, bool to_syslog)
{
    hold_standard();
    program = name;
    use_syslog = to_syslog;
    use_journal = stderr_is_journal();
    if (to_syslog) openlog(name, LOG_PID, LOG_DAEMON);
}

void
bh_log_level(enum bh_level level)
{
    atomic_store(&threshold, (int)level);
}

bool
bh_log_wants(enum bh_level level)
{
    return (int)level <= atomic_load(&threshold);
}

bool
bh_level_parse(const char *word, enum bh_level *out)
{
    for (size_t i = 0; i < bh_countof(levels); i++)
        if (strcmp(word, levels[i].word) == 0) {
            *out = (enum bh_level)i;
            return true;
        }
    return false;
}

void
bh_log(enum bh_level level, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    if (!bh_log_wants(level)) return;
    va_start(ap, fmt);
    write_line(level, use_syslog, fmt, ap);
    va_end(ap);
    errno = saved;
}

void
bh_die(int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_line(BH_ERROR, false, fmt, ap);
    va_end(ap);
    exit(code);
}

static const char *
put_word(char *out, size_t size, struct bh_str word, const char *also)
{
    if (size == 0) return "";
    struct line l = {out, 0, size - 1};
    if (word.len == 0)
        put(&l, "-", 1);
    else
        put_escaped(&l, word.p, word.len, also);
    out[l.len] = '\0';
    return out;
}

const char *
bh_log_word(char *out, size_t size, const char *p, size_t len)
{
    return put_word(out, size, (struct bh_str){p, len}, "\"'\\");
}

const char *
bh_log_field(char *out, size_t size, const char *p, size_t len)
{
    return put_word(out, size, (struct bh_str){p, len}, "\"'\\ ");
}
