/* conf_fixed.c: what a running process can't change: a row of the table says so
 * of each option. */
#include "conf_parts.h"

#include <string.h>

#include "buf.h"
#include "log.h"
#include "mem.h"

static bool
same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL) return a == b;
    return strcmp(a, b) == 0;
}

static bool
keep_text(char **is, const char *was)
{
    char *copy = NULL;

    if (was != NULL) {
        copy = bh_strndup(was, strlen(was));
        if (copy == NULL) return false;
    }
    bh_free(*is);
    *is = copy;
    return true;
}

static size_t
size_of(enum bh_option_kind kind)
{
    return kind == BH_OPTION_BOOL   ? sizeof(bool)
           : kind == BH_OPTION_SYNC ? sizeof(enum bh_sync)
                                    : sizeof(int);
}

/* The one option: whether it was kept as it was. */
static bool
keep(const struct bh_option *o, char *is, const char *was, bool *differs)
{
    size_t size = size_of(o->kind);

    switch (o->kind) {
    case BH_OPTION_STR:
    case BH_OPTION_PATH:
    case BH_OPTION_SOCKET: {
        const char *old = *(char *const *)(const void *)was;
        char **now = (char **)(void *)is;
        *differs = !same_text(*now, old);
        return !*differs || keep_text(now, old);
    }
    default:
        *differs = memcmp(is, was, size) != 0;
        memcpy(is, was, size);
        return true;
    }
}

bool
bh_conf_keep_fixed(struct bh_conf *is, const struct bh_conf *was,
                   struct bh_buf *names)
{
    for (size_t i = 0; i < bh_option_count; i++) {
        const struct bh_option *o = &bh_option_table[i];
        bool differs = false;

        if (!o->fixed) continue;
        if (!keep(o, (char *)is + o->at, (const char *)was + o->at, &differs))
            return false;
        if (differs)
            bh_buf_fmt(names, "%s%s%s%s", names->len > 0 ? ", " : "",
                       o->section, *o->section != '\0' ? "." : "", o->name);
    }
    if (names->len > 0)
        bh_log(BH_WARN, "what has changed needs a restart: %s",
               bh_buf_cstr(names));
    return true;
}
