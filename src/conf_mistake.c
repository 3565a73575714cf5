/* conf_mistake.c: the mistakes of one configuration file. */
#include "conf_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

void
bh_mistake_add(struct bh_mistakes *m, unsigned line, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    struct bh_mistake *grown = bh_realloc(m->v, (m->n + 1) * sizeof(*grown));
    char *copy = bh_strndup(text, strlen(text));
    if (grown != NULL) m->v = grown;
    if (grown == NULL || copy == NULL) {
        m->no_memory = true;
        bh_free(copy);
        return;
    }
    grown[m->n] = (struct bh_mistake){line, m->n, copy};
    m->n++;
}

static int
by_line(const void *a, const void *b)
{
    const struct bh_mistake *x = a, *y = b;

    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

bool
bh_mistakes_tell(struct bh_mistakes *m, const char *path, bh_conf_error_fn *fn,
                 void *arg)
{
    char text[4096 + 1024];

    if (m->n > 0) qsort(m->v, m->n, sizeof(*m->v), by_line);
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].line > 0)
            snprintf(text, sizeof(text), "%s:%u: %s", path, m->v[i].line,
                     m->v[i].text);
        else
            snprintf(text, sizeof(text), "%s: %s", path, m->v[i].text);
        fn(arg, text);
    }
    if (m->no_memory) fn(arg, "there is no memory left");
    return m->n > 0 || m->no_memory;
}

void
bh_mistakes_reset(struct bh_mistakes *m)
{
    while (m->n > 0) bh_free(m->v[--m->n].text);
}

void
bh_mistakes_fini(struct bh_mistakes *m)
{
    bh_mistakes_reset(m);
    bh_free(m->v);
    m->v = NULL;
}
