/* page.h: a channel's events out of the log, as JSON for a client. */
#ifndef BH_PAGE_H
#define BH_PAGE_H

#include "base.h"
#include "buf.h"
#include "cursor.h"
#include "filter.h"
#include "store.h"

/* The thread's reader, opened or reopened where the file is another. Negative
 * errno as store.h has them. */
int bh_page_log(struct bh_store **log, const char *path);

struct bh_page_query {
    struct bh_str domain, org;
    const struct bh_filter *filter;
    const struct bh_cursor *cursor; /* NULL: from the beginning of the log */
    int limit;                      /* events */
};

struct bh_page {
    struct bh_buf events; /* the elements of a JSON array */
    int n;                /* how many they are */
    bool more;
    const char *gap; /* "log", "expired", or NULL */
    char cursor[BH_CURSOR_MAX];
};

/* bh_page_fini() in every case. Where memory runs out events.failed is set. */
int bh_page_read(struct bh_page *page, struct bh_store *log,
                 const struct bh_page_query *query);
void bh_page_fini(struct bh_page *page);

/* The cursor at the log's head. */
int bh_page_head(char out[BH_CURSOR_MAX], struct bh_store *log);

/* {"events":[…],"cursor":…,"gap":… as every reader's answer begins; the caller
 * adds the closing brace. */
void bh_page_open_json(struct bh_buf *out, const struct bh_page *page);

#endif
