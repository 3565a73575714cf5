/* conf_text.c: the configuration file before the parser sees it. */
#include "conf_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"

#define FILE_MAX_BYTES (1024 * 1024)

struct scan {
    char *p;
    const char *end;
    unsigned line;
    unsigned depth, opened; /* braces open, and the line of the first */
    const char *open;       /* what was left open, or NULL */
    unsigned open_line;
};

static void
blank(struct scan *s)
{
    if (*s->p == '\n')
        s->line++;
    else
        *s->p = ' ';
    s->p++;
}

static void
leave_open(struct scan *s, const char *what, unsigned line)
{
    s->open = what;
    s->open_line = line;
}

static void
line_comment(struct scan *s)
{
    while (s->p < s->end && *s->p != '\n') blank(s);
}

static void
block_comment(struct scan *s)
{
    unsigned from = s->line;

    for (blank(s), blank(s); s->p < s->end; blank(s))
        if (s->p + 1 < s->end && s->p[0] == '*' && s->p[1] == '/') {
            blank(s);
            blank(s);
            return;
        }
    leave_open(s, "this comment is never closed", from);
}

static void
string(struct scan *s)
{
    unsigned from = s->line;
    char quote = *s->p++;

    while (s->p < s->end && *s->p != quote) {
        if (*s->p == '\\' && s->p + 1 < s->end) s->p++;
        if (*s->p++ == '\n') s->line++;
    }
    if (s->p == s->end)
        leave_open(s, "this text is never closed: a quote is missing", from);
    else
        s->p++;
}

static void
brace(struct scan *s)
{
    if (*s->p == '{' && s->depth++ == 0) s->opened = s->line;
    if (*s->p == '}' && s->depth > 0) s->depth--;
    s->p++;
}

/* A slash inside an unquoted word is part of it, as in http://host. */
static bool
comment_here(const struct scan *s, const char *start)
{
    if (*s->p == '#') return true;
    if (*s->p != '/' || s->p + 1 == s->end) return false;
    if (s->p[1] != '/' && s->p[1] != '*') return false;
    return s->p == start || strchr(" \t\r\n={}(),+\"'", s->p[-1]) != NULL;
}

static void
step(struct scan *s, const char *start)
{
    if (comment_here(s, start)) {
        if (s->p[0] == '/' && s->p[1] == '*')
            block_comment(s);
        else
            line_comment(s);
    } else if (*s->p == '"' || *s->p == '\'') {
        string(s);
    } else if (*s->p == '{' || *s->p == '}') {
        brace(s);
    } else {
        if (*s->p == '\n') s->line++;
        s->p++;
    }
}

/* False, with the line and the words, where something is left open. */
static bool
blank_comments(char *text, size_t len, unsigned *line, const char **wrong)
{
    struct scan s = {.p = text, .end = text + len, .line = 1};

    if (memchr(text, '\0', len) != NULL)
        leave_open(&s, "the file holds a NUL byte: it is no text", 1);
    while (s.open == NULL && s.p < s.end) step(&s, text);
    if (s.open == NULL && s.depth > 0)
        leave_open(&s, "this brace is never closed", s.opened);
    *line = s.open_line;
    *wrong = s.open;
    return s.open == NULL;
}

/* At most SIZE bytes; their number, or a negative errno. */
static ssize_t
read_all(int fd, char *p, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = read(fd, p + len, size - len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

char *
bh_conf_load(const char *path, unsigned *line, const char **wrong)
{
    char *text = bh_alloc(FILE_MAX_BYTES + 1);
    int fd = text != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = text == NULL ? -ENOMEM
                : fd < 0     ? -errno
                             : read_all(fd, text, FILE_MAX_BYTES + 1);

    if (fd >= 0) close(fd);
    *line = 0;
    if (n < 0)
        *wrong = strerror((int)-n);
    else if (n > FILE_MAX_BYTES)
        *wrong = "the file is longer than a megabyte";
    else if (blank_comments(text, (size_t)n, line, wrong)) {
        text[n] = '\0';
        return text;
    }
    bh_free(text);
    return NULL;
}
