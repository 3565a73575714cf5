/*
 * json.c: the checker: one pass over the text by recursive descent, its depth
 * bounded by the caller. What is to be kept is copied in runs, from one white
 * space to the next.
 */
#include "json_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where a value stands: member NAME, or element INDEX where name.p is NULL, of
 * the value at UP. The whole text's place is NULL. */
struct place {
    const struct place *up;
    struct bh_str name;
    size_t index;
};

struct scan {
    const char *p, *end;
    const char *from; /* the first byte that is not copied yet */
    char *to;         /* where it goes */
    int depth;        /* levels of objects and arrays allowed */
    const char *prefix;
    struct bh_json_error *err;
    struct bh_json_names names;
};

static int scan_value(struct scan *s, const struct place *at, int level);

/* Append AT to the pointer, as far as it fits. */
static bool
point(char *pointer, const struct place *at)
{
    char digits[24];

    if (at == NULL) return true;
    if (!point(pointer, at->up)) return false;
    if (at->name.p != NULL) return bh_pointer_add(pointer, at->name);
    int n = snprintf(digits, sizeof(digits), "%zu", at->index);
    return bh_pointer_add(pointer, (struct bh_str){digits, (size_t)n});
}

static int
fail(struct scan *s, const struct place *at, const char *detail)
{
    if (s->p == s->end) detail = "the text ends before this value is complete";
    snprintf(s->err->pointer, sizeof(s->err->pointer), "%s", s->prefix);
    point(s->err->pointer, at);
    snprintf(s->err->detail, sizeof(s->err->detail), "%s", detail);
    return -EINVAL;
}

static void
flush(struct scan *s)
{
    size_t n = (size_t)(s->p - s->from);

    memcpy(s->to, s->from, n);
    s->to += n;
    s->from = s->p;
}

static void
skip_space(struct scan *s)
{
    if (s->p == s->end || !bh_json_is_space(*s->p)) return;
    flush(s);
    while (s->p < s->end && bh_json_is_space(*s->p)) s->p++;
    s->from = s->p;
}

static bool
take(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}

static size_t
left(const struct scan *s)
{
    return (size_t)(s->end - s->p);
}

/* The four digits behind \u, and where they are the first half of a surrogate
 * pair the second as well (RFC 8259, 7). */
static int
scan_unicode(struct scan *s, const struct place *at)
{
    int code = bh_json_hex4(s->p, left(s));

    if (code < 0) return fail(s, at, "\\u must be followed by four hex digits");
    s->p += 4;
    if (code < 0xd800 || code > 0xdfff) return 0;
    int low = left(s) >= 6 && s->p[0] == '\\' && s->p[1] == 'u'
                  ? bh_json_hex4(s->p + 2, 4)
                  : -1;
    if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return fail(s, at, "a string must not hold half a surrogate pair");
    s->p += 6;
    return 0;
}

static int
scan_escape(struct scan *s, const struct place *at)
{
    s->p++;
    if (s->p == s->end || *s->p == '\0' || strchr("\"\\/bfnrtu", *s->p) == NULL)
        return fail(s, at, "a string has an escape that JSON doesn't know");
    return *s->p++ == 'u' ? scan_unicode(s, at) : 0;
}

/* A string from its opening quote. */
static int
scan_string(struct scan *s, const struct place *at)
{
    s->p++;
    while (s->p < s->end && *s->p != '"') {
        unsigned char c = (unsigned char)*s->p;

        if (c < 0x20) {
            return fail(s, at,
                        "a string must not hold control characters; "
                        "escape them");
        } else if (c == '\\') {
            int rc = scan_escape(s, at);

            if (rc != 0) return rc;
        } else if (c < 0x80) {
            s->p++;
        } else {
            size_t n = bh_utf8_char(s->p, left(s));

            if (n == 0) return fail(s, at, "a string must be valid UTF-8");
            s->p += n;
        }
    }
    return take(s, '"') ? 0 : fail(s, at, "");
}

static size_t
take_digits(struct scan *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
    return (size_t)(s->p - from);
}

/* RFC 8259, 6. */
static int
scan_number(struct scan *s, const struct place *at)
{
    static const char detail[] = "a number must have digits, none of them a "
                                 "leading zero, around its point and exponent";

    take(s, '-');
    bool zero = s->p < s->end && *s->p == '0';
    size_t n = take_digits(s);
    if (n == 0 || (zero && n > 1)) return fail(s, at, detail);
    if (take(s, '.') && take_digits(s) == 0) return fail(s, at, detail);
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+')) take(s, '-');
        if (take_digits(s) == 0) return fail(s, at, detail);
    }
    return 0;
}

static int
scan_word(struct scan *s, const struct place *at, const char *word)
{
    for (; *word != '\0'; word++)
        if (!take(s, *word)) return fail(s, at, "must be a JSON value");
    return 0;
}

/* A name and its colon: MEMBER is then the place of the value behind them. */
static int
scan_name(struct scan *s, const struct place *at, struct place *member,
          size_t base)
{
    skip_space(s);
    if (s->p == s->end || *s->p != '"')
        return fail(s, at, "an object's member must begin with a quoted name");
    const char *from = s->p + 1;
    int rc = scan_string(s, at);
    if (rc != 0) return rc;
    member->name = (struct bh_str){from, (size_t)(s->p - from) - 1};
    skip_space(s);
    if (!take(s, ':')) return fail(s, at, "a name must be followed by a colon");
    rc = bh_json_names_add(&s->names, base, member->name);
    if (rc == -EEXIST)
        return fail(s, member, "another member of this object has this name");
    if (rc == -E2BIG) return fail(s, at, "has more members than an event can");
    return rc;
}

/* An object from its opening brace, which is level LEVEL. */
static int
scan_object(struct scan *s, const struct place *at, int level)
{
    struct place member = {.up = at};
    size_t base = s->names.n;

    s->p++;
    skip_space(s);
    if (take(s, '}')) return 0;
    do {
        int rc = scan_name(s, at, &member, base);

        if (rc == 0) rc = scan_value(s, &member, level);
        if (rc != 0) return rc;
        skip_space(s);
    } while (take(s, ','));
    if (!take(s, '}'))
        return fail(s, at, "a member must be followed by a comma or a brace");
    bh_json_names_cut(&s->names, base);
    return 0;
}

static int
scan_array(struct scan *s, const struct place *at, int level)
{
    struct place element = {.up = at};

    s->p++;
    skip_space(s);
    if (take(s, ']')) return 0;
    do {
        int rc = scan_value(s, &element, level);

        if (rc != 0) return rc;
        element.index++;
        skip_space(s);
    } while (take(s, ','));
    if (!take(s, ']'))
        return fail(s, at,
                    "an element must be followed by a comma or a bracket");
    return 0;
}

/* LEVEL: how many objects and arrays are open around the value. */
static int
scan_value(struct scan *s, const struct place *at, int level)
{
    skip_space(s);
    char c = s->p < s->end ? *s->p : '\0';
    if ((c == '{' || c == '[') && level >= s->depth)
        return fail(s, at, "is nested too deeply");
    switch (c) {
    case '{':
        return scan_object(s, at, level + 1);
    case '[':
        return scan_array(s, at, level + 1);
    case '"':
        return scan_string(s, at);
    case 't':
        return scan_word(s, at, "true");
    case 'f':
        return scan_word(s, at, "false");
    case 'n':
        return scan_word(s, at, "null");
    default:
        break;
    }
    if (c == '-' || (c >= '0' && c <= '9')) return scan_number(s, at);
    return fail(s, at, "must be a JSON value");
}

static int
scan_text(struct scan *s)
{
    if (left(s) >= 3 && memcmp(s->p, "\xef\xbb\xbf", 3) == 0)
        return fail(s, NULL, "must not begin with a byte order mark");
    int rc = scan_value(s, NULL, 0);
    if (rc != 0) return rc;
    skip_space(s);
    if (s->p < s->end) return fail(s, NULL, "nothing may follow the value");
    flush(s);
    return 0;
}

int
bh_json_check(struct bh_buf *out, struct bh_str text, int depth,
              const char *prefix, struct bh_json_error *err)
{
    struct scan s;
    char *to = bh_buf_reserve(out, text.len); /* it never grows */

    if (to == NULL) return -ENOMEM;
    s.p = s.from = text.len > 0 ? text.p : "";
    s.end = s.p + text.len;
    s.to = to;
    s.depth = depth;
    s.prefix = prefix;
    s.err = err;
    bh_json_names_init(&s.names);
    int rc = scan_text(&s);
    if (rc == 0) out->len += (size_t)(s.to - to);
    bh_json_names_fini(&s.names);
    return rc;
}
