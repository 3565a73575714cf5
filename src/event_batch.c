/*
 * event_batch.c: from a publisher's body, in any of its three forms, to events.
 * First json.c judges the text, then event.c each event.
 */
#include "event_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

static const char bad_count[] = "must hold 1 to 500 events";

static int
make_room(struct bh_batch *b, size_t n)
{
    b->v = bh_zalloc(n * sizeof(*b->v));
    if (b->v == NULL) return -ENOMEM;
    b->n = n;
    return 0;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct bh_str
trim(struct bh_str s)
{
    while (s.len > 0 && is_space(s.p[s.len - 1])) s.len--;
    while (s.len > 0 && is_space(s.p[0])) {
        s.p++;
        s.len--;
    }
    return s;
}

/* The elements of an array, one over BH_BATCH_MAX at most; their number. */
static size_t
split(struct bh_str array, struct bh_str v[BH_BATCH_MAX + 1])
{
    struct bh_str name;
    size_t pos = 0;
    size_t n = 0;

    while (n <= BH_BATCH_MAX && bh_json_next(array, &pos, &name, &v[n])) n++;
    return n;
}

/* {"events":…}: SENT as it came, TEXT compact. Where they are equally long they
 * are the same. */
static int
read_array(struct bh_event_parse *c, struct bh_str sent, struct bh_str text)
{
    struct bh_str v[BH_BATCH_MAX + 1];
    struct bh_str name, raw;
    size_t raw_pos = 0;
    char pointer[32];

    if (text.p[0] != '[') {
        bh_event_complain_at(c, "/events", "must be an array of events");
        return 0;
    }
    size_t n = split(text, v);
    if (n < 1 || n > BH_BATCH_MAX) {
        bh_event_complain_at(c, "/events", bad_count);
        return 0;
    }
    if (make_room(c->b, n) != 0) return -ENOMEM;
    for (size_t i = 0; i < n && !bh_event_errors_full(c); i++) {
        raw = v[i];
        if (sent.len != text.len && !bh_json_next(sent, &raw_pos, &name, &raw))
            break;
        snprintf(pointer, sizeof(pointer), "/events/%zu", i);
        bh_event_read(c, pointer, raw.len, v[i], &c->b->v[i]);
    }
    return 0;
}

/* Complain of what stands beside EVENTS in TEXT. */
static void
judge_envelope(struct bh_event_parse *c, struct bh_str text,
               struct bh_str events)
{
    static const char before[] = "{\"events\":";
    struct bh_str name, value;
    size_t pos = 0;

    /* Nothing does, as nearly always. */
    if (events.p == text.p + sizeof before - 1 &&
        memcmp(text.p, before, sizeof before - 1) == 0 &&
        events.p + events.len == text.p + text.len - 1)
        return;
    while (!bh_event_errors_full(c) && bh_json_next(text, &pos, &name, &value))
        if (!bh_json_named(name, "events"))
            bh_event_complain(c, "", name, "must not stand beside events");
}

static int
read_batch(struct bh_event_parse *c, struct bh_str sent, struct bh_str text,
           struct bh_str events)
{
    judge_envelope(c, text, events);
    if (c->errors->n > 0) return 0;
    c->b->enveloped = true;
    if (sent.len == text.len)
        sent = events;
    else
        bh_json_member(sent, "events", &sent);
    return read_array(c, sent, events);
}

/*
 * Check a whole body. An event may have BH_DEPTH_MAX levels and a batch two
 * more, but which of them it is shows only when it has passed. EVENTS: its
 * member of that name; p NULL: it has none.
 */
static int
check_body(struct bh_event_parse *c, struct bh_str body, struct bh_str *events)
{
    struct bh_json_error error, deeper;
    struct bh_buf *text = &c->b->text;

    int rc = bh_json_check(text, body, BH_DEPTH_MAX, "", &error);
    bool retried = rc == -EINVAL;
    if (retried) rc = bh_json_check(text, body, BH_DEPTH_MAX + 2, "", &deeper);
    if (rc == -EINVAL) bh_event_complain_at(c, deeper.pointer, deeper.detail);
    if (rc != 0) return rc;
    if (!bh_json_member((struct bh_str){text->p, text->len}, "events", events))
        *events = (struct bh_str){NULL, 0};
    if (!retried || events->p != NULL) return 0;
    bh_event_complain_at(c, error.pointer, error.detail);
    return -EINVAL;
}

static int
read_json(struct bh_event_parse *c, struct bh_str body)
{
    struct bh_str events;

    body = trim(body);
    int rc = check_body(c, body, &events);
    if (rc != 0) return rc;
    struct bh_str text = {c->b->text.p, c->b->text.len};
    if (events.p != NULL) return read_batch(c, body, text, events);
    if (make_room(c->b, 1) != 0) return -ENOMEM;
    bh_event_read(c, "", body.len, text, &c->b->v[0]);
    return 0;
}

/* The next line of *REST that isn't blank; LINE without the space around it. */
static bool
next_line(struct bh_str *rest, struct bh_str *line)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->p, '\n', rest->len);
        size_t n = end != NULL ? (size_t)(end - rest->p) : rest->len;

        *line = trim((struct bh_str){rest->p, n});
        if (end != NULL) n++;
        rest->p += n;
        rest->len -= n;
        if (line->len > 0) return true;
    }
    return false;
}

/* One over BH_BATCH_MAX at most. */
static size_t
count_lines(struct bh_str rest)
{
    struct bh_str line;
    size_t n = 0;

    while (n <= BH_BATCH_MAX && next_line(&rest, &line)) n++;
    return n;
}

/* Check one line, the text of event E; only the length of its body is known
 * while b->text grows, and 0 where it is refused. */
static int
check_line(struct bh_event_parse *c, const char *pointer, struct bh_str line,
           struct bh_event *e)
{
    struct bh_buf *text = &c->b->text;
    size_t before = text->len;
    struct bh_json_error error;

    if (line.len > BH_EVENT_MAX) {
        bh_event_complain_at(c, pointer, BH_EVENT_TOO_LARGE);
        return 0;
    }
    int rc = bh_json_check(text, line, BH_DEPTH_MAX, pointer, &error);
    e->body.len = text->len - before;
    if (rc != -EINVAL) return rc;
    bh_event_complain_at(c, error.pointer, error.detail);
    return 0;
}

static int
read_lines(struct bh_event_parse *c, struct bh_str body)
{
    struct bh_str line;
    char pointer[32];
    size_t n = count_lines(body);
    size_t at = 0;

    if (n < 1 || n > BH_BATCH_MAX) {
        bh_event_complain_at(c, "", bad_count);
        return 0;
    }
    if (make_room(c->b, n) != 0) return -ENOMEM;
    for (size_t i = 0; !bh_event_errors_full(c) && next_line(&body, &line);
         i++) {
        snprintf(pointer, sizeof(pointer), "/%zu", i);
        int rc = check_line(c, pointer, line, &c->b->v[i]);
        if (rc != 0) return rc;
    }
    for (size_t i = 0; i < n && !bh_event_errors_full(c); i++) {
        struct bh_event *e = &c->b->v[i];
        struct bh_str text = {c->b->text.p + at, e->body.len};

        if (text.len == 0) continue;
        snprintf(pointer, sizeof(pointer), "/%zu", i);
        bh_event_read(c, pointer, text.len, text, e);
        at += text.len;
    }
    return 0;
}

int
bh_batch_parse(struct bh_batch *b, struct bh_str body, enum bh_body_form form,
               struct bh_event_errors *errors)
{
    struct bh_event_parse c = {
        .b = b, .errors = errors, .scratch = BH_BUF_INIT};

    *b = (struct bh_batch){.text = BH_BUF_INIT, .strings = BH_BUF_INIT};
    errors->n = 0;
    int rc =
        form == BH_FORM_NDJSON ? read_lines(&c, body) : read_json(&c, body);
    bh_buf_fini(&c.scratch);
    if (rc == 0 && b->strings.failed) rc = -ENOMEM;
    if (rc == 0 && errors->n > 0) rc = -EINVAL;
    if (rc == 0) bh_event_settle(b);
    return rc;
}

void
bh_batch_fini(struct bh_batch *b)
{
    bh_free(b->v);
    bh_buf_fini(&b->text);
    bh_buf_fini(&b->strings);
    *b = (struct bh_batch){.text = BH_BUF_INIT, .strings = BH_BUF_INIT};
}
