/* publish.c: bellhopctl publish: store events as a worker does, under the
 * writers' lock, and tell the broker. It needs no token: who may write to the
 * log may publish. */
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "event.h"
#include "log.h"
#include "mem.h"
#include "notify.h"
#include "words.h"

#define LINES_BYTES (1024 * 1024) /* of NDJSON stored at once */

struct order {
    const char *domain, *publisher, *file;
    const char *org, *property, *type, *id, *payload; /* one event */
    bool quiet;
};

struct work {
    const struct order *order;
    struct bh_store *s;
    int broker; /* -1: none */
    struct bh_bar bar;
    int64_t stored, duplicates, woken;
    bool off;     /* the domain is */
    bool unknown; /* of some nobody knows whom they woke */
    size_t line;  /* of the NDJSON, before the batch at hand */
};

static struct bh_str
str(const char *s)
{
    return (struct bh_str){s, s != NULL ? strlen(s) : 0};
}

/* ---- one batch ---- */

struct result {
    int64_t seq;
    enum bh_stored what;
};

static int
append(struct work *w, const struct bh_event *e, struct result *r)
{
    const struct bh_row row = {.domain = str(w->order->domain),
                               .org = e->org,
                               .property = e->property,
                               .event_id = e->event_id,
                               .event_type = e->event_type,
                               .publisher = str(w->order->publisher),
                               .timestamp = e->timestamp,
                               .body = e->body};

    return bh_store_append(w->s, &row, bh_event_same, &r->seq, &r->what);
}

/* All of it, or nothing: *CONFLICT is then the one that is stored otherwise. */
static int
append_all(struct work *w, const struct bh_batch *b, struct result *results,
           size_t *conflict)
{
    int rc = bh_store_begin(w->s);

    *conflict = b->n;
    if (rc < 0) return rc;
    for (size_t i = 0; rc == 0 && i < b->n && *conflict == b->n; i++) {
        rc = append(w, &b->v[i], &results[i]);
        if (rc == 0 && results[i].what == BH_CONFLICT) *conflict = i;
    }
    if (rc == 0 && *conflict == b->n) return bh_store_commit(w->s);
    bh_store_rollback(w->s);
    return rc;
}

/* *WOKEN: one count for each row from FIRST on; false: nobody knows. */
static bool
tell_broker(struct work *w, int64_t first, int64_t last, uint32_t *woken)
{
    if (w->broker >= 0 && bh_notify_rows(w->broker, first, last, woken))
        return true;
    if (w->broker >= 0) close(w->broker);
    w->broker = -1;
    w->unknown = true;
    return false;
}

static void
print_result(const struct bh_event *e, const struct result *r, bool known,
             uint32_t woken)
{
    struct bh_buf line = BH_BUF_INIT;

    bh_buf_str(&line, "{\"eventId\":");
    bh_json_quote(&line, e->event_id.p, e->event_id.len);
    bh_buf_fmt(&line, ",\"status\":\"%s\",\"seq\":%" PRId64 ",\"woken\":",
               r->what == BH_STORED ? "stored" : "duplicate", r->seq);
    if (known)
        bh_buf_fmt(&line, "%" PRIu32 "}", woken);
    else
        bh_buf_str(&line, "null}");
    puts(bh_buf_cstr(&line));
    bh_buf_fini(&line);
}

/* Rows of one transaction have consecutive numbers. */
static void
settle(struct work *w, const struct bh_batch *b, const struct result *results)
{
    uint32_t woken[BH_BATCH_MAX] = {0};
    int64_t first = 0, last = 0;
    bool known = true;

    for (size_t i = 0; i < b->n; i++) {
        if (results[i].what != BH_STORED) continue;
        if (first == 0) first = results[i].seq;
        last = results[i].seq;
    }
    if (first > 0) known = tell_broker(w, first, last, woken);
    for (size_t i = 0; i < b->n; i++) {
        bool fresh = results[i].what == BH_STORED;
        uint32_t n = fresh && known ? woken[results[i].seq - first] : 0;
        w->stored += fresh;
        w->duplicates += !fresh;
        w->woken += n;
        if (!w->order->quiet)
            print_result(&b->v[i], &results[i], known || !fresh, n);
    }
}

static int
refuse(const struct work *w, const struct bh_event_errors *errors)
{
    for (size_t i = 0; i < errors->n; i++) {
        char place[BH_POINTER_MAX];
        const char *pointer = errors->v[i].pointer; /* "": all of it */
        bh_log_word(place, sizeof place, pointer, strlen(pointer));
        fprintf(stderr, "bellhopctl: %s: %s\n", *pointer ? place : "as a whole",
                errors->v[i].detail);
    }
    if (w->line > 0)
        fprintf(stderr, "bellhopctl: places count from line %zu on\n",
                w->line + 1);
    return EX_DATAERR;
}

static int
refuse_conflict(const struct bh_event *e)
{
    char id[BH_WORD_MAX];

    fprintf(stderr,
            "bellhopctl: eventId %s is stored with another body; nothing of "
            "this batch was stored\n",
            bh_log_word(id, sizeof id, e->event_id.p, e->event_id.len));
    return EX_DATAERR;
}

static int
publish_batch(struct work *w, struct bh_str body, enum bh_body_form form)
{
    static struct result results[BH_BATCH_MAX];
    struct bh_event_errors errors = {.n = 0};
    struct bh_batch b;
    size_t conflict = 0;
    int code = EX_OK;
    int rc = bh_batch_parse(&b, body, form, &errors);

    if (rc == -EINVAL) {
        code = refuse(w, &errors);
    } else {
        if (rc == 0) rc = append_all(w, &b, results, &conflict);
        if (rc < 0) {
            fprintf(stderr, "bellhopctl: %s\n", bh_store_error(w->s));
            code = EX_UNAVAILABLE;
        } else if (conflict < b.n) {
            code = refuse_conflict(&b.v[conflict]);
        } else {
            settle(w, &b, results);
        }
    }
    bh_batch_fini(&b);
    return code;
}

/* ---- where they come from ---- */

static void
add_member(struct bh_buf *b, const char *name, const char *value)
{
    if (value == NULL) return;
    bh_buf_fmt(b, ",\"%s\":", name);
    bh_json_quote(b, value, strlen(value));
}

/* The one that the arguments describe. */
static int
publish_one(struct work *w)
{
    const struct order *o = w->order;
    struct bh_buf b = BH_BUF_INIT;
    char id[33];

    bh_random_hex(id, 16);
    bh_buf_fmt(&b, "{\"timestamp\":%" PRId64, bh_wall_ms());
    add_member(&b, "eventId", o->id != NULL ? o->id : id);
    add_member(&b, "eventType", o->type);
    add_member(&b, "orgId", o->org);
    add_member(&b, "propertyId", o->property);
    bh_buf_fmt(&b, ",\"payload\":%s}", o->payload != NULL ? o->payload : "{}");
    int code =
        b.failed ? EX_OSERR
                 : publish_batch(w, (struct bh_str){b.p, b.len}, BH_FORM_JSON);
    bh_buf_fini(&b);
    return code;
}

/* ---- a file ---- */

struct input {
    FILE *f;
    int64_t size; /* 0: nobody knows */
    char *line;   /* getline(3)'s */
    size_t cap;
    struct bh_buf text; /* what is read and not stored yet */
};

/* False at the end. */
static bool
read_line(struct input *in)
{
    ssize_t len = getline(&in->line, &in->cap, in->f);

    if (len > 0) bh_buf_add(&in->text, in->line, (size_t)len);
    return len > 0;
}

static bool
is_blank(const struct bh_buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (strchr(" \t\r\n", b->p[i]) == NULL) return false;
    return true;
}

/* Whether the first line is a whole event: then one event stands on each line,
 * else all is one JSON text, as in a publish. */
static bool
is_lines(const struct bh_buf *first)
{
    struct bh_str text = {first->p, first->len}, events;
    struct bh_json_error err;
    struct bh_buf out = BH_BUF_INIT;
    bool whole = bh_json_check(&out, text, BH_DEPTH_MAX, "", &err) == 0;
    struct bh_str checked = {out.p, out.len};

    whole = whole && out.len > 0 && out.p[0] == '{' &&
            !bh_json_member(checked, "events", &events);
    bh_buf_fini(&out);
    return whole;
}

static void
show_progress(struct work *w, const struct input *in)
{
    bh_bar_show(&w->bar,
                in->size > 0 ? ftello(in->f) : w->stored + w->duplicates,
                in->size);
}

/* A batch of lines at a time; the first is read. */
static int
publish_lines(struct work *w, struct input *in)
{
    size_t lines = 1;
    int code = EX_OK;
    bool more = true;

    while (more && code == EX_OK) {
        more = read_line(in);
        if (in->text.failed) break; /* a line is lost: publish_from() tells */
        lines += more;
        if (more && lines < BH_BATCH_MAX && in->text.len < LINES_BYTES)
            continue;
        if (!is_blank(&in->text))
            code = publish_batch(w, (struct bh_str){in->text.p, in->text.len},
                                 BH_FORM_NDJSON);
        show_progress(w, in);
        w->line += lines;
        lines = 0;
        bh_buf_reset(&in->text);
    }
    return code;
}

static int
publish_whole(struct work *w, struct input *in)
{
    while (in->text.len <= BH_BODY_MAX && read_line(in)) continue;
    if (in->text.len > BH_BODY_MAX) {
        fprintf(stderr, "bellhopctl: longer than one publish may be; write one "
                        "event a line\n");
        return EX_DATAERR;
    }
    return publish_batch(w, (struct bh_str){in->text.p, in->text.len},
                         BH_FORM_JSON);
}

static int
publish_from(struct work *w, FILE *f)
{
    struct input in = {.f = f, .text = BH_BUF_INIT};
    struct stat st;
    int code;

    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode)) in.size = st.st_size;
    while (is_blank(&in.text) && read_line(&in)) continue;
    if (is_lines(&in.text))
        code = publish_lines(w, &in);
    else
        code = publish_whole(w, &in);
    if (code == EX_OK && (!feof(f) || in.text.failed)) {
        fprintf(stderr, "bellhopctl: reading: %s\n", strerror(errno));
        code = EX_IOERR;
    }
    bh_buf_fini(&in.text);
    free(in.line);
    return code;
}

static int
publish_file(struct work *w, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "re");

    if (f == NULL) {
        fprintf(stderr, "bellhopctl: %s: %s\n", path, strerror(errno));
        return EX_NOINPUT;
    }
    int code = publish_from(w, f);
    if (!standard) fclose(f);
    return code;
}

/* ---- the command ---- */

static void
report(const struct work *w)
{
    if (w->stored + w->duplicates == 1 && !w->order->quiet) return;
    fprintf(stderr, "%" PRId64 " stored, %" PRId64 " duplicates, ", w->stored,
            w->duplicates);
    if (w->unknown)
        fputs("no broker to ask who waited: it finds them when it is back\n",
              stderr);
    else
        fprintf(stderr, "%" PRId64 " waiters answered\n", w->woken);
}

/* By bellhopctl domain disable; what the configuration says is known before. */
static bool
look_for_off(void *arg, struct bh_str domain, bool enabled,
             int64_t changed_at BH_UNUSED)
{
    struct work *w = arg;
    struct bh_str ours = str(w->order->domain);

    if (domain.len == ours.len && memcmp(domain.p, ours.p, ours.len) == 0)
        w->off = !enabled;
    return true;
}

static int
publish_all(struct work *w, const struct bh_conf *conf)
{
    const struct order *o = w->order;

    if (bh_store_switches(w->s, look_for_off, w) < 0) {
        fprintf(stderr, "bellhopctl: %s\n", bh_store_error(w->s));
        return EX_UNAVAILABLE;
    }
    if (w->off) {
        fprintf(stderr,
                "bellhopctl: the domain is switched off; bellhopctl domain "
                "enable %s\n",
                o->domain);
        return EX_UNAVAILABLE;
    }
    w->broker =
        bh_notify_open(conf->broker.socket, conf->worker.broker_timeout_ms);
    return o->file != NULL ? publish_file(w, o->file) : publish_one(w);
}

static int
work(const struct order *o, const struct bh_conf *conf)
{
    struct work w = {.order = o, .broker = -1, .bar = {.what = "publishing"}};
    int rc = bh_store_open_writer(&w.s, conf->log.path, conf->log.sync);

    if (rc < 0) {
        fprintf(stderr, "bellhopctl: %s\n", bh_store_error(NULL));
        return EX_UNAVAILABLE;
    }
    int code = publish_all(&w, conf);
    bh_bar_end(&w.bar);
    if (w.stored + w.duplicates > 0) report(&w);
    if (w.broker >= 0) close(w.broker);
    bh_store_close(w.s);
    return code;
}

static const struct option longs[] = {
    {"domain", required_argument, NULL, 'd'},
    {"org", required_argument, NULL, 'o'},
    {"property", required_argument, NULL, 'p'},
    {"type", required_argument, NULL, 't'},
    {"id", required_argument, NULL, 'i'},
    {"payload", required_argument, NULL, 'l'},
    {"as", required_argument, NULL, 'a'},
    {"quiet", no_argument, NULL, 'q'},
    {NULL, 0, NULL, 0}};

/* False for an unknown one. */
static bool
take_option(struct order *o, int option, const char *value)
{
    const char **const into = option == 'd'   ? &o->domain
                              : option == 'o' ? &o->org
                              : option == 'p' ? &o->property
                              : option == 't' ? &o->type
                              : option == 'i' ? &o->id
                              : option == 'l' ? &o->payload
                              : option == 'a' ? &o->publisher
                                              : NULL;
    if (into != NULL) *into = value;
    if (option == 'q') o->quiet = true;
    return into != NULL || option == 'q';
}

/* NULL, or what is wrong with the order as a whole. */
static const char *
check_order(const struct order *o, const struct bh_conf *conf)
{
    bool single = o->org != NULL || o->type != NULL || o->property != NULL ||
                  o->id != NULL || o->payload != NULL;
    const struct bh_conf_domain *domain;

    if (o->domain == NULL) return "--domain is needed";
    domain = bh_conf_domain(conf, o->domain, strlen(o->domain));
    if (domain == NULL) return "the configuration has no such domain";
    if (!domain->enabled) return "the domain is switched off";
    if (o->file != NULL && single)
        return "a file says all of its events; leave the other options out";
    if (o->file == NULL && (o->org == NULL || o->type == NULL))
        return "name a FILE, - for standard input, or --org and --type";
    if (strlen(o->publisher) - 1 >= BH_NAME_MAX) return "--as takes a name";
    return NULL;
}

static int
run(const struct bh_command *c, const char *path, int argc, char **argv)
{
    struct order o = {.publisher = "bellhopctl"};
    int option;

    while ((option = getopt_long(argc, argv, "d:o:p:t:i:q", longs, NULL)) != -1)
        if (!take_option(&o, option, optarg)) return bh_ctl_usage(c, NULL);
    if (argc - optind > 1) return bh_ctl_usage(c, "it takes one FILE at most");
    if (optind < argc) o.file = argv[optind];
    struct bh_conf *conf = bh_ctl_conf(path);
    const char *wrong = check_order(&o, conf);
    int code = wrong != NULL ? bh_ctl_usage(c, wrong) : work(&o, conf);
    bh_conf_free(conf);
    return code;
}

const struct bh_command bh_cmd_publish = {
    "publish", "store events, and have them delivered",
    "Usage: bellhopctl [-c FILE] publish -d DOMAIN -o ORG -t TYPE [OPTION]...\n"
    "       bellhopctl [-c FILE] publish -d DOMAIN [OPTION]... FILE|-\n"
    "Store one event that the options describe, or those of FILE (- for "
    "standard\n"
    "input): a publish's JSON, or one event a line. It needs no token: it "
    "writes to\n"
    "the log itself, checks each event as a publish over HTTP does, and tells "
    "the\n"
    "broker.\n"
    "\n"
    "  -d, --domain=NAME    the domain\n"
    "  -o, --org=ORG        the organisation\n"
    "  -t, --type=TYPE      the eventType\n"
    "  -p, --property=NAME  the property; without one it concerns the whole "
    "org\n"
    "  -i, --id=ID          the eventId, a random one unless given\n"
    "      --payload=JSON   the payload, {} unless given\n"
    "      --as=NAME        who publishes; bellhopctl unless given\n"
    "  -q, --quiet          print no result for each event\n"
    "\n"
    "What is there already is a duplicate; sending the same again is safe. Of "
    "a FILE\n"
    "with a line for each event 500 are stored at once: all of them or none.\n"
    "\n"
    "Exit: 0 all is stored, 65 an event was refused, 69 the log can't be "
    "written, or\n"
    "the domain is switched off.\n"
    "\n"
    "Examples:\n"
    "  bellhopctl publish -d tasks -o hotel-1 -t Created --payload "
    "'{\"taskId\":\"t-9\"}'\n"
    "  bellhopctl publish -d tasks events.ndjson\n"
    "  jq -c '.[]' tasks.json | bellhopctl publish -d tasks -q -\n",
    run};
