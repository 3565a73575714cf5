#include "beacon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "json.h"
#include "mem.h"

/* In the sentences that a client gets the bounds are written out. */
_Static_assert(BH_TELEMETRY_ID_MAX == 64 && BH_TELEMETRY_BATCH_MAX == 20 &&
                   BH_TELEMETRY_DATA_MAX == 1024 && BH_DOMAIN_MAX == 32,
               "a bound has changed: change the sentences that name it");

#define DEPTH 8 /* of one entry, itself the first level */

static const char other[] = "other";

struct parse {
    struct bh_event_errors *errors;
    struct bh_buf scratch;
    int failed; /* 0, -EINVAL, -ENOMEM */
};

static void
complain(struct parse *p, const char *pointer, const char *word,
         const char *detail)
{
    struct bh_json_error *e = &p->errors->v[0];

    if (p->failed < 0) return;
    p->failed = -EINVAL;
    p->errors->n = 1;
    snprintf(e->pointer, sizeof e->pointer, "%s", pointer);
    if (word != NULL)
        bh_pointer_add(e->pointer, (struct bh_str){word, strlen(word)});
    snprintf(e->detail, sizeof e->detail, "%s", detail);
}

/* ---- members; each returns what is wrong, or NULL ---- */

/* Decode VALUE to OUT, BH_TELEMETRY_ID_MAX bytes at most and a NUL. */
static const char *
take_word(struct parse *p, struct bh_str value, char *out)
{
    static const char wrong[] =
        "must be a string of 1 to 64 bytes without control characters";

    bh_buf_reset(&p->scratch);
    if (value.p[0] != '"') return wrong;
    if (bh_json_string(&p->scratch, value) < 0) {
        p->failed = -ENOMEM;
        return NULL;
    }
    if (p->scratch.len < 1 || p->scratch.len > BH_TELEMETRY_ID_MAX)
        return wrong;
    for (size_t i = 0; i < p->scratch.len; i++)
        if ((unsigned char)p->scratch.p[i] < 0x20 || p->scratch.p[i] == 0x7f)
            return wrong;
    memcpy(out, p->scratch.p, p->scratch.len);
    out[p->scratch.len] = '\0';
    return NULL;
}

static const char *
take_type(struct parse *p, struct bh_beacon *b, struct bh_str value)
{
    static const char *const known[] = {"fast_empty",
                                        "leader_acquired",
                                        "leader_takeover",
                                        "subscribe_error",
                                        "gap",
                                        "steal"};
    char word[BH_TELEMETRY_ID_MAX + 1] = "";
    const char *wrong = take_word(p, value, word);

    b->type = other;
    for (size_t i = 0; i < bh_countof(known); i++)
        if (strcmp(word, known[i]) == 0) b->type = known[i];
    return wrong;
}

static const char *
take_domain(struct parse *p, struct bh_beacon *b, struct bh_str value)
{
    char word[BH_TELEMETRY_ID_MAX + 1] = "";
    const char *wrong = take_word(p, value, word);
    size_t len = strlen(word);

    if (wrong != NULL || p->failed < 0) return wrong;
    if (!bh_domain_valid(word, len))
        return "must be a domain's name: [a-z][a-z0-9-]{0,31}";
    memcpy(b->domain, word, len + 1);
    return NULL;
}

static const char *
take_session(struct parse *p, struct bh_beacon *b, struct bh_str value)
{
    return take_word(p, value, b->session);
}

static const char *
take_tab(struct parse *p, struct bh_beacon *b, struct bh_str value)
{
    return take_word(p, value, b->tab);
}

static const char *
take_timestamp(struct parse *p BH_UNUSED, struct bh_beacon *b,
               struct bh_str value)
{
    static const char wrong[] = "must be a whole number of milliseconds since "
                                "1970, 0 to 9007199254740991";
    int64_t v = 0;

    if (value.len > 16) return wrong; /* the digits of the largest */
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') return wrong;
        v = v * 10 + (value.p[i] - '0');
    }
    b->timestamp = v;
    return v > BH_TIMESTAMP_MAX ? wrong : NULL;
}

static const struct member {
    const char *word;
    const char *(*take)(struct parse *p, struct bh_beacon *b,
                        struct bh_str value);
} members[] = {
    {"eventType", take_type},      {"domain", take_domain},
    {"timestamp", take_timestamp}, {"sessionId", take_session},
    {"tabId", take_tab},
};

static const struct member *
find_member(struct bh_str name)
{
    for (size_t i = 0; i < bh_countof(members); i++)
        if (bh_json_named(name, members[i].word)) return &members[i];
    return NULL;
}

/* ---- one entry ---- */

/* Whether there was room for it and for the brace at the end. */
static bool
add_data(struct bh_beacon *b, struct bh_str name, struct bh_str value)
{
    size_t len = name.len + value.len + sizeof "{\"\":";

    if (b->data_len + len > sizeof b->data) return false;
    b->data_len += (size_t)sprintf(b->data + b->data_len,
                                   "%c\"%.*s\":", b->data_len == 0 ? '{' : ',',
                                   (int)name.len, name.p);
    memcpy(b->data + b->data_len, value.p, value.len);
    b->data_len += value.len;
    return true;
}

/* An unknown eventType stays among the other members, to be seen there. */
static void
read_member(struct parse *p, const char *pointer, struct bh_beacon *b,
            struct bh_str name, struct bh_str value)
{
    const struct member *m = find_member(name);

    if (m != NULL) {
        const char *wrong = m->take(p, b, value);
        if (wrong != NULL) complain(p, pointer, m->word, wrong);
    }
    bool keep = m == NULL || (m->take == take_type && b->type == other);
    if (keep && p->failed == 0 && !add_data(b, name, value))
        complain(p, pointer, NULL,
                 "its other members must not be longer than 1024 bytes");
}

static void
read_entry(struct parse *p, const char *pointer, struct bh_beacon *b,
           struct bh_str text)
{
    struct bh_str name, value;
    size_t pos = 0;

    b->timestamp = -1;
    if (text.p[0] != '{') complain(p, pointer, NULL, "must be an object");
    while (p->failed == 0 && bh_json_next(text, &pos, &name, &value))
        read_member(p, pointer, b, name, value);
    if (b->type == NULL) complain(p, pointer, "eventType", "is missing");
    if (b->domain[0] == '\0') complain(p, pointer, "domain", "is missing");
    if (b->data_len == 0) b->data[b->data_len++] = '{';
    b->data[b->data_len++] = '}';
}

/* The body was checked as if each entry stood in an envelope, the most that can
 * lie around it. */
static void
check_depth(struct parse *p, const char *pointer, struct bh_str text)
{
    struct bh_json_error *e = &p->errors->v[0];

    bh_buf_reset(&p->scratch);
    p->failed = bh_json_check(&p->scratch, text, DEPTH, pointer, e);
    if (p->failed == -EINVAL) p->errors->n = 1;
}

static void
add_entry(struct parse *p, const char *pointer, struct bh_str text,
          struct bh_link *list)
{
    struct bh_beacon *b = bh_zalloc(sizeof *b);

    if (b == NULL) {
        p->failed = -ENOMEM;
        return;
    }
    bh_list_add(list, &b->link);
    check_depth(p, pointer, text);
    read_entry(p, pointer, b, text);
}

/* ---- the body ---- */

static int
read_array(struct parse *p, const char *prefix, struct bh_str text,
           struct bh_link *list)
{
    struct bh_str name, value;
    char pointer[64];
    size_t pos = 0;
    int n = 0;

    for (; p->failed == 0 && bh_json_next(text, &pos, &name, &value); n++) {
        snprintf(pointer, sizeof pointer, "%s/%d", prefix, n);
        if (n == BH_TELEMETRY_BATCH_MAX)
            complain(p, prefix, NULL, "must not have more than 20 entries");
        else
            add_entry(p, pointer, value, list);
    }
    if (n == 0) complain(p, prefix, NULL, "must have an entry");
    return n;
}

static int
read_envelope(struct parse *p, struct bh_str text, struct bh_str events,
              struct bh_link *list)
{
    struct bh_str name, value;
    size_t pos = 0;

    while (bh_json_next(text, &pos, &name, &value))
        if (!bh_json_named(name, "events"))
            complain(p, "", NULL, "must have no member beside events");
    if (events.p[0] != '[') complain(p, "", "events", "must be an array");
    return read_array(p, "/events", events, list);
}

static int
read_body(struct parse *p, struct bh_str text, struct bh_link *list)
{
    struct bh_str events;

    if (text.p[0] == '[') return read_array(p, "", text, list);
    if (bh_json_member(text, "events", &events))
        return read_envelope(p, text, events, list);
    add_entry(p, "", text, list);
    return 1;
}

int
bh_beacon_parse(struct bh_link *out, struct bh_str body,
                struct bh_event_errors *errors)
{
    struct parse p = {.errors = errors};
    struct bh_buf text = BH_BUF_INIT;
    struct bh_link list;
    int n = 0;

    bh_list_init(&list);
    errors->n = 0;
    p.failed = bh_json_check(&text, body, DEPTH + 2, "", &errors->v[0]);
    if (p.failed == -EINVAL) errors->n = 1;
    if (p.failed == 0)
        n = read_body(&p, (struct bh_str){text.p, text.len}, &list);
    bh_buf_fini(&p.scratch);
    bh_buf_fini(&text);
    if (p.failed < 0) {
        bh_beacons_free(&list);
        return p.failed;
    }
    bh_list_each_safe (l, next, &list) {
        bh_list_del(l);
        bh_list_add(out, l);
    }
    return n;
}

void
bh_beacons_free(struct bh_link *list)
{
    bh_list_each_safe (l, next, list) {
        bh_list_del(l);
        bh_free(bh_beacon_of(l));
    }
}

bool
bh_beacon_known(const struct bh_beacon *b)
{
    return b->type != other;
}
