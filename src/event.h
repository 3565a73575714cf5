/* event.h: the domain event: from a publisher's body to rows for the log, and
 * from a row to the text that a subscriber gets. */
#ifndef BH_EVENT_H
#define BH_EVENT_H

#include "json.h"

/* One published event. Strings point into the batch that it is part of. */
struct bh_event {
    struct bh_str event_id, event_type, org,
        property; /* property.p NULL: none */
    int64_t timestamp;
    struct bh_str body; /* compact, as published */
};

struct bh_batch {
    struct bh_event *v; /* in the order of the request */
    size_t n;
    bool enveloped;        /* it came as {"events":…} */
    struct bh_buf text;    /* owns the bodies */
    struct bh_buf strings; /* owns the decoded members */
};

enum bh_body_form { BH_FORM_JSON, BH_FORM_NDJSON };

struct bh_event_errors {
    struct bh_json_error v[BH_ERRORS_MAX];
    size_t n;
};

/*
 * Parse a publish body: one event, {"events":[…]}, or NDJSON. All or nothing:
 * 0 and a batch of 1…BH_BATCH_MAX events; -EINVAL and at least one error, each
 * with its pointer (in NDJSON the first token is the line, from 0, blank lines
 * not counted); -ENOMEM. bh_batch_fini() in every case.
 */
int bh_batch_parse(struct bh_batch *b, struct bh_str body,
                   enum bh_body_form form, struct bh_event_errors *errors);
void bh_batch_fini(struct bh_batch *b);

/* Whether two compact bodies are the same event: equal members by their raw
 * text, in whatever order. */
bool bh_event_same(struct bh_str a, struct bh_str b);

/* Append BODY with "seq" as its last member. */
void bh_event_with_seq(struct bh_buf *out, struct bh_str body, int64_t seq);

#endif
