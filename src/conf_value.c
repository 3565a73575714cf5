/* conf_value.c: from the text of a value to a field of bh_conf, and back out.
 */
#include "conf_parts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "mem.h"

#define NO_MEMORY "there is no memory left"

/* The fields, by what the table says stands at an offset. */
static void *
field(const struct bh_option *o, void *base)
{
    return (char *)base + o->at;
}

static char **
text_field(const struct bh_option *o, void *base)
{
    return field(o, base);
}

static size_t *
count_field(const struct bh_option *o, void *base)
{
    return (size_t *)(void *)((char *)base + o->at_n);
}

static bool
is_text(const struct bh_option *o)
{
    return o->kind == BH_OPTION_STR || o->kind == BH_OPTION_PATH ||
           o->kind == BH_OPTION_SOCKET;
}

/* Decimal, whole, within the bounds; no sign but '-', no 0x, no octal. */
static bool
parse_number(const char *s, int64_t min, int64_t max, int64_t *out)
{
    bool negative = *s == '-';
    int64_t v = 0;

    if (negative) s++;
    if (*s == '\0') return false;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || v > (INT64_MAX - 9) / 10) return false;
        v = v * 10 + (*s - '0');
    }
    if (negative) v = -v;
    if (v < min || v > max) return false;
    *out = v;
    return true;
}

bool
bh_option_bool(const char *text, bool *out)
{
    static const char *const words[][2] = {
        {"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};

    for (size_t i = 0; i < bh_countof(words); i++)
        for (int value = 0; value <= 1; value++)
            if (strcasecmp(text, words[i][value]) == 0) {
                *out = value;
                return true;
            }
    return false;
}

static const char *
set_number(const struct bh_option *o, void *base, const char *text, char *why,
           size_t why_size)
{
    int64_t v;

    if (!parse_number(text, o->min, o->max, &v)) {
        snprintf(why, why_size, "must be a whole number from %lld to %lld",
                 (long long)o->min, (long long)o->max);
        return why;
    }
    if (o->kind == BH_OPTION_BYTES)
        *(int64_t *)field(o, base) = v * o->unit;
    else
        *(int *)field(o, base) = (int)(v * o->unit);
    return NULL;
}

static const char *
set_bool(const struct bh_option *o, void *base, const char *text)
{
    return bh_option_bool(text, field(o, base)) ? NULL
                                                : "must be true or false";
}

static const char *
set_level(const struct bh_option *o, void *base, const char *text)
{
    return bh_level_parse(text, field(o, base))
               ? NULL
               : "must be \"error\", \"warn\", \"notice\", \"info\" or "
                 "\"debug\"";
}

static const char *
set_sync(const struct bh_option *o, void *base, const char *text)
{
    enum bh_sync *sync = field(o, base);

    if (strcmp(text, "full") == 0)
        *sync = BH_SYNC_FULL;
    else if (strcmp(text, "normal") == 0)
        *sync = BH_SYNC_NORMAL;
    else
        return "must be \"full\" or \"normal\"";
    return NULL;
}

/* TEXT itself, or behind DIR. */
static char *
resolve(const struct bh_option *o, const char *text, const char *dir)
{
    if (o->kind == BH_OPTION_STR || text[0] == '/')
        return bh_strndup(text, strlen(text));
    size_t size = strlen(dir) + 1 + strlen(text) + 1;
    char *p = bh_alloc(size);
    if (p != NULL) snprintf(p, size, "%s/%s", dir, text);
    return p;
}

static const char *
set_text(const struct bh_option *o, void *base, const char *text,
         const char *dir)
{
    bool may_be_empty = o->def != NULL && *o->def == '\0';
    char *copy = NULL;

    if (*text == '\0' && !may_be_empty) return "must not be empty";
    const char *wrong =
        *text != '\0' && o->check != NULL ? o->check(text) : NULL;
    if (wrong != NULL) return wrong;
    if (*text != '\0') {
        copy = resolve(o, text, dir);
        if (copy == NULL) return NO_MEMORY;
        if (o->kind == BH_OPTION_SOCKET &&
            strlen(copy) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
            bh_free(copy);
            return "is too long for a Unix socket: 107 bytes with its folder";
        }
    }
    bh_free(*text_field(o, base));
    *text_field(o, base) = copy;
    return NULL;
}

static const char *
add_to_list(const struct bh_option *o, void *base, const char *text)
{
    char ***list = field(o, base);
    size_t *n = count_field(o, base);

    if (*text == '\0') return "must not hold an empty text";
    const char *wrong = o->check != NULL ? o->check(text) : NULL;
    if (wrong != NULL) return wrong;
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*list)[i], text) == 0) return "holds the same text twice";

    char **grown = bh_realloc(*list, (*n + 1) * sizeof(*grown));
    if (grown == NULL) return NO_MEMORY;
    *list = grown;
    grown[*n] = bh_strndup(text, strlen(text));
    if (grown[*n] == NULL) return NO_MEMORY;
    (*n)++;
    return NULL;
}

const char *
bh_option_set(const struct bh_option *o, void *base, const char *text,
              const char *dir, char *why, size_t why_size)
{
    switch (o->kind) {
    case BH_OPTION_INT:
    case BH_OPTION_BYTES:
        return set_number(o, base, text, why, why_size);
    case BH_OPTION_BOOL:
        return set_bool(o, base, text);
    case BH_OPTION_LEVEL:
        return set_level(o, base, text);
    case BH_OPTION_SYNC:
        return set_sync(o, base, text);
    case BH_OPTION_LIST:
        return add_to_list(o, base, text);
    case BH_OPTION_STR:
    case BH_OPTION_PATH:
    case BH_OPTION_SOCKET:
        return set_text(o, base, text, dir);
    }
    return "has no kind";
}

/* The words of a list's default, one after the other. */
static bool
default_list(const struct bh_option *o, void *base)
{
    char word[BH_NAME_MAX];
    const char *p = o->def;

    while (*p != '\0') {
        size_t len = strcspn(p, " ");
        snprintf(word, sizeof(word), "%.*s", (int)len, p);
        if (add_to_list(o, base, word) != NULL) return false;
        p += len;
        p += strspn(p, " ");
    }
    return true;
}

bool
bh_option_defaults(const char *section, void *base, const char *dir)
{
    char why[128];

    for (size_t i = 0; i < bh_option_count; i++) {
        const struct bh_option *o = &bh_option_table[i];
        if (strcmp(o->section, section) != 0 || o->def == NULL) continue;
        bool ok =
            o->kind == BH_OPTION_LIST
                ? default_list(o, base)
                : bh_option_set(o, base, o->def, dir, why, sizeof(why)) == NULL;
        if (!ok) return false;
    }
    return true;
}

void
bh_option_clear(const struct bh_option *o, void *base)
{
    if (o->kind == BH_OPTION_LIST) {
        char ***list = field(o, base);
        size_t *n = count_field(o, base);
        while (*n > 0) bh_free((*list)[--*n]);
        bh_free(*list);
        *list = NULL;
    } else if (is_text(o)) {
        bh_free(*text_field(o, base));
        *text_field(o, base) = NULL;
    }
}

void
bh_option_clear_all(const char *section, void *base)
{
    for (size_t i = 0; i < bh_option_count; i++)
        if (strcmp(bh_option_table[i].section, section) == 0)
            bh_option_clear(&bh_option_table[i], base);
}
