/*
 * event.c: one event: its members are judged when it is published, every
 * mistake listed and not just the first; compared when it comes again; and seq
 * is added when it goes out.
 */
#include "event_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum member {
    EVENT_ID,
    EVENT_TYPE,
    ORG,
    PROPERTY,
    TIMESTAMP,
    PAYLOAD,
    MEMBERS
};

/* The first N_NAMES are names; they are decoded into bh_batch.strings. */
#define N_NAMES (PROPERTY + 1)

static const char *const member_word[MEMBERS] = {
    [EVENT_ID] = "eventId",    [EVENT_TYPE] = "eventType",
    [ORG] = "orgId",           [PROPERTY] = "propertyId",
    [TIMESTAMP] = "timestamp", [PAYLOAD] = "payload",
};

void
bh_event_complain(struct bh_event_parse *c, const char *pointer,
                  struct bh_str member, const char *detail)
{
    if (bh_event_errors_full(c)) return;
    struct bh_json_error *e = &c->errors->v[c->errors->n++];
    snprintf(e->pointer, sizeof(e->pointer), "%s", pointer);
    if (member.p != NULL) bh_pointer_add(e->pointer, member);
    snprintf(e->detail, sizeof(e->detail), "%s", detail);
}

void
bh_event_complain_at(struct bh_event_parse *c, const char *pointer,
                     const char *detail)
{
    bh_event_complain(c, pointer, (struct bh_str){NULL, 0}, detail);
}

static struct bh_str *
name_field(struct bh_event *e, int m)
{
    struct bh_str *const field[N_NAMES] = {
        [EVENT_ID] = &e->event_id,
        [EVENT_TYPE] = &e->event_type,
        [ORG] = &e->org,
        [PROPERTY] = &e->property,
    };
    return field[m];
}

static enum member
which(struct bh_str name)
{
    int m = 0;

    while (m < MEMBERS && !bh_json_named(name, member_word[m])) m++;
    return (enum member)m;
}

/* Sort the members of BODY into VALUE. */
static void
sort_members(struct bh_event_parse *c, const char *pointer, struct bh_str body,
             struct bh_str value[MEMBERS])
{
    struct bh_str name, v;
    size_t pos = 0;

    memset(value, 0, MEMBERS * sizeof(*value));
    while (!bh_event_errors_full(c) && bh_json_next(body, &pos, &name, &v)) {
        enum member m = which(name);

        if (m == MEMBERS)
            bh_event_complain(c, pointer, name, "is not a member of an event");
        else
            value[m] = v;
    }
}

/* C0, DEL and C1, in valid UTF-8. */
static bool
has_control(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c < 0x20 || c == 0x7f) return true;
        if (c == 0xc2 && (unsigned char)p[i + 1] < 0xa0) return true;
    }
    return false;
}

/* Decode a name to SCRATCH; what is wrong with it, or NULL. */
static const char *
judge_name(struct bh_buf *scratch, struct bh_str value)
{
    static const char bad_length[] = "must be 1 to 128 bytes long, as UTF-8";

    bh_buf_reset(scratch);
    if (value.p[0] != '"') return "must be a string";
    /* No byte takes more than the six of \u0061. */
    if (value.len > 6 * BH_NAME_MAX + 2) return bad_length;
    if (bh_json_string(scratch, value) != 0) return NULL;
    if (scratch->len == 0 || scratch->len > BH_NAME_MAX) return bad_length;
    if (has_control(scratch->p, scratch->len))
        return "must not hold control characters";
    return NULL;
}

/* The length only: its place is known when b->strings has stopped growing. */
static const char *
read_name(struct bh_event_parse *c, struct bh_str value, struct bh_str *field)
{
    const char *wrong = judge_name(&c->scratch, value);

    if (wrong != NULL) return wrong;
    bh_buf_add(&c->b->strings, c->scratch.p, c->scratch.len);
    if (c->scratch.failed) c->b->strings.failed = true;
    field->len = c->scratch.len;
    return NULL;
}

static const char *
read_timestamp(struct bh_str value, int64_t *out)
{
    static const char wrong[] = "must be a whole number of milliseconds since "
                                "1970, 0 to 9007199254740991";
    int64_t v = 0;

    if (value.len > 16) return wrong; /* the digits of the largest */
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') return wrong;
        v = v * 10 + (value.p[i] - '0');
    }
    if (v > BH_TIMESTAMP_MAX) return wrong;
    *out = v;
    return NULL;
}

static const char *
read_member(struct bh_event_parse *c, int m, struct bh_str value,
            struct bh_event *e)
{
    if (value.p == NULL) return m == PROPERTY ? NULL : "is missing";
    if (m < N_NAMES) return read_name(c, value, name_field(e, m));
    if (m == TIMESTAMP) return read_timestamp(value, &e->timestamp);
    return NULL;
}

void
bh_event_read(struct bh_event_parse *c, const char *pointer, size_t sent,
              struct bh_str body, struct bh_event *e)
{
    struct bh_str value[MEMBERS];

    if (sent > BH_EVENT_MAX) {
        bh_event_complain_at(c, pointer, BH_EVENT_TOO_LARGE);
        return;
    }
    if (body.p[0] != '{') {
        bh_event_complain_at(c, pointer,
                             "must be an event, which is an object");
        return;
    }
    e->body = body;
    sort_members(c, pointer, body, value);
    for (int m = 0; m < MEMBERS; m++) {
        const char *wrong = read_member(c, m, value[m], e);

        if (wrong != NULL)
            bh_event_complain(
                c, pointer,
                (struct bh_str){member_word[m], strlen(member_word[m])}, wrong);
    }
}

void
bh_event_settle(struct bh_batch *b)
{
    const char *p = b->strings.p;

    for (size_t i = 0; i < b->n; i++) {
        for (int m = 0; m < N_NAMES; m++) {
            struct bh_str *field = name_field(&b->v[i], m);

            if (field->len == 0) continue;
            field->p = p;
            p += field->len;
        }
    }
}

/* The known members of BODY; false where it has another one. */
static bool
known_members(struct bh_str body, struct bh_str value[MEMBERS])
{
    struct bh_str name, v;
    size_t pos = 0;

    memset(value, 0, MEMBERS * sizeof(*value));
    while (bh_json_next(body, &pos, &name, &v)) {
        enum member m = which(name);

        if (m == MEMBERS) return false;
        value[m] = v;
    }
    return true;
}

static bool
same_bytes(struct bh_str a, struct bh_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
bh_event_same(struct bh_str a, struct bh_str b)
{
    struct bh_str va[MEMBERS], vb[MEMBERS];

    if (same_bytes(a, b)) return true;
    if (!known_members(a, va) || !known_members(b, vb)) return false;
    for (int m = 0; m < MEMBERS; m++)
        if (!same_bytes(va[m], vb[m])) return false;
    return true;
}

void
bh_event_with_seq(struct bh_buf *out, struct bh_str body, int64_t seq)
{
    bool empty = body.len <= 2;

    bh_buf_add(out, empty ? "{" : body.p, empty ? 1 : body.len - 1);
    bh_buf_fmt(out, "%s\"seq\":%lld}", empty ? "" : ",", (long long)seq);
}
