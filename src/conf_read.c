/* conf_read.c: libconfuse splits the file into words; what they mean is judged
 * here by the table, so that one wrong value doesn't hide the next. */
#include "conf_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <confuse.h>

#include "mem.h"

#define UNKNOWN_MAX     32 /* unknown options told of in one run */
#define SECTION_OPTIONS 24 /* known options of one section, and to spare */
#define NO_OPTION       "%s: there is no such option"

/* Ours, in cfg_opt_t.flags: the option has had a value. libconfuse 3.3 uses
 * the bits 0 to 13. */
#define SEEN (1 << 30)

/* A name that the table doesn't know. */
struct unknown {
    char section[16];
    char *name;
    unsigned line;
    char told[512]; /* the mistake's text */
};

struct reader {
    const char *dir; /* of the file */
    struct bh_conf *conf;
    struct bh_mistakes *mistakes;
    struct unknown unknown[UNKNOWN_MAX];
    size_t n_unknown;
    bool again; /* an unknown option was met: read once more, knowing it */
    struct {
        unsigned closed, doubled;
    } sections[BH_SECTIONS];
};

/* libconfuse hands its callbacks no pointer of ours, and its lexer is global
 * anyway: one file at a time. */
static struct reader *reading;

static unsigned
line_of(const cfg_t *cfg)
{
    return cfg->line > 0 ? (unsigned)cfg->line : 0;
}

static const char *
section_of(const cfg_t *cfg)
{
    return strcmp(cfg->name, "root") == 0 ? "" : cfg->name;
}

/* "broker.threads", "syslog", or key "main".file. */
static const char *
full_name(char *out, size_t size, cfg_t *cfg, const char *option)
{
    const char *section = section_of(cfg);
    char title[BH_WORD_MAX];

    if (*section == '\0')
        snprintf(out, size, "%s", option);
    else if (cfg->title == NULL)
        snprintf(out, size, "%s.%s", section, option);
    else
        snprintf(
            out, size, "%s \"%s\".%s", section,
            bh_log_word(title, sizeof(title), cfg->title, strlen(cfg->title)),
            option);
    return out;
}

/* ---- what the file says ---- */

/* The entry of a titled section, made if it isn't there. NULL: no memory, or
 * there are too many. */
static void *
entry(struct reader *r, const struct bh_section *s, const char *title)
{
    char **array = (char **)(void *)((char *)r->conf + s->at);
    size_t *n = (size_t *)(void *)((char *)r->conf + s->at_n);

    for (size_t i = 0; i < *n; i++) {
        char **found = (char **)(void *)(*array + i * s->entry_size);
        if (strcmp(*found, title) == 0) return found;
    }
    if (*n == s->max) return NULL;
    char *grown = bh_realloc(*array, (*n + 1) * s->entry_size);
    if (grown == NULL) return NULL;
    *array = grown;

    char **fresh = (char **)(void *)(grown + *n * s->entry_size);
    memset(fresh, 0, s->entry_size);
    *fresh = bh_strndup(title, strlen(title));
    if (*fresh == NULL) return NULL;
    (*n)++;
    return bh_option_defaults(s->name, fresh, r->dir) ? fresh : NULL;
}

/* Where the options of CFG, a section or the file itself, are stored. */
static void *
base_of(struct reader *r, cfg_t *cfg)
{
    const struct bh_section *s = bh_section_find(section_of(cfg));

    return s != NULL && s->titled ? entry(r, s, cfg->title) : r->conf;
}

static bool
told_of(const struct reader *r, cfg_t *cfg, const char *name)
{
    for (size_t i = 0; i < r->n_unknown; i++)
        if (strcmp(r->unknown[i].section, section_of(cfg)) == 0 &&
            strcmp(r->unknown[i].name, name) == 0 &&
            r->unknown[i].line == line_of(cfg))
            return true;
    return false;
}

static void
take_value(struct reader *r, cfg_t *cfg, cfg_opt_t *opt, const char *value)
{
    const struct bh_option *o = bh_option_find(section_of(cfg), opt->name);
    bool first = opt->nvalues == 1; /* of this assignment */
    char name[256], why[128];
    const char *wrong = NULL;

    full_name(name, sizeof(name), cfg, opt->name);
    if (o == NULL) {
        if (first && !told_of(r, cfg, opt->name))
            bh_mistake_add(r->mistakes, line_of(cfg), NO_OPTION, name);
        return;
    }
    void *base = base_of(r, cfg);
    if (base == NULL) return; /* told of when the section closes */
    if (first && (opt->flags & SEEN) != 0)
        wrong = "is given twice";
    else if (!first && o->kind != BH_OPTION_LIST)
        wrong = "takes one value, not a list";
    else {
        if (first && o->kind == BH_OPTION_LIST) bh_option_clear(o, base);
        wrong = bh_option_set(o, base, value, r->dir, why, sizeof(why));
    }
    opt->flags |= SEEN;
    if (wrong != NULL)
        bh_mistake_add(r->mistakes, line_of(cfg), "%s: %s", name, wrong);
}

/* libconfuse's callback for every value. It always agrees, so that the reading
 * goes on and finds the next mistake too. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    take_value(reading, cfg, opt, value);
    *(const char **)result = value;
    return 0;
}

/* `x = {}`: no value came, so on_value was never called. */
static void
take_empty_lists(struct reader *r, cfg_t *cfg)
{
    for (size_t i = 0; i < bh_option_count; i++) {
        const struct bh_option *o = &bh_option_table[i];
        if (strcmp(o->section, section_of(cfg)) != 0) continue;
        cfg_opt_t *opt = cfg_getopt(cfg, o->name);
        if (opt == NULL || opt->nvalues > 0) continue;
        if ((opt->flags & (CFGF_MODIFIED | SEEN)) != CFGF_MODIFIED) continue;
        char name[256];
        if (o->kind == BH_OPTION_LIST)
            bh_option_clear(o, base_of(r, cfg));
        else
            bh_mistake_add(r->mistakes, line_of(cfg),
                           "%s: takes one value, not a list",
                           full_name(name, sizeof(name), cfg, o->name));
    }
}

static void
check_entry(struct reader *r, const struct bh_section *s, cfg_t *section,
            unsigned line)
{
    char name[256];
    void *base = entry(r, s, section->title);
    const char *wrong = s->check_title(section->title);

    full_name(name, sizeof(name), section, "");
    name[strlen(name) - 1] = '\0'; /* the full stop before no option */
    if (base == NULL) {
        bh_mistake_add(r->mistakes, line,
                       "%s: there are more than %zu, or no memory is left",
                       name, s->max);
        return;
    }
    if (wrong != NULL) bh_mistake_add(r->mistakes, line, "%s: %s", name, wrong);
    for (size_t i = 0; i < bh_option_count; i++) {
        const struct bh_option *o = &bh_option_table[i];
        if (o->def != NULL || strcmp(o->section, s->name) != 0) continue;
        if ((cfg_getopt(section, o->name)->flags & SEEN) == 0)
            bh_mistake_add(r->mistakes, line, "%s: \"%s\" is missing", name,
                           o->name);
    }
}

/*
 * libconfuse's callback at the end of a section. One with the title of an
 * earlier one was merged with it: then the sections are fewer than the ends.
 */
static int
on_section(cfg_t *cfg, cfg_opt_t *opt)
{
    struct reader *r = reading;
    const struct bh_section *s = bh_section_find(opt->name);
    size_t i = (size_t)(s - bh_section_table);
    unsigned distinct = s->titled ? opt->nvalues : 1;
    cfg_t *section = cfg_opt_getnsec(opt, opt->nvalues - 1);

    r->sections[i].closed++;
    if (r->sections[i].closed > distinct + r->sections[i].doubled) {
        r->sections[i].doubled++;
        bh_mistake_add(r->mistakes, line_of(cfg), "%s: %s", s->name,
                       s->titled ? "a section of this name is there already"
                                 : "the section is given twice");
        return 0;
    }
    take_empty_lists(r, section);
    if (s->titled) check_entry(r, s, section, line_of(cfg));
    return 0;
}

/* ---- libconfuse ---- */

static void
note_unknown(struct reader *r, cfg_t *cfg, const char *name)
{
    char full[256], word[BH_WORD_MAX];
    struct unknown *u = &r->unknown[r->n_unknown];

    bh_log_word(word, sizeof(word), name, strlen(name));
    full_name(full, sizeof(full), cfg, word);
    bh_mistake_add(r->mistakes, line_of(cfg), NO_OPTION, full);
    if (r->n_unknown == UNKNOWN_MAX || strpbrk(name, "|=") != NULL) return;
    u->name = bh_strndup(name, strlen(name));
    if (u->name == NULL) return;
    snprintf(u->section, sizeof(u->section), "%s", section_of(cfg));
    snprintf(u->told, sizeof(u->told), NO_OPTION, full);
    u->line = line_of(cfg);
    r->n_unknown++;
    r->again = true;
}

/* A sentence of libconfuse as a log may have it, but for the quotes, which are
 * libconfuse's own: what it stands in has none. */
static const char *
clean(char *out, size_t size, const char *sentence)
{
    char *p;

    bh_log_word(out, size, sentence, strlen(sentence));
    while ((p = strstr(out, "\\x27")) != NULL) {
        *p = '\'';
        memmove(p + 1, p + 4, strlen(p + 4) + 1);
    }
    return out;
}

/*
 * libconfuse stops at an unknown name. It is noted, and the file is read once
 * more with the name known, so that what comes after it is looked at as well.
 * Any other wording is a mistake in the syntax and the end of the reading.
 */
static void BH_PRINTF(2, 0) on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    char text[256], word[256];

    if (strcmp(fmt, "no such option '%s'") == 0) {
        note_unknown(reading, cfg, va_arg(ap, const char *));
        return;
    }
    vsnprintf(text, sizeof(text), fmt, ap);
    bh_mistake_add(reading->mistakes, line_of(cfg),
                   "%s; what follows was not looked at",
                   clean(word, sizeof(word), text));
}

/* The options of SECTION as libconfuse wants them. Every one is a list of
 * texts for it. */
static void
list_options(const struct reader *r, const char *section, cfg_opt_t *out,
             size_t max)
{
    size_t n = 0;

    while (out[n].name != NULL) n++;
    for (size_t i = 0; i < bh_option_count && n + 1 < max; i++)
        if (strcmp(bh_option_table[i].section, section) == 0)
            out[n++] = (cfg_opt_t)CFG_STR_LIST_CB(bh_option_table[i].name, 0,
                                                  CFGF_NODEFAULT, on_value);
    for (size_t i = 0; i < r->n_unknown && n + 1 < max; i++)
        if (strcmp(r->unknown[i].section, section) == 0)
            out[n++] = (cfg_opt_t)CFG_STR_LIST_CB(r->unknown[i].name, 0,
                                                  CFGF_NODEFAULT, on_value);
}

struct options {
    cfg_opt_t root[BH_SECTIONS + SECTION_OPTIONS + UNKNOWN_MAX];
    cfg_opt_t section[BH_SECTIONS][SECTION_OPTIONS + UNKNOWN_MAX];
};

static cfg_t *
new_parser(const struct reader *r)
{
    struct options *all = bh_zalloc(sizeof(*all));
    if (all == NULL) return NULL;

    for (size_t i = 0; i < BH_SECTIONS; i++) {
        const struct bh_section *s = &bh_section_table[i];
        list_options(r, s->name, all->section[i], bh_countof(all->section[i]));
        all->root[i] =
            (cfg_opt_t)CFG_SEC(s->name, all->section[i],
                               s->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE);
        all->root[i].validcb = on_section;
    }
    list_options(r, "", all->root, bh_countof(all->root));
    cfg_t *cfg = cfg_init(all->root, CFGF_NONE); /* makes copies */
    bh_free(all);
    if (cfg != NULL) cfg_set_error_function(cfg, on_error);
    return cfg;
}

static bool
defaults(struct reader *r)
{
    if (!bh_option_defaults("", r->conf, r->dir)) return false;
    for (size_t i = 0; i < BH_SECTIONS; i++)
        if (!bh_section_table[i].titled &&
            !bh_option_defaults(bh_section_table[i].name, r->conf, r->dir))
            return false;
    return true;
}

/* One reading of TEXT into a fresh r->conf. Whether it came to the end. */
static bool
read_once(struct reader *r, const char *text)
{
    r->again = false;
    memset(r->sections, 0, sizeof(r->sections));
    bh_conf_free(r->conf);
    r->conf = bh_zalloc(sizeof(*r->conf));
    cfg_t *cfg = r->conf != NULL && defaults(r) ? new_parser(r) : NULL;
    if (cfg == NULL) {
        r->mistakes->no_memory = true;
        return false;
    }
    size_t before = r->mistakes->n;
    reading = r;
    int rc = cfg_parse_buf(cfg, text);
    if (rc == CFG_SUCCESS) take_empty_lists(r, cfg);
    reading = NULL;
    cfg_free(cfg);
    if (rc != CFG_SUCCESS && r->mistakes->n == before)
        bh_mistake_add(r->mistakes, 0, "can't be read to its end");
    return rc == CFG_SUCCESS;
}

bool
bh_conf_parse(struct bh_conf **conf, const char *text, const char *dir,
              struct bh_mistakes *mistakes)
{
    struct reader r = {.dir = dir, .mistakes = mistakes};
    bool whole;

    do {
        /* Unknown names stay noted; all other mistakes are found again. */
        bh_mistakes_reset(mistakes);
        for (size_t i = 0; i < r.n_unknown; i++)
            bh_mistake_add(mistakes, r.unknown[i].line, "%s",
                           r.unknown[i].told);
        whole = read_once(&r, text);
    } while (r.again && !mistakes->no_memory);
    while (r.n_unknown > 0) bh_free(r.unknown[--r.n_unknown].name);
    *conf = r.conf;
    return whole;
}
