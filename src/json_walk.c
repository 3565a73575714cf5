/* json_walk.c: walks over checked JSON text. Of text that nobody has checked it
 * may make nonsense, but it stays within its bounds and comes to an end. */
#include "json_parts.h"

#include <string.h>

static size_t
skip_space(struct bh_str text, size_t i)
{
    while (i < text.len && bh_json_is_space(text.p[i])) i++;
    return i;
}

/* Whether the quote at I, in a string that began at FROM, belongs to it: then
 * an odd number of backslashes stands before it. */
static bool
is_escaped(struct bh_str text, size_t from, size_t i)
{
    size_t at = i;

    while (at > from + 1 && text.p[at - 1] == '\\') at--;
    return (i - at) % 2 == 1;
}

/* Behind the string that begins at FROM. */
static size_t
skip_string(struct bh_str text, size_t from)
{
    for (size_t i = from + 1; i < text.len; i++) {
        const char *quote = memchr(text.p + i, '"', text.len - i);

        if (quote == NULL) break;
        i = (size_t)(quote - text.p);
        if (!is_escaped(text, from, i)) return i + 1;
    }
    return text.len;
}

/* Behind the object or array that begins at I. */
static size_t
skip_brackets(struct bh_str text, size_t i)
{
    size_t open = 0;

    while (i < text.len) {
        char c = text.p[i];

        if (c == '"') {
            i = skip_string(text, i);
            continue;
        }
        i++;
        if (c == '{' || c == '[') open++;
        if ((c == '}' || c == ']') && --open == 0) return i;
    }
    return text.len;
}

/* Behind the number, true, false or null that begins at I. */
static size_t
skip_word(struct bh_str text, size_t i)
{
    for (; i < text.len; i++) {
        char c = text.p[i];

        if (c == ',' || c == ']' || c == '}' || bh_json_is_space(c)) break;
    }
    return i;
}

static size_t
skip_value(struct bh_str text, size_t i)
{
    if (i == text.len) return i;
    if (text.p[i] == '"') return skip_string(text, i);
    if (text.p[i] == '{' || text.p[i] == '[') return skip_brackets(text, i);
    return skip_word(text, i);
}

/* Take the name and the colon at *I. */
static bool
take_name(struct bh_str text, size_t *i, struct bh_str *name)
{
    size_t from = *i;

    if (from == text.len || text.p[from] != '"') return false;
    size_t to = skip_string(text, from);
    if (to < from + 2) return false;
    *name = (struct bh_str){text.p + from + 1, to - from - 2};
    to = skip_space(text, to);
    if (to == text.len || text.p[to] != ':') return false;
    *i = skip_space(text, to + 1);
    return true;
}

bool
bh_json_next(struct bh_str text, size_t *pos, struct bh_str *name,
             struct bh_str *value)
{
    size_t i = *pos;

    *name = (struct bh_str){NULL, 0};
    if (text.len == 0 || (text.p[0] != '{' && text.p[0] != '[')) return false;
    i = skip_space(text, i == 0 ? 1 : i);
    if (*pos > 0 && i < text.len && text.p[i] == ',')
        i = skip_space(text, i + 1);
    if (text.p[0] == '{' && !take_name(text, &i, name)) return false;
    size_t end = skip_value(text, i);
    if (end == i) return false;
    *value = (struct bh_str){text.p + i, end - i};
    *pos = end;
    return true;
}

bool
bh_json_member(struct bh_str object, const char *word, struct bh_str *value)
{
    struct bh_str name;
    size_t pos = 0;

    if (object.len == 0 || object.p[0] != '{') return false;
    while (bh_json_next(object, &pos, &name, value))
        if (bh_json_named(name, word)) return true;
    return false;
}
