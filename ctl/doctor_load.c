/* doctor_load.c: what the broker and the workers have counted, and what the log
 * has kept, of the things that should be rare. */
#include "doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"

#define HOUR_MS     3600000LL
#define SHARE       5   /* one in so many refused, or at once empty, is much */
#define FEW         20  /* of fewer nothing can be said */
#define FEW_REFUSED 100 /* this command alone causes some */
#define TOLD_MAX    200

static uint64_t
of_domains(const struct bh_report *r, enum bh_domain_metric m)
{
    uint64_t sum = 0;

    for (uint16_t i = 0; i < r->n_domains; i++) sum += r->domains[i].v[m];
    return sum;
}

static bool
skip_without_figures(struct bh_doctor *d)
{
    if (!d->broker_up)
        bh_tell(d, BH_SKIPPED, NULL, "the broker, which counts, is away");
    return !d->broker_up;
}

/* ---- limits ---- */

static void
weigh_waiters(struct bh_doctor *d)
{
    const struct bh_report *r = d->report;
    uint64_t limit = r->broker[BH_M_WAITERS_LIMIT];
    uint64_t n = of_domains(r, BH_M_POLLS) + of_domains(r, BH_M_STREAMS) +
                 of_domains(r, BH_M_LINES);

    if (n >= limit - limit / 10)
        bh_tell(d, n >= limit ? BH_WRONG : BH_DOUBTFUL,
                "raise broker.waiters with LimitNOFILE and the web server's "
                "limits (docs/operate.md)",
                "%" PRIu64 " wait, and the limit is %" PRIu64, n, limit);
    else
        bh_tell(d, BH_FINE, NULL, "%" PRIu64 " wait, of %" PRIu64 " at most", n,
                limit);
}

/* Since the broker's start; any is worth a look. */
static void
weigh_count(struct bh_doctor *d, uint64_t n, enum bh_verdict v,
            const char *what, const char *remedy)
{
    if (n > 0) bh_tell(d, v, remedy, "%" PRIu64 " %s", n, what);
}

void
bh_check_load(struct bh_doctor *d)
{
    const struct bh_report *r = d->report;

    if (skip_without_figures(d)) return;
    weigh_waiters(d);
    weigh_count(d, of_domains(r, BH_M_OVERLOADED), BH_DOUBTFUL,
                "requests were turned away at a limit since its start",
                "see waiters, waiters_per_channel and waiters_per_user");
    weigh_count(d, of_domains(r, BH_M_DROPPED), BH_DOUBTFUL,
                "events left memory before their time since its start",
                "raise broker.buffer_events or buffer_megabytes");
    weigh_count(d, r->broker[BH_M_BAD_MESSAGES], BH_WRONG,
                "messages were refused: worker and broker of two builds",
                "restart the workers and the broker");
    weigh_count(d, r->worker[BH_M_FROM_LOG], BH_DOUBTFUL,
                "subscribes were answered without a broker since its start",
                "see the worker's log for when it was away");
}

/* ---- refusals ---- */

struct words {
    char text[TOLD_MAX];
    size_t len;
    int64_t n;
};

static void
add_word(void *arg, struct bh_str word, int64_t n)
{
    struct words *w = arg;
    char clean[BH_WORD_MAX];

    w->n += n;
    if (w->len >= sizeof w->text - 1) return;
    int wrote = snprintf(w->text + w->len, sizeof w->text - w->len,
                         "%s%" PRId64 " %s", w->len > 0 ? ", " : "", n,
                         bh_log_word(clean, sizeof clean, word.p, word.len));
    w->len += wrote > 0 ? (size_t)wrote : 0;
}

static struct words
refused_by_workers(const struct bh_report *r)
{
    struct words w = {.len = 0};

    for (int code = 1; code < BH_REFUSAL_COUNT; code++) {
        const char *word = bh_refusal_word((enum bh_refusal)code);
        if (r->refused[code] > 0)
            add_word(&w, (struct bh_str){word, strlen(word)},
                     (int64_t)r->refused[code]);
    }
    return w;
}

static void
weigh_refused(struct bh_doctor *d)
{
    const struct bh_report *r = d->report;
    struct words w = refused_by_workers(r);
    int64_t served =
        (int64_t)(r->worker[BH_M_PUBLISHES] + of_domains(r, BH_M_POLLED) +
                  of_domains(r, BH_M_STREAMED));
    bool much = w.n > FEW_REFUSED && w.n > (served + w.n) / SHARE;

    bh_tell(d, much ? BH_DOUBTFUL : BH_FINE,
            much ? "see docs/operate.md for each, and the view "
                   "refusals_by_reason for publishes"
                 : NULL,
            "%" PRId64 " of %" PRId64 " requests since its start%s%s", w.n,
            served + w.n, w.n > 0 ? ": " : "", w.text);
    weigh_count(d, r->refused[BH_INTERNAL], BH_WRONG,
                "failed for a fault of ours or for want of memory",
                "look for their X-Request-ID in the worker's log");
    weigh_count(d, r->refused[BH_LOG_UNAVAILABLE], BH_DOUBTFUL,
                "found the log locked or its disk full",
                "see lock and disk above");
}

void
bh_check_refusals(struct bh_doctor *d)
{
    struct words w = {.len = 0};

    if (!skip_without_figures(d)) weigh_refused(d);
    if (d->log == NULL) return;
    if (bh_store_tally(d->log, BH_TALLY_REFUSALS, bh_wall_ms() - HOUR_MS,
                       add_word, &w) == 0 &&
        w.n > 0)
        bh_tell(d, BH_DOUBTFUL,
                "SELECT * FROM refusals_by_reason says to whom, and where",
                "publishes refused to a good token in the last hour: %s",
                w.text);
}

/* ---- telemetry ---- */

struct browsers {
    struct words words;
    int64_t fast_empty, errors;
};

static bool
says(struct bh_str word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.p, text, word.len) == 0;
}

static void
add_type(void *arg, struct bh_str word, int64_t n)
{
    struct browsers *b = arg;

    add_word(&b->words, word, n);
    if (says(word, "fast_empty")) b->fast_empty = n;
    if (says(word, "subscribe_error")) b->errors = n;
}

void
bh_check_telemetry(struct bh_doctor *d)
{
    struct browsers b = {.words.len = 0};

    if (d->log == NULL || d->conf->telemetry.rows == 0) {
        bh_tell(d, BH_SKIPPED, NULL,
                d->log == NULL ? "there is no log to read"
                               : "telemetry.rows = 0: none is stored");
        return;
    }
    if (bh_store_tally(d->log, BH_TALLY_TELEMETRY, bh_wall_ms() - HOUR_MS,
                       add_type, &b) < 0) {
        bh_tell(d, BH_SKIPPED, NULL, "%s", bh_store_error(d->log));
        return;
    }
    bool empty = b.fast_empty > FEW && b.fast_empty > b.words.n / SHARE;
    bool errors = b.errors > FEW && b.errors > b.words.n / SHARE;
    bh_tell(d, empty || errors ? BH_DOUBTFUL : BH_FINE,
            empty    ? "something cuts polls short: run this with --url; see "
                       "the view telemetry_fast_empty"
            : errors ? "the view telemetry_errors has their HTTP status"
                     : NULL,
            "in the last hour: %s", b.words.n > 0 ? b.words.text : "none came");
    weigh_count(d, d->report->worker[BH_M_TELEMETRY_DROPPED], BH_DOUBTFUL,
                "entries were dropped since the broker's start",
                "raise telemetry.entries_per_second, or lower the clients' "
                "sample");
}
