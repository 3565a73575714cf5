#include "page.h"

#include <string.h>

#include "event.h"

int
bh_page_log(struct bh_store **log, const char *path)
{
    if (*log != NULL && bh_store_replaced(*log)) {
        bh_store_close(*log);
        *log = NULL;
    }
    return *log != NULL ? 0 : bh_store_open_reader(log, path);
}

int
bh_page_head(char out[BH_CURSOR_MAX], struct bh_store *log)
{
    struct bh_span span;
    int rc = bh_store_span(log, &span);

    if (rc == 0) bh_cursor_format(out, bh_store_log_id(log), span.head);
    return rc;
}

/* What a row is added to. */
struct collect {
    struct bh_page *page;
    int left;
    int64_t last;
};

static bool
add_row(void *arg, const struct bh_event_row *row)
{
    struct collect *c = arg;
    struct bh_buf *out = &c->page->events;

    c->page->more = c->left == 0 || out->len > BH_ANSWER_MAX;
    if (c->page->more) return false;
    if (out->len > 0) bh_buf_str(out, ",");
    bh_event_with_seq(out, row->body, row->seq);
    c->left--;
    c->page->n++;
    c->last = row->seq;
    return !out->failed;
}

/* *GAP: why nothing after the cursor can be given without a hole, or NULL. */
static int
find_gap(struct bh_store *log, const struct bh_page_query *q,
         const struct bh_span *span, const char **gap)
{
    const struct bh_cursor *cursor = q->cursor;
    int64_t pruned = 0;

    *gap = NULL;
    if (cursor == NULL) return 0;
    if (strcmp(cursor->log_id, bh_store_log_id(log)) != 0 ||
        cursor->seq > span->head) {
        *gap = "log";
        return 0;
    }
    int rc = bh_store_pruned(log, q->domain, q->org, &pruned);
    if (rc == 0 && cursor->seq < pruned) *gap = "expired";
    return rc;
}

/* The rows, then a look whether they were pruned while they were read. *SPAN is
 * what the log had before; every event of it that passes is in the page, or
 * after its last. */
static int
read_rows(struct bh_page *page, struct bh_store *log,
          const struct bh_page_query *q, const struct bh_span *span,
          int64_t *last)
{
    struct collect c = {page, q->limit, 0};
    struct bh_span after = *span;
    int64_t from = q->cursor != NULL ? q->cursor->seq : 0;
    int rc = bh_store_page(log, q->domain, q->org, q->filter->all,
                           q->filter->properties, q->filter->n, from,
                           q->limit + 1, add_row, &c);

    if (rc == 0) rc = bh_store_span(log, &after);
    if (rc == 0) rc = find_gap(log, q, &after, &page->gap);
    *last = page->more || c.last > span->head ? c.last : span->head;
    return rc;
}

int
bh_page_read(struct bh_page *page, struct bh_store *log,
             const struct bh_page_query *q)
{
    struct bh_span span;
    int64_t last;

    memset(page, 0, sizeof *page);
    int rc = bh_store_span(log, &span);
    if (rc < 0) return rc;
    last = span.head;
    rc = find_gap(log, q, &span, &page->gap);
    if (rc == 0 && page->gap == NULL)
        rc = read_rows(page, log, q, &span, &last);
    if (page->gap != NULL) {
        bh_buf_reset(&page->events);
        page->more = false;
        page->n = 0;
        last = span.head;
    }
    bh_cursor_format(page->cursor, bh_store_log_id(log), last);
    return rc;
}

void
bh_page_fini(struct bh_page *page)
{
    bh_buf_fini(&page->events);
}

void
bh_page_open_json(struct bh_buf *out, const struct bh_page *page)
{
    bh_buf_str(out, "{\"events\":[");
    bh_buf_add(out, page->events.p, page->events.len);
    bh_buf_fmt(out, "],\"cursor\":\"%s\",\"gap\":", page->cursor);
    if (page->gap != NULL)
        bh_buf_fmt(out, "{\"reason\":\"%s\"}", page->gap);
    else
        bh_buf_str(out, "null");
    if (page->events.failed) out->failed = true;
}
