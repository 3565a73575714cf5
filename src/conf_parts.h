/*
 * conf_parts.h: what the configuration file may hold, and the mistakes found in
 * it. One row per option: the parser, the bounds, the defaults and the test of
 * the sample are made from it. Private to conf*.c.
 */
#ifndef BH_CONF_PARTS_H
#define BH_CONF_PARTS_H

#include "conf.h"

enum bh_option_kind {
    BH_OPTION_INT,    /* int */
    BH_OPTION_BYTES,  /* int64_t */
    BH_OPTION_BOOL,   /* bool */
    BH_OPTION_STR,    /* char *, NULL for "" */
    BH_OPTION_PATH,   /* the same, from the file's folder */
    BH_OPTION_SOCKET, /* the same, short enough for a Unix socket */
    BH_OPTION_LIST,   /* char ** and size_t */
    BH_OPTION_LEVEL,  /* enum bh_level */
    BH_OPTION_SYNC    /* enum bh_sync */
};

/* NULL, or what is wrong with VALUE. */
typedef const char *bh_option_check(const char *value);

struct bh_option {
    const char *section; /* "" at the top */
    const char *name;
    enum bh_option_kind kind;
    size_t at;   /* offset in bh_conf; in a titled section, in its entry */
    size_t at_n; /* of a list: the offset of its length */
    int64_t min, max;
    int64_t unit;    /* the number is multiplied by it after the bounds */
    const char *def; /* as it would stand in the file, a list's by spaces;
                        NULL: must be given */
    bool fixed;      /* a running process can't change it */
    bh_option_check *check; /* of each text value that is not empty, or NULL */
};

extern const struct bh_option bh_option_table[];
extern const size_t bh_option_count;

/* A section; TITLED ones come several times, each an entry of an array. */
struct bh_section {
    const char *name;
    bool titled;
    size_t entry_size;
    size_t at, at_n; /* offsets in bh_conf of the array and its length */
    size_t max;      /* entries */
    bh_option_check *check_title;
};

#define BH_SECTIONS 9
extern const struct bh_section bh_section_table[BH_SECTIONS];

/* NULL where there is none. */
const struct bh_option *bh_option_find(const char *section, const char *name);
const struct bh_section *bh_section_find(const char *name);

/*
 * Store TEXT in the option's field inside BASE; a list grows by it. DIR is what
 * relative paths start from. NULL, or what is wrong, written to WHY.
 */
const char *bh_option_set(const struct bh_option *o, void *base,
                          const char *text, const char *dir, char *why,
                          size_t why_size);
/* Every option of SECTION in BASE to its default. False: no memory. */
bool bh_option_defaults(const char *section, void *base, const char *dir);
/* Release the field, so that a list is empty again. */
void bh_option_clear(const struct bh_option *o, void *base);
void bh_option_clear_all(const char *section, void *base);

/* "true", "yes", "on", "1" and their opposites, in any case. */
bool bh_option_bool(const char *text, bool *out);

/* ---- mistakes: noted as they are met, told in the order of the lines ---- */

struct bh_mistake {
    unsigned line; /* 0: of no line */
    size_t order;
    char *text;
};

struct bh_mistakes {
    struct bh_mistake *v;
    size_t n;
    bool no_memory; /* for a mistake, or for anything else of the reading */
};

void bh_mistake_add(struct bh_mistakes *m, unsigned line, const char *fmt, ...)
    BH_PRINTF(3, 4);
/* Whether there was any. PATH stands before each. */
bool bh_mistakes_tell(struct bh_mistakes *m, const char *path,
                      bh_conf_error_fn *fn, void *arg);
/* Forget those noted so far. */
void bh_mistakes_reset(struct bh_mistakes *m);
void bh_mistakes_fini(struct bh_mistakes *m);

/* ---- reading ---- */

/*
 * Read TEXT, whose comments are blanked, into *CONF, which is the caller's
 * even where there are mistakes. Whether the reading came to the end of TEXT.
 */
bool bh_conf_parse(struct bh_conf **conf, const char *text, const char *dir,
                   struct bh_mistakes *mistakes);

/*
 * The file's text, bh_free() it, with its comments blanked and every line kept:
 * libconfuse 3.3 counts a comment's lines twice, and takes the end of the file
 * for the end of a comment or of a section. NULL, with what is wrong and the
 * line (0: of none), where it can't be read or something is left open.
 */
char *bh_conf_load(const char *path, unsigned *line, const char **wrong);

#endif
