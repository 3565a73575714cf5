/* conf_edit.c: where something stands in the configuration file, for bellhopctl
 * to take it out without touching what people have written around it. */
#include "conf_parts.h"

#include <ctype.h>
#include <string.h>

#include "mem.h"

/* Past the text that begins at P with its quote. */
static const char *
skip_text(const char *p)
{
    char quote = *p++;

    while (*p != '\0' && *p != quote) p += *p == '\\' && p[1] != '\0' ? 2 : 1;
    return *p == '\0' ? p : p + 1;
}

static const char *
skip_space(const char *p)
{
    while (isspace((unsigned char)*p)) p++;
    return p;
}

/* Past the section whose brace is at P. */
static const char *
skip_section(const char *p)
{
    int depth = 0;

    while (*p != '\0') {
        if (*p == '"' || *p == '\'') {
            p = skip_text(p);
            continue;
        }
        if (*p == '{') depth++;
        if (*p++ == '}' && --depth == 0) break;
    }
    return p;
}

/* Past key "KID" { … } where that begins at P, else NULL. */
static const char *
match_key(const char *p, const char *kid)
{
    size_t len = strlen(kid);

    if (strncmp(p, "key", 3) != 0) return NULL;
    p = skip_space(p + 3);
    bool quoted = *p == '"' || *p == '\'';
    if (quoted) p++;
    if (strncmp(p, kid, len) != 0) return NULL;
    p += len;
    if (quoted && *p++ == '\0') return NULL;
    p = skip_space(p);
    return *p == '{' ? skip_section(p) : NULL;
}

bool
bh_conf_find_key(const char *path, const char *kid, size_t *from, size_t *to)
{
    unsigned line;
    const char *wrong;
    char *text = bh_conf_load(path, &line, &wrong);
    const char *p = text, *end = NULL;

    while (p != NULL && *p != '\0' && end == NULL) {
        p = skip_space(p);
        end = match_key(p, kid);
        if (end != NULL) break;
        if (*p == '{')
            p = skip_section(p);
        else if (*p == '"' || *p == '\'')
            p = skip_text(p);
        else if (*p != '\0')
            p++;
    }
    if (end != NULL) {
        *from = (size_t)(p - text);
        *to = (size_t)(end - text);
    }
    bh_free(text);
    return end != NULL;
}
