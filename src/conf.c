/* conf.c: the configuration file as a whole. */
#include "conf_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* ---- what concerns more than one option ---- */

/* The word in ENABLE_<DOMAIN>_REALTIME_V2 for "task-list" is TASK_LIST. A value
 * that is neither yes nor no is a mistake: somebody meant to switch. */
static bool
switched_off(const char *domain, struct bh_mistakes *m)
{
    char name[BH_DOMAIN_MAX + 32];
    bool on = true;
    int at = snprintf(name, sizeof(name), "ENABLE_%s_REALTIME_V2", domain);

    if (at < 0 || (size_t)at >= sizeof(name)) return false;
    for (char *p = name; *p != '\0'; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    const char *value = getenv(name);
    if (value != NULL && *value != '\0' && !bh_option_bool(value, &on))
        bh_mistake_add(m, 0, "%s in the environment: must be true or false",
                       name);
    return !on;
}

static void
check_claims(const struct bh_conf *c, struct bh_mistakes *m)
{
    const char *names[] = {c->token.claim_user,
                           c->token.claim_org,
                           c->token.claim_properties,
                           c->token.claim_scope,
                           "exp",
                           "nbf",
                           "iat",
                           "iss",
                           "jti",
                           "aud"};

    for (size_t i = 0; i < 4; i++)
        for (size_t k = i + 1; k < bh_countof(names); k++)
            if (names[i] != NULL && names[k] != NULL &&
                strcmp(names[i], names[k]) == 0)
                bh_mistake_add(m, 0, "token: two claims have the name \"%s\"",
                               names[i]);
}

static void
check_whole(struct bh_conf *c, struct bh_mistakes *m)
{
    if (c->n_keys == 0)
        bh_mistake_add(m, 0,
                       "key: there is none, so no token could be verified; add "
                       "key \"main\" { algorithm = \"HS256\" file = \"…\" }");
    if (c->n_domains == 0)
        bh_mistake_add(m, 0,
                       "domain: there is none, so nothing would be served; add "
                       "domain \"tasks\" { }");
    check_claims(c, m);
    for (size_t i = 0; i < c->n_domains; i++)
        if (switched_off(c->domains[i].name, m)) {
            c->domains[i].off_by_environment = true;
            c->domains[i].enabled = false;
        }
}

/* ---- the file ---- */

static char *
folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) return bh_strndup(".", 1);
    return bh_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static struct bh_conf *
read_file(const char *path, const char *dir, struct bh_mistakes *m)
{
    struct bh_conf *c = NULL;
    unsigned line;
    const char *wrong;
    char *text = bh_conf_load(path, &line, &wrong);

    if (text == NULL)
        bh_mistake_add(m, line, "%s", wrong);
    else if (bh_conf_parse(&c, text, dir, m))
        check_whole(c, m);
    bh_free(text);
    if (c != NULL) {
        c->path = bh_strndup(path, strlen(path));
        if (c->path == NULL) m->no_memory = true;
    }
    return c;
}

struct bh_conf *
bh_conf_read(const char *path, bh_conf_error_fn *fn, void *arg)
{
    struct bh_mistakes m = {.v = NULL};
    struct bh_conf *c = NULL;
    char *dir = folder(path);

    if (dir == NULL)
        m.no_memory = true;
    else
        c = read_file(path, dir, &m);
    if (bh_mistakes_tell(&m, path, fn, arg)) {
        bh_conf_free(c);
        c = NULL;
    }
    bh_mistakes_fini(&m);
    bh_free(dir);
    return c;
}

static void
free_entries(struct bh_conf *c, const struct bh_section *s)
{
    char **array = (char **)(void *)((char *)c + s->at);
    size_t n = *(size_t *)(void *)((char *)c + s->at_n);

    for (size_t i = 0; i < n; i++) {
        char **title = (char **)(void *)(*array + i * s->entry_size);
        bh_option_clear_all(s->name, title);
        bh_free(*title);
    }
    bh_free(*array);
}

void
bh_conf_free(struct bh_conf *c)
{
    if (c == NULL) return;
    bh_option_clear_all("", c);
    for (size_t i = 0; i < BH_SECTIONS; i++) {
        if (bh_section_table[i].titled)
            free_entries(c, &bh_section_table[i]);
        else
            bh_option_clear_all(bh_section_table[i].name, c);
    }
    bh_free(c->path);
    bh_free(c);
}

const struct bh_conf_domain *
bh_conf_domain(const struct bh_conf *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->n_domains; i++)
        if (strlen(c->domains[i].name) == len &&
            memcmp(c->domains[i].name, name, len) == 0)
            return &c->domains[i];
    return NULL;
}

void
bh_conf_options(void (*fn)(void *arg, const char *option), void *arg)
{
    char name[64];

    for (size_t i = 0; i < bh_option_count; i++) {
        const struct bh_option *o = &bh_option_table[i];
        snprintf(name, sizeof(name), "%s%s%s", o->section,
                 *o->section != '\0' ? "." : "", o->name);
        fn(arg, name);
    }
}
